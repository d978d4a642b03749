//! Judges evidence: a pure function, the same for a kiosk and a station.
//!
//! Two rules: The list of data groups comes from the **verified** hash table only; EF.COM is unsigned and is merely
//! compared with it. Whenever that table lists DG14 or DG15, the chip must prove that it holds a private key: a copy of
//! all files, with or without an EF.COM that hides these groups, does not pass.

use std::fmt::Write as _;

use time::{OffsetDateTime, UtcOffset};

use super::Outcome::{NotChecked, Proved, Refuted};
use super::holder::SignedGroups;
use super::{Access, Check, Evidence, FileReading, Finding, Holder, Judgement, Outcome, Password, Protocol, Verdict};
use crate::active_auth;
use crate::conversation::Fault;
use crate::identity::{Date, FullName, PersonalNumber, Sex};
use crate::lds::dg13::NO_EXPIRY;
use crate::lds::{CardAccess, Com, DataGroup, Dg1, Dg13, Dg14, Dg15, File};
use crate::mrz::{MrzDate, Td1};
use crate::pki::trust_bundle::TrustBundle;
use crate::pki::{Revocation, TrustStore, spki};
use crate::sod::{Sod, SodError, VerifiedSod};

/// Trust anchors, revocation lists and revoked documents against which a document is judged.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    store: &'a TrustStore,
    bundle: Option<&'a TrustBundle>,
}

impl<'a> From<&'a TrustBundle> for Trust<'a> {
    fn from(bundle: &'a TrustBundle) -> Self {
        Self { store: bundle.trust_store(), bundle: Some(bundle) }
    }
}

/// Anchors alone, without a list of revoked documents.
impl<'a> From<&'a TrustStore> for Trust<'a> {
    fn from(store: &'a TrustStore) -> Self {
        Self { store, bundle: None }
    }
}

/// Judges the evidence at the moment `at`, whose offset decides on which day a card expires.
///
/// Returns the verdict, and beside it the holder from the data groups that were proved to be signed.
pub fn judge<'a>(evidence: &Evidence, trust: impl Into<Trust<'a>>, at: OffsetDateTime) -> Judgement {
    let mut judge = Judge { evidence, trust: trust.into(), at, findings: Vec::new() };
    judge.access();
    let sod = judge.sod();
    judge.group_list(sod.as_ref());
    let groups = judge.groups(sod.as_ref());
    judge.card_access(&groups);
    judge.clone_protection(sod.as_ref(), &groups);
    judge.mrz(sod.as_ref(), &groups);
    judge.validity(&groups);
    judge.revocation(sod.as_ref());
    Judgement { verdict: Verdict::new(judge.findings), holder: Holder::of(&groups) }
}

