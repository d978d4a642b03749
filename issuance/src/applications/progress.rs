//! The one place where an application moves: the stage, its owner and the day until which it must leave are stored
//! together. And what is said about those that are late.

use thiserror::Error;
use time::{Date, Duration, OffsetDateTime};

use super::deadlines::{Deadlines, Now, Progress};
use super::model::{Application, Stage};
use super::stages::Procedure;
use super::store::progress::{self as store, Late};
use super::{Settings, paper_archive};
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::ApplicationId;
use crate::ground::{Clock, Id, OfficeCode};
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::offices;
use crate::offices::calendar::Calendar;
use crate::store::{Db, StoreError, Tx};

/// Moves an application to another stage, and writes the notice that the citizen is due for it. What is not known of
/// the holidays ahead stops no move: the day comes out too early then, and `issuance status` says so.
///
/// # Errors
/// [`StoreError`]
pub async fn move_to<A: Actor>(deed: &mut Deed<A>, id: ApplicationId, stage: &Stage) -> Result<(), StoreError> {
    let Some(before) = super::store::application_locked(deed, id).await? else {
        return Err(StoreError::inconsistent("application", "id", id));
    };
    let now = Now { day: deed.today(), at: deed.at() };
    // What was complained about rested since the refusal.
    let left_at =
        if let Stage::Appealed { decision, .. } = &before.stage { Some(decision.at) } else { before.progress.moved_at };
    let left_on = left_at.map(|at| deed.day_of(at));
    let calendar = calendar(deed.tx(), now.day).await?;
    let progress = before.progress.moved(&before.stage, stage, &before.office, now, &calendar, left_on);
    super::store::move_to(deed.tx(), id, stage, &progress).await?;
    paper_archive::follow(deed, &before, stage, now, &calendar).await?;
    let matter = if before.stage.which() == stage.which() { None } else { super::notices::matter(stage, progress.due) };
    let waits = matches!(matter, Some(Matter::Ready { .. })) && !is_ready(deed.tx(), stage).await?;
    if let Some(matter) = matter.filter(|_| !waits) {
        let case = Case { application: id, person: before.person, office: &before.office };
        notices::write(deed, case, &matter).await?;
    }
    Ok(())
}

/// True if nothing holds a finished card back: it was not recalled, and does not wait for the check of its body.
async fn is_ready(tx: &mut Tx, stage: &Stage) -> Result<bool, StoreError> {
    match super::notices::can_be_fetched(tx, stage, false).await {
        // A card that another hand changed is handed over to no citizen.
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => Ok(false),
        ready => ready,
    }
}

/// Tells the citizen that the card can be fetched, once its body was compared with its chip. The time in which the
/// citizen fetches it begins then. Nothing is told of a card that is not at the office of its application yet.
///
/// # Errors
/// [`StoreError`]
pub async fn ready<A: Actor>(deed: &mut Deed<A>, id: ApplicationId) -> Result<(), StoreError> {
    let Some(application) = super::store::application_locked(deed, id).await? else { return Ok(()) };
    let Application { stage, office, progress, person, .. } = &application;
    if !matches!(stage, Stage::Personalized { .. }) || !is_ready(deed.tx(), stage).await? {
        return Ok(());
    }
    let now = Now { day: deed.today(), at: deed.at() };
    let calendar = calendar(deed.tx(), now.day).await?;
    let before = Progress { due: None, ..progress.clone() };
    let begins = before.moved(stage, stage, office, now, &calendar, None);
    store::set(deed.tx(), id, &begins).await?;
    if let Some(matter) = super::notices::matter(stage, begins.due) {
        notices::write(deed, Case { application: id, person: *person, office }, &matter).await?;
    }
    Ok(())
}

/// Returns the calendar in which the terms of an application that moves today lie.
///
/// # Errors
/// [`StoreError`]
pub async fn calendar(tx: &mut Tx, today: Date) -> Result<Calendar, StoreError> {
    offices::steps::calendar(tx, today.year(), today.year() + 1).await
}

