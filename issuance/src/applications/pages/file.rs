//! The file of an application as the second officer reads it: portrait and features beside what the register holds and
//! what the citizen said to it, possible duplicates, history, claim, and what stands in the way of an approval. The
//! reading is a record about each person who is shown.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::Json;
use serde::Serialize;
use time::{Date, OffsetDateTime};

use super::super::appeals::{self, AppealOutcome, ComplaintView};
use super::super::claims::{self, Claim};
use super::super::fingerprints::{Print, TenPrintCard};
use super::super::fingers::Finger;
use super::super::model::{Application, Capture, Kind, ReturnReason, Stage};
use super::super::register_check::{self, RegisterCheck, RegisterField};
use super::super::stages::{self, Step};
use super::super::{Counter, CounterError, deciders, fingerprints, reading, steps};
use super::counter::prints::{Row as PrintRow, rows, state_of};
use super::occasion;
use super::queue::due_in_words;
use crate::deed::Deed;
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::{OfficeCode, Officer, Source};
use crate::population::change::{self, History};
use crate::population::duplicates::score::SHOWN_FROM;
use crate::population::duplicates::steps::Alike;
use crate::population::model::{Person, Place, Registered, Relative};
use crate::population::reference::Reference;
use crate::store::StoreError;
use crate::web::html::{APPROVALS, Filled, Texts, Trouble, Visitor, fill};
use crate::web::{Desk, Problem};
use crate::{access, offices};

/// The file of an application.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what the officer may do about it, button by button")]
pub(super) struct File {
    pub id: ApplicationId,
    pub title: String,
    pub name: String,
    pub number: String,
    pub kind: &'static str,
    pub opened: String,
    pub captured: Option<String>,
    pub stage: &'static str,
    pub due: String,
    pub due_class: &'static str,
    pub portrait: Option<String>,
    pub portrait_alt: String,
    pub features: String,
    /// How far the ten-print card is, and each finger of it; nothing where none was taken and none is demanded.
    pub prints: Option<(String, Vec<PrintRow>)>,
    pub fee: String,
    pub rows: Vec<Row>,
    /// What the counter noted, where that is one sentence.
    pub word: Option<(&'static str, &'static str)>,
    pub doubles: Option<Vec<Double>>,
    pub doubles_title: String,
    pub history: Vec<Happened>,
    pub claim: String,
    pub may_claim: bool,
    pub may_release: bool,
    /// The step that agrees, where there is one.
    pub agrees: Option<Agrees>,
    /// Why it is not possible now.
    pub blocked: Option<Trouble>,
    pub may_return: bool,
    pub may_refuse: bool,
    pub appealed: bool,
    /// No officer in service may decide about it.
    pub lacks_decider: bool,
    /// True for an officer of the national office, who decides about the complaint.
    pub may_hear: bool,
    /// Why this officer cannot.
    pub unheard: Option<Trouble>,
    /// The citizen's complaint about a refusal of it.
    pub complaint: Option<ComplaintView>,
    /// The name of what this officer sees.
    pub dossier: String,
    pub token: String,
    pub key: String,
    pub typed: Typed,
    pub reasons: Vec<(&'static str, String, bool)>,
    /// The first day that the citizen can be given.
    pub first_day: String,
}

/// The step by which an officer agrees.
#[derive(Debug)]
pub(super) struct Agrees {
    pub action: String,
    pub text: &'static str,
}

/// A field of the register, and what the citizen said to it.
#[derive(Debug)]
pub(super) struct Row {
    pub item: &'static str,
    pub value: String,
    pub class: &'static str,
    pub glyph: &'static str,
    pub says: &'static str,
}

/// A person who may be the same one.
#[derive(Debug)]
pub(super) struct Double {
    pub name: String,
    pub number: String,
    pub why: String,
    pub against: String,
    pub score: i32,
    pub likely: bool,
}

/// An event of the register.
#[derive(Debug)]
pub(super) struct Happened {
    pub at: String,
    pub what: &'static str,
    pub on: String,
    pub by: String,
}

/// What the officer had typed when something was wrong with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub step: Option<Step>,
    pub reasons: Vec<String>,
    pub says: String,
    pub until: String,
    pub outcome: String,
}

