//! How a chip was made to behave: sizes, protocols, quirks of real chips and the malice of forged ones.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Everything that differs from one kind of chip to the next and never changes in a chip's life.
///
/// Written into the state file; a field that a later version adds gets the value of [`Profile::default`] there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Profile {
    /// Longest command APDU, in bytes, all included. 261 is a short one.
    pub max_command: usize,
    /// Longest response APDU, in bytes, status included. 258 is a short one.
    pub max_response: usize,
    /// Whether extended length is understood and announced.
    pub extended_length: bool,
    /// Whether BAC opens the holder's files besides PACE.
    pub basic_access_control: bool,
    /// Whether PACE is spoken. Which suites, says the EF.CardAccess that personalization writes.
    pub pace: bool,
    /// Whether SELECT of the master file is understood; if not, `6D00`.
    pub selects_master_file: bool,
    /// Whether there is an EF.DIR.
    pub directory: bool,
    /// How it slows guessing down.
    pub throttle: Throttle,
    /// Deliberate misbehaviour.
    pub malice: Malice,
}

/// Wrong passwords make the chip slow, never mute: a card access number cannot be blocked (Doc 9303-11 (8th ed.) §4.4.1), or
/// anybody near a card could make it useless.
///
/// After `free` wrong tries in a row the next PACE or BAC waits `first_ms`, then twice that, and so on up to `longest_ms`. The
/// count survives power cuts; a right password clears it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Throttle {
    /// Wrong tries without a delay.
    pub free: u32,
    /// First delay in milliseconds; 0 switches throttling off.
    pub first_ms: u64,
    /// Longest delay in milliseconds.
    pub longest_ms: u64,
}

impl Throttle {
    /// No delay ever.
    pub const OFF: Self = Self { free: 0, first_ms: 0, longest_ms: 0 };

    /// How long the chip waits before the next try, after `failures` wrong ones in a row.
    pub fn delay(&self, failures: u32) -> Duration {
        if self.first_ms == 0 || failures <= self.free {
            return Duration::ZERO;
        }
        let doublings = (failures - self.free - 1).min(32);
        Duration::from_millis(self.first_ms.saturating_mul(1 << doublings).min(self.longest_ms))
    }
}

/// What a forged, broken or hostile chip does to its reader.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Malice {
    /// Reads answer `9000` without a byte: a reader that waits for more never ends.
    EmptyReads,
    /// Random bytes of random length instead of answers.
    Garbage,
    /// None.
    #[default]
    None,
    /// Reads give one byte each.
    OneByteReads,
    /// Half of every answer is lost.
    Truncated,
    /// Every protected answer carries a wrong MAC.
    WrongMacs,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            max_command: 32_767,
            max_response: 32_767,
            extended_length: true,
            basic_access_control: true,
            pace: true,
            selects_master_file: true,
            directory: false,
            throttle: Throttle { free: 5, first_ms: 100, longest_ms: 3_200 },
            malice: Malice::None,
        }
    }
}

impl Profile {
    /// What the reports of travellers and developers say of Viet Nam's card of 2021: SELECT of the master file in any form is
    /// answered `6D00`, EF.CardAccess is selected directly after reset.
    pub fn viet_nam() -> Self {
        Self { selects_master_file: false, ..Self::default() }
    }

    /// Short APDUs only.
    pub fn short() -> Self {
        Self { max_command: 261, max_response: 258, extended_length: false, ..Self::default() }
    }

    /// BAC alone, as documents before 2014.
    pub fn bac_only() -> Self {
        Self { pace: false, ..Self::default() }
    }

    /// PACE alone, as documents after 2018 may be.
    pub fn pace_only() -> Self {
        Self { basic_access_control: false, ..Self::default() }
    }

    /// The default chip turned bad.
    pub fn hostile(malice: Malice) -> Self {
        Self { malice, ..Self::default() }
    }

    /// Names that [`FromStr`] understands.
    pub const NAMES: [&str; 10] = [
        "citizen",
        "viet-nam",
        "short",
        "bac-only",
        "pace-only",
        "hostile-empty-reads",
        "hostile-garbage",
        "hostile-one-byte-reads",
        "hostile-truncated",
        "hostile-wrong-macs",
    ];
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "citizen" => Self::default(),
            "viet-nam" => Self::viet_nam(),
            "short" => Self::short(),
            "bac-only" => Self::bac_only(),
            "pace-only" => Self::pace_only(),
            "hostile-empty-reads" => Self::hostile(Malice::EmptyReads),
            "hostile-garbage" => Self::hostile(Malice::Garbage),
            "hostile-one-byte-reads" => Self::hostile(Malice::OneByteReads),
            "hostile-truncated" => Self::hostile(Malice::Truncated),
            "hostile-wrong-macs" => Self::hostile(Malice::WrongMacs),
            _ => return Err(UnknownProfile(name.to_owned())),
        })
    }
}

/// No profile has this name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("there is no chip profile {0:?}; there are {names}", names = Profile::NAMES.join(", "))]
pub struct UnknownProfile(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_profile() {
        for name in Profile::NAMES {
            assert!(name.parse::<Profile>().is_ok(), "{name}");
        }
        assert!("visa".parse::<Profile>().is_err());
    }

    #[test]
    fn guessing_gets_slow_but_never_impossible() {
        let throttle = Throttle { free: 2, first_ms: 100, longest_ms: 1_000 };
        let delays: Vec<_> = (0..9).map(|failures| throttle.delay(failures).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(throttle.delay(u32::MAX).as_millis(), 1_000);
        assert_eq!(Throttle::OFF.delay(1_000), Duration::ZERO);
    }
}
