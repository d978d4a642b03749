-- What a question costs the server. Each insert looked up partner, system and agreement once more, and locked their rows, of which all questions of a
-- partner want the same: 41 % of the insert (docs/benchmarks.md). All three were read in the same transaction, and no row of them is ever deleted.
alter table exchange_request
    drop constraint exchange_request_partner_id_fkey,
    drop constraint exchange_request_system_id_fkey,
    drop constraint exchange_request_agreement_id_fkey;
