//! `issuance campaign`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Outcome, Place, output};
use crate::ground::actor::Service;
use crate::population::Register;
use crate::population::campaign::{self, CampaignView};
use crate::population::import::csv_field;
use crate::population::quality::{Level, Within};
use crate::server;

/// The campaign that fills the register: what is expected, collected, entered, verified and in
/// quarantine, and who is behind.
#[derive(Args)]
pub(super) struct CampaignCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Show(Show),
    Expect(FileOf),
    Collected(Forms),
}

/// Shows how far the campaign is, with the day on which each will be done at the rate of the last fourteen days.
#[derive(Args)]
struct Show {
    #[command(flatten)]
    place: Place,
    /// A line for each of these.
    #[arg(long, value_enum, default_value_t)]
    level: Level,
    /// Only within a province (001) or a district (001/004).
    #[arg(long, value_name = "PLACE", default_value = "")]
    province: Within,
    /// As one JSON object.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// As comma-separated values.
    #[arg(long)]
    csv: bool,
}

/// Takes how many people are expected in communes and until when: `commune,expected,due`, perhaps with `begins`. A
/// commune that is named again is changed.
#[derive(Args)]
struct FileOf {
    #[command(flatten)]
    place: Place,
    /// The file, comma-separated with a header.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Takes how many paper forms communes handed in on which days: `commune,day,forms`, a line for a day. A day that a
/// later file names again is changed; one that lies ahead is refused.
#[derive(Args)]
struct Forms {
    #[command(flatten)]
    of: FileOf,
}

impl CampaignCommand {
    pub(super) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Runtime::new()?;
        match self.verb {
            Verb::Show(show) => runtime.block_on(show.run()),
            Verb::Expect(of) => runtime.block_on(load(of, true)),
            Verb::Collected(Forms { of }) => runtime.block_on(load(of, false)),
        }
    }
}

async fn load(of: FileOf, expected: bool) -> Outcome {
    let settings = of.place.settings()?;
    let register = Register::open(&settings.population)?;
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", of.file.display());
    let text = std::fs::read_to_string(&of.file).map_err(|e| named(&e))?;
    let deeds = server::deeds(&settings).await?;
    let mut deed = deeds.open(Service).await?;
    let lines = if expected {
        let plans = campaign::read_plans(&text, register.reference()).map_err(|e| named(&e))?;
        campaign::expect(&mut deed, &plans).await?;
        plans.len()
    } else {
        let all = campaign::read_collected(&text, register.reference(), deeds.source().clock().today())
            .map_err(|e| named(&e))?;
        campaign::collect(&mut deed, &all).await?;
        all.len()
    };
    deed.commit().await?;
    output::line(format_args!("{lines} lines taken."))?;
    Ok(())
}

impl Show {
    async fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let look = server::look(&settings).await?;
        let register = Register::open(&settings.population)?;
        let today = look.clock().today();
        let mut tx = look.begin_read().await?;
        let view = campaign::campaign(&mut tx, register.reference(), self.level, &self.province, today).await?;
        let text = match (self.json, self.csv) {
            (true, _) => serde_json::to_string_pretty(&view)?,
            (_, true) => csv(&view),
            _ => text(&view),
        };
        output::line(format_args!("{text}"))?;
        Ok(())
    }
}

fn csv(view: &CampaignView) -> String {
    let head =
        "place,name,expected,collected,entered,verified,quarantined,planned,behind,behind_days,due,lately,done_on";
    let mut lines = vec![head.to_owned()];
    lines.extend(view.items.iter().map(|one| {
        let name = csv_field(one.name.as_deref().unwrap_or_default());
        let (due, done_on) = (one.due.as_deref().unwrap_or_default(), one.done_on.as_deref().unwrap_or_default());
        format!(
            "{},{name},{},{},{},{},{},{},{},{},{due},{},{done_on}",
            one.place,
            one.expected,
            one.collected,
            one.entered,
            one.verified,
            one.quarantined,
            one.planned,
            one.behind,
            one.behind_days,
            one.lately
        )
    }));
    lines.join("\n")
}

fn text(view: &CampaignView) -> String {
    let head = ["expected", "collected", "entered", "verified", "quarantine", "entered"];
    let head = head.map(|word| format!("{word:>11}")).concat();
    let mut lines = vec![format!("{:<30}{head}  behind the plan, done on", view.on)];
    lines.extend(view.items.iter().map(|one| {
        let share = one.entered_tenths.map_or("-".to_owned(), |tenths| format!("{}.{} %", tenths / 10, tenths % 10));
        let counts = [one.expected, one.collected, one.entered, one.verified, one.quarantined];
        let counts = counts.map(|count| format!("{count:>11}")).concat();
        let behind = match one.behind {
            0 => "as planned".to_owned(),
            behind => format!("{behind} ({} days)", one.behind_days),
        };
        let done = match (&one.done_on, one.expected > 0 && one.entered >= one.expected) {
            (_, true) => "done",
            (Some(day), _) => day,
            (None, _) => "not known",
        };
        let name = format!("{} {}", one.place, one.name.as_deref().unwrap_or("not known"));
        format!("{name:<30}{counts}{share:>11}  {behind}, {done}")
    }));
    lines.push(format!("Handed in: {} of {} provinces.", view.provinces_handed_in, view.provinces));
    lines.join("\n")
}
