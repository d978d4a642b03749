//! The floors of factories as open pages follow them: one look at the database a tick for each office, shared by all
//! who watch it; none while no page is open.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::floor::{self, Floor, Shelf};
use crate::deed::Deeds;
use crate::ground::ids::{OfficerId, SessionId};
use crate::ground::{OfficeCode, Officer};
use crate::store::StoreError;

/// What a page of a factory shows.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub floor: Floor,
    pub shelf: Arc<Shelf>,
}

/// The floors that are watched now. In memory; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Live(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    watched: Mutex<Watched>,
    /// True once the service stops.
    over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Watched {
    floors: BTreeMap<OfficeCode, watch::Sender<Option<Seen>>>,
    by_session: BTreeMap<SessionId, usize>,
    by_officer: BTreeMap<OfficerId, usize>,
    watchers: usize,
    over: bool,
}

impl Default for Live {
    fn default() -> Self {
        Self(Arc::new(Shared { watched: Mutex::default(), over: watch::channel(false).0 }))
    }
}

/// There are as many watchers as there may be, or the service stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full;

impl Live {
    /// Begins to watch the floor of an office; the first watcher begins the looks.
    ///
    /// # Errors
    /// [`Full`]
    pub fn watch(
        &self,
        deeds: &Deeds,
        lease: time::Duration,
        office: &OfficeCode,
        officer: &Officer,
    ) -> Result<Watcher, Full> {
        let (officer, session) = (officer.id, officer.session);
        let mut watched = self.watched();
        let of_session = watched.by_session.get(&session).copied().unwrap_or(0);
        let of_officer = watched.by_officer.get(&officer).copied().unwrap_or(0);
        let full = of_session >= MOST_OF_SESSION || of_officer >= MOST_OF_OFFICER || watched.watchers >= MOST;
        if watched.over || full {
            return Err(Full);
        }
        watched.watchers += 1;
        watched.by_session.insert(session, of_session + 1);
        watched.by_officer.insert(officer, of_officer + 1);
        let seen = match watched.floors.get(office) {
            Some(floor) => floor.subscribe(),
            None => {
                let (tell, seen) = watch::channel(None);
                watched.floors.insert(office.clone(), tell);
                tokio::spawn(self.clone().look(deeds.clone(), lease, office.clone()));
                seen
            }
        };
        drop(watched);
        Ok(Watcher { live: self.clone(), officer, session, seen, over: self.0.over.subscribe() })
    }

    /// Ends all watching, and lets none begin any more: the service stops.
    pub fn end(&self) {
        self.watched().over = true;
        self.0.over.send_replace(true);
    }

    /// Looks at a floor each tick until no page watches it.
    async fn look(self, deeds: Deeds, lease: time::Duration, office: OfficeCode) {
        let mut over = self.0.over.subscribe();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut shelf, mut told) = (None::<(Arc<Shelf>, Instant)>, None::<Instant>);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = over.wait_for(|over| *over) => {}
            }
            if self.leaves(&office) {
                return;
            }
            let kept = shelf.as_ref().filter(|(_, read)| read.elapsed() < SHELF).map(|(shelf, _)| Arc::clone(shelf));
            let seen = match seen(&deeds, lease, &office, kept.clone()).await {
                Ok(seen) => seen,
                // The pages keep what they have, with its time; the next tick tries again.
                Err(error) => {
                    tracing::warn!(office = office.as_str(), %error, "the floor of a factory could not be looked at");
                    continue;
                }
            };
            if kept.is_none() {
                shelf = Some((Arc::clone(&seen.shelf), Instant::now()));
            }
            let late = told.is_none_or(|told| told.elapsed() >= TELL);
            if let Some(floor) = self.watched().floors.get(&office)
                && floor.send_if_modified(|before| {
                    let news = late || before.as_ref().is_none_or(|before| before.is_other_than(&seen));
                    if news {
                        *before = Some(seen);
                    }
                    news
                })
            {
                told = Some(Instant::now());
            }
        }
    }

    /// Ends the looks at a floor that no page watches any more: who comes now begins them anew.
    fn leaves(&self, office: &OfficeCode) -> bool {
        let mut watched = self.watched();
        let alone = watched.floors.get(office).is_none_or(|floor| floor.receiver_count() == 0);
        let leaves = watched.over || alone;
        if leaves {
            watched.floors.remove(office);
        }
        leaves
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.watched.lock().expect("the lock is held for a count only")
    }
}

impl Seen {
    /// True if anything but the moment differs.
    fn is_other_than(&self, other: &Self) -> bool {
        let floor = Floor { at: other.floor.at, ..self.floor.clone() };
        floor != other.floor || !Arc::ptr_eq(&self.shelf, &other.shelf) && self.shelf != other.shelf
    }
}

/// Looks at the floor of an office, and at its shelf unless that was looked at a moment ago.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn seen(
    deeds: &Deeds,
    lease: time::Duration,
    office: &OfficeCode,
    shelf: Option<Arc<Shelf>>,
) -> Result<Seen, StoreError> {
    let (now, today) = (deeds.source().now(), deeds.source().clock().today());
    let mut tx = deeds.db().begin_read().await?;
    let floor = floor::read(&mut tx, office, now, lease).await?;
    let shelf = match shelf {
        Some(shelf) => shelf,
        None => Arc::new(floor::shelf(&mut tx, office, now, today).await?),
    };
    Ok(Seen { floor, shelf })
}

/// A page that watches a floor. Dropped, it does so no more.
#[derive(Debug)]
pub(super) struct Watcher {
    live: Live,
    officer: OfficerId,
    session: SessionId,
    seen: watch::Receiver<Option<Seen>>,
    over: watch::Receiver<bool>,
}

impl Watcher {
    /// Waits for what is seen next, at once the first time; `None` once the service stops.
    pub async fn next(&mut self) -> Option<Seen> {
        loop {
            tokio::select! {
                _ = self.over.wait_for(|over| *over) => return None,
                changed = self.seen.changed() => changed.ok()?,
            }
            let seen = self.seen.borrow_and_update().clone();
            if seen.is_some() {
                return seen;
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = self.live.watched();
        watched.watchers = watched.watchers.saturating_sub(1);
        one_less(&mut watched.by_session, self.session);
        one_less(&mut watched.by_officer, self.officer);
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// A floor is looked at so often while it is watched.
const TICK: Duration = Duration::from_secs(3);
/// What changes more slowly is looked at so often.
const SHELF: Duration = Duration::from_secs(30);
/// Where nothing changed, so long passes before the pages are told the time.
const TELL: Duration = Duration::from_secs(15);
/// A session watches at most so often at once: pages that are open beside each other.
const MOST_OF_SESSION: usize = 4;
/// An officer watches at most so often at once, by however many sessions: none takes the watching from the others.
const MOST_OF_OFFICER: usize = 12;
/// One process has at most so many watchers.
const MOST: usize = 400;
