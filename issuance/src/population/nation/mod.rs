//! A synthetic nation: people who do not exist, in the numbers and with the names, households, addresses and faults of
//! a real one, and the truth about every line, so that checks and searches can be tried and scored. Pure: no database.
//!
//! Every number that it gives to a person belongs to no person who lives: numbers for life begin with
//! codes that no province has ([`invented_provinces`]), old numbers with a 9. Residences and places of
//! origin are places of the tables.
//!
//! The same seed makes the same bytes, with any number of threads: people come in groups, each made of the seed and its
//! place alone, and what stands in which line is known beforehand. Memory does not grow with the number of people.

mod dice;
mod faults;
mod form;
mod group;
mod names;
mod places;
#[cfg(test)]
mod tests;
mod words;

use std::io::{self, Write};
use std::str::FromStr;
use std::sync::mpsc::sync_channel;
use std::thread;

use crypto::identity::ProvinceCode;
use dice::Dice;
pub use faults::Fault;
pub use form::{Row, Truth};
use group::{GROUPS_A_CODE, Group, SIZE};
pub use places::invented_provinces;
use places::{Province, UNASSIGNED, provinces};
#[cfg(test)]
pub use tests::examined_people;
use thiserror::Error;
use time::Date;

pub use super::import::Format;

/// What nation is wanted.
#[derive(Clone, Debug)]
pub struct Nation {
    people: u64,
    seed: u64,
    faults: Rate,
    doubles: Rate,
    day: Date,
    /// The provinces that people live in, and the first group of each.
    provinces: Vec<(&'static Province, u64)>,
    /// Where each province's groups begin among those of its code, in the order of `provinces`.
    ordinals: Vec<u64>,
}

/// The place of a group.
#[derive(Clone, Copy, Debug)]
struct Seat {
    province: &'static Province,
    /// The code with which the numbers of those begin whose birth was registered here.
    code: ProvinceCode,
    /// Which group of the code it is.
    ordinal: u64,
    /// Which group of the province it is.
    within: u64,
    /// Groups of the province.
    groups: u64,
}

impl Nation {
    /// A nation of so many people in provinces of the tables (all of them if none is named), as on `day`: the last
    /// day of the collection. Of `faults` of the people the form has one fault or two, and for `doubles` of the
    /// people there is a second form.
    ///
    /// # Errors
    /// [`NationError`]
    pub fn new(
        people: u64,
        seed: u64,
        (faults, doubles): (Rate, Rate),
        only: &[ProvinceCode],
        day: Date,
    ) -> Result<Self, NationError> {
        if people == 0 || people > MOST_PEOPLE {
            return Err(NationError::People);
        }
        if let Some(unknown) =
            only.iter().find(|code| provinces().iter().all(|province| province.code != code.to_string()))
        {
            return Err(NationError::Province(*unknown));
        }
        let wanted =
            |province: &&Province| only.is_empty() || only.iter().any(|code| code.to_string() == province.code);
        let wanted: Vec<&'static Province> = provinces().iter().filter(wanted).collect();
        let groups = people.div_ceil(SIZE);
        let whole: u64 = wanted.iter().map(|province| u64::from(province.weight())).sum();
        let mut before = 0;
        let mut begins = vec![];
        for province in wanted {
            begins.push((province, groups * before / whole));
            before += u64::from(province.weight());
        }
        let mut nation = Self { people, seed, faults, doubles, day, provinces: begins, ordinals: vec![] };
        let mut of_codes: Vec<(ProvinceCode, u64)> = vec![];
        for at in 0..nation.provinces.len() {
            let (code, groups) = (code_of(nation.provinces[at].0), nation.groups_of(at));
            let known = of_codes.iter().position(|(known, _)| *known == code);
            let known = known.unwrap_or_else(|| {
                of_codes.push((code, 0));
                of_codes.len() - 1
            });
            nation.ordinals.push(of_codes[known].1);
            of_codes[known].1 += groups;
            if of_codes[known].1 > GROUPS_A_CODE {
                return Err(NationError::People);
            }
        }
        Ok(nation)
    }

