//! Confirmations that one system of a partner asks at the same moment are answered in one transaction.
//!
//! All of them are answered, or none: a question to which anything is to be said but an answer (its limit is reached,
//! no agreement allows it, it came before) leaves the others, and is judged alone, as if it had come alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::Date;

use super::answer::{self, Found, Said};
use super::ask::{Answered, Asked, Held, agreed_fields};
use super::model::{Agreement, Grant, Service};
use super::store::agreements;
use super::store::requests::{self, Kept};
use super::subject::{By, DECOY};
use super::{Exchange, ExchangeError, limits};
use crate::deed::{Action, Deed, DeedError, Deeds};
use crate::ground::actor::Partner;
use crate::ground::ids::{AgreementId, PartnerId, PartnerSystemId, RequestId};
use crate::ground::together::Together;
use crate::population::store::search;
use crate::store::StoreError;

/// Confirmations that wait, of each system of a partner apart. With each go its turns: they end with the answer, also
/// where the caller is given up.
pub(super) type Confirmations = Together<(PartnerId, PartnerSystemId), (Arc<Asked>, Held), Result<Answered, Held>>;

/// Answers a confirmation of a number for life, together with those that wait.
///
/// # Errors
/// The turns, where it must be judged alone: nothing of it was done.
pub(super) async fn answer(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Arc<Asked>,
    held: Held,
) -> Result<Answered, Option<Held>> {
    let by_number = matches!(asked.subject.by(), Ok(By::Number(_)));
    // What a carrier brings has a message of its own, which the carrier and the member's system are looked at for.
    if asked.service != Service::Confirm || !by_number || partner.carried.is_some() {
        return Err(Some(held));
    }
    let work = {
        let (deeds, exchange, partner) = (deeds.clone(), exchange.clone(), partner.clone());
        move |questions| {
            let (deeds, exchange, partner) = (deeds.clone(), exchange.clone(), partner.clone());
            async move { all_of(&deeds, &exchange, &partner, questions).await }
        }
    };
    let question = (Arc::clone(asked), held);
    match exchange.confirmations.answer((partner.id, partner.system), question, work).await {
        Some(answered) => answered.map_err(Some),
        None => Err(None),
    }
}

/// Answers questions, each or not.
async fn all_of(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    questions: Vec<(Arc<Asked>, Held)>,
) -> Vec<Result<Answered, Held>> {
    let (questions, held): (Vec<Arc<Asked>>, Vec<Held>) = questions.into_iter().unzip();
    let mut answers: Vec<Option<Answered>> = questions.iter().map(|_| None).collect();
    let mut left: Vec<usize> = (0..questions.len()).collect();
    // Two transactions that have identifiers in common wait for each other in one order.
    left.sort_by(|one, other| questions[*one].request.cmp(&questions[*other].request));
    for _ in 0..TRIES {
        let some: Vec<&Asked> = left.iter().map(|place| &*questions[*place]).collect();
        let mut spending = Spending { exchange, taken: BTreeMap::new(), more: BTreeMap::new() };
        let done = Box::pin(attempt(deeds, exchange, partner, &some, &mut spending)).await;
        spending.settle(done.is_ok());
        match done {
            Ok(all) => {
                for (place, answered) in std::mem::take(&mut left).into_iter().zip(all) {
                    answers[place] = Some(answered);
                }
            }
            Err(Apart::These(out)) => {
                let stays = |(at, place): (usize, usize)| (!out.contains(&at)).then_some(place);
                left = left.into_iter().enumerate().filter_map(stays).collect();
            }
            // What it is, each question hears that is judged alone.
            Err(Apart::All) => break,
        }
        if left.is_empty() {
            break;
        }
    }
    answers.into_iter().zip(held).map(|(answered, held)| answered.ok_or(held)).collect()
}

/// So often those that are left are answered again without the ones to which anything else is to be said.
const TRIES: usize = 3;

/// Which questions are judged alone.
enum Apart {
    /// Those at these places.
    These(BTreeSet<usize>),
    /// All.
    All,
}

impl Apart {
    /// Nothing, if there is none.
    fn of(out: BTreeSet<usize>) -> Result<(), Self> {
        if out.is_empty() { Ok(()) } else { Err(Self::These(out)) }
    }
}

impl From<ExchangeError> for Apart {
    fn from(_: ExchangeError) -> Self {
        Self::All
    }
}

impl From<DeedError> for Apart {
    fn from(_: DeedError) -> Self {
        Self::All
    }
}

impl From<StoreError> for Apart {
    fn from(_: StoreError) -> Self {
        Self::All
    }
}

/// Returns the places of those that go out.
fn places(out: impl Iterator<Item = bool>) -> BTreeSet<usize> {
    out.enumerate().filter_map(|(at, out)| out.then_some(at)).collect()
}

