//! `issuance cells`

use clap::Args;

use super::{Outcome, Place, output};
use crate::numbering::store::leases;
use crate::server;

/// Lists the cells of personal numbers (province, sex, year of birth) of which numbers are given or reserved, with what
/// is left of each. It may run beside the service.
///
/// One that is half used stands in `issuance status` as a notice, one that is nine tenths used as a warning, a full one
/// as critical: births there get no number.
#[derive(Args)]
pub(super) struct CellsCommand {
    #[command(flatten)]
    place: Place,
    /// Only those of which so many percent are used.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100))]
    used: u64,
    /// As one JSON array.
    #[arg(long)]
    json: bool,
}

impl CellsCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let cells = tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let mut tx = look.begin_read().await?;
            let cells = leases::cells(&mut tx, "", i64::MAX).await?;
            drop(tx);
            look.close().await;
            Ok::<_, Box<dyn std::error::Error>>(cells)
        })?;
        let cells: Vec<_> =
            cells.into_iter().map(|(_, cell)| cell).filter(|cell| cell.percent() >= self.used).collect();
        if self.json {
            return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&cells)?))?);
        }
        for cell in &cells {
            let (percent, begins) = (cell.percent(), &cell.begins);
            output::line(format_args!("{begins}\t{percent} %\t{} used\t{} left", cell.used, cell.left))?;
        }
        Ok(())
    }
}
