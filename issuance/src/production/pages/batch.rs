//! The page of a batch of cards: how far it is, what is done about it, its applications without a name.

use std::collections::BTreeMap;

use ::pages::written;
use askama::Template;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use time::OffsetDateTime;

use super::view::{BatchCard, Words, factory_of, grouped};
use crate::access::stations;
use crate::applications::store::items;
use crate::deed::Deed;
use crate::ground::ids::{CardBatchId, StationId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Officer, Permission};
use crate::production::ProductionError;
use crate::production::card_batches::{self, CardBatch, CardBatchState};
use crate::production::floor::{FloorBatch, and_one};
use crate::production::store::card_batches as store;
use crate::store::Tx;
use crate::web::html::{
    Asked, Dress, FACTORY, Filled, Frame, Place, Shown, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// A batch of cards.
#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    frame: Frame,
    back: String,
    batch: BatchCard,
    released: Option<String>,
    closed: Option<String>,
    ready: Option<String>,
    acts: Acts,
    /// What the officer does next, or what it waits for.
    next: Option<String>,
    stations: Vec<(String, String, String, String)>,
    items: Vec<ItemRow>,
    more: Option<String>,
    token: String,
    key: String,
    reason: String,
    /// Which form the reason was typed into.
    of: &'static str,
    done: Option<&'static str>,
    trouble: Option<Trouble>,
}

/// What may be done about a batch by its state; whether it is, the verb says.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each act is offered or not, and none follows from another")]
struct Acts {
    release: bool,
    pause: bool,
    resume: bool,
    cancel: bool,
    close: bool,
}

/// An application of a batch.
struct ItemRow {
    place: u64,
    reference: String,
    stage: &'static str,
    station: String,
    serial: String,
    until: String,
    chips: String,
    tampered: bool,
}

/// What a station did for a batch.
#[derive(Default)]
struct StationRow {
    name: String,
    writing: u64,
    until: Option<OffsetDateTime>,
    done: u64,
}

impl BatchPage {
    /// Returns what is wrong with the reason that was typed into a form.
    fn wrong(&self, of: &str) -> Option<&str> {
        let trouble = self.trouble.as_ref().filter(|trouble| self.of == of && trouble.is_about("reason"));
        trouble.map(|trouble| trouble.title.as_str())
    }

    /// Returns the reason that was typed into a form.
    fn typed(&self, of: &str) -> &str {
        if self.of == of { &self.reason } else { "" }
    }
}

/// What the handlers of a batch need.
pub(super) struct Act {
    desk: Desk,
    dress: Dress,
    visitor: Visitor,
    id: CardBatchId,
}

impl<S: Send + Sync> FromRequestParts<S> for Act
where
    Desk: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Named(id) = Named::from_request_parts(parts, state).await?;
        Ok(Self {
            desk: Desk::from_ref(state),
            dress: Dress::from_request_parts(parts, state).await?,
            visitor: Visitor::from_request_parts(parts, state).await?,
            id,
        })
    }
}

/// `GET /pages/factory/batches/{id}`
pub(super) async fn show(act: Act, asked: Asked) -> Shown {
    let t = &texts(act.dress.language).factory;
    let done = match asked.some("done") {
        Some("released") => Some(&*t.done_released),
        Some("paused") => Some(&*t.done_paused),
        Some("resumed") => Some(&*t.done_resumed),
        Some("cancelled") => Some(&*t.done_cancelled),
        Some("closed") => Some(&*t.done_closed),
        _ => None,
    };
    let after = asked.some("after").and_then(|place| place.parse().ok()).unwrap_or(0);
    page(&Box::pin(act.sheet(after, String::new(), "", done, None)).await?)
}

/// `POST /pages/factory/batches/{id}/release`
pub(super) async fn release(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    act.does(&filled, "release", "released", async |deed, _| card_batches::release(deed, id).await).await
}

/// `POST /pages/factory/batches/{id}/pause`
pub(super) async fn pause(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    act.does(&filled, "pause", "paused", async |deed, reason| card_batches::pause(deed, id, reason).await).await
}

