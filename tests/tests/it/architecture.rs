//! Which crate may use which (docs/ARCHITECTURE.md), checked against `cargo metadata`.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The edges between our crates. Apart from them, the programs meet by HTTP and by APDUs.
const ALLOWED: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("faces", &[]),
    ("pages", &[]),
    ("issuance", &["crypto", "faces", "pages"]),
    ("card-agent", &["crypto", "pages"]),
    ("hardware-sim", &["crypto"]),
    ("tests", &["card-agent", "crypto", "faces", "hardware-sim", "issuance"]),
];

/// Crates of others that only some of ours may depend on, in code that ships: databases and HTTP
/// servers, HTTP clients, PC/SC.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("axum", &["issuance"]),
    ("pcsc", &["card-agent"]),
    ("reqwest", &["card-agent", "issuance", "tests"]),
    ("sqlx", &["issuance"]),
    ("tokio", &["card-agent", "hardware-sim", "issuance", "tests"]),
];

/// Crates that `crypto` must not depend on in code that ships: I/O, runtimes, logging, sources of randomness.
const NOT_IN_CRYPTO: &[&str] = &["tokio", "axum", "reqwest", "hyper", "sqlx", "pcsc", "tracing", "rand"];

#[test]
fn only_the_allowed_edges_exist() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let members: Vec<_> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    assert_eq!(members.len(), allowed.len(), "a crate was added or removed: {members:?}");
    for package in &metadata.packages {
        let name = package.name.as_str();
        for dependency in &package.dependencies {
            let uses = dependency.name.as_str();
            if members.iter().any(|m| m == uses) {
                assert!(allowed[name].contains(&uses), "{name} must not import {uses}");
            }
            if dependency.kind != DependencyKind::Normal {
                continue;
            }
            if let Some((_, ours)) = ONLY_IN.iter().find(|(other, _)| *other == uses) {
                assert!(ours.contains(&name), "{uses} may be used in {ours:?}, not in {name}");
            }
            if name == "crypto" {
                assert!(!NOT_IN_CRYPTO.contains(&uses), "crypto must not depend on {uses}");
            }
        }
    }
}
