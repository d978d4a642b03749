//! The queue of an approver's office: what waits, the most urgent first, without names.

use time::{Date, Duration};

use super::super::lists::{doubtful, taken};
use super::super::model::Kind;
use super::super::store::lists::by_due_day;
use super::super::store::progress_of;
use super::file::{kind_word, reference};
use crate::ground::ids::ApplicationId;
use crate::ground::{Id, Officer, Role};
use crate::offices;
use crate::web::html::{APPROVALS, Texts, fill};
use crate::web::{Desk, Problem};

/// What waits.
#[derive(Debug)]
pub(super) struct Queue {
    /// How many, as it is written; with a plus where there are more than are shown.
    pub count: String,
    /// The heading.
    pub title: String,
    /// The most urgent first.
    pub rows: Vec<Row>,
    /// That there are more.
    pub more: Option<String>,
    /// The one that is open, for the address of the queue alone.
    pub current: String,
}

/// One application of the queue.
#[derive(Debug)]
pub(super) struct Row {
    /// Identifier.
    pub id: ApplicationId,
    /// Its address.
    pub href: String,
    /// How officers call it.
    pub reference: String,
    /// What is applied for.
    pub kind: &'static str,
    /// Until when.
    pub due: String,
    /// The colour of the day.
    pub due_class: &'static str,
    /// At most one tag: colour, glyph, word.
    pub tag: Option<(&'static str, &'static str, &'static str)>,
    /// True for the one that is open.
    pub current: bool,
    /// True while another officer has it.
    pub taken: bool,
    /// The key that opens it from the one that is open.
    pub key: Option<&'static str>,
}

/// Reads the queue of the officer's office.
///
/// # Errors
/// The store's.
pub(super) async fn read(
    desk: &Desk,
    officer: &Officer,
    current: Option<ApplicationId>,
    t: &'static Texts,
) -> Result<Queue, Problem> {
    read_for(desk, officer, (Role::Approver, APPROVALS), current, t).await
}

/// As [`read`], of what the office has with this role, opened at this address.
///
/// # Errors
/// The store's.
pub(super) async fn read_for(
    desk: &Desk,
    officer: &Officer,
    (role, place): (Role, &'static str),
    current: Option<ApplicationId>,
    t: &'static Texts,
) -> Result<Queue, Problem> {
    let source = desk.deeds().source();
    let (now, today) = (source.now(), source.clock().today());
    let mut tx = desk.deeds().db().begin_read().await?;
    let mut found = by_due_day(&mut tx, &officer.office, role, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let more = found.len() > shown;
    found.truncate(shown);
    let doubtful = doubtful(&mut tx, &found).await?;
    let claims = taken(&mut tx, &found, now).await?;
    let calendar = offices::steps::calendar(&mut tx, today.year() - 1, today.year()).await?;
    drop(tx);
    let mut rows = vec![];
    for (record, holds) in &found {
        let id = Id::of(record, "id")?;
        let kind: Option<Kind> = record.json("kind").ok();
        let progress = progress_of(record).ok();
        let due = progress.as_ref().and_then(|progress| progress.due);
        let late = progress.map_or(0, |progress| progress.days_late(today, &calendar));
        let (due, due_class) = due_in_words(due, late, today, t);
        let claim = claims.get(&id);
        let mine = claim.is_some_and(|claim| claim.officer == officer.id);
        let tag = if !holds {
            Some(("bad-t", "i-no", &*t.approvals.tampered))
        } else if doubtful.contains(&Id::of(record, "person_id")?) {
            Some(("wait", "i-wait", &*t.approvals.doubles))
        } else if mine {
            Some(("info", "i-info", &*t.approvals.mine))
        } else {
            claim.map(|_| ("", "i-none", &*t.approvals.taken))
        };
        rows.push(Row {
            id,
            href: format!("{place}/{id}"),
            reference: reference(id),
            kind: kind.map_or("?", |kind| t.word(&t.kind, &kind_word(kind))),
            due,
            due_class,
            tag,
            current: Some(id) == current,
            taken: claim.is_some() && !mine,
            key: None,
        });
    }
    if let Some(at) = rows.iter().position(|row| row.current) {
        if let Some(row) = rows.get_mut(at + 1) {
            row.key = Some("j");
        }
        if let Some(row) = at.checked_sub(1).and_then(|before| rows.get_mut(before)) {
            row.key = Some("k");
        }
    } else if let Some(first) = rows.first_mut() {
        first.key = Some("j");
    }
    let count = format!("{}{}", rows.len(), if more { "+" } else { "" });
    Ok(Queue {
        title: fill(&t.approvals.queue, &[("n", &count)]),
        count,
        more: more.then(|| fill(&t.approvals.more, &[("n", &SHOWN.to_string())])),
        current: current.map(|id| id.to_string()).unwrap_or_default(),
        rows,
    })
}

/// Returns the day until which something is due as people say it, with its colour.
pub(super) fn due_in_words(
    due: Option<Date>,
    days_late: u32,
    today: Date,
    t: &'static Texts,
) -> (String, &'static str) {
    match due {
        None => (t.approvals.no_due.clone(), "dim"),
        Some(due) if due < today => {
            // The day itself may have been followed by none but holidays.
            (fill(&t.approvals.late, &[("n", &days_late.max(1).to_string())]), "c-bad strong")
        }
        Some(due) if due == today => (t.approvals.today.clone(), "c-wait strong"),
        Some(due) if due == today + Duration::DAY => (t.approvals.tomorrow.clone(), "strong"),
        Some(due) => (fill(&t.approvals.due, &[("day", &::pages::written::date(due))]), "dim"),
    }
}

/// So many rows are shown: more than an officer decides in a day.
const SHOWN: i64 = 100;

#[cfg(test)]
mod tests {
    use ::pages::Language;
    use time::macros::date;

    use super::*;
    use crate::web::html::texts;

    #[test]
    fn a_day_is_told_by_how_near_it_is() {
        let today = date!(2026 - 11 - 26);
        let told = |due, late| due_in_words(due, late, today, texts(Language::En)).0;
        assert_eq!(told(Some(date!(2026 - 11 - 24)), 2), "late by 2 d");
        assert_eq!(told(Some(date!(2026 - 11 - 25)), 0), "late by 1 d");
        assert_eq!(told(Some(today), 0), "due today");
        assert_eq!(told(Some(date!(2026 - 11 - 27)), 0), "due tomorrow");
        assert_eq!(told(Some(date!(2026 - 12 - 01)), 0), "due 01/12/2026");
        assert_eq!(told(None, 0), "no due day");
    }
}