/// `POST /pages/factory/batches/{id}/resumption`
pub(super) async fn resume(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    act.does(&filled, "resume", "resumed", async |deed, _| card_batches::resume(deed, id).await).await
}

/// `POST /pages/factory/batches/{id}/cancellation`
pub(super) async fn cancel(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    act.does(&filled, "cancel", "cancelled", async |deed, reason| card_batches::cancel(deed, id, reason).await).await
}

/// `POST /pages/factory/batches/{id}/closing`
pub(super) async fn close(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    act.does(&filled, "close", "closed", async |deed, _| card_batches::close(deed, id).await).await
}

impl Act {
    /// Does the verb once, however often the form comes, and shows the batch; or shows it with what is wrong, and all
    /// that was typed.
    async fn does(
        self,
        filled: &Filled,
        of: &'static str,
        done: &str,
        verb: impl AsyncFnOnce(&mut Deed<Officer>, &str) -> Result<CardBatch, ProductionError>,
    ) -> Shown {
        let reason = if matches!(of, "pause" | "cancel") {
            filled.judged::<SomeWords<MOST_OF_REASON>>("reason").map(Some)
        } else {
            Ok(None)
        };
        let said = match (reason, filled.stamp()) {
            (Err(problem), _) | (_, Err(problem)) => Err(problem),
            (Ok(reason), Ok(stamp)) => {
                let kept = async |deed: &mut Deed<Officer>| {
                    verb(deed, reason.as_ref().map_or("", SomeWords::as_str)).await.map(drop)
                };
                Box::pin(self.desk.write(self.visitor.officer.clone(), stamp, kept)).await.map(drop)
            }
        };
        match said {
            Ok(()) => Ok(to(&format!("{FACTORY}/batches/{}?done={done}", self.id))),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => {
                let act = Self { dress: self.dress.at(&format!("{FACTORY}/batches/{}", self.id)), ..self };
                let typed = filled.text("reason").to_owned();
                page_about(&problem, &Box::pin(act.sheet(0, typed, of, None, Some(&problem))).await?)
            }
        }
    }

    async fn sheet(
        &self,
        after: u64,
        reason: String,
        of: &'static str,
        done: Option<&'static str>,
        problem: Option<&Problem>,
    ) -> Result<BatchPage, Problem> {
        let (t, source, officer) = (texts(self.dress.language), self.desk.deeds().source(), &self.visitor.officer);
        let (now, offset) = (source.now(), source.clock().offset());
        let words = Words { language: self.dress.language, offset };
        let mut tx = self.desk.deeds().db().begin_read().await?;
        let batch = store::batch(&mut tx, self.id).await?.ok_or(ProductionError::CardBatchUnknown)?;
        officer.may_act_for(&batch.office)?;
        let progress = card_batches::progress(&mut tx, batch.id, now).await?;
        let ready = card_batches::ready(&mut tx, batch.id, source.clock().today()).await?;
        let names: BTreeMap<StationId, String> = stations::of_office(&mut tx, &batch.office, now, MOST_STATIONS)
            .await?
            .into_iter()
            .map(|one| (one.id, one.name))
            .collect();
        let (items, more) = self.items(&mut tx, after, &names, words).await?;
        let floor = FloorBatch::new(&batch, &progress, false);
        let keeps = officer.may(Permission::Stock);
        let own = officer.is_one_with(batch.drafted.by);
        let working = matches!(batch.state, CardBatchState::Released | CardBatchState::Paused);
        let over = working && floor.counts.waiting + floor.counts.leased == 0;
        let acts = Acts {
            release: keeps && batch.state == CardBatchState::Drafted && !own,
            pause: keeps && batch.state == CardBatchState::Released && !over,
            resume: keeps && batch.state == CardBatchState::Paused && !over,
            cancel: keeps && batch.state != CardBatchState::Closed && !over,
            close: keeps && over,
        };
        let next = match batch.state {
            CardBatchState::Drafted if own => Some(t.factory.waits_second.clone()),
            CardBatchState::Drafted => Some(t.factory.release_says.clone()),
            CardBatchState::Released | CardBatchState::Paused if over => Some(t.factory.close_says.clone()),
            CardBatchState::Released | CardBatchState::Paused => {
                let open = words.count(floor.counts.waiting + floor.counts.leased);
                Some(fill(&t.factory.close_not_yet, &[("n", &open)]))
            }
            CardBatchState::Closed => None,
        };
        let silent = |until: OffsetDateTime| if until < now { &*t.factory.lease_over } else { "" };
        let stations = self.stations(&mut tx, &names).await?.into_iter().map(|row| {
            let until =
                row.until.map_or_else(String::new, |at| format!("{} {}", written::moment(at, offset), silent(at)));
            (row.name, words.count(row.writing), until, words.count(row.done))
        });
        let moment = |at| written::moment(at, offset);
        Ok(BatchPage {
            back: factory_of(&batch.office, &officer.office),
            batch: words.batch(&floor),
            released: batch.released.as_ref().map(|by| fill(&t.factory.released, &[("at", &moment(by.at))])),
            closed: batch.closed.as_ref().map(|end| fill(&t.factory.closed, &[("at", &moment(end.by.at))])),
            ready: (floor.counts.waiting > 0).then(|| fill(&t.factory.ready, &[("n", &words.count(ready))])),
            acts,
            next,
            stations: stations.collect(),
            items,
            more,
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            reason,
            of,
            done,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            frame: Frame::new(&self.dress, Some(&self.visitor), Place::Factory),
        })
    }

