//! How long the service takes for a page of a list over a million applications, on SQLite and on PostgreSQL.
//!
//! ```text
//! cargo bench -p issuance --bench lists            # 1,000,000 applications; ROWS=… for another number
//! ```
//! Measured is what the service itself logs (`duration_us` of `answered`): gate, session, SQL, MACs, JSON; neither TLS
//! nor the client. Rows are made by SQL, so their MACs do not hold: computing one is the same work.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use issuance::access::{OFFICER, SESSION};
use issuance::ground::ids::{OfficerId, SessionId};
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::server::{self, Settings};
use issuance::store::Argument;
use issuance::{Service, args, sql};
use reqwest::{Certificate, Client};
use sha2::{Digest as _, Sha256};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::told::{Told, now, settle};

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;
#[path = "shared/told.rs"]
mod told;

/// Rows of a page in every measurement.
const LIMIT: u64 = 50;
/// Requests of a measurement.
const REQUESTS: usize = 400;

#[tokio::main]
async fn main() {
    let told = Told::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(told.clone())).expect("the first");
    let rows: u64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("| engine | list | p50, ms | p95, ms | worst, ms |\n| --- | --- | ---: | ---: | ---: |");
    Box::pin(measure("SQLite", None, rows, &told)).await;
    if let Some(url) = postgres::fresh_database() {
        Box::pin(measure("PostgreSQL", Some(url), rows, &told)).await;
    }
}

async fn measure(engine: &str, database: Option<String>, rows: u64, told: &Told) {
    let folder = tempfile::tempdir().expect("a folder");
    let database_is_file = database.is_none();
    let settings = Settings {
        database,
        listen: "127.0.0.1:0".parse().expect("an address"),
        ..Settings::new(folder.path().join("data"))
    };
    let clock = Clock::standing(now());
    let rng = &mut Randomness::System.draw();
    server::init(&settings, &InitOptions::default(), "admin", clock.now(), rng).expect("made");
    let service = Service::start(&settings, Some(clock), Randomness::System).await.expect("started");
    let token = officer(&service).await;
    let began = Instant::now();
    fill(&service, i64::try_from(rows).expect("few enough")).await;
    if database_is_file {
        settle(&folder.path().join("data/citizen-card.sqlite")).await;
    }
    eprintln!("{engine}: {rows} applications after {:.0} s", began.elapsed().as_secs_f64());
    // What the system still writes of the filling is no work of the lists.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let authority = std::fs::read(folder.path().join("data/tls-ca.pem")).expect("the authority");
    let authority = Certificate::from_pem(&authority).expect("a certificate");
    let client = Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client");
    let base = format!("https://{}", service.address());
    // 60 % of the rows are of the office that asks; so many of them are before page 10,000, or in the middle.
    let own = rows * 6 / 10;
    let page = (own / LIMIT - 1).min(10_000);
    let behind = URL_SAFE_NO_PAD.encode(id((page - 1) * LIMIT * 10 / 6));
    for (name, query) in [
        ("of the office, page 1".to_owned(), "?".to_owned()),
        (format!("of the office, page {page}"), format!("?after={behind}")),
        ("at a stage, page 1".to_owned(), "?stage=captured".to_owned()),
        (format!("at a stage, after the same row as page {page}"), format!("?stage=captured&after={behind}")),
        ("at a stage, older than 60 days".to_owned(), "?stage=captured&older_than_days=60".to_owned()),
        ("with a slip".to_owned(), format!("?slip=S{:09}", own / 2 / 6 * 10)),
        ("of a person".to_owned(), format!("?person_id={}", person(3))),
        ("of the office, 200 a page".to_owned(), "?limit=200".to_owned()),
    ] {
        let query = if query.contains("limit") { query } else { format!("{query}&limit={LIMIT}") };
        let asks = async || {
            let request = client.get(format!("{base}/api/v1/applications{query}")).bearer_auth(&token);
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{query}: {}", answer.status());
            answer.text().await.expect("a body")
        };
        let body: serde_json::Value = serde_json::from_str(&asks().await).expect("JSON");
        assert!(!body["items"].as_array().expect("items").is_empty(), "{query}: nothing is listed");
        for _ in 0..20 {
            asks().await;
        }
        told.take();
        for _ in 0..REQUESTS {
            asks().await;
        }
        let mut took = told.take();
        assert_eq!(took.len(), REQUESTS, "each request is logged once");
        took.sort_unstable();
        let at =
            |percent: usize| f64::from(u32::try_from(took[(took.len() - 1) * percent / 100]).unwrap_or(u32::MAX)) / 1e3;
        println!("| {engine} | {name} | {:.2} | {:.2} | {:.2} |", at(50), at(95), at(100));
    }
    service.stop().await;
}

