//! Passwords: argon2id (RFC 9106) as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::model::AccessError;
use crate::app::App;
use crate::config::Config;

/// Hashing holds tens of megabytes each time: only so many at once, whoever asks.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Hashes a new password.
///
/// # Errors
/// [`AccessError::PasswordLength`]
pub(super) async fn hash(app: &App, password: Zeroizing<String>) -> Result<String, AccessError> {
    if !(12..=256).contains(&password.chars().count()) {
        return Err(AccessError::PasswordLength);
    }
    let hasher = hasher(app.config());
    let salt = salt(&mut app.rng());
    in_turn(move || {
        let hash: PasswordHash = hasher.hash_password_with_salt(password.as_bytes(), &salt).expect("length is checked");
        hash.to_string()
    })
    .await
}

/// True if the password is the one that was hashed. Without a hash (nobody of that name) it takes just as long, and is false.
pub(super) async fn verify(app: &App, password: Zeroizing<String>, hash: Option<String>) -> Result<bool, AccessError> {
    let hasher = hasher(app.config());
    in_turn(move || match hash {
        Some(hash) => {
            PasswordHash::new(&hash).is_ok_and(|hash| hasher.verify_password(password.as_bytes(), &hash).is_ok())
        }
        None => {
            let nobody: Result<PasswordHash, _> = hasher.hash_password_with_salt(password.as_bytes(), &[0x5a; 16]);
            drop(nobody);
            false
        }
    })
    .await
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccessError> {
    let _turn = AT_ONCE.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(work).await.map_err(|e| AccessError::Authority(e.to_string()))
}

/// Sixteen bytes, as RFC 9106 recommends.
pub(super) fn salt(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    salt
}

/// argon2id at the configured cost.
pub(super) fn hasher(config: &Config) -> Argon2<'static> {
    let params =
        Params::new(config.password_memory_kib.max(Params::MIN_M_COST), config.password_passes.max(1), 1, None);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.expect("cost within the algorithm's bounds"))
}
