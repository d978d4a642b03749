//! Keys and certificates: the key store, the signer, the national CSCA and its list, master keys of cards, and the TLS
//! authority of the service itself.

mod authority;
mod card_keys;
mod ceremony;
mod crl;
mod installation;
mod inventory;
mod issued;
mod key_store;
mod problem;
mod roll_over;
mod signer;
mod store;
mod tls_authority;

pub use authority::Authority;
pub use card_keys::{CardKeys, CardKeysError, TakenIn};
pub(crate) use ceremony::VIETNAMESE;
pub use ceremony::{AuthoritySettings, CeremonyError, InitOptions, init, issue_crl, renew_server, rotate};
pub use crl::{CrlFileError, CurrentCrl};
pub use installation::{Counters, Installation, InstallationError, InstallationId};
pub use inventory::{Held, RevocationList, inventory};
pub use issued::{Issued, NotIssued, find_issued, issued};
pub use key_store::{KeyStore, KeyStoreError, LockedKeyStore, RESTORING, ROOT_KEY};
pub use roll_over::{RollOver, RollOverError};
use serde::{Deserialize, Serialize};
pub use signer::{KeyName, Signer, SignerError, Signers, SigningKey};
pub use store::MIGRATIONS;
pub(crate) use tls_authority::server_key;
pub use tls_authority::{IssuedCertificate, OFFICERS, TlsAuthority, TlsAuthorityError, key_of};

/// Settings of the keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A signing key makes at most so many signatures.
    pub signing_key_limit: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { signing_key_limit: 1_000_000 }
    }
}
