//! Objections of citizens: to a look at the own data, or to what the register holds. Each is a case with an owner and a
//! due time; the citizen is told in writing when it is answered.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::own::require_code;
use super::steps::own_card;
use super::store::objections as store;
use super::{CitizenError, Settings};
use crate::access::{self, AccessError};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::exchange::ObjectedLook;
use crate::ground::actor::{Actor, Citizen};
use crate::ground::ids::{CardId, EntryId, ObjectionId, OfficerId, PersonId};
use crate::ground::{Decision, OfficeCode, Officer, Role};
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::store::{StoreError, Tx};
use crate::{cards, exchange, population};

/// An objection. Its words and those of its answer are sealed.
#[derive(Clone, Debug)]
pub(super) struct CitizenObjection {
    /// Identifier.
    pub id: ObjectionId,
    /// Who objects.
    pub person: PersonId,
    /// The card with which the citizen was logged in.
    pub card: CardId,
    /// The look; none: it is about what the register holds.
    pub look: Option<EntryId>,
    /// The officer of the register who looked: never the one who answers.
    pub looker: Option<OfficerId>,
    /// The role of those who answer it.
    pub role: Role,
    /// The office that answers it.
    pub office: OfficeCode,
    /// What the citizen says, sealed.
    pub words: Vec<u8>,
    /// When it was made.
    pub made_at: OffsetDateTime,
    /// Until then it is answered.
    pub due: OffsetDateTime,
    /// What it was answered.
    pub answer: Option<GivenAnswer>,
}

/// What an objection was answered.
#[derive(Clone, Debug)]
pub(super) struct GivenAnswer {
    /// Who and when.
    pub by: Decision,
    /// Whether the citizen was right.
    pub verdict: ObjectionVerdict,
    /// What the citizen is told, sealed.
    pub words: Vec<u8>,
}

/// What came of an objection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ObjectionVerdict {
    /// The citizen is not right; the answer says why.
    Rejected,
    /// The citizen is right; the answer says what was done.
    Upheld,
}

impl ObjectionVerdict {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Upheld => "upheld",
        }
    }
}

/// A word that is no verdict.
#[derive(Debug, Error)]
#[error("no verdict about an objection")]
pub(super) struct NotAVerdict;

impl std::str::FromStr for ObjectionVerdict {
    type Err = NotAVerdict;

    fn from_str(text: &str) -> Result<Self, NotAVerdict> {
        [Self::Rejected, Self::Upheld].into_iter().find(|verdict| verdict.word() == text).ok_or(NotAVerdict)
    }
}

/// An objection with its words opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// The case.
    pub case: CitizenObjection,
    /// What the citizen says.
    pub words: String,
    /// What the citizen is told.
    pub answer: Option<String>,
}

/// Takes an objection of the citizen: to one look of which the citizen was told, or else to what the register holds.
///
/// # Errors
/// [`CitizenError::CodeNeeded`], [`CitizenError::NotInForce`]; [`CitizenError::LookUnknown`] for a look of which the
/// citizen was not told; [`CitizenError::ObjectionsOpen`] while too many wait for their answer.
pub(super) async fn object(
    deed: &mut Deed<Citizen>,
    settings: &Settings,
    (look, words): (Option<EntryId>, &str),
) -> Result<Opened, CitizenError> {
    require_code(deed)?;
    let card = own_card(deed).await?;
    // One after the other, so that each is counted.
    let registered = population::store::person_locked(deed, card.person).await?.ok_or(CitizenError::NotInForce)?;
    let most = settings.objections_open;
    if store::open_of(deed.tx(), card.person, most).await? >= usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(CitizenError::ObjectionsOpen);
    }
    let (looker, role, office) = match look {
        Some(look) => {
            let told = exchange::own_look(deed, card.person, look).await?.ok_or(CitizenError::LookUnknown)?;
            (told.officer, Role::DataProtection, OfficeCode::national())
        }
        None => (None, Role::Registrar, registered.office),
    };
    let (id, made_at) = (deed.id(), deed.at());
    let sealed = deed.secrets().seal(&of_words(id), words.as_bytes());
    let due = made_at + settings.objection_answered_within;
    let case = CitizenObjection {
        id,
        person: card.person,
        card: card.id,
        look,
        looker,
        role,
        office,
        words: sealed,
        made_at,
        due,
        answer: None,
    };
    store::insert(deed.tx(), &case).await?;
    let entry = Entry::new(Action::ObjectionMade, Object::Objection(id), Purpose::Own).about(card.person);
    deed.enter(entry.of(&case.office)).await?;
    Ok(Opened { case, words: words.to_owned(), answer: None })
}

