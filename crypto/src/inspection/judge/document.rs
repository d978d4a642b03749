//! What kind of document it is: issuing State, type, profile.

use super::Outcome::{NotChecked, Proved, Refuted};
use super::{Check, Judge, SignedGroups};
use crate::inspection::DocumentProfile;
use crate::lds::{DataGroup, Dg1};
use crate::pki::State;
use crate::pki::trust_bundle::TrustBundle;
use crate::sod::VerifiedSod;

/// Document code and issuing State of an MRZ of any size, without fillers.
struct Origin {
    code: String,
    state: String,
}

impl Judge<'_> {
    /// Compares the issuing State in DG1 with every State that CSCA and signer name (Doc 9303-11 (8th ed.) §5.1).
    pub(super) fn issuing_state(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) {
        let origin = groups.get(DataGroup::DG1).and_then(origin);
        let (Some(sod), Some(origin)) = (sod, origin) else {
            self.demand(Check::IssuingState, NotChecked, "there is no signed DG1 that names a State");
            return;
        };
        let states = sod.signer().states();
        let names = states.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let (outcome, reason) = match State::of_code(&origin.state) {
            None => (NotChecked, "the issuing State in DG1 is a code that no table has".to_owned()),
            Some(_) if states.is_empty() => (NotChecked, "neither CSCA nor signer names a State".to_owned()),
            Some(claimed) => {
                let reason = format!("DG1 names {claimed}, its CSCA and signer {names}");
                let agrees = states.iter().all(|(_, state)| state.agrees(claimed));
                (if agrees { Proved } else { Refuted }, reason)
            }
        };
        self.demand(Check::IssuingState, outcome, reason);
    }

    /// Compares the document type in DG1 with those that the signer may sign (Doc 9303-12 (8th ed.) §7.1.1.6).
    pub(super) fn document_type(&mut self, sod: Option<&VerifiedSod>, groups: &SignedGroups<'_>) {
        let Some((sod, origin)) = sod.zip(groups.get(DataGroup::DG1).and_then(origin)) else {
            self.note(Check::DocumentType, NotChecked, "there is no signed DG1 that names a type");
            return;
        };
        let Some(types) = sod.signer().document_types() else {
            self.note(Check::DocumentType, NotChecked, "the signer's certificate does not say which types it may sign");
            return;
        };
        // A type of one letter stands for all that begin with it (Doc 9303-12 §7.1.1.1).
        let allowed = types.iter().any(|own| !own.is_empty() && origin.code.starts_with(own.as_str()));
        let reason = format!("the signer may sign documents of the types {types:?}");
        match allowed {
            true => self.demand(Check::DocumentType, Proved, reason),
            false => self.demand(Check::DocumentType, Refuted, format!("{reason}; this is of another")),
        }
    }

    /// Returns the profile of the citizen card of the State whose trust bundle is held.
    pub(super) fn citizen_card(&self) -> DocumentProfile {
        DocumentProfile::citizen_card(self.trust.bundle.map(TrustBundle::national))
    }

    /// Judges the document by the profile of the citizen card if it claims to be one, or if the authority of citizen
    /// cards signed it. Returns the profile by which it is judged; `None` for the general rules.
    pub(super) fn profile(&mut self, sod: Option<&VerifiedSod>) -> Option<DocumentProfile> {
        let profile = self.citizen_card();
        let name = profile.name;
        // The claim counts before it is proved: a forger who cannot sign it still makes it.
        let claim = self.evidence.group(DataGroup::DG1).and_then(origin);
        let says = match claim {
            Some(_) => format!("DG1 does not say that it is a {name}"),
            None => "no DG1 was read".to_owned(),
        };
        let claimed = claim.is_some_and(|claim| profile.is_claimed(&claim.code, &claim.state));
        let Some(bundle) = self.trust.bundle else {
            self.note(
                Check::DocumentProfile,
                NotChecked,
                "there is no trust bundle that names the authority of a profile",
            );
            return claimed.then_some(profile);
        };
        let Some(sod) = sod else {
            let unsigned = self.unknown_issuer && !bundle.is_stale(self.at);
            match (claimed, unsigned) {
                (true, true) => {
                    let reason = format!("it claims to be a {name}, and no authority of the trust bundle signed it");
                    self.demand(Check::DocumentProfile, Refuted, reason);
                }
                (true, false) => {
                    let reason = format!("it claims to be a {name}, and nothing proves who signed it");
                    self.demand(Check::DocumentProfile, NotChecked, reason);
                }
                (false, _) => {
                    self.note(Check::DocumentProfile, NotChecked, format!("no profile applies: {says}"));
                }
            }
            return claimed.then_some(profile);
        };
        let pinned = self.trust.store.are_one_authority(bundle.national(), sod.signer().anchor());
        match (pinned, claimed) {
            (true, true) => {
                let missing: Vec<_> = profile.groups.iter().filter(|group| !sod.lists(**group)).collect();
                match missing.is_empty() {
                    true => {
                        let reason = format!("signed under the authority of the {name}, with all that one must have");
                        self.demand(Check::DocumentProfile, Proved, reason);
                    }
                    false => {
                        let reason = format!("the signed table lacks {missing:?}, which every {name} has");
                        self.demand(Check::DocumentProfile, NotChecked, reason);
                    }
                }
                Some(profile)
            }
            (true, false) => {
                let reason = format!("signed under the authority of the {name}, and {says}");
                self.demand(Check::DocumentProfile, NotChecked, reason);
                Some(profile)
            }
            (false, true) => {
                let reason =
                    format!("it claims to be a {name}, and another authority than that of the {name} signed it");
                self.demand(Check::DocumentProfile, Refuted, reason);
                Some(profile)
            }
            (false, false) => {
                let reason = format!("no {name}: judged by the general rules for travel documents");
                self.note(Check::DocumentProfile, NotChecked, reason);
                None
            }
        }
    }
}

/// Returns document code and issuing State of a DG1.
fn origin(file: &[u8]) -> Option<Origin> {
    let zone = Dg1::characters(file).ok()?;
    let text =
        |from: usize, to: usize| Some(std::str::from_utf8(zone.get(from..to)?).ok()?.trim_end_matches('<').to_owned());
    Some(Origin { code: text(0, 2)?, state: text(2, 5)? })
}
