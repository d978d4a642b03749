//! How many persons the register tells of, and how many numbers it gives, in a second on PostgreSQL, each beside the
//! same transaction in `pgbench`.
//!
//! ```text
//! cargo bench -p issuance --bench register         # 1,000,000 people; PEOPLE=… and SECONDS=… for others
//! ```
//! A look-up is the verb with all that belongs to it: session looked at again, person read, record in the audit trail,
//! commit. A number is established with its record; each person gets one once.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::FromRef as _;
use issuance::access::{OFFICER, SESSION};
use issuance::deed::Occasion;
use issuance::ground::ids::{OfficerId, PersonId, SessionId};
use issuance::ground::{Officer, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::numbering::{self, Numbers};
use issuance::population::model::{Declaration, DeclaredPlace};
use issuance::population::{self, Register};
use issuance::server::{self, Settings};
use issuance::store::Argument;
use issuance::{Service, args, sql};
use reqwest::{Certificate, Client};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::task::JoinSet;

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

/// Officers at work at once.
const AT_WORK: [u64; 2] = [8, 30];

#[tokio::main]
async fn main() {
    let of = |name, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (people, seconds): (u64, u64) = (of("PEOPLE", 1_000_000), of("SECONDS", 10));
    let Some(url) = postgres::fresh_database() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        database: Some(url.clone()),
        listen: "127.0.0.1:0".parse().expect("an address"),
        ..Settings::new(folder.path().join("data"))
    };
    let rng = &mut Randomness::System.draw();
    server::init(&settings, &InitOptions::default(), "admin", now(), rng).expect("made");
    let service = Box::pin(Service::start(&settings, None, Randomness::System)).await.expect("started");
    let officer = appoint(&service).await;
    fill(&service, &officer, people).await;
    let bench = Bench { service, officer, people, time: Duration::from_secs(seconds), url, next: Arc::default() };
    println!("| what | at work | a second | of pgbench | p50, ms | p99, ms | CPU a request, µs |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for workers in AT_WORK {
        let anchor = bench.pgbench(folder.path(), LOOK_UP, workers);
        println!("| anchor: the same transaction in pgbench, look-up | {workers} | {anchor:.0} |  |  |  |  |");
        Box::pin(bench.verb(workers)).await.row("look-up, the verb", workers, anchor);
        Box::pin(bench.http(folder.path(), workers)).await.row("look-up, HTTPS", workers, anchor);
        let anchor = bench.pgbench(folder.path(), NUMBER, workers);
        println!("| anchor: the same transaction in pgbench, number | {workers} | {anchor:.0} |  |  |  |  |");
        Box::pin(bench.number(workers)).await.row("number established, the verb", workers, anchor);
    }
    bench.service.stop().await;
}

/// The register that is measured.
struct Bench {
    service: Service,
    officer: Officer,
    people: u64,
    time: Duration,
    url: String,
    /// The next person without a number.
    next: Arc<AtomicU64>,
}

/// The same work in plain SQL: a person read, and a record of it.
const LOOK_UP: &str = r"
\set n random(0, :people - 1)
begin;
select id, office, personal_number, record, findings from person
  where id = ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid;
insert into audit_entry (id, at, actor, office, action, object, person_id, purpose)
  values (gen_random_uuid(), now(), 'officer/bench', 'o-0', 'person-read', 'person/bench',
          ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid, 'look-up');
commit;
";

/// The same work in plain SQL: a counter of a cell, a unique number, the person, and a record of it.
const NUMBER: &str = r"
\set n random(0, :people - 1)
\set c random(0, 9999)
begin;
select id, record from person
  where id = ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid for update;
with taken as (update bench_cell set next = next + 1 where id = :c::int returning id, next)
  insert into bench_number (id, person_id)
  select lpad(id::text, 5, '0') || lpad(next::text, 7, '0'),
         ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid from taken;
update bench_person set personal_number = 'x'
  where id = ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid;
insert into audit_entry (id, at, actor, office, action, object, person_id, purpose)
  values (gen_random_uuid(), now(), 'officer/bench', 'o-0', 'number-established', 'person/bench',
          ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid, 'numbering');
commit;
";

