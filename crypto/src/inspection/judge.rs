//! Judges evidence: a pure function, the same for a kiosk and a station.
//!
//! Three rules: only what contradicts refutes; what was not asked, or could not be, is not checked. The list of data
//! groups comes from the **verified** hash table only; EF.COM is unsigned and is merely compared with it. Whenever that
//! table lists DG14 or DG15, the chip must prove that it holds a private key: a copy of all files, with or without an
//! EF.COM that hides these groups, does not pass.

mod document;
mod person;
mod proofs;

use std::fmt::Write as _;

use time::{OffsetDateTime, UtcOffset};

use super::Outcome::{NotChecked, Proved, Refuted};
use super::holder::SignedGroups;
use super::{Access, Check, Evidence, FileReading, Finding, Holder, Judgement, Outcome, Verdict};
use crate::apdu::Status;
use crate::conversation::Fault;
use crate::identity::civil_time::to_the_minute;
use crate::lds::{CardAccess, Com, DataGroup, Dg1, Dg14, File};
use crate::mrz::MrzDate;
use crate::pki::trust_bundle::TrustBundle;
use crate::pki::{Revocation, TrustStore};
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
    let mut judge = Judge { evidence, trust: trust.into(), at, unknown_issuer: false, findings: Vec::new() };
    judge.access();
    let sod = judge.sod();
    judge.group_list(sod.as_ref());
    let groups = judge.groups(sod.as_ref());
    judge.card_access(&groups);
    let profile = judge.profile(sod.as_ref());
    judge.clone_protection(sod.as_ref(), &groups, profile);
    judge.issuing_state(sod.as_ref(), &groups);
    judge.document_type(sod.as_ref(), &groups);
    judge.mrz(&groups);
    judge.validity(&groups);
    judge.revocation(sod.as_ref());
    Judgement { verdict: Verdict::new(judge.findings), holder: Holder::of(&groups) }
}

