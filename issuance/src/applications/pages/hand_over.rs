//! The page where cards are handed over: the slip, the dossier beside what the registry has of the card, the old
//! document, and the act. What stands in the way is what the verb itself says, tried in a deed that is not kept.

use std::collections::BTreeMap;

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use time::Date;

use super::super::cases::{OldDocument, case};
use super::super::hand_over::{
    self, HandOverCheck, HandOverError, HandOverSeen, Lies, OCCASION, OldDocumentEnd, hand_over_seen,
};
use super::super::model::{Application, StageName};
use super::super::{Counter, CounterError, steps};
use super::file::{kind_word, name_of, reference};
use super::person::grouped;
use super::persons::compact;
use super::queue::{self, Queue, due_in_words};
use super::{Act, Done, done_of};
use crate::cards::CardError;
use crate::cards::model::{BodyCheck, Card, Status};
use crate::deed::{Action, Deed, Object, Occasion, last_words, officers_who};
use crate::ground::ids::{ApplicationId, CardId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Officer, Role};
use crate::population::model::Registered;
use crate::web::html::{
    Asked, Dress, Filled, Frame, HAND_OVER, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Problem, Stamp};
use crate::{cards, offices};

/// What waits, and the card that is handed over.
#[derive(Template)]
#[template(path = "hand-over.html")]
struct HandOver {
    frame: Frame,
    token: String,
    queue: Queue,
    file: Option<File>,
    /// What the search came to, where there is nothing to hand over here: heading, sentence.
    note: Option<(String, String)>,
    /// What was done a moment ago.
    done: Option<Done>,
    /// Where the minutes of what was done can be printed.
    receipt: Option<String>,
    trouble: Option<Trouble>,
}

impl HandOver {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// The card that is handed over.
#[derive(Debug)]
struct File {
    id: ApplicationId,
    card: CardId,
    title: String,
    name: String,
    number: String,
    birth: String,
    sex: &'static str,
    kind: &'static str,
    stage: &'static str,
    due: String,
    due_class: &'static str,
    portrait: Option<String>,
    portrait_alt: String,
    serial: String,
    document: String,
    issued: String,
    expires: String,
    /// Whether the body was compared with the chip: colour, glyph, words.
    body: (&'static str, &'static str, &'static str),
    /// The old document that is taken back: heading, sentence.
    old: Option<(String, String)>,
    /// What became of it: word, text, whether it is chosen.
    ends: Vec<(&'static str, &'static str, bool)>,
    blocked: Option<Trouble>,
    /// True while it may be handed over, or refused to the person who came.
    waits: bool,
    /// How often it was refused to a person who came.
    refused: Option<String>,
    /// Until when it is kept.
    kept: Option<String>,
    token: String,
    key: String,
    typed: Typed,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    slip: String,
    checks: Vec<HandOverCheck>,
    old: Option<OldDocumentEnd>,
    envelope: String,
    reason: String,
    /// True if the card was to be refused.
    refuses: bool,
}

impl Typed {
    fn of(filled: &Filled, refuses: bool) -> Self {
        Self {
            slip: filled.text("slip").to_owned(),
            checks: filled.all("checks").filter_map(HandOverCheck::named).collect(),
            old: OldDocumentEnd::named(filled.text("old")),
            envelope: filled.text("envelope").to_owned(),
            reason: filled.text("reason").to_owned(),
            refuses,
        }
    }
}

impl File {
    /// True if the officer said that the portrait was compared.
    fn face_compared(&self) -> bool {
        self.typed.checks.contains(&HandOverCheck::FaceCompared)
    }

