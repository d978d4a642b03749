//! Keys and certificates: the signer, the national CSCA, document signers, the trust bundle, master keys of cards, and the
//! TLS authority of the service itself.

mod api;
mod bundle;
mod card_keys;
mod ceremony;
mod key_store;
mod secrets;
mod signer;
mod store;
mod tls_authority;

pub use api::routes;
pub(crate) use bundle::endings;
pub use card_keys::{CardKeys, CardKeysError, ISSUER_KEY_VERSION};
pub use ceremony::{CeremonyError, Founded, Founding, found, issue_crl, renew_server, rotate};
pub use key_store::{KeyStore, KeyStoreError};
pub use secrets::{Secrets, SecretsError};
pub use signer::{KeyName, Signer, SignerError, SigningKey};
pub use store::MIGRATIONS;
pub(crate) use tls_authority::SERVER as SERVER_KEY;
pub use tls_authority::{IssuedCertificate, TlsAuthority, TlsAuthorityError};