struct Judge<'a> {
    evidence: &'a Evidence,
    trust: Trust<'a>,
    at: OffsetDateTime,
    /// Whether the signer's issuer is no anchor that we have.
    unknown_issuer: bool,
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
            let reason = format!("no EF.SOD: {}", self.absence(File::Sod));
            self.demand(Check::SodSignature, NotChecked, reason);
            self.demand(Check::DocumentSigner, NotChecked, unasked);
            return None;
        };
        let error = match Sod::parse(raw).and_then(|sod| sod.verify(self.trust.store, self.at)) {
            Err(error) => error,
            Ok(sod) => {
                self.signer_found(&sod);
                return Some(sod);
            }
        };
        // An unsupported algorithm is no proof of a forgery, and a clock that is behind none either.
        let clock = error.not_before().map(|from| {
            let from = from.to_offset(self.at.offset());
            format!("; {}, and it cannot be before {}", self.clock(), to_the_minute(from))
        });
        let outcome = if error.is_unsupported() || clock.is_some() { NotChecked } else { Refuted };
        let reason = format!("{error}{}", clock.unwrap_or_default());
        match error {
            SodError::Chain(error) if error.is_unknown_issuer() => {
                self.unknown_issuer = true;
                let reason = "holds under the certificate inside, whose issuer is not known here";
                self.demand(Check::SodSignature, Proved, reason);
                self.demand(Check::IssuerKnown, NotChecked, error.to_string());
                self.demand(Check::DocumentSigner, NotChecked, "there is no trust anchor to judge it by");
            }
            SodError::Chain(_) => {
                let inside = "holds under the certificate inside, which itself is not trusted";
                self.demand(Check::SodSignature, Proved, inside);
                self.demand(Check::DocumentSigner, outcome, reason);
            }
            _ => {
                self.demand(Check::SodSignature, outcome, reason);
                self.demand(Check::DocumentSigner, NotChecked, unasked);
            }
        }
        None
    }

    fn signer_found(&mut self, sod: &VerifiedSod) {
        let signer = sod.signer();
        let (outcome, revocation) = match signer.revocation() {
            Revocation::Clear { as_of } => (Proved, format!("not revoked as of {}", self.day_of(as_of))),
            Revocation::Lost => (NotChecked, "the revocation list of its country cannot be used".to_owned()),
            Revocation::NotChecked => (Proved, "no revocation list of its country".to_owned()),
            Revocation::Stale { as_of } => {
                (Proved, format!("not revoked as of {}, a newer list was due", self.day_of(as_of)))
            }
        };
        let chain = format!("signed by the {} CSCA that is trusted; {revocation}", signer.country());
        let hash = format!("holds, over {} hashes of {:?}", sod.groups().len(), sod.hash());
        self.demand(Check::SodSignature, Proved, hash);
        self.demand(Check::IssuerKnown, Proved, signer.anchor().subject().to_string());
        self.demand(Check::DocumentSigner, outcome, chain);
    }

    /// Names the clock that this judgement goes by.
    fn clock(&self) -> String {
        format!("this computer's clock says {}", to_the_minute(self.at))
    }

    /// Says why a file is not in the evidence.
    fn absence(&self, file: File) -> String {
        match self.evidence.files.get(&file) {
            Some(FileReading::NotAsked(step, fault)) => {
                format!("it was not asked for: the secure channel ended in step {step}: {fault}")
            }
            Some(FileReading::Refused(fault)) => format!("the chip does not give it: {fault}"),
            Some(FileReading::Read(_)) | None => "it was not read".to_owned(),
        }
    }

    fn group_list(&mut self, sod: Option<&VerifiedSod>) {
        let (outcome, reason) = match (sod, self.evidence.file(File::Com).map(Com::parse)) {
            (None, _) => (NotChecked, "no verified hash table to compare EF.COM with".to_owned()),
            (_, None) => (NotChecked, format!("no EF.COM, which proves nothing anyway: {}", self.absence(File::Com))),
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
                    let without_right = matches!(fault, Fault::Refused { status, .. } if NO_RIGHT.contains(status));
                    let outcome = if without_right { NotChecked } else { said_by(fault) };
                    let reason = format!("it is in the signed table; {}", self.absence(group.into()));
                    self.demand(name, outcome, reason);
                }
                Some(FileReading::NotAsked(..)) | None => {
                    let reason = self.absence(group.into());
                    self.demand(name, NotChecked, reason);
                }
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
                _ => {
                    let reason = format!("no EF.CardAccess: {}", self.absence(File::CardAccess));
                    self.note(Check::CardAccess, NotChecked, reason);
                }
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

    fn validity(&mut self, groups: &SignedGroups<'_>) {
        let today = self.at.date();
        let judged = format!("judged on {today}, the civil day in UTC{}", offset(self.at.offset()));
        let expiry = groups.get(DataGroup::DG1).map(|raw| Dg1::parse(raw).map(|dg1| expiry_of(&dg1)));
        let (outcome, reason) = match expiry {
            None => (NotChecked, "there is no signed DG1".to_owned()),
            Some(Ok(Some(MrzDate::NO_EXPIRY))) => (Proved, "the card does not expire".to_owned()),
            Some(Ok(Some(date))) => match date.expiry() {
                Some(day) if day >= today => (Proved, format!("valid until {day}, {judged}")),
                Some(day) => (Refuted, format!("expired on {day}, {judged}; {}", self.clock())),
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
                let reason = format!("the next bundle was due on {due}; {}", self.clock());
                self.demand(Check::BundleFreshness, NotChecked, reason);
            }
            false => self.demand(Check::BundleFreshness, Proved, format!("the next bundle is due on {due}")),
        }
        let losses: Vec<String> = bundle.losses().iter().map(ToString::to_string).collect();
        match losses.is_empty() {
            true => self.note(Check::BundleCompleteness, Proved, "every authority and list in it can be used"),
            false => self.note(Check::BundleCompleteness, NotChecked, format!("cannot be used: {}", losses.join("; "))),
        }
    }
}

/// Returns what a fault says of the card: nothing if it can as well be the reader's or this program's, else that the
/// card is not as it must be. A copy can choose its status word, so what is not proved is never trusted either.
fn said_by(fault: &Fault) -> Outcome {
    match fault {
        Fault::Refused { status, .. } if READERS_SIDE.contains(status) => NotChecked,
        Fault::Misbehaved(_) | Fault::Refused { .. } => Refuted,
        Fault::Unsupported(_) | Fault::WrongPassword { .. } => NotChecked,
    }
}

/// Status words for a length that reader and chip do not both carry, and for an error inside the chip.
const READERS_SIDE: [Status; 3] = [Status::WRONG_LENGTH, Status::MEMORY_FAILURE, Status::NO_DIAGNOSIS];
/// Status words for a right that the terminal has not; other States protect more groups than fingers and irises.
const NO_RIGHT: [Status; 2] = [Status::SECURITY_NOT_SATISFIED, Status::CONDITIONS_NOT_SATISFIED];

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
