//! A kiosk: reads a card and judges it, with or without the service.
//!
//! It needs two files: the anchor `csca.der`, obtained once over a trusted channel, and the signed trust bundle,
//! renewed now and then over any channel.

mod output;

use crypto::conversation::Fault;
use crypto::identity::civil_time::VIET_NAM;
use crypto::inspection::{self, Conclusion, Evidence, Judgement, Request, Verdict};
use crypto::pki::Certificate;
use crypto::pki::trust_bundle::{self, TrustBundle};
pub use output::write_files;
use time::OffsetDateTime;

use crate::ambient;
use crate::failure::{Code, Failure};
use crate::session::Session;
use crate::transport::Reader;

/// Opens a trust bundle under the anchor.
///
/// # Errors
/// [`Code::TrustBundleUnusable`].
pub fn open_trust(bundle: &[u8], anchor: &[u8], at: OffsetDateTime) -> Result<TrustBundle, Failure> {
    let anchor = Certificate::parse(anchor)
        .map_err(|e| Failure::new(Code::TrustBundleUnusable, format!("the anchor is not a certificate: {e}")))?;
    trust_bundle::open(bundle, &anchor, at).map_err(|e| Failure::new(Code::TrustBundleUnusable, e))
}

/// Returns the present moment in the offset of Việt Nam (+07:00), because the day of expiry ends there.
pub fn now() -> OffsetDateTime {
    ambient::now().to_offset(VIET_NAM)
}

/// Reads the card and judges it at the moment `at`, whose offset says on which day a card expires. Only what the
/// judgement calls the holder is proved; the evidence is as read.
///
/// # Errors
/// [`Failure`] of the transport; what the card does wrong is in the verdict.
pub fn inspect<R: Reader>(
    session: &mut Session<'_, R>,
    request: &Request,
    trust: &TrustBundle,
    at: OffsetDateTime,
) -> Result<(Evidence, Judgement), Failure> {
    session.reset()?;
    let phase = session.phase();
    let evidence = inspection::read(session, request, &mut ambient::rng(), &mut |step| phase.begins(step.name()))?;
    let judgement = inspection::judge(&evidence, trust, at);
    Ok((evidence, judgement))
}

/// Succeeds if everything required held.
///
/// # Errors
/// [`Code::WrongPassword`], [`Code::AccessFailed`], [`Code::Refused`], [`Code::Undecided`].
pub fn conclude(evidence: &Evidence, verdict: &Verdict) -> Result<(), Failure> {
    let access = &evidence.access;
    if access.way.is_none() {
        let wrong = access.failed.iter().any(|(_, fault)| matches!(fault, Fault::WrongPassword { .. }));
        let tried: Vec<_> = access.failed.iter().map(|(way, fault)| format!("{way}: {fault}")).collect();
        let tried = if tried.is_empty() {
            "the chip speaks no PACE, and BAC needs the MRZ".to_owned()
        } else {
            tried.join("; ")
        };
        return Err(Failure::new(if wrong { Code::WrongPassword } else { Code::AccessFailed }, tried));
    }
    let names = |wanted: &dyn Fn(&inspection::Finding) -> bool| {
        let names: Vec<_> = verdict.findings().iter().filter(|f| wanted(f)).map(|f| f.name.to_string()).collect();
        names.join(", ")
    };
    match verdict.conclusion() {
        Conclusion::Trusted => Ok(()),
        Conclusion::Refused => Err(Failure::new(Code::Refused, names(&|f| f.outcome == inspection::Outcome::Refuted))),
        Conclusion::Undecided => {
            Err(Failure::new(Code::Undecided, names(&|f| f.required && f.outcome == inspection::Outcome::NotChecked)))
        }
    }
}
