//! `cargo bench -p tests --bench factory`: cards from many readers of one station, beside the road of one reader in the
//! same run; in batches, with and without what is made ahead for them; and how long the service takes for each of its
//! calls, at full and at half load. Real service on SQLite, real pcscd, real journal with its fsync; chips, driver,
//! agent and service share the cores. Prints tables for `docs/benchmarks.md`.
//!
//! `READERS=16`, `CARDS=64` and `SOLO=8` set the number of readers, of the cards that they make, and of the
//! cards of the one reader.

#![expect(clippy::cast_precision_loss, reason = "counts and milliseconds here are far below 2^52")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::Value;
use tests::factory::{Factory, Heard, Tray, child_of, cpu_milliseconds};
use tests::road;
use tests::wait::until;
use tests::world::{OFFICE, Options, scratch};

/// From where the cards of a run come.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Source {
    /// The queue of the office.
    Queue,
    /// A batch, whose cards are composed when a chip is there.
    Batch,
    /// A batch, for which what needs no chip was made before.
    BatchMadeAhead,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Batch => "batch",
            Self::BatchMadeAhead => "batch, made ahead",
        }
    }
}

/// What a run took.
struct Figures {
    from: Source,
    readers: usize,
    wall: Duration,
    /// CPU milliseconds of service, chips, agent and driver.
    cpu: [u64; 4],
    /// CPU milliseconds of the service for what was made ahead.
    ahead: Option<u64>,
    /// Microseconds of each answer of the service, by method and route.
    calls: BTreeMap<String, Vec<u64>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this program too, where the figures are not wanted.
    if env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let number =
        |name: &str, otherwise: usize| env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise);
    let (readers, cards, solo) = (number("READERS", 16), number("CARDS", 64), number("SOLO", 8));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mode = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{cores} cores, {mode} build, SQLite\n");
    println!("| from | readers | cards | cards/s | CPU ms a card: service | made ahead | chips | agent | driver |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let runs = [
        (Source::Queue, 1, solo),
        (Source::Queue, readers, cards),
        (Source::Queue, readers.div_ceil(2), cards),
        (Source::Batch, readers, cards),
        (Source::BatchMadeAhead, readers, cards),
    ];
    let mut measured = Vec::new();
    for (from, readers, cards) in runs {
        let figures = measure(from, readers, cards)?;
        let each = |cpu: u64| format!("{:.1}", cpu as f64 / cards as f64);
        let [service, chips, agent, driver] = figures.cpu.map(each);
        let (rate, word) = (cards as f64 / figures.wall.as_secs_f64(), from.word());
        let ahead = figures.ahead.map(each).unwrap_or_default();
        println!("| {word} | {readers} | {cards} | {rate:.1} | {service} | {ahead} | {chips} | {agent} | {driver} |");
        measured.push(figures);
    }
    println!("\n| call | from | readers | calls | p50, ms | p99, ms |\n| --- | --- | ---: | ---: | ---: | ---: |");
    for figures in measured.iter().filter(|figures| figures.readers > 1) {
        for (call, took) in &figures.calls {
            let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)] as f64 / 1000.0;
            let (word, readers, calls) = (figures.from.word(), figures.readers, took.len());
            println!("| `{call}` | {word} | {readers} | {calls} | {:.1} | {:.1} |", at(50), at(99));
        }
    }
    Ok(())
}

/// Has so many cards made of blanks by so many readers. The applications wait before the clock begins.
fn measure(from: Source, readers: usize, cards: usize) -> Result<Figures, Box<dyn Error>> {
    let scratch = scratch();
    let tray = Tray { readers, blanks: cards, seed: 1, more: &[] };
    let share = if from == Source::BatchMadeAhead { "100" } else { "0" };
    let settings = vec![("ISSUANCE__LOG__JSON", "true"), ("ISSUANCE__PRODUCTION__AHEAD_PERCENT", share)];
    let options = Options { settings, ..Options::default() };
    let factory = Factory::begin(&scratch.path().join("house"), &options, &tray)?;
    factory.approved(u32::try_from(cards)?)?;
    let pcscd = child_of(factory.feeder.0.id(), "pcscd").ok_or("pcscd does not run")?;
    let service = factory.offices.issuance.0.id();
    let used = |agent: u32| {
        [service, factory.feeder.0.id(), agent, pcscd].map(|process| cpu_milliseconds(process).unwrap_or_default())
    };
    let before = used(0);
    let batch = if from == Source::Queue { None } else { Some(released(&factory, cards)?) };
    let mut ahead = None;
    if let (Source::BatchMadeAhead, Some(batch)) = (from, &batch) {
        until(Duration::from_mins(5), "everything is made ahead", || {
            let ready = factory.offices.officers.stock.batch(batch).map_err(std::io::Error::other)?;
            Ok(ready["ready"].as_u64().is_some_and(|ready| ready >= cards as u64))
        })?;
        ahead = Some(used(0)[0].saturating_sub(before[0]));
    }
    let log = factory.offices.dir.join("issuance.log");
    let logged = fs::metadata(&log)?.len();
    let (before, begun) = (used(0), Instant::now());
    let all = readers.to_string();
    let mut arguments = vec!["personalize", "--readers", &all, "--intake", "--loop", "--json"];
    arguments.extend(batch.iter().flat_map(|batch| ["--batch", batch.as_str()]));
    let mut agent = Heard::begin(factory.agent(&arguments)?)?;
    let process = agent.running.0.id();
    let is_done =
        |agent: &Heard| agent.results().iter().filter(|result| result["outcome"] == "personalized").count() >= cards;
    while !is_done(&agent) {
        if let Some(status) = agent.running.0.try_wait()?
            && !is_done(&agent)
        {
            return Err(format!("card-agent ended: {status}: {}", agent.errors()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (wall, after) = (begun.elapsed(), used(process));
    agent.signal("INT")?;
    agent.ends()?;
    let cpu = std::array::from_fn(|at| after[at].saturating_sub(before[at]));
    Ok(Figures { from, readers, wall, cpu, ahead, calls: calls(&log, logged)? })
}

/// Two stock keepers release a batch of all that waits. Returns its name.
fn released(factory: &Factory, cards: usize) -> Result<String, Box<dyn Error>> {
    let (officers, password) = (&factory.offices.officers, "another keeper of the stock");
    officers.administrator.appoints(&officers.second_administrator, "stock-2", password, &["stock"], OFFICE)?;
    let second = factory.offices.service.officer("stock-2", password)?;
    let batch = road::text(&officers.stock.drafts_batch(u32::try_from(cards)?)?, "id");
    second.releases_batch(&batch)?;
    Ok(batch)
}

/// Returns what the service said since then of its answers to the station: microseconds by method and route, in order.
fn calls(log: &Path, since: u64) -> Result<BTreeMap<String, Vec<u64>>, Box<dyn Error>> {
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(text.get(usize::try_from(since)?..).unwrap_or_default()).into_owned();
    let mut calls: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let fields = &line["fields"];
        let (Some(method), Some(path), Some(took)) =
            (fields["method"].as_str(), fields["path"].as_str(), fields["duration_us"].as_u64())
        else {
            continue;
        };
        if path.contains("/station/") {
            calls.entry(format!("{method} {path}")).or_default().push(took);
        }
    }
    for took in calls.values_mut() {
        took.sort_unstable();
    }
    Ok(calls)
}
