//! `cargo bench -p tests --bench factory`: cards from many readers of one station, beside the road of one reader in the
//! same run. Real service on SQLite, real pcscd, real journal with its fsync; chips, driver, agent and service share
//! the cores. Prints a table for `docs/benchmarks.md`.
//!
//! `READERS=16`, `CARDS=64` and `SOLO=8` set the number of readers, of the cards that they make, and of the
//! cards of the one reader.

#![expect(clippy::cast_precision_loss, reason = "counts and milliseconds here are far below 2^52")]

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use tests::factory::{Factory, Heard, Tray, child_of, cpu_milliseconds};
use tests::world::{Options, scratch};

/// What a run took.
struct Figures {
    readers: usize,
    cards: usize,
    wall: Duration,
    /// CPU milliseconds of service, chips, agent and driver.
    cpu: [u64; 4],
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
    println!("| readers | cards | cards/s | CPU ms a card: service | chips | agent | driver |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (readers, cards) in [(1, solo), (readers, cards)] {
        let Figures { readers, cards, wall, cpu } = measure(readers, cards)?;
        let [service, chips, agent, driver] = cpu.map(|cpu| format!("{:.0}", cpu as f64 / cards as f64));
        let rate = cards as f64 / wall.as_secs_f64();
        println!("| {readers} | {cards} | {rate:.1} | {service} | {chips} | {agent} | {driver} |");
    }
    Ok(())
}

/// Has so many cards made of blanks by so many readers. The applications wait before the clock begins.
fn measure(readers: usize, cards: usize) -> Result<Figures, Box<dyn Error>> {
    let scratch = scratch();
    let tray = Tray { readers, blanks: cards, seed: 1, more: &[] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray)?;
    factory.approved(u32::try_from(cards)?)?;
    let pcscd = child_of(factory.feeder.0.id(), "pcscd").ok_or("pcscd does not run")?;
    let used = |agent: u32| {
        [factory.offices.issuance.0.id(), factory.feeder.0.id(), agent, pcscd]
            .map(|process| cpu_milliseconds(process).unwrap_or_default())
    };
    let before = used(0);
    let begun = Instant::now();
    let all = readers.to_string();
    let mut agent =
        Heard::begin(factory.agent(&["personalize", "--readers", &all, "--intake", "--loop", "--json"])?)?;
    let process = agent.running.0.id();
    let is_done =
        |agent: &Heard| agent.results().iter().filter(|result| result["outcome"] == "personalized").count() >= cards;
    while !is_done(&agent) {
        if let Some(status) = agent.running.0.try_wait()? {
            return Err(format!("card-agent ended: {status}: {}", agent.errors()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (wall, after) = (begun.elapsed(), used(process));
    agent.signal("INT")?;
    agent.ends()?;
    let cpu = std::array::from_fn(|at| after[at].saturating_sub(before[at]));
    Ok(Figures { readers, cards, wall, cpu })
}
