//! `issuance retention`

use clap::{Args, Subcommand};

use super::{Outcome, Place, output};
use crate::retention::{self, Figures, KEPT, Kept, Kind, PASSING, Settings};
use crate::server::Offices;

/// What is kept for how long, on which ground; and the job that erases it when its term is over.
#[derive(Args)]
pub(super) struct RetentionCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    List(List),
    Run(Run),
}

/// Lists every kind with its term, its ground and how much of it is due, what ends by itself, and what is kept
/// for good. Changes nothing.
#[derive(Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// Erases what is due, in small pieces, each recorded in the audit trail. It may be cut anywhere and run again, and the
/// service may run meanwhile. Nothing under a legal hold is erased. What is erased comes back from no backup whose
/// archive of keys is gone: read docs/backup.md first.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
struct Run {
    #[command(flatten)]
    place: Place,
    /// Count what would be erased, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Erase portraits, too, that no application has and that lie there for a week or more.
    #[arg(long)]
    orphans: bool,
    /// The clock is right: erase although nothing was recorded for more than a month. The trail says so.
    #[arg(long, conflicts_with = "dry_run")]
    clock_is_right: bool,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl RetentionCommand {
    pub(super) fn run(self) -> Outcome {
        let place = match &self.verb {
            Verb::List(list) => &list.place,
            Verb::Run(run) => &run.place,
        };
        let settings = place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let offices = Box::pin(Offices::beside(&settings)).await?;
            let (retention, counter, deeds) = (&settings.retention, &offices.counter, offices.deeds());
            let outcome = match self.verb {
                Verb::List(list) => {
                    let figures = Box::pin(retention::list(retention, counter, deeds)).await?;
                    listed(retention, &figures, list.json)
                }
                Verb::Run(run) => {
                    if run.clock_is_right {
                        retention::confirm_the_clock(deeds).await?;
                    }
                    let said = |figures: &Figures| {
                        if !run.json {
                            output::complain(format_args!("{}: {}", figures.kind, figures.erased));
                        }
                    };
                    let mut figures =
                        Box::pin(retention::run(retention, counter, deeds, run.dry_run, None, said)).await?;
                    if run.orphans {
                        let erased = retention::sweep(counter, deeds, run.dry_run).await?;
                        figures.push(Figures { kind: "orphans", erased, held: 0, failed: 0, finished: true });
                    }
                    done(&figures, run.dry_run, run.json)
                }
            };
            deeds.db().close().await;
            outcome
        })
    }
}

fn listed(settings: &Settings, figures: &[Figures], json: bool) -> Outcome {
    if json {
        let kinds = Kind::ALL.iter().zip(figures).map(|(kind, figures)| {
            let rule = kind.rule(settings);
            serde_json::json!({"kind": kind.word(), "what": kind.what(), "days": rule.term.whole_days(),
                "ground": rule.ground, "due": figures.erased, "held": figures.held, "failed": figures.failed})
        });
        let told = |all: &[Kept]| -> Vec<serde_json::Value> {
            all.iter().map(|kept| serde_json::json!({"what": kept.what, "why": kept.why})).collect()
        };
        let all = serde_json::json!({"automatic": settings.automatic, "kinds": kinds.collect::<Vec<_>>(),
            "passing": told(PASSING), "kept": told(KEPT)});
        return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&all)?))?);
    }
    for (kind, figures) in Kind::ALL.iter().zip(figures) {
        let (rule, Figures { erased, held, failed, .. }) = (kind.rule(settings), figures);
        output::line(format_args!("{}: {}", kind.word(), kind.what()))?;
        output::line(format_args!("    kept for {} days; {}", rule.term.whole_days(), rule.ground))?;
        output::line(format_args!("    due {erased}, kept by a legal hold {held}, not to be judged {failed}"))?;
    }
    for passing in PASSING {
        output::line(format_args!("ends by itself: {}: {}", passing.what, passing.why))?;
    }
    for kept in KEPT {
        output::line(format_args!("kept for good: {}: {}", kept.what, kept.why))?;
    }
    let by =
        if settings.automatic { "the running service, daily" } else { "`issuance retention run`, by hand or timer" };
    Ok(output::line(format_args!("Erased by: {by}."))?)
}

fn done(figures: &[Figures], dry: bool, json: bool) -> Outcome {
    if json {
        output::line(format_args!("{}", serde_json::to_string_pretty(&figures)?))?;
    } else {
        let verb = if dry { "would be erased" } else { "erased" };
        for Figures { kind, erased, held, failed, .. } in figures {
            output::line(format_args!("{kind}: {erased} {verb}, {held} kept by a legal hold, {failed} failed"))?;
        }
    }
    match figures.iter().map(|figures| figures.failed).sum::<u64>() {
        0 => Ok(()),
        failed => {
            Err(format!("{failed} applications cannot be judged; the log names them: run `issuance verify`").into())
        }
    }
}
