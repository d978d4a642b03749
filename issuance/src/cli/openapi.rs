//! `issuance openapi`

use clap::Args;

use super::{Outcome, output};
use crate::server;

/// Prints the OpenAPI document, generated from the code.
#[derive(Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> Outcome {
        let Self {} = self;
        output::line(format_args!("{}", server::document().to_pretty_json()?))?;
        Ok(())
    }
}
