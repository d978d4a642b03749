//! Document profiles: who may sign a kind of document, and what it must prove.

use crate::lds::DataGroup;
use crate::pki::{Certificate, State};

/// What is demanded of a kind of document beyond Doc 9303.
///
/// The general rules ask a chip only for what its signed table lists, because documents of other States differ. An
/// attacker with a misused signer would list nothing. So the citizen card, whose content its issuer knows, has a
/// profile: it is signed under the authority of citizen cards alone, and lacks nothing that every citizen card has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DocumentProfile {
    /// Name in reasons.
    pub name: &'static str,
    /// Document code in the MRZ.
    pub document_code: &'static str,
    /// Issuing State.
    pub state: State,
    /// Data groups that the signed table must list.
    pub groups: &'static [DataGroup],
    /// Whether the chip must prove by chip or active authentication that it is no copy.
    pub clone_protection: bool,
}

impl DocumentProfile {
    /// Returns the profile of the citizen card, signed under the CSCA that opened the trust bundle, or one that link
    /// certificates join to it. Its State is that CSCA's; without a bundle, Viet Nam.
    pub fn citizen_card(national: Option<&Certificate>) -> Self {
        let state = national.and_then(|csca| {
            let in_mrz = csca.extensions().subject_country.as_deref().and_then(State::of_code);
            in_mrz.or_else(|| csca.subject().country().as_deref().and_then(State::of_code))
        });
        Self {
            name: "citizen card",
            document_code: "ID",
            state: state.unwrap_or(State::VIET_NAM),
            groups: &[DataGroup::DG1, DataGroup::DG2, DataGroup::DG13],
            clone_protection: true,
        }
    }

    /// Returns whether an MRZ with this document code and issuing State claims to be of this kind.
    pub fn is_claimed(&self, document_code: &str, issuing_state: &str) -> bool {
        document_code == self.document_code && State::of_code(issuing_state) == Some(self.state)
    }
}
