//! A call: the message as the one internal question, and the one internal answer as a message.

use std::collections::BTreeSet;
use std::io;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crypto::identity::PersonalNumber;
use quick_xml::Writer;
use quick_xml::events::BytesText;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::super::api::SIGNATURE;
use super::super::super::ask::{self, Answered, Asked};
use super::super::super::model::{Field, Grant, Service};
use super::super::super::oauth::Asking;
use super::super::super::store::agreements;
use super::super::super::subject::Subject;
use super::super::super::{Exchange, ExchangeError};
use super::super::soap::envelope::Rejected;
use super::super::soap::fault::{self, Code};
use super::super::soap::{OWN, SOAP, XML, is_xml, means, unfit};
use super::citizens;
use super::message::Message;
use super::names::{BIRTH, INTEGRATION, INTEGRATION_OR, NAME, NUMBER, OFFICER, OLD_NUMBER, PROCEDURE, REQUEST, UNIT};
use crate::access::partners;
use crate::ground::actor::Partner;
use crate::ground::carried::Brought;
use crate::ground::text::{Login, SomeWords, Words};
use crate::web::{Desk, Problem, body_of};

/// A call of a partner.
pub(super) struct Call {
    desk: Desk,
    exchange: Exchange,
    asking: Asking,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<S> FromRequest<S> for Call
where
    S: Send + Sync,
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let asking = Asking::from_request_parts(&mut parts, state).await?;
        let headers = parts.headers.clone();
        let body = body_of(Request::from_parts(parts, body)).await?;
        Ok(Self { desk: Desk::from_ref(state), exchange: Exchange::from_ref(state), asking, headers, body })
    }
}

impl Call {
    /// Reads, asks, and writes what is answered.
    ///
    /// # Errors
    /// As for a question; faults that are about the envelope are answers.
    pub async fn answered(self) -> Result<Response, Problem> {
        is_xml(&self.headers)?;
        let message = match Message::read(&self.body) {
            Ok(message) => message,
            Err(why) => return refused(why),
        };
        means(&self.headers, message.operation.name)?;
        let Self { desk, exchange, asking, body, .. } = self;
        let service = message.operation.service;
        let partner = asking.of(service)?;
        let asked = question(&desk, &exchange, &partner, &message, Sha256::digest(&body).into()).await?;
        let request_sha256 = hex::encode(asked.request_sha256);
        let answered = ask::ask(desk.deeds(), &exchange, partner, asked).await?;
        write(&exchange, service, &answered, &request_sha256)
    }
}

/// Refuses a message: what is wrong with its envelope has an answer of SOAP's own, which has no detail.
///
/// # Errors
/// What is wrong with the question.
pub(in super::super) fn refused(why: Rejected) -> Result<Response, Problem> {
    match why {
        Rejected::Unfit(why) => Err(unfit(why)),
        Rejected::Synchronisation => Err(ExchangeError::NotAgreed(NO_SYNCHRONISATION.to_owned()).into()),
        Rejected::Version => Ok(fault::of_envelope(Code::VersionMismatch, "SOAP 1.1")),
        Rejected::MustUnderstand => {
            Ok(fault::of_envelope(Code::MustUnderstand, "a block of the header is not understood here"))
        }
    }
}

const NO_SYNCHRONISATION: &str = "no agreement gives the data of whatever changed in a span of time: follow the persons of \
                                  your cases, read what changed, and look them up (docs/exchange.md)";

/// Returns the one internal question. Officer and case are those of the carrier that brought it, where the message has
/// no officer, and the carrier names a case.
pub(in super::super) async fn question(
    desk: &Desk,
    exchange: &Exchange,
    partner: &Partner,
    message: &Message,
    request_sha256: [u8; 32],
) -> Result<Asked, Problem> {
    let settings = &exchange.settings.npdb;
    let needed = |name: &str| message.some(name).ok_or_else(|| unfit(format!("{name} is needed")));
    let request = words::<40>(REQUEST, needed(REQUEST)?)?;
    let brought = partner.carried.as_ref().map(|carried| &carried.brought);
    let officer = match (message.some(OFFICER), brought.and_then(Brought::officer)) {
        (None, Some(named)) => officer(named, settings.officers_by_number)?,
        _ => officer(needed(OFFICER)?, settings.officers_by_number)?,
    };
    let case = brought.and_then(|brought| brought.issue.clone()).unwrap_or_else(|| request.clone());
    if message.some(INTEGRATION).is_some() && message.some(INTEGRATION_OR).is_some() {
        return Err(unfit(format!("one of {INTEGRATION} and {INTEGRATION_OR}")));
    }
    for name in [INTEGRATION, INTEGRATION_OR] {
        message.fits(name, settings).map_err(unfit)?;
    }
    let subject = Subject {
        personal_number: short(NUMBER, message)?,
        old_id_number: short(OLD_NUMBER, message)?,
        full_name: short(NAME, message)?,
        birth_date: short(BIRTH, message)?,
        ..Subject::default()
    };
    let unit = match message.some(UNIT) {
        Some(unit) => words::<200>(UNIT, unit)?,
        None => own_unit(desk, partner).await?,
    };
    let service = message.operation.service;
    let (purpose, grant) = granted(desk, partner, service, message.some(PROCEDURE)).await?;
    // What has no element is not asked for: no more is told than is written.
    let fields = grant.filter(|_| service != Service::Confirm).map(|grant| {
        let written: BTreeSet<Field> = message.operation.fields.iter().copied().collect();
        grant.fields.intersection(&written).copied().collect()
    });
    // Today's clients make the identifier of the time of day: it counts for an officer and a day of the State.
    let day = desk.deeds().source().clock().today();
    Ok(Asked {
        request: format!("npdb/{day}/{}/{request}", officer.as_str()),
        request_sha256,
        purpose,
        case,
        officer: officer.as_str().to_owned(),
        unit,
        asked_at: None,
        service,
        fields,
        subject,
    })
}

