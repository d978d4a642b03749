//! Clients of the bench in a process of their own, and what of the processor each process takes.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use issuance::store::{Db, StoreError};
use issuance::{args, sql};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Certificate, Client, Identity};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{joined, people};

/// Where the task of a client process stands.
const TASK: &str = "EXCHANGE_CLIENTS";

/// What a client process is to do.
#[derive(Deserialize, Serialize)]
pub struct Task {
    pub address: String,
    pub authority: PathBuf,
    pub identity: PathBuf,
    pub clients: u64,
    pub seconds: u64,
    /// Questions a second in all; none: as fast as they are answered.
    pub rate: Option<f64>,
    pub people: u64,
    /// Instead of all that: so many pairs of questions that are answered with a no, each after the one before.
    pub pairs: u64,
}

/// What was measured: microseconds of each question, seconds of all, seconds of processor.
#[derive(Default, Deserialize, Serialize)]
pub struct Told {
    pub took: Vec<u64>,
    pub seconds: f64,
    pub service: f64,
    pub server: f64,
    pub client: f64,
}

impl Told {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn rate(&self) -> f64 {
        self.took.len() as f64 / self.seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn row(&self, name: &str, clients: u64, anchor: f64) {
        let mut took = self.took.clone();
        took.sort_unstable();
        let count = took.len();
        let at = |percent: usize| took[(count - 1) * percent / 100] as f64 / 1e3;
        let each = |seconds: f64| seconds * 1e6 / count as f64;
        let (rate, share) = (self.rate(), self.rate() / anchor * 100.0);
        println!(
            "| {name} | {clients} | {rate:.0} | {share:.0} % | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} |",
            at(50),
            at(99),
            each(self.service),
            each(self.server),
            each(self.client),
        );
    }
}

impl Task {
    /// The task of this process, if it is one of clients.
    pub fn given() -> Option<Self> {
        std::env::var(TASK).ok().map(|task| serde_json::from_str(&task).expect("a task"))
    }

    /// Has another process do it.
    pub async fn done(&self) -> Told {
        let task = serde_json::to_string(self).expect("JSON");
        let done = tokio::task::spawn_blocking(move || {
            let own = std::env::current_exe().expect("this program");
            std::process::Command::new(own).env(TASK, task).stderr(Stdio::inherit()).output().expect("it runs")
        });
        let done = done.await.expect("no panic");
        assert!(done.status.success(), "the clients failed");
        serde_json::from_slice(&done.stdout).expect("what was measured")
    }

