//! The database of this service, and how transactions begin.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, SqlSafeStr as _, SqlitePool};

use super::at_hand::{AtHand, FRESH, Lent, MOST_IN_USE, PATIENCE as PATIENCE_FOR_TURN};
use super::{Migration, RowKey, Sql, StoreError, Tx, migrations, primary};
use crate::sql;

/// The database of this service; clones share its connections.
#[derive(Clone, Debug)]
pub struct Db(Engine, Option<RowKey>, Option<Arc<OpenFile>>, Option<Duration>, Arc<AtHand>);

/// The SQLite file that was opened: where it lies, and what it is.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OpenFile {
    fn at(path: PathBuf) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(&path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), path })
    }

    /// Refuses to go on where another file, or none, lies at the path: what is written into an open file without a name
    /// is gone when the service ends.
    fn is_there(&self) -> Result<(), StoreError> {
        let there = Self::at(self.path.clone()).is_ok_and(|now| (now.device, now.inode) == (self.device, self.inode));
        if there {
            return Ok(());
        }
        Err(StoreError::Unreachable(format!(
            "{} was removed, renamed or replaced while the service runs; nothing more is written: stop the service, put the \
             right file there, and start it again",
            self.path.display()
        )))
    }
}

/// Which of the two databases it is.
#[derive(Clone, Debug)]
pub(super) enum Engine {
    /// PostgreSQL 15 or later.
    Pg(PgPool),
    /// SQLite, one file, write-ahead log.
    Lite(SqlitePool),
}

impl Db {
    /// Opens `url` (`postgres://…`), or the SQLite file `citizen-card.sqlite` under `data` when there is no URL, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason; [`StoreError::Migration`] if a table cannot be made.
    pub async fn open(url: Option<&str>, data: &Path, migrations: &[&Migration]) -> Result<Self, StoreError> {
        let db = Self::connect(url, data).await?;
        db.migrate(migrations).await?;
        Ok(db)
    }

    /// Opens the database as [`open`](Self::open) does, and leaves its tables as they are.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason.
    pub async fn connect(url: Option<&str>, data: &Path) -> Result<Self, StoreError> {
        Self::connect_any(url, &[], data).await
    }

