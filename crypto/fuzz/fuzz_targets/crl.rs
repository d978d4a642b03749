//! See `crypto_fuzz::TARGETS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| crypto_fuzz::run("crl", bytes));
