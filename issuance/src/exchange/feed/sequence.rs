//! Changes get their places, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use time::Duration;

use crate::deed::{Changed, Deeds, forget_changes, waiting_changes};
use crate::exchange::notifications::BORN;
use crate::exchange::store::feed::{self, Follow, Notice};
use crate::exchange::store::notifications;
use crate::ground::ids::PersonId;
use crate::store::StoreError;

/// Gives the changes that were noted their places in the feeds of those who follow. Each stretch is one transaction
/// that holds the counter of places: a second service waits for it, and what is cut is as if it never began. Returns
/// how many changes were taken.
///
/// # Errors
/// [`StoreError`]
pub async fn place_changes(deeds: &Deeds) -> Result<usize, StoreError> {
    let mut taken = 0;
    loop {
        let mut tx = deeds.db().begin_upkeep().await?;
        let mut next = feed::next_place(&mut tx).await?;
        let changes = waiting_changes(&mut tx, STRETCH).await?;
        if changes.is_empty() {
            return Ok(taken);
        }
        let persons: Vec<PersonId> = changes.iter().map(|change| change.person).collect();
        let mut followers: BTreeMap<PersonId, Vec<Follow>> = BTreeMap::new();
        for follow in feed::followers(&mut tx, &persons).await? {
            followers.entry(follow.person).or_default().push(follow);
        }
        let born = changes.iter().any(|change| change.fields.contains(BORN));
        let told_of_births = if born { notifications::told_of_births(&mut tx).await? } else { Vec::new() };
        let (at, mut rng) = (deeds.source().now(), deeds.source().rng());
        let mut notices = Vec::new();
        for Changed { person, fields, effective, .. } in &changes {
            let follow = followers.get(person).into_iter().flatten().map(|follow| (follow.partner, &follow.purpose));
            let mut feeds: BTreeSet<_> = follow.collect();
            if fields.contains(BORN) {
                feeds.extend(told_of_births.iter().map(|(partner, purpose)| (*partner, purpose)));
            }
            for (partner, purpose) in feeds {
                notices.push(Notice {
                    partner,
                    purpose: purpose.clone(),
                    place: next,
                    tag: rng.random(),
                    person: *person,
                    fields: fields.iter().map(String::as_str).collect::<Vec<_>>().join(","),
                    effective: effective.clone(),
                    at,
                });
                next += 1;
            }
        }
        feed::insert(&mut tx, &notices).await?;
        feed::set_next_place(&mut tx, next).await?;
        forget_changes(&mut tx, &changes.iter().map(|change| change.id).collect::<Vec<_>>()).await?;
        tx.commit().await?;
        taken += changes.len();
    }
}

/// Erases notices after their time. Returns how many.
///
/// # Errors
/// [`StoreError`]
pub async fn erase_notices(deeds: &Deeds, kept: Duration) -> Result<usize, StoreError> {
    let before = deeds.source().now() - kept;
    let mut erased = 0;
    loop {
        let mut tx = deeds.db().begin_upkeep().await?;
        let some = feed::erase(&mut tx, before, STRETCH).await?;
        tx.commit().await?;
        erased += some;
        if some == 0 {
            return Ok(erased);
        }
    }
}

/// So many changes get their places at once.
const STRETCH: i64 = 500;
