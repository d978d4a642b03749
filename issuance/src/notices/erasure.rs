//! What a notice says is erased when it was sent, or was not sent any more, and its term is over; how it ended stays.

use time::{Duration, OffsetDateTime};

use super::store::{self, Ended};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Id;
use crate::ground::actor::Actor;
use crate::holds;
use crate::store::StoreError;

/// What came of a notice whose turn it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// What it said is erased; the deed holds the record.
    Erased,
    /// A legal hold stands.
    Held,
    /// It is not to be erased: it waits, or ended later than the table says.
    NotDue,
}

/// Erases what a notice says, if it ended before `until` and no legal hold stands.
///
/// # Errors
/// [`StoreError`]
pub async fn erase<A: Actor>(
    deed: &mut Deed<A>,
    due: Ended,
    term: Duration,
    ground: &str,
    dry: bool,
) -> Result<Outcome, StoreError> {
    let Some((notice, _)) = store::locked(deed, due.id).await? else { return Ok(Outcome::NotDue) };
    let at: OffsetDateTime = deed.at();
    let Some(ended_at) = notice.ended_at.filter(|_| notice.state.is_over()) else {
        return Ok(Outcome::NotDue);
    };
    if ended_at + term > at {
        return Ok(Outcome::NotDue);
    }
    // A booking is no application: a hold of all of the person keeps it, and a hold of an application none.
    let of = notice.about.application().unwrap_or(Id::nil());
    if holds::store::standing(deed.tx(), notice.person, of, at).await?.is_some() {
        return Ok(Outcome::Held);
    }
    if !dry {
        store::erase(deed.tx(), notice.id).await?;
        let entry = Entry::new(Action::NoticeErased, Object::Notice(notice.id), Purpose::Retention);
        let how = notice.state.word();
        let reason = format!("{how} on {}; kept for {} days; {ground}", ended_at.date(), term.whole_days());
        deed.enter(entry.about(notice.person).of(&notice.office).because(reason)).await?;
    }
    Ok(Outcome::Erased)
}