impl Typed {
    /// What stands in a form.
    pub(super) fn of(step: Step, filled: &Filled) -> Self {
        let says = if step == Step::Return { "says" } else { "reason" };
        Self {
            step: Some(step),
            reasons: filled.all("reasons").map(str::to_owned).collect(),
            says: filled.text(says).to_owned(),
            until: filled.text("until").to_owned(),
            outcome: filled.text("outcome").to_owned(),
        }
    }

    /// True if a complaint was to be decided.
    pub(super) fn hears(&self) -> bool {
        self.step == Some(Step::Uphold)
    }

    /// True if this was chosen.
    pub(super) fn chose(&self, outcome: &str) -> bool {
        self.outcome == outcome
    }

    /// True if the citizen was to be given another chance.
    pub(super) fn returns(&self) -> bool {
        self.step == Some(Step::Return)
    }

    /// True if the card was to be refused.
    pub(super) fn refuses(&self) -> bool {
        self.step == Some(Step::Refuse)
    }
}

/// Why a dossier is returned.
pub(super) const RETURN_REASONS: [ReturnReason; 5] = [
    ReturnReason::DataDisagree,
    ReturnReason::EvidenceMissing,
    ReturnReason::FeaturesUnfit,
    ReturnReason::OldDocumentMissing,
    ReturnReason::PortraitUnfit,
];

/// How officers call an application: the last six signs of its identifier.
pub(super) fn reference(id: ApplicationId) -> String {
    let text = id.to_string();
    text[text.len() - 6..].to_uppercase()
}

/// Returns the word of a kind with its reason, by which its text is found.
pub(super) fn kind_word(kind: Kind) -> String {
    let said = serde_json::to_value(kind).unwrap_or_default();
    said["reason"].as_str().or(said["kind"].as_str()).unwrap_or_default().to_owned()
}

/// Returns the word of a closed list, as it is answered.
pub(super) fn word_of(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().as_str().unwrap_or_default().to_owned()
}

/// What was read in one deed.
struct Read {
    application: Application,
    registered: Registered,
    check: Option<(RegisterCheck, Vec<RegisterField>)>,
    likely: Option<Vec<Alike>>,
    claim: Option<Claim>,
    history: History,
    card: TenPrintCard,
    names: BTreeMap<OfficerId, String>,
    days_late: u32,
    lacks_decider: bool,
}

