//! Refusals as SOAP 1.1 has them: a fault with our code and the detail, always under HTTP status 500.

use std::io;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::{OWN, SOAP, XML};
use crate::web::{Problem, catalogued};

/// What is at fault, in the words of SOAP 1.1 (section 4.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Code {
    /// The message.
    Client,
    /// A block of the header.
    MustUnderstand,
    /// This service.
    Server,
    /// The version of the envelope.
    VersionMismatch,
}

impl Code {
    const fn word(self) -> &'static str {
        match self {
            Self::Client => "soapenv:Client",
            Self::MustUnderstand => "soapenv:MustUnderstand",
            Self::Server => "soapenv:Server",
            Self::VersionMismatch => "soapenv:VersionMismatch",
        }
    }
}

/// Tells a problem as a fault.
pub(in super::super) fn in_words(problem: &Problem) -> Response {
    with_header("", problem)
}

/// As [`in_words`], beneath the header of the message that it answers.
pub(in super::super) fn with_header(header: &str, problem: &Problem) -> Response {
    let code = if problem.status().is_server_error() { Code::Server } else { Code::Client };
    let mut response = faulty(header, code, &catalogued(problem.code()).vi.cause, Some(problem));
    if let Some(seconds) = problem.waits() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A fault that is about the envelope or its header, and so has no detail (SOAP 1.1, section 4.4).
pub(in super::super) fn of_envelope(code: Code, said: &str) -> Response {
    tracing::info!(code = code.word(), "refused");
    faulty("", code, said, None)
}

fn faulty(header: &str, code: Code, said: &str, problem: Option<&Problem>) -> Response {
    let mut body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    if let Err(error) = written(&mut body, header, code, said, problem) {
        tracing::error!(cause = %error, "a fault does not become XML");
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(XML))];
    (StatusCode::INTERNAL_SERVER_ERROR, kind, body).into_response()
}

fn written(out: &mut Vec<u8>, header: &str, code: Code, said: &str, problem: Option<&Problem>) -> io::Result<()> {
    let mut out = Writer::new(out);
    let envelope = out.create_element("soapenv:Envelope").with_attribute(("xmlns:soapenv", SOAP));
    envelope.write_inner_content(|out| {
        out.get_mut().extend_from_slice(header.as_bytes());
        out.create_element("soapenv:Body").write_inner_content(|out| {
            out.create_element("soapenv:Fault").write_inner_content(|out| {
                text(out, "faultcode", code.word())?;
                text(out, "faultstring", said)?;
                let Some(problem) = problem else { return Ok(()) };
                out.create_element("detail").write_inner_content(|out| told(out, problem))?;
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

/// Writes what is wrong: the code by which programmes know it, and what a reader does about it.
pub(in super::super) fn told(out: &mut Writer<&mut Vec<u8>>, problem: &Problem) -> io::Result<()> {
    let root = out.create_element("cc:Problem").with_attribute(("xmlns:cc", OWN));
    root.write_inner_content(|out| {
        text(out, "cc:Code", problem.code().word())?;
        text(out, "cc:Status", problem.status().as_str())?;
        if let Some(said) = problem.detail_of() {
            text(out, "cc:Detail", said)?;
        }
        for error in problem.errors() {
            text(out, "cc:Detail", &format!("{}: {}", error.pointer, error.message))?;
        }
        text(out, "cc:Remedy", &catalogued(problem.code()).vi.remedy)
    })?;
    Ok(())
}

fn text(out: &mut Writer<&mut Vec<u8>>, name: &str, said: &str) -> io::Result<()> {
    out.create_element(name).write_text_content(BytesText::new(said))?;
    Ok(())
}
