//! Figures of offices and provinces: applications by stage, how late the queues are, cards of each day. Counts alone,
//! of no person; read from tallies that are written with each change (ADR 0021), so that a look counts nothing.

mod figures;
mod map;
mod pages;
mod pictures;

pub use figures::Dashboards;
pub(crate) use pages::{pages, summary};
