//! `issuance quality`

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::{Outcome, Place, output};
use crate::population::import::csv_field;
use crate::population::quality::{self, Figures, Level, Within};
use crate::population::{self, Register};
use crate::server;

/// Shows how many persons of the register are right, enough, clean and living (đúng, đủ, sạch, sống).
///
/// The figures are exact at every moment: they are counted as persons enter and change. Persons who are recorded as
/// dead are not counted. See docs/quality.md.
#[derive(Args)]
pub(super) struct QualityCommand {
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
    /// Draws the figures into a file, too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl QualityCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let register = Register::open(&settings.population)?;
            let (today, term) = (look.clock().today(), register.living_months());
            let mut tx = look.begin_read().await?;
            let asked = (self.level, &self.province);
            let figures = quality::figures(&mut tx, register.reference(), asked, (today, term)).await?;
            if let Some(path) = &self.svg {
                let title = format!("Right, enough, clean, living: by {}, {today}", self.level);
                fs::write(path, population::picture(&title, &figures))
                    .map_err(|e| format!("{}: {e}", path.display()))?;
            }
            if self.json {
                let view = serde_json::json!({
                    "level": self.level, "of": self.province.as_str(), "living_months": term, "items": figures,
                });
                output::line(format_args!("{}", serde_json::to_string_pretty(&view)?))?;
            } else {
                output::line(format_args!("{}", if self.csv { csv(&figures) } else { text(&figures) }))?;
            }
            Ok(())
        })
    }
}

/// The figures as values with a header.
fn csv(figures: &[Figures]) -> String {
    let mut lines = vec!["place,name,persons,right,enough,clean,living,verified".to_owned()];
    lines.extend(figures.iter().map(|one| {
        let [right, enough, clean, living] = one.words();
        let name = csv_field(one.name.as_deref().unwrap_or_default());
        format!("{},{name},{},{right},{enough},{clean},{living},{}", one.place, one.persons, one.verified)
    }));
    lines.join("\n")
}

/// The figures in lines for a person.
fn text(figures: &[Figures]) -> String {
    let head = ["persons", "right", "enough", "clean", "living", "verified"].map(|word| format!("{word:>12}")).concat();
    let mut lines = vec![format!("{:<34}{head}", "")];
    lines.extend(figures.iter().map(|one| {
        let share = |part| match one.tenths(part) {
            Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
            None => "-".to_owned(),
        };
        let [right, enough, clean, living] = one.words();
        let words = [right, enough, clean, living, one.verified];
        let words = words.map(|part| format!("{:>12}", share(part))).concat();
        let name = format!("{} {}", one.place, one.name.as_deref().unwrap_or("not known"));
        format!("{name:<34}{:>12}{words}", one.persons)
    }));
    lines.join("\n")
}
