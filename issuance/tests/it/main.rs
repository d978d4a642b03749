//! The service, on SQLite and on PostgreSQL. The frame (access, audit, idempotency, keys, TLS) is asked from outside,
//! over real TLS, by role clients. The offices are driven at the level of their verbs; the chip there is the chip's
//! side of SCP03 and nothing more; the simulated card and stations are for the `tests` crate.

#![expect(clippy::unwrap_used, reason = "tests")]

mod appeals;
mod archive;
mod at_once;
mod audit;
mod backup;
mod births;
mod bookings;
mod campaign;
mod card_batches;
mod chip;
mod chip_keys;
mod civil_day;
mod claims;
mod configuration;
mod deadlines;
mod deputies;
mod dissolutions;
mod document;
mod dossier_histories;
mod duplicates;
mod examples;
mod factors;
mod folder;
mod four_eyes;
mod generate;
mod golden;
mod held;
mod house;
mod idempotency;
mod import;
mod installation;
mod keys;
mod leases;
mod ledger;
mod ledger_histories;
mod lists;
mod looks;
mod loss;
mod made_ahead;
mod merges;
mod nation;
mod not_fetched;
mod notices;
mod offices;
mod offline;
mod openapi;
mod order;
mod packaging;
mod pages;
mod paper_archive;
mod parcels;
mod payments;
mod people_pages;
mod portraits;
mod print_jobs;
mod problems;
mod quality;
mod reading;
mod reconciliation;
mod register_checks;
mod register_history;
mod register_rules;
mod rekey;
mod renewals;
mod reorganisation;
mod retention;
mod rights;
mod road;
mod roll_over;
mod row_macs;
mod search;
mod sessions;
mod shards;
mod smtp;
mod standing;
mod statements;
mod stations;
mod status;
mod stock_document;
mod stock_offices;
mod store;
mod texts;
mod traces;
mod trust_bundle;
mod units;
mod worker;

mod attacks;

#[path = "../../../tests/src/world/postgres.rs"]
mod postgres;
