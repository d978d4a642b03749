-- How many numbers of a cell came from elsewhere (with files of declarations) and are not reached by the cell's own counter yet. Of those that are in
-- the book already: what stands there beyond the counter, which is too little where numbers were reserved and not given.
create table number_cell_entered (
    id TEXT primary key,
    entered INTEGER not null
);
insert into number_cell_entered (id, entered)
select told.id, told.given - coalesce(c.next, 0)
from (
    select substr(n.personal_number, 1, 3)
           || case when cast(substr(n.personal_number, 4, 1) as integer) % 2 = 0 then '-M-' else '-F-' end
           || cast(1900 + cast(substr(n.personal_number, 4, 1) as integer) / 2 * 100
                   + cast(substr(n.personal_number, 5, 2) as integer) as TEXT) as id,
           count(*) as given
    from personal_number n group by 1
) as told left join number_cell c on c.id = told.id
where told.given > coalesce(c.next, 0);