struct Judge<'a> {
    evidence: &'a Evidence,
    trust: Trust<'a>,
    at: OffsetDateTime,
    findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    /// Adds a finding whose proof is required for a trusted card.
    fn demand(&mut self, name: Check, outcome: Outcome, reason: impl Into<String>) {
        self.findings.push(Finding { name, outcome, reason: reason.into(), required: true });
    }

    /// Adds a finding that counts only if it is refuted.
    fn note(&mut self, name: Check, outcome: Outcome, reason: impl Into<String>) {
        self.findings.push(Finding { name, outcome, reason: reason.into(), required: false });
    }

    /// Returns the day of a moment where the card is judged.
    fn day_of(&self, moment: OffsetDateTime) -> time::Date {
        moment.to_offset(self.at.offset()).date()
    }

    fn access(&mut self) {
        let Access { way, failed, pace_announced } = &self.evidence.access;
        let mut tried = String::new();
        for (way, fault) in failed {
            let _ = write!(tried, "; {way} did not: {fault}"); // writing to a string does not fail
        }
        match way {
            Some(way) => {
                if *way == super::AccessProtocol::Bac {
                    tried.push_str(match pace_announced {
                        true => "; fallback: PACE is announced and was not used",
                        false => "; the chip announces no PACE",
                    });
                }
                self.demand(Check::Access, Proved, format!("{way} opened the chip{tried}"));
            }
            None => self.demand(Check::Access, NotChecked, format!("nothing opened the chip{tried}")),
        }
    }

    fn sod(&mut self) -> Option<VerifiedSod> {
        let unasked = "there is no sound signature to ask about";
        let Some(raw) = self.evidence.file(File::Sod) else {
            self.demand(Check::SodSignature, NotChecked, "EF.SOD was not read");
            self.demand(Check::DocumentSigner, NotChecked, unasked);
            return None;
        };
        let error = match Sod::parse(raw).and_then(|sod| sod.verify(self.trust.store, self.at)) {
            Err(error) => error,
            Ok(sod) => {
                let signer = sod.signer();
                let revocation = match signer.revocation() {
                    Revocation::Clear { as_of } => format!("not revoked as of {}", self.day_of(as_of)),
                    Revocation::NotChecked => "no revocation list of its country".to_owned(),
                    Revocation::Stale { as_of } => {
                        format!("not revoked as of {}, a newer list was due", self.day_of(as_of))
                    }
                };
                let chain = format!("signed by the {} CSCA that is trusted; {revocation}", signer.country());
                let hash = format!("holds, over {} hashes of {:?}", sod.groups().len(), sod.hash());
                self.demand(Check::SodSignature, Proved, hash);
                self.demand(Check::DocumentSigner, Proved, chain);
                return Some(sod);
            }
        };
        // An unsupported algorithm is no proof of a forgery.
        let outcome = if error.is_unsupported() { NotChecked } else { Refuted };
        match error {
            SodError::Chain(error) => {
                let reason = "holds under the certificate inside, which itself is not trusted";
                self.demand(Check::SodSignature, Proved, reason);
                self.demand(Check::DocumentSigner, outcome, error.to_string());
            }
            error => {
                self.demand(Check::SodSignature, outcome, error.to_string());
                self.demand(Check::DocumentSigner, NotChecked, unasked);
            }
        }
        None
    }

    fn group_list(&mut self, sod: Option<&VerifiedSod>) {
        let (outcome, reason) = match (sod, self.evidence.file(File::Com).map(Com::parse)) {
            (None, _) => (NotChecked, "no verified hash table to compare EF.COM with".to_owned()),
            (_, None) => (NotChecked, "EF.COM was not read; it proves nothing anyway".to_owned()),
            (_, Some(Err(error))) => (Refuted, error.to_string()),
            (Some(sod), Some(Ok(com))) => {
                let signed = sod.groups();
                let hidden: Vec<_> = signed.iter().filter(|group| !com.groups.contains(group)).collect();
                let added: Vec<_> = com.groups.iter().filter(|group| !signed.contains(group)).collect();
                if hidden.is_empty() && added.is_empty() {
                    (Proved, format!("EF.COM and the signed table both list {signed:?}"))
                } else {
                    (Refuted, format!("EF.COM hides {hidden:?} and adds {added:?} to what is signed"))
                }
            }
        };
        self.note(Check::DataGroupList, outcome, reason);
    }

    fn groups(&mut self, sod: Option<&VerifiedSod>) -> SignedGroups<'a> {
        let mut signed = SignedGroups::default();
        let Some(sod) = sod else {
            for file in self.evidence.files.keys() {
                if let File::DataGroup(group) = file {
                    let reason = "no verified hash table to compare it with";
                    self.findings.push(Finding {
                        name: Check::DataGroup(*group),
                        outcome: NotChecked,
                        reason: reason.to_owned(),
                        required: true,
                    });
                }
            }
            return signed;
        };
        for group in sod.groups() {
            let name = Check::DataGroup(group);
            match self.evidence.files.get(&File::DataGroup(group)) {
                Some(FileReading::Read(bytes)) => match signed.admit(sod, group, bytes) {
                    Ok(()) => self.demand(name, Proved, format!("{} bytes with the signed hash", bytes.len())),
                    Err(error) => self.demand(name, Refuted, error.to_string()),
                },
                // Fingers and irises can be read after terminal authentication only (Doc 9303-11 §7).
                _ if group == DataGroup::DG3 || group == DataGroup::DG4 => {
                    self.note(name, NotChecked, "needs terminal authentication");
                }
                Some(FileReading::Refused(fault)) => {
                    self.demand(
                        name,
                        Refuted,
                        format!("it is in the signed table, and the chip does not give it: {fault}"),
                    );
                }
                None => self.demand(name, NotChecked, "it was not read"),
            }
        }
        signed
    }

    /// Compares EF.CardAccess, which was read before anything was proved, with the signed DG14 (Doc 9303-11 §4.2,
    /// step 6). All PACE in DG14 must have been announced: an attacker who hides it makes the terminal fall back to
    /// BAC, or to a weaker suite.
    fn card_access(&mut self, groups: &SignedGroups<'_>) {
        let dg14 = groups.get(DataGroup::DG14).map(Dg14::parse);
        let Some(raw) = self.evidence.file(File::CardAccess) else {
            match dg14 {
                Some(Ok(dg14)) if dg14.0.pace().next().is_some() => {
                    self.demand(Check::CardAccess, Refuted, "the signed DG14 announces PACE, and the chip hides it");
                }
                _ => self.note(Check::CardAccess, NotChecked, "the chip has no EF.CardAccess"),
            }
            return;
        };
        let (outcome, reason) = match (CardAccess::parse(raw), dg14) {
            (Err(error), _) | (_, Some(Err(error))) => (Refuted, error.to_string()),
            (_, None) => (NotChecked, "there is no signed DG14 to confirm it".to_owned()),
            (Ok(access), Some(Ok(dg14))) => {
                let (open, signed) = (access.0, dg14.0);
                if open.0.iter().any(|info| !signed.0.contains(info)) {
                    (Refuted, "it has an entry that the signed DG14 does not have".to_owned())
                } else if signed.pace().any(|info| open.pace().all(|announced| announced != info)) {
                    (Refuted, "it hides PACE that the signed DG14 announces".to_owned())
                } else {
                    (Proved, "every entry stands in the signed DG14, and all PACE of that in it".to_owned())
                }
            }
        };
        self.demand(Check::CardAccess, outcome, reason);
    }

    fn clone_protection(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) {
        let chip = self.chip_authentication(sod, groups);
        let active = self.active_authentication(sod, groups);
        let Some(sod) = sod else {
            self.demand(Check::CloneProtection, NotChecked, "no verified hash table says what the chip can prove");
            return;
        };
        let listed: Vec<_> = [DataGroup::DG14, DataGroup::DG15].into_iter().filter(|group| sod.lists(*group)).collect();
        let demanded = match groups.get(DataGroup::DG14).map(Dg14::parse) {
            // With a DG14 that names protocols but no key, chip authentication cannot be demanded.
            Some(Ok(dg14)) if dg14.0.chip_authentication_keys().next().is_none() => sod.lists(DataGroup::DG15),
            _ => !listed.is_empty(),
        };
        match (demanded, [chip, active]) {
            (false, _) => {
                self.note(Check::CloneProtection, NotChecked, "this kind of document cannot prove that it is no copy");
            }
            (true, [Proved, _]) => self.demand(Check::CloneProtection, Proved, "by chip authentication"),
            (true, [_, Proved]) => self.demand(Check::CloneProtection, Proved, "by active authentication"),
            (true, outcomes) => {
                let unable = outcomes.contains(&NotChecked) && self.unsupported(groups);
                let outcome = if unable { NotChecked } else { Refuted };
                let reason =
                    format!("the signed table lists {listed:?}: the chip must prove that it is no copy, and did not");
                self.demand(Check::CloneProtection, outcome, reason);
            }
        }
    }

    /// Returns whether a proof failed because this crate does not support it.
    fn unsupported(&self, groups: &SignedGroups<'_>) -> bool {
        let key = groups.get(DataGroup::DG15).and_then(|raw| Dg15::parse(raw).ok()).map(|dg15| spki::parse(&dg15.spki));
        matches!(self.evidence.chip_authentication, Protocol::Failed(Fault::Unsupported(_)))
            || matches!(self.evidence.active_authentication, Protocol::Failed(Fault::Unsupported(_)))
            || matches!(key, Some(Err(error)) if error.is_unsupported())
    }

    fn chip_authentication(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) -> Outcome {
        let keys = groups.get(DataGroup::DG14).map(Dg14::parse);
        let (outcome, reason) = match (&self.evidence.chip_authentication, keys) {
            (_, None) if sod.is_some_and(|sod| !sod.lists(DataGroup::DG14)) => {
                (NotChecked, "the document has no DG14".to_owned())
            }
            (_, None) => (NotChecked, "there is no signed DG14 to take the key from".to_owned()),
            (_, Some(Err(error))) => (Refuted, error.to_string()),
            (Protocol::Done(done), Some(Ok(dg14))) => {
                match dg14.0.chip_authentication_keys().any(|key| key.spki == done.spki) {
                    true => {
                        (Proved, "the chip speaks under a key that only the signed one's owner can agree".to_owned())
                    }
                    false => (Refuted, "it was run with a key that is not in the signed DG14".to_owned()),
                }
            }
            (Protocol::Failed(fault @ Fault::Unsupported(_)), Some(Ok(_))) => (NotChecked, fault.to_string()),
            (Protocol::Failed(fault), Some(Ok(_))) => (Refuted, fault.to_string()),
            (Protocol::NotTried, Some(Ok(_))) => (NotChecked, "it was not run".to_owned()),
        };
        self.note(Check::ChipAuthentication, outcome, reason);
        outcome
    }

    fn active_authentication(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) -> Outcome {
        let key = groups.get(DataGroup::DG15).map(Dg15::parse);
        let (outcome, reason) = match (&self.evidence.active_authentication, key) {
            (_, None) if sod.is_some_and(|sod| !sod.lists(DataGroup::DG15)) => {
                (NotChecked, "the document has no DG15".to_owned())
            }
            (_, None) => (NotChecked, "there is no signed DG15 to take the key from".to_owned()),
            (_, Some(Err(error))) => (Refuted, error.to_string()),
            (Protocol::Done(done), Some(Ok(dg15))) => {
                let dg14 = groups.get(DataGroup::DG14).and_then(|raw| Dg14::parse(raw).ok());
                let hash = dg14.and_then(|dg14| dg14.0.active_authentication()).and_then(active_auth::hash_of);
                match spki::parse(&dg15.spki) {
                    Err(error) => (NotChecked, format!("the key in DG15: {error}")),
                    Ok(key) => match active_auth::terminal::verify(&key, hash, &done.challenge, &done.signature) {
                        Ok(()) => (Proved, "the chip signed the challenge with the key in the signed DG15".to_owned()),
                        Err(error) => (Refuted, error.to_string()),
                    },
                }
            }
            (Protocol::Failed(fault @ Fault::Unsupported(_)), Some(Ok(_))) => (NotChecked, fault.to_string()),
            (Protocol::Failed(fault), Some(Ok(_))) => (Refuted, fault.to_string()),
            (Protocol::NotTried, Some(Ok(_))) => (NotChecked, "it was not run".to_owned()),
        };
        self.note(Check::ActiveAuthentication, outcome, reason);
        outcome
    }

    fn mrz(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) {
        let Some(dg1) = groups.get(DataGroup::DG1) else {
            self.demand(Check::MrzConsistency, NotChecked, "there is no signed DG1");
            return;
        };
        let (outcome, reason) = match Dg1::parse(dg1) {
            Err(error) => (Refuted, error.to_string()),
            Ok(dg1) => match agree(&dg1, groups.get(DataGroup::DG13), self.evidence.password.as_ref(), sod) {
                Ok(agreed) if agreed.is_empty() => (NotChecked, "there is nothing to compare DG1 with".to_owned()),
                Ok(agreed) => (Proved, format!("DG1 agrees with {}", agreed.join(", "))),
                Err(reason) => (Refuted, reason.to_owned()),
            },
        };
        self.demand(Check::MrzConsistency, outcome, reason);
    }

    fn validity(&mut self, groups: &SignedGroups<'_>) {
        let today = self.at.date();
        let judged = format!("judged on {today}, the civil day in UTC{}", offset(self.at.offset()));
        let expiry = groups.get(DataGroup::DG1).map(|raw| Dg1::parse(raw).map(|dg1| expiry_of(&dg1)));
        let (outcome, reason) = match expiry {
            None => (NotChecked, "there is no signed DG1".to_owned()),
            Some(Ok(Some(MrzDate::NO_EXPIRY))) => (Proved, "the card does not expire".to_owned()),
            Some(Ok(Some(date))) => match date.expiry() {
                Some(day) if day >= today => (Proved, format!("valid until {day}, {judged}")),
                Some(day) => (Refuted, format!("expired on {day}, {judged}")),
                None => (Refuted, "the date of expiry is no date".to_owned()),
            },
            Some(_) => (NotChecked, "the MRZ is of no size that we know".to_owned()),
        };
        self.demand(Check::Validity, outcome, reason);
    }

    fn revocation(&mut self, sod: Option<&VerifiedSod>) {
        let Some(bundle) = self.trust.bundle else {
            self.demand(Check::Revocation, NotChecked, "there is no trust bundle, so no list of revoked documents");
            return;
        };
        let (issued, stale) = (self.day_of(bundle.issued_at()), bundle.is_stale(self.at));
        let (outcome, reason) = match sod {
            None => (NotChecked, "no verified EF.SOD to look for".to_owned()),
            Some(sod) if bundle.is_revoked(sod.fingerprint()) => {
                (Refuted, format!("the document is on the list of revoked documents of {issued}"))
            }
            Some(_) if stale => (NotChecked, format!("not on the list of {issued}, but a newer list was due")),
            Some(_) => (Proved, format!("not on the list of revoked documents of {issued}")),
        };
        self.demand(Check::Revocation, outcome, reason);
        let due = self.day_of(bundle.contents().next_update);
        match stale {
            true => {
                self.demand(Check::BundleFreshness, NotChecked, format!("the next bundle was due on {due}"));
            }
            false => self.demand(Check::BundleFreshness, Proved, format!("the next bundle is due on {due}")),
        }
    }
}

