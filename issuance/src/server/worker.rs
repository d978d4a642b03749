//! The worker: does what is due, again and again, beside the requests.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use thiserror::Error;

use super::watch::LOOK;
use super::{Faults, Offices};
use crate::access::proposals::{self, Alarm, WatchError};
use crate::applications::progress::{ReminderError, Said};
use crate::bookings::upkeep::UpkeepError;
use crate::cards::steps::SuspensionError;
use crate::ground::Id;
use crate::ground::ids::EmergencyLookId;
use crate::jobs::{self, Job, Worker};
use crate::production::ProductionError;
use crate::production::dissolutions::{self, DissolutionError};
use crate::retention::{self, RetentionError};
use crate::store::{Db, StoreError, Tx};
use crate::trust::{self, BundleError};
use crate::{access, applications, bookings, cards, citizens, exchange, notices, population, production, web};

/// Why a job failed.
#[derive(Debug, Error)]
enum JobError {
    #[error(transparent)]
    Booking(#[from] UpkeepError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Dissolution(#[from] DissolutionError),
    #[error(transparent)]
    Production(#[from] ProductionError),
    #[error(transparent)]
    Reminder(#[from] ReminderError),
    #[error(transparent)]
    Retention(#[from] RetentionError),
    #[error("accounts and chips do not agree: {0}; issuance stock check")]
    Stock(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Suspension(#[from] SuspensionError),
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// Builds the first trust bundle, so that the service has one when it begins to listen. A failure is
/// logged, and tried again by
/// [`run`]: a list that has run out must not keep the counters closed.
pub(super) async fn begin(offices: &Offices) {
    offices.faults.note(PROPOSALS, &proposals::watch(&offices.access, offices.deeds()).await);
    offices.faults.note(TRUST_BUNDLE, &bundle(offices, offices.deeds().source().id()).await);
    offices.faults.note(STATE, &offices.watch.look(offices.deeds()).await);
}

/// Looks for due work every `tick`, until it is aborted. A panic is logged and shown by health, and the worker begins
/// again after a while.
pub(super) async fn run(offices: Offices, tick: Duration) {
    let faults = offices.faults.clone();
    // A mail server that is slow keeps nothing else waiting.
    tokio::join!(
        supervise((&faults, WORKER), FIRST_REST, || Box::pin(turns(offices.clone(), tick))),
        supervise((&faults, NOTICES), FIRST_REST, || Box::pin(notices_leave(offices.clone(), tick))),
        supervise((&faults, AHEAD), FIRST_REST, || Box::pin(cards_are_made_ahead(offices.clone(), tick))),
        supervise((&faults, CANARIES), FIRST_REST, || Box::pin(canaries_sing(offices.clone(), tick))),
        supervise((&faults, CHANGES), FIRST_REST, || Box::pin(changes_get_places(offices.clone(), tick))),
        supervise((&faults, STATISTICS), FIRST_REST, || Box::pin(statistics_are_counted(offices.clone(), tick))),
        supervise((&faults, NOTIFICATIONS), FIRST_REST, || Box::pin(notifications_leave(offices.clone(), tick))),
    );
}

/// Makes ahead what the cards of released batches need of it, in stretches, with a rest after each that keeps the work
/// within its share of a core.
async fn cards_are_made_ahead(offices: Offices, tick: Duration) {
    loop {
        let began = Instant::now();
        let made = Box::pin(production::ahead::make(&offices.production, offices.deeds())).await;
        let rest = match &made {
            Ok(0) | Err(_) => tick * AHEAD_REST,
            Ok(_) => offices.production.rest_after(began.elapsed()),
        };
        offices.faults.note(AHEAD, &made.map(drop));
        tokio::time::sleep(rest).await;
    }
}

/// Tells of each look at a record that is of no person, within seconds: in the log, and by health until the service is
/// started again.
async fn canaries_sing(offices: Offices, tick: Duration) {
    // What was done while no service ran is told at the start.
    let mut since = CANARY_OUTAGE;
    let (mut said, mut broken) = (BTreeSet::new(), BTreeSet::new());
    loop {
        // A record is made when its verb begins, and seen when it ends: so each look goes back over some time.
        let after = exchange::trail_of(offices.deeds().source().now() - since);
        let told = match offices.deeds().db().begin_read().await {
            Ok(mut tx) => {
                glass_breaks(&mut tx, &offices, since, &mut broken).await;
                objections_wait(&mut tx, &offices).await;
                exchange::alerts(&mut tx, after).await
            }
            Err(error) => Err(error),
        };
        let new: Vec<_> = told.iter().flatten().filter(|alert| said.insert(alert.entry)).collect();
        for exchange::Alert { entry, actor, action, object } in &new {
            tracing::error!(record = %entry, actor, action, object, "CANARY: a record that is of no person was looked at");
        }
        if !new.is_empty() {
            offices.faults.sung();
        }
        said.retain(|entry| *entry > after);
        since = if told.is_ok() { CANARY_WINDOW } else { CANARY_OUTAGE };
        offices.faults.note(CANARIES, &told.map(drop));
        tokio::time::sleep((tick * 2).min(CANARY_REST)).await;
    }
}

/// Tells of looks in emergencies that were opened within this time, each once.
async fn glass_breaks(tx: &mut Tx, offices: &Offices, since: time::Duration, said: &mut BTreeSet<EmergencyLookId>) {
    let now = offices.deeds().source().now();
    let told = exchange::emergencies(tx, now - since, now).await;
    if let Ok(exchange::Emergencies { opened, overdue }) = &told {
        for (look, officer) in opened {
            if said.insert(*look) {
                tracing::error!(%look, %officer, "BREAK-GLASS: an officer looks at a person in an emergency");
            }
        }
        offices.faults.unreviewed(*overdue);
        let first = exchange::emergency_of(now - CANARY_OUTAGE);
        said.retain(|look| *look > first);
    }
    offices.faults.note(EMERGENCIES, &told.map(drop));
}

/// Notes whether an objection waits too long for its answer.
async fn objections_wait(tx: &mut Tx, offices: &Offices) {
    let overdue = citizens::is_objection_overdue(tx, offices.deeds().source().now()).await;
    if let Ok(overdue) = &overdue {
        offices.faults.unanswered(*overdue);
    }
    offices.faults.note(OBJECTIONS, &overdue.map(drop));
}

/// Gives what changed of persons its place in the feeds of those who follow, within seconds.
async fn changes_get_places(offices: Offices, tick: Duration) {
    loop {
        let placed = exchange::place_changes(offices.deeds()).await;
        offices.faults.note(CHANGES, &placed.map(drop));
        tokio::time::sleep((tick * 2).min(CHANGES_REST)).await;
    }
}

/// Counts the register for statistics, once a quarter and where an agreement wants it.
async fn statistics_are_counted(offices: Offices, tick: Duration) {
    let worker: Id<Worker> = offices.deeds().source().id();
    loop {
        let counted = Box::pin(exchange::count_statistics(offices.deeds(), &offices.exchange, worker)).await;
        if let Ok(Some(day)) = &counted {
            tracing::info!(%day, "the register was counted for statistics");
        }
        offices.faults.note(STATISTICS, &counted.map(drop));
        tokio::time::sleep(tick * STATISTICS_REST).await;
    }
}

/// Delivers to partners what they subscribed to, within seconds, and notes whether a subscription was given up.
async fn notifications_leave(offices: Offices, tick: Duration) {
    loop {
        let left = Box::pin(exchange::deliver_notifications(offices.deeds(), &offices.exchange)).await;
        let given_up = async {
            let mut tx = offices.deeds().db().begin_read().await?;
            exchange::notifications_given_up(&mut tx).await
        };
        let told = given_up.await.map(|given_up| offices.faults.given_up(given_up));
        offices.faults.note(NOTIFICATIONS, &left.and(told.map_err(Into::into)));
        tokio::time::sleep((tick * 2).min(CHANGES_REST)).await;
    }
}

/// A change is told within this time.
const CHANGES_REST: Duration = Duration::from_secs(2);

/// So far back the first look goes, and the one after the database was away.
const CANARY_OUTAGE: time::Duration = time::Duration::days(1);

/// So far back each other look goes: longer than any verb lasts.
const CANARY_WINDOW: time::Duration = time::Duration::minutes(10);

/// A look at a record that is of no person is told within this time.
const CANARY_REST: Duration = Duration::from_secs(2);

/// Sends the notices that are due, again and again; rests for longer while the other side cannot be reached.
async fn notices_leave(offices: Offices, tick: Duration) {
    loop {
        let sent = notices::sending::send_due(&offices.notices, offices.deeds()).await.map(drop);
        offices.faults.note(NOTICES, &sent);
        tokio::time::sleep(tick * if sent.is_ok() { NOTICES_REST } else { UNREACHED_REST }).await;
    }
}

/// Begins work anew when it panics, after a rest that doubles up to [`LONGEST_REST`].
async fn supervise<F: Future<Output = ()>>(
    (faults, name): (&Faults, &'static str),
    first_rest: Duration,
    work: impl Fn() -> F,
) {
    let mut rest = first_rest;
    loop {
        let began = Instant::now();
        let Err(panic) = AssertUnwindSafe(work()).catch_unwind().await else { return };
        // One that worked for long begins again soon.
        if began.elapsed() > LONGEST_REST {
            rest = first_rest;
        }
        let what = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("no message");
        tracing::error!(panic = what, rest_s = rest.as_secs(), "the worker panicked, and begins again after a rest");
        faults.note::<String>(name, &Err(format!("it panicked ({what})")));
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(LONGEST_REST);
    }
}

async fn turns(offices: Offices, tick: Duration) {
    let (faults, worker): (_, Id<Worker>) = (&offices.faults, offices.deeds().source().id());
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut looked_at, mut stock_at, mut closing_at) = (Instant::now(), None::<Instant>, None::<Instant>);
    for turn in 0_u64.. {
        ticks.tick().await;
        faults.note(TRUST_BUNDLE, &bundle(&offices, worker).await);
        if looked_at.elapsed() >= LOOK {
            faults.note(STATE, &offices.watch.look(offices.deeds()).await);
            looked_at = Instant::now();
        }
        if stock_at.is_none_or(|at| at.elapsed() >= STOCK_LOOK) {
            faults.note(STOCK, &stock_ledger(&offices).await);
            stock_at = Some(Instant::now());
        }
        faults.note(PROPOSALS, &proposals::watch(&offices.access, offices.deeds()).await);
        let printed = Box::pin(production::print_jobs::write_out(&offices.production, offices.deeds())).await;
        faults.note(PRINT_JOBS, &printed);
        // One that cannot be moved to its end is looked at again after a while.
        if closing_at.is_none_or(|at| at.elapsed() >= LONGEST_REST) {
            let closed = offices_close(&offices).await;
            closing_at = closed.is_err().then(Instant::now);
            faults.note(CLOSING, &closed);
        }
        if turn % HOURLY_CHECK == 0 {
            let hourly_jobs = Job::ALL.into_iter().filter(|job| *job != Job::TrustBundle);
            for job in hourly_jobs {
                let looked = hourly(&offices, worker, job).await;
                // Where it was not its turn, what was wrong the last time still is.
                if let Ok(Some(done)) = &looked {
                    faults.note(job.name(), done);
                }
                faults.note(JOBS, &looked.map(drop));
            }
        }
        // All of it was looked at without a panic.
        faults.note::<String>(WORKER, &Ok(()));
        faults.turned();
    }
}

/// Compares the accounts of the stock with its chips. A difference is logged at once, and shown by health.
async fn stock_ledger(offices: &Offices) -> Result<(), JobError> {
    let mut tx = offices.deeds().db().begin_read().await?;
    let balances = production::balances(&mut tx).await?;
    let mut complaints = balances.complaints();
    complaints.extend(production::disagreements(&mut tx, offices.deeds().source().now()).await?);
    drop(tx);
    Box::pin(production::open_cases_of_disagreements(offices.deeds())).await?;
    // Between two hours a factory leaves millions of rows, which each look would read.
    if balances.tallied > MANY {
        add_up(offices.deeds().db(), production::add_up).await?;
        add_up(offices.deeds().db(), production::add_up_ledger).await?;
    }
    if complaints.is_empty() { Ok(()) } else { Err(JobError::Stock(complaints.join("; "))) }
}

/// Goes on with offices that are closing, until nothing is left there.
async fn offices_close(offices: &Offices) -> Result<(), JobError> {
    let dissolved = Box::pin(dissolutions::go_on(offices.deeds())).await?;
    if dissolved > 0 {
        tracing::info!(dissolved, "offices are dissolved: nothing is left there");
    }
    Ok(())
}

/// Takes the newest trust bundle into memory, and builds another one if it is due and no other process does.
async fn bundle(offices: &Offices, worker: Id<Worker>) -> Result<(), JobError> {
    let (trust, deeds) = (&offices.trust, offices.deeds());
    trust::refresh(trust, deeds).await?;
    if !trust::is_due(trust, deeds).await? {
        return Ok(());
    }
    let Some(lease) = jobs::lease(deeds, Job::TrustBundle, worker).await? else { return Ok(()) };
    let built = trust::build(trust, deeds).await;
    jobs::give_back(deeds, lease, built.is_ok(), time::Duration::ZERO).await?;
    Ok(built?)
}

/// Does a job if it is due and no other process does it. Returns how it ended, if it was done here.
async fn hourly(offices: &Offices, worker: Id<Worker>, job: Job) -> Result<Option<Result<(), JobError>>, StoreError> {
    let deeds = offices.deeds();
    let Some(lease) = jobs::lease(deeds, job, worker).await? else { return Ok(None) };
    let mut rest = job.period();
    let done = match job {
        Job::Bookings => keep_bookings(offices).await,
        Job::BreakGlass => {
            if let Some(Alarm { at, waits_since }) = offices.access.alarm() {
                let waits = waits_since.is_some();
                tracing::warn!(%at, waits, "BREAK-GLASS: the owner of the key file proposes something about an officer; list it with GET /api/v1/officer-proposals, and withdraw it if you did not expect it");
            }
            Ok(())
        }
        Job::Deadlines => remind(offices).await,
        Job::EndSuspensions => cards::steps::end_suspensions(deeds).await.map_err(JobError::from),
        Job::PurgeExpired => purge_expired(offices).await,
        Job::Retention => match erase(offices).await {
            Ok(finished) => {
                rest = if finished { rest } else { retention::REST };
                Ok(())
            }
            Err(error) => Err(error.into()),
        },
        Job::Warnings => {
            offices.watch.say();
            Ok(())
        }
        Job::TrustBundle => Ok(()),
    };
    jobs::give_back(deeds, lease, done.is_ok(), rest).await?;
    Ok(Some(done))
}

/// Says of each late application that it is late, once at each stage, opens a case for each late box, and reminds
/// citizens whose card is ready.
async fn remind(offices: &Offices) -> Result<(), JobError> {
    let missed = Box::pin(applications::progress::miss(offices.deeds())).await?;
    if missed > 0 {
        tracing::info!(missed, "cards were not fetched in time, and are kept");
    }
    let said = Box::pin(applications::progress::remind(offices.deeds())).await?;
    if said != Said::default() {
        let Said { reminders, escalations } = said;
        tracing::info!(reminders, escalations, "late applications were told to those who have them");
    }
    let missed = Box::pin(production::boxes::miss(offices.deeds())).await?;
    if missed > 0 {
        tracing::warn!(missed, "boxes were not received by their day: a case was opened for each");
    }
    let deadlines = offices.counter.deadlines();
    let reminded = Box::pin(applications::progress::remind_citizens(offices.deeds(), deadlines)).await?;
    if reminded > 0 {
        tracing::info!(reminded, "citizens are reminded that their card is ready");
    }
    Ok(())
}

/// Says of each booking whose slot is gone that it is to be moved, and of each whose time is over that it was missed.
async fn keep_bookings(offices: &Offices) -> Result<(), JobError> {
    let kept = Box::pin(bookings::upkeep::keep(offices.deeds())).await?;
    if kept != bookings::upkeep::Kept::default() {
        let bookings::upkeep::Kept { missed, to_be_moved } = kept;
        tracing::info!(missed, to_be_moved, "bookings were missed, or are to be moved and their citizens told");
    }
    Ok(())
}

/// Erases what is kept no longer, for some seconds, if the settings leave it to the service.
/// Returns false if more is due.
async fn erase(offices: &Offices) -> Result<bool, RetentionError> {
    let settings = &offices.retention;
    if !settings.automatic {
        return Ok(true);
    }
    let until = Some(Instant::now() + retention::TURN);
    let all = Box::pin(retention::run(settings, &offices.counter, offices.deeds(), false, until, |_| {})).await?;
    for figures in all.iter().filter(|figures| figures.erased + figures.held + figures.failed > 0) {
        let (kind, erased, held, failed) = (figures.kind, figures.erased, figures.held, figures.failed);
        tracing::info!(kind, erased, held, failed, "what is kept no longer was erased");
    }
    Ok(all.iter().all(|figures| figures.finished))
}

/// Purges expired answers and sessions, and adds up what is counted.
async fn purge_expired(offices: &Offices) -> Result<(), JobError> {
    let now = offices.deeds().source().now();
    let mut tx = offices.deeds().db().begin_upkeep().await?;
    web::purge_expired(&mut tx, now - offices.retention.answers.term).await?;
    access::purge_expired(&mut tx, now, offices.retention.sessions.term).await?;
    tx.commit().await?;
    let erased = exchange::erase_answers(offices.deeds()).await?;
    if erased > 0 {
        tracing::info!(erased, "answers to partners are kept no more");
    }
    exchange::erase_misses(offices.deeds()).await?;
    let erased = exchange::erase_notices(offices.deeds(), offices.exchange.changes_kept()).await?;
    if erased > 0 {
        tracing::info!(erased, "what changed is kept no more for partners");
    }
    let db = offices.deeds().db();
    add_up(db, applications::store::add_up).await?;
    add_up(db, cards::store::add_up).await?;
    add_up(db, production::add_up).await?;
    add_up(db, production::add_up_ledger).await?;
    let mut after = Some(String::new());
    while let Some(office) = after {
        let mut tx = db.begin_upkeep().await?;
        after = applications::store::tally::add_up(&mut tx, &office).await?;
        tx.commit().await?;
    }
    let today = offices.deeds().source().clock().today();
    for ago in 0..DAYS_OF_CARDS {
        let mut tx = db.begin_upkeep().await?;
        cards::store::days::add_up(&mut tx, today - time::Duration::days(ago)).await?;
        tx.commit().await?;
    }
    Ok(population::quality::add_up(db).await?)
}

/// Cards are written down on the day of their issue: of the days before these nothing is left to be added up.
const DAYS_OF_CARDS: i64 = 3;

/// Adds up what is counted, a piece in each transaction.
async fn add_up(db: &Db, piece: impl AsyncFn(&mut Tx) -> Result<bool, StoreError>) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        let finished = piece(&mut tx).await?;
        tx.commit().await?;
        if finished {
            return Ok(());
        }
    }
}

/// What is made ahead for batches, as health names it.
const AHEAD: &str = "made-ahead";
/// Looks at records that are of no person.
const CANARIES: &str = "canaries";
/// Looks in emergencies, and whether one waits too long for its review.
const EMERGENCIES: &str = "looks in emergencies";
/// Whether an objection of a citizen waits too long for its answer.
const OBJECTIONS: &str = "objections";
/// As [`WORKER`], of the places of changes.
const CHANGES: &str = "changes";
/// As [`WORKER`], of the states for statistics.
const STATISTICS: &str = "statistics";
/// So many ticks lie between two looks whether the register is to be counted.
const STATISTICS_REST: u32 = 60;
/// So many ticks lie between two looks for what is to be made ahead.
const AHEAD_REST: u32 = 5;
/// The outbox of print jobs, as health names it.
const PRINT_JOBS: &str = "print jobs";
/// So many ticks between two looks at the hourly jobs.
const HOURLY_CHECK: u64 = 60;
/// So many ticks lie between two looks for notices that are due,
const NOTICES_REST: u32 = 5;
/// and while the other side cannot be reached.
const UNREACHED_REST: u32 = 30;
/// Rest after the first panic.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Longest rest between two panics.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// The moving of what offices that are closing had, as health names it.
const CLOSING: &str = "offices-closing";
/// The list of jobs, as health names it.
const JOBS: &str = "jobs";
/// The delivery of notifications to partners, as health names it.
const NOTIFICATIONS: &str = "notifications";
/// The sending of notices, as health names it.
const NOTICES: &str = "notices";
/// The watch over proposals about officers, as health names it.
const PROPOSALS: &str = "proposals-watch";
/// The look at the service's own state, as health names it.
const STATE: &str = "state";
/// The comparison of the stock's accounts with its chips, as health names it.
const STOCK: &str = "stock-ledger";
/// From so many rows on tallies are added up before their hour.
const MANY: u64 = 20_000;
/// So often are the accounts of the stock compared with its chips.
const STOCK_LOOK: Duration = Duration::from_secs(45);
/// The making of the trust bundle, as health names it.
const TRUST_BUNDLE: &str = Job::TrustBundle.name();
/// All of it, as health names it.
const WORKER: &str = "worker";

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_worker_that_panics_is_seen_and_begins_again() {
        let (faults, begun) = (Faults::default(), AtomicU32::new(0));
        let (complaints, done) = (std::sync::Mutex::new(Vec::new()), tokio::sync::Notify::new());
        let work = || async {
            complaints.lock().unwrap().push(faults.complaints());
            match begun.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("the first time"),
                1 => panic!("the {} time", "second"),
                _ => {
                    faults.note::<String>(WORKER, &Ok(()));
                    done.notify_one();
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = supervise((&faults, WORKER), Duration::from_millis(1), work) => panic!("it ended"),
            () = done.notified() => {}
        }
        // What it said when it panicked may name persons: it stands in the log alone.
        let said = || vec!["worker fails, and is tried again; the log says why".to_owned()];
        assert_eq!(complaints.into_inner().unwrap(), [vec![], said(), said()]);
        assert!(faults.complaints().is_empty());
    }
}
