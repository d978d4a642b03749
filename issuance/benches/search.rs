//! How long a search takes among a million people, on SQLite and on PostgreSQL.
//!
//! ```text
//! cargo bench -p issuance --bench search           # 1,000,000 people; ROWS=… for another number
//! ```
//! Measured is what the service itself logs (`duration_us` of `answered`): gate, session, SQL, ranking, the records of
//! the trail, JSON; neither TLS nor the client. Names have the shape of the nation's: 38 % are called Nguyễn.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crypto::identity::folded_name;
use issuance::access::OFFICER;
use issuance::ground::ids::{OfficerId, SessionId};
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::population::names;
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql};
use issuance::{Service, args, sql};
use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

#[expect(unused_imports, reason = "its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

/// Questions of a measurement.
const QUESTIONS: usize = 300;
/// Offices among which people are spread.
const OFFICES: u64 = 100;

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

/// What of a made-up person is asked for.
struct Invented {
    number: u64,
    office: u64,
    name: String,
    mother: String,
    birth: String,
    commune: String,
}

/// Makes people one after the other, the same ones each time.
struct People {
    rng: ChaCha8Rng,
    given: Vec<String>,
    communes: Vec<[String; 3]>,
    next: u64,
}

impl People {
    fn new() -> Self {
        // Syllables as the language makes them.
        let begins = [
            "", "b", "c", "ch", "d", "đ", "g", "h", "kh", "l", "m", "n", "ng", "nh", "ph", "qu", "s", "t", "th", "tr",
            "v", "x",
        ];
        let ends = [
            "a", "ai", "an", "anh", "ang", "ao", "âm", "ân", "en", "ê", "iên", "iêm", "ing", "oa", "oan", "oi", "ong",
            "ô", "ôn", "ơn", "u", "ung", "uy", "uyên", "ương", "ưu", "y", "ích", "ác", "úc",
        ];
        let given = begins.iter().flat_map(|begin| ends.iter().map(move |end| format!("{begin}{end}"))).collect();
        let communes = include_str!("../data/vn_communes_2021.csv").lines().skip(1).map(|line| {
            let mut columns = line.split(',');
            let (commune, district) = (columns.next().expect("a code"), columns.next().expect("a district"));
            ["001", district, commune].map(str::to_owned)
        });
        Self { rng: ChaCha8Rng::seed_from_u64(12), given, communes: communes.collect(), next: 0 }
    }

    /// A syllable; the first ones far more often.
    fn syllable(&mut self) -> String {
        let at: f64 = self.rng.random::<f64>().powi(3) * f64::from(u32::try_from(self.given.len()).expect("few"));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
        self.given[at as usize].clone()
    }

    fn name(&mut self, woman: bool) -> String {
        const FAMILIES: [(&str, u32); 10] = [
            ("Nguyễn", 38),
            ("Trần", 49),
            ("Lê", 59),
            ("Phạm", 66),
            ("Hoàng", 71),
            ("Phan", 76),
            ("Vũ", 80),
            ("Đặng", 83),
            ("Bùi", 85),
            ("Đỗ", 87),
        ];
        let drawn = self.rng.random_range(0..100);
        let family = FAMILIES.iter().find(|(_, below)| drawn < *below).map(|(name, _)| (*name).to_owned());
        let family = family.unwrap_or_else(|| self.syllable());
        let middle = if self.rng.random_range(0..3) > 0 {
            if woman { "Thị".to_owned() } else { "Văn".to_owned() }
        } else {
            self.syllable()
        };
        let mut name = format!("{family} {middle} {}", self.syllable());
        if self.rng.random_range(0..3) == 0 {
            write!(name, " {}", self.syllable()).expect("a text grows");
        }
        name
    }

    /// The next person, and the row of the register: id, office, number, name, folded names, day, place, record.
    fn next(&mut self) -> (Invented, Value) {
        let number = self.next;
        self.next += 1;
        let woman = self.rng.random_range(0..2) == 0;
        let (name, mother, father) = (self.name(woman), self.name(true), self.name(false));
        let (year, month, day) =
            (self.rng.random_range(1936..2026), self.rng.random_range(1..=12), self.rng.random_range(1..=28));
        let at = self.rng.random_range(0..self.communes.len());
        let [province, district, commune] = self.communes[at].clone();
        let office = self.rng.random_range(0..OFFICES);
        let birth = format!("{day:02}/{month:02}/{year}");
        let place = json!({"province": province, "district": district, "commune": commune, "detail": "Số 1 Phố Mẫu"});
        let relative = |name: &str| json!({"full_name": name, "personal_number": null, "old_id_number": null, "nationality": "VNM"});
        let sex = if woman { "F" } else { "M" };
        let record = json!({"full_name": name, "birth_date": birth, "sex": sex, "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "religion": null, "nationality": "VNM", "marital_status": null,
            "permanent_residence": place, "temporary_residence": null, "current_residence": null, "blood_group": null,
            "father": relative(&father), "mother": relative(&mother), "spouse": null, "representative": null,
            "head_of_household": null, "relation_to_head": null, "died": null, "old_id_number": null,
            "household_book_number": null});
        let born = format!("{year}{month:02}{day:02}");
        let row = json!([
            person(number),
            format!("o-{office}"),
            format!("003300{number:06}"),
            folded_name(&name),
            born,
            folded_name(&father),
            folded_name(&mother),
            province,
            district,
            commune,
            record.to_string()
        ]);
        (Invented { number, office, name, mother, birth, commune }, row)
    }
}

