//! A partner reports a birth: the child enters the register and has its number at once, by the verb of the officers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ask::{Answered, Asked};
use super::super::store::reports::{self, Report};
use super::super::store::requests;
use super::super::subject::Subject;
use super::super::told::{Particulars, Told};
use super::super::{Exchange, ExchangeError};
use super::{Admitted, Reply, Stopped, admit, answered, office_of};
use crate::deed::Deeds;
use crate::ground::actor::Partner;
use crate::ground::ids::{PartnerId, PersonId};
use crate::ground::text::{SomeWords, Words};
use crate::numbering::EstablishError;
use crate::numbering::births::{self, Birth, BirthError};
use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use crate::population::store as register;
use crate::web::Problem;

/// The eight groups of Decree 137/2015/NĐ-CP, Art. 14(1), and the entry of the register of births.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::exchange) struct Newborn {
    /// a) Surname, middle names and given name at birth, with diacritics.
    pub full_name: String,
    /// b) Day, month and year.
    pub birth_date: String,
    /// c) `Nam`, `Nữ`, `M` or `F`.
    pub sex: String,
    /// d) Where the birth is registered; its province begins the number, and lies within the agreement.
    pub birth_registration: DeclaredPlace,
    /// đ) Place of origin.
    pub place_of_origin: DeclaredPlace,
    /// e) Ethnic group, two digits.
    pub ethnic_group: String,
    /// g) Nationality, three letters; empty means the register's State.
    #[serde(default)]
    pub nationality: String,
    /// h) Father, unless undetermined.
    #[serde(default)]
    pub father: Option<DeclaredRelative>,
    /// h) Mother, unless undetermined.
    #[serde(default)]
    pub mother: Option<DeclaredRelative>,
    /// h) Legal representative, where there is no parent.
    #[serde(default)]
    pub representative: Option<DeclaredRelative>,
    /// Number and day of the entry in the register of births of the unit.
    #[schema(value_type = String, max_length = 200)]
    pub registration: SomeWords<200>,
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Newborn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Newborn(…)")
    }
}

impl Newborn {
    /// The eight groups, as a declaration.
    pub fn declaration(&self) -> Declaration {
        Declaration {
            full_name: self.full_name.clone(),
            birth_date: self.birth_date.clone(),
            sex: self.sex.clone(),
            birth_registration: self.birth_registration.clone(),
            place_of_origin: self.place_of_origin.clone(),
            ethnic_group: self.ethnic_group.clone(),
            nationality: self.nationality.clone(),
            father: self.father.clone(),
            mother: self.mother.clone(),
            representative: self.representative.clone(),
            ..Declaration::default()
        }
    }

    /// By what guesses about one parent are counted together: the number that is named.
    pub fn guessed(&self) -> Subject {
        let numbers = [&self.mother, &self.father].into_iter().flatten().map(|parent| &parent.personal_number);
        let number = numbers.filter_map(|number| Words::try_from(number.clone()).ok()).find(|n| !n.as_str().is_empty());
        Subject { personal_number: number.unwrap_or_default(), ..Subject::default() }
    }
}

/// Whose register of births an entry is in: that of a unit of a partner. No office of this register is called so.
pub(super) fn kept_by_unit(partner: PartnerId, unit: &str) -> String {
    format!("partner/{partner}/{}", unit.to_lowercase())
}

/// What speaks against a number, so that an officer decides.
struct Doubts {
    codes: Vec<&'static str>,
    /// The person of whom they tell.
    told: Option<PersonId>,
}

/// What came of a birth that has no number yet.
enum Unborn {
    Stopped(Stopped),
    Held(Doubts),
}

impl<E: Into<ExchangeError>> From<E> for Unborn {
    fn from(error: E) -> Self {
        Self::Stopped(error.into().into())
    }
}

/// Takes the report of a birth: the number at once, or held with what speaks against one.
///
/// # Errors
/// As a problem: of the exchange, or as the officers' route answers.
pub(in crate::exchange) async fn birth(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    newborn: &Newborn,
) -> Result<Answered, Problem> {
    let done = match number(deeds, exchange, partner, asked, newborn).await {
        Ok(answered) => Ok(answered),
        Err(Unborn::Stopped(stopped)) => Err(stopped),
        // What the refused attempt wrote is undone; the message is kept in a transaction of its own.
        Err(Unborn::Held(doubts)) => {
            hold(deeds, exchange, partner, asked, newborn, doubts).await.map_err(Stopped::from)
        }
    };
    // The same request may have come at the same moment: then what stands against the second is the first.
    let done = match done {
        Err(Stopped::Refused(problem, told)) => match came_before(deeds, partner, asked).await? {
            true => Err(Stopped::Exchange(ExchangeError::Repeated)),
            false => Err(Stopped::Refused(problem, told)),
        },
        done => done,
    };
    answered(deeds, partner, asked, done).await
}