/// Reads the file of an application, with the records that the reading leaves.
///
/// # Errors
/// `application-unknown`, `other-office`; the store's.
pub(super) async fn read(
    desk: &Desk,
    counter: &Counter,
    visitor: &Visitor,
    id: ApplicationId,
    typed: Typed,
    t: &'static Texts,
) -> Result<File, Problem> {
    let officer = &visitor.officer;
    let Json(read) = Box::pin(desk.look(officer.clone(), async |deed| in_deed(deed, id).await)).await?;
    let portrait = steps::portrait_of(counter, &read.application).await?;
    let (stage, procedure) = (read.application.stage.which(), read.application.procedure());
    let leads = |step| stages::next(stage, step, procedure).is_some();
    let step = [Step::Check, Step::Approve, Step::Confirm].into_iter().find(|step| leads(*step));
    let dossier = read.application.stage.capture_of().map(|capture| capture.dossier(officer.id));
    let blocked = match step {
        Some(step) => Box::pin(obstacle(desk, counter, officer, &read.application, step)).await?,
        None => None,
    };
    // What bars this officer from one decision bars the officer from all; what is wrong with the dossier does not.
    let barred = blocked.as_ref().is_some_and(|problem| {
        use crypto::perso::problem::ProblemCode as C;
        matches!(problem.code(), C::SecondOfficerNeeded | C::ApplicationClaimed | C::OtherOffice)
    });
    let appealed = matches!(read.application.stage, Stage::Appealed { .. });
    let may_hear = appealed && officer.office == OfficeCode::national();
    let unheard = match may_hear {
        true => Box::pin(unheard(desk, officer, id)).await?,
        false => None,
    };
    let source = desk.deeds().source();
    let today = source.clock().today();
    let mine = read.claim.as_ref().is_some_and(|claim| claim.officer == officer.id);
    let agrees = step.map(|step| {
        let (verb, text) = match step {
            Step::Check => ("check", &*t.file.check),
            _ => ("approval", &*t.file.approve),
        };
        Agrees { action: format!("/pages/approvals/{id}/{verb}"), text }
    });
    let shown = Shown { read: &read, source, counter, t, today };
    let person = &read.registered.person;
    let due = read.application.progress.due;
    let (due, due_class) = due_in_words(due, read.days_late, today, t);
    let doubles = read.likely.as_ref().map(|all| all.iter().map(|alike| shown.double(alike)).collect::<Vec<_>>());
    let count = doubles.as_ref().map_or(0, Vec::len);
    let reasons = RETURN_REASONS.map(|reason| {
        let word = word_of(&reason);
        let ticked = typed.reasons.contains(&word);
        (t.word(&t.reason, &word), word, ticked)
    });
    Ok(File {
        id,
        title: fill(&t.file.reference, &[("reference", &reference(id))]),
        name: person.full_name.as_str().to_owned(),
        number: shown.number(&read.registered),
        kind: t.word(&t.kind, &kind_word(read.application.kind)),
        opened: shown.by(&t.file.opened, read.application.registered.by, read.application.registered.at),
        captured: shown.capture().map(|capture| shown.by(&t.file.captured, capture.taken.by, capture.taken.at)),
        stage: t.word(&t.stage, stage.word()),
        due,
        due_class,
        portrait_alt: fill(&t.file.portrait, &[("name", person.full_name.as_str())]),
        portrait,
        features: shown.capture().map_or_else(|| t.file.features_none.clone(), |capture| capture.features.clone()),
        prints: shown.prints(id),
        fee: match read.application.fee {
            0 => t.file.fee_free.clone(),
            dong => fill(&t.file.fee_due, &[("dong", &shown.count(dong.into()))]),
        },
        rows: shown.rows(),
        word: shown.word(),
        doubles_title: match count {
            0 => t.file.doubles_none.clone(),
            n => fill(&t.file.doubles, &[("n", &n.to_string())]),
        },
        doubles,
        history: shown.history(),
        claim: shown.claim(officer.id),
        may_claim: read.claim.is_none() && read.application.stage.is_open(),
        may_release: mine,
        may_return: leads(Step::Return) && !barred,
        may_refuse: leads(Step::Refuse) && !barred,
        appealed,
        lacks_decider: read.lacks_decider,
        may_hear,
        unheard: unheard.map(|problem| Trouble::of(&problem, t)),
        complaint: ComplaintView::of(&read.application.stage),
        agrees,
        blocked: blocked.map(|problem| Trouble::of(&problem, t)),
        dossier: dossier.map(|digest| hex::encode(digest.0)).unwrap_or_default(),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        reasons: reasons.into(),
        typed,
        first_day: today.next_day().unwrap_or(today).to_string(),
    })
}

async fn in_deed(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Read, CounterError> {
    let application = steps::read(deed, id, occasion(id)).await?;
    let likely = steps::likely_doubles(deed, &application, occasion(id)).await?;
    let at = deed.at();
    let claim = claims::standing(deed.tx(), &application, at).await?;
    let check = register_check::unsettled(deed, &application).await?;
    let registered = reading::person(deed, application.person, occasion(id)).await?;
    let history = change::history(deed, application.person, occasion(id)).await?;
    let card = fingerprints::of_application(deed, id).await?;
    let mut officers = vec![application.registered.by];
    officers.extend(card.prints().iter().map(|print| print.taken.by));
    officers.extend(application.stage.capture_of().map(|capture| capture.taken.by));
    officers.extend(claim.as_ref().map(|claim| claim.officer));
    officers.extend(history.events.iter().map(|event| event.recorded.by));
    let mut names = BTreeMap::new();
    for officer in officers {
        if let Entry::Vacant(entry) = names.entry(officer) {
            entry.insert(name_of(deed, officer).await?);
        }
    }
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year() - 1, today.year()).await?;
    let days_late = application.progress.days_late(today, &calendar);
    let lacks_decider = deciders::lacks_one(deed.tx(), id, at).await?;
    Ok(Read { application, registered, check, likely, claim, history, card, names, days_late, lacks_decider })
}

/// Returns the name of an officer's account; of one whose row another hand changed, the end of the identifier.
pub(super) async fn name_of(deed: &mut Deed<Officer>, officer: OfficerId) -> Result<String, StoreError> {
    match access::name_of_officer(deed.tx(), officer).await {
        Ok(Some(name)) => Ok(name),
        Ok(None) | Err(StoreError::Tampered { .. }) => Ok(officer.to_string()),
        Err(error) => Err(error),
    }
}

