//! `issuance reconcile`

use std::path::PathBuf;

use clap::Args;

use super::{Outcome, Place, output};
use crate::server::backup::reconcile::{self, Reconciliation};

/// Lists what stations did after a backup and the restored database does not know: cards, chips, orders; and the
/// personal numbers that may have been given.
///
/// It changes nothing. Fetch the journals from the stations (`journal.jsonl` in the folder of each). What the list
/// shows is not entered or revoked by this version: keep the chips back, and decide by hand.
#[derive(Args)]
pub(super) struct ReconcileCommand {
    #[command(flatten)]
    place: Place,
    /// Folder of a station, or its journal.jsonl. May be repeated.
    #[arg(long, value_name = "DIR", required = true)]
    journal: Vec<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl ReconcileCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let found = tokio::runtime::Runtime::new()?.block_on(reconcile::reconcile(&settings, &self.journal))?;
        if self.json {
            output::line(format_args!("{}", serde_json::to_string_pretty(&found)?))?;
        } else {
            output::line(format_args!("{}", text(&found)?.trim_end()))?;
        }
        Ok(())
    }
}

fn text(found: &Reconciliation) -> Result<String, time::error::Format> {
    let moment = |at: time::OffsetDateTime| at.format(&time::format_description::well_known::Rfc3339);
    let mut lines = Vec::new();
    match &found.restoration {
        Some(one) => lines.push(format!(
            "Restored at {} from a backup of {}.",
            moment(one.restored_at)?,
            moment(one.backup_made_at)?
        )),
        None => lines.push("This folder was never restored.".to_owned()),
    }
    for journal in &found.journals {
        lines.push(format!("{}: {} records", journal.file.display(), journal.records));
    }
    lines.push(String::new());
    lines.push(format!("{} chips on which a journal tells more than the database knows", found.chips.len()));
    for chip in &found.chips {
        let state = chip.state.as_deref().unwrap_or("in no delivery");
        lines.push(format!("  {} ({state}), {}: {}", chip.serial, moment(chip.at)?, chip.finding.says()));
        for order in &chip.orders {
            lines.push(format!("    order {order}"));
        }
    }
    lines.push(String::new());
    lines.push("Personal numbers that may have been given after the backup (no journal tells which were)".to_owned());
    for numbers in &found.numbers {
        let cell = numbers.cell.as_deref().unwrap_or("each cell that the backup does not know");
        lines.push(format!("  {cell}: positions {} to {}", numbers.from, numbers.below.saturating_sub(1)));
    }
    lines.push(String::new());
    lines.push(format!(
        "{} cards wait for their hand-over as far as the database knows; each may be in its citizen's hand (no journal tells).",
        found.cards_to_hand_over
    ));
    lines.push("Nothing was changed. Entering cards again and revoking them is not part of this version.".to_owned());
    Ok(lines.join("\n"))
}
