//! How many questions of partners the service answers in a second, each figure beside the same transaction in
//! `pgbench`; how long a citizen waits for who looked; and whether an answer takes longer of a number that no person
//! has.
//!
//! ```text
//! cargo bench -p issuance --bench exchange   # PEOPLE=1000000 SECONDS=8 LOG=3000000 PAIRS=10000, PARTS=confirm,looks,timing
//! ```
//! Clients are a process of their own: the processor time of the service is the service's. PostgreSQL runs on the same
//! machine with `fsync=off`, for the anchor too.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::FromRef as _;
use issuance::Service;
use issuance::exchange::{AnswerSigner, Asked, Exchange, Service as Question, Subject, ask};
use issuance::ground::{Randomness, Role};
use issuance::keys::{InitOptions, KeyStore};
use issuance::server::{self, Limits, Settings};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::clients::{Task, Told};
use crate::joined::Joined;
use crate::moments::now;

mod anchors;
mod clients;
mod joined;
mod looks;
#[path = "../shared/told.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod moments;
mod people;
#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../../tests/src/world/postgres.rs"]
mod postgres;
mod timing;

/// Clients at once.
const AT_ONCE: [u64; 2] = [8, 30];

#[tokio::main]
async fn main() {
    if let Some(task) = Task::given() {
        return Box::pin(clients::work(task)).await;
    }
    let of = |name, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let parts = std::env::var("PARTS").unwrap_or_else(|_| "confirm,looks,timing".to_owned());
    let wanted = |part: &str| parts.split(',').any(|one| one == part);
    let (people, seconds): (u64, u64) = (of("PEOPLE", 1_000_000), of("SECONDS", 8));
    if let Some(url) = postgres::fresh_database() {
        let bench = Box::pin(Bench::open(Some(url), people, Duration::from_secs(seconds))).await;
        if wanted("confirm") {
            Box::pin(bench.confirm()).await;
        }
        if wanted("timing") {
            Box::pin(timing::measure(&bench, "PostgreSQL", of("PAIRS", 10_000))).await;
        }
        if wanted("looks") {
            Box::pin(looks::measure(&bench, of("LOG", 3_000_000))).await;
        }
        bench.service.stop().await;
    }
    if wanted("timing") {
        let bench = Box::pin(Bench::open(None, people.min(200_000), Duration::from_secs(seconds))).await;
        Box::pin(timing::measure(&bench, "SQLite", of("PAIRS", 10_000))).await;
        bench.service.stop().await;
    }
}

/// The service that is measured.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) service: Service,
    pub(crate) settings: Settings,
    pub(crate) people: u64,
    pub(crate) joined: Joined,
    time: Duration,
    url: String,
    /// The process of the database server.
    server: Option<u32>,
}

impl Bench {
    async fn open(database: Option<String>, people: u64, time: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = database.clone().unwrap_or_default();
        let settings = Settings {
            database,
            listen: "127.0.0.1:0".parse().expect("an address"),
            // Thirty clients with one certificate, each with a connection of its own.
            limits: Limits { per_certificate: 64, ..Limits::default() },
            ..Settings::new(folder.path().join("data"))
        };
        let rng = &mut Randomness::System.draw();
        server::init(&settings, &InitOptions::default(), "admin", now(), rng).expect("made");
        let service = Box::pin(Service::start(&settings, None, Randomness::System)).await.expect("started");
        for (name, office, roles) in [
            ("joins", "national", &[Role::Admin][..]),
            ("protects", "national", &[Role::DataProtection]),
            ("declares", "o-0", &[Role::Registrar]),
            ("tells", "o-0", &[Role::Capture]),
        ] {
            joined::officer(&service, (name, office), roles).await;
        }
        let joined = Joined::new(&service, folder.path()).await;
        let began = Instant::now();
        people::fill(&service, &joined, people).await;
        eprintln!("{people} people after {:.0} s", began.elapsed().as_secs_f64());
        let server = clients::server_of(service.offices().deeds().db()).await;
        Self { folder, service, settings, people, joined, time, url, server }
    }

    /// What a client process is to do.
    pub(crate) fn task(&self, clients: u64, rate: Option<f64>) -> Task {
        Task {
            address: format!("https://{}", self.service.address()),
            authority: self.folder.path().join("data/tls-ca.pem"),
            identity: self.folder.path().join("system.pem"),
            clients,
            seconds: self.time.as_secs(),
            rate,
            people: self.people,
            pairs: 0,
        }
    }

    async fn confirm(&self) {
        println!(
            "| what | clients | a second | of pgbench | p50, ms | p99, ms | CPU a question, us: service | server | client |"
        );
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for clients in AT_ONCE {
            let anchor = self.anchor("the transaction of the aim", anchors::AIM, clients, None);
            self.anchor("audit insert and commit alone", anchors::INSERT, clients, Some(anchor));
            self.anchor("all that a question asks", anchors::ALL, clients, Some(anchor));
            self.anchor("the same without what it keeps", anchors::UNKEPT, clients, Some(anchor));
            let verb = Box::pin(self.verb(clients)).await;
            verb.row("confirm, the verb", clients, anchor);
            let https = Box::pin(self.https(clients, None)).await;
            https.row("confirm, HTTPS with client certificate", clients, anchor);
            let half = https.rate() / 2.0;
            Box::pin(self.https(clients, Some(half))).await.row("the same at half of that load", clients, anchor);
        }
        self.alone();
    }