/// Returns what the verb itself says against the step that this officer would take now: it is tried in a deed that is
/// not kept, so that there is no second rule beside it.
async fn obstacle(
    desk: &Desk,
    counter: &Counter,
    officer: &Officer,
    application: &Application,
    step: Step,
) -> Result<Option<Problem>, Problem> {
    let id = application.id;
    let seen = application.stage.capture_of().map(|capture| capture.dossier(officer.id));
    let portrait = steps::fetch_portrait(desk.deeds(), counter, id).await?;
    let mut deed = desk.deeds().open(officer.clone()).await?;
    let tried = match step {
        Step::Check => steps::check(&mut deed, id, seen).await,
        _ => steps::approve(&mut deed, counter, id, seen, portrait).await,
    };
    drop(deed);
    match tried.map_err(Problem::from) {
        Ok(_) => Ok(None),
        Err(problem) if problem.status().is_server_error() && problem.waits().is_some() => Err(problem),
        Err(problem) => Ok(Some(problem)),
    }
}

/// Returns what the verb itself says against a decision about the complaint by this officer, tried in
/// a deed that is not kept.
async fn unheard(desk: &Desk, officer: &Officer, id: ApplicationId) -> Result<Option<Problem>, Problem> {
    let mut deed = desk.deeds().open(officer.clone()).await?;
    let tried = appeals::decide(&mut deed, id, AppealOutcome::Upheld, "tried").await;
    drop(deed);
    match tried.map_err(Problem::from) {
        Ok(_) => Ok(None),
        Err(problem) if problem.status().is_server_error() && problem.waits().is_some() => Err(problem),
        Err(problem) => Ok(Some(problem)),
    }
}

/// What was read, in the words of a page.
struct Shown<'a> {
    read: &'a Read,
    source: &'a Source,
    counter: &'a Counter,
    t: &'static Texts,
    today: Date,
}

impl Shown<'_> {
    /// The ten fingers, and the flat images that were taken.
    fn prints(&self, id: ApplicationId) -> Option<(String, Vec<PrintRow>)> {
        let (card, t) = (&self.read.card, self.t);
        if card.prints().is_empty() && !fingerprints::is_demanded(&self.read.application) {
            return None;
        }
        let flat = card.prints().iter().map(|print| print.finger).filter(|finger| !finger.is_rolled());
        let fingers: Vec<Finger> = flat.chain(Finger::ten().iter().copied()).collect();
        let by = |print: &Print| self.by(&t.prints.by, print.taken.by, print.taken.at);
        Some((state_of(card, t), rows(card, &fingers, &format!("{APPROVALS}/{id}"), by, t)))
    }

    fn capture(&self) -> Option<&Capture> {
        self.read.application.stage.capture_of()
    }

    fn count(&self, number: u64) -> String {
        let language = if self.t.is_vietnamese() { ::pages::Language::Vi } else { ::pages::Language::En };
        ::pages::written::count(number, language)
    }

    fn moment(&self, at: OffsetDateTime) -> String {
        ::pages::written::moment(at, self.source.clock().offset())
    }

    fn name(&self, officer: OfficerId) -> &str {
        self.read.names.get(&officer).map_or("?", String::as_str)
    }

    fn by(&self, text: &str, officer: OfficerId, at: OffsetDateTime) -> String {
        fill(text, &[("name", self.name(officer)), ("at", &self.moment(at))])
    }

    fn number(&self, registered: &Registered) -> String {
        let number = registered.personal_number.as_ref();
        number.map_or_else(|| self.t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str()))
    }

    /// The fields of the register that hold something, and those that the citizen spoke of.
    fn rows(&self) -> Vec<Row> {
        let said = self.read.check.as_ref();
        let mut rows = vec![];
        let reference = self.counter.register.reference();
        for (field, value) in fields(&self.read.registered.person, reference, self.today, self.t) {
            let spoken_of = said.is_some_and(|(check, _)| check.disagrees.contains(&field));
            if value.is_none() && !spoken_of {
                continue;
            }
            let open = said.is_some_and(|(_, left)| left.contains(&field));
            let (class, glyph, says) = match said {
                None => ("", "i-none", &*self.t.file.unasked),
                Some(_) if open => ("diff", "i-wait", &*self.t.file.wrong),
                Some(_) if spoken_of => ("", "i-ok", &*self.t.file.mended),
                Some(_) => ("same", "i-ok", &*self.t.file.same),
            };
            let value = value.unwrap_or_else(|| self.t.file.nothing.clone());
            rows.push(Row { item: self.t.word(&self.t.field, &field.name()), value, class, glyph, says });
        }
        rows
    }

    fn word(&self) -> Option<(&'static str, &'static str)> {
        match &self.read.check {
            None => Some(("i-none", &self.t.file.unasked_says)),
            Some((check, _)) if check.disagrees.is_empty() => Some(("i-ok", &self.t.file.agreed)),
            Some(_) => None,
        }
    }

    fn double(&self, alike: &Alike) -> Double {
        let of = &alike.registered;
        let all = |words: Vec<String>, table: &'static BTreeMap<String, String>| {
            let words: Vec<&str> = words.iter().map(|word| self.t.word(table, word)).collect();
            if words.is_empty() { self.t.file.nothing.clone() } else { words.join("; ") }
        };
        let (why, against) = if alike.readable {
            let judgement = &alike.judgement;
            (judgement.reasons.iter().map(word_of).collect(), judgement.against.iter().map(word_of).collect())
        } else {
            // What agrees and what does not tells of the person.
            (vec![], vec![])
        };
        Double {
            name: match alike.readable {
                true => of.person.full_name.as_str().to_owned(),
                false => fill(&self.t.file.doubles_elsewhere, &[("office", of.office.as_str())]),
            },
            number: if alike.readable { self.number(of) } else { String::new() },
            why: all(why, &self.t.duplicate),
            against: all(against, &self.t.against),
            score: alike.judgement.score,
            likely: alike.judgement.score >= SHOWN_FROM,
        }
    }

    /// The last events, the newest first.
    fn history(&self) -> Vec<Happened> {
        let events = self.read.history.events.iter().rev().take(EVENTS);
        events
            .map(|event| Happened {
                at: self.moment(event.recorded.at),
                what: self.t.word(&self.t.event, event.kind.word()),
                on: fill(
                    &self.t.file.history_on,
                    &[("form", self.t.word(&self.t.form, &word_of(&event.evidence.form)))],
                ),
                by: fill(&self.t.file.history_by, &[("name", self.name(event.recorded.by))]),
            })
            .collect()
    }

    fn claim(&self, own: OfficerId) -> String {
        let Some(claim) = &self.read.claim else { return self.t.file.claim_none.clone() };
        let text = if claim.officer == own { &self.t.file.claim_mine } else { &self.t.file.claim_other };
        fill(text, &[("name", self.name(claim.officer)), ("until", &self.moment(claim.until))])
    }
}

