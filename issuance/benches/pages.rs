//! How long the service works for a page among a million people with a million applications, on
//! SQLite and on PostgreSQL.
//!
//! ```text
//! cargo bench -p issuance --bench pages            # 1,000,000 people; ROWS=… for another number, ENGINE=SQLite for one
//! ```
//! Measured is what the service itself logs (`duration_us` of `answered`): gate, session, SQL, MACs, the records of the
//! trail, the page; neither TLS nor the browser. People and the mass of applications are put in by SQL; those that are
//! opened were made through the API.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::server::{self, Settings};
use issuance::{Service, args, sql};
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::shared::told::{Told, now, settle};
use crate::shared::{Invented, fill, officer};

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;
mod shared;

/// Requests of a measurement.
const REQUESTS: usize = 200;
/// Applications that are opened.
const DOSSIERS: usize = 40;

#[tokio::main]
async fn main() {
    let told = Told::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(told.clone())).expect("the first");
    let rows: u64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("| engine | page | p50, ms | p95, ms | worst, ms |\n| --- | --- | ---: | ---: | ---: |");
    let engine = std::env::var("ENGINE").unwrap_or_default();
    if engine != "PostgreSQL" {
        Box::pin(measure("SQLite", None, rows, &told)).await;
    }
    if engine != "SQLite"
        && let Some(url) = postgres::fresh_database()
    {
        Box::pin(measure("PostgreSQL", Some(url), rows, &told)).await;
    }
}

/// The service as a browser and as a program see it.
struct Asked {
    client: Client,
    base: String,
}

impl Asked {
    fn page(&self, who: &str, path: &str) -> RequestBuilder {
        let request = self.client.get(format!("{}{path}", self.base));
        request.header("cookie", format!("__Host-look=vi.light; __Host-session={who}"))
    }