/// Returns the citizen's own objections, the oldest first, with what they were answered.
///
/// # Errors
/// [`CitizenError::CodeNeeded`], [`CitizenError::NotInForce`]
pub(super) async fn own(deed: &mut Deed<Citizen>) -> Result<Vec<Opened>, CitizenError> {
    require_code(deed)?;
    let card = own_card(deed).await?;
    let cases = store::of_person(deed.tx(), card.person).await?;
    let entry = Entry::new(Action::ObjectionRead, Object::Person(card.person), Purpose::Own).about(card.person);
    deed.enter(entry).await?;
    cases.into_iter().map(|case| Ok(opened(deed, case)?)).collect()
}

/// Which objections a list has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    /// Those that were answered, the newest first.
    Answered,
    /// Those that wait longer than they may, the oldest first.
    Late,
    /// Those that wait, the oldest first.
    #[default]
    Waiting,
}

/// Lists the objections after this one which the officer may answer, or that were answered in the officer's place, each
/// with whether its row is as it was written. Their words are not told.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn listed(
    deed: &mut Deed<Officer>,
    which: Which,
    after: Option<ObjectionId>,
    most: i64,
) -> Result<Vec<(CitizenObjection, bool)>, StoreError> {
    let (roles, offices) = whose(deed.actor());
    let (of, now) = ((&*roles, offices.as_deref()), deed.at());
    let rows = match which {
        Which::Answered => store::answered(deed.tx(), of, after, most).await?,
        Which::Late => store::waiting(deed.tx(), of, (after, Some(now)), most).await?,
        Which::Waiting => store::waiting(deed.tx(), of, (after, None), most).await?,
    };
    deed.enter(Entry::new(Action::ObjectionsListed, Object::Asked("objections".into()), Purpose::Objection)).await?;
    Ok(rows)
}

/// Returns how many objections wait for an answer which the officer may give, and how many of them longer than they
/// may: counted as far as `most`. Nothing of them is told.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn how_many(
    tx: &mut Tx,
    officer: &Officer,
    now: OffsetDateTime,
    most: i64,
) -> Result<(usize, usize), StoreError> {
    let (roles, offices) = whose(officer);
    let rows = store::waiting(tx, (&roles, offices.as_deref()), (None, None), most).await?;
    Ok((rows.len(), rows.iter().filter(|(case, _)| case.due <= now).count()))
}

/// Returns the roles and the offices whose objections an officer answers; no offices: those of all.
fn whose(officer: &Officer) -> (Vec<Role>, Option<Vec<OfficeCode>>) {
    let offices = match officer.office == OfficeCode::national() {
        true => None,
        false => Some([vec![officer.office.clone()], officer.successor_of.clone()].concat()),
    };
    (officer.roles.clone(), offices)
}

/// An objection as the officer who answers it reads it.
#[derive(Debug)]
pub(super) struct ObjectionFile {
    /// The objection.
    pub opened: Opened,
    /// The look that it is about; none also where the trail has no such look.
    pub look: Option<ObjectedLook>,
    /// The officer of the register who looked, by name.
    pub looker: Option<String>,
    /// Who answered it, by name.
    pub answered_by: Option<String>,
}

/// Returns an objection with what it is about: as [`read`], whose record it leaves.
///
/// # Errors
/// As [`read`].
pub(super) async fn file(deed: &mut Deed<Officer>, id: ObjectionId) -> Result<ObjectionFile, CitizenError> {
    let opened = read(deed, id).await?;
    let case = &opened.case;
    let look = match case.look {
        Some(look) => exchange::objected_look(deed, case.person, look).await?,
        None => None,
    };
    let looker = match case.looker {
        Some(officer) => Some(access::called(deed.tx(), officer).await?),
        None => None,
    };
    let answered_by = match &case.answer {
        Some(given) => Some(access::called(deed.tx(), given.by.by).await?),
        None => None,
    };
    Ok(ObjectionFile { opened, look, looker, answered_by })
}

