//! A question by the X-Road message protocol 4.0 for SOAP: that of the national population database, beneath the header
//! of the layer. Of HTTP only Content-Type and SOAPAction come through; the header goes back as it came.

use std::io;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header as http};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use quick_xml::Writer;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::super::{Exchange, ExchangeError, ask};
use super::super::npdb::message::Message;
use super::super::npdb::names::Operation;
use super::super::npdb::question::{question, refused, signed, told};
use super::super::soap::envelope::{Envelope, Rejected};
use super::super::soap::{SOAP, XML, fault, is_xml, means, unfit};
use super::header;
use crate::access;
use crate::ground::actor::Carrier;
use crate::web::{Desk, InTheirWords, Problem, body_of};

/// A call of a security server.
pub(super) struct Call {
    desk: Desk,
    exchange: Exchange,
    carrier: Carrier,
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
        let carrier = Carrier::from_request_parts(&mut parts, state).await?;
        let headers = parts.headers.clone();
        let body = body_of(Request::from_parts(parts, body)).await?;
        Ok(Self { desk: Desk::from_ref(state), exchange: Exchange::from_ref(state), carrier, headers, body })
    }
}

/// What is known of a message when it is answered, or refused.
#[derive(Default)]
struct Known {
    /// Its header, as it is written back.
    header: String,
    /// What it asks; none for one that is no question.
    operation: Option<&'static Operation>,
}

impl Call {
    /// Reads, asks, and writes what is answered.
    pub async fn answered(self) -> Response {
        let mut known = Known::default();
        match self.attempt(&mut known).await {
            Ok(response) => response,
            Err(problem) => {
                let mut response = problem.into_response();
                response.extensions_mut().insert(InTheirWords(Arc::new(move |problem| known.refused(problem))));
                response
            }
        }
    }

    async fn attempt(self, known: &mut Known) -> Result<Response, Problem> {
        is_xml(&self.headers)?;
        let envelope = match Envelope::read(&self.body) {
            Ok(envelope) => envelope,
            Err(why) => return refused(why),
        };
        envelope.header.as_written().clone_into(&mut known.header);
        if envelope.header.must_be_understood(header::is_known) {
            return refused(Rejected::MustUnderstand);
        }
        let said =
            header::read(&envelope.header).map_err(|why| Problem::new(ProblemCode::PartnerMemberUnfit).detail(why))?;
        let Self { desk, exchange, carrier, headers, body } = self;
        let partner = access::asks_for(desk.deeds(), &carrier, said.brought).await?;
        let message = match Message::of(&envelope.question) {
            Ok(message) => message,
            Err(why) => return refused(why),
        };
        let (name, service) = (message.operation.name, message.operation.service);
        // By the one, security servers decide who may ask; the other is what is asked.
        if said.service != name {
            return Err(unfit(format!("service: its serviceCode is another one than the body's, {name}")));
        }
        means(&headers, name)?;
        known.operation = Some(message.operation);
        let asked = question(&desk, &exchange, &partner, &message, Sha256::digest(&body).into()).await?;
        let answered = ask::ask(desk.deeds(), &exchange, partner, asked).await?;
        let answer: Value = serde_json::from_slice(&answered.body).map_err(ExchangeError::from)?;
        let written = known.write(message.operation, |out| {
            told(out, service, &answer)?;
            signed(out, &answered)
        });
        written.map_err(|error| Problem::internal(&error))
    }
}

impl Known {
    /// Tells a refusal. What this service decides of a question stands in the body of an answer; that it was no
    /// question, or that the service fails, is a fault.
    fn refused(&self, problem: &Problem) -> Response {
        match self.operation.filter(|_| !problem.status().is_server_error()) {
            None => fault::with_header(&self.header, problem),
            Some(operation) => self
                .write(operation, |out| fault::told(out, problem))
                .unwrap_or_else(|_| fault::with_header(&self.header, problem)),
        }
    }

    /// Writes an answer: the header of the question as it came, and the element of the operation's answer.
    fn write(
        &self,
        operation: &Operation,
        content: impl FnOnce(&mut Writer<&mut Vec<u8>>) -> io::Result<()>,
    ) -> io::Result<Response> {
        let mut body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
        let mut out = Writer::new(&mut body);
        let envelope = out.create_element("soapenv:Envelope").with_attribute(("xmlns:soapenv", SOAP));
        envelope.write_inner_content(|out| {
            out.get_mut().extend_from_slice(self.header.as_bytes());
            out.create_element("soapenv:Body").write_inner_content(|out| {
                let root = out.create_element(format!("q:{}Response", operation.name));
                root.with_attribute(("xmlns:q", operation.namespace)).write_inner_content(content)?;
                Ok(())
            })?;
            Ok(())
        })?;
        let headers = [
            (http::CONTENT_TYPE, HeaderValue::from_static(XML)),
            (http::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((StatusCode::OK, headers, body).into_response())
    }
}

/// Returns the description: the types of the national population database's interface, in answers of this one.
pub(super) fn description() -> String {
    let types = NPDB.split_once("<wsdl:types>").and_then(|(_, rest)| rest.split_once("</wsdl:types>"));
    DESCRIPTION.replace("TYPES-OF-THE-DATABASE", types.map_or("", |(types, _)| types.trim()))
}

/// The description, without the types that both interfaces have.
const DESCRIPTION: &str = include_str!("xroad.wsdl");
/// The description of the other interface.
const NPDB: &str = include_str!("../npdb/npdb.wsdl");
