//! `issuance verify`

use clap::Args;

use super::{Outcome, Place, output};
use crate::server;

/// Verifies the MAC of every officer, station, card, application and chip in the database, and builds every person's
/// record again from the events of the history, with what it is found by; counts again what tallies count, and adds up
/// the accounts of the stock.
///
/// Lists the records that were changed by another hand than the service's, and ends with exit code 1 if there is
/// one. It may run beside the service. It does not find a record that was deleted, nor an older state of a
/// record or of the whole database that was put back: compare the numbers of records, and the audit trail, with
/// what was exported elsewhere.
#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        let verified = tokio::runtime::Runtime::new()?.block_on(server::verify(&settings, |persons| {
            if persons % 100_000 == 0 {
                output::complain(format_args!("{persons} persons compared with their history"));
            }
        }))?;
        for (table, id) in &verified.faults {
            output::line(format_args!("{table} {id} was changed outside the service"))?;
        }
        let tables: Vec<_> = verified.tables.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        output::line(format_args!("Records verified: {}.", tables.join(", ")))?;
        for (person, why) in &verified.history.differ {
            output::line(format_args!("person {person}: {why}"))?;
        }
        let (persons, events) = (verified.history.persons, verified.history.events);
        output::line(format_args!("Persons built again from {events} events and compared: {persons}."))?;
        for complaint in &verified.ledger.complaints {
            output::line(format_args!("stock: {complaint}"))?;
        }
        output::line(format_args!(
            "Postings of the stock added up and compared with the chips: {}.",
            verified.ledger.postings
        ))?;
        for difference in &verified.quality.differ {
            output::line(format_args!("figures: {difference}"))?;
        }
        output::line(format_args!("Persons counted anew for the four figures: {}.", verified.quality.persons))?;
        output::line(format_args!(
            "Not found by this: a record that was deleted; an older state of a record, or of the whole database, put back."
        ))?;
        for one in &verified.miscounted {
            let (of, state, said, counted) = (one.of, &one.state, one.said, one.counted);
            output::line(format_args!("{of} {state}: there are {counted}, the tally says {said}"))?;
        }
        match verified.faults.len() + verified.history.differ.len() + verified.miscounted.len() {
            0 if !verified.ledger.complaints.is_empty() => {
                Err("the accounts of the stock are not what its chips are: find out whose hand it was".into())
            }
            0 if !verified.quality.differ.is_empty() => {
                Err("the four figures are not what follows from the persons of the register".into())
            }
            0 => Ok(()),
            faults => Err(format!(
                "{faults} records or tallies were changed outside the service; the service refuses such records. Restore them \
                 from a backup, and find out whose hand it was"
            )
            .into()),
        }
    }
}
