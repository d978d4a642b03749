//! Chains of Utopia with one thing altered at a time; OpenSSL for comparison; certificates of the field.

mod bundle;
mod chain;
mod field;
mod profile;