/// Compares DG1 with its signer, the printed password and DG13. Returns what agrees with it; the error
/// says what contradicts it.
fn agree(
    dg1: &Dg1,
    dg13: Option<&[u8]>,
    password: Option<&Password>,
    sod: Option<&VerifiedSod>,
) -> Result<Vec<&'static str>, &'static str> {
    let mut agreed = Vec::new();
    if let (Some(sod), Some((code, state))) = (sod, origin(dg1)) {
        let signer = sod.signer();
        if signer.issuing_state().is_some_and(|own| own != state) {
            return Err("the document claims another issuing State than its signer's");
        }
        // A type of one letter stands for all that begin with it (Doc 9303-12 §7.1.1).
        if signer.document_types().is_some_and(|types| !types.iter().any(|own| code.starts_with(own.as_str()))) {
            return Err("the signer may not sign documents of this type");
        }
        agreed.push("the State and the types of its signer");
    }
    if let Some(Password::Mrz(printed)) = password {
        match dg1.key() {
            Ok(key) if key.information() == printed.information() => agreed.push("the printed MRZ"),
            _ => return Err("the printed MRZ is not that of DG1"),
        }
    }
    let Some(td1) = dg1.td1() else {
        return if dg13.is_some() { Err("DG1 has no sound TD1 zone to compare DG13 with") } else { Ok(agreed) };
    };
    agreed.push("its own check digits");
    if let Some(raw) = dg13 {
        let dg13 = Dg13::parse(raw).map_err(|_| "DG13 cannot be read")?;
        let implied = zone_of(&dg13).ok_or("DG13 lacks what the MRZ is made of")?;
        let same = implied.compose().ok().zip(td1.compose().ok()).is_some_and(|(a, b)| a == b);
        if !same {
            return Err("DG1 and DG13 speak of different persons or cards");
        }
        agreed.push("DG13");
        // The card access number of the citizen card is a rule of its issuer, so it is asked only
        // of cards that have a DG13.
        if let (Some(Password::Can(can)), Some(number)) = (password, td1.personal_number()) {
            if number.can() != *can {
                return Err("the printed CAN does not belong to the personal number");
            }
            agreed.push("the printed CAN");
        }
    }
    Ok(agreed)
}