    /// True if the officer said that a reader trusts the chip.
    fn chip_trusted(&self) -> bool {
        self.typed.checks.contains(&HandOverCheck::ChipTrusted)
    }
}

/// Returns how many cards wait to be handed over at an officer's office, in words.
pub(crate) async fn waiting_cards(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let queue = waiting(desk, officer, None, t).await?;
    Ok(match queue.rows.is_empty() {
        true => t.handing.none.clone(),
        false => queue.title,
    })
}

async fn waiting(
    desk: &Desk,
    officer: &Officer,
    current: Option<ApplicationId>,
    t: &'static Texts,
) -> Result<Queue, Problem> {
    let queue = queue::read_for(desk, officer, (Role::HandOver, HAND_OVER), current, t).await?;
    Ok(Queue { title: fill(&t.handing.some, &[("n", &queue.count)]), ..queue })
}

/// `GET /pages/hand-over`
pub(super) async fn begin(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let said = done_of(&asked, |word| match word {
        "handed-over" => Some(&*t.handing.done),
        "refused" => Some(&*t.handing.done_refused),
        _ => None,
    });
    let handed = said.is_some() && asked.some("done") == Some("handed-over");
    let receipt = asked.some("id").filter(|_| handed).and_then(|id| id.parse::<ApplicationId>().ok());
    let sheet = HandOver {
        frame: Frame::new(&dress, Some(&visitor), Place::HandOver),
        token: visitor.token.clone(),
        queue: waiting(&desk, &visitor.officer, None, t).await?,
        file: None,
        note: None,
        done: said,
        receipt: receipt.map(|id| format!("{HAND_OVER}/{id}/receipt")),
        trouble: None,
    };
    page(&sheet)
}

/// `POST /pages/hand-over`: finds the card of a slip, of a number or on a chip. The slip's number stands in no address.
pub(super) async fn find(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let (t, typed) = (texts(dress.language), compact(filled.text("sought")));
    let mut slip = String::new();
    let look = async |deed: &mut Deed<Officer>| {
        if let Ok(number) = typed.parse() {
            return hand_over::by_number(deed, &counter, number).await;
        }
        if let Ok(serial) = typed.parse() {
            return hand_over::by_chip(deed, serial).await;
        }
        slip.clone_from(&typed);
        hand_over::by_slip(deed, &typed).await
    };
    let Json(found) = desk.look(visitor.officer.clone(), look).await?;
    let note = match &found {
        None => Some((t.handing.unknown.clone(), t.handing.unknown_says.clone())),
        Some(lies) => note(lies, &visitor.officer, t),
    };
    let sheet = Sheet { desk: &desk, counter: &counter, visitor: &visitor, t };
    match (note, found) {
        (None, Some(lies)) => {
            let dress = dress.at(&format!("{HAND_OVER}/{}", lies.application));
            let typed = Typed { slip, ..Typed::default() };
            page(&Box::pin(sheet.of(&dress, lies.application, typed, None)).await?)
        }
        (note, _) => {
            let frame = Frame::new(&dress.at(HAND_OVER), Some(&visitor), Place::HandOver);
            let (token, queue) = (visitor.token.clone(), waiting(&desk, &visitor.officer, None, t).await?);
            page(&HandOver { frame, token, queue, file: None, note, done: None, receipt: None, trouble: None })
        }
    }
}

/// Returns what to say of an application whose card is not handed over here.
fn note(lies: &Lies, officer: &Officer, t: &'static Texts) -> Option<(String, String)> {
    let stage = t.word(&t.stage, lies.stage.word());
    if officer.may_act_for(&lies.office).is_err() {
        let title = fill(&t.handing.elsewhere, &[("office", lies.office.as_str())]);
        return Some((title, fill(&t.handing.elsewhere_says, &[("stage", stage)])));
    }
    let title = fill(&t.file.reference, &[("reference", &reference(lies.application))]);
    (!lies.stage.has_card()).then(|| (title, fill(&t.handing.no_card, &[("stage", stage)])))
}

/// `GET /pages/hand-over/{id}`
pub(super) async fn open(act: Act) -> Shown {
    let Act { desk, counter, dress, visitor, id } = act;
    let sheet = Sheet { desk: &desk, counter: &counter, visitor: &visitor, t: texts(dress.language) };
    page(&Box::pin(sheet.of(&dress, id, Typed::default(), None)).await?)
}

/// `POST /pages/hand-over/{id}`: hands the card over once, however often the form comes.
pub(super) async fn hand_over_card(act: Act, filled: Filled) -> Shown {
    let typed = Typed::of(&filled, false);
    let missing = |field: &str, says: &str| {
        Problem::new(ProblemCode::ReasonMissing).field(field, ProblemCode::ReasonMissing, says)
    };
    if !typed.checks.contains(&HandOverCheck::FaceCompared) {
        return again(act, &missing("/checks", "the portrait is compared with the person"), typed).await;
    }
    if filled.some("due").is_some() && typed.old.is_none() {
        return again(act, &missing("/old", "what became of the old document"), typed).await;
    }
    let envelope: Words<40> = match filled.judged("envelope") {
        Ok(envelope) => envelope,
        Err(problem) => return again(act, &problem, typed).await,
    };
    let seen = HandOverSeen { checks: typed.checks.clone(), old_document: typed.old, envelope };
    let (counter, slip) = (act.counter.clone(), typed.slip.clone());
    let verb = async |deed: &mut Deed<Officer>, card: CardId| {
        hand_over_seen(deed, &counter, card, &slip, &seen).await?;
        Ok::<_, HandOverError>(())
    };
    let place = format!("{HAND_OVER}?done=handed-over&was={}&id={}", reference(act.id), act.id);
    Box::pin(once(act, &filled, typed, &place, verb)).await
}

/// `POST /pages/hand-over/{id}/refusal`: the person who came is not given the card.
pub(super) async fn refuse(act: Act, filled: Filled) -> Shown {
    let typed = Typed::of(&filled, true);
    let reason: SomeWords<MOST_OF_REASON> = match filled.judged("reason") {
        Ok(reason) => reason,
        Err(problem) => return again(act, &problem, typed).await,
    };
    let verb = async |deed: &mut Deed<Officer>, card: CardId| hand_over::refuse(deed, card, reason.as_str()).await;
    let place = format!("{HAND_OVER}?done=refused&was={}", reference(act.id));
    Box::pin(once(act, &filled, typed, &place, verb)).await
}

/// Does the verb once and leads on; or shows the card again with what is wrong, and all that was typed.
async fn once(
    act: Act,
    filled: &Filled,
    typed: Typed,
    place: &str,
    verb: impl AsyncFnOnce(&mut Deed<Officer>, CardId) -> Result<(), HandOverError>,
) -> Shown {
    let unknown = |_| Problem::new(ProblemCode::IdentifierMalformed);
    let asked: Result<(Stamp, CardId), Problem> =
        filled.stamp().and_then(|stamp| Ok((stamp, filled.text("card").parse().map_err(unknown)?)));
    let said = match asked {
        Ok((stamp, card)) => {
            let id = act.id;
            let kept = async |deed: &mut Deed<Officer>| {
                // The form is about the card of its own address: else what was done is told of another one.
                let shown = cards::store::card(deed, card).await?.filter(|shown| shown.application == id);
                shown.ok_or(CardError::Unknown)?;
                verb(deed, card).await
            };
            act.desk.write(act.visitor.officer.clone(), stamp, kept).await.map(drop)
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(()) => Ok(to(place)),
        Err(problem) => again(act, &problem, typed).await,
    }
}

/// Shows the card with what is wrong.
async fn again(act: Act, problem: &Problem, typed: Typed) -> Shown {
    if problem.status().is_server_error() {
        return Err(problem.clone());
    }
    let Act { desk, counter, dress, visitor, id } = act;
    let sheet = Sheet { desk: &desk, counter: &counter, visitor: &visitor, t: texts(dress.language) };
    let dress = dress.at(&format!("{HAND_OVER}/{id}"));
    page_about(problem, &Box::pin(sheet.of(&dress, id, typed, Some(problem))).await?)
}

/// What was read in one deed.
struct Read {
    application: Application,
    card: Card,
    registered: Registered,
    /// The cards that the citizen has in hand.
    held: Vec<Card>,
    /// Officers who refused it to a person who came.
    refused_by: Vec<OfficerId>,
    names: BTreeMap<OfficerId, String>,
    days_late: u32,
}

async fn in_deed(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Result<Read, Lies>, CounterError> {
    let application = steps::read(deed, id, OCCASION).await?;
    let Some(card) = application.stage.card() else {
        let (office, stage) = (application.office.clone(), application.stage.which());
        return Ok(Err(Lies { application: id, office, stage }));
    };
    let occasion = Occasion { case: Some(id), ..OCCASION };
    let card = cards::steps::read(deed, card, occasion).await?;
    let mut held = cards::store::cards_of(deed, application.person).await?;
    held.retain(|other| other.id != card.id && other.status.is_active());
    let (object, person) = (Object::Person(application.person), application.person);
    deed.record_reading(Action::CardsListed, object, person, &card.office, occasion).await?;
    let registered = crate::population::steps::read(deed, person, occasion).await?;
    let object = Object::Card(card.id).to_string();
    let refused_by = officers_who(deed.tx(), application.person, &object, &[Action::CardHandOverRefused]).await?;
    let mut names = BTreeMap::new();
    for officer in &refused_by {
        names.insert(*officer, name_of(deed, *officer).await?);
    }
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year() - 1, today.year()).await?;
    let days_late = application.progress.days_late(today, &calendar);
    Ok(Ok(Read { application, card, registered, held, refused_by, names, days_late }))
}

/// What the page is made with.
struct Sheet<'a> {
    desk: &'a Desk,
    counter: &'a Counter,
    visitor: &'a Visitor,
    t: &'static Texts,
}

impl Sheet<'_> {
    /// The page of an application, with what is wrong and what was typed.
    async fn of(
        &self,
        dress: &Dress,
        id: ApplicationId,
        typed: Typed,
        problem: Option<&Problem>,
    ) -> Result<HandOver, Problem> {
        let officer = &self.visitor.officer;
        let look = async |deed: &mut Deed<Officer>| in_deed(deed, id).await;
        let Json(read) = Box::pin(self.desk.look(officer.clone(), look)).await?;
        let (file, note) = match read {
            Ok(read) => (Some(self.file(&read, typed).await?), None),
            Err(lies) => (None, note(&lies, officer, self.t)),
        };
        Ok(HandOver {
            frame: Frame::new(dress, Some(self.visitor), Place::HandOver),
            token: self.visitor.token.clone(),
            queue: waiting(self.desk, officer, Some(id), self.t).await?,
            file,
            note,
            done: None,
            receipt: None,
            trouble: problem.map(|problem| Trouble::of(problem, self.t)),
        })
    }

