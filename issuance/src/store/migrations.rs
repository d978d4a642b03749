//! The tables, as files per engine under `issuance/migrations/{pg,lite}`; each belongs to the
//! office that its name carries.

use std::borrow::Cow;

use sqlx::migrate::{Migrate as _, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::db::Engine;
use super::{Db, StoreError};

/// One step of one office's tables. Additive: what was once released is never edited, only followed.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Number in the file name: ascending over all offices.
    pub version: i64,
    /// File name without ending: `NNNN_office_what`.
    pub name: &'static str,
    /// The statements for PostgreSQL.
    pub pg: &'static str,
    /// The statements for SQLite.
    pub lite: &'static str,
}

/// Reads the two files of a migration into the program.
#[macro_export]
macro_rules! migration {
    ($version:literal, $name:literal) => {
        $crate::store::Migration {
            version: $version,
            name: $name,
            pg: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/pg/", $name, ".sql")),
            lite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/lite/", $name, ".sql")),
        }
    };
}

/// Where sqlx notes what it applied.
const TABLE: &str = "_sqlx_migrations";

/// Returns the steps that the database does not have yet, in order of version.
pub(super) async fn missing<'m>(db: &Db, migrations: &[&'m Migration]) -> Result<Vec<&'m Migration>, StoreError> {
    let applied: Vec<i64> = if db.has_table(TABLE).await? {
        let applied = match db.engine() {
            Engine::Pg(pool) => pool.acquire().await?.list_applied_migrations(TABLE).await,
            Engine::Lite(pool) => pool.acquire().await?.list_applied_migrations(TABLE).await,
        };
        let applied = applied.map_err(|e| StoreError::Migration(e.to_string()))?;
        applied.into_iter().map(|step| step.version).collect()
    } else {
        Vec::new()
    };
    if let Some(newer) = applied.iter().find(|version| migrations.iter().all(|step| step.version != **version)) {
        return Err(StoreError::Migration(format!(
            "the database has step {newer}, which this program does not know: it is of a newer version; run that one"
        )));
    }
    Ok(migrations.iter().filter(|step| !applied.contains(&step.version)).copied().collect())
}

/// Applies what is missing, in order of version, and refuses when an applied text has been edited since.
pub(super) async fn run(db: &Db, migrations: &[&Migration]) -> Result<(), StoreError> {
    let steps = migrations.iter().map(|step| {
        let text = match db.engine() {
            Engine::Pg(_) => step.pg,
            Engine::Lite(_) => step.lite,
        };
        // Only files of this program come here, so no caller can put a statement of their own.
        let sql = AssertSqlSafe(text).into_sql_str();
        sqlx::migrate::Migration::new(step.version, Cow::Borrowed(step.name), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    match db.engine() {
        Engine::Pg(pool) => migrator.run(pool).await,
        Engine::Lite(pool) => migrator.run(pool).await,
    }
    .map_err(|e| StoreError::Migration(e.to_string()))
}
