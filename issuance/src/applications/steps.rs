//! The verbs of the counter and of the second officer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use thiserror::Error;
use time::{Date, Duration, OffsetDateTime};

use super::deadlines::{Now, Progress, Terms};
use super::fees::PayBefore;
use super::fetched::FetchedPortrait;
use super::fingerprints::{self, FingerprintDoubt};
use super::model::{
    Application, ApplicationError, Capture, DossierDigest, Held, Kind, ReturnReason, Slip, Stage, StageName,
    TransitionError, old_enough,
};
use super::paper_archive::{self, ArchiveDoubt};
use super::payments::FeeRefusal;
use super::portrait::{self, Crop, PortraitError, passport_portrait};
use super::register_check::{self, RegisterDoubt};
use super::store::closed::Erased;
use super::{Counter, claims, drafts, payments, progress, store};
use crate::access::dissolutions::OfficeEnded;
use crate::cards::CardError;
use crate::cards::compose::{self, ComposeError, Holder};
use crate::cards::model::Card;
use crate::deed::{Action, Deed, Deeds, Entry, Object, Occasion, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, HoldId, OfficerId, PersonId};
use crate::ground::objects::ObjectError;
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer, OtherOffice, Role, blocking};
use crate::offices::calendar::CalendarEnds;
use crate::population::duplicates::score::SHOWN_FROM;
use crate::population::duplicates::steps::Alike;
use crate::population::model::Claim;
use crate::population::search::{Found, SearchError, Sought};
use crate::population::{self, PopulationError};
use crate::store::{StoreError, Tx};
use crate::{access, bookings, cards, holds, numbering};

/// What a citizen asks for at a counter.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose card.
    pub person: PersonId,
    /// What is applied for.
    pub kind: Kind,
    /// At which office.
    pub office: &'a OfficeCode,
    /// True if the fee is waived (Circular 59/2019/TT-BTC, Art. 5(1)).
    pub exempt: bool,
    /// What the citizen tells or shows, where another office registered the citizen.
    pub claim: Option<&'a Claim>,
    /// Why it is right although the register speaks against it, if an officer says so.
    pub acknowledged: Option<&'a str>,
}

/// Opens an application: the person must have a number, be fourteen, alive and a citizen, have no other one under way,
/// and have or have had the card that the kind speaks of. It takes the person's booking. A card that the register does
/// not know takes an officer who says why in `acknowledged`; the record names the officer, the doubt and those words.
///
/// # Errors
/// [`CounterError`]
pub async fn register(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    request: Request<'_>,
) -> Result<Application, CounterError> {
    deed.actor().may_act_for(request.office)?;
    if let Some(ended) = access::dissolutions::ended(deed.tx(), request.office).await? {
        return Err(ended.into());
    }
    if request.exempt && counter.settings.fees.pay_before != PayBefore::Never {
        return Err(CounterError::GroundMissing);
    }
    // Locked, so that two counters cannot open one each.
    let registered = population::store::person_locked(deed, request.person).await?.ok_or(PopulationError::Unknown)?;
    if let Some(into) = registered.merged_into {
        return Err(PopulationError::Merged(into).into());
    }
    let cards = cards::store::cards_of(deed, request.person).await?;
    let in_hand = issued_of(&cards);
    population::steps::citizen_is_there(deed.actor(), &registered, request.claim, &in_hand)?;
    let person = &registered.person;
    if registered.personal_number.is_none() {
        return Err(CounterError::NumberMissing);
    }
    entitled(counter, person)?;
    old_enough(person.birth, deed.today())?;
    if let Some((open, office)) = store::lists::open_of(deed.tx(), request.person).await? {
        // An officer of another office learns that there is one, and not which.
        return Err(CounterError::AlreadyOpen(deed.actor().may_act_for(&office).is_ok().then_some(open)));
    }
    if request.kind == Kind::First && !in_hand.is_empty() {
        return Err(CounterError::CardAlreadyHeld);
    }
    let held = Held::of(&cards);
    let doubt = request.kind.judge(held, deed.today())?;
    let word = request.kind.word();
    let because = match (doubt, request.acknowledged.map(tidy)) {
        (None, _) => word.to_owned(),
        (Some(doubt), None) => return Err(CounterError::Doubtful(doubt)),
        (Some(doubt), Some(words)) => format!("{word}; {doubt}: {}", words.ok_or(CounterError::ReasonMissing)?),
    };
    let mut random = [0; 10];
    deed.rng().fill_bytes(&mut random);
    let has_old_card = person.old_id_number.as_ref().is_some_and(|number| number.len() == 9);
    let deadlines = &counter.settings.deadlines;
    let archive = Some(counter.settings.archive).filter(|archive| archive.demanded);
    let fingerprints = counter.settings.fingerprints.demanded;
    let terms =
        Terms { archive, fingerprints, ..deadlines.terms(request.kind, request.office, counter.settings.procedure) };
    let now = Now { day: deed.today(), at: deed.at() };
    let calendar = progress::calendar(deed.tx(), now.day).await?;
    let promised = deadlines.day_for_citizen(&calendar, now.day, terms.whole)?;
    let application = Application {
        progress: Progress::begin(&Stage::Registered, request.office, terms, promised, now, &calendar),
        id: deed.id(),
        slip: Slip::draw(random),
        person: request.person,
        kind: request.kind,
        office: request.office.clone(),
        registered: deed.decision(),
        fee: counter.settings.fees.of(request.kind, has_old_card, request.exempt),
        stage: Stage::Registered,
    };
    store::insert(deed.tx(), &application).await?;
    involve_actor(deed, application.id).await?;
    let at = deed.at();
    population::store::open_to(deed.tx(), request.person, request.office, application.id, at).await?;
    let object = Object::Application(application.id);
    let entry = Entry::new(Action::ApplicationRegistered, object, Purpose::Registration).about(request.person);
    deed.enter(entry.of(request.office).because(because)).await?;
    bookings::steps::take(deed, request.person, request.office, application.id).await?;
    Ok(application)
}

