//! One SQL, two databases.

use std::collections::BTreeSet;

use issuance::ground::{OfficeCode, Role};
use issuance::store::{Argument, Db, Sql, StoreError, Tx};
use issuance::{args, sql};
use serde_json::json;
use time::macros::date;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::house::{House, on_both};
use crate::postgres;

#[tokio::test]
async fn what_goes_in_comes_out() {
    on_both(async |house| {
        let deeds = house.service.offices().deeds();
        let (id, at) = (deeds.source().id::<()>().uuid(), deeds.source().now());
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let insert =
            sql!("insert into trust_bundle (id, issued_at, frame_hash, prepared, signed) values ($1, $2, $3, $4, $5)");
        tx.run(insert, args![id, at, [7; 32], &[0_u8, 255][..], None::<Vec<u8>>]).await.unwrap();
        let select = sql!("select id, issued_at, frame_hash, prepared, signed from trust_bundle where id = $1");
        let row = tx.one_locked(select, args![id]).await.unwrap().unwrap();
        assert_eq!(row.get::<Uuid>("id").unwrap(), id);
        assert_eq!(row.get::<OffsetDateTime>("issued_at").unwrap(), at);
        assert_eq!(row.array::<32>("frame_hash").unwrap(), [7; 32]);
        assert!(row.array::<31>("frame_hash").is_err());
        assert_eq!(row.get::<Vec<u8>>("prepared").unwrap(), [0, 255]);
        assert_eq!(row.get::<Option<Vec<u8>>>("signed").unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_argument_comes_back_as_the_column_that_it_was() {
    on_both(async |house| {
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let echo = sql!(
            pg "select $1::text as word, $2::date as day, $3::boolean as truth, $4::jsonb as tree, $5::bigint as n,
                       $6::date as no_day",
            lite "select $1 as word, $2 as day, $3 as truth, $4 as tree, $5 as n, $6 as no_day",
        );
        let (day, tree) = (date!(0999 - 02 - 28), json!({"họ": ["Nguyễn", null, 1]}));
        let arguments = args!["Nguyễn", day, true, Argument::json(&tree), i64::MIN, None::<Date>];
        let row = tx.one(echo, arguments).await.unwrap().unwrap();
        assert_eq!(row.get::<String>("word").unwrap(), "Nguyễn");
        assert_eq!(row.get::<Date>("day").unwrap(), day);
        assert!(row.get::<bool>("truth").unwrap());
        assert_eq!(row.json::<serde_json::Value>("tree").unwrap(), tree);
        assert_eq!(row.get::<i64>("n").unwrap(), i64::MIN);
        assert_eq!(row.get::<Option<Date>>("no_day").unwrap(), None);
        assert!(row.get::<Date>("no_day").is_err(), "an absent day is no day");

        let among = sql!(
            pg "select count(*) as n from officer where username = any($1) and id <> all($2)",
            lite "select count(*) as n from officer where username in (select value from json_each($1))
                  and id not in (select value from json_each($2))",
        );
        let id = sql!("select id from officer where username = 'admin'");
        let admin: Uuid = tx.one(id, args![]).await.unwrap().unwrap().get("id").unwrap();
        let names = || Argument::Texts(vec!["no one".to_owned(), "admin".to_owned()]);
        for (without, found) in [(Uuid::nil(), 1), (admin, 0)] {
            let row = tx.one(among, vec![names(), Argument::Uuids(vec![without])]).await.unwrap().unwrap();
            assert_eq!(row.get::<i64>("n").unwrap(), found);
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_named_with_table_column_and_id() {
    on_both(async |house| {
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let spoil = sql!("update officer set roles = $1, office = $2");
        tx.run(spoil, args![Argument::json(&["emperor"]), "Ở đây"]).await.unwrap();
        let row = tx.one(sql!("select id, roles, office, made_at from officer"), args![]).await.unwrap().unwrap();
        let id = row.get::<Uuid>("id").unwrap().to_string();
        let error = row.json::<Vec<Role>>("roles").unwrap_err();
        let StoreError::Inconsistent { table, column, id: culprit } = error else { panic!("{error}") };
        assert_eq!((table.as_str(), column.as_str(), culprit), ("officer", "roles", id));
        assert!(row.parsed::<OfficeCode>("office").is_err());
        assert!(row.number::<u8>("made_at").is_err());
        assert!(row.get::<bool>("made_at").is_err());
        assert!(row.get::<String>("nowhere").is_err());
    })
    .await;
}

#[tokio::test]
async fn a_unique_constraint_is_a_duplicate_and_a_dropped_transaction_never_happened() {
    on_both(async |house| {
        let insert = sql!("insert into signing_key (id, name, used) values ($1, $2, $3)");
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.run(insert, args!["a", "x", 0_i64]).await.unwrap();
        assert!(matches!(tx.run(insert, args!["a", "y", 0_i64]).await, Err(StoreError::Duplicate { .. })));
        drop(tx);
        let there = sql!("select count(*) as n from signing_key where id = $1");
        assert_eq!(house.count(there, args!["a"]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn twenty_workers_claim_each_piece_once() {
    on_both(async |house| {
        let db = house.service.offices().deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let insert = sql!("insert into signing_key (id, name, used) values ($1, 'piece', 0)");
        for n in 0..40 {
            tx.run(insert, args![format!("{n:02}")]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let workers: Vec<_> = (0..20)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    let next = sql!("select id from signing_key where name = 'piece' and used = 0 order by id limit 1");
                    let mut claimed = Vec::new();
                    loop {
                        let mut tx = db.begin_upkeep().await.unwrap();
                        let Some(row) = tx.claim(next, args![]).await.unwrap() else { return claimed };
                        let id: String = row.get("id").unwrap();
                        tx.run(sql!("update signing_key set used = 1 where id = $1"), args![&id]).await.unwrap();
                        tx.commit().await.unwrap();
                        claimed.push(id);
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all.sort();
        assert_eq!(all, (0..40).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    })
    .await;
}

/// Which process of PostgreSQL serves, and when its transaction began, in microseconds.
const SERVED: Sql = sql!(
    pg "select pg_backend_pid()::bigint as process, (extract(epoch from transaction_timestamp()) * 1e6)::bigint as began",
    lite "select 0 as process, 0 as began"
);

async fn served(tx: &mut Tx) -> (i64, i64) {
    let row = tx.one(SERVED, args![]).await.unwrap().unwrap();
    (row.get("process").unwrap(), row.get("began").unwrap())
}

#[tokio::test]
async fn a_connection_serves_one_transaction_after_the_other() {
    let Some(url) = postgres::fresh_database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(Some(&url), folder.path()).await.unwrap();
    let mut processes = BTreeSet::new();
    for _ in 0..3 {
        let mut tx = db.begin_read().await.unwrap();
        processes.insert(served(&mut tx).await.0);
        tx.commit().await.unwrap();
        // Each statement of a look is a transaction of its own, and none is open when it ends.
        let mut look = db.begin_look().await.unwrap();
        let ((process, one), (_, other)) = (served(&mut look).await, served(&mut look).await);
        assert!(one < other, "{one} {other}");
        processes.insert(process);
    }
    assert_eq!((processes.len(), db.connections()), (1, (0, 1)));
    // What failed in a transaction is not at hand for the next one.
    let mut tx = db.begin_read().await.unwrap();
    assert_eq!(tx.run(sql!("select nothing from nowhere"), args![]).await.ok(), None);
    drop(tx);
    processes.insert(served(&mut db.begin_read().await.unwrap()).await.0);
    assert_eq!(processes.len(), 2);
    db.close().await;
    assert!(db.begin_read().await.is_err() && db.begin_look().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_cut_off_in_the_middle_answer_no_other_question() {
    let Some(url) = postgres::fresh_database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(Some(&url), folder.path()).await.unwrap();
    let mut tx = db.begin_upkeep().await.unwrap();
    tx.run(sql!("create table cut (id bigint primary key, words text not null)"), args![]).await.unwrap();
    tx.commit().await.unwrap();
    let insert = sql!("insert into cut (id, words) values ($1, $2)");
    let rows: Vec<Vec<Argument>> = (0..500_i64).map(|n| args![n, "x".repeat(100)]).collect();
    let mut cut = 0;
    for n in 0..150_u64 {
        let mut tx = db.begin_upkeep().await.unwrap();
        let wait = std::time::Duration::from_micros(50 + n * 40);
        cut += usize::from(tokio::time::timeout(wait, tx.insert_all(insert, &rows)).await.is_err());
        drop(tx);
        for asked in 0..4_i64 {
            let mut tx = db.begin_read().await.unwrap();
            let sql = sql!(pg "select $1::bigint as said", lite "select $1 as said");
            let row = tx.one(sql, args![asked]).await.unwrap();
            let said = row.unwrap_or_else(|| panic!("no answer after {n}, cut {cut}")).get::<i64>("said").unwrap();
            assert_eq!(said, asked, "the answer to another question, after {n}, cut {cut}");
            tx.commit().await.unwrap();
        }
    }
    assert!(cut > 10, "only {cut} were cut");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_callers_than_connections_are_served_in_turn() {
    let Some(url) = postgres::fresh_database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(Some(&url), folder.path()).await.unwrap();
    let callers = (0..48).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut processes = BTreeSet::new();
            for _ in 0..20 {
                let mut tx = db.begin_read().await.unwrap();
                processes.insert(served(&mut tx).await.0);
                tx.commit().await.unwrap();
            }
            processes
        })
    });
    let mut processes = BTreeSet::new();
    for caller in callers.collect::<Vec<_>>() {
        processes.extend(caller.await.unwrap());
    }
    assert!(processes.len() <= 16, "{} connections", processes.len());
    db.close().await;
}

#[tokio::test]
async fn connections_that_the_server_ended_are_passed_over() {
    let Some(url) = postgres::fresh_database() else { return };
    let house = Box::pin(House::open(Some(url.clone()))).await;
    let officer = house.officer("registrar", &[Role::Registrar], "o-0").await;
    let elsewhere = Db::connect(Some(&url), house.folder.path()).await.unwrap();
    let end = sql!(
        pg "select count(pg_terminate_backend(pid)) as n from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()",
        lite "select 0 as n"
    );
    for _ in 0..5 {
        assert_eq!(officer.get("/api/v1/me").await.status, 200);
        // What is at hand now is gone when the gate asks for it.
        elsewhere.begin_read().await.unwrap().one(end, args![]).await.unwrap();
        assert_eq!(officer.get("/api/v1/me").await.status, 200);
    }
    elsewhere.close().await;
    Box::pin(house.service.stop()).await;
}

#[tokio::test]
async fn texts_in_the_indexes_of_the_largest_tables_are_compared_byte_by_byte() {
    on_both(async |house| {
        let by_language = sql!(
            pg "select coalesce(string_agg(distinct c.relname || '.' || a.attname, ' '), '') as n
                from pg_index i join pg_class c on c.oid = i.indrelid
                join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey::smallint[])
                join pg_collation l on l.oid = a.attcollation
                where l.collname <> 'C'
                and c.relname in ('person', 'audit_entry', 'personal_number', 'full_name', 'full_name_word')",
            lite "select '' as n"
        );
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let row = tx.one(by_language, args![]).await.unwrap().unwrap();
        assert_eq!(row.get::<String>("n").unwrap(), "");
    })
    .await;
}
