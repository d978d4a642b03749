//! Cells of a million numbers and the keyed permutation over each; pure.

use std::fmt;

use aes::Aes256;
use crypto::identity::{PersonalNumber, PersonalNumberError, ProvinceCode, Sex};
use fpe::ff1::{FF1, NumeralString, Operations};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// How many numbers a cell holds: `NNNNNN` has six digits.
pub const CELL_SIZE: u32 = 1_000_000;

/// One cell of the number space: all people of one sex whose birth in one year was registered in one province.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Cell {
    /// Province of birth registration (`PPP`).
    pub province: ProvinceCode,
    /// Sex, which with the century makes `G`.
    pub sex: Sex,
    /// Year of birth, four digits.
    pub birth_year: u16,
}

/// A cell of the space of personal numbers: the numbers for people of one sex whose birth in one year was registered in
/// one province.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumberCell {
    /// What all its numbers begin with: province, century and sex, year (`PPPGYY`).
    pub begins: String,
    /// The province.
    pub province: String,
    /// `M` or `F`.
    pub sex: char,
    /// The year.
    pub birth_year: u16,
    /// Numbers that are given, or reserved to be given.
    pub used: u64,
    /// Numbers that are left.
    pub left: u64,
}

impl NumberCell {
    /// The cell with so many numbers given or reserved.
    #[must_use]
    pub fn of(cell: Cell, used: u64) -> Self {
        let first = PersonalNumber::compose(cell.province, cell.sex, cell.birth_year, 0);
        Self {
            begins: first.map_or_else(|_| String::new(), |number| number.as_str()[..6].to_owned()),
            province: cell.province.to_string(),
            sex: cell.sex.letter(),
            birth_year: cell.birth_year,
            used,
            left: u64::from(CELL_SIZE).saturating_sub(used),
        }
    }

    /// Returns how much of it is used, from 0 to 1.
    #[must_use]
    pub fn used_ratio(&self) -> f64 {
        let used = u32::try_from(self.used).unwrap_or(u32::MAX).min(CELL_SIZE);
        f64::from(used) / f64::from(CELL_SIZE)
    }

    /// Returns how much of it is used, in percent, rounded down.
    #[must_use]
    pub fn percent(&self) -> u64 {
        self.used.saturating_mul(100) / u64::from(CELL_SIZE)
    }
}

/// Why no number comes out.
#[derive(Debug, Eq, Error, PartialEq)]
pub enum NumberingError {
    /// The cell has given away all its numbers.
    #[error("all {CELL_SIZE} numbers of this cell are given away")]
    Exhausted(Cell),
    /// The structure does not allow these facts of birth (a century outside 20 to 24).
    #[error("no personal number can be composed: {0}")]
    Structure(#[from] PersonalNumberError),
}

/// The secret permutation that turns the n-th birth of a cell into its `NNNNNN`.
///
/// FF1 of NIST SP 800-38G with AES-256, radix 10, six numerals, the cell's six digits `PPPGYY` as tweak; 10^6 is the
/// smallest domain that Revision 1 of that publication allows. The aim is that a number tells nothing about how many
/// people or who came before, and not that the mapping resists a reader who holds a large part of the register.
pub struct Permutation(FF1<Aes256>);

impl Permutation {
    /// The permutation under `key`.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self(FF1::new(key.as_slice(), RADIX).expect("radix 10 is within FF1's range"))
    }

    /// The number of the `position`-th person of `cell`, counted from zero.
    ///
    /// # Errors
    /// [`NumberingError::Exhausted`] from position 1,000,000; [`NumberingError::Structure`] for a birth
    /// year outside 1900 to 2399.
    pub fn number(&self, cell: Cell, position: u32) -> Result<PersonalNumber, NumberingError> {
        if position >= CELL_SIZE {
            return Err(NumberingError::Exhausted(cell));
        }
        // The first six digits are the tweak: equal positions in two cells have nothing in common.
        let first = PersonalNumber::compose(cell.province, cell.sex, cell.birth_year, 0)?.to_string();
        let serial = self.permute(&first.as_bytes()[..6], position);
        Ok(PersonalNumber::compose(cell.province, cell.sex, cell.birth_year, serial)?)
    }

    /// Returns the cell of a number and its position there: the inverse of [`number`](Self::number).
    #[must_use]
    pub fn position(&self, number: &PersonalNumber) -> (Cell, u32) {
        let cell = Cell { province: number.province(), sex: number.sex(), birth_year: number.birth_year() };
        let position = self.0.decrypt(&number.as_str().as_bytes()[..6], &Serial(number.serial_part()));
        (cell, position.expect("six decimal numerals are FF1's smallest input").0)
    }

    fn permute(&self, tweak: &[u8], position: u32) -> u32 {
        self.0.encrypt(tweak, &Serial(position)).expect("six decimal numerals are FF1's smallest input").0
    }
}

impl fmt::Debug for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permutation(…)")
    }
}

/// `NNNNNN` as FF1 sees it: six decimal numerals.
struct Serial(u32);