/// Makes the passport portrait of a photograph (base64) and keeps it. Returns the object's name. Needs no deed, so that
/// no other writer waits while it computes.
///
/// # Errors
/// [`CounterError::Portrait`], [`CounterError::Base64`], [`CounterError::Object`]
pub async fn develop(counter: &Counter, photograph: String, crop: Option<Crop>) -> Result<String, CounterError> {
    let portrait = blocking::run(move || {
        let photograph = STANDARD.decode(photograph).map_err(|_| CounterError::Base64)?;
        Ok::<_, CounterError>(passport_portrait(&photograph, crop)?)
    })
    .await?;
    Ok(counter.objects.keep(portrait).await?)
}

/// `Registered → Captured`: portrait and features; again while no officer has decided, and for a held application.
///
/// # Errors
/// [`CounterError`]
pub async fn capture(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    portrait: String,
    features: &str,
) -> Result<Application, CounterError> {
    captured(deed, id, portrait, features, None).await
}

/// As [`capture`], with what the officer answers for in the record.
pub(super) async fn captured(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    portrait: String,
    features: &str,
    because: Option<String>,
) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    let features = tidy(features).filter(|text| fits_a_card(text)).ok_or(CounterError::Features)?;
    fingerprints::must_be_whole(deed, &application).await?;
    let salt = drafts::salt(deed);
    let taken = deed.decision();
    // Also when another officer captures again later: who once had a hand in it never decides on it.
    involve_actor(deed, id).await?;
    store::closed::took(deed.tx(), id, &portrait, taken.at).await?;
    let capture = Capture { taken, portrait, features, salt, heard: None };
    application.stage = stepped(application.stage, |stage| stage.capture(capture))?;
    moved_because(deed, application, Action::ApplicationCaptured, Purpose::Capture, because).await
}

/// `Captured → Checked`, by the head of the team, where the procedure has it.
///
/// # Errors
/// [`CounterError`]
pub async fn check(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    seen: Option<DossierDigest>,
) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    at_its_place(deed.actor(), &application)?;
    let involved = involved_officers(deed, &application).await?;
    let (procedure, checked) = (application.procedure(), deed.decision());
    application.stage = stepped(application.stage, |stage| stage.check(procedure, &involved, checked, seen))?;
    moved(deed, application, Action::ApplicationChecked, Purpose::Decision).await
}