    async fn file(&self, read: &Read, typed: Typed) -> Result<File, Problem> {
        let (t, application, card) = (self.t, &read.application, &read.card);
        let portrait = steps::portrait_of(self.counter, application).await?;
        let person = &read.registered.person;
        let today = self.desk.deeds().source().clock().today();
        let waits = card.status == Status::Personalized;
        let blocked = self.obstacle(application, card).await?.map(|problem| Trouble::of(&problem, t));
        let (due, due_class) = due_in_words(application.progress.due, read.days_late, today, t);
        let number = read.registered.personal_number.as_ref();
        let name = person.full_name.as_str().to_owned();
        let kept = application.progress.due.filter(|_| application.stage.which() == StageName::NotFetched);
        let refusers: Vec<&str> = read.refused_by.iter().filter_map(|by| Some(read.names.get(by)?.as_str())).collect();
        let ends = OldDocumentEnd::ALL
            .iter()
            .map(|end| (end.word(), t.word(&t.old_document, end.word()), typed.old == Some(*end)));
        Ok(File {
            id: application.id,
            card: card.id,
            title: fill(&t.file.reference, &[("reference", &reference(application.id))]),
            number: number
                .map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str())),
            birth: person.birth.to_string(),
            sex: t.word(&t.sex, &person.sex.letter().to_string()),
            kind: t.word(&t.kind, &kind_word(application.kind)),
            stage: t.word(&t.stage, application.stage.which().word()),
            due,
            due_class,
            portrait,
            portrait_alt: fill(&t.file.portrait, &[("name", &name)]),
            serial: grouped(&card.serial.to_string()),
            document: grouped(&hex::encode(&card.sod_sha256[..8])),
            issued: ::pages::written::date(card.issued),
            expires: card.expires.map_or_else(|| t.person.no_limit.clone(), ::pages::written::date),
            body: match card.body {
                BodyCheck::Checked => ("good", "i-ok", &*t.handing.body_checked),
                BodyCheck::Awaited => ("wait", "i-wait", &*t.handing.body_awaited),
                BodyCheck::Doubted => ("bad", "i-no", &*t.handing.body_doubted),
                BodyCheck::NotDue => ("", "i-none", &*t.handing.body_not_due),
            },
            old: self.old(read),
            ends: ends.collect(),
            waits,
            refused: (!refusers.is_empty()).then(|| {
                fill(&t.handing.refused_before, &[("n", &refusers.len().to_string()), ("names", &refusers.join(", "))])
            }),
            kept: kept.map(|day: Date| fill(&t.handing.kept, &[("day", &::pages::written::date(day))])),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            blocked,
            typed,
            name,
        })
    }

    /// Returns the old document that the case takes back, where the register knows of one.
    fn old(&self, read: &Read) -> Option<(String, String)> {
        let t = self.t;
        let identity_card = read.registered.person.old_id_number.as_deref().filter(|number| number.len() == 9);
        match (case(read.application.kind).old, read.held.last(), identity_card) {
            (OldDocument::None, ..) | (OldDocument::IdentityCardAtHandOver, None, None) => None,
            (_, Some(card), _) => {
                let (serial, day) = (grouped(&card.serial.to_string()), ::pages::written::date(card.issued));
                Some((
                    t.handing.old_card.clone(),
                    fill(&t.handing.old_card_says, &[("serial", &serial), ("day", &day)]),
                ))
            }
            (_, None, Some(number)) => {
                let number = ::pages::written::personal_number(number);
                Some((t.handing.old_paper.clone(), fill(&t.handing.old_paper_says, &[("number", &number)])))
            }
            (OldDocument::CardAtHandOver, None, None) => {
                Some((t.handing.old_unknown.clone(), t.handing.old_unknown_says.clone()))
            }
        }
    }

    /// Returns what the verb itself says against the hand-over by this officer: it is tried with the right slip in a
    /// deed that is not kept, so that there is no second rule beside it.
    async fn obstacle(&self, application: &Application, card: &Card) -> Result<Option<Problem>, Problem> {
        let mut deed = self.desk.deeds().open(self.visitor.officer.clone()).await?;
        let slip = application.slip.0.as_str();
        let tried = hand_over::hand_over_settled(&mut deed, self.counter, card.id, slip).await;
        drop(deed);
        match tried.map_err(Problem::from) {
            Ok(_) => Ok(None),
            Err(problem) if problem.status().is_server_error() && problem.waits().is_some() => Err(problem),
            Err(problem) => Ok(Some(problem)),
        }
    }
}

