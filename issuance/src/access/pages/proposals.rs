//! The pages of what waits for a second administrator about officers. What was proposed is read whole before it is
//! confirmed; a one-time token that comes of it is shown once.

use askama::Template;
use axum::Json;
use axum::extract::State;
use time::{OffsetDateTime, UtcOffset};

use super::super::proposals::{Change, Proposal, Proposed, Token};
use super::super::{Access, AccessError, proposals};
use super::officers::{Done, address, done_at, in_words};
use crate::deed::Deed;
use crate::ground::ids::{OfficerId, ProposalId};
use crate::ground::{OfficeCode, Officer};
use crate::web::html::{
    Asked, Dress, Filled, Frame, PROPOSALS, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// What waits.
#[derive(Template)]
#[template(path = "proposals.html")]
struct Proposals {
    frame: Frame,
    rows: Vec<Row>,
    /// There are more than are shown.
    more: Option<String>,
    done: Option<String>,
}

struct Row {
    href: String,
    officer: String,
    office: OfficeCode,
    change: String,
    by: String,
    at: String,
    until: String,
    /// True if the owner of the key file proposed it.
    offline: bool,
}

/// A proposal with the names of the people in it.
struct Called {
    proposal: Proposal,
    officer: String,
    by: Option<String>,
}

async fn called(deed: &mut Deed<Officer>, proposal: Proposal) -> Result<Called, AccessError> {
    let officer = super::super::called(deed.tx(), proposal.officer).await?;
    let by = match proposal.by {
        Some(by) => Some(super::super::called(deed.tx(), by).await?),
        None => None,
    };
    Ok(Called { proposal, officer, by })
}

/// Returns the first proposals that wait, and how many wait.
async fn waiting(deed: &mut Deed<Officer>) -> Result<(Vec<Called>, usize), AccessError> {
    let mut all = proposals::list(deed).await?;
    // What the owner of the key file proposed alone is seen first, however much waits.
    all.sort_by_key(|proposal| proposal.by.is_some());
    let (mut first, count) = (vec![], all.len());
    for proposal in all.into_iter().take(MOST) {
        first.push(called(deed, proposal).await?);
    }
    Ok((first, count))
}

/// Returns how many proposals wait about officers for whom an administrator acts.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_proposals(desk: &Desk, officer: &Officer) -> Result<usize, Problem> {
    let look = async |deed: &mut Deed<Officer>| proposals::list(deed).await.map(|all| all.len());
    let Json(count) = desk.look(officer.clone(), look).await?;
    Ok(count)
}

/// `GET /pages/administration/proposals`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let Json((all, count)) = desk.look(visitor.officer.clone(), async |deed| waiting(deed).await).await?;
    let offset = desk.deeds().source().clock().offset();
    let moment = |at: OffsetDateTime| ::pages::written::moment(at, offset);
    let row = |one: Called| Row {
        href: format!("{PROPOSALS}/{}", one.proposal.id),
        officer: one.officer,
        office: one.proposal.office.clone(),
        change: change_in_words(&one.proposal.change, t),
        offline: one.by.is_none(),
        by: one.by.unwrap_or_else(|| t.proposals.offline.clone()),
        at: moment(one.proposal.at),
        until: moment(one.proposal.expires_at),
    };
    let done = asked.some("done").and_then(|word| match word {
        "withdrawn" => Some(t.proposals.done_withdrawn.clone()),
        _ => None,
    });
    let frame = Frame::new(&dress, Some(&visitor), Place::Administration);
    let counts = [MOST, count].map(|n| n.to_string());
    let more = (count > MOST).then(|| fill(&t.lists.first_of, &[("n", &counts[0]), ("all", &counts[1])]));
    page(&Proposals { frame, rows: all.into_iter().map(row).collect(), more, done })
}

/// Returns what is proposed, in words.
pub(super) fn change_in_words(change: &Change, t: &'static Texts) -> String {
    match change {
        Change::Appoint => t.proposals.appoint.clone(),
        Change::Certificate => t.proposals.certificate.clone(),
        Change::Disable => t.proposals.disable.clone(),
        Change::Enable => t.proposals.enable.clone(),
        Change::Office { office } => fill(&t.proposals.to_office, &[("office", office.as_str())]),
        Change::Reset => t.proposals.reset.clone(),
        Change::Roles { roles } => fill(&t.proposals.to_roles, &[("roles", &in_words(roles, t))]),
    }
}

/// One proposal, whole.
#[derive(Template)]
#[template(path = "proposal.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: ProposalId,
    officer: String,
    officer_href: String,
    office: OfficeCode,
    /// The officer's roles when it was made.
    roles: String,
    change: String,
    reason: String,
    by: String,
    at: String,
    until: String,
    /// Proposed by the owner of the key file: when it takes effect, or that it waits.
    alone: Option<String>,
    /// What the verb itself says against a confirmation by this administrator.
    barred: Option<Trouble>,
    /// True if this administrator may take it back or turn it down.
    may_withdraw: bool,
    trouble: Option<Trouble>,
}

/// `GET /pages/administration/proposals/{id}`
pub(super) async fn open(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<ProposalId>,
) -> Shown {
    page(&sheet(&access, &desk, &dress, &visitor, id, None).await?)
}