async fn came_before(deeds: &Deeds, partner: &Partner, asked: &Asked) -> Result<bool, ExchangeError> {
    let mut tx = deeds.db().begin_read().await?;
    Ok(requests::before(&mut tx, partner.id, &asked.request).await?.is_some())
}

/// Registers the child and establishes its number, all in one transaction with the answer.
async fn number(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    newborn: &Newborn,
) -> Result<Answered, Unborn> {
    let (mut deed, admitted) = admit(deeds, exchange, partner, asked).await?;
    let attempt = async {
        reached(&admitted, newborn)?;
        let office = office_of(&mut deed, &newborn.birth_registration.province).await?;
        let mut deed = deed.reporting(office, admitted.answers());
        let (declaration, kept_by) = (&newborn.declaration(), &kept_by_unit(partner.id, &asked.unit));
        let (registration, acknowledged, leased) = (&newborn.registration, None, None);
        let birth = Birth { declaration, registration, kept_by, acknowledged, reported_by: None, leased };
        let registered = births::register(&mut deed, &exchange.numbers, &exchange.register, &birth).await;
        let (id, _, findings) = registered.map_err(against)?;
        let child = register::person(&mut deed, id).await?.ok_or(ExchangeError::Repeated)?;
        let (reference, today) = (exchange.register.reference(), deed.today());
        let particulars = Particulars { registered: &child, cards: &[], reference, today };
        let mut reply = Reply::new(&deed, asked, &admitted, "numbered");
        reply.record = Some(Told::of(&particulars, &admitted.grant().fields));
        reply.findings = Some(findings.into_iter().map(|finding| finding.code).collect());
        let persons: Vec<_> = deed.told().iter().copied().collect();
        let fields: Vec<_> = admitted.grant().fields.iter().copied().collect();
        let done = reply.keep(&mut deed, exchange, (partner, asked, &admitted), &fields, false, &persons).await?;
        deed.commit().await?;
        Ok(done)
    };
    let done = attempt.await;
    admitted.settle(exchange, &done);
    done
}

/// Refuses a birth that is registered in a province outside the grant.
fn reached(admitted: &Admitted, newborn: &Newborn) -> Result<(), ExchangeError> {
    if admitted.grant().reaches(Some(newborn.birth_registration.province.trim())) {
        return Ok(());
    }
    Err(ExchangeError::NotAgreed("the province of birth registration is not in the agreement".to_owned()))
}

/// What is a doubt, which an officer decides, and what is a fault of the message.
fn against(error: BirthError) -> Unborn {
    match error {
        BirthError::Recorded { child, .. } => Unborn::Held(Doubts { codes: vec!["birth-recorded"], told: Some(child) }),
        BirthError::Number(EstablishError::Doubtful(doubts)) => {
            Unborn::Held(Doubts { codes: doubts.0.iter().map(|doubt| doubt.code()).collect(), told: None })
        }
        BirthError::Store(source) => source.into(),
        refused => {
            let told = refused.tells_of();
            Unborn::Stopped(Stopped::Refused(Problem::from(refused).moved("", "/birth"), told))
        }
    }
}

/// Keeps the message of a birth until an officer decides. No number is given.
async fn hold(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    newborn: &Newborn,
    doubts: Doubts,
) -> Result<Answered, ExchangeError> {
    let (mut deed, admitted) = admit(deeds, exchange, partner, asked).await?;
    let attempt = async {
        let office = office_of(&mut deed, &newborn.birth_registration.province).await?;
        let mut reply = Reply::new(&deed, asked, &admitted, "held");
        reply.reasons = doubts.codes.iter().map(|code| (*code).to_owned()).collect();
        let reasons = doubts.codes.join(",");
        let (id, persons): (_, Vec<_>) = (reply.answer, doubts.told.into_iter().collect());
        let done = reply.keep(&mut deed, exchange, (partner, asked, &admitted), &[], false, &persons).await?;
        let message = deed.secrets().seal(&sealed_as(id), &serde_json::to_vec(newborn)?);
        let report = Report {
            id,
            partner: partner.id,
            service: asked.service.word().to_owned(),
            office,
            reasons,
            message: Some(message),
            change: None,
            person: None,
            state: "held".to_owned(),
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

/// For what the message of a birth is sealed.
pub(super) fn sealed_as(id: crate::ground::ids::RequestId) -> String {
    format!("exchange-report/{id}")
}