/// The minutes of a hand-over, to be printed and signed by both.
#[derive(Template)]
#[template(path = "receipt.html")]
struct Receipt {
    frame: Frame,
    reference: String,
    name: String,
    number: String,
    birth: String,
    serial: String,
    issued: String,
    expires: String,
    handed: String,
    by: String,
    office: String,
    old: String,
    envelope: String,
}

/// `GET /pages/hand-over/{id}/receipt`
pub(super) async fn receipt(act: Act) -> Shown {
    let Act { desk, dress, visitor, id, .. } = act;
    let t = texts(dress.language);
    let look = async |deed: &mut Deed<Officer>| {
        let read = in_deed(deed, id).await?;
        let Ok(Read { card, registered, .. }) = read else { return Err(CounterError::Unknown) };
        let Status::Active { handed_over } = card.status.clone() else { return Err(CounterError::Unknown) };
        let old =
            last_words(deed.tx(), card.person, &Object::Card(card.id).to_string(), Action::OldDocumentSettled).await?;
        let by = name_of(deed, handed_over.by).await?;
        Ok::<_, CounterError>((card, registered, handed_over.at, by, old))
    };
    let Json((card, registered, at, by, old)) = Box::pin(desk.look(visitor.officer.clone(), look)).await?;
    let number = registered.personal_number.as_ref();
    let (end, envelope) = match old.as_deref() {
        None => (&*t.file.nothing, ""),
        Some(words) => {
            let (end, envelope) = words.split_once(": ").unwrap_or((words, ""));
            (t.word(&t.old_document, end), envelope)
        }
    };
    page(&Receipt {
        reference: fill(&t.file.reference, &[("reference", &reference(id))]),
        name: registered.person.full_name.as_str().to_owned(),
        number: number.map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str())),
        birth: registered.person.birth.to_string(),
        serial: grouped(&card.serial.to_string()),
        issued: ::pages::written::date(card.issued),
        expires: card.expires.map_or_else(|| t.person.no_limit.clone(), ::pages::written::date),
        handed: ::pages::written::moment(at, desk.deeds().source().clock().offset()),
        by,
        office: card.office.to_string(),
        old: end.to_owned(),
        envelope: envelope.to_owned(),
        frame: Frame::new(&dress, Some(&visitor), Place::HandOver),
    })
}
