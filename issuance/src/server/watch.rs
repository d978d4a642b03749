//! The running service looks at its own state: for the log, the probes and the metrics.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::Settings;
use super::compose::StartError;
use super::status::{self, Finding, Severity, Status};
use crate::deed::Deeds;
use crate::keys::{InstallationId, KeyStore};

/// What was seen last, and with what it is looked for; clones share it.
#[derive(Clone)]
pub struct Watch {
    settings: Arc<Settings>,
    store: KeyStore,
    installation: InstallationId,
    last: Arc<RwLock<Option<Arc<Status>>>>,
}

/// Shows no settings: they hold the address of the database.
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.installation)
    }
}

impl Watch {
    pub(super) fn new(settings: &Settings, store: KeyStore, installation: InstallationId) -> Self {
        Self { settings: Arc::new(settings.clone()), store, installation, last: Arc::default() }
    }

    /// Returns what was seen last; `None` until the first look.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Status>> {
        self.last.read().expect("the lock is held for a copy only").clone()
    }

    /// Returns what the archiver of the log said last. Blocking, and short: a small file is read.
    pub(super) fn archived(&self) -> Option<super::backup::Archived> {
        status::archived_of(&self.settings.data)
    }

    /// Looks again, and logs each finding that was not there at the last look, or was less bad.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn look(&self, deeds: &Deeds) -> Result<(), StartError> {
        let seen =
            Box::pin(status::take(&self.settings, &self.store, deeds.db(), self.installation, deeds.source().clock()))
                .await?;
        let key = |finding: &Finding| (finding.about.clone(), finding.severity);
        let before: BTreeSet<_> = self.latest().iter().flat_map(|status| status.findings.iter().map(key)).collect();
        for finding in seen.findings.iter().filter(|finding| !before.contains(&key(finding))) {
            say(finding);
        }
        *self.last.write().expect("the lock is held for an assignment only") = Some(Arc::new(seen));
        Ok(())
    }

    /// Looks at the keys alone.
    ///
    /// # Errors
    /// [`StartError`]
    pub(super) async fn keys(&self, deeds: &Deeds) -> Result<status::Keys, StartError> {
        status::keys_of(&self.settings, &self.store, deeds.db()).await
    }

    /// Logs what was found at the last look, so that it is said again each day.
    pub(super) fn say(&self) {
        for finding in self.latest().iter().flat_map(|status| &status.findings) {
            say(finding);
        }
    }

    /// Returns what was found at the last look, as sentences that a stranger may read: stations,
    /// officers and queues are left out.
    #[must_use]
    pub fn public_findings(&self) -> Vec<(Severity, String)> {
        let latest = self.latest();
        let findings = latest.iter().flat_map(|status| &status.findings);
        let public = |finding: &&Finding| !INTERNAL.iter().any(|word| finding.about.starts_with(word));
        findings
            .filter(public)
            .map(|finding| (finding.severity, format!("{}: {}", finding.about, finding.says)))
            .collect()
    }
}

fn say(Finding { severity, about, says }: &Finding) {
    let severity_name = severity.name();
    match severity {
        Severity::Critical => tracing::error!(severity = severity_name, about, "{says}"),
        Severity::Warning => tracing::warn!(severity = severity_name, about, "{says}"),
        Severity::Notice => tracing::info!(severity = severity_name, about, "{says}"),
    }
}

/// Findings that begin so are for those who work here.
const INTERNAL: [&str; 16] = [
    "administrators",
    "agreement ",
    "applications",
    "archive",
    "break-glass",
    "disk",
    "dossiers",
    "holidays",
    "job ",
    "numbers ",
    "officer ",
    "orders",
    "partner ",
    "sign-in",
    "station ",
    "stock ",
];
/// The service looks at itself this often.
pub(super) const LOOK: Duration = Duration::from_mins(5);