    fn form(&self, who: &str, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let fields: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.base)).body(fields.join("&"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("cookie", format!("__Host-look=vi.light; __Host-session={who}"));
        request.header("sec-fetch-site", "same-origin")
    }

    /// The word of the session that stands in each form of this page.
    async fn token(&self, who: &str, path: &str) -> String {
        let page = self.page(who, path).send().await.expect("an answer").text().await.expect("a page");
        let after = page.split("name=\"token\" value=\"").nth(1).expect("a form").to_owned();
        after.split('"').next().expect("its word").to_owned()
    }

    async fn posts(&self, who: &str, path: &str, key: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(who).json(body);
        let answer = request.header("idempotency-key", key).send().await.expect("an answer");
        let (status, body) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
        assert!(status.is_success(), "{path}: {body}");
        body
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
    let paged = |token: &str| Sha256::new_with_prefix("page\0").chain_update(token);
    let bearer = |token: &str| Sha256::new_with_prefix(token);
    for (name, office, roles) in [
        ("bench", "o-0", &[Role::Capture, Role::Registrar][..]),
        ("decides", "o-0", &[Role::Approver]),
        ("looks", "national", &[Role::Auditor, Role::Registrar, Role::Admin]),
        ("makes", "o-0", &[Role::Stock]),
    ] {
        officer(&service, (name, office), roles, paged).await;
    }
    officer(&service, ("program", "o-0"), &[Role::Capture, Role::Registrar], bearer).await;
    let began = Instant::now();
    let (people, _) = fill(&service, rows).await;
    apply(&service, i64::try_from(rows).expect("few enough")).await;
    if database_is_file {
        settle(&folder.path().join("data/citizen-card.sqlite")).await;
    }
    eprintln!("{engine}: {rows} people and applications after {:.0} s", began.elapsed().as_secs_f64());
    let authority = std::fs::read(folder.path().join("data/tls-ca.pem")).expect("the authority");
    let authority = Certificate::from_pem(&authority).expect("a certificate");
    let client = Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client");
    let asked = Asked { client, base: format!("https://{}", service.address()) };
    let dossiers = dossiers(&asked).await;
    // What the system still writes of the filling is no work of the pages.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;

    let (counter, persons) =
        (asked.token("bench", "/pages/counter").await, asked.token("bench", "/pages/persons").await);
    let here: Vec<&Invented> = people.iter().filter(|who| who.office == 0).collect();
    let who = |at: usize| here[at % here.len()];
    let number = |at: usize| format!("003300{:06}", who(at).number);
    // What is opened was made through the API: a row that SQL alone wrote has no MAC.
    let known = |at: usize| dossiers[at % dossiers.len()].0.clone();
    let file = |at: usize| format!("/pages/persons/{}", known(at));
    let dossier = |at: usize| dossiers[at % dossiers.len()].1.clone();
    let find =
        |form: &[(&str, &str)]| asked.form("bench", "/pages/persons", &[&[("token", persons.as_str())], form].concat());
    type Page<'a> = (&'a str, Box<dyn Fn(usize) -> RequestBuilder + 'a>);
    let pages: Vec<Page<'_>> = vec![
        ("`/pages`", Box::new(|_| asked.page("bench", "/pages"))),
        ("`/pages/counter`", Box::new(|_| asked.page("bench", "/pages/counter"))),
        (
            "search by number",
            Box::new(|at| {
                asked.form("bench", "/pages/counter/search", &[("token", &counter), ("number", &number(at))])
            }),
        ),
        (
            "`/pages/counter/persons/…`",
            Box::new(|at| asked.page("bench", &format!("/pages/counter/persons/{}", known(at)))),
        ),
        (
            "`/pages/counter/applications/…`",
            Box::new(|at| asked.page("bench", &format!("/pages/counter/applications/{}", dossier(at)))),
        ),
        ("`/pages/approvals`", Box::new(|_| asked.page("decides", "/pages/approvals"))),
        ("`/pages/approvals/…`", Box::new(|at| asked.page("decides", &format!("/pages/approvals/{}", dossier(at))))),
        ("search by name and date", Box::new(|at| find(&[("who", &who(at).name), ("birth", &who(at).birth)]))),
        ("search by mother and date", Box::new(|at| find(&[("mother", &who(at).mother), ("birth", &who(at).birth)]))),
        (
            "search by commune and date",
            Box::new(|at| find(&[("commune", &who(at).commune), ("birth", &who(at).birth)])),
        ),
        ("`/pages/persons/…`", Box::new(|at| asked.page("bench", &file(at)))),
        ("`/pages/persons/…/readings`", Box::new(|at| asked.page("looks", &format!("{}/readings", file(at))))),
        ("`/pages/register`", Box::new(|_| asked.page("bench", "/pages/register"))),
        ("`/pages/factory`", Box::new(|_| asked.page("makes", "/pages/factory"))),
        ("`/pages/dashboard`", Box::new(|_| asked.page("looks", "/pages/dashboard"))),
        ("`/pages/administration`", Box::new(|_| asked.page("looks", "/pages/administration"))),
    ];
    for (name, page) in pages {
        let asks = async |at: usize| {
            let answer = page(at).send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.expect("a page");
            assert!(status.is_success(), "{name}: {status} {text}");
        };
        for at in 0..20 {
            asks(at).await;
        }
        told.take();
        for at in 0..REQUESTS {
            asks(at).await;
        }
        let mut took = told.take();
        assert_eq!(took.len(), REQUESTS, "{name}: each request is logged once");
        took.sort_unstable();
        let at =
            |percent: usize| f64::from(u32::try_from(took[(took.len() - 1) * percent / 100]).unwrap_or(u32::MAX)) / 1e3;
        println!("| {engine} | {name} | {:.2} | {:.2} | {:.2} |", at(50), at(95), at(100));
    }
    service.stop().await;
}

fn encoded(text: &str) -> String {
    let sign =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(sign).collect()
}

