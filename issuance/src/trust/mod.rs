//! What inspection terminals trust: the signed bundle of the national CSCA, its revocation list
//! and the revoked documents.
//!
//! The bundle is built by a job when what it says has changed or it grows old, and served from memory.

mod api;
mod bundle;
mod store;

use std::sync::{Arc, RwLock};

pub use api::routes;
pub use bundle::{BundleError, build, is_due, refresh};
use serde::{Deserialize, Serialize};
pub use store::{MIGRATIONS, newest_at};
use time::{Duration, OffsetDateTime};

use crate::ground::ids::BundleId;
use crate::keys::{CurrentCrl, Signers};

/// Settings of the trust bundle.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A trust bundle is made anew after this long, and whenever what it says has changed …
    #[serde(with = "crate::ground::span")]
    pub bundle_renewal: Duration,
    /// … and is due for replacement after this long.
    #[serde(with = "crate::ground::span")]
    pub bundle_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bundle_renewal: Duration::hours(1), bundle_lifetime: Duration::days(7) }
    }
}

/// What this office has: the signer, the list in force, and the bundle in force in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Trust {
    settings: Arc<Settings>,
    signer: Signers,
    crl: CurrentCrl,
    current: Arc<RwLock<Option<Bundle>>>,
}

/// A bundle, signed.
#[derive(Clone, Debug)]
struct Bundle {
    id: BundleId,
    issued_at: OffsetDateTime,
    frame_hash: [u8; 32],
    signed: axum::body::Bytes,
}

impl Trust {
    /// The office with these settings and keys; without a bundle until the first [`refresh`].
    #[must_use]
    pub fn new(settings: Settings, signer: Signers, crl: CurrentCrl) -> Self {
        Self { settings: Arc::new(settings), signer, crl, current: Arc::default() }
    }

    /// Returns when the bundle in force was made; `None` while there is none.
    #[must_use]
    pub fn issued_at(&self) -> Option<OffsetDateTime> {
        self.current().map(|bundle| bundle.issued_at)
    }

    fn current(&self) -> Option<Bundle> {
        self.current.read().expect("the lock is held for a copy only").clone()
    }
}
