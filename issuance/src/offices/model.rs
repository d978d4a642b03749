//! Units: pure.

use std::fmt;
use std::str::FromStr;

use crypto::identity::ProvinceCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use crate::access::dissolutions::OfficeEnded;
use crate::deed::UnknownWord;
use crate::ground::ids::OfficerId;
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, OtherOffice};
use crate::store::StoreError;

/// What a unit is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    /// A centre that serves several units, such as personalization.
    Centre,
    /// A district.
    District,
    /// The one national office.
    National,
    /// A province.
    Province,
}

impl UnitKind {
    const ALL: [Self; 4] = [Self::Centre, Self::District, Self::National, Self::Province];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::District => "district",
            Self::National => "national",
            Self::Province => "province",
        }
    }
}

impl fmt::Display for UnitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for UnitKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or(UnknownWord)
    }
}

/// The name of a unit: tidy, 1 to 200 characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitName(String);

impl UnitName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UnitName {
    type Err = UnitUnfit;

    fn from_str(text: &str) -> Result<Self, UnitUnfit> {
        short(text, 200).map(Self).ok_or(UnitUnfit::Name)
    }
}

/// A unit as it is since a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unit {
    /// Code: also that of its officers and stations.
    pub code: OfficeCode,
    /// What it is.
    pub kind: UnitKind,
    /// Province that it belongs to.
    pub province: Option<ProvinceCode>,
    /// Number of this version, from 1.
    pub version: u32,
    /// What it is called.
    pub name: UnitName,
    /// The unit above; the national office alone has none.
    pub parent: Option<OfficeCode>,
    /// First day of this version.
    pub valid_from: Date,
}

impl Unit {
    /// A new unit below another. Districts and provinces have a province code; whether the province exists is known to
    /// the register, and not asked here.
    ///
    /// # Errors
    /// [`UnitUnfit`]
    pub fn new(
        code: OfficeCode,
        kind: UnitKind,
        province: Option<ProvinceCode>,
        name: UnitName,
        parent: OfficeCode,
        today: Date,
    ) -> Result<Self, UnitUnfit> {
        match kind {
            UnitKind::National => return Err(UnitUnfit::SecondNational),
            UnitKind::District | UnitKind::Province if province.is_none() => return Err(UnitUnfit::ProvinceMissing),
            UnitKind::Centre | UnitKind::District | UnitKind::Province => {}
        }
        Ok(Self { code, kind, province, version: 1, name, parent: Some(parent), valid_from: today })
    }

    /// Returns the next version of the unit, with another name or parent from `today` on.
    ///
    /// # Errors
    /// [`UnitUnfit::NothingChanges`], [`UnitUnfit::NationalStandsAbove`]
    pub fn change(&self, name: Option<UnitName>, parent: Option<OfficeCode>, today: Date) -> Result<Self, UnitUnfit> {
        if parent.is_some() && self.kind == UnitKind::National {
            return Err(UnitUnfit::NationalStandsAbove);
        }
        let next = Self {
            name: name.unwrap_or_else(|| self.name.clone()),
            parent: parent.or_else(|| self.parent.clone()),
            version: self.version + 1,
            valid_from: today,
            ..self.clone()
        };
        if (&next.name, &next.parent) == (&self.name, &self.parent) {
            return Err(UnitUnfit::NothingChanges);
        }
        Ok(next)
    }
}

/// Why a unit cannot be so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum UnitUnfit {
    /// An empty or long name.
    #[error("the name of a unit has 1 to 200 characters")]
    Name,
    /// The national office has no unit above it.
    #[error("the national office stands above all units")]
    NationalStandsAbove,
    /// Name and parent are what they were.
    #[error("name and parent are already so")]
    NothingChanges,
    /// A district or province without province code.
    #[error("districts and provinces have a province code")]
    ProvinceMissing,
    /// There is one national office.
    #[error("there is one national office, and it exists from the start")]
    SecondNational,
}

/// Longest period of the calendar that is answered at once, in days.
pub const LONGEST_PERIOD: i64 = 366;

