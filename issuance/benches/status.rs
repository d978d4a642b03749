//! How long the figures of `issuance status` take over a million applications, cards and chips, on SQLite and on
//! PostgreSQL: counted row by row, and as the service does it.
//!
//! ```text
//! cargo bench -p issuance --bench status            # 1,000,000 of each; ROWS=… for another number
//! ```
//! Rows are made by SQL; their MACs do not hold, and no figure looks at them. PostgreSQL has analysed its tables.

use std::time::{Duration, Instant};

use issuance::server::migrations;
use issuance::store::{Db, Sql};
use issuance::{applications, args, cards, production, sql};

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

/// Runs of a measurement.
const RUNS: usize = 21;

#[tokio::main]
async fn main() {
    let rows: i64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("| engine | figures | row by row, ms | by the service, ms |\n| --- | --- | ---: | ---: |");
    Box::pin(measure("SQLite", None, rows)).await;
    if let Some(url) = postgres::fresh_database() {
        Box::pin(measure("PostgreSQL", Some(url), rows)).await;
    }
}

async fn measure(engine: &str, url: Option<String>, rows: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let db = Db::open(url.as_deref(), folder.path(), &migrations()).await.expect("a database");
    let began = Instant::now();
    fill(&db, rows).await;
    eprintln!("{engine}: {rows} of each after {:.0} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    for table in 0..3 {
        loop {
            let mut tx = db.begin_upkeep().await.expect("a transaction");
            let finished = match table {
                0 => applications::store::add_up(&mut tx).await,
                1 => cards::store::add_up(&mut tx).await,
                _ => production::add_up(&mut tx).await,
            };
            tx.commit().await.expect("kept");
            if finished.expect("added up") {
                break;
            }
        }
    }
    eprintln!("{engine}: {} changes added up in {:.0} ms", 3 * rows, began.elapsed().as_secs_f64() * 1e3);

    let applications =
        sql!("select stage, count(*) as n, min(registered_at) as oldest from application group by stage");
    let before = rowwise(&db, &[applications]).await;
    let after = timed(async || {
        let mut tx = db.begin_read().await.expect("a transaction");
        assert_eq!(applications::store::figures(&mut tx).await.expect("figures").len(), 4);
    });
    row(engine, "applications, and the oldest at each stage", before, after.await);
    let before = rowwise(&db, &[sql!("select status, count(*) as n from card group by status")]).await;
    let after = timed(async || {
        let mut tx = db.begin_read().await.expect("a transaction");
        assert_eq!(cards::store::figures(&mut tx).await.expect("figures").len(), 4);
    });
    row(engine, "cards", before, after.await);
    let chips = sql!("select state, count(*) as n from chip group by state");
    let orders = sql!(
        "select count(distinct chip.id) as n, min(perso_order.made_at) as oldest
         from chip join perso_order on perso_order.serial = chip.id where chip.state = 'bound'"
    );
    let before = rowwise(&db, &[chips, orders]).await;
    let after = timed(async || {
        let mut tx = db.begin_read().await.expect("a transaction");
        assert!(production::figures(&mut tx).await.expect("figures").unfinished.0 > 0);
    });
    row(engine, "chips, and the orders under way", before, after.await);
    db.close().await;
}

fn row(engine: &str, what: &str, before: Duration, after: Duration) {
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    println!("| {engine} | {what} | {:.1} | {:.2} |", ms(before), ms(after));
}

/// The statements of before. The indexes that came since are not taken from them: none helps them to count all rows.
async fn rowwise(db: &Db, statements: &[Sql]) -> Duration {
    timed(async || {
        let mut tx = db.begin_read().await.expect("a transaction");
        for sql in statements {
            tx.all(*sql, args![]).await.expect("rows");
        }
    })
    .await
}

/// The median of some runs.
async fn timed(run: impl AsyncFn()) -> Duration {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        run().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took[RUNS / 2]
}