    /// Writes the declarations, and the truth about each; `tell` is told how many people are written.
    ///
    /// # Errors
    /// What the writers say.
    pub fn write(
        &self,
        format: Format,
        threads: usize,
        out: &mut impl Write,
        truth: &mut impl Write,
        mut tell: impl FnMut(u64),
    ) -> io::Result<Written> {
        form::header(format, out)?;
        let threads = threads.max(1);
        let pieces = self.groups().div_ceil(PIECE);
        let mut written = Written::default();
        thread::scope(|scope| {
            // Each worker makes every n-th piece, two ahead at most; they are written in their order.
            let workers: Vec<_> = (0..threads as u64)
                .map(|worker| {
                    let (send, receive) = sync_channel(2);
                    scope.spawn(move || {
                        for piece in (worker..pieces).step_by(threads) {
                            // The writer has failed, and says so.
                            if send.send(self.piece(format, piece)).is_err() {
                                return;
                            }
                        }
                    });
                    receive
                })
                .collect();
            for receive in (0..pieces).zip(workers.iter().cycle()).map(|(_, receive)| receive) {
                let piece = receive.recv().map_err(|_| io::Error::other("a thread ended before its work"))??;
                out.write_all(&piece.lines)?;
                truth.write_all(&piece.truth)?;
                written.add(&piece.written);
                tell(written.people);
            }
            Ok::<(), io::Error>(())
        })?;
        out.flush()?;
        truth.flush()?;
        Ok(written)
    }

    /// Makes the lines of some groups.
    fn piece(&self, format: Format, piece: u64) -> io::Result<Piece> {
        let mut made = Piece::default();
        for number in piece * PIECE..((piece + 1) * PIECE).min(self.groups()) {
            for (mut row, truth) in self.lines(format, number) {
                row.declaration.full_name = row.declaration.full_name.to_uppercase();
                form::line(&row, format, &mut made.lines)?;
                form::json_line(&truth, &mut made.truth)?;
                made.written.count(&truth);
            }
        }
        Ok(made)
    }

    /// Makes the lines of a group: its people, and the second forms of people of this or an earlier group.
    fn lines(&self, format: Format, number: u64) -> Vec<(Row, Truth)> {
        let group = Group::new(self, number);
        let mut dice = Dice::new(self.seed ^ FORMS, number);
        let first = number * SIZE;
        let people = group.people.len() as u64;
        let faulty = self.spoilt(number, &mut dice);
        let mut lines = vec![];
        for who in 0..group.people.len() {
            let line = self.line(format, number, who);
            let mut row = group.row(who, line, &mut Dice::new(self.seed ^ PAPERS, first + who as u64));
            let faults = match faulty.contains(&who) {
                true => {
                    let two = dice.percent(20);
                    faults::spoil(&mut row, &group, who, 1 + usize::from(two), &mut dice)
                }
                false => vec![],
            };
            let being = &group.people[who];
            let truth = Truth {
                line,
                person: first + who as u64 + 1,
                household: first + being.household as u64 + 1,
                faults,
                double_of: None,
                look_alike_of: being.look_alike_of.map(|other| self.line(format, number, other)),
            };
            lines.push((row, truth));
        }
        let doubles = self.doubles.of(first)..self.doubles.of(first + people);
        // Those who moved here came from one other neighbourhood: making it again costs as much as this one.
        let elsewhere = (number > 0 && !doubles.is_empty()).then(|| dice.word() % number);
        let elsewhere = elsewhere.map(|other| (other, Group::new(self, other)));
        for (nth, ordinal) in doubles.enumerate() {
            let line = self.line(format, number, group.people.len() + nth);
            // Four of ten differ in two ways.
            let two = (ordinal + 1) * 2 / 5 != ordinal * 2 / 5;
            let moved = elsewhere.as_ref().filter(|_| dice.percent(50));
            let origin = moved.map_or((number, &group), |(other, group)| (*other, group));
            lines.push(self.double(format, origin, moved.map(|_| &group), (line, 1 + usize::from(two)), &mut dice));
        }
        lines
    }

    /// Makes a second form of a person of a group: in the same place on another day, or by one who moved.
    fn double(
        &self,
        format: Format,
        (origin, of): (u64, &Group),
        moved_to: Option<&Group>,
        (line, differences): (u64, usize),
        dice: &mut Dice,
    ) -> (Row, Truth) {
        let who = dice.at(of.people.len());
        let person = origin * SIZE + who as u64;
        let first = self.line(format, origin, who);
        let mut row = of.row(who, first, &mut Dice::new(self.seed ^ PAPERS, person));
        match moved_to {
            Some(here) => here.declared_here(&mut row, line, dice),
            None => of.declared_again(&mut row, of.people[who].household, line, dice),
        }
        // Two forms with one number are seen at once.
        if dice.percent(70) {
            row.personal_number = String::new();
        }
        let faults = faults::differ(&mut row, differences, dice);
        let truth = Truth {
            line,
            person: person + 1,
            household: origin * SIZE + of.people[who].household as u64 + 1,
            faults,
            double_of: Some(first),
            look_alike_of: None,
        };
        (row, truth)
    }

