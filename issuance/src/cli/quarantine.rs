//! `issuance quarantine`

use clap::{Args, Subcommand};

use super::confirm::confirm;
use super::import::registrar;
use super::{Outcome, Place, output};
use crate::ground::OfficeCode;
use crate::ground::actor::Service;
use crate::ground::ids::BatchId;
use crate::ground::text::{Login, MOST_OF_REASON, SomeWords};
use crate::population::import::quarantine;
use crate::population::{Register, rules};
use crate::server;

/// Rows of imported files from which no person could be made. Officers of the file's office read, correct, replay and
/// drop them (`GET /api/v1/quarantine`); here they are counted, exported, and dropped many at once.
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
    /// Drops the rows of a file that wait, in a registrar's name and for a reason: those of one rule, or all. Each is a
    /// record of the audit trail; what was declared on them stays readable.
    Dismiss(Dismiss),
}

#[derive(Args)]
struct Dismiss {
    /// The file, as `list` names it.
    #[arg(long, value_name = "BATCH")]
    batch: BatchId,
    /// Only the rows that this rule keeps out (`R-37`) [default: all].
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// The registrar in whose name it is done.
    #[arg(long, value_name = "NAME")]
    officer: Login,
    /// The office of the file [default: the officer's]. Another one than the officer's own is for the national office.
    #[arg(long, value_name = "CODE")]
    office: Option<OfficeCode>,
    /// Why, for the audit trail.
    #[arg(long, value_name = "WORDS")]
    because: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl QuarantineCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        if let Act::Dismiss(Dismiss { batch, rule, yes, .. }) = &self.act {
            let which = rule.as_ref().map_or(String::new(), |rule| format!(" that {rule} keeps out"));
            confirm(&format!("The rows of file {batch} that wait{which} are dropped for good."), *yes)?;
        }
        tokio::runtime::Runtime::new()?.block_on(async {
            let deeds = server::deeds(&settings).await?;
            let done = match self.act {
                Act::List { json } => list(&deeds, json).await,
                Act::Export { batch } => export(&deeds, batch).await,
                Act::Dismiss(dismiss) => {
                    let register = Register::open(&settings.population)?;
                    Box::pin(dismiss.run(&deeds, &register)).await
                }
            };
            deeds.db().close().await;
            done
        })
    }
}

impl Dismiss {
    async fn run(self, deeds: &crate::deed::Deeds, register: &Register) -> Outcome {
        if let Some(rule) = &self.rule
            && rules::by_id(rule).is_none()
        {
            return Err(format!("no rule is called `{rule}`: `issuance rules` lists them").into());
        }
        let reason = SomeWords::<MOST_OF_REASON>::try_from(self.because.clone())
            .map_err(|error| format!("--because: {error}"))?;
        let (officer, office) = registrar(deeds, &self.officer, self.office.as_ref()).await?;
        let mut all = 0;
        loop {
            let mut deed = deeds.open(Service).await?;
            let rule = self.rule.as_deref();
            let done =
                quarantine::dismiss_all(&mut deed, register, self.batch, rule, (officer, &office), reason.as_str());
            let dropped = Box::pin(done).await?;
            deed.commit().await?;
            all += dropped;
            if dropped < quarantine::PAGE {
                return Ok(output::line(format_args!("{all} rows dropped"))?);
            }
        }
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