/// `Captured | Checked → Approved`, by a second officer who names what was `seen` at [`read`], if a card can carry what
/// the register and the counter hold; where the procedure has it, in two places: `→ LocallyApproved → Approved`.
///
/// # Errors
/// [`CounterError`]; [`CounterError::Compose`] names the file that cannot be written.
pub async fn approve(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    seen: Option<DossierDigest>,
    portrait: Option<FetchedPortrait>,
) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    at_its_place(deed.actor(), &application)?;
    let involved = involved_officers(deed, &application).await?;
    let (procedure, approval) = (application.procedure(), deed.decision());
    application.stage = stepped(application.stage, |stage| stage.approve(procedure, &involved, approval, seen))?;
    register_check::must_be_settled(deed, &application).await?;
    paper_archive::must_be_settled(deed, &application).await?;
    payments::must_be_settled(deed, counter, PayBefore::Approval, &application).await?;
    rehearse(deed, counter, &application, portrait).await?;
    let action = match application.stage {
        Stage::LocallyApproved { .. } => Action::ApplicationLocallyApproved,
        _ => Action::ApplicationApproved,
    };
    moved(deed, application, action, Purpose::Decision).await
}

/// `→ Refused`, by a second officer.
///
/// # Errors
/// [`CounterError`]
pub async fn refuse(deed: &mut Deed<Officer>, id: ApplicationId, reason: &str) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    at_its_place(deed.actor(), &application)?;
    let reason = tidy(reason).ok_or(CounterError::ReasonMissing)?;
    let involved = involved_officers(deed, &application).await?;
    let (today, decision) = (deed.today(), deed.decision());
    // Those who found it in order do not decide about it again, after a complaint.
    let agreed: Vec<OfficerId> = application.stage.agreed().iter().map(|decision| decision.by).collect();
    application.stage = stepped(application.stage, |stage| stage.refuse(&involved, decision, reason, today))?;
    for officer in agreed {
        store::involve(deed.tx(), id, officer).await?;
    }
    moved(deed, application, Action::ApplicationRefused, Purpose::Decision).await
}

/// What a citizen is to bring, and until when.
#[derive(Clone, Debug)]
pub struct Missing<'a> {
    /// What is missing or wrong.
    pub reasons: Vec<ReturnReason>,
    /// The same in words for the citizen.
    pub says: &'a str,
    /// The last day on which the citizen may bring it.
    pub until: Date,
}

/// `→ Returned`: the citizen is to bring what is missing, until a day of the office's choice. The terms of the law rest
/// meanwhile.
///
/// # Errors
/// [`CounterError`]; [`CounterError::Until`] for a day that is past, or further ahead than the settings allow.
pub async fn give_back(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    missing: Missing<'_>,
) -> Result<Application, CounterError> {
    let Missing { mut reasons, says, until } = missing;
    let mut application = to_step(deed, id).await?;
    at_its_place(deed.actor(), &application)?;
    let says = tidy(says).ok_or(CounterError::ReasonMissing)?;
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() {
        return Err(CounterError::ReasonMissing);
    }
    let (today, deadlines) = (deed.today(), &counter.settings.deadlines);
    let calendar = progress::calendar(deed.tx(), today).await?;
    let last = deadlines.day_for_citizen(&calendar, today, deadlines.citizen)?;
    if until <= today || until > last {
        return Err(CounterError::Until(last));
    }
    let involved = involved_officers(deed, &application).await?;
    let returned = deed.decision();
    application.stage =
        stepped(application.stage, |stage| stage.give_back(&involved, returned, (reasons, says), until))?;
    moved(deed, application, Action::ApplicationReturned, Purpose::Decision).await
}

/// `Returned → Captured`: the citizen brought what was missing; what was taken before stands. The officer who takes it
/// does not decide on it.
///
/// # Errors
/// [`CounterError`]
pub async fn resubmit(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    fingerprints::must_be_whole(deed, &application).await?;
    let salt = drafts::salt(deed);
    application.stage = stepped(application.stage, |stage| stage.resubmit(salt))?;
    involve_actor(deed, id).await?;
    moved(deed, application, Action::ApplicationResubmitted, Purpose::Capture).await
}

/// `→ Cancelled`, while there is no chip: the citizen does not want the card any more.
///
/// # Errors
/// [`CounterError`]
pub async fn withdraw(deed: &mut Deed<Officer>, id: ApplicationId, says: &str) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    let reason = tidy(says).ok_or(CounterError::ReasonMissing)?;
    let decision = deed.decision();
    application.stage = stepped(application.stage, |stage| stage.withdraw(decision, reason))?;
    moved(deed, application, Action::ApplicationWithdrawn, Purpose::Cancellation).await
}