/// Checks a period of the calendar.
///
/// # Errors
/// [`PeriodUnfit::Reversed`], [`PeriodUnfit::TooLong`]
pub fn check_period(from: Date, to: Date) -> Result<(), PeriodUnfit> {
    match (to - from).whole_days() {
        days if days < 0 => Err(PeriodUnfit::Reversed),
        days if days >= LONGEST_PERIOD => Err(PeriodUnfit::TooLong),
        _ => Ok(()),
    }
}

/// Why a period cannot be so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PeriodUnfit {
    /// It ends before it begins.
    #[error("the period ends before it begins")]
    Reversed,
    /// It is too long to be answered.
    #[error("the period has more than {LONGEST_PERIOD} days")]
    TooLong,
}

/// Returns the text tidy, if it has 1 to `most` characters.
#[must_use]
pub(super) fn short(text: &str, most: usize) -> Option<String> {
    tidy(text).filter(|text| text.chars().count() <= most)
}

/// The version of a unit that an officer recorded, and when; no officer recorded the first of the national office.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The unit as it was from then on.
    pub unit: Unit,
    /// The officer.
    pub by: Option<OfficerId>,
    /// The moment.
    pub at: OffsetDateTime,
}

/// Why a verb of this office is refused.
#[derive(Debug, Error)]
pub enum OfficesError {
    /// A unit with this code exists.
    #[error("a unit has this code")]
    CodeTaken,
    /// The new parent is the unit itself or stands below it.
    #[error("the parent stands below the unit")]
    Cycle,
    /// The name of a day.
    #[error("the name of a day has 1 to 100 characters")]
    DayName,
    /// The unit was changed after the officer looked at it.
    #[error("the unit was changed since")]
    MovedOn,
    /// The unit is dissolved.
    #[error(transparent)]
    OfficeEnded(#[from] OfficeEnded),
    /// The national office decides this.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The parent is no unit.
    #[error("the parent is no unit")]
    ParentUnknown,
    /// A period.
    #[error(transparent)]
    Period(#[from] PeriodUnfit),
    /// The one who proposed it is no administrator of the national office any more.
    #[error("the administrator who proposed it has left that post: propose it anew")]
    ProposalStale,
    /// Nothing waits about the day, or something else than was read.
    #[error("nothing of this kind and name waits about the day: read the calendar again")]
    ProposalUnknown,
    /// No reason.
    #[error("the reason has 1 to 400 characters")]
    ReasonMissing,
    /// The same administrator twice.
    #[error("another administrator than the one who proposed it")]
    SecondOfficer,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The unit cannot be so.
    #[error(transparent)]
    UnitUnfit(#[from] UnitUnfit),
    /// No such unit.
    #[error("unit unknown")]
    UnitUnknown,
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn name(text: &str) -> UnitName {
        text.parse().unwrap()
    }

    fn district() -> Result<Unit, UnitUnfit> {
        let (code, parent) = ("001-001".parse().unwrap(), OfficeCode::national());
        Unit::new(code, UnitKind::District, "001".parse().ok(), name("Quận Mẫu"), parent, date!(2026 - 11 - 25))
    }

    #[test]
    fn the_words_of_kinds_are_those_of_serde() {
        for kind in UnitKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert_eq!(kind.word().parse(), Ok(kind));
        }
    }

    #[test]
    fn a_change_makes_the_next_version_and_one_that_changes_nothing_is_refused() {
        let unit = district().unwrap();
        let next = unit.change(Some(name("Quận Mới")), None, date!(2026 - 11 - 26)).unwrap();
        assert_eq!((next.version, next.parent.as_ref()), (2, unit.parent.as_ref()));
        assert_eq!(next.valid_from, date!(2026 - 11 - 26));
        let same = unit.change(Some(name(" Quận  Mẫu ")), unit.parent.clone(), date!(2026 - 11 - 26));
        assert_eq!(same, Err(UnitUnfit::NothingChanges));
    }
}
