//! `issuance fees`

use clap::Args;
use serde_json::json;

use super::{Outcome, Place, output};
use crate::applications::payments::FeeEntry;
use crate::applications::store::payments::{self as store, DaySum};
use crate::ground::{Id, OfficeCode};
use crate::offices::calendar::Day;
use crate::population::import::csv_field;
use crate::server;

/// Lists what an office took in fees on a day, entry by entry, and the sum.
///
/// Payments, refunds, entries that were struck out and exemptions, without names. The service may run meanwhile, and
/// need not.
#[derive(Args)]
pub(super) struct FeesCommand {
    #[command(flatten)]
    place: Place,
    /// The office.
    #[arg(long)]
    office: OfficeCode,
    /// The day, yyyy-MM-dd [default: today].
    #[arg(long)]
    day: Option<Day>,
    /// As one JSON object.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// As comma-separated values, without the sum.
    #[arg(long)]
    csv: bool,
}

impl FeesCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let day = self.day.map_or_else(|| look.clock().today(), |day| day.0);
            let mut tx = look.begin_read().await?;
            let (mut entries, mut after) = (Vec::new(), Id::nil());
            loop {
                let some = store::of_day(&mut tx, &self.office, day, after, PIECE).await?;
                let Some((last, _)) = some.last() else { break };
                after = *last;
                for (id, entry) in some {
                    match entry {
                        Some(entry) => entries.push(entry),
                        None => {
                            output::complain(format_args!("entry {id} was changed by another hand: it is in no sum"));
                        }
                    }
                }
            }
            let sum = store::sum_of_day(&mut tx, &self.office, day).await?;
            let text = match (self.json, self.csv) {
                (true, _) => serde_json::to_string_pretty(&view(&self.office, Day(day), &entries, sum))?,
                (_, true) => csv(&entries),
                _ => text(&self.office, Day(day), &entries, sum),
            };
            output::line(format_args!("{text}"))?;
            match sum.unreadable {
                0 => Ok(()),
                n => {
                    Err(format!("{n} entries of the day are not in the sum: issuance verify names what was changed")
                        .into())
                }
            }
        })
    }
}

/// The columns of an entry.
fn columns(entry: &FeeEntry) -> [String; 9] {
    [
        entry.id.to_string(),
        entry.application.to_string(),
        entry.kind.word().to_owned(),
        entry.dong.to_string(),
        entry.method.map_or("", |method| method.word()).to_owned(),
        entry.receipt.clone().unwrap_or_default(),
        entry.ground.map_or("", |ground| ground.word()).to_owned(),
        entry.by.to_string(),
        entry.paid_on.map(|day| Day(day).to_string()).unwrap_or_default(),
    ]
}

const HEAD: &str = "entry,application,kind,dong,method,receipt,ground,officer,paid_on";

/// Comma-separated values with a header.
fn csv(entries: &[FeeEntry]) -> String {
    let line = |entry| columns(entry).iter().map(|value| csv_field(value)).collect::<Vec<_>>().join(",");
    std::iter::once(HEAD.to_owned()).chain(entries.iter().map(line)).collect::<Vec<_>>().join("\n")
}

fn view(office: &OfficeCode, day: Day, entries: &[FeeEntry], sum: DaySum) -> serde_json::Value {
    let names = HEAD.split(',');
    let item = |entry| {
        let named = names.clone().zip(columns(entry)).map(|(name, value)| (name.to_owned(), json!(value)));
        let mut item: serde_json::Map<_, _> = named.collect();
        item.insert("dong".to_owned(), json!(entry.dong));
        item
    };
    let items: Vec<_> = entries.iter().map(item).collect();
    let (taken, returned) = (sum.taken, sum.returned);
    json!({"office": office, "day": day, "taken_dong": taken, "returned_dong": returned,
        "balance_dong": taken - returned, "items": items})
}

fn text(office: &OfficeCode, day: Day, entries: &[FeeEntry], sum: DaySum) -> String {
    let line = |entry| {
        let [id, application, kind, dong, method, receipt, ground, _, paid_on] = columns(entry);
        let earlier = entry.paid_on.filter(|on| *on != entry.day).map(|_| format!("  paid on {paid_on}"));
        let earlier = earlier.unwrap_or_default();
        format!("{id}  {application}  {kind:<9} {dong:>10}  {method}{ground}  {receipt}{earlier}").trim_end().to_owned()
    };
    let mut lines: Vec<_> = entries.iter().map(line).collect();
    let DaySum { taken, returned, .. } = sum;
    lines.push(format!("{office}, {day}: {taken} đồng taken, {returned} returned, {} left", taken - returned));
    lines.join("\n")
}

/// So many entries are read in one go.
const PIECE: i64 = 500;