/// One in a thousand is under way, the others are ended.
async fn fill(db: &Db, rows: i64) {
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    for sql in [
        sql!(
            pg "insert into officer (id, username, password, roles, office, made_at)
                values ('00000000-0000-7000-8000-000000000000', 'bench', '', '[]', 'o-0', '2026-01-01Z')",
            lite "insert into officer (id, username, password, roles, office, made_at)
                  values ('00000000-0000-7000-8000-000000000000', 'bench', '', '[]', 'o-0', 0)",
        ),
        sql!(
            pg "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
                values ('00000000-0000-7000-8000-000000000000', 'bench', 'o-0', '', '', '2026-01-01Z', '2027-01-01Z')",
            lite "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
                  values ('00000000-0000-7000-8000-000000000000', 'bench', 'o-0', x'', x'', 0, 0)",
        ),
        sql!(
            pg "insert into delivery (id, manufacturer, batch, transport_key_id, received_by, received_at)
                values ('00000000-0000-7000-8000-000000000000', '', '', '', '00000000-0000-7000-8000-000000000000',
                        '2026-01-01Z')",
            lite "insert into delivery (id, manufacturer, batch, transport_key_id, received_by, received_at)
                  values ('00000000-0000-7000-8000-000000000000', '', '', '', '00000000-0000-7000-8000-000000000000', 0)",
        ),
    ] {
        tx.run(sql, args![]).await.expect("one row");
    }
    tx.commit().await.expect("kept");
    let person = sql!(
        pg "insert into person (id, office, record, likeness, findings, declared_by, declared_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'o-0', '{}'::jsonb, n::text, '[]'::jsonb,
                   '00000000-0000-7000-8000-000000000000', now()
            from generate_series(0::bigint, $1 - 1) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into person (id, office, record, likeness, findings, declared_by, declared_at)
              select printf('00000000-0000-7000-8000-%012x', n), 'o-0', '{}', n, '[]',
                     '00000000-0000-7000-8000-000000000000', 0
              from g",
    );
    let application = sql!(
        pg "insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data,
                                     version, mac)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'S' || n,
                   ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{\"kind\": \"first\"}'::jsonb,
                   'o-' || n % 100, '00000000-0000-7000-8000-000000000000', to_timestamp(1790000000 + n), 0,
                   case when n % 2000 = 0 then 'captured' when n % 2000 = 1 then 'approved' when n % 50 = 2 then 'refused'
                        else 'handed-over' end,
                   '{\"stage\": \"registered\"}'::jsonb, 1, decode(repeat('00', 32), 'hex')
            from generate_series(0::bigint, $1 - 1) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage,
                                       stage_data, version, mac)
              select printf('00000000-0000-7000-8000-%012x', n), 'S' || n, printf('00000000-0000-7000-8000-%012x', n),
                     '{\"kind\": \"first\"}', 'o-' || n % 100, '00000000-0000-7000-8000-000000000000',
                     (1790000000 + n) * 1000000, 0,
                     case when n % 2000 = 0 then 'captured' when n % 2000 = 1 then 'approved'
                          when n % 50 = 2 then 'refused' else 'handed-over' end,
                     '{\"stage\": \"registered\"}', 1, zeroblob(32)
              from g",
    );
    let card = sql!(
        pg "insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, status, status_data,
                              version, mac)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                   ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                   ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n::text, sha256(n::text::bytea),
                   'o-' || n % 100, '2026-01-01',
                   case when n % 1000 = 0 then 'personalized' when n % 1000 = 1 then 'suspended'
                        when n % 10 = 2 then 'revoked' else 'active' end,
                   '{}'::jsonb, 1, decode(repeat('00', 32), 'hex')
            from generate_series(0::bigint, $1 - 1) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, status, status_data,
                                version, mac)
              select printf('00000000-0000-7000-8000-%012x', n), printf('00000000-0000-7000-8000-%012x', n),
                     printf('00000000-0000-7000-8000-%012x', n), n, cast(printf('%032d', n) as blob), 'o-' || n % 100,
                     '2026-01-01',
                     case when n % 1000 = 0 then 'personalized' when n % 1000 = 1 then 'suspended'
                          when n % 10 = 2 then 'revoked' else 'active' end,
                     '{}', 1, zeroblob(32)
              from g",
    );
    let chip = sql!(
        pg "insert into chip (id, delivery_id, transport_key_id, office, state, state_data, version, mac)
            select lpad(n::text, 12, '0'), '00000000-0000-7000-8000-000000000000', '', 'o-' || n % 100,
                   case when n % 1000 = 0 then 'bound' when n % 10 = 1 then 'initialised' else 'personalized' end,
                   '{}'::jsonb, 1, decode(repeat('00', 32), 'hex')
            from generate_series(0::bigint, $1 - 1) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into chip (id, delivery_id, transport_key_id, office, state, state_data, version, mac)
              select printf('%012d', n), '00000000-0000-7000-8000-000000000000', '', 'o-' || n % 100,
                     case when n % 1000 = 0 then 'bound' when n % 10 = 1 then 'initialised' else 'personalized' end,
                     '{}', 1, zeroblob(32)
              from g",
    );
    let order = sql!(
        pg "insert into perso_order (id, serial, station_id, script, challenge, made_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, lpad(n::text, 12, '0'),
                   '00000000-0000-7000-8000-000000000000', '[]'::jsonb, '', to_timestamp(1790000000 + n)
            from generate_series(0::bigint, $1 - 1) as g (n) where n % 10 <> 1",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into perso_order (id, serial, station_id, script, challenge, made_at)
              select printf('00000000-0000-7000-8000-%012x', n), printf('%012d', n),
                     '00000000-0000-7000-8000-000000000000', '[]', x'', (1790000000 + n) * 1000000
              from g where n % 10 <> 1",
    );
    for sql in [person, application, card, chip, order] {
        let mut tx = db.begin_upkeep().await.expect("a transaction");
        tx.run(sql, args![rows]).await.expect("rows");
        tx.commit().await.expect("kept");
    }
    // SQLite is as the service leaves it: nothing analyses its tables.
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    tx.run(sql!(pg "analyze", lite "select 1"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
}