    /// Prints what `pgbench` makes of a text, and returns how many transactions a second.
    fn anchor(&self, name: &str, text: &str, clients: u64, of: Option<f64>) -> f64 {
        let file = self.folder.path().join("anchor.sql");
        std::fs::write(&file, text).expect("written");
        let programs = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL");
        let newest = programs.map(|entry| entry.expect("an entry").path()).max().expect("a version");
        let Joined { partner, agreement, fingerprint, .. } = &self.joined;
        let server = self.server.map_or(0.0, clients::server_seconds);
        let said = Command::new(newest.join("bin/pgbench"))
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string(), "-T"])
            .args([self.time.as_secs().to_string(), "-D".into(), format!("people={}", self.people)])
            .args([
                "-D".to_owned(),
                format!("partner={}", partner.id),
                "-D".into(),
                format!("system={}", partner.system),
            ])
            .args([
                "-D".to_owned(),
                format!("agreement={agreement}"),
                "-D".into(),
                format!("print=x{fingerprint}"),
                "-f".into(),
            ])
            .arg(&file)
            .arg(&self.url)
            .stderr(Stdio::piped())
            .output()
            .expect("pgbench");
        let server = self.server.map_or(0.0, clients::server_seconds) - server;
        let out = String::from_utf8(said.stdout).expect("text");
        let line = out.lines().find_map(|line| line.strip_prefix("tps = "));
        let line = line.unwrap_or_else(|| panic!("{out}{}", String::from_utf8_lossy(&said.stderr)));
        let rate: f64 = line.split(' ').next().expect("a number").parse().expect("a number");
        let cost = server * 1e6 / (rate * self.time.as_secs_f64());
        let share = of.map_or(String::new(), |of| format!("{:.0} %", rate / of * 100.0));
        println!("| anchor, pgbench: {name} | {clients} | {rate:.0} | {share} |  |  |  | {cost:.0} |  |");
        rate
    }

    /// The office's verb, in this process: no TLS, no HTTP, no gate.
    async fn verb(&self, clients: u64) -> Told {
        let deeds = self.service.offices().deeds().clone();
        let (exchange, partner) = (Exchange::from_ref(self.service.offices()), self.joined.partner.clone());
        let (next, people) = (Arc::new(AtomicU64::new(0)), self.people);
        let (began, own, server) = (Instant::now(), clients::cpu_seconds("self"), self.server_seconds());
        let until = began + self.time;
        let mut all = JoinSet::new();
        for client in 0..clients {
            let (deeds, exchange, partner, next) =
                (deeds.clone(), exchange.clone(), partner.clone(), Arc::clone(&next));
            all.spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let began = Instant::now();
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let asked = question(&format!("v-{clients}-{n}"), client, people::drawn(n, people));
                    let answered = Box::pin(ask(&deeds, &exchange, partner.clone(), asked)).await.expect("answered");
                    assert!(answered.body.windows(11).any(|text| text == b"\"confirmed\""), "it is so");
                    took.push(clients::microseconds(began.elapsed()));
                }
                took
            });
        }
        let took: Vec<u64> = all.join_all().await.into_iter().flatten().collect();
        let seconds = began.elapsed().as_secs_f64();
        let (own, server) = (clients::cpu_seconds("self") - own, self.server_seconds() - server);
        Told { took, seconds, service: own, server, client: 0.0 }
    }

    /// Clients in a process of their own, each with a connection and the certificate of the partner's system; at this
    /// rate, or as fast as they are answered.
    async fn https(&self, clients: u64, rate: Option<f64>) -> Told {
        let (own, server) = (clients::cpu_seconds("self"), self.server_seconds());
        let mut told = self.task(clients, rate).done().await;
        told.service = clients::cpu_seconds("self") - own - told.client;
        told.server = self.server_seconds() - server;
        told
    }

    fn server_seconds(&self) -> f64 {
        self.server.map_or(0.0, clients::server_seconds)
    }

    /// What the parts of an answer that need no database take alone.
    fn alone(&self) {
        let store = KeyStore::open(&self.settings.data, None).expect("the keys");
        let signer = AnswerSigner::open(&store, now(), false).expect("the key");
        let answer = vec![b'x'; 420];
        let secrets = self.service.offices().deeds().secrets();
        println!("\n| part alone | us of processor |\n| --- | ---: |");
        cost("signature of an answer (ES256)", || signer.sign(answer.clone()).expect("signed"));
        cost("digests of question and answer", || (Sha256::digest(&answer), Sha256::digest(&answer)));
        cost("answer sealed", || secrets.seal("bench", &answer));
        cost("fingerprint of whom it is about", || secrets.fingerprint("bench", b"0123"));
    }
}

/// Prints what one takes.
fn cost<T>(name: &str, one: impl Fn() -> T) {
    const ROUNDS: u32 = 20_000;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(one());
    }
    println!("| {name} | {:.1} |", began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

/// A question about a person of the bench; what is said of the person is so.
fn question(request: &str, client: u64, person: u64) -> Asked {
    let subject = Subject {
        personal_number: people::number(person).try_into().expect("short"),
        full_name: people::NAME.to_owned().try_into().expect("short"),
        birth_date: people::birth(person).try_into().expect("short"),
        ..Subject::default()
    };
    let body = json!({"request": request, "person": person}).to_string();
    Asked {
        request: request.to_owned(),
        request_sha256: Sha256::digest(body).into(),
        purpose: joined::PURPOSE.to_owned(),
        case: "HS-1".to_owned(),
        officer: format!("officer-{client}"),
        unit: "Chi cục Thử".to_owned(),
        asked_at: None,
        service: Question::Confirm,
        fields: None,
        subject,
    }
}
