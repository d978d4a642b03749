//! `issuance stages`

use clap::Args;

use super::{Outcome, output};
use crate::applications::stages;

/// Shows the stages of an application: who has it at each, until when, and which steps lead where.
///
/// The table is the one that the service goes by; docs/stages.svg is drawn by this command.
#[derive(Args)]
pub(super) struct StagesCommand {
    /// As lines of text; also without a flag.
    #[arg(long, conflicts_with = "svg")]
    table: bool,
    /// As a picture.
    #[arg(long)]
    svg: bool,
}

impl StagesCommand {
    pub(super) fn run(self) -> Outcome {
        let drawn = if self.svg && !self.table { stages::picture() } else { stages::text() };
        Ok(output::line(format_args!("{}", drawn.trim_end()))?)
    }
}
