-- The code of the commune alone: province and district are those that the tables have on the day of the answer, so that a commune that changes
-- district is one. Of two plans for a commune the one that ends later stays.
delete from campaign_plan where exists (
    select 1 from campaign_plan other where substr(other.commune, -5) = substr(campaign_plan.commune, -5)
        and (other.due > campaign_plan.due or (other.due = campaign_plan.due and other.commune > campaign_plan.commune))
);
update campaign_plan set commune = substr(commune, -5);
update campaign_collected set commune = substr(commune, -5);
