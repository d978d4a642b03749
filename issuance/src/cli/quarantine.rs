//! `issuance quarantine`

use clap::{Args, Subcommand};

use super::{Outcome, Place, output};
use crate::ground::actor::Service;
use crate::ground::ids::BatchId;
use crate::population::import::quarantine;
use crate::server;

/// Rows of imported files from which no person could be made. Officers of the file's office read, correct, replay and
/// drop them (`GET /api/v1/quarantine`); here they are counted and exported.
#[derive(Args)]
pub(super) struct QuarantineCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists the files, newest first: how far each was read, and how many of its rows wait.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Writes the rows of a file that wait as CSV on standard output, with the rules that keep them out: to be mended
    /// and imported as a file of its own. The export is recorded in the audit trail; what it holds is personal data.
    Export {
        /// The file, as `list` names it.
        batch: BatchId,
    },
}

impl QuarantineCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let deeds = server::deeds(&settings).await?;
            let done = match self.act {
                Act::List { json } => list(&deeds, json).await,
                Act::Export { batch } => export(&deeds, batch).await,
            };
            deeds.db().close().await;
            done
        })
    }
}

async fn list(deeds: &crate::deed::Deeds, json: bool) -> Outcome {
    let files = quarantine::files(&mut deeds.db().begin_read().await?).await?;
    if json {
        let files = files.iter().map(|(file, waiting)| {
            serde_json::json!({"batch": file.id, "file": file.file_name, "office": file.office, "state": file.state.word(),
                "sha256": hex::encode(file.digest), "bytes": file.bytes, "read": file.read.byte, "rows": file.rows,
                "accepted": file.accepted, "quarantined": file.quarantined, "waiting": waiting})
        });
        let files: Vec<_> = files.collect();
        return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&files)?))?);
    }
    for (file, waiting) in &files {
        output::line(format_args!(
            "{}\t{}\t{}\t{}\t{} rows = {} accepted + {} quarantined, of which {waiting} wait",
            file.id, file.file_name, file.office, file.state, file.rows, file.accepted, file.quarantined
        ))?;
    }
    Ok(())
}

async fn export(deeds: &crate::deed::Deeds, batch: BatchId) -> Outcome {
    let (mut after, mut first) = (0, true);
    loop {
        // Recorded before a row is shown.
        let mut deed = deeds.open(Service).await?;
        let rows = quarantine::exported(&mut deed, batch, after).await?;
        deed.commit().await?;
        if std::mem::take(&mut first) {
            output::line(format_args!("{}", quarantine::export_header()))?;
        }
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.line;
        for row in &rows {
            output::line(format_args!("{}", quarantine::export_row(row)))?;
        }
    }
}
