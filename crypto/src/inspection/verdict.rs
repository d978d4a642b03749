//! The verdict of an inspection: one finding per check, and the conclusion from them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lds::DataGroup;

/// A check of an inspection, in the order of the procedure.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Check {
    /// Did PACE or BAC open the chip?
    Access,
    /// Is EF.CardAccess, read before anything was proved, confirmed by the signed DG14 (Doc 9303-11 §4.2)?
    CardAccess,
    /// Is the EF.SOD signed by the document signer that it names?
    SodSignature,
    /// Is the authority that issued the document signer's certificate one that we have?
    IssuerKnown,
    /// Is that document signer one of a country signing CA that we trust, in force and not revoked?
    DocumentSigner,
    /// Does the EF.COM announce what the signed hash table lists?
    DataGroupList,
    /// Is this data group the one that was signed?
    DataGroup(DataGroup),
    /// Does the chip hold the private key to the public key in the signed DG14?
    ChipAuthentication,
    /// Does the chip hold the private key to the public key in the signed DG15?
    ActiveAuthentication,
    /// Is this the chip that was issued, and no copy of its files?
    CloneProtection,
    /// Is the issuing State in DG1 the one that CSCA and signer name?
    IssuingState,
    /// May the signer sign documents of this type?
    DocumentType,
    /// Is a document that has a profile (the citizen card) signed by its authority, with all that it must have?
    DocumentProfile,
    /// Do the given MRZ or CAN, DG1 and DG13 speak of the same person and card?
    MrzConsistency,
    /// Is the card within its validity?
    Validity,
    /// Is the document not on the list of revoked documents?
    Revocation,
    /// Is the trust bundle recent enough for that list to count?
    BundleFreshness,
    /// Can all of the trust bundle be used?
    BundleCompleteness,
    /// Does the service that issues such cards have this one as active? Asked only by a terminal that is online.
    OnlineStatus,
}

/// Kebab-case: `sod-signature`, `data-group-13`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access => "access",
            Self::CardAccess => "card-access",
            Self::SodSignature => "sod-signature",
            Self::IssuerKnown => "issuer-known",
            Self::DocumentSigner => "document-signer",
            Self::DataGroupList => "data-group-list",
            Self::DataGroup(group) => return write!(f, "data-group-{}", group.number()),
            Self::ChipAuthentication => "chip-authentication",
            Self::ActiveAuthentication => "active-authentication",
            Self::CloneProtection => "clone-protection",
            Self::IssuingState => "issuing-state",
            Self::DocumentType => "document-type",
            Self::DocumentProfile => "document-profile",
            Self::MrzConsistency => "mrz-consistency",
            Self::Validity => "validity",
            Self::Revocation => "revocation",
            Self::BundleFreshness => "bundle-freshness",
            Self::BundleCompleteness => "bundle-completeness",
            Self::OnlineStatus => "online-status",
        })
    }
}

impl std::str::FromStr for Check {
    type Err = UnknownCheck;

    fn from_str(word: &str) -> Result<Self, UnknownCheck> {
        let groups = DataGroup::all().map(Self::DataGroup);
        Self::SINGLE
            .into_iter()
            .chain(groups)
            .find(|check| check.to_string() == word)
            .ok_or_else(|| UnknownCheck(word.to_owned()))
    }
}

impl Check {
    /// All checks but those of the data groups.
    pub const SINGLE: [Self; 18] = [
        Self::Access,
        Self::CardAccess,
        Self::SodSignature,
        Self::IssuerKnown,
        Self::DocumentSigner,
        Self::DataGroupList,
        Self::ChipAuthentication,
        Self::ActiveAuthentication,
        Self::CloneProtection,
        Self::IssuingState,
        Self::DocumentType,
        Self::DocumentProfile,
        Self::MrzConsistency,
        Self::Validity,
        Self::Revocation,
        Self::BundleFreshness,
        Self::BundleCompleteness,
        Self::OnlineStatus,
    ];
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not the name of a check.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no check `{0}`")]
pub struct UnknownCheck(pub String);

/// Outcome of one check.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Proved to hold.
    Proved,
    /// Proved not to hold.
    Refuted,
    /// The check could not be made; the reason says why.
    NotChecked,
}

impl Outcome {
    /// Returns the outcome in English.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Refuted => "refuted",
            Self::NotChecked => "not checked",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A check, its outcome and the reason. The reason holds nothing personal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub name: Check,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: String,
    /// Whether the card is trusted only if this is proved.
    pub required: bool,
}

/// Conclusion from all findings.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Everything required is proved, nothing is refuted.
    Trusted,
    /// Something is refuted.
    Refused,
    /// Nothing is refuted, but something required is not proved.
    Undecided,
}

impl Conclusion {
    /// Returns the conclusion in English.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Refused => "refused",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// All findings of one inspection, in the order of the checks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    findings: Vec<Finding>,
}

