//! The page of the second officer: what was proposed, by whom, on which evidence, and what follows; of a change and of
//! a merge alike.

use askama::Template;

use super::super::history::{Evidence, FieldChange};
use super::super::model::Registered;
use super::fields::wrongs;
use super::words::{self, Row};
use super::{Act, name_of, proposer_of};
use crate::deed::{Consequences, Deed};
use crate::ground::ids::PartnerId;
use crate::ground::{Decision, Officer};
use crate::store::StoreError;
use crate::web::Problem;
use crate::web::html::{Frame, Trouble, fill};

/// A proposed change, merge, undoing or split, as the second officer sees it.
#[derive(Template)]
#[template(path = "register-proposal.html")]
pub(super) struct Proposal {
    pub frame: Frame,
    pub token: String,
    pub key: String,
    /// Where the acts go.
    pub action: String,
    pub title: String,
    pub name: String,
    pub number: String,
    /// The other record of a merge: address, name, number.
    pub other: Option<(String, String, String)>,
    pub person: String,
    pub proposed: String,
    pub rows: Vec<Row>,
    /// Both records whole, of a merge.
    pub beside: Vec<Row>,
    /// What the second person of a split declares.
    pub second: Vec<(String, String)>,
    pub evidence: Vec<(&'static str, String)>,
    pub consequences: Vec<&'static str>,
    pub of_other: Vec<&'static str>,
    pub findings: Vec<String>,
    /// Why it cannot be applied by this officer.
    pub barred: Option<Trouble>,
    /// True for the officer who proposed it.
    pub mine: bool,
    /// How it ended; nothing while it waits.
    pub ended: Option<String>,
    pub apply: &'static str,
    pub reason: String,
    pub wrong: Option<String>,
    pub trouble: Option<Trouble>,
    pub done: Option<&'static str>,
}

/// The names of the officers who proposed it and who ended it.
pub(super) struct Names {
    by: String,
    ended: Option<String>,
}

impl Names {
    pub(super) async fn of(
        deed: &mut Deed<Officer>,
        (proposed, partner): (&Decision, Option<PartnerId>),
        ended: Option<&Decision>,
    ) -> Result<Self, StoreError> {
        let by = proposer_of(deed, proposed.by, partner).await?;
        let ended = match ended {
            Some(ended) => Some(name_of(deed, ended.by).await?),
            None => None,
        };
        Ok(Self { by, ended })
    }
}

/// What each proposal has.
pub(super) struct Waiting<'a> {
    /// Where the acts go.
    pub place: String,
    pub title: String,
    /// The person; of a merge the record that survives.
    pub registered: &'a Registered,
    pub proposed: &'a Decision,
    /// How it ended, if it waits no more.
    pub ended: Option<&'a Decision>,
    pub is_applied: bool,
    pub names: Names,
    pub changes: &'a [FieldChange],
    pub evidence: &'a Evidence,
    pub consequences: Option<Consequences>,
    /// What the verb itself says against it.
    pub barred: Option<Trouble>,
    /// The words of the act.
    pub apply: &'static str,
}

/// What was tried on the page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried<'a> {
    /// What is wrong with it.
    pub problem: Option<&'a Problem>,
    /// The reason that was typed.
    pub reason: &'a str,
    /// What was done a moment ago.
    pub done: Option<&'static str>,
}

impl<K> Act<K> {
    /// Draws what each proposal has; what a merge has beside it is left empty.
    pub(super) fn waiting(&self, waiting: Waiting<'_>, Tried { problem, reason, done }: Tried<'_>) -> Proposal {
        let t = self.t();
        let Waiting { place, title, registered, proposed, ended, is_applied, names, .. } = waiting;
        let moment = |decision: &Decision| self.moment(decision.at);
        let how = if is_applied { &t.registry.applied_by } else { &t.registry.withdrawn_by };
        let ended = ended.zip(names.ended);
        Proposal {
            frame: self.frame(&place),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            action: place,
            title,
            name: registered.person.full_name.as_str().to_owned(),
            number: words::number(registered, t),
            other: None,
            person: registered.id.to_string(),
            proposed: fill(&t.registry.proposed_by, &[("name", &names.by), ("at", &moment(proposed))]),
            rows: words::changes(waiting.changes, self.register.reference(), self.today(), t),
            beside: vec![],
            second: vec![],
            evidence: words::evidence(waiting.evidence, t),
            consequences: waiting.consequences.map(|all| words::consequences(all, t)).unwrap_or_default(),
            of_other: vec![],
            findings: vec![],
            barred: waiting.barred,
            mine: self.visitor.officer.is_one_with(proposed.by),
            ended: ended.map(|(ended, name)| fill(how, &[("name", &name), ("at", &moment(ended))])),
            apply: waiting.apply,
            reason: reason.to_owned(),
            wrong: problem.and_then(|problem| wrongs(problem, t).remove("reason")),
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            done,
        }
    }
}
