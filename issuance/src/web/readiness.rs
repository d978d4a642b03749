//! Is the service able to work? Found out by writing, at most once a second, for all who ask.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crypto::perso::problem::ProblemCode;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::problem::is_full;
use super::{Problem, store};
use crate::deed::Deeds;
use crate::ground::{blocking, files};

/// The probe of database and data folder; clones share its result.
#[derive(Clone, Debug)]
pub struct Readiness {
    deeds: Deeds,
    data: Arc<Path>,
    latest: Arc<Mutex<Latest>>,
    /// What the last probe that came to an end found; and when a request last found no room.
    known: Arc<std::sync::Mutex<(Option<Problem>, Option<Instant>)>>,
}

/// The latest probe: its beginning, and its result once it is there.
type Latest = Option<(Instant, watch::Receiver<Option<Result<(), Problem>>>)>;

impl Readiness {
    /// A probe of this database, and of the folder in which large objects are kept.
    #[must_use]
    pub fn new(deeds: Deeds, data: &Path) -> Self {
        Self { deeds, data: data.into(), latest: Arc::default(), known: Arc::default() }
    }

    /// Returns within a second whether a row and a file can be written. A result serves for a second; a probe that
    /// hangs is not followed by a second one.
    ///
    /// # Errors
    /// `storage-full`, `database-busy`, `database-unreachable`
    pub async fn ask(&self) -> Result<(), Problem> {
        let mut result = self.result().await;
        // A row of the probe may still find room where those of requests do not.
        let full = self.known.lock().expect("the lock is held for a copy only").1;
        if full.is_some_and(|at| at.elapsed() < FULL_FOR) {
            return Err(Problem::new(ProblemCode::StorageFull));
        }
        match tokio::time::timeout(PATIENCE, result.wait_for(Option::is_some)).await {
            Ok(Ok(result)) => result.clone().unwrap_or(Ok(())),
            // The probe hangs, or broke off with the runtime.
            Ok(Err(_)) | Err(_) => {
                let known = self.known.lock().expect("the lock is held for a copy only").0.clone();
                Err(known.unwrap_or_else(|| Problem::new(ProblemCode::DatabaseBusy).detail("a write takes too long")))
            }
        }
    }

    /// Takes note of how a request ended: one that found no room shows what the small probe may not see.
    pub fn answered(&self, code: ProblemCode) {
        if code == ProblemCode::StorageFull {
            self.known.lock().expect("the lock is held for an assignment only").1 = Some(Instant::now());
        }
    }

    async fn result(&self) -> watch::Receiver<Option<Result<(), Problem>>> {
        let mut latest = self.latest.lock().await;
        if let Some((began, result)) = &*latest
            && (began.elapsed() < GOOD_FOR || (result.borrow().is_none() && result.has_changed().is_ok()))
        {
            return result.clone();
        }
        let (tell, result) = watch::channel(None);
        *latest = Some((Instant::now(), result.clone()));
        let this = self.clone();
        tokio::spawn(async move {
            let probed = this.probe().await;
            this.known.lock().expect("the lock is held for an assignment only").0 = probed.clone().err();
            tell.send_replace(Some(probed));
        });
        result
    }

    async fn probe(&self) -> Result<(), Problem> {
        let mut tx = self.deeds.db().begin_upkeep().await?;
        store::probe(&mut tx, self.deeds.source().now()).await?;
        tx.commit().await?;
        let file = self.data.join("readiness-probe");
        blocking::apart(move || write(&file)).await.map_err(|error| {
            let code = if is_full(&error) { ProblemCode::StorageFull } else { ProblemCode::Internal };
            Problem::caused(code, &error)
        })
    }
}

/// Writes as much as a small portrait takes, and removes it again.
fn write(file: &PathBuf) -> io::Result<()> {
    let written = files::replace(file, &file.with_extension("new"), &vec![0x5a; 64 * 1024], files::PRIVATE);
    written.and_then(|()| std::fs::remove_file(file))
}

/// An answer comes within a second.
const PATIENCE: Duration = Duration::from_millis(900);
/// So long after a request found no room the service is not ready.
const FULL_FOR: Duration = Duration::from_secs(3);
/// A result serves all who ask for so long.
const GOOD_FOR: Duration = Duration::from_secs(1);
