-- The first load of a register (docs/import.md, ADR 0035): what is taken away from the tables before, and is made again when all rows are there. A row
-- is a statement as PostgreSQL writes it of what stood there; while there is one, a first load is under way.
create table first_load_step (
    id bigint primary key,
    statement text not null,
    done_at timestamptz
);

-- Why no first load may begin; null if nothing speaks against it.
create function first_load_refused() returns text language plpgsql as $$
begin
    return case
        when exists (select 1 from pg_stat_replication) then 'standby'
        when exists (select 1 from pg_replication_slots) then 'slot'
        when exists (select 1 from first_load_step) then null
        when exists (select 1 from person) or exists (select 1 from person_key) then 'people'
    end;
end $$;

-- Refuses every change of persons that does not come from the load: the constraints that would judge it are not there.
create function first_load_alone() returns trigger language plpgsql as $$
begin
    if current_setting('citizen_card.first_load', true) is distinct from 'on' then
        raise exception 'a first load of the register is under way' using errcode = '55P03';
    end if;
    return null;
end $$;

-- Takes away the indexes and constraints that rows without them are loaded faster for. Primary keys of identifiers stay: these ascend.
create function first_load_begin() returns bigint language plpgsql as $$
declare
    one record;
    n bigint := 0;
begin
    perform pg_advisory_xact_lock(115);
    lock table person in access exclusive mode;
    for one in
        select conrelid::regclass::text as relation, conname as name, pg_get_constraintdef(oid) as definition
        from pg_constraint
        where conrelid = 'person'::regclass and contype in ('u', 'f') or conrelid = 'person_key'::regclass and contype = 'p'
        order by contype = 'f', conname
    loop
        n := n + 1;
        insert into first_load_step (id, statement)
            values (n, format('alter table %s add constraint %I %s', one.relation, one.name, one.definition));
        execute format('alter table %s drop constraint %I', one.relation, one.name);
    end loop;
    for one in
        select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
        from pg_index
        where indrelid = 'person'::regclass and not indisprimary
            and indexrelid::regclass::text not in ('person_not_counted', 'person_not_indexed', 'person_not_keyed')
        order by 1
    loop
        n := n + 1;
        insert into first_load_step (id, statement) values (n, one.definition);
        execute format('drop index %s', one.name);
    end loop;
    execute 'create trigger first_load_alone before insert or update or delete on person
             for each statement execute function first_load_alone()';
    return n;
end $$;

-- Makes the next of them again. Returns how many are left.
create function first_load_next() returns bigint language plpgsql as $$
declare
    step record;
begin
    perform pg_advisory_xact_lock(115);
    perform set_config('maintenance_work_mem', '512MB', true);
    for step in select id, statement from first_load_step where done_at is null order by id limit 1 loop
        execute step.statement;
        update first_load_step set done_at = now() where id = step.id;
    end loop;
    return (select count(*) from first_load_step where done_at is null);
end $$;

-- Makes the dictionary of names of the persons who are there, and ends the load.
create function first_load_end() returns bigint language plpgsql as $$
begin
    perform set_config('work_mem', '256MB', true);
    insert into full_name (fold, sorted, n)
        select fold, (select string_agg(word, ' ' order by word collate "C") from unnest(string_to_array(fold, ' ')) as w (word)), count(*)
        from person group by fold
        on conflict (fold) do update set n = excluded.n;
    insert into full_name_word (word, fold)
        select distinct word, fold from full_name, unnest(string_to_array(fold, ' ')) as w (word)
        on conflict (word, fold) do nothing;
    insert into name_word (word, n) select word, count(*) from full_name_word group by word
        on conflict (word) do update set n = excluded.n;
    delete from first_load_step;
    execute 'drop trigger first_load_alone on person';
    execute 'analyze person, person_key, full_name, full_name_word';
    return (select count(*) from full_name);
end $$;
