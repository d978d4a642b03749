//! `issuance duplicates`

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Outcome, output};
use crate::population::duplicates::file;
use crate::population::duplicates::memory::Memory;
use crate::population::duplicates::score::SHOWN_FROM;
use crate::population::duplicates::traits::Traits;
use crate::population::import::open_file;

/// Finds the people of a file who are declared twice, in memory, and measures the detector against the truth.
///
/// Reads declarations as `POST /api/v1/declarations` takes them: CSV with a header, or a JSON object a line. Nothing
/// enters a register, and no name is printed. With a file of truth, tells how many doubles stand among the first five
/// candidates, how many pairs at the threshold are doubles, and which kinds of fault are missed.
#[derive(Args)]
pub(super) struct Duplicates {
    /// The declarations.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// What is true of its lines: a JSON object a line with `line`, `double_of`, `look_alike_of` (numbers of lines) and
    /// `faults`.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// From this score on, a pair counts as shown.
    #[arg(long, value_name = "BITS", default_value_t = SHOWN_FROM, allow_negative_numbers = true)]
    threshold: i32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A line of the truth.
#[derive(Deserialize)]
struct Truth {
    line: u64,
    #[serde(default)]
    double_of: Option<u64>,
    #[serde(default)]
    look_alike_of: Option<u64>,
    #[serde(default)]
    faults: Vec<String>,
}

/// What was measured.
#[derive(Default, Serialize)]
struct Measured {
    persons: usize,
    keys: usize,
    threshold: i32,
    shown_pairs: usize,
    compared_per_person: f64,
    micros_p50: u64,
    micros_p99: u64,
    pairs: Vec<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_truth: Option<AgainstTruth>,
}

/// Two lines at or above the threshold.
#[derive(Serialize)]
struct Pair {
    line: u64,
    other: u64,
    score: i32,
}

#[derive(Default, Serialize)]
struct AgainstTruth {
    doubles: usize,
    recall_in_five: f64,
    recall_at_threshold: f64,
    precision_at_threshold: f64,
    /// By the number of faults.
    by_count: BTreeMap<usize, Missed>,
    /// By kind of fault.
    by_fault: BTreeMap<String, Missed>,
    /// Pairs at the threshold that are no doubles, by the kind of look-alike; `other` for people who are none.
    false_pairs: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Missed {
    doubles: usize,
    not_in_five: usize,
    not_at_threshold: usize,
}

impl Duplicates {
    pub(super) fn run(self) -> Outcome {
        let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let opened =
            |path: &Path| open_file(path).map(|(file, _)| BufReader::new(file)).map_err(|error| named(path, &error));
        let people = file::read(opened(&self.file)?).map_err(|error| named(&self.file, &error))?;
        let mut truth = vec![];
        if let Some(path) = &self.truth {
            for (n, line) in (1_u64..).zip(opened(path)?.lines()) {
                let line = line.map_err(|error| named(path, &error))?;
                if !line.trim().is_empty() {
                    let of_line: Truth = serde_json::from_str(&line).map_err(|_| {
                        named(path, &format_args!("line {n} is no object with `line`, `double_of`, `faults`"))
                    })?;
                    truth.push(of_line);
                }
            }
        }
        let measured = measure(people, self.truth.is_some().then_some(&truth[..]), self.threshold);
        if self.json {
            output::line(format_args!("{}", serde_json::to_string_pretty(&measured)?))?;
            return Ok(());
        }
        say(&measured)
    }
}

/// Declarations by their lines.
type People = Vec<(u64, Traits)>;

fn measure(people: People, truth: Option<&[Truth]>, threshold: i32) -> Measured {
    let (lines, traits): (Vec<u64>, Vec<Traits>) = people.into_iter().unzip();
    let at: BTreeMap<u64, usize> = lines.iter().enumerate().map(|(at, line)| (*line, at)).collect();
    let memory = Memory::of(traits);
    let (mut micros, mut compared) = (vec![], 0);
    let mut shown: BTreeMap<(usize, usize), i32> = BTreeMap::new();
    let mut first_five: Vec<Vec<usize>> = vec![];
    for one in 0..memory.len() {
        let begun = Instant::now();
        let (candidates, looked_at) = memory.candidates(one);
        micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        compared += looked_at;
        for candidate in candidates.iter().filter(|candidate| candidate.judgement.score >= threshold) {
            shown.insert((one.min(candidate.at), one.max(candidate.at)), candidate.judgement.score);
        }
        first_five.push(candidates.iter().take(IN_VIEW).map(|candidate| candidate.at).collect());
    }
    micros.sort_unstable();
    let part = |percent: usize| micros.get(micros.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
    Measured {
        persons: lines.len(),
        keys: memory.rows(),
        threshold,
        shown_pairs: shown.len(),
        compared_per_person: ratio(compared, lines.len()),
        micros_p50: part(50),
        micros_p99: part(99),
        pairs: shown.iter().map(|((a, b), score)| Pair { line: lines[*b], other: lines[*a], score: *score }).collect(),
        against_truth: truth.map(|truth| compare(truth, &at, &first_five, &shown)),
    }
}

/// Holds what was found against what is true.
fn compare(
    truth: &[Truth],
    at: &BTreeMap<u64, usize>,
    first_five: &[Vec<usize>],
    shown: &BTreeMap<(usize, usize), i32>,
) -> AgainstTruth {
    let mut found = AgainstTruth::default();
    let (mut original_of, mut kind_of) = (BTreeMap::new(), BTreeMap::new());
    let mut seen = (0, 0);
    for of in truth {
        let Some(one) = at.get(&of.line).copied() else { continue };
        if of.look_alike_of.is_some() {
            kind_of.insert(one, of.faults.first().map_or("look-alike", String::as_str));
        }
        let Some(original) = of.double_of.and_then(|line| at.get(&line)).copied() else { continue };
        original_of.insert(one, original);
        let in_five = first_five[one].contains(&original);
        let at_threshold = shown.contains_key(&(one.min(original), one.max(original)));
        found.doubles += 1;
        seen = (seen.0 + usize::from(in_five), seen.1 + usize::from(at_threshold));
        let note = |missed: &mut Missed| {
            missed.doubles += 1;
            missed.not_in_five += usize::from(!in_five);
            missed.not_at_threshold += usize::from(!at_threshold);
        };
        note(found.by_count.entry(of.faults.len()).or_default());
        for fault in &of.faults {
            note(found.by_fault.entry(fault.clone()).or_default());
        }
    }
    // A person can be declared three times: all of them are one.
    let first = |mut one: usize| {
        for _ in 0..first_five.len() {
            match original_of.get(&one) {
                Some(original) => one = *original,
                None => break,
            }
        }
        one
    };
    let mut right = 0;
    for (a, b) in shown.keys() {
        if first(*a) == first(*b) {
            right += 1;
        } else {
            let kind = kind_of.get(a).or_else(|| kind_of.get(b)).copied().unwrap_or("other");
            *found.false_pairs.entry(kind.to_owned()).or_default() += 1;
        }
    }
    found.recall_in_five = ratio(seen.0, found.doubles);
    found.recall_at_threshold = ratio(seen.1, found.doubles);
    found.precision_at_threshold = ratio(right, shown.len());
    found
}

fn say(measured: &Measured) -> Outcome {
    let Measured { persons, keys, threshold, shown_pairs, .. } = measured;
    output::line(format_args!("persons {persons}, keys {keys} ({:.1} each)", ratio(*keys, *persons)))?;
    output::line(format_args!("pairs at {threshold} bits and above: {shown_pairs}"))?;
    let (p50, p99) = (measured.micros_p50, measured.micros_p99);
    let compared = measured.compared_per_person;
    output::line(format_args!("compared with each: {compared:.1} on average; p50 {p50} us, p99 {p99} us"))?;
    let Some(found) = &measured.against_truth else {
        for pair in &measured.pairs {
            output::line(format_args!("line {} and line {}: {}", pair.line, pair.other, pair.score))?;
        }
        return Ok(());
    };
    output::line(format_args!(
        "doubles {}: {:.2} % among the first five, {:.2} % at the threshold; precision at the threshold {:.2} %",
        found.doubles,
        found.recall_in_five * 100.0,
        found.recall_at_threshold * 100.0,
        found.precision_at_threshold * 100.0
    ))?;
    output::line(format_args!("{:<24} {:>8} {:>14} {:>18}", "fault", "doubles", "not in five", "not at threshold"))?;
    let counts = found.by_count.iter().map(|(count, missed)| (format!("({count} at once)"), missed));
    let kinds = found.by_fault.iter().map(|(fault, missed)| (fault.clone(), missed));
    for (name, missed) in counts.chain(kinds) {
        let Missed { doubles, not_in_five, not_at_threshold } = missed;
        output::line(format_args!("{name:<24} {doubles:>8} {not_in_five:>14} {not_at_threshold:>18}"))?;
    }
    for (kind, pairs) in &found.false_pairs {
        output::line(format_args!("pairs shown that are none, {kind}: {pairs}"))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// So many candidates an officer looks at.
const IN_VIEW: usize = 5;
