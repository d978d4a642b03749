//! How long a search takes among a million people, on SQLite and on PostgreSQL.
//!
//! ```text
//! cargo bench -p issuance --bench search           # 1,000,000 people; ROWS=… for another number
//! ```
//! Measured is what the service itself logs (`duration_us` of `answered`): gate, session, SQL, ranking, the records of
//! the trail, JSON; neither TLS nor the client. Names have the shape of the nation's: 38 % are called Nguyễn.

use std::time::Instant;

use crypto::identity::folded_name;
use issuance::Service;
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::server::{self, Settings};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::shared::told::{Told, now, settle};
use crate::shared::{Invented, fill, officer, person};

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;
mod shared;

/// Questions of a measurement.
const QUESTIONS: usize = 300;

#[tokio::main]
async fn main() {
    let told = Told::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(told.clone())).expect("the first");
    let rows: u64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("| engine | question | p50, ms | p99, ms | worst, ms | found | too broad |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
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

/// One question, made of a person who is there; `None` if the person does not fit it.
type Question = (&'static str, bool, fn(&Invented, &mut ChaCha8Rng) -> Option<Value>);

/// The questions: name, true if the national office asks, what is asked of whom.
const ASKED: [Question; 12] = [
    ("number", true, |who, _| Some(json!({"personal_number": format!("003300{:06}", who.number)}))),
    ("name and date of birth", true, |who, _| Some(json!({"full_name": who.name, "birth_date": who.birth}))),
    ("name and year", true, |who, _| Some(json!({"full_name": who.name, "birth_date": year(who)}))),
    ("name", true, |who, _| Some(json!({"full_name": who.name}))),
    ("name, one office", false, |who, _| Some(json!({"full_name": who.name}))),
    ("beginning and year", true, |who, _| {
        Some(json!({"full_name": beginning(who), "beginning": true, "birth_date": year(who)}))
    }),
    ("words in another order, year", true, |who, _| Some(json!({"full_name": turned(who), "birth_date": year(who)}))),
    ("some of the words, year", true, |who, _| {
        Some(json!({"full_name": without_middle(who), "birth_date": year(who)}))
    }),
    ("one letter wrong, year", true, |who, rng| {
        Some(json!({"full_name": misspelt(who, rng), "birth_date": year(who)}))
    }),
    ("one letter wrong, one office", false, |who, rng| Some(json!({"full_name": misspelt(who, rng)}))),
    ("mother and year", true, |who, _| Some(json!({"mother": who.mother, "birth_date": year(who)}))),
    ("commune and date of birth", true, |who, _| {
        Some(json!({"residence": {"commune": who.commune}, "birth_date": who.birth}))
    }),
];

fn year(who: &Invented) -> &str {
    &who.birth[6..]
}

fn words(who: &Invented) -> Vec<String> {
    folded_name(&who.name).split(' ').map(str::to_owned).collect()
}

fn beginning(who: &Invented) -> String {
    let words = words(who);
    format!("{} {} {}", words[0], words[1], words[2].chars().next().expect("a letter"))
}

fn turned(who: &Invented) -> String {
    let mut words = words(who);
    words.rotate_left(1);
    words.join(" ")
}

fn without_middle(who: &Invented) -> String {
    let mut words = words(who);
    words.remove(1);
    words.join(" ")
}

fn misspelt(who: &Invented, rng: &mut ChaCha8Rng) -> String {
    let mut letters: Vec<char> = folded_name(&who.name).chars().collect();
    let at = rng.random_range(0..letters.len());
    match rng.random_range(0..3) {
        0 => _ = letters.remove(at),
        1 => letters.insert(at, 'h'),
        _ => letters[at] = 'e',
    }
    letters.into_iter().collect()
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
    let bearer = |token: &str| Sha256::new_with_prefix(token);
    let national = officer(&service, ("national", "national"), &[Role::Registrar], bearer).await;
    let local = officer(&service, ("bench", "o-0"), &[Role::Registrar], bearer).await;
    let began = Instant::now();
    let (asked_for, names) = fill(&service, rows).await;
    if database_is_file {
        settle(&folder.path().join("data/citizen-card.sqlite")).await;
    }
    eprintln!("{engine}: {rows} people with {names} names after {:.0} s", began.elapsed().as_secs_f64());
    let authority = std::fs::read(folder.path().join("data/tls-ca.pem")).expect("the authority");
    let authority = Certificate::from_pem(&authority).expect("a certificate");
    let client = Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client");
    let base = format!("https://{}/api/v1/persons/search", service.address());
    let mut drawn = ChaCha8Rng::seed_from_u64(21);
    for (name, is_national, question) in ASKED {
        let (mut found, mut broad, mut asked) = (0, 0, 0);
        let mut people = asked_for.iter().filter(|who| is_national || who.office == 0).cycle();
        told.take();
        while asked < QUESTIONS + 20 {
            let who = people.next().expect("they come again");
            let Some(sought) = question(who, &mut drawn) else { continue };
            let token = if is_national { &national } else { &local };
            let answer = client.post(&base).bearer_auth(token).json(&sought).send().await.expect("an answer");
            let status = answer.status();
            let body: Value = answer.json().await.expect("JSON");
            let here = body["items"].as_array().is_some_and(|items| {
                items.iter().any(|item| item["person_id"] == person(who.number)) || body["more"] == true
            });
            assert!(status.is_success() || body["code"] == "search-too-broad", "{name}: {body}");
            asked += 1;
            if asked > 20 {
                found += usize::from(here);
                broad += usize::from(!status.is_success());
            } else if asked == 20 {
                told.take();
            }
        }
        let mut took = told.take();
        assert_eq!(took.len(), QUESTIONS, "each question is logged once");
        took.sort_unstable();
        let at =
            |percent: usize| f64::from(u32::try_from(took[(took.len() - 1) * percent / 100]).unwrap_or(u32::MAX)) / 1e3;
        let percent = |part: usize| part * 100 / QUESTIONS;
        println!(
            "| {engine} | {name} | {:.2} | {:.2} | {:.2} | {} % | {} % |",
            at(50),
            at(99),
            at(100),
            percent(found),
            percent(broad)
        );
    }
    service.stop().await;
}