/// Takes a step, or says which officer was faster.
pub(super) fn stepped(
    before: Stage,
    step: impl FnOnce(Stage) -> Result<Stage, TransitionError>,
) -> Result<Stage, CounterError> {
    let moved_by = before.moved_by();
    step(before).map_err(|error| match (error, moved_by) {
        (TransitionError::NotFrom(stage), Some((by, at))) => CounterError::MovedOn { stage, by, at },
        (error, _) => error.into(),
    })
}

/// Refuses an officer of the wrong place, where two places decide: the application's office has it first, then the
/// national office.
pub(super) fn at_its_place(officer: &Officer, application: &Application) -> Result<(), CounterError> {
    let place = match application.stage {
        Stage::LocallyApproved { .. } => OfficeCode::national(),
        _ => application.office.clone(),
    };
    let there = !application.procedure().central_approval || officer.office == place;
    if there { Ok(()) } else { Err(CounterError::Place(place)) }
}

/// `Held → Approved`: what stood against the card is mended, and the application goes back into the queue.
///
/// # Errors
/// [`CounterError`]; [`CounterError::Compose`] while a card still cannot carry it.
pub async fn release(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    portrait: Option<FetchedPortrait>,
) -> Result<Application, CounterError> {
    let mut application = to_step(deed, id).await?;
    let (involved, by) = (involved_officers(deed, &application).await?, deed.actor().id);
    application.stage = stepped(application.stage, |stage| stage.release(&involved, by))?;
    rehearse(deed, counter, &application, portrait).await?;
    moved(deed, application, Action::ApplicationReleased, Purpose::Decision).await
}

/// Reads the portrait of an application before the deed that judges it begins ([`approve`], [`release`]).
///
/// # Errors
/// [`CounterError::Store`]
pub async fn fetch_portrait(
    deeds: &Deeds,
    counter: &Counter,
    id: ApplicationId,
) -> Result<Option<FetchedPortrait>, CounterError> {
    Ok(FetchedPortrait::of_application(deeds, &counter.objects, id).await?)
}

/// Returns an application. Its portrait is read after the deed, with [`portrait_of`]. Without a case of the officer's,
/// the application is the case.
///
/// # Errors
/// [`CounterError`]; [`CounterError::NotHeld`] for a registrar while there is nothing to mend.
pub async fn read(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    occasion: Occasion,
) -> Result<Application, CounterError> {
    let application = of_office(deed, id).await?;
    if mends_only(deed.actor()) && !matches!(application.stage, Stage::Held { .. }) {
        return Err(CounterError::NotHeld);
    }
    if let Some(case) = occasion.case {
        case_fits(deed, application.person, case).await?;
    }
    let (object, occasion) = (Object::Application(id), Occasion { case: occasion.case.or(Some(id)), ..occasion });
    let (action, person) = (Action::ApplicationRead, application.person);
    deed.record_reading(action, object, person, &application.office, occasion).await?;
    Ok(application)
}

/// Returns the persons who are probably the citizen of an application that waits for its decision, each recorded;
/// `None` for one that does not wait.
///
/// # Errors
/// [`CounterError`]
pub async fn likely_doubles(
    deed: &mut Deed<Officer>,
    application: &Application,
    occasion: Occasion,
) -> Result<Option<Vec<Alike>>, CounterError> {
    if !waits_for_decision(application.stage.which()) {
        return Ok(None);
    }
    let occasion = Occasion { case: occasion.case.or(Some(application.id)), ..occasion };
    let mut all = population::duplicates::steps::of_person(deed, application.person, occasion).await?;
    all.retain(|alike| alike.judgement.score >= SHOWN_FROM);
    Ok(Some(all))
}

/// True at a stage at which an officer decides whether there will be a card.
pub(super) const fn waits_for_decision(stage: StageName) -> bool {
    matches!(stage, StageName::Captured | StageName::Checked | StageName::LocallyApproved)
}

/// True for an officer to whom an application is a record to be mended, and no case to be judged: the portrait is not
/// for this officer.
#[must_use]
pub fn mends_only(officer: &Officer) -> bool {
    !officer.roles.iter().any(|role| matches!(role, Role::Approver | Role::Capture | Role::HandOver))
}

