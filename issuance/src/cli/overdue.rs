//! `issuance overdue`

use std::process::ExitCode;

use clap::Args;

use super::{Place, output};
use crate::server::overdue::{self, Overdue};

/// Lists applications that are late, by the office and the role that have them, with the working days since they were
/// due; boxes of the stock that were not received; and what no officer has.
///
/// The service may run meanwhile, and need not. Without --check the exit code is 0 whatever is found, and 1 if it could
/// not be found out; with it 4 if something is late, and 5 for defects: an application that waits without owner or due
/// day, for a role at an office where no officer in service has it, or for a decision that none of them may take, since
/// each had a hand in it; a case of the stock that waits at an office
/// where no officer in service keeps it.
#[derive(Args)]
pub(super) struct OverdueCommand {
    #[command(flatten)]
    place: Place,
    /// Say by the exit code what was found.
    #[arg(long)]
    check: bool,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl OverdueCommand {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        let settings = self.place.settings()?;
        let found = tokio::runtime::Runtime::new()?.block_on(overdue::overdue(&settings))?;
        if self.json {
            output::line(format_args!("{}", serde_json::to_string_pretty(&found)?))?;
        } else {
            output::line(format_args!("{}", text(&found).trim_end()))?;
        }
        Ok(match (self.check, found.defects.is_empty(), found.late.is_empty() && found.boxes.is_empty()) {
            (true, false, _) => ExitCode::from(5),
            (true, true, false) => ExitCode::from(4),
            _ => ExitCode::SUCCESS,
        })
    }
}

fn text(found: &Overdue) -> String {
    let mut lines = Vec::new();
    let mut owner = None;
    for one in &found.late {
        let of = (one.office.as_str(), one.owner.as_str());
        if owner != Some(of) {
            let all = found.late.iter().filter(|other| (other.office.as_str(), other.owner.as_str()) == of).count();
            lines.push(format!("{} of {}: {all} late", one.owner, one.office));
            owner = Some(of);
        }
        let told = match (one.reminded_at, one.escalated_at) {
            (_, Some(_)) => ", the national office was told",
            (Some(_), None) => ", told",
            (None, None) => "",
        };
        lines.push(format!(
            "    {} {:<16} due on {}, {} working days late{told}",
            one.application, one.stage, one.due_on, one.days_late
        ));
    }
    for late in &found.boxes {
        let due = late.due_on.map_or_else(|| "due".to_owned(), |day| format!("due on {day}"));
        lines.push(format!("box {} from {} to {}: {due}, not received", late.id, late.from_office, late.to_office));
    }
    if found.late.is_empty() && found.boxes.is_empty() {
        lines.push("Nothing is late.".to_owned());
    }
    lines.extend(found.defects.iter().map(|defect| format!("DEFECT: {}", defect.says())));
    lines.join("\n")
}
