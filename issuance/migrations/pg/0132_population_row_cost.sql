-- What a row of `person` costs the server. The record is kept as it was written, since no statement looks into it: to take it apart for `jsonb` was the
-- dearest part of a row. Texts are compared byte by byte, whatever collation the database has: in an index by the rules of a language each comparison
-- costs several times as much. The table is written anew once.
alter table person
    alter column record type json using record::json,
    alter column office type text collate "C",
    alter column personal_number type text collate "C",
    alter column likeness type text collate "C",
    alter column old_id_number type text collate "C",
    alter column household type text collate "C",
    alter column residence_province type text collate "C",
    alter column residence_district type text collate "C",
    alter column residence_commune type text collate "C";

-- Makes the dictionary of names of the persons who are there, and ends the load. Its tables are empty, since nothing else entered the register: their
-- indexes are made when the rows are there too.
create or replace function first_load_end() returns bigint language plpgsql as $$
begin
    perform set_config('work_mem', '256MB', true);
    perform set_config('maintenance_work_mem', '512MB', true);
    delete from full_name;
    delete from full_name_word;
    delete from name_word;
    alter table full_name drop constraint full_name_pkey;
    drop index full_name_sorted;
    alter table full_name_word drop constraint full_name_word_pkey;
    insert into full_name (fold, sorted, n)
        select fold, (select string_agg(word, ' ' order by word collate "C") from unnest(string_to_array(fold, ' ')) as w (word)), n
        from (select fold, count(*) as n from person group by fold) as borne;
    alter table full_name add constraint full_name_pkey primary key (fold);
    create index full_name_sorted on full_name (sorted);
    insert into full_name_word (word, fold)
        select w.word, fold
        from full_name, lateral (select distinct word collate "C" as word from unnest(string_to_array(fold, ' ')) as u (word)) as w;
    alter table full_name_word add constraint full_name_word_pkey primary key (word, fold);
    insert into name_word (word, n) select word, count(*) from full_name_word group by word;
    delete from first_load_step;
    execute 'drop trigger first_load_alone on person';
    execute 'analyze person, person_key, full_name, full_name_word';
    return (select count(*) from full_name);
end $$;
