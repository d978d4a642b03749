//! Chains of Utopia, tampered with one thing at a time; OpenSSL as the second opinion; certificates of the field.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bundle;
mod chain;
mod field;
mod profile;