/// Returns document code and issuing State, without fillers, from a zone of any size.
fn origin(dg1: &Dg1) -> Option<(String, String)> {
    match dg1 {
        Dg1::Td1(td1) => Some((td1.document_code.clone(), td1.issuing_state.clone())),
        Dg1::Other(zone) => {
            let text = |from: usize, to: usize| {
                Some(std::str::from_utf8(zone.get(from..to)?).ok()?.trim_end_matches('<').to_owned())
            };
            Some((text(0, 2)?, text(2, 5)?))
        }
    }
}

/// Returns the MRZ that follows from DG13.
fn zone_of(dg13: &Dg13) -> Option<Td1> {
    let number: PersonalNumber = dg13.number.as_ref()?.parse().ok()?;
    let name: FullName = dg13.name.as_ref()?.parse().ok()?;
    let birth: Date = dg13.birth.as_ref()?.parse().ok()?;
    let sex: Sex = dg13.sex.as_ref()?.parse().ok()?;
    let expiry = match dg13.expiry.as_ref()?.as_str() {
        NO_EXPIRY => None,
        date => Some(date.parse::<Date>().ok()?.full()?),
    };
    Td1::of_citizen(&number, &name, sex, birth, expiry).ok()
}

/// Returns the date of expiry, from a zone of any size (Doc 9303-4, -5 and -6, §4.2.2).
pub(super) fn expiry_of(dg1: &Dg1) -> Option<MrzDate> {
    match dg1 {
        Dg1::Td1(td1) => Some(td1.expiry),
        Dg1::Other(zone) => {
            let at = match zone.len() {
                72 => 57, // TD2
                88 => 65, // TD3
                90 => 38, // TD1 with wrong check digits
                _ => return None,
            };
            std::str::from_utf8(zone.get(at..at + 6)?).ok()?.parse().ok()
        }
    }
}

/// `+07:00`
fn offset(offset: UtcOffset) -> String {
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
}

#[cfg(test)]
mod tests;
