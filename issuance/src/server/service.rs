//! One running service, for the command line and for tests that run it in process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::compose::founded;
use super::tls::Handshakes;
use super::{Metrics, Offices, Settings, StartError, TlsListener, router, worker};
use crate::ground::files::FolderLock;
use crate::ground::{Clock, Randomness, files};
use crate::keys::{KeyStore, TlsAuthority};

/// A service that listens. Dropped, it goes on; [`stop`](Self::stop) ends it.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    offices: Offices,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    metrics_address: Option<SocketAddr>,
    worker: JoinHandle<()>,
    renewable: Arc<(KeyStore, Handshakes)>,
    _in_use: FolderLock,
}

impl Service {
    /// Starts a service: opens keys and database, builds the trust bundle if it is due, listens. Without a
    /// `clock`, by the computer's.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn start(settings: &Settings, clock: Option<Clock>, randomness: Randomness) -> Result<Self, StartError> {
        let (folder, begun) = (&settings.data, founded(settings)?);
        let in_use = files::in_use(folder).map_err(|error| StartError::Folder(folder.clone(), error))?;
        let offices = Offices::open(settings, clock, randomness).await?;
        let (store, _) = begun;
        worker::begin(&offices).await;
        let limits = settings.limits.clone();
        let grace = settings.access.station_renewal_grace.unsigned_abs();
        let listener = TlsListener::bind(settings.listen, &store, limits, &settings.trusted_proxies, grace).await?;
        let (address, handshakes) = (listener.address(), listener.handshakes());
        let (stop, stopped) = watch::channel(false);
        let metrics_address = match settings.metrics_listen {
            None => None,
            Some(address) => {
                let failed = |error| StartError::Metrics(address, error);
                let listener = Metrics::bind(address).await.map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                tokio::spawn(offices.metrics.clone().serve(listener, stopped.clone()));
                tracing::info!(%address, "metrics on http://{address}/metrics");
                Some(address)
            }
        };
        let serving = tokio::spawn(listener.serve(router(offices.clone()), stopped));
        let worker = tokio::spawn(worker::run(offices.clone(), settings.tick));
        tracing::info!(%address, "issuance listens on https://{address}");
        let renewable = Arc::new((store, handshakes));
        Ok(Self { address, offices, stop, serving, metrics_address, worker, renewable, _in_use: in_use })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are answered, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The offices that its handlers are given.
    #[must_use]
    pub fn offices(&self) -> &Offices {
        &self.offices
    }

    /// Takes from the folder what may have been renewed: the server's certificate and key for new handshakes, the
    /// TLS authorities, the signers for what is prepared from now on. Connections and requests under way go on. What
    /// cannot be read is said in the log, and stays as it was.
    ///
    /// Returns true if everything was taken.
    pub async fn reload(&self) -> bool {
        let (renewable, signers) = (Arc::clone(&self.renewable), self.offices.signer.clone());
        let read = move || {
            let (store, handshakes) = &*renewable;
            (handshakes.reload(store), TlsAuthority::open(store), signers.reload(store))
        };
        let Ok((tls, authority, signers)) = tokio::task::spawn_blocking(read).await else {
            tracing::error!("the reload was broken off; everything stays as it was");
            return false;
        };
        match &tls {
            Ok(()) => tracing::info!("reloaded: new handshakes show server.pem as it is now"),
            Err(error) => tracing::error!(%error, "not reloaded: handshakes go on with the certificate of before"),
        }
        let authority = authority.map(|authority| self.offices.access.reload(authority));
        match &authority {
            Ok(false) => tracing::info!("reloaded: the TLS authority is the same"),
            Ok(true) => tracing::info!("reloaded: the TLS authority is another one from now on"),
            Err(error) => tracing::error!(%error, "not reloaded: the TLS authority of before goes on"),
        }
        match &signers {
            Ok(others) if others.is_empty() => tracing::info!("reloaded: the signers are the same"),
            Ok(others) => {
                for name in others {
                    tracing::info!(signer = name.file(), "reloaded: the signer is another one from now on");
                }
            }
            Err(error) => tracing::error!(%error, "not reloaded: the signers of before go on"),
        }
        for complaint in self.offices.signer.now().complaints(self.offices.deeds().source().now()).await {
            tracing::error!("{complaint}");
        }
        tls.is_ok() && authority.is_ok() && signers.is_ok()
    }

    /// Takes no new connections, lets requests under way finish (fifteen seconds at most), closes the database.
    pub async fn stop(self) {
        let Self { offices, stop, mut serving, worker, .. } = self;
        worker.abort();
        // A stream is a request under way that would never finish.
        offices.production.end_streams();
        let _ = stop.send(true);
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            tracing::warn!("requests under way were cut; their transactions are rolled back");
            serving.abort();
        }
        offices.deeds().db().close().await;
    }
}

const GRACE: Duration = Duration::from_secs(15);