/// Applications that wait for a decision, made through the API. Returns the ids of the person and of the application.
async fn dossiers(asked: &Asked) -> Vec<(String, String)> {
    let photograph = STANDARD.encode(include_bytes!("../../tests/data/portrait/drawn.jpg"));
    let mut made = vec![];
    for number in 0..DOSSIERS {
        let place = json!({"province": "001", "detail": "Số 2, thôn Mẫu"});
        let birth = format!("{:02}/05/19{:02}", number % 28 + 1, 50 + number);
        let declaration = json!({"full_name": "Trịnh Thị Ẩm", "birth_date": birth, "sex": "Nữ", "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let key = |verb: &str| format!("{verb}-{number}");
        let declared = asked.posts("program", "/api/v1/declarations", &key("declared"), &declaration).await;
        let person = declared["person_id"].as_str().expect("an id");
        let known = json!({"acknowledged": true, "because": "papers compared"});
        asked.posts("program", &format!("/api/v1/persons/{person}/number"), &key("number"), &known).await;
        let wish = json!({"person_id": person, "kind": "first", "office": "o-0"});
        let opened = asked.posts("program", "/api/v1/applications", &key("opened"), &wish).await;
        let id = opened["id"].as_str().expect("an id").to_owned();
        let capture = json!({"portrait": photograph, "features": "Nốt ruồi", "register_check": {"agrees": true}});
        asked.posts("program", &format!("/api/v1/applications/{id}/capture"), &key("capture"), &capture).await;
        made.push((person.to_owned(), id));
    }
    made
}

/// Makes applications by SQL, one of each person: of six in ten the office is `o-0`; one in five waits there for an
/// approver, the others were handed over.
async fn apply(service: &Service, rows: i64) {
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let applications = sql!(
        pg "insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data,
                                     owner, owner_office, due_on, version, mac)
            select (lpad(to_hex((1790000000000 + n * 1000) >> 16), 8, '0') || '-'
                    || lpad(to_hex((1790000000000 + n * 1000) & 65535), 4, '0') || '-7000-8000-'
                    || lpad(to_hex(n), 12, '0'))::uuid,
                   'S' || lpad(n::text, 9, '0'), ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                   '{\"kind\": \"first\"}'::jsonb, o.office, (select id from officer where username = 'bench'),
                   to_timestamp(1790000000 + n), 0, case when w.waits then 'captured' else 'handed-over' end,
                   '{\"stage\": \"registered\"}'::jsonb, case when w.waits then 'approver' end,
                   case when w.waits then o.office end, case when w.waits then current_date + (n % 30)::int end,
                   1, decode(repeat('00', 32), 'hex')
            from generate_series(0::bigint, $1 - 1) as g (n),
                 lateral (select case when n % 10 < 6 then 'o-0' else 'o-' || (n / 10 % 100 + 1) end as office) as o,
                 lateral (select n / 10 % 5 = 0 as waits) as w",
        lite "with recursive g (n) as (select 0 union all select n + 1 from g where n < $1 - 1),
                   made as (select n, case when n % 10 < 6 then 'o-0' else 'o-' || (n / 10 % 100 + 1) end as office,
                                   n / 10 % 5 = 0 as waits from g)
              insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage,
                                       stage_data, owner, owner_office, due_on, version, mac)
              select printf('%08x-%04x-7000-8000-%012x', (1790000000000 + n * 1000) >> 16,
                            (1790000000000 + n * 1000) & 65535, n),
                     printf('S%09d', n), printf('00000000-0000-7000-8000-%012x', n), '{\"kind\": \"first\"}', office,
                     (select id from officer where username = 'bench'), (1790000000 + n) * 1000000, 0,
                     case when waits then 'captured' else 'handed-over' end, '{\"stage\": \"registered\"}',
                     case when waits then 'approver' end, case when waits then office end,
                     case when waits then date('now', '+' || (n % 30) || ' days') end, 1, zeroblob(32)
              from made",
    );
    tx.run(applications, args![rows]).await.expect("applications");
    tx.commit().await.expect("kept");
    // The worker does it hourly: a million at once is what no hour brings.
    let mut after = Some(String::new());
    while let Some(office) = after {
        let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
        after = issuance::applications::store::tally::add_up(&mut tx, &office).await.expect("added up");
        tx.commit().await.expect("kept");
    }
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
}
