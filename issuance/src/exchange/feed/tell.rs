//! A partner reads its feed.

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use super::{Cursor, Kind, kinds};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::exchange::ask::Answered;
use crate::exchange::model::{Grant, Service};
use crate::exchange::store::feed::{self, Follow, Placed};
use crate::exchange::subject::province_of;
use crate::exchange::{Exchange, ExchangeError, limits};
use crate::ground::actor::Partner;
use crate::population::store as register;

/// What a partner is told of its feed; signed.
#[derive(Debug, Serialize)]
struct Told<'a> {
    purpose: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    items: Vec<Change>,
    next: Option<String>,
    more: bool,
}

/// A change, without data.
#[derive(Debug, Serialize)]
struct Change {
    cursor: String,
    pseudonym: String,
    kinds: BTreeSet<Kind>,
    effective: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
}

/// The persons whom a partner follows; signed.
#[derive(Debug, Serialize)]
struct Followed<'a> {
    purpose: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    cursor: Option<String>,
    items: Vec<One>,
    next: Option<String>,
}

/// A person who is followed.
#[derive(Debug, Serialize)]
struct One {
    pseudonym: String,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

/// Tells what changed after a cursor, at most so many notices; without a cursor from the first that is kept. Each
/// person of whom it tells has a record. Where nothing is told, nothing is written.
///
/// # Errors
/// [`ExchangeError::NotAgreed`]; [`ExchangeError::CursorGone`] for a cursor that this feed does not have, and without
/// one where the oldest notices are kept no more
pub(super) async fn changes(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: Partner,
    purpose: &str,
    (after, most): (Option<&str>, u16),
) -> Result<Answered, ExchangeError> {
    let mut deed = deeds.open(partner).await?;
    let (_, _, grant) = limits::granted(&mut deed, Service::Follow, purpose).await?;
    let partner = deed.actor().id;
    let of_feed = (partner, purpose);
    let place = match after {
        None if feed::erased(deed.tx(), of_feed).await? => return Err(ExchangeError::CursorGone),
        None => 0,
        Some(text) => {
            let cursor = Cursor::read(text).ok_or(ExchangeError::CursorGone)?;
            if !feed::has(deed.tx(), of_feed, (cursor.place, cursor.tag)).await? {
                return Err(ExchangeError::CursorGone);
            }
            cursor.place
        }
    };
    let mut rows = feed::after(deed.tx(), of_feed, place, i64::from(most) + 1).await?;
    let more = rows.len() > usize::from(most);
    rows.truncate(usize::from(most));
    let next = rows.last().map(|row| Cursor { place: row.place, tag: row.tag }.text());
    let (mut changes, mut entries) = (Vec::new(), Vec::new());
    for row in rows {
        let Some((pseudonym, request)) = row.follow.clone() else { continue };
        let kinds = kinds_of(&mut deed, &grant, &row).await?;
        if kinds.is_empty() {
            continue;
        }
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let entry = Entry::new(Action::ChangesTold, Object::ExchangeRequest(request), Purpose::Exchange);
        entries.push(entry.about(row.person).because(words.join(",")));
        let cursor = Cursor { place: row.place, tag: row.tag }.text();
        changes.push(Change { cursor, pseudonym, kinds, effective: row.effective, placed_at: row.at });
    }
    let told = Told { purpose, answered_at: deed.at(), items: changes, next: next.or(after.map(str::to_owned)), more };
    finish(deed, exchange, &told, entries).await
}

/// Tells whom a partner follows, and where its feed ends now: what a partner reads again whose cursor is gone.
///
/// # Errors
/// [`ExchangeError::NotAgreed`]
pub(super) async fn follows(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: Partner,
    purpose: &str,
    (after, most): (Option<&str>, u16),
) -> Result<Answered, ExchangeError> {
    let mut deed = deeds.open(partner).await?;
    limits::granted(&mut deed, Service::Follow, purpose).await?;
    let of_feed = (deed.actor().id, purpose);
    // Read before the persons: what changes meanwhile stands after it.
    let cursor = feed::last(deed.tx(), of_feed).await?.map(|(place, tag)| Cursor { place, tag }.text());
    let mut rows = feed::followed(deed.tx(), of_feed, after.unwrap_or_default(), i64::from(most) + 1).await?;
    let more = rows.len() > usize::from(most);
    rows.truncate(usize::from(most));
    let next = rows.last().filter(|_| more).map(|row| row.pseudonym.clone());
    let entry = |row: &Follow| {
        let entry = Entry::new(Action::FollowsListed, Object::ExchangeRequest(row.request), Purpose::Exchange);
        entry.about(row.person)
    };
    let entries = rows.iter().map(entry).collect();
    let follows = rows.into_iter().map(|row| One { pseudonym: row.pseudonym, since: row.at }).collect();
    let told = Followed { purpose, answered_at: deed.at(), cursor, items: follows, next };
    finish(deed, exchange, &told, entries).await
}

/// Ends that a partner follows a person: also after its agreement ended. Returns false if it
/// does not follow the person.
///
/// # Errors
/// [`ExchangeError`]
pub(super) async fn unfollow(
    deeds: &Deeds,
    partner: Partner,
    purpose: &str,
    pseudonym: &str,
) -> Result<bool, ExchangeError> {
    let mut deed = deeds.open(partner).await?;
    let of_feed = (deed.actor().id, purpose);
    let Some(ended) = feed::unfollow(deed.tx(), of_feed, pseudonym).await? else { return Ok(false) };
    let entry = Entry::new(Action::FollowEnded, Object::ExchangeRequest(ended.request), Purpose::Exchange);
    deed.enter(entry.about(ended.person)).await?;
    deed.commit().await?;
    Ok(true)
}

/// Returns what of a change a partner is told. Of a person who lives elsewhere by now only that: the residence changed.
pub(in crate::exchange) async fn kinds_of(
    deed: &mut Deed<Partner>,
    grant: &Grant,
    row: &Placed,
) -> Result<BTreeSet<Kind>, ExchangeError> {
    let mut kinds = kinds(&row.fields, &grant.fields);
    if !grant.provinces.is_empty() && !kinds.is_empty() {
        let person = register::person(deed, row.person).await?;
        if !grant.reaches(person.as_ref().and_then(province_of).as_deref()) {
            kinds.retain(|kind| *kind == Kind::Residence);
            if kinds.is_empty() {
                // What was read to see that it is not told has a record too.
                let entry = Entry::new(Action::ChangesTold, Object::Partner(deed.actor().id), Purpose::Exchange);
                deed.enter(entry.about(row.person).because("none")).await?;
            }
        }
    }
    Ok(kinds)
}

/// Signs, writes the records, and makes it true. Where no person is told of, the deed ends without a trace.
async fn finish(
    mut deed: Deed<Partner>,
    exchange: &Exchange,
    told: &impl Serialize,
    entries: Vec<Entry>,
) -> Result<Answered, ExchangeError> {
    let (body, signature) = exchange.signer.sign(serde_json::to_vec(told)?)?;
    deed.enter_all(entries).await?;
    if !deed.told().is_empty() {
        deed.commit().await?;
    }
    Ok(Answered { body, signature })
}
