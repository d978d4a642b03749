//! Hashes, curves, signatures and ciphers behind plain enums.
//!
//! Everything above this module names an algorithm by value ([`Curve`], [`enum@Hash`], [`Cipher`]) and never sees a
//! generic parameter of the libraries below. Arithmetic is RustCrypto's, RSA verification is aws-lc-rs's.

pub mod cipher;
pub mod ec;
pub mod hash;
pub mod signature;

mod domain;

pub use self::cipher::Cipher;
pub use self::domain::Domain;
pub use self::ec::{Curve, EcError, Generator, PrivateKey, PublicKey};
pub use self::hash::Hash;
pub use self::signature::{SignatureAlgorithm, SignatureError, VerifyingKey};
