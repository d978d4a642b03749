//! What one kiosk demands of a card beyond the rules of the verdict.

use crypto::inspection::{AccessProtocol, Check, Evidence, Verdict};

use crate::failure::{Code, Failure};

/// Checks whose proof is demanded too or done without, and whether BAC is enough.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Demands {
    /// Checks whose proof is demanded too.
    pub require: Vec<Check>,
    /// Checks whose proof is done without; a refutation still counts.
    pub tolerate: Vec<Check>,
    /// Whether a card that only BAC opened is not accepted.
    pub require_pace: bool,
}

impl Demands {
    /// Makes the verdict one by these demands.
    pub fn apply(&self, verdict: &mut Verdict) {
        self.require.iter().for_each(|check| verdict.require(*check));
        self.tolerate.iter().for_each(|check| verdict.tolerate(*check));
    }

    /// Succeeds if everything demanded held.
    ///
    /// # Errors
    /// Those of [`super::conclude`], and [`Code::Undecided`] if BAC opened the card and PACE was demanded.
    pub fn conclude(&self, evidence: &Evidence, verdict: &Verdict) -> Result<(), Failure> {
        super::conclude(evidence, verdict)?;
        match evidence.access.way {
            Some(AccessProtocol::Bac) if self.require_pace => {
                Err(Failure::new(Code::Undecided, "PACE was demanded, and BAC opened the card"))
            }
            _ => Ok(()),
        }
    }
}