    fn client(&self) -> Client {
        let authority = Certificate::from_pem(&std::fs::read(&self.authority).expect("the authority"));
        let identity = Identity::from_pem(&std::fs::read(&self.identity).expect("certificate and key"));
        let builder = Client::builder().tls_certs_only([authority.expect("a certificate")]).no_proxy();
        builder.identity(identity.expect("an identity")).build().expect("a client")
    }
}

/// Does a task, and says what was measured.
pub async fn work(task: Task) {
    let cpu = cpu_seconds("self");
    let mut told = if task.pairs > 0 { Box::pin(pairs(&task)).await } else { Box::pin(confirm(&task)).await };
    told.client = cpu_seconds("self") - cpu;
    println!("{}", serde_json::to_string(&told).expect("JSON"));
}

async fn confirm(task: &Task) -> Told {
    let began = Instant::now();
    let until = began + Duration::from_secs(task.seconds);
    let run = std::process::id();
    let mut all = JoinSet::new();
    for client in 0..task.clients {
        let (http, address, people, clients) = (task.client(), task.address.clone(), task.people, task.clients);
        #[expect(clippy::cast_precision_loss, reason = "few clients")]
        let every = task.rate.map(|rate| Duration::from_secs_f64(clients as f64 / rate));
        all.spawn(async move {
            let (mut took, mut n) = (Vec::new(), 0);
            let mut due = Instant::now()
                + every.map_or(Duration::ZERO, |every| {
                    every * u32::try_from(client).unwrap_or(0) / u32::try_from(clients).unwrap_or(1)
                });
            while Instant::now() < until {
                // What is late counts from when it was due.
                let from = match every {
                    Some(every) => {
                        tokio::time::sleep_until(due.into()).await;
                        let from = due;
                        due += every;
                        from
                    }
                    None => Instant::now(),
                };
                let drawn = people::drawn(n * clients + client + u64::from(run) * 1_000_003, people);
                let body = body(
                    &format!("c-{run}-{client}-{n}"),
                    &format!("officer-{client}"),
                    &people::number(drawn),
                    people::NAME,
                    &people::birth(drawn),
                );
                n += 1;
                let answer = asks(&http, &address, &body).await;
                assert!(answer.contains("\"outcome\":\"confirmed\""), "{answer}");
                took.push(microseconds(from.elapsed()));
            }
            took
        });
    }
    let took: Vec<u64> = all.join_all().await.into_iter().flatten().collect();
    Told { took, seconds: began.elapsed().as_secs_f64(), ..Told::default() }
}

/// Asks pairs of questions whose answer is no, in an order by chance: of a number that no person has, and of a number
/// with another's name. Of each pair the first and the second stand in this order in what is told, in nanoseconds.
async fn pairs(task: &Task) -> Told {
    const WARM: u64 = 500;
    let (http, began) = (task.client(), Instant::now());
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let mut took = vec![];
    for pair in 0..task.pairs + WARM {
        let other = people::number(rng.random_range(0..task.people));
        let none = people::no_number(rng.random_range(0..100_000_000));
        let mut both = [0, 0];
        let first = rng.random_range(0..2_usize);
        for which in [first, 1 - first] {
            // Each question has an officer and a person of its own, whom no miss before it was about.
            let number = if which == 0 { &none } else { &other };
            let body =
                body(&format!("t-{pair}-{which}"), &format!("o-{pair}-{which}"), number, "Trần Văn Khác", "03/02/1955");
            let began = Instant::now();
            let answer = asks(&http, &task.address, &body).await;
            both[which] = u64::try_from(began.elapsed().as_nanos()).expect("short");
            assert!(answer.contains("\"outcome\":\"not-confirmed\""), "{answer}");
        }
        if pair >= WARM {
            took.extend(both);
        }
    }
    Told { took, seconds: began.elapsed().as_secs_f64(), ..Told::default() }
}

fn body(request: &str, officer: &str, number: &str, name: &str, birth: &str) -> Value {
    json!({"request": request, "purpose": joined::PURPOSE, "case": "HS-1", "officer": officer, "unit": "Chi cục Thử",
        "subject": {"personal_number": number, "full_name": name, "birth_date": birth}})
}

async fn asks(http: &Client, address: &str, body: &Value) -> String {
    let request = http.post(format!("{address}/api/v1/exchange/confirm")).json(body);
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a body"));
    assert!(status.is_success(), "{text}");
    text
}

pub fn microseconds(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).expect("short")
}

/// Returns the process of the server; `None` on SQLite.
pub async fn server_of(db: &Db) -> Option<u32> {
    let mut tx = db.begin_read().await.expect("a transaction");
    let sql = sql!(pg "select pg_backend_pid()::bigint as n", lite "select null as n");
    let backend: Result<Option<i64>, StoreError> =
        tx.one(sql, args![]).await.expect("an answer").expect("a row").get("n");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", backend.ok()??)).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Seconds of processor that a server and its processes took, also those that ended.
pub fn server_seconds(server: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let children = names.filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && parent(name) == Some(server));
    children.map(|child| cpu_seconds(&child)).sum::<f64>() + cpu_seconds(&server.to_string())
}

fn stat(process: &str) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().map(str::to_owned).collect()
}

fn parent(process: &str) -> Option<u32> {
    stat(process).get(1)?.parse().ok()
}

/// Seconds of processor that a process took, and its children that ended.
pub fn cpu_seconds(process: &str) -> f64 {
    let after = stat(process);
    let ticks = |at: usize| after.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (11..15).map(ticks).sum::<f64>() / 100.0
}