impl Verdict {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.name);
        Self { findings }
    }

    /// Returns the findings.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the finding of one check, if it applies to this card.
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == check)
    }

    /// Adds what the service said of this card when it was asked. Its word refutes, or confirms; it takes back nothing
    /// that the card itself refuted, and without an answer the verdict is what it was.
    pub fn learn_online_status(&mut self, outcome: Outcome, reason: impl Into<String>) {
        let required = self.finding(Check::OnlineStatus).is_some_and(|finding| finding.required);
        self.findings.retain(|finding| finding.name != Check::OnlineStatus);
        self.findings.push(Finding { name: Check::OnlineStatus, outcome, reason: reason.into(), required });
        self.findings.sort_by_key(|finding| finding.name);
    }

    /// Makes a check required. A check that does not apply to this card is then one that was not made.
    pub fn require(&mut self, check: Check) {
        match self.findings.iter_mut().find(|finding| finding.name == check) {
            Some(finding) => finding.required = true,
            None => {
                let reason = "the card gives no occasion for it".to_owned();
                self.findings.push(Finding { name: check, outcome: Outcome::NotChecked, reason, required: true });
                self.findings.sort_by_key(|finding| finding.name);
            }
        }
    }

    /// Makes a check optional; a refutation still counts.
    pub fn tolerate(&mut self, check: Check) {
        for finding in self.findings.iter_mut().filter(|finding| finding.name == check) {
            finding.required = false;
        }
    }

    /// Returns the conclusion from all findings.
    pub fn conclusion(&self) -> Conclusion {
        if self.findings.iter().any(|finding| finding.outcome == Outcome::Refuted) {
            Conclusion::Refused
        } else if self.findings.iter().all(|finding| !finding.required || finding.outcome == Outcome::Proved) {
            Conclusion::Trusted
        } else {
            Conclusion::Undecided
        }
    }
}

/// `{"verdict": …, "checks": [{"name", "outcome", "reason", "required"}…]}`
impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut verdict = serializer.serialize_struct("Verdict", 2)?;
        verdict.serialize_field("verdict", &self.conclusion())?;
        verdict.serialize_field("checks", &self.findings)?;
        verdict.end()
    }
}

/// Writes a line per check, and the conclusion.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = if finding.required { ' ' } else { '-' };
            writeln!(f, "{:<11} {mark} {:<22} {}", finding.outcome, finding.name.to_string(), finding.reason)?;
        }
        write!(f, "verdict: {}", self.conclusion())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: Check, outcome: Outcome, required: bool) -> Finding {
        Finding { name, outcome, reason: String::new(), required }
    }

    #[test]
    fn one_refuted_check_refuses_and_one_missing_required_check_leaves_it_open() {
        let proved = finding(Check::Access, Outcome::Proved, true);
        let open = finding(Check::Revocation, Outcome::NotChecked, true);
        let refuted = finding(Check::Validity, Outcome::Refuted, false);
        assert_eq!(Verdict::new(vec![proved.clone()]).conclusion(), Conclusion::Trusted);
        let mut verdict = Verdict::new(vec![proved.clone(), open.clone()]);
        assert_eq!(verdict.conclusion(), Conclusion::Undecided);
        verdict.tolerate(Check::Revocation);
        assert_eq!(verdict.conclusion(), Conclusion::Trusted);
        verdict.require(Check::ActiveAuthentication);
        assert_eq!(verdict.conclusion(), Conclusion::Undecided);
        let mut verdict = Verdict::new(vec![proved, open, refuted]);
        verdict.tolerate(Check::Validity);
        assert_eq!(verdict.conclusion(), Conclusion::Refused);
    }

    #[test]
    fn a_word_of_the_service_makes_no_refuted_card_trusted_and_can_be_demanded() {
        let proved = finding(Check::Access, Outcome::Proved, true);
        let refuted = finding(Check::Validity, Outcome::Refuted, true);
        let judged = |first: Finding, outcome, required| {
            let mut verdict = Verdict::new(vec![first]);
            if required {
                verdict.require(Check::OnlineStatus);
            }
            verdict.learn_online_status(outcome, "");
            assert_eq!(verdict.findings().len(), 2);
            verdict.conclusion()
        };
        assert_eq!(judged(refuted, Outcome::Proved, false), Conclusion::Refused);
        assert_eq!(judged(proved.clone(), Outcome::Proved, true), Conclusion::Trusted);
        assert_eq!(judged(proved.clone(), Outcome::NotChecked, false), Conclusion::Trusted);
        assert_eq!(judged(proved.clone(), Outcome::NotChecked, true), Conclusion::Undecided);
        assert_eq!(judged(proved, Outcome::Refuted, false), Conclusion::Refused);
    }

    #[test]
    fn names_are_read_back() {
        for check in Check::SINGLE.into_iter().chain(DataGroup::all().map(Check::DataGroup)) {
            assert_eq!(check.to_string().parse(), Ok(check));
        }
        assert!("data-group-17".parse::<Check>().is_err());
    }
}
