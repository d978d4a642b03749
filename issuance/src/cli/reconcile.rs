//! `issuance reconcile`

use std::path::PathBuf;

use clap::Args;

use super::{Outcome, Place, output};
use crate::server::backup::reconcile::{self, Reconciliation};

/// Finds what stations did after a backup and the restored database does not know, and enters what chips prove.
///
/// Fetch from each station `journal.jsonl` and the folder `vouchers`. Without --enter nothing is changed. With it, a
/// card whose chip proves itself is entered again with its number; every other one becomes a finding, which two
/// administrators revoke (GET and POST /api/v1/reconciliation/findings). It may be repeated. What a station shows and
/// is not so is named, and the exit code is then 1.
#[derive(Args)]
pub(super) struct ReconcileCommand {
    #[command(flatten)]
    place: Place,
    /// Folder of a station, or its journal.jsonl. May be repeated.
    #[arg(long, value_name = "DIR", required = true)]
    journal: Vec<PathBuf>,
    /// Enter what is proved, and what two administrators are to revoke.
    #[arg(long)]
    enter: bool,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl ReconcileCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let found =
            tokio::runtime::Runtime::new()?.block_on(reconcile::reconcile(&settings, &self.journal, self.enter))?;
        if self.json {
            output::line(format_args!("{}", serde_json::to_string_pretty(&found)?))?;
        } else {
            output::line(format_args!("{}", text(&found)?.trim_end()))?;
        }
        match found.lies.len() {
            0 => Ok(()),
            lies => Err(format!("{lies} files of stations are not what they say: ask who had the station").into()),
        }
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
    let done = if found.entered { "" } else { " (nothing is entered without --enter)" };
    lines
        .push(format!("{} documents that vouchers tell of and the database did not know{done}", found.documents.len()));
    for one in &found.documents {
        match (&one.card, &one.why) {
            (Some(card), _) => lines.push(format!("  {}: the chip proves its card, entered as {card}", one.serial)),
            (None, why) => lines.push(format!(
                "  {}: {}; finding {} waits for two administrators",
                one.serial,
                why.unwrap_or("unproved"),
                one.finding.as_deref().unwrap_or("?")
            )),
        }
    }
    for lie in &found.lies {
        lines.push(format!("{}: {}", lie.file.display(), lie.what));
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
    Ok(lines.join("\n"))
}
