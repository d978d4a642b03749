//! The holder of a card, from proved data groups only.

use std::collections::BTreeMap;
use std::fmt;

use super::Verdict;
use super::judge::expiry_of;
use crate::identity::{DocumentNumber, PersonalNumber, Sex};
use crate::lds::{DataGroup, Dg1, Dg2, Dg13};
use crate::mrz::{MrzDate, MrzName, Td1};
use crate::sod::{GroupError, VerifiedSod};

/// Result of [`super::judge`]: the verdict, and the holder as far as the signed data groups tell.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// One finding per check.
    pub verdict: Verdict,
    /// `None` if no data group about the holder was proved to be signed. A holder alone does not make a card good: it
    /// may be revoked, expired or a copy, which the verdict says.
    pub holder: Option<Holder>,
}

/// Data groups whose bytes have the hash that a verified EF.SOD lists. Only [`Self::admit`] adds one.
#[derive(Default)]
pub(super) struct SignedGroups<'a>(BTreeMap<DataGroup, &'a [u8]>);

impl<'a> SignedGroups<'a> {
    /// Adds a group if its hash agrees.
    pub(super) fn admit(&mut self, sod: &VerifiedSod, group: DataGroup, bytes: &'a [u8]) -> Result<(), GroupError> {
        sod.check(group, bytes)?;
        self.0.insert(group, bytes);
        Ok(())
    }

    /// Returns the bytes of a group, if they were admitted.
    pub(super) fn get(&self, group: DataGroup) -> Option<&'a [u8]> {
        self.0.get(&group).copied()
    }
}

/// What the signed data groups of a card say of its holder. Only [`super::judge`] makes one, so what
/// it returns may be shown.
///
/// Each part is `None` if its data group was not read, is not in the signed table, has another
/// hash or cannot be parsed.
///
/// ```compile_fail,E0451
/// let unproved = crypto::inspection::Holder { dg1: None, portrait: None, particulars: None };
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Holder {
    dg1: Option<Dg1>,
    portrait: Option<Dg2>,
    particulars: Option<Dg13>,
}

impl Holder {
    /// Returns the holder, or `None` if no group says anything of one.
    pub(super) fn of(groups: &SignedGroups<'_>) -> Option<Self> {
        let holder = Self {
            dg1: groups.get(DataGroup::DG1).and_then(|raw| Dg1::parse(raw).ok()),
            portrait: groups.get(DataGroup::DG2).and_then(|raw| Dg2::parse(raw).ok()),
            particulars: groups.get(DataGroup::DG13).and_then(|raw| Dg13::parse(raw).ok()),
        };
        let empty = holder.dg1.is_none() && holder.portrait.is_none() && holder.particulars.is_none();
        (!empty).then_some(holder)
    }

    /// Returns the proved DG1.
    pub fn dg1(&self) -> Option<&Dg1> {
        self.dg1.as_ref()
    }

    /// Returns the name in the MRZ: Latin capitals, possibly truncated.
    pub fn name(&self) -> Option<&MrzName> {
        self.td1().map(|td1| &td1.name)
    }

    /// Returns the personal number in the MRZ's optional data, if its check digit fits.
    pub fn personal_number(&self) -> Option<PersonalNumber> {
        self.td1().and_then(Td1::personal_number)
    }

    /// Returns the date of birth in the MRZ.
    pub fn birth(&self) -> Option<MrzDate> {
        self.td1().map(|td1| td1.birth)
    }

    /// Returns the sex in the MRZ; `None` also if the document does not specify it.
    pub fn sex(&self) -> Option<Sex> {
        self.td1().and_then(|td1| td1.sex)
    }

    /// Returns the nationality in the MRZ, without fillers: `VNM`.
    pub fn nationality(&self) -> Option<&str> {
        self.td1().map(|td1| td1.nationality.as_str())
    }

    /// Returns the document number in the MRZ.
    pub fn document_number(&self) -> Option<&DocumentNumber> {
        self.td1().map(|td1| &td1.document_number)
    }

    /// Returns the date of expiry in the MRZ, of whatever size; [`MrzDate::NO_EXPIRY`] if the card never expires.
    pub fn expiry(&self) -> Option<MrzDate> {
        self.dg1.as_ref().and_then(expiry_of)
    }

    /// Returns the portrait of DG2: image file, format and size.
    pub fn portrait(&self) -> Option<&Dg2> {
        self.portrait.as_ref()
    }

    /// Returns the particulars of DG13, in Vietnamese.
    pub fn particulars(&self) -> Option<&Dg13> {
        self.particulars.as_ref()
    }

    fn td1(&self) -> Option<&Td1> {
        self.dg1.as_ref().and_then(Dg1::td1)
    }
}

/// Shows which groups were proved, and nothing personal.
impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("dg1", &self.dg1.is_some())
            .field("portrait", &self.portrait.is_some())
            .field("particulars", &self.particulars.is_some())
            .finish()
    }
}