fn person(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
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
    let settings = Settings {
        database,
        listen: "127.0.0.1:0".parse().expect("an address"),
        ..Settings::new(folder.path().join("data"))
    };
    let clock = Clock::standing(now());
    let rng = &mut Randomness::System.draw();
    server::init(&settings, &InitOptions::default(), "admin", clock.now(), rng).expect("made");
    let service = Service::start(&settings, Some(clock), Randomness::System).await.expect("started");
    let national = officer(&service, "national").await;
    let local = officer(&service, "o-0").await;
    let began = Instant::now();
    let (asked_for, names) = fill(&service, rows).await;
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

/// An officer with a session, put in by hand. Returns the token.
async fn officer(service: &Service, office: &str) -> String {
    let source = service.offices().deeds().source();
    let (id, session, at): (OfficerId, SessionId, _) = (source.id(), source.id(), source.now());
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let make =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, $2, '', $3, $4, $5)");
    let token = format!("bench-{office}");
    let made = args![id, &token, Argument::json(&[Role::Registrar]), office, at];
    tx.run(make, made).await.expect("an officer");
    tx.seal(&OFFICER, id).await.expect("sealed");
    let open = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)"
    );
    let hash: [u8; 32] = Sha256::digest(&token).into();
    tx.run(open, args![session, hash, id, at, at + time::Duration::days(1)]).await.expect("a session");
    tx.seal(&issuance::access::SESSION, session).await.expect("sealed");
    tx.commit().await.expect("kept");
    token
}

/// Makes people and the dictionary of their names by multi-row inserts. Returns those who are asked for, and how many
/// names there are.
async fn fill(service: &Service, rows: u64) -> (Vec<Invented>, usize) {
    const PERSONS: Sql = sql!(
        pg "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                birth_year, father_fold, mother_fold, residence_province, residence_district,
                                residence_commune)
            select (r ->> 0)::uuid, r ->> 1, r ->> 2, (r ->> 10)::jsonb, r ->> 2, '[]'::jsonb,
                   (select id from officer where username = 'bench-o-0'), now(), r ->> 3, (r ->> 4)::bigint,
                   (r ->> 4)::bigint / 10000, r ->> 5, r ->> 6, r ->> 7, r ->> 8, r ->> 9
            from jsonb_array_elements($1) as r",
        lite "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                  birth_year, father_fold, mother_fold, residence_province, residence_district,
                                  residence_commune)
              select value ->> 0, value ->> 1, value ->> 2, value ->> 10, value ->> 2, '[]',
                     (select id from officer where username = 'bench-o-0'), 0, value ->> 3, cast(value ->> 4 as integer),
                     cast(value ->> 4 as integer) / 10000, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9
              from json_each($1)"
    );
    const NAMES: Sql = sql!(
        pg "insert into full_name (fold, sorted, n) select r ->> 0, r ->> 1, (r ->> 2)::bigint
            from jsonb_array_elements($1) as r",
        lite "insert into full_name (fold, sorted, n) select value ->> 0, value ->> 1, cast(value ->> 2 as integer)
              from json_each($1)"
    );
    const POSTINGS: Sql = sql!(
        pg "insert into full_name_word (word, fold) select r ->> 0, r ->> 1 from jsonb_array_elements($1) as r",
        lite "insert into full_name_word (word, fold) select value ->> 0, value ->> 1 from json_each($1)"
    );
    const WORDS: Sql = sql!(
        pg "insert into name_word (word, n) select r ->> 0, (r ->> 1)::bigint from jsonb_array_elements($1) as r",
        lite "insert into name_word (word, n) select value ->> 0, cast(value ->> 1 as integer) from json_each($1)"
    );
    let db = service.offices().deeds().db();
    let (mut people, mut asked_for, mut bearers) = (People::new(), vec![], BTreeMap::<String, u64>::new());
    let mut draws = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..rows.div_ceil(2000) {
        let mut batch = vec![];
        for _ in 0..2000 {
            let (who, row) = people.next();
            *bearers.entry(row[3].as_str().expect("a name").to_owned()).or_default() += 1;
            batch.push(row);
            if draws.next_u32() % 1000 == 0 {
                asked_for.push(who);
            }
        }
        put(db, PERSONS, vec![batch]).await;
    }
    let names: Vec<Value> = bearers.iter().map(|(fold, n)| json!([fold, names::sorted(fold), n])).collect();
    put(db, NAMES, names.chunks(5000).map(<[Value]>::to_vec).collect()).await;
    let (mut postings, mut words) = (vec![], BTreeMap::<&str, u64>::new());
    for fold in bearers.keys() {
        let of_name: std::collections::BTreeSet<&str> = fold.split(' ').collect();
        for word in of_name {
            postings.push(json!([word, fold]));
            *words.entry(word).or_default() += 1;
        }
    }
    put(db, POSTINGS, postings.chunks(5000).map(<[Value]>::to_vec).collect()).await;
    put(db, WORDS, vec![words.iter().map(|(word, n)| json!([word, n])).collect()]).await;
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
    (asked_for, bearers.len())
}

/// Runs a statement for each batch of rows.
async fn put(db: &issuance::store::Db, statement: Sql, batches: Vec<Vec<Value>>) {
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    for batch in batches {
        tx.run(statement, vec![Argument::json(&batch)]).await.expect("rows");
    }
    tx.commit().await.expect("kept");
}

#[expect(clippy::disallowed_methods, reason = "certificates of reqwest are judged by the computer's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Collects what the service tells of the duration of its answers.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

impl Told {
    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut duration = Duration(None);
        event.record(&mut duration);
        if let Some(microseconds) = duration.0 {
            self.0.lock().expect("no panic").push(microseconds);
        }
    }
}

/// The field `duration_us` of an event.
struct Duration(Option<u64>);

impl Visit for Duration {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "duration_us" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