/// Returns the fields of a person in the order of form DC01, each with its words if it holds something.
pub(super) fn fields(
    person: &Person,
    reference: &Reference,
    today: Date,
    t: &'static Texts,
) -> Vec<(RegisterField, Option<String>)> {
    use RegisterField as F;
    let place = |place: &Place| place.in_words(reference, today);
    let relative = |one: Option<&Relative>| one.map(|one| one.full_name.as_str().to_owned());
    let sex = t.word(&t.sex, &person.sex.letter().to_string()).to_owned();
    let group = reference.ethnic_group(&person.ethnic_group, today).unwrap_or(&person.ethnic_group).to_owned();
    vec![
        (F::FullName, Some(person.full_name.as_str().to_owned())),
        (F::BirthDate, Some(person.birth.to_string())),
        (F::Sex, Some(sex)),
        (F::BirthRegistration, Some(place(&person.birth_registration))),
        (F::PlaceOfOrigin, Some(place(&person.place_of_origin))),
        (F::EthnicGroup, Some(group)),
        (F::Religion, person.religion.as_ref().map(|text| text.as_str().to_owned())),
        (F::Nationality, Some(person.nationality.clone())),
        (F::PermanentResidence, person.permanent_residence.as_ref().map(place)),
        (F::TemporaryResidence, person.temporary_residence.as_ref().map(place)),
        (F::CurrentResidence, person.current_residence.as_ref().map(place)),
        (F::Father, relative(person.father.as_ref())),
        (F::Mother, relative(person.mother.as_ref())),
        (F::Spouse, relative(person.spouse.as_ref())),
        (F::Representative, relative(person.representative.as_ref())),
        (F::HeadOfHousehold, relative(person.head_of_household.as_ref())),
        (F::OldIdNumber, person.old_id_number.clone()),
    ]
}

/// So many events are shown.
const EVENTS: usize = 8;