/// Gives applications of before there were owners and deadlines theirs, at a start: the terms count from today. Those
/// that another hand changed stay as they are, and are listed as defects.
///
/// # Errors
/// [`StoreError`]
pub async fn adopt_applications_of_before(db: &Db, clock: &Clock, settings: &Settings) -> Result<(), StoreError> {
    let mut after = Id::nil();
    loop {
        let some = store::ownerless(&mut db.begin_read().await?, after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = *last;
        let mut tx = db.begin_upkeep().await?;
        for id in some {
            match adopt(&mut tx, id, clock, &settings.deadlines).await {
                Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
    }
}

async fn adopt(tx: &mut Tx, id: ApplicationId, clock: &Clock, deadlines: &Deadlines) -> Result<(), StoreError> {
    let Some(application) = store::of_before(tx, id).await? else { return Ok(()) };
    let Application { stage, office, kind, progress, .. } = &application;
    let now = Now { day: clock.today(), at: clock.now() };
    let terms = deadlines.terms(*kind, office, Procedure::default());
    let calendar = calendar(tx, now.day).await?;
    let promised = calendar.add_working_days(now.day, terms.whole.into());
    let before = Progress { terms: Some(terms), promised, due: None, ..progress.clone() };
    store::set(tx, id, &before.moved(stage, stage, office, now, &calendar, None)).await
}

/// What was said about late applications.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// So many were told to the office that has them.
    pub reminders: u32,
    /// So many were told to the national office.
    pub escalations: u32,
}

/// Says of each late application once that it is late, and once more to the national office when it stays late: each is
/// a record of the trail and a row, in one transaction, at most one of each kind for each move of the application.
///
/// # Errors
/// [`ReminderError`]; those that another hand changed are left out.
pub async fn remind(deeds: &Deeds) -> Result<Said, ReminderError> {
    let today = deeds.source().clock().today();
    let calendar = calendar_until(deeds.db(), today).await?;
    let (mut said, mut after) = (Said::default(), Id::nil());
    loop {
        let some = store::late_unsaid(&mut deeds.db().begin_read().await?, today, after, PIECE).await?;
        let Some(last) = some.last() else { break };
        after = last.id;
        for late in some {
            match say(deeds, &late, today, &calendar).await {
                Ok(Some(Kind::Reminder)) => said.reminders += 1,
                Ok(Some(Kind::Escalation)) => said.escalations += 1,
                Ok(None) | Err(ReminderError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {
                }
                Err(error) => return Err(error),
            }
        }
    }
    paper_archive::remind(deeds, today, &calendar, &mut said).await?;
    Ok(said)
}

/// Why late applications were not told.
#[derive(Debug, Error)]
pub enum ReminderError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which word about a late application it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Escalation,
    Reminder,
}

async fn say(deeds: &Deeds, late: &Late, today: Date, calendar: &Calendar) -> Result<Option<Kind>, ReminderError> {
    let mut deed = deeds.open(Service).await?;
    // Looked at again, and kept from other writers: it may just have moved.
    let found = super::store::application_locked(&mut deed, late.id).await?;
    let Some((application, due)) = found.and_then(|found| found.progress.due.map(|due| (found, due))) else {
        return Ok(None);
    };
    let progress = &application.progress;
    let days = progress.days_late(today, calendar);
    let escalates = progress.terms.is_some_and(|terms| days > terms.escalation.into());
    let (kind, action, told) = match (due < today, late.reminded) {
        (true, false) => {
            (Kind::Reminder, Action::ApplicationOverdue, progress.owner.as_ref().map(|(office, _)| office))
        }
        (true, true) if escalates => (Kind::Escalation, Action::ApplicationEscalated, None),
        _ => return Ok(None),
    };
    let word = match kind {
        Kind::Escalation => store::ESCALATION,
        Kind::Reminder => store::REMINDER,
    };
    let at = deed.at();
    if !store::note(deed.tx(), application.id, progress.moves, word, at).await? {
        return Ok(None);
    }
    let told = told.cloned().unwrap_or_else(OfficeCode::national);
    let role = progress.owner.as_ref().map_or("no role", |(_, role)| role.name());
    let entry = Entry::new(action, Object::Application(application.id), Purpose::Administration);
    let reason = format!("{}: {role}, due on {due}, {days} working days late", application.stage.name());
    deed.enter(entry.about(application.person).of(&told).because(reason)).await?;
    deed.commit().await?;
    Ok(Some(kind))
}

/// Moves each application whose card was not fetched in time, with a record and a notice in one
/// transaction. Returns how many moved.
///
/// # Errors
/// [`ReminderError`]; those that another hand changed are left out.
pub async fn miss(deeds: &Deeds) -> Result<u32, ReminderError> {
    let (today, mut moved, mut after) = (deeds.source().clock().today(), 0, Id::nil());
    loop {
        let some = store::missed(&mut deeds.db().begin_read().await?, today, after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(moved) };
        after = *last;
        for id in some {
            match Box::pin(miss_one(deeds, id)).await {
                Ok(done) => moved += u32::from(done),
                Err(ReminderError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn miss_one(deeds: &Deeds, id: ApplicationId) -> Result<bool, ReminderError> {
    let mut deed = deeds.open(Service).await?;
    // Looked at again, and kept from other writers: the citizen may just have come.
    let Some(application) = super::store::application_locked(&mut deed, id).await? else { return Ok(false) };
    let (Some(due), Ok(stage)) = (application.progress.due, application.stage.miss()) else { return Ok(false) };
    // What the citizen cannot fetch is missed by no citizen: it is late at the office.
    if due >= deed.today() || !is_ready(deed.tx(), &stage).await? {
        return Ok(false);
    }
    move_to(&mut deed, id, &stage).await?;
    let entry = Entry::new(Action::CardNotFetched, Object::Application(id), Purpose::HandOver);
    let entry = entry.about(application.person).of(&application.office).because(format!("due on {due}"));
    deed.enter(entry).await?;
    deed.commit().await?;
    Ok(true)
}

/// Reminds each citizen whose card is ready and not fetched, once for each of the days of the settings; after a time in
/// which nothing was said, of the last one alone. Returns how many were reminded.
///
/// # Errors
/// [`ReminderError`]; those that another hand changed are left out.
pub async fn remind_citizens(deeds: &Deeds, deadlines: &Deadlines) -> Result<u32, ReminderError> {
    let (now, mut reminded) = (deeds.source().now(), 0);
    let begin = OffsetDateTime::UNIX_EPOCH;
    for (n, days) in deadlines.reminders.iter().enumerate() {
        let since = |days: u16| now - Duration::days(days.into());
        let next = deadlines.reminders.get(n + 1).map_or(begin, |days| since(*days));
        let (kind, mut after) = (format!("fetch-{days}"), Id::nil());
        loop {
            let between = (next, since(*days));
            let mut tx = deeds.db().begin_read().await?;
            let some = store::unfetched(&mut tx, between, &kind, after, PIECE).await?;
            drop(tx);
            let Some(last) = some.last() else { break };
            after = *last;
            for id in some {
                match Box::pin(remind_citizen(deeds, id, &kind)).await {
                    Ok(said) => reminded += u32::from(said),
                    Err(ReminderError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(reminded)
}

async fn remind_citizen(deeds: &Deeds, id: ApplicationId, kind: &str) -> Result<bool, ReminderError> {
    let mut deed = deeds.open(Service).await?;
    // Looked at again, and kept from other writers: the citizen may just have come.
    let found = super::store::application_locked(&mut deed, id).await?;
    let Some(application) = found.filter(|found| matches!(found.stage, Stage::Personalized { .. })) else {
        return Ok(false);
    };
    let (at, Some(until)) = (deed.at(), application.progress.due) else { return Ok(false) };
    if !is_ready(deed.tx(), &application.stage).await? {
        return Ok(false);
    }
    if !store::note(deed.tx(), id, application.progress.moves, kind, at).await? {
        return Ok(false);
    }
    let case = Case { application: id, person: application.person, office: &application.office };
    notices::write(&mut deed, case, &Matter::Reminder { until }).await?;
    let entry = Entry::new(Action::CitizenReminded, Object::Application(id), Purpose::Notice);
    deed.enter(entry.about(application.person).of(&application.office)).await?;
    deed.commit().await?;
    Ok(true)
}

async fn calendar_until(db: &Db, today: Date) -> Result<Calendar, StoreError> {
    // What is late may be late since the year before.
    offices::steps::calendar(&mut db.begin_read().await?, today.year() - 1, today.year()).await
}

/// So many applications are looked at in one go.
const PIECE: i64 = 200;