/// Three decimal numerals, one side of FF1's Feistel network.
struct Half(u16);

impl NumeralString for Serial {
    type Ops = Half;

    fn is_valid(&self, radix: u32) -> bool {
        radix == RADIX && self.0 < CELL_SIZE
    }

    fn numeral_count(&self) -> usize {
        6
    }

    fn split(&self) -> (Half, Half) {
        let half = |value: u32| Half(u16::try_from(value).expect("three decimal digits"));
        (half(self.0 / HALF), half(self.0 % HALF))
    }

    fn concat(a: Half, b: Half) -> Self {
        Self(u32::from(a.0) * HALF + u32::from(b.0))
    }
}

impl Operations for Half {
    type Bytes = Vec<u8>;

    fn numeral_count(&self) -> usize {
        3
    }

    fn to_be_bytes(&self, _radix: u32, b: usize) -> Vec<u8> {
        let wide = u64::from(self.0).to_be_bytes();
        wide[wide.len() - b..].to_vec()
    }

    fn add_mod_exp(self, other: impl Iterator<Item = u8>, _radix: u32, _m: usize) -> Self {
        Self(((u32::from(self.0) + modulo(other)) % HALF) as u16)
    }

    fn sub_mod_exp(self, other: impl Iterator<Item = u8>, _radix: u32, _m: usize) -> Self {
        Self(((u32::from(self.0) + HALF - modulo(other)) % HALF) as u16)
    }
}

/// A big-endian number of any length, modulo 1000.
fn modulo(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0, |rest, byte| (rest * 256 + u32::from(byte)) % HALF)
}

const RADIX: u32 = 10;
/// 10^3: how many values three numerals have.
const HALF: u32 = 1_000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    fn cell(year: u16) -> Cell {
        Cell { province: "003".parse().unwrap(), sex: Sex::Female, birth_year: year }
    }

    /// Expected values: an implementation written apart from this one (Python, from the text of SP 800-38G), which
    /// gives the publication's own sample 1 (`2433477484`).
    #[test]
    fn the_permutation_is_ff1_of_sp_800_38g() {
        let permutation = Permutation::new(&Zeroizing::new(std::array::from_fn(|i| u8::try_from(i).unwrap())));
        let computed: Vec<u32> = [0, 1, 17, 999_999].iter().map(|n| permutation.permute(b"003300", *n)).collect();
        assert_eq!(computed, [520_317, 797_117, 459_245, 362_763]);
    }

    /// All of one cell: a million positions, a million different numbers.
    #[test]
    fn no_number_comes_twice_within_a_cell() {
        let permutation = Permutation::new(&Zeroizing::new([7; 32]));
        let seen: Vec<AtomicBool> = (0..CELL_SIZE).map(|_| AtomicBool::new(false)).collect();
        thread::scope(|scope| {
            for part in 0..4 {
                let (permutation, seen) = (&permutation, &seen);
                scope.spawn(move || {
                    for position in (part..CELL_SIZE).step_by(4) {
                        let serial = permutation.permute(b"003300", position);
                        assert!(!seen[serial as usize].swap(true, Ordering::Relaxed), "{serial} came twice");
                    }
                });
            }
        });
    }

    #[test]
    fn every_number_tells_its_position_to_the_keeper_of_the_key() {
        let permutation = Permutation::new(&Zeroizing::new([7; 32]));
        for position in [0, 1, 2, 31, 32, 499_999, 999_998, 999_999] {
            let number = permutation.number(cell(2026), position).unwrap();
            assert_eq!(permutation.position(&number), (cell(2026), position));
        }
    }

    #[test]
    fn cells_and_keys_have_nothing_in_common() {
        let one = Permutation::new(&Zeroizing::new([1; 32]));
        let two = Permutation::new(&Zeroizing::new([2; 32]));
        let differs = |a: &Permutation, x: Cell, b: &Permutation, y: Cell| {
            (0..100)
                .filter(|n| a.number(x, *n).unwrap().serial_part() != b.number(y, *n).unwrap().serial_part())
                .count()
        };
        assert!(differs(&one, cell(2000), &one, cell(2001)) >= 99);
        assert!(differs(&one, cell(2000), &two, cell(2000)) >= 99);
    }

    #[test]
    fn a_number_tells_the_facts_of_birth() {
        let number = Permutation::new(&Zeroizing::new([1; 32])).number(cell(2000), 0).unwrap();
        assert_eq!((number.province(), number.sex(), number.birth_year()), ("003".parse().unwrap(), Sex::Female, 2000));
    }

    #[test]
    fn a_full_cell_says_so() {
        let permutation = Permutation::new(&Zeroizing::new([1; 32]));
        assert!(permutation.number(cell(2000), CELL_SIZE - 1).is_ok());
        assert_eq!(permutation.number(cell(2000), CELL_SIZE).unwrap_err(), NumberingError::Exhausted(cell(2000)));
        assert!(matches!(permutation.number(cell(1899), 0), Err(NumberingError::Structure(_))));
    }
}
