//! A call of an operation: who asks with which token, what the headers say that OSIA does not carry, and the one
//! internal question that it becomes.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{FromRef, FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::super::ask::{self, Answered, Asked};
use super::super::super::model::{Agreement, Field, Grant, Service};
use super::super::super::oauth::Asking;
use super::super::super::store::agreements;
use super::super::super::subject::Subject;
use super::super::super::{Exchange, ExchangeError};
use super::{OPERATIONS, Operation};
use crate::ground::actor::Partner;
use crate::ground::ids::RequestId;
use crate::ground::text::{self, Login, SomeWords, Words};
use crate::web::{Desk, Named, Parameters, Problem, body_of};

/// A call whose token has the scope of the operation.
pub(super) struct Call {
    pub desk: Desk,
    pub exchange: Exchange,
    pub partner: Partner,
    operation: &'static Operation,
    headers: HeaderMap,
    /// Method, path and query.
    line: String,
    /// The parameters of the query.
    pub query: Vec<(String, String)>,
    /// Whom the path names.
    pub named: String,
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
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // HEAD is answered by the handler of GET.
        let method = if parts.method == "HEAD" { "GET" } else { parts.method.as_str() };
        let operation = OPERATIONS.iter().find(|one| one.path == path && one.method == method);
        let operation = operation.ok_or_else(|| Problem::new(ProblemCode::RouteWithoutRight))?;
        // The token first: who has none is told nothing of what else is wrong.
        let partner = Asking::from_request_parts(&mut parts, state).await?.with_token(operation.scope)?;
        let line = format!("{} {}", operation.method, parts.uri.path_and_query().map_or("", |line| line.as_str()));
        let Parameters(query) = Parameters::from_request_parts(&mut parts, state).await?;
        let named = match operation.path.contains('{') {
            true => Named::<String>::from_request_parts(&mut parts, state).await?.0,
            false => String::new(),
        };
        let headers = parts.headers.clone();
        let body = body_of(Request::from_parts(parts, body)).await?;
        let (desk, exchange) = (Desk::from_ref(state), Exchange::from_ref(state));
        Ok(Self { desk, exchange, partner, operation, headers, line, query, named, body })
    }
}

/// A refusal of what is asked for.
pub(super) fn unfit(why: impl Into<String>) -> Problem {
    ExchangeError::RequestUnfit(why.into()).into()
}

/// A refusal of what no agreement grants.
pub(super) fn forbidden(why: &str) -> Problem {
    ExchangeError::NotAgreed(why.to_owned()).into()
}

