//! A database that is full, busy or gone, and comes back.

use std::time::{Duration, Instant};

use issuance::store::StoreError;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;

use crate::house::{House, on_both};

#[tokio::test]
async fn readiness_is_told_within_a_second_while_a_writer_holds_on_and_again_when_it_has_let_go() {
    let house = House::open(None).await;
    let ready = async || house.anyone().get("/readyz").await;
    assert_eq!(ready().await.status, 200);
    let held = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let began = Instant::now();
    let said = ready().await;
    assert_eq!((said.status, said.code()), (503, "database-busy"));
    assert!(said.retry_after.is_some());
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(house.anyone().get("/livez").await.status, 200, "the process is alive");
    drop(held);
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(ready().await.status);
        if answers.last() == Some(&200) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
    house.service.stop().await;
}

/// SQLite refuses with its own SQLITE_FULL on each of the connections, which are as many as the pool has.
#[tokio::test]
async fn a_disk_that_was_full_once_leaves_no_connection_behind_that_fails() {
    let house = House::open(None).await;
    let db = house.service.offices().deeds().db();
    for _ in 0..8 {
        let mut tx = db.begin_upkeep().await.unwrap();
        let driver = tx.lite().unwrap();
        sqlx::raw_sql("pragma max_page_count = 1").execute(&mut *driver).await.unwrap();
        let large =
            sql!("insert into answer (caller, idempotency_key, request_hash, at, sealed) values ('x', 'x', $1, 0, $1)");
        let full = tx.run(large, args![vec![0_u8; 1 << 20]]).await.unwrap_err();
        assert!(matches!(full, StoreError::Full(_)), "{full:?}");
        assert_eq!(Problem::from(full).code().word(), "storage-full");
    }
    for number in 0..12 {
        let name = format!("officer-{number}");
        let made = json!({"username": name, "roles": ["stock"], "office": "o-1"});
        let said = house.admin.post("/api/v1/officers", &name, made).await;
        assert_eq!(said.status, 200, "request {number} after the disk had room again: {said:?}");
    }
    house.service.stop().await;
}

/// PostgreSQL raises its own codes; SQLite is busy for real.
#[tokio::test]
async fn troubles_that_pass_are_told_apart_and_a_constraint_keeps_the_connection() {
    Box::pin(on_both(async |house| {
        let db = house.service.offices().deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let Some(_) = tx.pg() else { return };
        drop(tx);
        let told = [
            ("53100", "storage-full"),
            ("53300", "database-busy"),
            ("40001", "database-busy"),
            ("40P01", "database-busy"),
            ("55P03", "database-busy"),
            ("57P03", "database-unreachable"),
            ("08006", "database-unreachable"),
            ("22012", "internal"),
        ];
        for (code, word) in told {
            let mut tx = db.begin_upkeep().await.unwrap();
            let before = process(&mut tx).await;
            let driver = tx.pg().unwrap();
            let text = format!("do $$ begin raise exception 'trouble' using errcode = '{code}'; end $$");
            let error = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut *driver).await.unwrap_err();
            let problem = Problem::from(StoreError::from(error));
            assert_eq!(problem.code().word(), word, "{code}");
            assert_eq!(problem.status().as_u16(), if word == "internal" { 500 } else { 503 });
            let broken = tx.run(sql!("delete from answer where caller = 'x'"), vec![]).await;
            assert!(broken.is_err(), "the transaction is aborted");
            drop(tx);
            let mut left = 1;
            for _ in 0..50 {
                left = house.count(sql!("select count(*) as n from pg_stat_activity where pid = $1"), args![before]).await;
                if left == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(left, 0, "{code}: the connection is still there");
        }
        let mut tx = db.begin_upkeep().await.unwrap();
        let before = process(&mut tx).await;
        let twice = sql!(
            "insert into answer (caller, idempotency_key, request_hash, at) values ('x', 'x', $1, now()), ('x', 'x', $1, now())"
        );
        assert!(matches!(tx.run(twice, args![[0_u8; 32]]).await, Err(StoreError::Duplicate { .. })));
        drop(tx);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let left = house.count(sql!("select count(*) as n from pg_stat_activity where pid = $1"), args![before]).await;
        assert_eq!(left, 1, "after a constraint the connection is as good as before");
    }))
    .await;
}

/// The server process behind a connection to PostgreSQL.
async fn process(tx: &mut issuance::store::Tx) -> i64 {
    let sql = sql!(pg "select pg_backend_pid()::bigint as n", lite "select 0 as n");
    tx.one(sql, vec![]).await.unwrap().unwrap().get("n").unwrap()
}
