//! The job that erases: in small pieces, each of them whole or not at all, so that it can be
//! cut anywhere and run again.

use std::time::Instant;

use serde::Serialize;
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::terms::{Kind, Settings};
use crate::applications::Counter;
use crate::applications::erasure::{self, Erasable, Outcome, Term};
use crate::applications::store::closed;
use crate::deed::{self, Action, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::Id;
use crate::ground::actor::Service;
use crate::ground::ids::NoticeId;
use crate::ground::objects::Objects;
use crate::notices::erasure::Outcome as Outcomes;
use crate::store::StoreError;
use crate::{access, applications, holds, notices, production, web};

/// What a run did, or would do, with one kind.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// The kind.
    pub kind: &'static str,
    /// Erased, or due if the run was dry.
    pub erased: u64,
    /// Due, and kept by a legal hold.
    pub held: u64,
    /// Due, and not to be judged: the log names them.
    pub failed: u64,
    /// False if the time of the run was over before the end.
    pub finished: bool,
}

/// Erases what is due, until `until` if that is given, and if the clock is to be believed. Dry: counts it, and changes
/// nothing. Says after each piece how far it is.
///
/// # Errors
/// [`RetentionError`]; what was erased until then is recorded.
pub async fn run(
    settings: &Settings,
    counter: &Counter,
    deeds: &Deeds,
    dry: bool,
    until: Option<Instant>,
    mut progress: impl FnMut(&Figures),
) -> Result<Vec<Figures>, RetentionError> {
    let mut all = Vec::new();
    // A hold that was changed by another hand may hold another person now: which one it held, its row does not say.
    let (_, changed) = deeds.db().begin_read().await?.walk(&holds::LEGAL_HOLD).await?;
    if let Some(id) = changed.into_iter().next() {
        return Err(StoreError::Tampered { table: holds::LEGAL_HOLD.table, id }.into());
    }
    if !dry {
        believe_the_clock(deeds).await?;
        erasure::finish_all(deeds.db(), counter.objects()).await?;
    }
    for kind in Kind::ALL {
        let mut figures = Figures { kind: kind.word(), erased: 0, held: 0, failed: 0, finished: false };
        match kind {
            Kind::Portraits | Kind::Dossiers => {
                let what = if kind == Kind::Portraits { Erasable::Portraits } else { Erasable::Dossiers };
                let mut after = (OffsetDateTime::UNIX_EPOCH, Id::nil());
                while !figures.finished && !is_over(until) {
                    after = Box::pin(applications(settings, counter, deeds, (kind, what, dry), after, &mut figures))
                        .await?;
                    progress(&figures);
                }
            }
            Kind::Notices => {
                let mut after = (OffsetDateTime::UNIX_EPOCH, Id::nil());
                while !figures.finished && !is_over(until) {
                    after = Box::pin(texts(settings, deeds, dry, after, &mut figures)).await?;
                    progress(&figures);
                }
            }
            Kind::Answers | Kind::Sessions => {
                while !figures.finished && !is_over(until) {
                    rows(settings, deeds, kind, dry, &mut figures).await?;
                    progress(&figures);
                }
            }
        }
        all.push(figures);
    }
    Ok(all)
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// Erases one piece of applications. Returns where the next one begins.
async fn applications(
    settings: &Settings,
    counter: &Counter,
    deeds: &Deeds,
    (kind, what, dry): (Kind, Erasable, bool),
    after: (OffsetDateTime, crate::ground::ids::ApplicationId),
    figures: &mut Figures,
) -> Result<(OffsetDateTime, crate::ground::ids::ApplicationId), RetentionError> {
    let rule = kind.rule(settings);
    let term = Term { after: rule.term, ground: &rule.ground };
    let mut tx = deeds.db().begin_read().await?;
    let piece =
        closed::due(&mut tx, what, deeds.source().now() - rule.term, after, settings.batch.max(1).into()).await?;
    drop(tx);
    figures.finished = piece.len() < usize::from(settings.batch.max(1));
    let mut erased = 0;
    for due in &piece {
        let mut deed = deeds.open(Service).await?;
        let outcome = erasure::erase(&mut deed, what, *due, term, dry).await;
        match outcome {
            Ok(Outcome::Erased) if dry => erased += 1,
            Ok(Outcome::Erased) => {
                if what == Erasable::Dossiers {
                    production::empty_documents(deed.tx(), due.id).await?;
                }
                deed.commit().await?;
                if what == Erasable::Portraits {
                    erasure::finish(deeds.db(), counter.objects(), due.id).await?;
                }
                erased += 1;
            }
            Ok(Outcome::Held(_)) => figures.held += 1,
            Ok(Outcome::NotDue(closed_at)) => {
                drop(deed);
                if !dry {
                    let mut tx = deeds.db().begin_upkeep().await?;
                    closed::set_closed_at(&mut tx, due.id, closed_at).await?;
                    tx.commit().await?;
                }
            }
            Ok(Outcome::NotClosed) => {
                tracing::error!(application = %due.id, "is listed as closed and is not: nothing of it is erased");
                figures.failed += 1;
            }
            Err(applications::CounterError::Store(
                error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. }),
            )) => {
                tracing::error!(application = %due.id, %error, "nothing of it is erased");
                figures.failed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    figures.erased += erased;
    if !dry {
        record(deeds, kind, rule, erased).await?;
    }
    Ok(piece.last().map_or(after, |last| (last.closed_at, last.id)))
}

/// Erases what one piece of notices said. Returns where the next one begins.
async fn texts(
    settings: &Settings,
    deeds: &Deeds,
    dry: bool,
    after: (OffsetDateTime, NoticeId),
    figures: &mut Figures,
) -> Result<(OffsetDateTime, NoticeId), RetentionError> {
    let (rule, most) = (&settings.notices, settings.batch.max(1));
    let mut tx = deeds.db().begin_read().await?;
    let piece = notices::store::ended(&mut tx, deeds.source().now() - rule.term, after, most.into()).await?;
    drop(tx);
    figures.finished = piece.len() < usize::from(most);
    let mut erased = 0;
    for due in &piece {
        let mut deed = deeds.open(Service).await?;
        match notices::erasure::erase(&mut deed, *due, rule.term, &rule.ground, dry).await {
            Ok(Outcomes::Erased) => {
                if !dry {
                    deed.commit().await?;
                }
                erased += 1;
            }
            Ok(Outcomes::Held) => figures.held += 1,
            Ok(Outcomes::NotDue) => {}
            Err(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {
                tracing::error!(notice = %due.id, %error, "nothing of it is erased");
                figures.failed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    figures.erased += erased;
    if !dry {
        record(deeds, Kind::Notices, rule, erased).await?;
    }
    Ok(piece.last().map_or(after, |last| (last.at, last.id)))
}

/// Erases one piece of rows that belong to no application.
async fn rows(
    settings: &Settings,
    deeds: &Deeds,
    kind: Kind,
    dry: bool,
    figures: &mut Figures,
) -> Result<(), RetentionError> {
    let (rule, most) = (kind.rule(settings), i64::from(settings.batch.max(1)));
    let before = deeds.source().now() - rule.term;
    if dry {
        let mut tx = deeds.db().begin_read().await?;
        figures.erased = match kind {
            Kind::Answers => web::answers_before(&mut tx, before).await?,
            _ => access::sessions_before(&mut tx, before).await?,
        };
        figures.finished = true;
        return Ok(());
    }
    let mut deed = deeds.open(Service).await?;
    let erased = match kind {
        Kind::Answers => web::purge_some(deed.tx(), before, most).await?,
        _ => access::purge_some_sessions(deed.tx(), before, most).await?,
    };
    figures.erased += erased;
    figures.finished = erased < most.unsigned_abs();
    if erased > 0 {
        deed.enter(said(kind, rule, erased)).await?;
        deed.commit().await?;
    }
    Ok(())
}

async fn record(deeds: &Deeds, kind: Kind, rule: &super::Rule, erased: u64) -> Result<(), RetentionError> {
    if erased == 0 {
        return Ok(());
    }
    let mut deed = deeds.open(Service).await?;
    deed.enter(said(kind, rule, erased)).await?;
    Ok(deed.commit().await?)
}

fn said(kind: Kind, rule: &super::Rule, erased: u64) -> Entry {
    let object = Object::Asked(format!("retention/{}", kind.word()));
    let days = rule.term.whole_days();
    let reason = format!("{erased} erased; kept for {days} days; {}", rule.ground);
    Entry::new(Action::RetentionRun, object, Purpose::Retention).because(reason)
}

/// Returns what each kind has that is due, without erasing it.
///
/// # Errors
/// [`RetentionError`]
pub async fn list(settings: &Settings, counter: &Counter, deeds: &Deeds) -> Result<Vec<Figures>, RetentionError> {
    run(settings, counter, deeds, true, None, |_| {}).await
}

/// Erases portraits that no application has, and records how many there were. Returns their number.
///
/// # Errors
/// [`RetentionError`]
pub async fn sweep(counter: &Counter, deeds: &Deeds, dry: bool) -> Result<u64, RetentionError> {
    #[expect(clippy::disallowed_methods, reason = "files are dated by the clock of their file system")]
    let before = std::time::SystemTime::now() - std::time::Duration::from_hours(7 * 24);
    let swept = erasure::sweep(deeds.db(), counter.objects(), before, dry).await?.len() as u64;
    if !dry {
        record_orphans(deeds, swept, "").await?;
    }
    Ok(swept)
}

/// Erases again what was erased before the moment to which an installation was restored: the backup was begun before,
/// and brought it back. No service runs yet, so that no portrait waits for its application. Returns the names of the
/// portraits that no application had.
///
/// # Errors
/// [`RetentionError`]
pub async fn erase_again(objects: &Objects, deeds: &Deeds) -> Result<Vec<String>, RetentionError> {
    erasure::finish_all(deeds.db(), objects).await?;
    #[expect(clippy::disallowed_methods, reason = "files are dated by the clock of their file system")]
    let before = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    let swept = erasure::sweep(deeds.db(), objects, before, false).await?;
    record_orphans(deeds, swept.len() as u64, "; a restoration had brought them back").await?;
    Ok(swept)
}

async fn record_orphans(deeds: &Deeds, swept: u64, why: &str) -> Result<(), RetentionError> {
    if swept == 0 {
        return Ok(());
    }
    let mut deed = deeds.open(Service).await?;
    let object = Object::Asked("retention/orphans".to_owned());
    let reason = format!("{swept} portraits erased that no application has{why}");
    deed.enter(Entry::new(Action::RetentionRun, object, Purpose::Retention).because(reason)).await?;
    Ok(deed.commit().await?)
}

/// Refuses to erase where the clock is not to be believed: between the last moment that is known and now lies more than
/// a month in which nothing at all was recorded. A clock that was set ahead makes such a gap, also if entries were made
/// under it since; so does an installation that stood still. Known is what an administrator confirmed last, and
/// each entry of the trail that follows on it.
///
/// # Errors
/// [`RetentionError::ClockJumped`]
async fn believe_the_clock(deeds: &Deeds) -> Result<(), RetentionError> {
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_read().await?;
    let confirmed = deed::last_record_about(&mut tx, &clock_object().to_string(), now).await?;
    let known = match confirmed {
        Some(at) => Some(at),
        None => deed::first_record(&mut tx).await?,
    };
    let Some(mut known) = known else { return Ok(()) };
    while known + LONGEST_SILENCE < now {
        let next = deed::last_record_until(&mut tx, known + LONGEST_SILENCE).await?;
        match next.filter(|next| *next > known) {
            Some(next) => known = next,
            None => return Err(RetentionError::ClockJumped { known, now }),
        }
    }
    Ok(())
}

/// Notes that the clock is right, as an administrator says.
///
/// # Errors
/// [`RetentionError`]
pub async fn confirm_the_clock(deeds: &Deeds) -> Result<(), RetentionError> {
    let mut deed = deeds.open(Service).await?;
    let entry = Entry::new(Action::RetentionRun, clock_object(), Purpose::Retention);
    deed.enter(entry.because("an administrator says that the clock is right".to_owned())).await?;
    Ok(deed.commit().await?)
}

fn clock_object() -> Object {
    Object::Asked("retention/clock".to_owned())
}

/// A house in which nothing is recorded for so long stood still, or its clock was set ahead.
const LONGEST_SILENCE: Duration = Duration::days(31);

/// A turn of the worker erases for so long at most.
pub(crate) const TURN: std::time::Duration = std::time::Duration::from_secs(10);
/// What a turn of the worker left is done after this rest.
pub(crate) const REST: Duration = Duration::seconds(30);

/// Why nothing more is erased.
#[derive(Debug, Error)]
pub enum RetentionError {
    /// The clock was set ahead, or nothing happened for more than a month.
    #[error(
        "nothing is erased: between {} and {} (now, by this computer) nothing was recorded: is the clock right? If it is: issuance retention run --clock-is-right",
        .known.date(), .now.date()
    )]
    ClockJumped {
        /// The last moment that is known.
        known: OffsetDateTime,
        /// The moment, by the clock.
        now: OffsetDateTime,
    },
    /// An application.
    #[error(transparent)]
    Counter(#[from] applications::CounterError),
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
