//! Scopes: what an access token may be used for. Each stands for services; an agreement in force with a grant of one of
//! them is what gives it.

use std::collections::BTreeSet;

use super::super::adapters;
use super::super::model::{Agreement, Service};

/// A scope of an adapter: its name, and the services of which one grant gives it.
pub(in crate::exchange) type Scope = (&'static str, &'static [Service]);

/// The beginning of the scopes of the services themselves: `exchange.confirm`.
const OWN: &str = "exchange.";

/// Returns the scope of a service.
pub(in crate::exchange) fn of(service: Service) -> String {
    format!("{OWN}{service}")
}

/// Returns all scopes, sorted.
pub(super) fn all() -> BTreeSet<String> {
    let own = Service::ALL.iter().map(|service| of(*service));
    own.chain(adapters::scopes().map(|(name, _)| name.to_owned())).collect()
}

/// True if one of these agreements grants a service of the scope. What is no scope is granted by none.
pub(super) fn granted(scope: &str, in_force: &[Agreement]) -> bool {
    let grants = |service: Service| {
        in_force.iter().flat_map(|agreement| &agreement.grants).any(|grant| grant.service == service)
    };
    match scope.strip_prefix(OWN).map(str::parse) {
        Some(Ok(service)) => grants(service),
        Some(Err(_)) => false,
        None => {
            let found = adapters::scopes().find(|(name, _)| *name == scope);
            found.is_some_and(|(_, services)| services.iter().copied().any(grants))
        }
    }
}