/// Reads the portrait of an application alone, for an officer who may see it. The file is read after the deed, with
/// [`portrait_of`].
///
/// # Errors
/// As [`read`]; [`CounterError::Erased`] with day and ground, [`CounterError::NoPortrait`] before the capture and after
/// the hand-over.
pub async fn read_portrait(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Application, CounterError> {
    let application = of_office(deed, id).await?;
    if mends_only(deed.actor()) {
        return Err(CounterError::NotHeld);
    }
    if let Some((at, ground)) = store::closed::erased_of(deed.tx(), id).await?.portrait {
        return Err(CounterError::Erased { on: at.date(), ground });
    }
    if application.stage.capture_of().is_none() {
        return Err(CounterError::NoPortrait);
    }
    let occasion = Occasion { case: Some(id), ..Occasion::default() };
    let (action, object, person) = (Action::PortraitRead, Object::Application(id), application.person);
    deed.record_reading(action, object, person, &application.office, occasion).await?;
    Ok(application)
}

/// What is kept and what was erased of an application, for those who read it.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// The legal hold that stands.
    pub hold: Option<HoldId>,
    /// What was erased.
    pub erased: Erased,
}

/// Returns what is kept and what was erased of an application that was read.
///
/// # Errors
/// [`StoreError`]
pub async fn keeping(deed: &mut Deed<Officer>, application: &Application) -> Result<Keeping, StoreError> {
    let at = deed.at();
    let hold = holds::store::standing(deed.tx(), application.person, application.id, at).await?;
    let erased = store::closed::erased_of(deed.tx(), application.id).await?;
    Ok(Keeping { hold: hold.map(|hold| hold.id), erased })
}