/// What was measured of one kind of request.
struct Measured {
    took: Vec<u64>,
    wall: Duration,
    processor: Duration,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn row(mut self, name: &str, workers: u64, anchor: f64) {
        self.took.sort_unstable();
        let count = self.took.len();
        let at = |percent: usize| self.took[(count - 1) * percent / 100] as f64 / 1e3;
        let rate = count as f64 / self.wall.as_secs_f64();
        let processor = self.processor.as_secs_f64() * 1e6 / count as f64;
        let share = rate / anchor * 100.0;
        println!("| {name} | {workers} | {rate:.0} | {share:.0} % | {:.2} | {:.2} | {processor:.0} |", at(50), at(99));
    }
}

impl Bench {
    /// Returns how many transactions a second `pgbench` makes of this text.
    fn pgbench(&self, folder: &Path, text: &str, workers: u64) -> f64 {
        let file = folder.join("anchor.sql");
        std::fs::write(&file, text).expect("written");
        let programs = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL");
        let newest = programs.map(|entry| entry.expect("an entry").path()).max().expect("a version");
        let said = Command::new(newest.join("bin/pgbench"))
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &workers.to_string(), "-T"])
            .args([self.time.as_secs().to_string(), "-D".into(), format!("people={}", self.people), "-f".into()])
            .arg(&file)
            .arg(&self.url)
            .output()
            .expect("pgbench");
        let out = String::from_utf8(said.stdout).expect("text");
        let line = out.lines().find_map(|line| line.strip_prefix("tps = "));
        let line = line.unwrap_or_else(|| panic!("{out}{}", String::from_utf8_lossy(&said.stderr)));
        line.split(' ').next().expect("a number").parse().expect("a number")
    }

    /// Lets so many officers do one thing after another, for the time of a measurement.
    async fn at_once<F: Future<Output = ()> + Send + 'static>(
        &self,
        workers: u64,
        one: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Measured {
        let (began, processor) = (Instant::now(), processor());
        let until = began + self.time;
        let mut all = JoinSet::new();
        for _ in 0..workers {
            let one = one.clone();
            all.spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let began = Instant::now();
                    one().await;
                    took.push(u64::try_from(began.elapsed().as_micros()).expect("short"));
                }
                took
            });
        }
        let took: Vec<u64> = all.join_all().await.into_iter().flatten().collect();
        Measured { took, wall: began.elapsed(), processor: self::processor().saturating_sub(processor) }
    }

    async fn verb(&self, workers: u64) -> Measured {
        let (deeds, officer) = (self.service.offices().deeds().clone(), self.officer.clone());
        let draw = Draw::new(self.people);
        let one = move || {
            let (deeds, officer, id) = (deeds.clone(), officer.clone(), draw.next());
            Box::pin(async move {
                let mut deed = deeds.open(officer).await.expect("let in");
                population::steps::read(&mut deed, id, Occasion::default()).await.expect("a person");
                deed.commit().await.expect("kept");
            })
        };
        self.at_once(workers, one).await
    }

    async fn http(&self, folder: &Path, workers: u64) -> Measured {
        let authority = std::fs::read(folder.join("data/tls-ca.pem")).expect("the authority");
        let authority = Certificate::from_pem(&authority).expect("a certificate");
        let client = Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client");
        let (base, draw) = (format!("https://{}", self.service.address()), Draw::new(self.people));
        let one = move || {
            let request = client.get(format!("{base}/api/v1/persons/{}?purpose=look-up", draw.next()));
            Box::pin(async move {
                let answer = request.bearer_auth("bench").send().await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await.expect("a body");
            })
        };
        self.at_once(workers, one).await
    }

    async fn number(&self, workers: u64) -> Measured {
        let numbers = Numbers::from_ref(self.service.offices());
        let (deeds, officer) = (self.service.offices().deeds().clone(), self.officer.clone());
        let (next, people) = (Arc::clone(&self.next), self.people);
        let one = move || {
            let (deeds, officer, numbers) = (deeds.clone(), officer.clone(), numbers.clone());
            let number = next.fetch_add(1, Ordering::Relaxed);
            assert!(number < people, "each person has a number: PEOPLE=… for more people");
            Box::pin(async move {
                let mut deed = deeds.open(officer).await.expect("let in");
                numbering::steps::establish(&mut deed, &numbers, person(number), None).await.expect("a number");
                deed.commit().await.expect("kept");
            })
        };
        self.at_once(workers, one).await
    }
}

