//! Passwords: argon2id (RFC 9106) as PHC strings, hashed in the memory of a turn.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::turns::Turn;
use super::{AccessError, Settings};
use crate::ground::blocking;

/// Returns the hash of a new password, as a PHC string.
///
/// # Errors
/// [`AccessError::PasswordLength`]
pub(super) async fn hash(
    settings: &Settings,
    turn: Turn,
    password: Zeroizing<String>,
    rng: &mut impl CryptoRng,
) -> Result<String, AccessError> {
    if !(12..=256).contains(&password.chars().count()) {
        return Err(AccessError::PasswordLength);
    }
    Ok(hash_any(settings, turn, password, rng).await)
}

/// As [`hash`], for a secret whose length another rule sets.
pub(super) async fn hash_any(
    settings: &Settings,
    turn: Turn,
    secret: Zeroizing<String>,
    rng: &mut impl CryptoRng,
) -> String {
    let (params, salt, mut turn) = (params(settings), salt(rng), turn);
    blocking::apart(move || {
        let hash = compute(&mut turn, &params, &secret, &salt).expect("a short secret can be hashed");
        phc(&params, &salt, hash)
    })
    .await
}

/// True if the password is the one that was hashed. Without a hash (a name that no officer has) it takes
/// just as long, and is false.
pub(super) async fn verify(settings: &Settings, turn: Turn, password: Zeroizing<String>, hash: Option<String>) -> bool {
    let (own, mut turn) = (params(settings), turn);
    blocking::apart(move || {
        let stored = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok());
        let Some((params, salt, expected)) = stored.as_ref().and_then(parts) else {
            let _same_work = compute(&mut turn, &own, &password, &[0x5a; 16]);
            return false;
        };
        // `Output` compares in constant time.
        compute(&mut turn, &params, &password, &salt).is_some_and(|computed| computed == expected)
    })
    .await
}

/// Hashes at once, in memory that is not kept: for the command line.
pub(super) fn hash_once(settings: &Settings, password: &str, rng: &mut impl CryptoRng) -> String {
    let (params, salt) = (params(settings), salt(rng));
    let mut output = [0; 32];
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    hasher.hash_password_into(password.as_bytes(), &salt, &mut output).expect("a short password can be hashed");
    phc(&params, &salt, Output::new(&output).expect("32 bytes are an output"))
}

/// What a stored hash says: cost, salt, output. `None` if it is not argon2id in its present version.
fn parts(hash: &PasswordHash) -> Option<(Params, Vec<u8>, Output)> {
    let argon2id = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(Version::V0x13.into());
    let salt = hash.salt.as_ref()?.to_vec();
    argon2id.then_some((Params::try_from(hash).ok()?, salt, hash.hash?))
}

fn compute(turn: &mut Turn, params: &Params, password: &str, salt: &[u8]) -> Option<Output> {
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = [0; 32];
    let memory = turn.blocks(params.block_count());
    hasher.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory).ok()?;
    Output::new(&output).ok()
}

fn phc(params: &Params, salt: &[u8], hash: Output) -> String {
    PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect("cost can be written"),
        salt: Some(Salt::new(salt).expect("sixteen bytes are a salt")),
        hash: Some(hash),
    }
    .to_string()
}

/// Returns a salt of sixteen bytes, as RFC 9106 recommends.
fn salt(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    salt
}

/// The configured cost of argon2id.
fn params(settings: &Settings) -> Params {
    let memory = settings.password_memory_kib.max(Params::MIN_M_COST);
    Params::new(memory, settings.password_passes.max(1), 1, None).expect("cost within the algorithm's bounds")
}
