//! What a card costs: Circular 59/2019/TT-BTC, Art. 4 and 5, as a table that a deployment may change; pure.

use serde::{Deserialize, Serialize};

use super::cases::{Fee, case};
use super::model::Kind;

/// The step before which what is due must be paid, or not be due on a ground of the law.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayBefore {
    /// Before a second officer approves.
    Approval,
    /// Before the card is handed over.
    HandOver,
    /// No step asks for it: what is paid is entered all the same.
    #[default]
    Never,
}

/// The fee table, in đồng.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fees {
    /// A nine-digit identity card (CMND) changed for the citizen card.
    pub from_old_card: u32,
    /// Change: damaged, name or features, sex or origin, on request.
    pub change: u32,
    /// Re-issue: lost, nationality regained.
    pub reissue: u32,
    /// What is really taken, in percent (50 in 2021, Circulars 112/2020 and 47/2021).
    pub percent: u32,
    /// Before which step it must be paid.
    pub pay_before: PayBefore,
}

impl Default for Fees {
    fn default() -> Self {
        Self { from_old_card: 30_000, change: 50_000, reissue: 70_000, percent: 100, pay_before: PayBefore::Never }
    }
}

impl Fees {
    /// Returns the fee of an application in đồng. Nothing is due for the first card from fourteen, for a change at 25,
    /// 40 or 60, for a card that the authority got wrong (Art. 5(2)), and from anyone `exempt` (Art. 5(1): relatives of
    /// martyrs, poor households, …).
    pub fn of(&self, kind: Kind, has_old_card: bool, exempt: bool) -> u32 {
        let full = match case(kind).fee {
            _ if exempt => 0,
            Fee::FreeButOldCard if has_old_card => self.from_old_card,
            Fee::Free | Fee::FreeButOldCard => 0,
            Fee::Change => self.change,
            Fee::Reissue => self.reissue,
        };
        full / 100 * self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applications::model::{ChangeReason, ReissueReason};

    #[test]
    fn fees_of_2019() {
        let fees = Fees::default();
        assert_eq!(fees.of(Kind::First, false, false), 0);
        assert_eq!(fees.of(Kind::First, true, false), 30_000);
        assert_eq!(fees.of(Kind::Change(ChangeReason::Damaged), true, false), 50_000);
        assert_eq!(fees.of(Kind::Change(ChangeReason::AgeReached), true, false), 0);
        assert_eq!(fees.of(Kind::Change(ChangeReason::ErrorOnCard), true, false), 0);
        assert_eq!(fees.of(Kind::Reissue(ReissueReason::Lost), false, false), 70_000);
        assert_eq!(fees.of(Kind::Reissue(ReissueReason::Lost), false, true), 0);
    }

    #[test]
    fn half_in_2021() {
        let fees = Fees { percent: 50, ..Fees::default() };
        assert_eq!(fees.of(Kind::First, true, false), 15_000);
        assert_eq!(fees.of(Kind::Change(ChangeReason::OnRequest), false, false), 25_000);
        assert_eq!(fees.of(Kind::Reissue(ReissueReason::Lost), false, false), 35_000);
    }
}
