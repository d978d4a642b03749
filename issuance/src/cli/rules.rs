//! `issuance rules`

use clap::Args;

use super::{Outcome, output};
use crate::population::rules::ALL;

/// Lists the rules that declarations are judged by: identifier, code, which of right, enough, clean and living it
/// serves, what follows, and its law or reason.
#[derive(Args)]
pub(super) struct RulesCommand {
    /// As one JSON array.
    #[arg(long)]
    json: bool,
}

impl RulesCommand {
    pub(super) fn run(self) -> Outcome {
        if self.json {
            return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(ALL)?))?);
        }
        for rule in ALL {
            let (word, severity) = (rule.word.word(), rule.severity.word());
            output::line(format_args!("{} {} ({word}, {severity}): {}", rule.id, rule.code, rule.says))?;
            output::line(format_args!("     {}", rule.ground))?;
        }
        Ok(())
    }
}
