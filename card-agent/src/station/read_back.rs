//! Reads the finished card as a border guard does, before its receipt is reported.
//!
//! The chip signs a challenge of the service, so that the service need not trust the station. With an anchor in its
//! folder the station judges the whole card too. What it reads stays in memory and is dropped at the end of the call.

use std::collections::BTreeSet;

use crypto::inspection::{self, Conclusion, Outcome, Password, Protocol, Request};
use crypto::pki::trust_bundle::TrustBundle;
use time::OffsetDateTime;

use crate::ambient;
use crate::client::{ActiveAuthentication, ReadBack};
use crate::failure::{Code, Failure};
use crate::session::Session;
use crate::transport::Reader;

/// What a finished card gave when it was read back.
pub(super) struct Reading {
    /// The chip's signature over the service's challenge, if it gave one.
    pub proof: Option<ActiveAuthentication>,
    /// The checks that refute the card, with their reasons; none without a trust bundle, or if no check does.
    pub refuted: Option<String>,
}

pub(super) fn read_back<R: Reader>(
    session: &mut Session<'_, R>,
    back: &ReadBack,
    trust: Option<&TrustBundle>,
    at: OffsetDateTime,
) -> Result<Reading, Failure> {
    let can = back.can.parse().map_err(|e| Failure::new(Code::ServiceAnswer, format!("read_back.can: {e}")))?;
    session.reset()?;
    // Without an anchor there is nothing to compare the data groups with, so they are not read.
    let groups = trust.is_none().then(BTreeSet::new);
    let request = Request { password: Password::Can(can), challenge: back.challenge, groups };
    let phase = session.phase();
    let evidence = inspection::read(session, &request, &mut ambient::rng(), &mut |step| phase.begins(step.name()))?;
    let proof = match &evidence.active_authentication {
        Protocol::Done(done) => {
            Some(ActiveAuthentication { challenge: done.challenge.to_vec(), signature: done.signature.clone() })
        }
        Protocol::Failed(_) | Protocol::NotTried => None,
    };
    let verdict = trust.map(|trust| inspection::judge(&evidence, trust, at).verdict);
    let refuted = verdict.filter(|verdict| verdict.conclusion() == Conclusion::Refused).map(|verdict| {
        let refuted = verdict.findings().iter().filter(|finding| finding.outcome == Outcome::Refuted);
        refuted.map(|finding| format!("{}: {}", finding.name, finding.reason)).collect::<Vec<_>>().join("; ")
    });
    Ok(Reading { proof, refuted })
}
