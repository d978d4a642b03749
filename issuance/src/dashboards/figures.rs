//! The figures of an office, a province or the country, and how they are kept for a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::applications::model::StageName;
use crate::applications::store::tally::{self, Ages};
use crate::cards::store::days;
use crate::deed::Deeds;
use crate::ground::OfficeCode;
use crate::offices::model::Unit;
use crate::offices::steps::all_units;
use crate::store::StoreError;

/// What this office has: the figures of the country, looked at once a minute for all who ask. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Dashboards(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: RwLock<Option<(Instant, Arc<Country>)>>,
    /// Held by the one who looks.
    looks: Mutex<()>,
}

/// The figures of an office.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Figures {
    /// Applications that it opened, by stage; the stages in the order in which an application meets them.
    pub stages: BTreeMap<usize, u64>,
    /// How late what it has is.
    pub ages: Ages,
    /// Cards of each day.
    pub cards: BTreeMap<Date, u64>,
}

impl Figures {
    /// Cards of all days that are told.
    pub fn made(&self) -> u64 {
        self.cards.values().sum()
    }

    /// Adds those of another office.
    pub fn add(&mut self, other: &Self) {
        for (stage, n) in &other.stages {
            *self.stages.entry(*stage).or_default() += n;
        }
        self.ages.add(other.ages);
        for (day, n) in &other.cards {
            *self.cards.entry(*day).or_default() += n;
        }
    }
}

/// The figures of every office at a moment.
#[derive(Debug)]
pub(super) struct Country {
    /// The moment.
    pub at: OffsetDateTime,
    /// By office.
    pub offices: BTreeMap<String, Figures>,
    /// The units, by code.
    pub units: BTreeMap<String, Unit>,
}

impl Country {
    /// The province of an office, if it is a unit of one.
    pub fn province(&self, office: &str) -> Option<String> {
        self.units.get(office).and_then(|unit| unit.province).map(|province| province.to_string())
    }

    /// The figures of the offices that this picks, together.
    pub fn of(&self, picks: impl Fn(&str) -> bool) -> Figures {
        let mut all = Figures::default();
        for (_, figures) in self.offices.iter().filter(|(office, _)| picks(office)) {
            all.add(figures);
        }
        all
    }
}

impl Dashboards {
    /// Returns the figures of every office: those of up to a minute ago, or older ones of today
    /// while they are read anew.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn country(&self, deeds: &Deeds) -> Result<Arc<Country>, StoreError> {
        if let Some(country) = self.kept(deeds, FRESH) {
            return Ok(country);
        }
        if let Some(country) = self.kept(deeds, USABLE) {
            let (this, deeds) = (self.clone(), deeds.clone());
            tokio::spawn(async move {
                let Ok(_looks) = this.0.looks.try_lock() else { return };
                if let Err(error) = this.look(&deeds).await {
                    tracing::warn!(%error, "the figures of the country could not be read");
                }
            });
            return Ok(country);
        }
        let _looks = self.0.looks.lock().await;
        match self.kept(deeds, FRESH) {
            Some(country) => Ok(country),
            None => self.look(deeds).await,
        }
    }

    async fn look(&self, deeds: &Deeds) -> Result<Arc<Country>, StoreError> {
        let country = Arc::new(look(deeds, None).await?);
        let mut kept = self.0.kept.write().expect("the lock is held for a copy only");
        *kept = Some((Instant::now(), Arc::clone(&country)));
        Ok(country)
    }

    /// Returns the figures that are kept, if they are younger than this and of today: a day that is
    /// over changes what is late.
    fn kept(&self, deeds: &Deeds, age: Duration) -> Option<Arc<Country>> {
        let kept = self.0.kept.read().expect("the lock is held for a copy only");
        let (read, country) = kept.as_ref()?;
        let (now, clock) = (deeds.source().now(), deeds.source().clock());
        let young = read.elapsed() < age && now - country.at < age && clock.day_of(country.at) == clock.today();
        young.then(|| Arc::clone(country))
    }
}

/// Looks at the figures of one office, or of all.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn look(deeds: &Deeds, office: Option<&OfficeCode>) -> Result<Country, StoreError> {
    let (at, today) = (deeds.source().now(), deeds.source().clock().today());
    let mut tx = deeds.db().begin_read().await?;
    let mut offices: BTreeMap<String, Figures> = BTreeMap::new();
    for (office, stage, n) in tally::by_stage(&mut tx, office).await? {
        // A stage of a later version is counted nowhere here.
        let Some(place) = StageName::ALL.iter().position(|known| known.word() == stage) else { continue };
        offices.entry(office).or_default().stages.insert(place, n);
    }
    for (office, ages) in tally::by_age(&mut tx, office, today).await? {
        offices.entry(office).or_default().ages = ages;
    }
    for (office, day, n) in days::made(&mut tx, office, first_day(today)).await? {
        offices.entry(office).or_default().cards.insert(day, n);
    }
    let units = all_units(&mut tx).await?.into_iter().map(|unit| (unit.code.to_string(), unit)).collect();
    Ok(Country { at, offices, units })
}

/// The first of the days whose cards are told.
pub(super) fn first_day(today: Date) -> Date {
    today - time::Duration::days(DAYS - 1)
}

/// The cards of so many days are told.
pub(super) const DAYS: i64 = 30;
/// The figures of the country are read anew after so long: reading the tallies of all offices takes longer than a page
/// should.
const FRESH: Duration = Duration::from_mins(1);
/// While they are read anew, those of so long ago are shown, with their moment.
const USABLE: Duration = Duration::from_mins(10);
