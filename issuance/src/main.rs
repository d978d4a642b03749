//! `issuance init | serve | openapi`
fn main() {}
