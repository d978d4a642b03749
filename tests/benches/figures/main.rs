//! `make bench`: the figures of `docs/benchmarks.md`, each beside its anchor, in one run. Prints them as Markdown,
//! leaves them in `target/figures.md` too. The test `pictures` draws `docs/figures` from the document.
//!
//! Times are CPU time of this process, which other programs on the machine change little; counts are exact.

#![expect(clippy::cast_precision_loss, reason = "counts and lengths here are far below 2^52")]

mod anchor;
mod commands;
mod inspections;
mod issuance_parts;
mod numbers;
mod sods;
mod subject;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use rustix::time::{ClockId, clock_gettime};
use tests::ambient;

/// Returns the CPU time of a measurement. `QUICK=1` shortens it, to see whether the benchmark
/// works.
pub fn round() -> Duration {
    if quick() { Duration::from_millis(100) } else { Duration::from_secs(2) }
}

fn quick() -> bool {
    env::var_os("QUICK").is_some()
}

/// Returns the CPU time that this process has used, user and system.
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("less than a second"))
}

/// Returns how often per CPU-second `work` can be done: the best of ten short rounds, since other programs' use of
/// caches and of the other half of a core makes rounds slower, and nothing makes one too fast.
pub fn rate(mut work: impl FnMut()) -> f64 {
    work();
    let mut best = 0.0f64;
    for _ in 0..10 {
        let (begun, mut times) = (cpu_time(), 0u32);
        let spent = loop {
            for _ in 0..16 {
                work();
            }
            times += 16;
            let spent = cpu_time().saturating_sub(begun);
            if spent >= round() / 10 {
                break spent;
            }
        };
        best = best.max(f64::from(times) / spent.as_secs_f64());
    }
    best
}

/// Returns the day, the machine and the compiler's mode in one line.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line =
        |name: &str| text.lines().find(|l| l.starts_with(name)).and_then(|l| l.split(": ").nth(1)).unwrap_or("?");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mode = if cfg!(debug_assertions) { "debug (times mean nothing)" } else { "release" };
    let today = ambient::now().date();
    format!(
        "{today}, {} ({} MHz), {cores} cores, load {load} at the start, {mode} build",
        line("model name"),
        line("cpu MHz")
    )
}

/// Appends a row of a Markdown table.
pub fn row(out: &mut String, cells: &[&str]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// Returns a number with its thousands separated.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this program too, where the figures are not wanted.
    if env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let mut report = format!("{}\n", machine());
    let mut say = |text: String| {
        print!("{text}");
        report.push_str(&text);
    };
    println!("{}", machine());
    let sods = sods::measure()?;
    say(sods);
    let commands = commands::count()?;
    say(commands);
    say(inspections::measure()?);
    say(numbers::measure());
    fs::create_dir_all(root().join("target"))?;
    fs::write(root().join("target/figures.md"), &report)?;
    Ok(())
}