async fn sheet(
    access: &Access,
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: ProposalId,
    problem: Option<&Problem>,
) -> Result<Sheet, Problem> {
    let t = texts(dress.language);
    let look = async |deed: &mut Deed<Officer>| {
        let found = proposals::list(deed).await?.into_iter().find(|one| one.id == id);
        called(deed, found.ok_or(AccessError::ProposalUnknown)?).await
    };
    let Json(Called { proposal, officer, by }) = desk.look(visitor.officer.clone(), look).await?;
    let barred = match tried(desk, &visitor.officer, async |deed| {
        proposals::confirm(deed, access.settings(), id).await.map(drop)
    })
    .await?
    {
        Some(problem) if problem.status().is_server_error() => return Err(problem),
        barred => barred,
    };
    let withdrawn = tried(desk, &visitor.officer, async |deed| proposals::withdraw(deed, id).await.map(drop)).await?;
    let offset = desk.deeds().source().clock().offset();
    let moment = |at: OffsetDateTime| ::pages::written::moment(at, offset);
    let now = desk.deeds().source().now();
    Ok(Sheet {
        frame: Frame::new(&dress.at(&format!("{PROPOSALS}/{id}")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        id,
        officer,
        officer_href: address(proposal.officer),
        office: proposal.office.clone(),
        roles: proposal.roles.as_deref().map_or_else(|| "?".to_owned(), |roles| in_words(roles, t)),
        change: change_in_words(&proposal.change, t),
        reason: proposal.reason.clone(),
        by: by.unwrap_or_else(|| t.proposals.offline.clone()),
        at: moment(proposal.at),
        until: moment(proposal.expires_at),
        alone: proposal.effective_at.map(|_| match proposal.administrator_seen_at {
            None => fill(&t.proposals.alone, &[("at", &moment(now + proposal.remaining()))]),
            Some(since) => fill(&t.proposals.alone_waits, &[("at", &moment(since))]),
        }),
        barred: barred.map(|problem| Trouble::of(&problem, t)),
        may_withdraw: withdrawn.is_none(),
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// Returns what a verb says against being done by this administrator: it is tried in a deed that is not kept, so that
/// there is no second rule beside it.
async fn tried(
    desk: &Desk,
    officer: &Officer,
    verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<(), AccessError>,
) -> Result<Option<Problem>, Problem> {
    let mut deed = desk.deeds().open(officer.clone()).await?;
    let said = verb(&mut deed).await;
    drop(deed);
    Ok(said.err().map(Problem::from))
}

/// `POST /pages/administration/proposals/{id}/confirmation`
pub(super) async fn confirm(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<ProposalId>,
    filled: Filled,
) -> Shown {
    let mut shown = None;
    let said = match filled.stamp() {
        Ok(stamp) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let all = proposals::list(deed).await?;
                let change = all.into_iter().find(|one| one.id == id).map(|one| one.change);
                let Proposed { officer, token, .. } = proposals::confirm(deed, access.settings(), id).await?;
                shown = change.zip(token).map(|(change, token)| (officer, change, token));
                Ok::<_, AccessError>(Done { officer, word: "effective" })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match (said, shown) {
        (Ok(_), Some((officer, change, token))) => given(&desk, &dress, &visitor, officer, (&change, token)).await,
        (Ok(answer), None) => Ok(to(&done_at(&answer))),
        (Err(problem), _) => again(&access, &desk, &dress, &visitor, id, problem).await,
    }
}

/// `POST /pages/administration/proposals/{id}/withdrawal`
pub(super) async fn withdraw(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<ProposalId>,
    filled: Filled,
) -> Shown {
    let said = match filled.stamp() {
        Ok(stamp) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let Proposed { officer, .. } = proposals::withdraw(deed, id).await?;
                Ok::<_, AccessError>(Done { officer, word: "withdrawn" })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{PROPOSALS}?done=withdrawn"))),
        Err(problem) => again(&access, &desk, &dress, &visitor, id, problem).await,
    }
}

/// Shows the proposal again with what is wrong.
async fn again(
    access: &Access,
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: ProposalId,
    problem: Problem,
) -> Shown {
    if problem.status().is_server_error() {
        return Err(problem);
    }
    match sheet(access, desk, dress, visitor, id, Some(&problem)).await {
        Ok(sheet) => page_about(&problem, &sheet),
        // It is gone: what the verb said is all there is to say.
        Err(_) => Err(problem),
    }
}

/// A one-time token, shown this once.
#[derive(Template)]
#[template(path = "token.html")]
struct Given {
    frame: Frame,
    officer: String,
    officer_href: String,
    /// In groups of four.
    token: String,
    until: String,
    /// True for a client certificate, false for a password.
    certificate: bool,
    printed: String,
}

/// Answers with the token that came of an act.
///
/// # Errors
/// [`Problem`]
pub(super) async fn given(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    officer: OfficerId,
    (change, token): (&Change, Token),
) -> Shown {
    let mut tx = desk.deeds().db().begin_read().await?;
    let name = super::super::called(&mut tx, officer).await?;
    drop(tx);
    let offset: UtcOffset = desk.deeds().source().clock().offset();
    let groups: Vec<&str> = (0..token.text.len() / 4).filter_map(|at| token.text.get(at * 4..at * 4 + 4)).collect();
    page(&Given {
        frame: Frame::new(&dress.at(&address(officer)), Some(visitor), Place::Administration),
        officer: name,
        officer_href: address(officer),
        token: groups.join(" "),
        until: ::pages::written::moment(token.expires_at, offset),
        certificate: *change == Change::Certificate,
        printed: ::pages::written::moment(desk.deeds().source().now(), offset),
    })
}

/// Proposals that a list shows, the oldest first.
const MOST: usize = 200;
