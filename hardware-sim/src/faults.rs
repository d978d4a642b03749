//! Planned faults: a power cut, a pulled card, a torn write, a bad contact.
//!
//! A plan counts commands and commits from 1, beginning when it is installed. The same plan, chip and
//! commands give the same failure.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A fault at a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The command is carried out, and its answer has no byte.
    Empty,
    /// The card is pulled before the command; it must be inserted again.
    Removed,
    /// The answer is delayed by this time.
    Slow(Duration),
    /// The power fails after the command was carried out and before its answer left.
    TearAfter,
    /// The power fails before the command is looked at.
    TearBefore,
    /// One bit of the last byte of the answer's data is flipped: of the MAC, if the answer is protected.
    WrongMac,
}

/// Which faults happen at which commands and commits. The default plan has none.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    at_command: BTreeMap<u64, Vec<Fault>>,
    torn_commits: BTreeSet<u64>,
    random: Option<Random>,
    commands: u64,
    commits: u64,
}

#[derive(Clone, Copy, Debug)]
struct Random {
    seed: u64,
    one_in: u32,
}

impl Random {
    /// Returns the fault at the `n`-th command, if there is one.
    fn at(self, n: u64) -> Option<Fault> {
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(n.to_be_bytes()).finalize();
        let number = |at: usize| u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
        let slow = Fault::Slow(Duration::from_millis(u64::from(number(8) % 500)));
        let all = [Fault::TearBefore, Fault::TearAfter, Fault::WrongMac, Fault::Removed, slow];
        number(0).is_multiple_of(self.one_in).then(|| all[number(4) as usize % all.len()])
    }
}

impl Plan {
    /// Makes a plan with one fault at the `n`-th command, counted from 1.
    pub fn at(n: u64, fault: Fault) -> Self {
        Self::default().and(n, fault)
    }

    /// Adds a fault at the `n`-th command.
    #[must_use]
    pub fn and(mut self, n: u64, fault: Fault) -> Self {
        self.at_command.entry(n).or_default().push(fault);
        self
    }

    /// Makes a plan in which the power fails during the `n`-th commit, counted from 1.
    pub fn torn_write(n: u64) -> Self {
        Self { torn_commits: [n].into(), ..Self::default() }
    }

    /// Makes a plan in which about one command in `one_in` fails; which ones and how depends on `seed` only.
    pub fn random(seed: u64, one_in: u32) -> Self {
        Self { random: Some(Random { seed, one_in: one_in.max(1) }), ..Self::default() }
    }

    /// Counts a command. Returns its faults.
    pub(crate) fn next_command(&mut self) -> Vec<Fault> {
        self.commands += 1;
        let mut faults = self.at_command.remove(&self.commands).unwrap_or_default();
        faults.extend(self.random.and_then(|random| random.at(self.commands)));
        faults
    }

    /// Counts a commit. Returns whether it is torn.
    pub(crate) fn next_commit_is_torn(&mut self) -> bool {
        self.commits += 1;
        self.torn_commits.remove(&self.commits)
    }
}

/// Reads `none`, `empty:N`, `tear-before:N`, `tear-after:N`, `torn-write:N`, `wrong-mac:N`, `removed:N`,
/// `slow:N:MILLISECONDS`, `random:SEED:ONE_IN`; several joined by commas.
impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut plan = Self::default();
        for item in text.split(',') {
            let wrong = || PlanError(item.to_owned());
            let mut words = item.split(':');
            let name = words.next().unwrap_or_default();
            let numbers: Vec<u64> = words.map(|w| w.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
            plan = match (name, numbers[..].as_ref()) {
                // Commands and commits are counted from 1: this would never happen.
                ("empty" | "removed" | "slow" | "tear-after" | "tear-before" | "torn-write" | "wrong-mac", [0, ..]) => {
                    return Err(wrong());
                }
                ("none", []) => plan,
                ("empty", [n]) => plan.and(*n, Fault::Empty),
                ("removed", [n]) => plan.and(*n, Fault::Removed),
                ("slow", [n, ms]) => plan.and(*n, Fault::Slow(Duration::from_millis(*ms))),
                ("tear-after", [n]) => plan.and(*n, Fault::TearAfter),
                ("tear-before", [n]) => plan.and(*n, Fault::TearBefore),
                ("wrong-mac", [n]) => plan.and(*n, Fault::WrongMac),
                ("torn-write", [n]) => {
                    plan.torn_commits.insert(*n);
                    plan
                }
                ("random", [seed, one_in]) => {
                    plan.random = Self::random(*seed, u32::try_from(*one_in).map_err(|_| wrong())?).random;
                    plan
                }
                _ => return Err(wrong()),
            };
        }
        Ok(plan)
    }
}

/// A text is not a plan; it names the item that is wrong.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "{0:?} is no fault: write none, empty:N, tear-before:N, tear-after:N, torn-write:N, wrong-mac:N, removed:N, slow:N:MILLISECONDS or \
     random:SEED:ONE_IN, joined by commas"
)]
pub struct PlanError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_followed_once() {
        let mut plan: Plan = "tear-after:2,slow:2:30,torn-write:1".parse().expect("a plan");
        assert_eq!(plan.next_command(), []);
        assert_eq!(plan.next_command(), [Fault::TearAfter, Fault::Slow(Duration::from_millis(30))]);
        assert_eq!(plan.next_command(), []);
        assert!(plan.next_commit_is_torn());
        assert!(!plan.next_commit_is_torn());
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let run = |seed| {
            let mut plan = Plan::random(seed, 5);
            (0..100).map(|_| plan.next_command()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(1).iter().any(|faults| !faults.is_empty()));
    }

    #[test]
    fn an_invalid_item_is_named_in_the_error() {
        assert_eq!("slow:1".parse::<Plan>().expect_err("incomplete"), PlanError("slow:1".into()));
        assert!("tear-before:x".parse::<Plan>().is_err());
        for never in
            ["empty:0", "removed:0", "slow:0:5", "tear-after:0", "tear-before:0", "torn-write:0", "wrong-mac:0"]
        {
            assert_eq!(never.parse::<Plan>().expect_err("commands are counted from 1"), PlanError(never.into()));
        }
    }
}