impl Call {
    /// Returns the one value of a parameter of the query.
    ///
    /// # Errors
    /// Where it stands there more than once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(unfit(format!("{name} stands there twice"))),
        }
    }

    /// Returns all values of a parameter of the query, each once.
    ///
    /// # Errors
    /// For more than a request may name.
    pub fn all(&self, name: &str) -> Result<Vec<String>, Problem> {
        let mut values: Vec<String> = Vec::new();
        for (_, value) in self.query.iter().filter(|(known, _)| known == name) {
            if !values.contains(value) {
                values.push(value.clone());
            }
            if values.len() > super::attributes::MOST {
                return Err(unfit(format!("{name}: at most {} attributes", super::attributes::MOST)));
            }
        }
        Ok(values)
    }

    /// Reads the body.
    ///
    /// # Errors
    /// For one that is not JSON of this form. Nothing of it is quoted.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(unfit("Content-Type is application/json"));
        }
        if text::holds_nul(&self.body) {
            return Err(Problem::new(ProblemCode::TextUnfit).detail("a text holds U+0000"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| unfit(format!("the body does not fit, line {} column {}", error.line(), error.column())))
    }

    fn header(&self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().map(|value| percent_decode_str(value).decode_utf8());
        match (text, values.next()) {
            (Some(Ok(text)), None) => Ok(Some(text.into_owned()).filter(|text| !text.trim().is_empty())),
            _ => Err(unfit(format!("header {name}: stands there once, UTF-8 in percent-encoding"))),
        }
    }

    fn words<const MOST: usize>(&self, name: &str) -> Result<Option<String>, Problem> {
        let text = self.header(name)?.map(SomeWords::<MOST>::try_from).transpose();
        let text = text.map_err(|error| unfit(format!("header {name}: {error}")))?;
        Ok(text.map(|text| text.as_str().to_owned()))
    }

    /// Returns the one internal question. `transaction` is the request's identifier in OSIA, where the operation has
    /// one: it is the case too, unless a header names that.
    ///
    /// # Errors
    /// For a header that is missing or means nothing: without purpose, case, officer and unit there is no answer.
    pub async fn question(
        &self,
        subject: Subject,
        fields: Option<BTreeSet<Field>>,
        transaction: Option<&str>,
    ) -> Result<(Asked, Option<Grant>), Problem> {
        let service =
            self.operation.services.first().copied().ok_or_else(|| forbidden("no agreement grants this operation"))?;
        let needed = |name: &str| unfit(format!("header {name} is needed"));
        let officer = self.header(OFFICER)?.ok_or_else(|| needed(OFFICER))?;
        let officer: Login = officer.parse().map_err(|error| unfit(format!("header {OFFICER}: {error}")))?;
        let unit = self.words::<200>(UNIT)?.ok_or_else(|| needed(UNIT))?;
        let said = match transaction {
            Some(text) => {
                let text = SomeWords::<100>::try_from(text.to_owned());
                Some(text.map_err(|error| unfit(format!("transactionId: {error}")))?.as_str().to_owned())
            }
            None => None,
        };
        let case = self.words::<100>(CASE)?.or_else(|| said.clone()).ok_or_else(|| needed(CASE))?;
        let (purpose, grant) = self.granted(service).await?;
        let request = match said {
            Some(transaction) => transaction,
            None => {
                let fresh = || self.desk.deeds().source().id::<RequestId>().to_string();
                self.words::<100>(REQUEST)?.unwrap_or_else(fresh)
            }
        };
        let mut hash = Sha256::new();
        for part in [&self.line, &purpose, &case, officer.as_str(), &unit] {
            hash.update(part);
            hash.update("\n");
        }
        hash.update(&self.body);
        let asked = Asked {
            request,
            request_sha256: hash.finalize().into(),
            purpose,
            case,
            officer: officer.as_str().to_owned(),
            unit,
            asked_at: None,
            service,
            fields: fields.map(|fields| fields.into_iter().collect()),
            subject,
        };
        Ok((asked, grant))
    }

    /// Returns the purpose, with what grants the service for it: the purpose that the header names, or the only one for
    /// which an agreement in force grants the service.
    async fn granted(&self, service: Service) -> Result<(String, Option<Grant>), Problem> {
        let named = self.words::<40>(PURPOSE)?;
        let mut tx = self.desk.deeds().db().begin_read().await?;
        let now = self.desk.deeds().source().now();
        let in_force = agreements::in_force(&mut tx, self.partner.id, now).await?;
        drop(tx);
        let grants = in_force.iter().flat_map(|agreement: &Agreement| &agreement.grants);
        let mut grants: Vec<&Grant> = grants.filter(|grant| grant.service == service).collect();
        if let Some(named) = named {
            let grant = grants.into_iter().find(|grant| grant.purpose == named).cloned();
            return Ok((named, grant));
        }
        grants.sort_by(|one, other| one.purpose.cmp(&other.purpose));
        grants.dedup_by(|one, other| one.purpose == other.purpose);
        match grants.as_slice() {
            // Refused where the question is judged, with a record about the person.
            [] => Ok(("unnamed".to_owned(), None)),
            [grant] => Ok((grant.purpose.clone(), Some((*grant).clone()))),
            _ => Err(unfit(format!("header {PURPOSE}: agreements grant this for more than one purpose"))),
        }
    }

    /// Asks, and returns what is answered.
    ///
    /// # Errors
    /// As for a question.
    pub async fn ask(&self, asked: Asked) -> Result<Told, Problem> {
        let request_sha256 = hex::encode(asked.request_sha256);
        let answered = ask::ask(self.desk.deeds(), &self.exchange, self.partner.clone(), asked).await?;
        Told::of(&answered, request_sha256)
    }

    /// Writes an answer in the words of OSIA, with a signature over these bytes that names the answer that is kept.
    ///
    /// # Errors
    /// Those of the signer.
    pub fn write(&self, told: &Told, rendered: &impl Serialize) -> Result<Response, Problem> {
        let body = serde_json::to_vec(rendered).map_err(ExchangeError::from)?;
        let signature = self.exchange.signer.sign_rendered(&body, told.answer(), &told.request_sha256);
        let signature = signature.map_err(ExchangeError::from)?;
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
            (super::super::super::api::SIGNATURE, signature),
        ];
        Ok((headers, body).into_response())
    }

    /// An answer about which no person was asked.
    pub fn plain(rendered: impl Serialize) -> Response {
        Json(rendered).into_response()
    }
}

/// The one internal answer.
pub(super) struct Told {
    answer: Value,
    request_sha256: String,
}

impl Told {
    /// Reads an answer.
    ///
    /// # Errors
    /// For one that is not JSON: a fault of this program.
    pub fn of(answered: &Answered, request_sha256: String) -> Result<Self, Problem> {
        let answer = serde_json::from_slice(&answered.body).map_err(ExchangeError::from)?;
        Ok(Self { answer, request_sha256 })
    }

    fn answer(&self) -> &str {
        self.text("answer")
    }

    /// Returns the text of a member.
    pub fn text(&self, name: &str) -> &str {
        self.answer[name].as_str().unwrap_or_default()
    }

    /// Returns a member.
    pub fn member(&self, name: &str) -> &Value {
        &self.answer[name]
    }
}

/// Returns whom a path names: by the number for life, or by the partner's own name for the person.
pub(super) fn subject(uin: &str) -> Subject {
    let is_pseudonym = uin.len() == 32 && uin.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'));
    if is_pseudonym {
        return Subject { pseudonym: Words::try_from(uin.to_owned()).unwrap_or_default(), ..Subject::default() };
    }
    // What cannot be a number is asked about as one that no person has.
    let number = Words::try_from(uin.to_owned()).ok().filter(|number: &Words<20>| !number.as_str().is_empty());
    let number = number.or_else(|| Words::try_from("-".to_owned()).ok());
    Subject { personal_number: number.unwrap_or_default(), ..Subject::default() }
}

/// The officer of the partner who asks.
const OFFICER: &str = "x-exchange-officer";
/// The officer's unit.
const UNIT: &str = "x-exchange-unit";
/// Number of the case at the partner.
const CASE: &str = "x-exchange-case";
/// Code of the purpose.
const PURPOSE: &str = "x-exchange-purpose";
/// The partner's identifier of the request.
const REQUEST: &str = "x-exchange-request";
