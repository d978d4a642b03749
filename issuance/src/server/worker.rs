//! The worker: does what is due, again and again, beside the requests.

use std::time::Duration;

use thiserror::Error;

use super::Offices;
use super::watch::LOOK;
use crate::access::proposals::{self, WatchError};
use crate::cards::steps::SuspensionError;
use crate::ground::Id;
use crate::jobs::{self, Job, Worker};
use crate::store::StoreError;
use crate::trust::{self, BundleError};
use crate::{access, cards, web};

/// Why a job failed.
#[derive(Debug, Error)]
enum JobError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
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
    if let Err(error) = proposals::watch(&offices.access, offices.deeds()).await {
        tracing::warn!(%error, "the proposals about officers were not looked at");
    }
    if let Err(error) = bundle(offices, offices.deeds().source().id()).await {
        tracing::error!(%error, "there is no trust bundle; it is tried again every second");
    }
    look(offices).await;
}

/// Looks for due work every `tick`, until it is aborted.
pub(super) async fn run(offices: Offices, tick: Duration) {
    let worker: Id<Worker> = offices.deeds().source().id();
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    let mut looked = std::time::Instant::now();
    for turn in 0_u64.. {
        ticks.tick().await;
        let done = bundle(&offices, worker).await;
        // Said once when it begins to fail, not every second.
        if let (Err(error), false) = (&done, failing) {
            tracing::error!(%error, "the trust bundle was not made anew; it is tried again every second");
        }
        failing = done.is_err();
        if let Err(error) = proposals::watch(&offices.access, offices.deeds()).await {
            tracing::warn!(%error, "the proposals about officers were not looked at; they are again in a second");
        }
        if looked.elapsed() >= LOOK {
            look(&offices).await;
            looked = std::time::Instant::now();
        }
        if turn % HOURLY_CHECK == 0 {
            for job in [Job::BreakGlass, Job::EndSuspensions, Job::PurgeExpired, Job::Warnings] {
                if let Err(error) = hourly(&offices, worker, job).await {
                    tracing::warn!(%error, job = job.name(), "a job failed, and is tried again in an hour");
                }
            }
        }
    }
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
    jobs::give_back(deeds, lease, built.is_ok(), deeds.source().now()).await?;
    Ok(built?)
}

/// Looks at what runs out, what waits and what is late. The requests go on where that fails.
async fn look(offices: &Offices) {
    if let Err(error) = offices.watch.look(offices.deeds()).await {
        tracing::warn!(%error, "the state of the service could not be looked at");
    }
}

async fn hourly(offices: &Offices, worker: Id<Worker>, job: Job) -> Result<(), JobError> {
    let deeds = offices.deeds();
    let Some(lease) = jobs::lease(deeds, job, worker).await? else { return Ok(()) };
    let done = match job {
        Job::BreakGlass => {
            if let Some(effective_at) = offices.access.alarm() {
                tracing::warn!(%effective_at, "BREAK-GLASS: the owner of the key file proposes something about an officer; list it with GET /api/officer-proposals, and withdraw it if you did not expect it");
            }
            Ok(())
        }
        Job::EndSuspensions => cards::steps::end_suspensions(deeds).await.map_err(JobError::from),
        Job::PurgeExpired => purge_expired(offices).await,
        Job::Warnings => {
            offices.watch.say();
            Ok(())
        }
        Job::TrustBundle => Ok(()),
    };
    jobs::give_back(deeds, lease, done.is_ok(), deeds.source().now() + job.period()).await?;
    done
}

/// Purges expired answers and sessions.
async fn purge_expired(offices: &Offices) -> Result<(), JobError> {
    let now = offices.deeds().source().now();
    let mut tx = offices.deeds().db().begin_upkeep().await?;
    web::purge_expired(&mut tx, now - web::ANSWERS_KEPT).await?;
    access::purge_expired(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

/// So many ticks between two looks at the hourly jobs.
const HOURLY_CHECK: u64 = 60;
