//! Whether this is the chip that was issued, and no copy of its files.

use super::Outcome::{NotChecked, Proved, Refuted};
use super::{Check, Judge, Outcome, SignedGroups, said_by};
use crate::active_auth;
use crate::inspection::{DocumentProfile, FileReading, Protocol};
use crate::lds::{DataGroup, Dg14, Dg15, File};
use crate::pki::spki;
use crate::sod::VerifiedSod;

impl Judge<'_> {
    pub(super) fn clone_protection(
        &mut self,
        sod: Option<&VerifiedSod>,
        groups: &SignedGroups<'_>,
        profile: Option<DocumentProfile>,
    ) {
        let chip = self.chip_authentication(sod, groups);
        let active = self.active_authentication(sod, groups);
        let Some(sod) = sod else {
            self.demand(Check::CloneProtection, NotChecked, "no verified hash table says what the chip can prove");
            return;
        };
        let listed: Vec<_> = [DataGroup::DG14, DataGroup::DG15].into_iter().filter(|group| sod.lists(*group)).collect();
        let able = match groups.get(DataGroup::DG14).map(Dg14::parse) {
            // With a DG14 that names protocols but no key, chip authentication cannot be demanded.
            Some(Ok(dg14)) if dg14.0.chip_authentication_keys().next().is_none() => sod.lists(DataGroup::DG15),
            _ => !listed.is_empty(),
        };
        match (able, [chip, active]) {
            (false, _) => match profile.filter(|profile| profile.clone_protection) {
                Some(DocumentProfile { name, .. }) => {
                    let reason =
                        format!("every {name} can prove that it is no copy, and this one has no key to prove it");
                    self.demand(Check::CloneProtection, NotChecked, reason);
                }
                None => {
                    let reason = "this document has no key to prove that it is no copy";
                    self.note(Check::CloneProtection, NotChecked, reason);
                }
            },
            (true, [Proved, _]) => self.demand(Check::CloneProtection, Proved, "by chip authentication"),
            (true, [_, Proved]) => self.demand(Check::CloneProtection, Proved, "by active authentication"),
            (true, outcomes) => {
                // Refuted only by what the chip did: a wrong proof, or a key that it has and hides.
                let hides = |group: &DataGroup| match self.evidence.files.get(&File::DataGroup(*group)) {
                    Some(FileReading::Refused(fault)) => said_by(fault) == Refuted,
                    _ => false,
                };
                let failed = outcomes.contains(&Refuted) || listed.iter().any(hides);
                let reason = match failed {
                    true => format!(
                        "the signed table lists {listed:?}: the chip must prove that it is no copy, and did not"
                    ),
                    false => format!("the signed table lists {listed:?}, and no proof was completed"),
                };
                self.demand(Check::CloneProtection, if failed { Refuted } else { NotChecked }, reason);
            }
        }
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
            (Protocol::Failed(fault), Some(Ok(_))) => (said_by(fault), fault.to_string()),
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
            (Protocol::Failed(fault), Some(Ok(_))) => (said_by(fault), fault.to_string()),
            (Protocol::NotTried, Some(Ok(_))) => (NotChecked, "it was not run".to_owned()),
        };
        self.note(Check::ActiveAuthentication, outcome, reason);
        outcome
    }
}