/// Returns the portrait that was taken (base64): an officer who decides must see what is decided on. A portrait that is
/// lost does not hide the application: it is held for that reason, or will be. For an application whose reading was
/// recorded.
///
/// # Errors
/// [`CounterError::Object`]
pub async fn portrait_of(counter: &Counter, application: &Application) -> Result<Option<String>, CounterError> {
    let Some(capture) = application.stage.capture_of() else { return Ok(None) };
    match counter.objects.fetch(&capture.portrait).await {
        Ok(portrait) => Ok(Some(STANDARD.encode(&*portrait))),
        Err(error) if error.is_lost() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the days of issue of the cards in the citizen's hand that count.
pub(super) fn issued_of(cards: &[Card]) -> Vec<time::Date> {
    cards.iter().filter(|card| card.status.is_active()).map(|card| card.issued).collect()
}

/// Refuses a case that an officer names for a reading, unless it is an application of this person that is open, or one
/// of an office for which the officer may act: the trail names no case that does not exist.
///
/// # Errors
/// [`CounterError::Case`]
pub(super) async fn case_fits(
    deed: &mut Deed<Officer>,
    person: PersonId,
    case: ApplicationId,
) -> Result<(), CounterError> {
    let fits = store::case(deed.tx(), case).await?.is_some_and(|(of, office, stage)| {
        of == person && (stage.is_open() || deed.actor().may_act_for(&office).is_ok())
    });
    if fits { Ok(()) } else { Err(CounterError::Case) }
}

/// Refuses a card to a person who is no citizen, or dead.
pub(super) fn entitled(counter: &Counter, person: &population::model::Person) -> Result<(), CounterError> {
    let is =
        person.nationality == counter.profile.state.code && person.died.is_none() && person.missing_since.is_none();
    if is { Ok(()) } else { Err(CounterError::NotEntitled) }
}

/// Composes the card without a chip, to find out before one is used whether a card can carry it.
async fn rehearse(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    application: &Application,
    portrait: Option<FetchedPortrait>,
) -> Result<(), CounterError> {
    let Some(capture) = application.stage.capture_of() else { return Err(CounterError::Unknown) };
    let registered = population::store::person(deed, application.person).await?.ok_or(PopulationError::Unknown)?;
    let number = registered.personal_number.ok_or(CounterError::NumberMissing)?;
    entitled(counter, &registered.person)?;
    // Without one, it was taken after it was looked for.
    let fetched = portrait.ok_or(TransitionError::Changed)?;
    let jpeg = fetched.of_capture(capture)?;
    let holder = Holder {
        person: &registered.person,
        number,
        portrait: portrait::on_chip(jpeg),
        features: &capture.features,
        issued: deed.today(),
    };
    Ok(compose::rehearse(holder, &counter.profile, counter.register.reference())?)
}

/// Enters the officer among those who had a hand in an application, and the one for whom the officer acts.
pub(super) async fn involve_actor(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<(), StoreError> {
    let (by, acts_for) = (deed.actor().id, deed.actor().acts_for);
    for officer in acts_for.into_iter().chain([by]) {
        store::involve(deed.tx(), id, officer).await?;
    }
    Ok(())
}

/// Returns the officers who ever had a hand in an application: who declared the person or changed what the register
/// holds, gave a number, opened it, and captured for it, the last time or before; the officer of the deed too, where
/// one of them, or one who decided about it, counts as this one.
pub(super) async fn involved_officers(
    deed: &mut Deed<Officer>,
    application: &Application,
) -> Result<Vec<OfficerId>, StoreError> {
    deed.saw(application.person);
    let mut involved = hands_in(deed.tx(), application).await?;
    let actor = deed.actor();
    let hands = application.stage.hands();
    if involved.iter().chain(&hands).any(|officer| actor.ties.contains(officer)) {
        involved.push(actor.id);
    }
    Ok(involved)
}

/// Returns the officers who had a hand in an application before its decision. Nothing of the citizen is answered.
pub(super) async fn hands_in(tx: &mut Tx, application: &Application) -> Result<Vec<OfficerId>, StoreError> {
    let mut involved = store::involved(tx, application.id).await?;
    involved.push(application.registered.by);
    involved.extend(population::store::declarer(tx, application.person).await?);
    // Who changed what the card will say had a hand in it, as who declared it had.
    involved.extend(population::store::history::changers(tx, application.person).await?);
    involved.extend(numbering::store::givers(tx, application.person).await?);
    Ok(involved)
}

/// Returns the application, kept from other writers, if it is of the officer's office.
///
/// # Errors
/// [`CounterError::Unknown`], [`CounterError::OtherOffice`]
pub async fn of_office(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Application, CounterError> {
    let application = store::application_locked(deed, id).await?.ok_or(CounterError::Unknown)?;
    deed.actor().may_act_for(&application.office)?;
    Ok(application)
}

/// As [`of_office`], for an officer who is about to take a step: unless another officer has it before them.
///
/// # Errors
/// [`CounterError::Claimed`]; as [`of_office`]
pub async fn to_step(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Application, CounterError> {
    let application = of_office(deed, id).await?;
    claims::free_for_actor(deed, &application).await?;
    Ok(application)
}

/// Stores the stage that an application has moved to, and records it.
///
/// # Errors
/// [`CounterError::Store`]
pub async fn moved(
    deed: &mut Deed<Officer>,
    application: Application,
    action: Action,
    purpose: Purpose,
) -> Result<Application, CounterError> {
    moved_because(deed, application, action, purpose, None).await
}

/// As [`moved`], with the officer's own words in the record.
///
/// # Errors
/// [`CounterError::Store`]
pub(super) async fn moved_because(
    deed: &mut Deed<Officer>,
    application: Application,
    action: Action,
    purpose: Purpose,
    reason: Option<String>,
) -> Result<Application, CounterError> {
    progress::move_to(deed, application.id, &application.stage).await?;
    close_case(deed, &application).await?;
    // With the owner and the day that it has now.
    let application = store::application(deed, application.id).await?.ok_or(CounterError::Unknown)?;
    let entry = Entry::new(action, Object::Application(application.id), purpose).about(application.person);
    deed.enter(Entry { reason, ..entry.of(&application.office) }).await?;
    Ok(application)
}

/// Ends the right to read the person that a case gave, once the case is over: at its cancellation, when a refusal can
/// be complained about no longer, and a month after the hand-over.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn close_case<A: Actor>(deed: &mut Deed<A>, application: &Application) -> Result<(), StoreError> {
    let until = match &application.stage {
        Stage::Cancelled { .. } => deed.at(),
        Stage::Refused { .. } => application.stage.closed_at().unwrap_or_else(|| deed.at()),
        Stage::HandedOver { .. } => deed.at() + Duration::days(30),
        _ => return Ok(()),
    };
    population::store::close_to(deed.tx(), application.id, until).await
}

/// True for features that chip and body of a card can carry.
pub(super) fn fits_a_card(features: &str) -> bool {
    features.len() <= MAX_FEATURES && ::faces::unprintable(features).is_none()
}

/// Longest description of features in bytes: what DG13 takes.
const MAX_FEATURES: usize = crypto::lds::Dg13::MAX_TEXT;

/// Finds persons, also by a number for life that was cancelled: the person who had it. Returns whether there are more.
///
/// # Errors
/// [`SearchError`]
pub async fn search(
    deed: &mut Deed<Officer>,
    register: &population::Register,
    sought: &Sought,
    occasion: Occasion,
) -> Result<(Vec<Found>, bool), SearchError> {
    let cancelled = match sought.personal_number.as_str().parse() {
        Ok(number) => numbering::store::cancelled(deed.tx(), &number).await?,
        Err(_) => None,
    };
    population::search::find(deed, register, sought, cancelled, occasion).await
}

/// Why the counter does not do what was asked.
#[derive(Debug, Error)]
pub enum CounterError {
    /// Another application is under way: this one, if the officer may know it.
    #[error("an application of this person is under way")]
    AlreadyOpen(Option<ApplicationId>),
    /// Age, or words that do not fit.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// The papers of the old identity card.
    #[error(transparent)]
    Archive(#[from] ArchiveDoubt),
    /// The photograph is not base64.
    #[error("the photograph is not base64")]
    Base64,
    /// The day that the citizen is promised lies in a year whose holidays are not known.
    #[error(transparent)]
    Calendar(#[from] CalendarEnds),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A person who has a card changes it.
    #[error("the person has a card")]
    CardAlreadyHeld,
    /// The case that the officer names for a reading.
    #[error("the case is no application of this person that is open, or of the officer's office")]
    Case,
    /// Another officer has it before them.
    #[error("{} has it until {until}", Object::Officer(*by))]
    Claimed {
        /// The officer.
        by: OfficerId,
        /// Until when, if no step is taken before.
        until: OffsetDateTime,
    },
    /// No card can carry what the register and the counter hold.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The register speaks against it, and no officer has acknowledged that.
    #[error("{0}")]
    Doubtful(&'static str),
    /// The portrait was erased.
    #[error("erased on {on}: {ground}")]
    Erased {
        /// The day, in UTC.
        on: time::Date,
        /// The ground.
        ground: String,
    },
    /// What a fee is settled by.
    #[error(transparent)]
    Fee(#[from] FeeRefusal),
    /// The fingers.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintDoubt),
    /// An exemption without its ground.
    #[error("an exemption has a ground and evidence: POST /api/v1/applications/{{id}}/fee/exemption")]
    GroundMissing,
    /// No features, too many, or some that a card cannot show.
    #[error("features: 1 to {MAX_FEATURES} bytes, in letters that a card can show")]
    Features,
    /// The day of a complaint.
    #[error("the complaint was made on a day from {0} to today")]
    ComplaintDay(Date),
    /// Not a citizen, or dead.
    #[error("not entitled to a card")]
    NotEntitled,
    /// Another officer was faster.
    #[error("not possible while {stage}: {} moved it at {at}", Object::Officer(*by))]
    MovedOn {
        /// The stage that it is at.
        stage: &'static str,
        /// The officer.
        by: OfficerId,
        /// The moment.
        at: OffsetDateTime,
    },
    /// No portrait was taken, or the application holds it no more.
    #[error("the application has no portrait at this stage")]
    NoPortrait,
    /// A registrar or a stock keeper asks for what the own role does not have.
    #[error("a registrar lists what is held, and every role what it has: ask with `owner`")]
    NotOwn,
    /// A registrar reads what is held.
    #[error("a registrar reads held applications only")]
    NotHeld,
    /// No number yet.
    #[error("the person has no number")]
    NumberMissing,
    /// The object store.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The office takes no new work.
    #[error(transparent)]
    OfficeEnded(#[from] OfficeEnded),
    /// Another office's application.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// The photograph.
    #[error(transparent)]
    Portrait(#[from] PortraitError),
    /// Two places decide, and it is another one's turn.
    #[error("officers of {0} have it at this stage")]
    Place(OfficeCode),
    /// What the register holds.
    #[error(transparent)]
    Register(#[from] RegisterDoubt),
    /// A refusal or cancellation without a reason.
    #[error("no reason is given")]
    ReasonMissing,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stage.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// No such application.
    #[error("application unknown")]
    Unknown,
    /// The day for the citizen is past, or too far ahead.
    #[error("the citizen's day is after today, and {0} at the latest")]
    Until(Date),
}
