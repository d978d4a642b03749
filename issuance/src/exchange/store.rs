//! SQL of the exchange.

pub(super) mod agreements;
pub(super) mod delays;
pub(super) mod emergencies;
pub(super) mod feed;
pub(super) mod lists;
pub(super) mod notifications;
pub(super) mod reports;
pub(super) mod requests;
pub(super) mod statistics;

use crate::migration;
use crate::store::Migration;

/// Tables of the exchange.
pub const MIGRATIONS: &[Migration] = &[
    migration!(232, "0232_exchange_agreements"),
    migration!(233, "0233_exchange_delays"),
    migration!(238, "0238_exchange_follows"),
    migration!(239, "0239_exchange_lists"),
    migration!(245, "0245_exchange_misses"),
    migration!(250, "0250_exchange_request_cost"),
    migration!(251, "0251_exchange_emergencies"),
    migration!(252, "0252_exchange_purposes_ended"),
    migration!(256, "0256_exchange_messages"),
    migration!(257, "0257_exchange_addresses"),
    migration!(258, "0258_exchange_subscriptions"),
    migration!(260, "0260_exchange_statistics"),
    migration!(235, "0235_exchange_reports"),
];
