-- Paper forms DC01 on their way into the register: one officer types a form, another one reads the paper a second time, and the declaration enters by
-- both. What was typed is erased when the form ends: it stands in the person's history then, or was dropped.
create table declaration_form (
    id TEXT primary key,
    office TEXT not null,
    state TEXT not null,
    typed TEXT not null,
    differs TEXT not null,
    revision INTEGER not null,
    begun_by TEXT not null,
    begun_at INTEGER not null,
    saved_by TEXT not null,
    saved_at INTEGER not null,
    sent_by TEXT,
    sent_at INTEGER,
    ended_by TEXT,
    ended_at INTEGER,
    person_id TEXT,
    version INTEGER,
    mac BLOB
);
create index declaration_form_state on declaration_form (office, state, id);
