//! `issuance batches`

use clap::Args;

use super::{Outcome, Place, output};
use crate::production::card_batches;
use crate::{production, server};

/// Lists the batches of cards that are not closed: state, applications by state, rate and time left.
///
/// A batch is released by two stock keepers (docs/batches.md); stations make cards of its applications, in its order.
/// The service may run meanwhile, and need not.
#[derive(Args)]
pub(super) struct BatchesCommand {
    #[command(flatten)]
    place: Place,
    /// Only those of this office.
    #[arg(long, value_name = "OFFICE")]
    office: Option<String>,
    /// As one JSON array.
    #[arg(long)]
    json: bool,
}

impl BatchesCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let (now, today) = (look.clock().now(), look.clock().today());
            let mut tx = look.begin_read().await?;
            let mut shown = Vec::new();
            for batch in production::unclosed_card_batches(&mut tx).await? {
                if self.office.as_ref().is_some_and(|office| office != batch.office.as_str()) {
                    continue;
                }
                let progress = card_batches::progress(&mut tx, batch.id, now).await?;
                let ready = card_batches::ready(&mut tx, batch.id, today).await?;
                let counts = &progress.counts;
                shown.push(serde_json::json!({
                    "id": batch.id.to_string(),
                    "office": batch.office.as_str(),
                    "state": progress.word(batch.state),
                    "priority": batch.priority,
                    "waiting": counts.waiting,
                    "ready": ready,
                    "leased": counts.leased,
                    "done": counts.done,
                    "left": counts.left,
                    "spoiled": counts.spoiled(),
                    "per_minute": progress.per_minute(),
                    "seconds_left": progress.seconds_left(),
                }));
            }
            if self.json {
                return output::line(format_args!("{}", serde_json::to_string_pretty(&shown)?)).map_err(Into::into);
            }
            if shown.is_empty() {
                output::line(format_args!("No batch of cards is open."))?;
            }
            for batch in &shown {
                let text = |key: &str| batch[key].as_str().unwrap_or_default().to_owned();
                let rate = batch["per_minute"].as_f64().unwrap_or_default();
                let left = batch["seconds_left"].as_u64().map_or_else(String::new, |left| format!(", {left} s left"));
                output::line(format_args!(
                    "{}  {}  {}: {} wait ({} made ahead), {} on chips, {} cards, {} left, {} chips spoiled; {rate:.1} a minute{left}",
                    text("id"),
                    text("office"),
                    text("state"),
                    batch["waiting"],
                    batch["ready"],
                    batch["leased"],
                    batch["done"],
                    batch["left"],
                    batch["spoiled"],
                ))?;
            }
            Ok(())
        })
    }
}
