//! The finished card, read like a border guard reads it, before the service is told.
//!
//! The chip signs a challenge of the service, so the service need not take the station's word. With an anchor in its folder the
//! station judges the whole card too; what it reads stays in memory and is gone with this call.

use std::collections::BTreeSet;

use crypto::{
    inspection::{self, Conclusion, Outcome, Password, Protocol, Request},
    pki::trust_bundle::TrustBundle,
};
use time::OffsetDateTime;

use crate::{
    client::{ActiveAuthenticationProof, ReadBack},
    failure::{Code, Failure},
    session::Session,
    transport::Reader,
};

/// What reading back brought.
pub(super) struct Result {
    /// The chip's signature, if it gave one.
    pub proof: Option<ActiveAuthenticationProof>,
    /// Checks that the card fails, if it is judged and does.
    pub refuted: Option<String>,
}

pub(super) fn read_back<R: Reader>(
    session: &mut Session<'_, R>,
    back: &ReadBack,
    trust: Option<&TrustBundle>,
    at: OffsetDateTime,
) -> std::result::Result<Result, Failure> {
    let can = back.can.parse().map_err(|e| Failure::new(Code::ServiceAnswer, format!("read_back.can: {e}")))?;
    session.reset()?;
    // Without an anchor there is nothing to compare the data groups with, so they are not read.
    let groups = trust.is_none().then(BTreeSet::new);
    let request = Request { password: Password::Can(can), challenge: back.challenge, groups };
    let phase = session.phase();
    let evidence = inspection::read(session, &request, &mut rand::rng(), &mut |step| phase.begins(step.name()))?;
    let proof = match &evidence.active_authentication {
        Protocol::Done(done) => {
            Some(ActiveAuthenticationProof { challenge: done.challenge.to_vec(), signature: done.signature.clone() })
        }
        Protocol::Failed(_) | Protocol::NotTried => None,
    };
    let verdict = trust.map(|trust| inspection::judge(&evidence, trust, at).verdict);
    let refuted = verdict.filter(|verdict| verdict.conclusion() == Conclusion::Refused).map(|verdict| {
        let refuted = verdict.findings().iter().filter(|finding| finding.outcome == Outcome::Refuted);
        refuted.map(|finding| format!("{}: {}", finding.name, finding.reason)).collect::<Vec<_>>().join("; ")
    });
    Ok(Result { proof, refuted })
}
