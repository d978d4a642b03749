//! One running service, for `main` and for tests that run it in process.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{AccessError, Peer};
use crate::app::{App, Clock, Randomness};
use crate::config::Config;
use crate::http::{ListenError, TlsListener, router};
use crate::pki::{CardKeysError, KeyStore, KeyStoreError, SignerError, TlsAuthorityError};
use crate::store::StoreError;
use crate::{access, http, pki};

/// A service that listens. Dropped, it goes on; [`stop`](Self::stop) ends it.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    app: App,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
    housekeeping: JoinHandle<()>,
}

impl Service {
    /// Opens keys and database, and listens.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn start(config: Config, clock: Clock, randomness: Randomness) -> Result<Self, StartError> {
        let app = App::open(config, clock, randomness).await?;
        let store = KeyStore::open(&app.config().data, app.config().key_file.as_deref())?;
        let listener = TlsListener::bind(app.config().listen, &store).await?;
        let address = listener.address();
        let (stop, mut stopped) = watch::channel(false);
        let service = router(app.clone()).into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            // A dropped sender is no request to stop: the handle was let go, and the service goes on.
            if stopped.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let serving = tokio::spawn(serving.into_future());
        let housekeeping = tokio::spawn(housekeeping(app.clone()));
        tracing::info!(%address, "issuance listens on https://{address}");
        Ok(Self { address, app, stop, serving, housekeeping })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its handlers are given.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Takes no new connections, lets requests under way finish (fifteen seconds at most), closes the database.
    pub async fn stop(self) {
        let Self { app, stop, mut serving, housekeeping, .. } = self;
        housekeeping.abort();
        let _ = stop.send(true);
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            tracing::warn!("requests under way were cut; their transactions are rolled back");
            serving.abort();
        }
        app.db().close().await;
    }
}

/// Once an hour: forgets what nobody will ask for again, and says what will run out.
async fn housekeeping(app: App) {
    let mut hourly = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hourly.tick().await;
        for ending in pki::endings(&app) {
            tracing::warn!("{ending}");
        }
        if let Err(error) = forget(&app).await {
            tracing::warn!(%error, "housekeeping failed, and is tried again in an hour");
        }
    }
}

async fn forget(app: &App) -> Result<(), StoreError> {
    let mut tx = app.begin().await?;
    http::forget(&mut tx, app.now() - http::ANSWERS_KEPT).await?;
    access::forget(&mut tx, app.now()).await?;
    tx.commit().await
}

const GRACE: Duration = Duration::from_secs(15);

/// Why the service does not start. Each says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The first officer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Master keys of cards.
    #[error(transparent)]
    CardKeys(#[from] CardKeysError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Signing keys.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The TLS authority.
    #[error(transparent)]
    Tls(#[from] TlsAuthorityError),
}