    /// Returns what each station did for the batch.
    async fn stations(&self, tx: &mut Tx, names: &BTreeMap<StationId, String>) -> Result<Vec<StationRow>, Problem> {
        let unnamed = &texts(self.dress.language).factory.by_station;
        let mut stations: BTreeMap<StationId, StationRow> = BTreeMap::new();
        for (station, stage, n, until) in items::by_station(tx, self.id).await? {
            let name = names.get(&station).unwrap_or(unnamed);
            let row =
                stations.entry(station).or_insert_with(|| StationRow { name: name.clone(), ..StationRow::default() });
            if stage == "in-production" {
                (row.writing, row.until) = (n, until);
            } else if items::is_card(&stage) {
                row.done += n;
            }
        }
        Ok(stations.into_values().collect())
    }

    /// Returns the applications of the batch after a place, and the address of the next ones.
    async fn items(
        &self,
        tx: &mut Tx,
        after: u64,
        names: &BTreeMap<StationId, String>,
        words: Words,
    ) -> Result<(Vec<ItemRow>, Option<String>), Problem> {
        let t = texts(self.dress.language);
        let mut rows = items::listed(tx, self.id, after, and_one(AT_ONCE)).await?;
        let more = rows.len() > AT_ONCE;
        rows.truncate(AT_ONCE);
        let mut shown = Vec::with_capacity(rows.len());
        for (row, holds) in &rows {
            let item = items::read(row)?;
            let stage: String = row.get("stage")?;
            let id = item.application.to_string();
            let lease = item.lease.as_ref();
            let station =
                lease.map(|lease| names.get(&lease.station).cloned().unwrap_or_else(|| t.factory.by_station.clone()));
            shown.push(ItemRow {
                place: item.place,
                reference: id[id.len() - 6..].to_uppercase(),
                stage: t.word(&t.stage, &stage),
                station: station.unwrap_or_default(),
                serial: lease.map_or_else(String::new, |lease| grouped(&lease.serial.to_string())),
                until: match lease {
                    Some(lease) if stage == "in-production" => written::moment(lease.until, words.offset),
                    _ => String::new(),
                },
                chips: words.count(item.chips),
                tampered: !holds,
            });
        }
        let next =
            shown.last().filter(|_| more).map(|last| format!("{FACTORY}/batches/{}?after={}", self.id, last.place));
        Ok((shown, next))
    }
}

/// So many applications are shown at once.
const AT_ONCE: usize = 50;
/// So many stations are asked for their names.
const MOST_STATIONS: i64 = 200;
