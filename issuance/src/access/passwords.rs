//! Passwords: argon2id (RFC 9106) as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{AccessError, Settings};
use crate::ground::blocking;

/// Returns the hash of a new password, as a PHC string.
///
/// # Errors
/// [`AccessError::PasswordLength`]
pub(super) async fn hash(
    settings: &Settings,
    password: Zeroizing<String>,
    rng: &mut impl CryptoRng,
) -> Result<String, AccessError> {
    if !(12..=256).contains(&password.chars().count()) {
        return Err(AccessError::PasswordLength);
    }
    let (hasher, salt) = (hasher(settings), salt(rng));
    Ok(blocking::run(move || {
        let hash: PasswordHash = hasher.hash_password_with_salt(password.as_bytes(), &salt).expect("length is checked");
        hash.to_string()
    })
    .await)
}

/// True if the password is the one that was hashed. Without a hash (a name that no officer has) it takes
/// just as long, and is false.
pub(super) async fn verify(settings: &Settings, password: Zeroizing<String>, hash: Option<String>) -> bool {
    let hasher = hasher(settings);
    blocking::run(move || {
        if let Some(hash) = hash {
            PasswordHash::new(&hash).is_ok_and(|hash| hasher.verify_password(password.as_bytes(), &hash).is_ok())
        } else {
            let same_work: Result<PasswordHash, _> = hasher.hash_password_with_salt(password.as_bytes(), &[0x5a; 16]);
            drop(same_work);
            false
        }
    })
    .await
}

/// Returns a salt of sixteen bytes, as RFC 9106 recommends.
pub(super) fn salt(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    salt
}

/// argon2id at the configured cost.
pub(super) fn hasher(settings: &Settings) -> Argon2<'static> {
    let memory = settings.password_memory_kib.max(Params::MIN_M_COST);
    let params = Params::new(memory, settings.password_passes.max(1), 1, None);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.expect("cost within the algorithm's bounds"))
}