/// Persons in an order that jumps about.
#[derive(Clone)]
struct Draw {
    count: Arc<AtomicU64>,
    people: u64,
}

impl Draw {
    fn new(people: u64) -> Self {
        Self { count: Arc::default(), people }
    }

    fn next(&self) -> PersonId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        person(count.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.people)
    }
}

fn person(number: u64) -> PersonId {
    format!("00000000-0000-7000-8000-{number:012x}").parse().expect("an id")
}

/// Time that the processors gave to this process.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    // A tick is 10 ms.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// An officer with a session, put in by hand.
async fn appoint(service: &Service) -> Officer {
    let source = service.offices().deeds().source();
    let (id, session, at): (OfficerId, SessionId, _) = (source.id(), source.id(), source.now());
    let roles = vec![Role::Registrar];
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let make = sql!(
        "insert into officer (id, username, password, roles, office, made_at) values ($1, 'bench', '', $2, 'o-0', $3)"
    );
    tx.run(make, args![id, Argument::json(&roles), at]).await.expect("an officer");
    tx.seal(&OFFICER, id).await.expect("sealed");
    let open = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)"
    );
    let hash: [u8; 32] = Sha256::digest("bench").into();
    tx.run(open, args![session, hash, id, at, at + time::Duration::days(1)]).await.expect("a session");
    tx.seal(&SESSION, session).await.expect("sealed");
    tx.commit().await.expect("kept");
    Officer::new(id, "o-0".parse().expect("an office"), roles, session)
}

/// Declares one person, and copies the row so often, with another name key and another cell each.
async fn fill(service: &Service, officer: &Officer, people: u64) {
    let deeds = service.offices().deeds();
    let register = Register::from_ref(service.offices());
    let place = || DeclaredPlace { province: "001".into(), detail: "Số 1 Phố Mẫu".into(), ..Default::default() };
    let declaration = Declaration {
        full_name: "Nguyễn Thị Mẫu".into(),
        birth_date: "2001-02-03".into(),
        sex: "F".into(),
        birth_registration: place(),
        place_of_origin: place(),
        ethnic_group: "01".into(),
        permanent_residence: Some(place()),
        ..Default::default()
    };
    let mut deed = deeds.open(officer.clone()).await.expect("let in");
    let (id, _) = population::steps::declare(&mut deed, &register, &declaration).await.expect("declared");
    deed.commit().await.expect("kept");
    let mut tx = deeds.db().begin_upkeep().await.expect("a transaction");
    let copy = sql!(
        "insert into person (id, office, record, likeness, findings, declared_by, declared_at, fold, birth_year)
         select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, office,
                jsonb_set(jsonb_set(record::jsonb, '{birth_date}', to_jsonb((1900 + n % 100)::text || '-02-03')),
                          '{full_name}', to_jsonb('Lê ' || initcap(translate(n::text, '0123456789', 'abcdeghikl')))),
                n::text, findings, declared_by, declared_at, fold || ' ' || n, 1900 + n % 100
         from person, generate_series(0, $1 - 1) as g (n) where id = $2"
    );
    tx.run(copy, args![i64::try_from(people).expect("few enough"), id]).await.expect("people");
    for statement in [
        // As a declaration does: otherwise each person's first look-up would make up for it.
        sql!("insert into audit_home (person_id, office) select id, office from person on conflict do nothing"),
        sql!("create table bench_cell (id int primary key, next bigint not null) with (fillfactor = 50)"),
        sql!("insert into bench_cell select n, 0 from generate_series(0, 9999) as g (n)"),
        sql!("create table bench_number (id text primary key, person_id uuid not null)"),
        sql!("create table bench_person (id uuid primary key, personal_number text)"),
        sql!("insert into bench_person select id from person"),
    ] {
        tx.run(statement, args![]).await.expect("the anchor's tables");
    }
    tx.commit().await.expect("kept");
    let mut tx = deeds.db().begin_upkeep().await.expect("a transaction");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
}

#[expect(clippy::disallowed_methods, reason = "certificates of reqwest are judged by the computer's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