/// The id of an application: a UUID version 7 of its second.
fn id(number: u64) -> String {
    let milliseconds = FIRST_MS + number * 1_000;
    format!("{:08x}-{:04x}-7000-8000-{number:012x}", milliseconds >> 16, milliseconds & 0xffff)
}

fn person(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
}

/// The first application was opened then, in milliseconds since 1970: each second one more.
const FIRST_MS: u64 = 1_790_000_000_000;

/// An officer with a session, put in by hand. Returns the token.
async fn officer(service: &Service) -> String {
    let source = service.offices().deeds().source();
    let (id, session, at): (OfficerId, SessionId, _) = (source.id(), source.id(), source.now());
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let make = sql!(
        "insert into officer (id, username, password, roles, office, made_at) values ($1, 'bench', '', $2, 'o-0', $3)"
    );
    tx.run(make, args![id, Argument::json(&[Role::Capture]), at]).await.expect("an officer");
    tx.seal(&OFFICER, id).await.expect("sealed");
    let open = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)"
    );
    let hash: [u8; 32] = Sha256::digest("bench").into();
    tx.run(open, args![session, hash, id, at, at + time::Duration::days(1)]).await.expect("a session");
    tx.seal(&SESSION, session).await.expect("sealed");
    tx.commit().await.expect("kept");
    "bench".to_owned()
}

/// Makes persons and applications by SQL: five applications a person, 60 % of them of the office `o-0`, the others of
/// a hundred offices; one in five captured, the others handed over.
async fn fill(service: &Service, rows: i64) {
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let persons = sql!(
        pg "insert into person (id, office, record, likeness, findings, declared_by, declared_at)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'o-0', '{}'::jsonb, n::text, '[]'::jsonb,
                   (select id from officer where username = 'bench'), now()
            from generate_series(0, $1 / 5) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 / 5)
              insert into person (id, office, record, likeness, findings, declared_by, declared_at)
              select printf('00000000-0000-7000-8000-%012x', n), 'o-0', '{}', n, '[]',
                     (select id from officer where username = 'bench'), 0
              from g",
    );
    tx.run(persons, args![rows]).await.expect("persons");
    let applications = sql!(
        pg "insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data,
                                     version, mac)
            select (lpad(to_hex((1790000000000 + n * 1000) >> 16), 8, '0') || '-'
                    || lpad(to_hex((1790000000000 + n * 1000) & 65535), 4, '0') || '-7000-8000-'
                    || lpad(to_hex(n), 12, '0'))::uuid,
                   'S' || lpad(n::text, 9, '0'),
                   ('00000000-0000-7000-8000-' || lpad(to_hex(n % ($1 / 5)), 12, '0'))::uuid,
                   '{\"kind\": \"first\"}'::jsonb,
                   case when n % 10 < 6 then 'o-0' else 'o-' || (n / 10 % 100 + 1) end,
                   (select id from officer where username = 'bench'),
                   to_timestamp(1790000000 + n), 0,
                   case when n / 10 % 5 = 0 then 'captured' else 'handed-over' end,
                   '{\"stage\": \"registered\"}'::jsonb, 1, decode(repeat('00', 32), 'hex')
            from generate_series(0::bigint, $1 - 1) as g (n)",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1)
              insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage,
                                       stage_data, version, mac)
              select printf('%08x-%04x-7000-8000-%012x', (1790000000000 + n * 1000) >> 16,
                            (1790000000000 + n * 1000) & 65535, n),
                     printf('S%09d', n), printf('00000000-0000-7000-8000-%012x', n % ($1 / 5)), '{\"kind\": \"first\"}',
                     case when n % 10 < 6 then 'o-0' else 'o-' || (n / 10 % 100 + 1) end,
                     (select id from officer where username = 'bench'),
                     (1790000000 + n) * 1000000, 0,
                     case when n / 10 % 5 = 0 then 'captured' else 'handed-over' end,
                     '{\"stage\": \"registered\"}', 1, zeroblob(32)
              from g",
    );
    tx.run(applications, args![rows]).await.expect("applications");
    tx.commit().await.expect("kept");
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
}
