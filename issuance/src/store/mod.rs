//! The one place that knows there are two databases: SQLite in one file (embedded default) and PostgreSQL (production).
//!
//! A small statement is one text with `$1` placeholders for both; where they differ, the two texts stand side by side
//! in [`sql!`](crate::sql). Columns have native types on PostgreSQL (`uuid`, `timestamptz`, `jsonb`, `date`, `boolean`)
//! and the nearest form on SQLite; the types of [`Argument`] and [`Column`] translate. What only one engine has is
//! reached through [`Tx::pg`] and [`Tx::lite`] in an office's `store/pg.rs` and `store/lite.rs`. Every office keeps its
//! statements in its own `store.rs` and its tables in `issuance/migrations/{pg,lite}`.
//!
//! ```text
//! let row = tx.one(sql!("select id, office from person where id = $1"), args![id]).await?.ok_or(Unknown)?;
//! let office: OfficeCode = row.parsed("office")?;
//! ```

mod argument;
mod at_hand;
mod bulk;
mod db;
mod error;
mod migrations;
mod primary;
mod record;
mod seal;
mod snapshot;
mod sql;
mod tx;

pub use argument::Argument;
pub use bulk::{Field, Rows};
pub use db::Db;
pub use error::StoreError;
pub use migrations::Migration;
pub use record::{Column, Record, sums};
pub use seal::{Key, Kind, RowKey, Sealed};
pub use snapshot::HeldLog;
pub use sql::Sql;
pub use tx::Tx;
