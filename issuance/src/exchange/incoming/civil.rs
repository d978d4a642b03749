//! A partner reports a death, or what civil status changed of a person: it is proposed to the register, and an officer
//! applies it. What became of a report is asked for by its reference.

use std::collections::BTreeSet;

use crypto::identity::Date;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::ask::{Answered, Asked};
use super::super::model::{Field, Grant, Service};
use super::super::store::reports::{self, Report};
use super::super::subject::{By, province_of};
use super::super::told::{Particulars, Told};
use super::super::{Exchange, ExchangeError};
use super::{Reply, Stopped, admit, answered};
use crate::deed::Deeds;
use crate::ground::actor::Partner;
use crate::ground::ids::RequestId;
use crate::ground::text::{SomeWords, Words};
use crate::population::change::{self, ChangeError, Wanted};
use crate::population::history::{Confidence, EventKind, Evidence, FactSource, Form};
use crate::population::store as register;
use crate::web::Problem;

/// A death, as it stands in a register of deaths.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CivilDeath {
    /// The day, the month or the year.
    pub died: String,
    /// Number and day of the entry in the register of deaths of the unit.
    #[schema(value_type = String, max_length = 200)]
    pub registration: SomeWords<200>,
}

/// What civil status changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CivilChangeKind {
    /// What was recorded was wrong, or was missing.
    Corrected,
    /// Marriage, divorce, death of the spouse.
    MaritalStatusChanged,
    /// Sex, year of birth, name or origin was determined anew.
    Redetermined,
}

/// A change, as it stands in a register of civil status.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CivilChange {
    /// What happened.
    pub kind: CivilChangeKind,
    /// Since when it is so.
    #[serde(default)]
    #[schema(value_type = Option<String>, nullable = false)]
    pub valid_from: Option<Date>,
    /// Fields of a declaration, each with what it holds from now on; null takes it away.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// Number and day of the entry in the register of the unit.
    #[schema(value_type = String, max_length = 200)]
    pub registration: SomeWords<200>,
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for CivilDeath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CivilDeath(…)")
    }
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for CivilChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CivilChange(…)")
    }
}

/// What is to be proposed to the register.
pub(super) struct Reported {
    kind: EventKind,
    valid_from: Option<Date>,
    form: Form,
    fields: Map<String, Value>,
    registration: SomeWords<200>,
    /// Where the fields and the rest stand in the body, for what is wrong with them.
    at: (&'static str, &'static str),
}

impl From<CivilDeath> for Reported {
    fn from(CivilDeath { died, registration }: CivilDeath) -> Self {
        let fields = Map::from_iter([("died".to_owned(), Value::String(died))]);
        let (kind, form) = (EventKind::Died, Form::DeathMessage);
        Self { kind, valid_from: None, form, fields, registration, at: ("/fields", "/death") }
    }
}

impl From<CivilChange> for Reported {
    fn from(CivilChange { kind, valid_from, fields, registration }: CivilChange) -> Self {
        let kind = match kind {
            CivilChangeKind::Corrected => EventKind::Corrected,
            CivilChangeKind::MaritalStatusChanged => EventKind::MaritalStatusChanged,
            CivilChangeKind::Redetermined => EventKind::Redetermined,
        };
        Self { kind, valid_from, form: Form::Dc02, fields, registration, at: ("", "/change") }
    }
}

impl Reported {
    /// Refuses a field that the grant does not name.
    fn agreed(&self, grant: &Grant) -> Result<(), ExchangeError> {
        if grant.service != Service::Change {
            return Ok(());
        }
        let outside = self.fields.keys().find(|name| {
            let field: Option<Field> = name.parse().ok();
            field.is_none_or(|field| !grant.fields.contains(&field))
        });
        match outside.map(|name| name.parse::<Field>()) {
            None => Ok(()),
            Some(Ok(field)) => Err(ExchangeError::NotAgreed(format!("the field {field} is not in the agreement"))),
            Some(Err(_)) => Err(ExchangeError::NotAgreed("a field is not in the agreement".to_owned())),
        }
    }

    /// The fields that it is about, as the person is told of them.
    fn about(&self) -> Vec<Field> {
        match self.kind {
            EventKind::Died => vec![Field::Life],
            _ => self.fields.keys().filter_map(|name| name.parse().ok()).collect(),
        }
    }

    /// The entry as evidence: the unit whose register it is in, where there is room for it.
    fn evidence(&self, unit: &str) -> Evidence {
        let named = Words::try_from(format!("{}, {unit}", self.registration.as_str()));
        Evidence {
            form: self.form,
            source: FactSource::CivilStatus,
            document: named.unwrap_or_else(|_| self.registration.words().clone()),
            confidence: Confidence::Proved,
        }
    }
}

/// Takes the report of a death or of a change: proposes it to the register, if number, name and date of birth belong
/// together. Where they do not, the answer and its time are those for a number that no person has.
///
/// # Errors
/// As a problem: of the exchange, or as the officers' route answers.
pub(super) async fn report(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    reported: &Reported,
) -> Result<Answered, Problem> {
    let done = proposed(deeds, exchange, partner, asked, reported).await;
    answered(deeds, partner, asked, done).await
}