    /// As [`connect`](Self::connect), to the one of several servers of PostgreSQL that takes writes; when it fails and
    /// another one is promoted, to that one. `standbys` are the addresses of the servers beside `url`.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason.
    pub async fn connect_any(url: Option<&str>, standbys: &[String], data: &Path) -> Result<Self, StoreError> {
        Ok(match url {
            Some(url) => Self(Engine::Pg(open_pg(url, standbys).await?), None, None, None, AtHand::new()),
            None => {
                let pool = open_lite(data).await?;
                let file = OpenFile::at(data.join(FILE)).map_err(|e| StoreError::Unreachable(e.to_string()))?;
                Self(Engine::Lite(pool), None, Some(Arc::new(file)), None, AtHand::new())
            }
        })
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Migration`] if a table cannot be made.
    pub async fn migrate(&self, migrations: &[&Migration]) -> Result<(), StoreError> {
        migrations::run(self, migrations).await
    }

    /// Returns the steps that [`migrate`](Self::migrate) would apply.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn missing<'m>(&self, migrations: &[&'m Migration]) -> Result<Vec<&'m Migration>, StoreError> {
        migrations::missing(self, migrations).await
    }

    /// True if [`connect`](Self::connect) would make a new SQLite file.
    #[must_use]
    pub fn would_begin(url: Option<&str>, data: &Path) -> bool {
        url.is_none() && !data.join(FILE).exists()
    }

    /// `sqlite` or `postgresql`.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        match &self.0 {
            Engine::Pg(_) => "postgresql",
            Engine::Lite(_) => "sqlite",
        }
    }

    /// Returns the connections of the pool: those in use, and those that wait for use.
    #[must_use]
    pub fn connections(&self) -> (u32, u32) {
        let (all, idle) = match &self.0 {
            Engine::Pg(pool) => (pool.size(), pool.num_idle()),
            Engine::Lite(pool) => (pool.size(), pool.num_idle()),
        };
        let idle = u32::try_from(idle).unwrap_or(u32::MAX).saturating_add(self.4.count());
        (all.saturating_sub(idle), idle)
    }

    /// True if the database has a table of this name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let sql = sql!(
            pg "select to_regclass($1) is not null as there",
            lite "select count(*) as there from sqlite_master where type = 'table' and name = $1",
        );
        let row = self.begin_read().await?.one(sql, crate::args![name]).await?;
        row.map_or(Ok(false), |row| row.get("there"))
    }

    /// The same database, with the key of the MACs that its rows carry. Without it no sealed row is believed.
    #[must_use]
    pub fn sealed_by(self, key: RowKey) -> Self {
        Self(self.0, Some(key), self.2, self.3, self.4)
    }

    /// The same database, whose statements wait at most so long for a lock of PostgreSQL and then fail with
    /// [`StoreError::Locked`]. SQLite waits for its one lock as long as it does anyway.
    #[must_use]
    pub fn waiting_at_most(self, wait: Option<Duration>) -> Self {
        Self(self.0, self.1, self.2, wait, self.4)
    }

    /// Returns the sessions of PostgreSQL, other than this one, that hold locks in an open transaction, oldest first,
    /// each with what its owner can be told of it: process, name of the program, since when, and what it does. Where
    /// the database does not say, and on SQLite, there are none.
    pub async fn lock_holders(&self) -> Vec<String> {
        let Engine::Pg(pool) = &self.0 else { return vec![] };
        let sql = "select 'session ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), 'without a name') || ', '
                   || coalesce(a.state, 'of another user') || ') since ' || to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')
                   from pg_stat_activity a
                   where a.datname = current_database() and a.pid <> pg_backend_pid() and a.xact_start is not null
                     and exists (select 1 from pg_locks l where l.pid = a.pid and l.granted
                                 and l.locktype in ('relation', 'advisory') and l.mode <> 'AccessShareLock')
                   order by a.xact_start limit 3";
        sqlx::query_scalar::<_, String>(sql).fetch_all(pool).await.unwrap_or_default()
    }

    /// The key of the MACs, where there is one.
    #[must_use]
    pub fn row_key(&self) -> Option<&RowKey> {
        self.1.as_ref()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0
    }

    /// Begins the transaction of a deed, which will write. On SQLite it takes the one write lock at once
    /// (`BEGIN IMMEDIATE`), because a lock that is upgraded later can fail in the middle. Only `deed` calls this: what
    /// it writes leaves a record.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.2.as_ref().map_or(Ok(()), |file| file.is_there())?;
        Ok(match &self.0 {
            Engine::Pg(pool) => begun((pool, &self.4), self.1.as_ref(), self.3).await?,
            Engine::Lite(pool) => Tx::of_lite(pool.acquire().await?, true, self.1.clone()).await?,
        })
    }

    /// Begins a writing transaction of the service's own upkeep: counters, sessions, leases, stored answers. It leaves
    /// no audit record, so it touches no personal data; the test of the order lists the files that may call this.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_upkeep(&self) -> Result<Tx, StoreError> {
        self.begin().await
    }

    /// Begins a transaction that only reads, and so waits for no writer. A read of personal data leaves an audit
    /// record: that one needs a deed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        self.2.as_ref().map_or(Ok(()), |file| file.is_there())?;
        Ok(match &self.0 {
            Engine::Pg(pool) => begun((pool, &self.4), self.1.as_ref(), self.3).await?,
            Engine::Lite(pool) => Tx::of_lite(pool.acquire().await?, false, self.1.clone()).await?,
        })
    }

    /// As [`begin_read`](Self::begin_read), for statements that read and need not agree: each is a transaction of its
    /// own, and nothing is asked of PostgreSQL beside them. A connection that was lost since its last use is found by
    /// the first of them, as [`StoreError::Unreachable`].
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin_look(&self) -> Result<Tx, StoreError> {
        match &self.0 {
            Engine::Pg(pool) => Ok(Tx::of_look(acquired(pool, &self.4).await?, self.1.clone())),
            Engine::Lite(_) => self.begin_read().await,
        }
    }

    /// Has the database parse and plan a statement without running it, to find out whether its
    /// tables and columns are there.
    ///
    /// # Errors
    /// [`StoreError::Database`] with the database's own words.
    pub async fn prepare(&self, sql: Sql) -> Result<(), StoreError> {
        match &self.0 {
            Engine::Pg(pool) => pool.acquire().await?.prepare(sql.pg().into_sql_str()).await.map(drop)?,
            Engine::Lite(pool) => pool.acquire().await?.prepare(sql.lite().into_sql_str()).await.map(drop)?,
        }
        Ok(())
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.begin_read().await?.one(sql!("select 1 as one"), Vec::new()).await.map(drop)
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.4.close();
        match &self.0 {
            Engine::Pg(pool) => pool.close().await,
            Engine::Lite(pool) => pool.close().await,
        }
    }
}

async fn open_pg(url: &str, standbys: &[String]) -> Result<PgPool, StoreError> {
    let mut servers = vec![options_of(url, "--database (ISSUANCE_DATABASE)")?];
    for standby in standbys {
        servers.push(options_of(standby, "`database_standbys`")?);
    }
    let primary = if servers.len() > 1 { primary::find(&servers).await } else { None };
    let options = primary.unwrap_or_else(|| servers[0].clone());
    // Asked once before there is a pool, which would only say that its time was over.
    if let Some(why) = unreachable_because(&options).await {
        return Err(why);
    }
    let mut settings = PgPoolOptions::new()
        .max_connections(MOST_IN_USE)
        .acquire_timeout(PATIENCE_FOR_TURN)
        // A connection that was used a moment ago is not asked again whether it is there: a question and an answer less
        // for each transaction under load.
        .test_before_acquire(false)
        .before_acquire(|connection, before| {
            Box::pin(async move {
                if before.idle_for >= FRESH {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    if servers.len() > 1 {
        // A server that was demoted answers, and refuses every write.
        settings = settings.after_connect(|connection, _| {
            Box::pin(async move {
                let standby = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "it is a standby");
                if primary::is_primary(connection).await? { Ok(()) } else { Err(standby.into()) }
            })
        });
    }
    let pool = settings.connect_with(options.clone()).await.map_err(|error| unreachable(&options, &error))?;
    if servers.len() > 1 {
        primary::watch(&pool, servers);
    }
    Ok(pool)
}

/// Reads the address of a server, which stands in a setting. It is not shown: it holds the password.
fn options_of(url: &str, setting: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| {
        StoreError::Unreachable(format!(
            "{setting} is no URL of PostgreSQL: {error}; write postgres://USER:PASSWORD@HOST:PORT/NAME"
        ))
    })?;
    // What the database's own lists of sessions show, unless the address or PGAPPNAME says otherwise.
    let named = options.get_application_name().is_some();
    Ok(if named { options } else { options.application_name("issuance") })
}

/// Begins a transaction on a connection of the pool. One that was lost since its last use is passed over: nothing was
/// done on it yet. Its statements wait at most so long for a lock, where that is said.
async fn begun(
    (pool, at_hand): (&PgPool, &Arc<AtHand>),
    key: Option<&RowKey>,
    wait: Option<Duration>,
) -> Result<Tx, StoreError> {
    let mut tries = pool.size();
    loop {
        match Tx::of_pg(acquired(pool, at_hand).await?, key.cloned()).await {
            Err(StoreError::Unreachable(_)) if tries > 0 => tries -= 1,
            Ok(mut tx) => {
                if let Some(wait) = wait {
                    let milliseconds = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
                    let sql = sql!(pg "select set_config('lock_timeout', $1, true) as one", lite "select $1 as one");
                    tx.one(sql, crate::args![format!("{milliseconds}ms")]).await?;
                }
                return Ok(tx);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns a connection of the pool. Where the pool's time is over, finds out whether its connections are all in use or
/// the server does not answer.
async fn acquired(pool: &PgPool, at_hand: &Arc<AtHand>) -> Result<Lent, StoreError> {
    match at_hand.lend(pool).await {
        Ok(connection) => Ok(connection),
        Err(error @ sqlx::Error::PoolTimedOut) => {
            Err(Box::pin(unreachable_because(&pool.connect_options())).await.unwrap_or_else(|| error.into()))
        }
        Err(error) => {
            let named = unreachable(&pool.connect_options(), &error);
            Err(match StoreError::from(error) {
                StoreError::Unreachable(_) => named,
                other => other,
            })
        }
    }
}

/// Tries to reach the server with a connection of its own. Returns why it cannot be reached; `None` if it can.
async fn unreachable_because(options: &PgConnectOptions) -> Option<StoreError> {
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => {
            drop(connection.close().await);
            None
        }
        Ok(Err(error)) => {
            let named = unreachable(options, &error);
            // It answers, and has no room for another connection: that passes.
            Some(if let busy @ StoreError::Busy(_) = StoreError::from(error) { busy } else { named })
        }
        Err(_) => Some(unreachable(options, &format_args!("no answer within {} seconds", PATIENCE.as_secs()))),
    }
}

/// The error that names the server and its database, without the password, and says what to do.
fn unreachable(options: &PgConnectOptions, why: &impl Display) -> StoreError {
    let place = primary::place(options);
    let name = options.get_database().unwrap_or(options.get_username());
    StoreError::Unreachable(format!(
        "PostgreSQL at {place}, database `{name}`: {why}; start it, open the way to it, or mend --database \
         (ISSUANCE_DATABASE)"
    ))
}

/// A server that is there answers sooner.
const PATIENCE: Duration = Duration::from_secs(5);

async fn open_lite(data: &Path) -> Result<SqlitePool, StoreError> {
    let file = data.join(FILE);
    // Made here rather than by SQLite, so that only its owner can read it; SQLite gives its side files the same mode.
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&file)
        .map_err(|e| StoreError::Unreachable(format!("{}: {e}", file.display())))?;
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a card that was reported as personalized must not be forgotten by a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(15))
        .connect_with(options)
        .await
        .map_err(|e| StoreError::Unreachable(format!("{}: {e}", file.display())))
}

/// The SQLite file under the data folder.
pub(super) const FILE: &str = "citizen-card.sqlite";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_none_names_its_setting() {
        let data = tempfile::tempdir().unwrap();
        let refused = async |url: &str, standbys: &[&str]| {
            let standbys: Vec<String> = standbys.iter().map(|url| (*url).to_owned()).collect();
            Db::connect_any(Some(url), &standbys, data.path()).await.unwrap_err().to_string()
        };
        let good = "postgres://localhost:1/nothing";
        let said = refused("postgres://[", &[good]).await;
        assert!(said.contains(": --database"), "{said}");
        let said = refused(good, &["postgres://["]).await;
        assert!(said.contains(": `database_standbys`"), "{said}");
    }
}
