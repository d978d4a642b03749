//! The detector in memory: for a file that is judged before it enters the register, and to measure the detector itself.

use std::collections::BTreeMap;

use super::keys::{self, Probe};
use super::score::{self, Judgement};
use super::traits::Traits;

/// People, and the keys under which they lie.
#[derive(Debug, Default)]
pub struct Memory {
    people: Vec<Traits>,
    /// Sorted.
    rows: Vec<(i64, u32)>,
}

/// A person who may be the same one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Where the person stands, counted from 0.
    pub at: usize,
    /// What the comparison came to.
    pub judgement: Judgement,
}

impl Memory {
    /// Takes all people in.
    ///
    /// # Panics
    /// If there are more than 2^32.
    #[must_use]
    pub fn of(people: Vec<Traits>) -> Self {
        let of_one = |(at, traits): (usize, &Traits)| {
            let at = u32::try_from(at).expect("no file has four thousand million lines");
            keys::keys(traits).into_iter().map(move |key| (key, at))
        };
        let mut rows: Vec<(i64, u32)> = people.iter().enumerate().flat_map(of_one).collect();
        rows.sort_unstable();
        Self { people, rows }
    }

    /// Returns how many people there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// True if it holds no person.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Returns how many rows of keys there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns the doubles that a person of this file may have, best first, and how many were compared.
    #[must_use]
    pub fn candidates(&self, at: usize) -> (Vec<Candidate>, usize) {
        let traits = &self.people[at];
        let mut hits: BTreeMap<u32, u32> = BTreeMap::new();
        for probe in keys::probes(traits) {
            for (_, person) in self.range(&probe).filter(|(key, _)| probe.admits(*key)).take(MOST_ROWS) {
                *hits.entry(*person).or_default() += 1;
            }
        }
        hits.retain(|person, _| *person as usize != at);
        let mut ranked: Vec<(u32, u32)> = hits.into_iter().collect();
        ranked.sort_by_key(|(person, hits)| (std::cmp::Reverse(*hits), *person));
        ranked.truncate(MOST_COMPARED);
        let compared = ranked.len();
        let judged = |(person, _): (u32, u32)| {
            let at = person as usize;
            Candidate { at, judgement: score::judge(traits, &self.people[at]) }
        };
        let mut all: Vec<Candidate> = ranked.into_iter().map(judged).collect();
        all.sort_by_key(|candidate| (std::cmp::Reverse(candidate.judgement.score), candidate.at));
        (all, compared)
    }

    fn range(&self, probe: &Probe) -> impl Iterator<Item = &(i64, u32)> {
        let from = self.rows.partition_point(|(key, _)| *key < probe.from);
        self.rows[from..].iter().take_while(|(key, _)| *key <= probe.to)
    }
}

/// So many rows of one range are taken: a name that thousands have in one year tells nothing.
pub(in crate::population) const MOST_ROWS: usize = 400;
/// So many people are compared.
pub(in crate::population) const MOST_COMPARED: usize = 200;
