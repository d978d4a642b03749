//! What is captured for an application is erased again, when the application is closed and the term is over.

use time::Duration;

use super::model::Stage;
use super::store::closed::{self, Due};
use super::{CounterError, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, HoldId};
use crate::ground::objects::Objects;
use crate::ground::{Id, blocking};
use crate::{holds, population};

/// What is erased of a closed application.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Erasable {
    /// All portraits and images of fingers that were taken, with their content keys.
    Portraits,
    /// Features, and the files of a card that was never handed over.
    Dossiers,
}

/// A term, and the ground on which what it is over for is erased.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// So long after the closing.
    pub after: Duration,
    /// The legal ground, for the trail and for those who ask.
    pub ground: &'a str,
}

/// What came of an application whose turn it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was erased; the deed holds the record.
    Erased,
    /// A legal hold stands.
    Held(HoldId),
    /// It is closed for less than the term: since this moment.
    NotDue(time::OffsetDateTime),
    /// It is no closed application of this person: nothing is erased.
    NotClosed,
}

/// Erases this of a closed application, if the term is over and no legal hold stands. Person and application are kept
/// from other writers meanwhile, so that no hold comes between; the application itself, which is under a MAC, says
/// whether it is closed and since when. Files of portraits are removed by [`finish`], once the deed is true: what is
/// cut between is answered as erased, and finished by the next run.
///
/// # Errors
/// [`CounterError::Store`]: for a tampered hold or application, nothing is erased. [`CounterError::Object`]
pub async fn erase<A: Actor>(
    deed: &mut Deed<A>,
    what: Erasable,
    due: Due,
    term: Term<'_>,
    dry: bool,
) -> Result<Outcome, CounterError> {
    let id = due.id;
    population::store::person_locked(deed, due.person).await?;
    let application = store::application_locked(deed, id).await?.filter(|found| found.person == due.person);
    let Some(mut application) = application else { return Ok(Outcome::NotClosed) };
    let Some(closed_at) = application.stage.closed_at() else { return Ok(Outcome::NotClosed) };
    let at = deed.at();
    if closed_at + term.after > at {
        return Ok(Outcome::NotDue(closed_at));
    }
    if let Some(hold) = holds::store::standing(deed.tx(), due.person, id, at).await? {
        return Ok(Outcome::Held(hold.id));
    }
    if dry {
        return Ok(Outcome::Erased);
    }
    let action = match what {
        Erasable::Portraits => {
            // Before names were noted, the application alone named its portrait.
            if let Some(capture) = application.stage.capture_of() {
                closed::note(deed.tx(), id, &capture.portrait, at).await?;
            }
            store::fingerprints::forget(deed.tx(), id).await?;
            Action::PortraitErased
        }
        Erasable::Dossiers => {
            if let Stage::Refused { capture, upheld, discontinued, .. } = &mut application.stage {
                capture.features.clear();
                if let Some(upheld) = upheld {
                    upheld.complaint.words.clear();
                }
                if let Some(discontinued) = discontinued {
                    discontinued.withdrawal.paper.clear();
                }
                if let Some(heard) = &mut capture.heard {
                    heard.complaint.words.clear();
                }
                store::rewrite(deed.tx(), id, &application.stage).await?;
            }
            store::payments::forget_words(deed.tx(), due.person, id).await?;
            store::paper_archive::forget_words(deed.tx(), id).await?;
            Action::DossierErased
        }
    };
    closed::erased(deed.tx(), what, id, at, term.ground).await?;
    let (days, since) = (term.after.whole_days(), closed_at.date());
    let entry = Entry::new(action, Object::Application(id), Purpose::Retention).about(due.person);
    let reason = format!("closed on {since}; kept for {days} days; {}", term.ground);
    deed.enter(entry.of(&application.office).because(reason)).await?;
    Ok(Outcome::Erased)
}

/// Removes the files of an application whose portraits are erased, then their names.
///
/// # Errors
/// [`CounterError::Object`], [`CounterError::Store`]: the next run goes on.
pub async fn finish(db: &crate::store::Db, objects: &Objects, id: ApplicationId) -> Result<(), CounterError> {
    let mut tx = db.begin_read().await?;
    let mut own = Vec::new();
    for name in closed::portraits(&mut tx, id).await? {
        if !closed::is_shared(&mut tx, &name, id).await? {
            own.push(name);
        }
    }
    drop(tx);
    let objects = objects.clone();
    Box::pin(blocking::run(move || own.iter().try_for_each(|name| objects.erase(name)))).await?;
    let mut tx = db.begin_upkeep().await?;
    closed::forget_names(&mut tx, id).await?;
    Ok(tx.commit().await?)
}

/// Removes the files of all applications whose portraits are erased and whose names are still
/// there: runs that were cut.
///
/// # Errors
/// As [`finish`].
pub async fn finish_all(db: &crate::store::Db, objects: &Objects) -> Result<(), CounterError> {
    loop {
        let some = closed::unfinished(&mut db.begin_read().await?).await?;
        if some.is_empty() {
            return Ok(());
        }
        for id in some {
            finish(db, objects, id).await?;
        }
    }
}

/// Erases portraits that no application has: those of uploads that came to nothing, and of applications that were
/// closed before this version. Only what was kept before this moment, so that no upload is under way. Returns their
/// names.
///
/// # Errors
/// [`CounterError`]
pub async fn sweep(
    db: &crate::store::Db,
    objects: &Objects,
    before: std::time::SystemTime,
    dry: bool,
) -> Result<Vec<String>, CounterError> {
    let mut swept = Vec::new();
    for prefix in 0..=u8::MAX {
        let looked = objects.clone();
        let names = blocking::run(move || looked.names_before(prefix, before)).await?;
        for names in names.chunks(500) {
            let mut tx = db.begin_read().await?;
            let alone = closed::without_application(&mut tx, names.to_vec()).await?;
            drop(tx);
            swept.extend(alone.iter().cloned());
            let objects = objects.clone();
            if !dry {
                blocking::run(move || alone.iter().try_for_each(|name| objects.erase(name))).await?;
            }
        }
    }
    Ok(swept)
}

/// Returns the portraits that applications have and whose files are not there, each with its application.
///
/// # Errors
/// [`CounterError`]
pub async fn missing(db: &crate::store::Db, objects: &Objects) -> Result<Vec<(ApplicationId, String)>, CounterError> {
    let (mut missing, mut after) = (Vec::new(), (String::new(), Id::nil()));
    loop {
        let some = closed::portraits_after(&mut db.begin_read().await?, &after).await?;
        let Some(last) = some.last() else { return Ok(missing) };
        after = (last.1.clone(), last.0);
        let objects = objects.clone();
        missing.extend(
            blocking::run(move || some.into_iter().filter(|(_, name)| !objects.has(name)).collect::<Vec<_>>()).await,
        );
    }
}