/// Returns an objection, to an officer who may answer it, also one that is answered.
///
/// # Errors
/// [`CitizenError::ObjectionUnknown`], also for one that others answer
pub(super) async fn read(deed: &mut Deed<Officer>, id: ObjectionId) -> Result<Opened, CitizenError> {
    let case = store::one(deed.tx(), id).await?.ok_or(CitizenError::ObjectionUnknown)?;
    own_case(deed, &case)?;
    let entry = Entry::new(Action::ObjectionRead, Object::Objection(id), Purpose::Objection).about(case.person);
    deed.enter(entry.of(&case.office)).await?;
    Ok(opened(deed, case)?)
}

/// Answers an objection; the citizen is told in writing that it is answered. An officer never answers one to the own
/// look.
///
/// # Errors
/// [`CitizenError::ObjectionUnknown`], [`CitizenError::ObjectionAnswered`] for one that is answered,
/// [`CitizenError::Access`] for the officer who looked, or who counts as that one
pub(super) async fn answer(
    deed: &mut Deed<Officer>,
    id: ObjectionId,
    (verdict, words): (ObjectionVerdict, &str),
) -> Result<Opened, CitizenError> {
    let mut case = store::locked(deed.tx(), id).await?.ok_or(CitizenError::ObjectionUnknown)?;
    own_case(deed, &case)?;
    if case.answer.is_some() {
        return Err(CitizenError::ObjectionAnswered);
    }
    if case.looker.is_some_and(|looker| deed.actor().is_one_with(looker)) {
        return Err(AccessError::SecondAdministrator.into());
    }
    let sealed = deed.secrets().seal(&of_answer(id), words.as_bytes());
    let given = GivenAnswer { by: deed.decision(), verdict, words: sealed };
    store::answer(deed.tx(), id, &given).await?;
    case.answer = Some(given);
    let card = cards::store::card(deed, case.card).await?.ok_or(CitizenError::NotInForce)?;
    let matter = Matter::ObjectionAnswered { on: deed.today() };
    let of = Case { application: card.application, person: case.person, office: &case.office };
    notices::write(deed, of, &matter).await?;
    let entry = Entry::new(Action::ObjectionAnswered, Object::Objection(id), Purpose::Objection).about(case.person);
    deed.enter(entry.because(verdict.word()).of(&case.office)).await?;
    Ok(opened(deed, case)?)
}

/// Refuses an officer of another role or office as if there were no such objection.
fn own_case(deed: &Deed<Officer>, case: &CitizenObjection) -> Result<(), CitizenError> {
    let officer = deed.actor();
    let may = officer.roles.contains(&case.role) && officer.may_act_for(&case.office).is_ok();
    if may { Ok(()) } else { Err(CitizenError::ObjectionUnknown) }
}

/// True if an objection waits for its answer longer than it may.
///
/// # Errors
/// [`StoreError`]
pub async fn is_objection_overdue(tx: &mut Tx, now: OffsetDateTime) -> Result<bool, StoreError> {
    store::is_overdue(tx, now).await
}

fn opened<A: Actor>(deed: &Deed<A>, case: CitizenObjection) -> Result<Opened, StoreError> {
    let open = |name: &str, sealed: &[u8]| {
        let inconsistent = || StoreError::inconsistent("objection", "words", case.id.to_string());
        let text = deed.secrets().open(name, sealed).map_err(|_| inconsistent())?;
        String::from_utf8(text.to_vec()).map_err(|_| inconsistent())
    };
    let words = open(&of_words(case.id), &case.words)?;
    let answer = case.answer.as_ref().map(|given| open(&of_answer(case.id), &given.words)).transpose()?;
    Ok(Opened { case, words, answer })
}

fn of_words(id: ObjectionId) -> String {
    format!("objection/{id}/words")
}

fn of_answer(id: ObjectionId) -> String {
    format!("objection/{id}/answer")
}