fn words<const MOST: usize>(name: &str, text: &str) -> Result<String, Problem> {
    let text = SomeWords::<MOST>::try_from(text.to_owned()).map_err(|error| unfit(format!("{name}: {error}")))?;
    Ok(text.as_str().to_owned())
}

fn short<const MOST: usize>(name: &str, message: &Message) -> Result<Words<MOST>, Problem> {
    let text = message.some(name).unwrap_or_default().to_owned();
    Words::try_from(text).map_err(|error| unfit(format!("{name}: {error}")))
}

fn officer(text: &str, by_number: bool) -> Result<Login, Problem> {
    if by_number && text.parse::<PersonalNumber>().is_err() {
        return Err(unfit(format!("{OFFICER}: the officer's number for life")));
    }
    text.parse().map_err(|error| unfit(format!("{OFFICER}: {error}")))
}

/// Returns the unit that was joined, of a message that names none.
async fn own_unit(desk: &Desk, partner: &Partner) -> Result<String, Problem> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let own = partners::partner(&mut tx, partner.id).await?.map(|own| own.unit);
    own.ok_or_else(|| unfit(format!("{UNIT} is needed")))
}

/// Returns the purpose, with what grants the service for it: that of which an agreement names the procedure; without
/// one, where no procedure is named, the only purpose for which the service is granted.
async fn granted(
    desk: &Desk,
    partner: &Partner,
    service: Service,
    procedure: Option<&str>,
) -> Result<(String, Option<Grant>), Problem> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let in_force = agreements::in_force(&mut tx, partner.id, desk.deeds().source().now()).await?;
    drop(tx);
    let of_service = in_force.iter().flat_map(|agreement| &agreement.grants).filter(|grant| grant.service == service);
    let (bound, open): (Vec<&Grant>, Vec<&Grant>) = of_service.partition(|grant| !grant.procedures.is_empty());
    let named = |grant: &&Grant| procedure.is_some_and(|code| grant.procedures.contains(code));
    let mut fits: Vec<&Grant> = bound.into_iter().filter(named).collect();
    if fits.is_empty() {
        fits = open;
    }
    fits.sort_by(|one, other| one.purpose.cmp(&other.purpose));
    fits.dedup_by(|one, other| one.purpose == other.purpose);
    match fits.as_slice() {
        // Refused where the question is judged, with a record about the person.
        [] => Ok(("unnamed".to_owned(), None)),
        [grant] => Ok((grant.purpose.clone(), Some((*grant).clone()))),
        _ => Err(unfit(format!(
            "{PROCEDURE}: agreements grant this for more than one purpose, and name no such procedure"
        ))),
    }
}

/// Writes an answer. Its header holds the signed answer itself, so that the proof survives where envelopes are written
/// anew on their way; the HTTP header holds a signature over the bytes of the envelope.
fn write(
    exchange: &Exchange,
    service: Service,
    answered: &Answered,
    request_sha256: &str,
) -> Result<Response, Problem> {
    let answer: Value = serde_json::from_slice(&answered.body).map_err(ExchangeError::from)?;
    let mut body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    envelope(&mut body, service, &answer, answered).map_err(|error| Problem::internal(&error))?;
    let kept = answer["answer"].as_str().unwrap_or_default();
    let signature = exchange.signer.sign_rendered(&body, kept, request_sha256).map_err(ExchangeError::from)?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), XML.to_owned()),
        (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
        (SIGNATURE, signature),
    ];
    Ok((headers, body).into_response())
}

fn envelope(out: &mut Vec<u8>, service: Service, answer: &Value, answered: &Answered) -> io::Result<()> {
    let mut out = Writer::new(out);
    let envelope = out.create_element("soapenv:Envelope").with_attribute(("xmlns:soapenv", SOAP));
    envelope.write_inner_content(|out| {
        out.create_element("soapenv:Header").write_inner_content(|out| signed(out, answered))?;
        out.create_element("soapenv:Body").write_inner_content(|out| told(out, service, answer))?;
        Ok(())
    })?;
    Ok(())
}

/// Writes the answer as it is kept, with its signature.
pub(in super::super) fn signed(out: &mut Writer<&mut Vec<u8>>, answered: &Answered) -> io::Result<()> {
    let signed = out.create_element("cc:SignedAnswer").with_attribute(("xmlns:cc", OWN));
    signed.write_inner_content(|out| {
        let content = BASE64_STANDARD.encode(&answered.body);
        out.create_element("cc:Content").write_text_content(BytesText::new(&content))?;
        out.create_element("cc:Signature").write_text_content(BytesText::new(&answered.signature))?;
        Ok(())
    })?;
    Ok(())
}

/// Writes what is answered, in the elements of today's service.
pub(in super::super) fn told(out: &mut Writer<&mut Vec<u8>>, service: Service, answer: &Value) -> io::Result<()> {
    match service {
        Service::Confirm => citizens::confirmation(out.get_mut(), answer["outcome"] == "confirmed"),
        _ => citizens::collection(out.get_mut(), answer),
    }
}
