//! The worker and its jobs: under a clock that was set back, without its list of jobs, without a database.

use issuance::ground::ids::Id;
use issuance::jobs::{self, Job, Worker};
use issuance::{args, sql};
use time::{Duration, OffsetDateTime};

use crate::house::on_both;
use crate::offices::Offices;
use crate::postgres::{Server, fresh_database};
use crate::trust_bundle::until_health_is;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_stalls_no_job() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Offices::open(database).await;
        let (deeds, now) = (offices.state.deeds(), offices.clock.now());
        let [dead, other]: [Id<Worker>; 2] = [deeds.source().id(), deeds.source().id()];
        let stands = async |due_at: OffsetDateTime, leased_until: Option<OffsetDateTime>| {
            let mut tx = deeds.db().begin_upkeep().await.unwrap();
            let sql = sql!(
                "insert into job (id, due_at, leased_by, leased_until, failures) values ($1, $2, $3, $4, 0)
                 on conflict (id) do update set due_at = excluded.due_at, leased_by = excluded.leased_by,
                     leased_until = excluded.leased_until"
            );
            let by = leased_until.map(|_| dead);
            tx.run(sql, args![Job::Warnings.name(), due_at, by, leased_until]).await.unwrap();
            tx.commit().await.unwrap();
            jobs::lease(deeds, Job::Warnings, other).await.unwrap().is_some()
        };
        let (minute, year) = (Duration::minutes(1), Duration::days(365));
        assert!(!stands(now, Some(now + minute)).await, "another process has it");
        assert!(!stands(now, Some(now + 5 * minute)).await, "another process just took it");
        assert!(!stands(now + minute, None).await, "it is not due");
        assert!(!stands(now + 60 * minute, None).await, "it was just done");
        assert!(stands(now, None).await);
        assert!(stands(now - year, Some(now - minute)).await, "the lease ran out");
        assert!(stands(now, Some(now + 6 * minute)).await, "no lease runs for so long");
        assert!(stands(now, Some(now + year)).await);
        assert!(stands(now + year, None).await, "no job rests for so long");
        assert!(stands(now + year, Some(now + year)).await);
    }
}

#[tokio::test]
async fn a_job_that_fails_is_seen_by_health_and_by_readiness_until_it_is_done() {
    Box::pin(on_both(async |house| {
        until_health_is(house, "ok").await;
        let by_hand = async |sql| {
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql, args![]).await.unwrap();
            tx.commit().await.unwrap();
        };
        by_hand(sql!("alter table job rename to job_away")).await;
        let health = until_health_is(house, "degraded").await;
        assert_eq!(health["details"][0], "jobs fails, and is tried again; the log says why");
        // Strangers ask too: neither the database's words nor its tables are told.
        assert!(!health.to_string().contains("table") && !health.to_string().contains("database"), "{health}");
        let ready = house.anyone().get("/readyz").await;
        assert_eq!((ready.status, &ready.body["status"]), (200, &serde_json::json!("degraded")));
        by_hand(sql!("alter table job_away rename to job")).await;
        until_health_is(house, "ok").await;
    }))
    .await;
}

/// The server and its database are named, the password is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_does_not_answer_is_named_at_the_start_and_at_run() {
    use issuance::server::Settings;
    use issuance::store::Db;

    let folder = tempfile::tempdir().unwrap();
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://officer:geheim@127.0.0.1:{refused}/register");
    let error = Db::connect(Some(&url), folder.path()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("PostgreSQL at 127.0.0.1:{refused}, database `register`")), "{error}");
    assert!(error.contains("--database") && error.contains("refused") && !error.contains("geheim"), "{error}");
    let malformed = Db::connect(Some("postgres://officer:geheim@127.0.0.1:x/register"), folder.path()).await;
    let error = malformed.unwrap_err().to_string();
    assert!(error.contains("--database") && error.contains("postgres://USER") && !error.contains("geheim"), "{error}");

    let Some(mut server) = Server::start() else { return drop(fresh_database()) };
    let settings = Settings { database: Some(server.fresh_database()), ..Settings::new(folder.path()) };
    let db = Db::connect(settings.database.as_deref(), folder.path()).await.unwrap();
    db.ping().await.unwrap();
    server.kill();
    let error = loop {
        match db.ping().await.unwrap_err().to_string() {
            // The connection that broke says only that.
            broken if !broken.contains("PostgreSQL at") => {}
            named => break named,
        }
    };
    assert!(error.starts_with("database unreachable: PostgreSQL at /") && error.contains("`fresh_0`"), "{error}");
    server.restart();
    db.ping().await.unwrap();
    db.close().await;
}
