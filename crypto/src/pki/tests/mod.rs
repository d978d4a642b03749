//! Chains of Utopia, tampered with one thing at a time; OpenSSL as the second opinion; certificates of the field.

mod bundle;
mod chain;
mod field;
mod profile;
