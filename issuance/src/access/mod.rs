//! Who may do what: officers with password and session, stations with client certificate, one table of rights.

mod api;
mod first_officer;
mod gate;
mod model;
mod passwords;
mod rights;
mod steps;
mod store;

pub use api::routes;
pub use first_officer::FirstOfficer;
pub(crate) use first_officer::make_first_officer;
pub use gate::{Peer, gate};
pub use model::{AccessError, Caller, OfficeCode, Officer, OfficerId, Role, Station, StationId};
pub use rights::{Permission, Right, TABLE, right};

pub(crate) use store::forget;

use crate::store::Migration;

/// Tables of this office.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 2001,
    title: "officers, sessions, stations",
    sql: "create table officer (
        id TEXT primary key,
        username TEXT not null unique,
        password TEXT not null,
        roles TEXT not null,
        office TEXT not null,
        made_at BIGINT not null,
        disabled_at BIGINT
    );
    create table sign_in_failure (
        username_hash BYTEA primary key,
        failures BIGINT not null,
        last_at BIGINT not null
    );
    create table session (
        id TEXT primary key,
        token_hash BYTEA not null unique,
        officer_id TEXT not null references officer (id),
        opened_at BIGINT not null,
        seen_at BIGINT not null,
        expires_at BIGINT not null,
        closed_at BIGINT
    );
    create index session_officer on session (officer_id);
    create table station (
        id TEXT primary key,
        name TEXT not null unique,
        office TEXT not null,
        fingerprint BYTEA not null unique,
        certificate BYTEA not null,
        made_at BIGINT not null,
        expires_at BIGINT not null,
        revoked_at BIGINT,
        revocation_reason TEXT
    );",
}];