    /// Draws whose forms of a group have faults: as many as the rate says for the people up to here.
    fn spoilt(&self, number: u64, dice: &mut Dice) -> Vec<usize> {
        let first = number * SIZE;
        let people = usize::try_from(self.people_of(number)).expect("at most SIZE");
        let wanted = self.faults.of(first + people as u64) - self.faults.of(first);
        let mut all: Vec<usize> = (0..people).collect();
        let mut drawn = vec![];
        for _ in 0..wanted {
            let at = dice.at(all.len());
            drawn.push(all.swap_remove(at));
        }
        drawn
    }

    fn groups(&self) -> u64 {
        self.people.div_ceil(SIZE)
    }

    /// Returns the people of a group: all groups but the last are full.
    fn people_of(&self, number: u64) -> u64 {
        SIZE.min(self.people - number * SIZE)
    }

    /// Returns the line of a group's n-th form.
    fn line(&self, format: Format, number: u64, nth: usize) -> u64 {
        let before = number * SIZE;
        u64::from(format == Format::Csv) + before + self.doubles.of(before) + nth as u64 + 1
    }

    fn seat(&self, number: u64) -> Seat {
        // Of provinces without a group, which begin where the next one does, the last begins here.
        let at = self.provinces.partition_point(|(_, first)| *first <= number) - 1;
        let (province, first) = self.provinces[at];
        let within = number - first;
        Seat {
            province,
            code: code_of(province),
            ordinal: self.ordinals[at] + within,
            within,
            groups: self.groups_of(at),
        }
    }

    fn groups_of(&self, at: usize) -> u64 {
        self.provinces.get(at + 1).map_or(self.groups(), |(_, next)| *next) - self.provinces[at].1
    }
}

/// Returns the code with which the numbers of those begin whose birth was registered in a province.
fn code_of(province: &Province) -> ProvinceCode {
    let at = provinces().iter().position(|one| one.code == province.code).unwrap_or(0);
    UNASSIGNED[at % UNASSIGNED.len()]
}

/// What was written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// People.
    pub people: u64,
    /// Forms with a fault, without second forms.
    pub faulty: u64,
    /// Second forms of people.
    pub doubles: u64,
    /// People who are easily taken for another.
    pub lookalikes: u64,
}

impl Written {
    fn count(&mut self, truth: &Truth) {
        let double = truth.double_of.is_some();
        self.people += u64::from(!double);
        self.doubles += u64::from(double);
        self.faulty += u64::from(!double && !truth.faults.is_empty());
        self.lookalikes += u64::from(truth.look_alike_of.is_some());
    }

    fn add(&mut self, other: &Self) {
        self.people += other.people;
        self.faulty += other.faulty;
        self.doubles += other.doubles;
        self.lookalikes += other.lookalikes;
    }
}

#[derive(Default)]
struct Piece {
    lines: Vec<u8>,
    truth: Vec<u8>,
    written: Written,
}

/// A share of people, in millionths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate(u32);

impl Rate {
    /// Returns the share of so many people.
    fn of(self, people: u64) -> u64 {
        people * u64::from(self.0) / 1_000_000
    }
}

/// Reads `0.05` or `5%`.
impl FromStr for Rate {
    type Err = NationError;

    fn from_str(text: &str) -> Result<Self, NationError> {
        let (number, digits_of_one) = text.strip_suffix('%').map_or((text, 6), |percent| (percent, 4));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || number.len() > 12 || whole.len() + part.len() == 0 {
            return Err(NationError::Rate);
        }
        let part: String = part.chars().chain(std::iter::repeat('0')).take(digits_of_one).collect();
        match format!("{whole}{part}").parse() {
            Ok(millionths @ 0..=1_000_000) => Ok(Self(millionths)),
            _ => Err(NationError::Rate),
        }
    }
}

/// Why there can be no such nation.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum NationError {
    /// Too few or too many.
    #[error("from 1 to {MOST_PEOPLE} people, and at most {} in provinces that share a code", GROUPS_A_CODE * SIZE)]
    People,
    /// No such province.
    #[error("no province of the tables of 2021 has the code {0}")]
    Province(ProvinceCode),
    /// No share.
    #[error("a share is written 0.05 or 5%, from 0 to 1")]
    Rate,
}

/// Old numbers have eight digits behind the nine.
const MOST_PEOPLE: u64 = 100_000_000;
/// Groups that a thread makes at once.
const PIECE: u64 = 32;
/// Keeps the draws of forms apart from those of people …
const FORMS: u64 = 0x666f_726d_7300_0000;
/// … and what stands on a person's paper apart from both, so that a second form has it too.
const PAPERS: u64 = 0x7061_7065_7200_0000;
