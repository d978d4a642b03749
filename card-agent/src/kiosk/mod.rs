//! A kiosk: reads a card and judges it, with or without the service.
//!
//! It needs two files: the anchor `csca.der`, obtained once over a trusted channel, and the signed trust bundle,
//! renewed now and then over any channel. [`page`] is the page of a kiosk, over the same rules as `card-agent inspect`.

mod demands;
mod newest;
mod online;
mod output;
pub mod page;

use crypto::conversation::Fault;
use crypto::identity::civil_time::{VIET_NAM, apart};
use crypto::inspection::{self, Check, Conclusion, Evidence, Finding, Judgement, Outcome, Request, Verdict};
use crypto::mrz::MrzName;
use crypto::pki::Certificate;
use crypto::pki::trust_bundle::{self, TrustBundle};
pub use demands::Demands;
pub use newest::NewestBundles;
pub use online::ask_online;
pub use output::{name as file_name, write_files};
use time::OffsetDateTime;

use crate::ambient;
use crate::failure::{Code, Failure};
use crate::session::Session;
use crate::transport::Reader;

/// Opens a trust bundle under the anchor, if none that is newer was opened here before.
///
/// # Errors
/// [`Code::TrustBundleUnusable`]; [`Code::ClockBehind`] if the bundle, its signer or the anchor begins later than `at`;
/// and the errors of [`NewestBundles::accept`].
pub fn open_trust(
    bundle: &[u8],
    anchor: &Certificate,
    at: OffsetDateTime,
    newest: &NewestBundles,
) -> Result<TrustBundle, Failure> {
    let opened = trust_bundle::open(bundle, anchor, at).map_err(|error| match error.not_before() {
        Some(from) => {
            let [at, from] = apart(at, from.to_offset(at.offset()));
            Failure::new(Code::ClockBehind, format!("this computer's clock says {at}, and {error}: it begins {from}"))
        }
        None => Failure::new(Code::TrustBundleUnusable, error),
    })?;
    newest.accept(anchor, opened.issued_at().to_offset(at.offset()))?;
    Ok(opened)
}

/// Returns a name of the MRZ with spaces where fillers part its words.
pub fn mrz_name(name: &MrzName) -> String {
    format!("{} {}", name.primary(), name.secondary()).replace('<', " ").trim_end().to_owned()
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

/// Succeeds if everything required held. The detail of a failure is each check that decided it, with its reason.
///
/// # Errors
/// [`Code::WrongPassword`], [`Code::AccessFailed`]; [`Code::CardRevoked`] and [`Code::CardExpired`] if nothing else is
/// refuted, else [`Code::Refused`]; [`Code::IssuerUnknown`] and [`Code::Undecided`] if nothing is.
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
    let decisive: Vec<&Finding> = match verdict.conclusion() {
        Conclusion::Trusted => return Ok(()),
        Conclusion::Refused => verdict.findings().iter().filter(|f| f.outcome == Outcome::Refuted).collect(),
        Conclusion::Undecided => {
            verdict.findings().iter().filter(|f| f.required && f.outcome == Outcome::NotChecked).collect()
        }
    };
    let has = |check| decisive.iter().any(|finding| finding.name == check);
    let only = |checks: &[Check]| decisive.iter().all(|finding| checks.contains(&finding.name));
    let code = match verdict.conclusion() {
        Conclusion::Undecided if has(Check::IssuerKnown) => Code::IssuerUnknown,
        Conclusion::Undecided => Code::Undecided,
        _ if only(&[Check::Validity]) => Code::CardExpired,
        _ if only(&[Check::Validity, Check::Revocation, Check::OnlineStatus]) => Code::CardRevoked,
        _ => Code::Refused,
    };
    let reasons: Vec<_> = decisive.iter().map(|finding| format!("{}: {}", finding.name, finding.reason)).collect();
    Err(Failure::new(code, reasons.join("; ")))
}
