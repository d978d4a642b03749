//! Which of several PostgreSQL servers is the primary: the one that is not in recovery.
//!
//! A primary that fails is followed by a standby that is promoted, by hand or by a program made for it.
//! The driver knows one address; this file asks each server of the list and gives the pool the address of
//! the one that takes writes.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tracing::{error, warn};

/// Returns the first of these servers that answers and takes writes.
pub(super) async fn find(servers: &[PgConnectOptions]) -> Option<PgConnectOptions> {
    for server in servers {
        if takes_writes(server).await {
            return Some(server.clone());
        }
    }
    None
}

/// Watches the server of a pool until the pool is closed, and leads the pool to another one when it fails and that one
/// was promoted. Requests that wait for a connection meanwhile get one of the new primary.
pub(super) fn watch(pool: &PgPool, servers: Vec<PgConnectOptions>) {
    let pool = pool.clone();
    tokio::spawn(async move {
        let mut lost = false;
        while !pool.is_closed() {
            tokio::time::sleep(EVERY).await;
            let now = pool.connect_options();
            if takes_writes(&now).await {
                lost = false;
                continue;
            }
            match find(&servers).await {
                Some(primary) => {
                    warn!("the database's primary is now {}", place(&primary));
                    pool.set_connect_options(primary);
                    lost = false;
                }
                None if lost => {}
                None => {
                    error!("no server of the database takes writes: {} fails, and no standby is promoted", place(&now));
                    lost = true;
                }
            }
        }
    });
}

/// True if the server on this connection takes writes.
pub(super) async fn is_primary(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar::<_, bool>("select not pg_is_in_recovery()").fetch_one(connection).await
}

async fn takes_writes(server: &PgConnectOptions) -> bool {
    let asked = async {
        let mut connection = PgConnection::connect_with(server).await?;
        let primary = is_primary(&mut connection).await?;
        drop(connection.close().await);
        Ok::<_, sqlx::Error>(primary)
    };
    matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(true)))
}

/// Host and port, without user and password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| format!("{} (port {})", socket.display(), options.get_port()),
    )
}

/// Between two looks at the primary.
const EVERY: Duration = Duration::from_millis(500);
/// A server that is there answers sooner.
const PATIENCE: Duration = Duration::from_secs(2);
