//! The trust bundle by which cards are judged: opened once, and again when its file changes or its time has come.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use crypto::pki::Certificate;
use crypto::pki::trust_bundle::TrustBundle;
use time::OffsetDateTime;

use super::screen::BundleFace;
use crate::client::{Connection, HttpService};
use crate::failure::{Code, Failure};
use crate::kiosk::{NewestBundles, open_trust};
use crate::session::Stop;

/// Where trust bundles come from.
pub enum Source {
    /// A file, which another program may replace at any time.
    File(PathBuf),
    /// The service, which is asked for a fresh one each hour.
    Service(Arc<Connection>),
}

/// Keeps the newest trust bundle that could be opened.
pub(super) struct Keeper {
    anchor: Certificate,
    source: Source,
    newest: NewestBundles,
    held: Option<Held>,
}

struct Held {
    bundle: Arc<TrustBundle>,
    /// Length and time of change of the file.
    stamp: Option<(u64, SystemTime)>,
    since: Instant,
}

impl Keeper {
    pub(super) fn new(anchor: Certificate, source: Source, newest: NewestBundles) -> Self {
        Self { anchor, source, newest, held: None }
    }

    /// Returns the bundle that counts at this moment. One that cannot be fetched or opened does not displace the one
    /// that is held: that says by itself when it is too old.
    ///
    /// # Errors
    /// Those of [`open_trust`], and that there is none; only where none is held.
    pub(super) fn current(&mut self, at: OffsetDateTime, limit: Duration) -> Result<Arc<TrustBundle>, Failure> {
        let stamp = match &self.source {
            Source::File(path) => fs::metadata(path).and_then(|file| Ok((file.len(), file.modified()?))).ok(),
            Source::Service(_) => None,
        };
        if let Some(held) = &self.held {
            let is_fresh = match &self.source {
                Source::File(_) => held.stamp == stamp,
                Source::Service(_) => held.since.elapsed() < HOUR,
            };
            if is_fresh {
                return Ok(held.bundle.clone());
            }
        }
        match (self.fetched(limit).and_then(|bytes| open_trust(&bytes, &self.anchor, at, &self.newest)), &self.held) {
            (Ok(bundle), _) => {
                let bundle = Arc::new(bundle);
                self.held = Some(Held { bundle: bundle.clone(), stamp, since: Instant::now() });
                Ok(bundle)
            }
            (Err(failure), Some(held)) => {
                tracing::warn!("the trust bundle of before goes on: {}", failure.code.word());
                Ok(held.bundle.clone())
            }
            (Err(failure), None) => Err(failure),
        }
    }

    fn fetched(&self, limit: Duration) -> Result<Vec<u8>, Failure> {
        match &self.source {
            Source::File(path) => fs::read(path).map_err(|error| {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                Failure::new(Code::InputUnusable, format!("{}: {why}", path.display()))
            }),
            Source::Service(connection) => {
                let service = HttpService::new(connection)?;
                service.work_within(Instant::now(), limit, &Stop::default());
                Ok(service.trust_bundle()?)
            }
        }
    }
}

impl From<&TrustBundle> for BundleFace {
    fn from(bundle: &TrustBundle) -> Self {
        Self { issued: bundle.issued_at(), due: bundle.contents().next_update }
    }
}

const HOUR: Duration = Duration::from_hours(1);