/// Answers questions in one transaction.
async fn attempt(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    questions: &[&Asked],
    spending: &mut Spending<'_>,
) -> Result<Vec<Answered>, Apart> {
    let mut deed = deeds.open(partner.clone()).await?;
    let (at, today) = (deed.at(), deed.today());
    let in_force = agreements::in_force(deed.tx(), partner.id, at).await?;
    let of: Vec<Option<(&Agreement, usize, &Grant)>> =
        questions.iter().map(|asked| allowed(&deed, exchange, partner, asked, &in_force).ok()).collect();
    Apart::of(places(of.iter().map(Option::is_none)))?;
    let of: Vec<(&Agreement, usize, &Grant)> = of.into_iter().flatten().collect();
    // Before anything is read of a person; of several grants in one order.
    let mut by_grant: Vec<usize> = (0..of.len()).collect();
    by_grant.sort_by_key(|at| (of[*at].0.id, of[*at].1));
    for at in by_grant {
        if !spending.take(&mut deed, of[at], today).await? {
            return Err(Apart::These(BTreeSet::from([at])));
        }
    }
    let numbers = questions.iter().map(|asked| asked.subject.target().to_owned()).collect();
    let found = search::by_numbers_or(deed.tx(), numbers, DECOY).await?;
    let found: Vec<Found> = found.into_iter().map(Found::from).collect();
    for person in found.iter().flat_map(Found::persons) {
        deed.saw(person);
    }
    let subject = |(asked, found): (&&Asked, &Found)| limits::subject_of(&deed, partner, asked, found);
    let subjects: Vec<[u8; 32]> = questions.iter().zip(&found).map(subject).collect();
    let about = questions.iter().zip(&subjects).map(|(asked, subject)| (asked.officer.clone(), *subject)).collect();
    let counted = limits::counted(&deed, exchange);
    let missed = requests::misses_of(deed.tx(), partner.id, about, counted).await?;
    Apart::of(places(missed.into_iter().map(|missed| limits::few_misses(exchange, partner, missed).is_err())))?;

    let mut answers = Vec::with_capacity(questions.len());
    let mut records = Vec::with_capacity(questions.len());
    for (((asked, found), (agreement, _, grant)), subject) in questions.iter().zip(&found).zip(&of).zip(subjects) {
        let said = answer::confirmed(&deed, asked, found, (agreement, grant), subject)?;
        let (action, persons) = (Action::ExchangeAnswered, found.persons());
        records.extend(answer::entries(action, said.id, &persons, said.outcome, agreement.id));
        answers.push(answer::signed(exchange, said)?);
    }
    let ids: Vec<RequestId> = answers.iter().map(|(_, said)| said.id).collect();
    let (answered, rest): (Vec<Answered>, Vec<Said>) = answers.into_iter().unzip();
    let each = answered.iter().zip(rest).zip(questions).zip(&of);
    let kept = each.map(|(((answered, said), asked), (agreement, ..))| {
        answer::kept(&deed, partner, asked, agreement, answered, said)
    });
    let kept: Vec<Kept<'_>> = kept.collect();
    let before = requests::insert_all(deed.tx(), partner, kept).await?;
    Apart::of(places(ids.iter().map(|id| before.contains(id))))?;
    deed.enter_all(records).await?;
    deed.commit().await?;
    Ok(answered)
}

/// Returns what allows a question.
fn allowed<'a>(
    deed: &Deed<Partner>,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    in_force: &'a [Agreement],
) -> Result<(&'a Agreement, usize, &'a Grant), ExchangeError> {
    limits::fit_officer(exchange, partner, &asked.officer)?;
    limits::fit_clock(exchange, asked, deed.at())?;
    let of = limits::granted_by(in_force, deed, asked.service, &asked.purpose)?;
    agreed_fields(of.2, asked)?;
    Ok(of)
}

/// What questions that are answered together take of the day's quotas.
struct Spending<'a> {
    exchange: &'a Exchange,
    /// Taken of what this process had reserved: of each grant the day, and how many.
    taken: BTreeMap<(AgreementId, usize), (Date, u32)>,
    /// Reserved by the transaction: of each grant the day, and how many are left.
    more: BTreeMap<(AgreementId, usize), (Date, u32)>,
}

impl Spending<'_> {
    /// Takes one. Returns false if the day's quota is spent.
    async fn take(
        &mut self,
        deed: &mut Deed<Partner>,
        (agreement, place, grant): (&Agreement, usize, &Grant),
        today: Date,
    ) -> Result<bool, ExchangeError> {
        let key = (agreement.id, place);
        if let Some((_, left)) = self.more.get_mut(&key).filter(|(_, left)| *left > 0) {
            *left -= 1;
            return Ok(true);
        }
        if self.exchange.quota.take(key, today) {
            self.taken.entry(key).or_insert((today, 0)).1 += 1;
            return Ok(true);
        }
        let Some(left) = limits::reserve(deed, (agreement, place, grant), today).await?.checked_sub(1) else {
            return Ok(false);
        };
        self.more.entry(key).or_insert((today, 0)).1 += left;
        Ok(true)
    }

    /// What the transaction reserved counts now that it is true; what was taken goes back where nothing came of it.
    fn settle(self, done: bool) {
        let back = if done { self.more } else { self.taken };
        for (key, (day, count)) in back {
            self.exchange.quota.put(key, day, count);
        }
    }
}
