//! The making of a state: the register is counted once in a quarter, in pages, beside all other work.

use std::sync::Arc;

use time::{Date, Duration};

use super::cube::{Cube, Table};
use super::noise::Noise;
use crate::deed::Deeds;
use crate::exchange::Exchange;
use crate::exchange::model::{Service, Standing};
use crate::exchange::store::agreements;
use crate::exchange::store::statistics::{self as store, State};
use crate::ground::{Id, blocking};
use crate::jobs::Worker;
use crate::population::traits;
use crate::store::{StoreError, Tx};

/// Makes the state of this quarter, unless it is there, another process makes it, or no agreement in force grants
/// statistics. Returns the day of the state that it made.
///
/// # Errors
/// [`StoreError`]
pub async fn count_statistics(
    deeds: &Deeds,
    exchange: &Exchange,
    worker: Id<Worker>,
) -> Result<Option<Date>, StoreError> {
    let day = quarter_of(deeds.source().clock().today());
    let mut tx = deeds.db().begin_read().await?;
    let there = store::of_day(&mut tx, day).await?;
    if there.is_some_and(|state| state.counted_until.is_some()) || !is_granted(deeds, &mut tx).await? {
        return Ok(None);
    }
    drop(tx);
    let Some(state) = begun(deeds, exchange, day, worker).await? else { return Ok(None) };
    let making = Making { deeds, state, worker };
    let Some(cube) = making.count().await? else { return Ok(None) };
    let noise = Noise::of(exchange.settings.noise);
    for table in Table::all() {
        let (cube, noise, mut rng) = (Arc::clone(&cube), noise.clone(), deeds.source().rng());
        let cells = blocking::run(move || cube.told(table, &noise, state.least, &mut rng)).await;
        for piece in cells.chunks(PIECE) {
            let mut tx = deeds.db().begin_upkeep().await?;
            if !making.goes_on(&mut tx).await? {
                return Ok(None);
            }
            store::insert_cells(&mut tx, state.id, &table.word(), piece).await?;
            tx.commit().await?;
        }
    }
    let mut tx = deeds.db().begin_upkeep().await?;
    let finished = store::finish(&mut tx, state.id, worker, deeds.source().now()).await?;
    tx.commit().await?;
    Ok(finished.then_some(day))
}

/// A state that this process makes.
struct Making<'a> {
    deeds: &'a Deeds,
    state: State,
    worker: Id<Worker>,
}

impl Making<'_> {
    /// Counts all persons, in pages. Returns `None` if another process took the state over.
    async fn count(&self) -> Result<Option<Arc<Cube>>, StoreError> {
        let (mut cube, mut after) = (Cube::default(), Id::nil());
        for page in 1_u64.. {
            let Some((all, last)) = traits::page(self.deeds.db(), after).await? else { break };
            for one in &all {
                cube.add(one, self.state.day);
            }
            after = last;
            if page % PAGES == 0 {
                let mut tx = self.deeds.db().begin_upkeep().await?;
                if !self.goes_on(&mut tx).await? {
                    return Ok(None);
                }
                tx.commit().await?;
            }
        }
        Ok(Some(Arc::new(cube)))
    }

    /// Says in a transaction that the state is being made. Returns false if another process took it over.
    async fn goes_on(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        store::touch(tx, self.state.id, self.worker, self.deeds.source().now()).await
    }
}

/// Begins the state of a quarter, or takes it over from a process that ended; what that one had written is erased.
async fn begun(deeds: &Deeds, exchange: &Exchange, day: Date, worker: Id<Worker>) -> Result<Option<State>, StoreError> {
    let (small_cell, noise) = (exchange.settings.small_cell, exchange.settings.noise);
    let (counted_from, bound) = (deeds.source().now(), Noise::of(noise).bound());
    let small_cell = i64::from(small_cell);
    let new = State {
        id: deeds.source().id(),
        day,
        counted_from,
        counted_until: None,
        small_cell,
        noise: i64::from(noise),
        // So that a smaller count is never told, whatever its error is: which ones are told follows from what is told.
        least: small_cell + bound,
    };
    let mut tx = deeds.db().begin_upkeep().await?;
    if !store::begin(&mut tx, &new, worker, counted_from - UNTOUCHED).await? {
        return Ok(None);
    }
    let there = store::of_day(&mut tx, day).await?;
    tx.commit().await?;
    let state = State { id: there.map_or(new.id, |there| there.id), ..new };
    loop {
        let mut tx = deeds.db().begin_upkeep().await?;
        let erased = store::erase_cells(&mut tx, state.id, PIECES).await?;
        tx.commit().await?;
        if erased == 0 {
            return Ok(Some(state));
        }
    }
}

/// True if an agreement in force grants statistics: without one nothing is counted.
async fn is_granted(deeds: &Deeds, tx: &mut Tx) -> Result<bool, StoreError> {
    let standing = [Standing::InForce, Standing::Ending];
    let in_force = agreements::list(tx, (None, &standing), deeds.source().now(), (Id::nil(), i64::MAX)).await?;
    let grants = |grants: &[crate::exchange::Grant]| grants.iter().any(|grant| grant.service == Service::Statistics);
    Ok(in_force.iter().any(|(agreement, holds)| *holds && grants(&agreement.grants)))
}

/// Returns the first day of a day's quarter.
fn quarter_of(day: Date) -> Date {
    let month = u8::from(day.month());
    let first = (0..(month - 1) % 3).fold(day.month(), |month, _| month.previous());
    Date::from_calendar_date(day.year(), first, 1).unwrap_or(day)
}

/// So many cells are written in a transaction.
const PIECE: usize = 5_000;
/// So many are erased in one.
const PIECES: i64 = 10_000;
/// After so many pages the process says that it still counts.
const PAGES: u64 = 100;
/// A state that was not touched for so long is taken over.
const UNTOUCHED: Duration = Duration::minutes(10);

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_quarter_begins_with_january_april_july_and_october() {
        assert_eq!(quarter_of(date!(2026 - 01 - 01)), date!(2026 - 01 - 01));
        assert_eq!(quarter_of(date!(2026 - 03 - 31)), date!(2026 - 01 - 01));
        assert_eq!(quarter_of(date!(2026 - 05 - 02)), date!(2026 - 04 - 01));
        assert_eq!(quarter_of(date!(2026 - 09 - 30)), date!(2026 - 07 - 01));
        assert_eq!(quarter_of(date!(2026 - 12 - 31)), date!(2026 - 10 - 01));
    }
}
