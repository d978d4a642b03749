//! `issuance notices`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::confirm::confirm;
use super::{Outcome, Place, output};
use crate::ground::actor::Service;
use crate::ground::ids::NoticeId;
use crate::ground::{Id, files};
use crate::notices::{draw, sending, steps, store};
use crate::server::{self, Look, Offices};

/// What citizens are told in writing: what waits, letters to print, and what is due now.
#[derive(Args)]
pub(super) struct NoticesCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    List(List),
    Letters(Letters),
    Send(Send),
}

/// Says how many notices wait and how many could not be sent, by their way. Nothing of it is personal.
#[derive(Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// Writes the letters that wait, and notices that could not be sent, into a folder as PDF; once you say that they are
/// printed, they are noted as posted. Until then they wait on, and the next run writes them again. Each letter is a
/// record of the trail about its citizen.
#[derive(Args)]
struct Letters {
    #[command(flatten)]
    place: Place,
    /// The folder, which only its owner reads if it is made.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// They are printed: ask no question.
    #[arg(long)]
    yes: bool,
}

/// Sends what is due now, as the running service does.
#[derive(Args)]
struct Send {
    #[command(flatten)]
    place: Place,
}

impl NoticesCommand {
    pub(super) fn run(self) -> Outcome {
        let place = match &self.verb {
            Verb::List(list) => &list.place,
            Verb::Letters(letters) => &letters.place,
            Verb::Send(send) => &send.place,
        };
        let settings = place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            if let Verb::List(list) = &self.verb {
                return listed(&server::look(&settings).await?, list.json).await;
            }
            let offices = Box::pin(Offices::beside(&settings)).await?;
            let outcome = match &self.verb {
                Verb::List(_) => Ok(()),
                Verb::Letters(letters) => Box::pin(printed(&offices, &letters.out, letters.yes)).await,
                Verb::Send(_) => sent(&offices).await,
            };
            offices.deeds().db().close().await;
            outcome
        })
    }
}

async fn listed(look: &Look, json: bool) -> Outcome {
    let figures = store::figures(&mut look.begin_read().await?).await?;
    if json {
        let open = figures.open.iter().map(|(what, n)| (what.clone(), (*n).into()));
        let open: serde_json::Map<String, serde_json::Value> = open.collect();
        let not_sent = figures.not_sent.iter().map(|(what, n)| (what.clone(), (*n).into()));
        let not_sent: serde_json::Map<String, serde_json::Value> = not_sent.collect();
        let all = serde_json::json!({"open": open, "not_sent": not_sent, "repeated": figures.repeated});
        return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&all)?))?);
    }
    if figures.open.is_empty() {
        output::line(format_args!("No notice waits."))?;
    }
    for (what, n) in figures.open.iter().chain(&figures.not_sent) {
        output::line(format_args!("{n:>8} {what}"))?;
    }
    Ok(output::line(format_args!("{:>8} sent twice, perhaps, under one reference", figures.repeated))?)
}

async fn sent(offices: &Offices) -> Outcome {
    let done = sending::send_due(&offices.notices, offices.deeds()).await?;
    let sending::Sent { sent, later, dead, letters, overtaken } = done;
    let says = format!(
        "{sent} sent, {later} to be tried again, {dead} dead, {letters} became letters, {overtaken} not sent as they were overtaken or their citizen is dead"
    );
    Ok(output::line(format_args!("{says}"))?)
}

async fn printed(offices: &Offices, out: &Path, yes: bool) -> Outcome {
    files::private_folder(out)?;
    // What a run left that ended in the middle of a letter.
    files::sweep(out, offices.deeds().source().now(), |name| {
        let letter = name.strip_suffix(".new").and_then(|rest| rest.split_once('.'));
        letter.is_some_and(|(name, process)| steps::is_reference(name) && process.parse::<u32>().is_ok())
    })?;
    let (mut written, mut after): (Vec<NoticeId>, NoticeId) = (Vec::new(), Id::nil());
    let (mut passed_over, mut overtaken) = (0_u64, 0_u64);
    loop {
        let some = store::to_print(&mut offices.deeds().db().begin_read().await?, after, PIECE).await?;
        let Some(last) = some.last() else { break };
        after = *last;
        for id in some {
            let mut deed = offices.deeds().open(Service).await?;
            let letter = match steps::print(&mut deed, &offices.notices, id).await {
                Ok(Some(letter)) => letter,
                Ok(None) => {
                    deed.commit().await?;
                    overtaken += 1;
                    continue;
                }
                Err(error) if error.is_of_one() => {
                    output::complain(format_args!("notice {id} is passed over, the others are printed: {error}"));
                    passed_over += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            deed.commit().await?;
            let path = out.join(format!("{}.pdf", letter.reference));
            // Of a name that another run at the same time does not have.
            let beside = path.with_extension(format!("{}.new", std::process::id()));
            files::replace(&path, &beside, &draw(&letter), files::PRIVATE)?;
            written.push(id);
        }
    }
    let left = |passed_over: u64| match passed_over {
        0 => Ok(()),
        n => Err(format!("{n} notices cannot be printed: issuance verify names the rows that were changed").into()),
    };
    if overtaken > 0 {
        let says = "letters are not printed: what they say was overtaken, or their citizen is dead";
        output::line(format_args!("{overtaken} {says}."))?;
    }
    if written.is_empty() {
        output::line(format_args!("No letter waits that can be printed."))?;
        return left(passed_over);
    }
    output::line(format_args!("{} letters lie in {}.", written.len(), out.display()))?;
    confirm("Are they printed, and will they be posted? Then they wait no more.", yes)?;
    for id in &written {
        let mut deed = offices.deeds().open(Service).await?;
        match steps::printed(&mut deed, *id).await {
            Ok(_) => deed.commit().await?,
            Err(error) if error.is_of_one() => {
                output::complain(format_args!("notice {id} is printed and not noted as posted: {error}"));
                passed_over += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    output::line(format_args!("{} letters are noted as posted.", written.len()))?;
    left(passed_over)
}

/// So many letters are looked for in one go.
const PIECE: i64 = 200;