async fn proposed(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    reported: &Reported,
) -> Result<Answered, Stopped> {
    let by = asked.subject.by().map_err(|why| ExchangeError::RequestUnfit(why.to_owned()))?;
    let named = BTreeSet::from([Field::PersonalNumber, Field::OldIdNumber, Field::FullName, Field::BirthDate]);
    if matches!(by, By::Pseudonym(_)) || !asked.subject.said().is_subset(&named) {
        let why = "subject: a report names the person by number, full_name and birth_date, and by nothing else";
        return Err(ExchangeError::RequestUnfit(why.to_owned()).into());
    }
    let (mut deed, admitted) = admit(deeds, exchange, partner, asked).await?;
    let attempt = async {
        reported.agreed(admitted.grant())?;
        let differs = asked.subject.differs(admitted.found.person());
        let found = admitted.found.registered();
        let reached = admitted.grant().reaches(found.and_then(province_of).as_deref());
        let known: Vec<_> = found.map(|registered| registered.id).into_iter().collect();
        let Some(registered) = found.filter(|_| reached && differs.is_empty()) else {
            let reply = Reply::new(&deed, asked, &admitted, "not-found");
            let said = (partner, asked, &admitted);
            let done = reply.keep(&mut deed, exchange, said, &reported.about(), true, &known).await?;
            deed.commit().await?;
            return Ok(done);
        };
        let mut deed = deed.reporting(registered.office.clone(), admitted.answers());
        let wanted = Wanted {
            kind: reported.kind,
            valid_from: reported.valid_from,
            evidence: reported.evidence(&asked.unit),
            fields: &reported.fields,
        };
        let proposal = change::propose(&mut deed, &exchange.register, registered.id, wanted).await;
        let proposal = proposal.map_err(|error| match error {
            ChangeError::Store(source) => source.into(),
            refused => {
                let (from, to) = reported.at;
                Stopped::Refused(Problem::from(refused).moved(from, to), Some(registered.id))
            }
        })?;
        let reply = Reply::new(&deed, asked, &admitted, "received");
        let id = reply.answer;
        let done =
            reply.keep(&mut deed, exchange, (partner, asked, &admitted), &reported.about(), false, &known).await?;
        let report = Report {
            id,
            partner: partner.id,
            service: asked.service.word().to_owned(),
            office: registered.office.clone(),
            reasons: String::new(),
            message: None,
            change: Some(proposal.id),
            person: Some(registered.id),
            state: "proposed".to_owned(),
            reason: None,
            decided: None,
        };
        reports::insert(deed.tx(), &report).await?;
        deed.commit().await?;
        Ok(done)
    };
    let done = attempt.await;
    admitted.settle(exchange, &done);
    done
}

/// Answers what became of a report: of a birth that was held `held`, `numbered` (with the number) or `refused`; of
/// another report `proposed`, `applied` or `refused`.
///
/// # Errors
/// As a problem.
pub(super) async fn status(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    reference: RequestId,
) -> Result<Answered, Problem> {
    let done = told(deeds, exchange, partner, asked, reference).await;
    answered(deeds, partner, asked, done).await
}

/// Returns the service by which a report came in: a grant, and of a token the scope, of that one
/// is needed to ask for it.
///
/// # Errors
/// [`ExchangeError::ReportUnknown`] for a reference that is none of the partner's.
pub(super) async fn service_of(
    deeds: &Deeds,
    partner: &Partner,
    reference: RequestId,
) -> Result<Service, ExchangeError> {
    let mut tx = deeds.db().begin_read().await?;
    let report = reports::report(&mut tx, reference).await?.filter(|report| report.partner == partner.id);
    let service = report.and_then(|report| report.service.parse().ok());
    service.ok_or(ExchangeError::ReportUnknown)
}

async fn told(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    reference: RequestId,
) -> Result<Answered, Stopped> {
    let (mut deed, admitted) = admit(deeds, exchange, partner, asked).await?;
    let attempt = async {
        let report = reports::locked(deed.tx(), reference).await?.ok_or(ExchangeError::ReportUnknown)?;
        let change = match report.change {
            Some(change) => change::state_of(deed.tx(), change).await?,
            None => None,
        };
        let (outcome, reason) = match (report.state.as_str(), change.as_deref()) {
            (_, Some("applied")) => ("applied", None),
            (_, Some("withdrawn")) => ("refused", Some("turned-down")),
            (_, Some(_)) => ("proposed", None),
            ("held", None) => ("held", None),
            ("numbered", None) => ("numbered", None),
            (_, None) => ("refused", report.reason.as_deref()),
        };
        let mut reply = Reply::new(&deed, asked, &admitted, outcome);
        let held = report.reasons.split(',').filter(|code| outcome == "held" && !code.is_empty());
        reply.reasons = held.chain(reason).map(str::to_owned).collect();
        let mut fields = vec![];
        if let (Service::Birth, "numbered", Some(child)) = (asked.service, outcome, report.person)
            && let Some(child) = register::person(&mut deed, child).await?
        {
            let (reference, today) = (exchange.register.reference(), deed.today());
            let particulars = Particulars { registered: &child, cards: &[], reference, today };
            reply.record = Some(Told::of(&particulars, &admitted.grant().fields));
            fields.extend(admitted.grant().fields.iter().copied());
        }
        let persons: Vec<_> = report.person.into_iter().collect();
        let done = reply.keep(&mut deed, exchange, (partner, asked, &admitted), &fields, false, &persons).await?;
        deed.commit().await?;
        Ok(done)
    };
    let done: Result<_, Stopped> = attempt.await;
    admitted.settle(exchange, &done);
    done
}
