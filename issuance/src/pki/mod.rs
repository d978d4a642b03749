//! Keys and certificates: the signer, the national CSCA, document signers, the trust bundle, master keys of cards, and the
//! TLS authority of the service itself.

mod api;
mod bundle;
mod card_keys;
mod ceremony;
mod key_store;
mod secrets;
mod signer;
mod tls_authority;

pub use api::routes;
pub(crate) use bundle::endings;
pub use card_keys::{CardKeys, CardKeysError, ISSUER_KEY_VERSION};
pub use ceremony::{CeremonyError, Founded, Founding, found, issue_crl, renew_server, rotate};
pub use key_store::{KeyStore, KeyStoreError};
pub use secrets::{Secrets, SecretsError};
pub use signer::{KeyName, Signer, SignerError, SigningKey};
pub(crate) use tls_authority::SERVER as SERVER_KEY;
pub use tls_authority::{IssuedCertificate, TlsAuthority, TlsAuthorityError};

use crate::store::Migration;

/// Tables of this office.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 4001,
    title: "usage of signing keys, trust bundles",
    sql: "create table signing_key (
        id TEXT primary key,
        name TEXT not null,
        used BIGINT not null
    );
    create table trust_bundle (
        id TEXT primary key,
        issued_at BIGINT not null,
        content_hash BYTEA not null,
        prepared BYTEA not null,
        signed BYTEA
    );
    create index trust_bundle_issued_at on trust_bundle (issued_at);",
}];
