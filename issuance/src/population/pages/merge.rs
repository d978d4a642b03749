//! Two records of one person side by side: which one survives and what it takes over; the page of the second officer;
//! and the undoing of a merge that was wrong.

use askama::Template;
use crypto::perso::problem::ProblemCode;
use serde_json::json;

use super::super::change::ChangeError;
use super::super::history::EventKind;
use super::super::merge::{self, MergeError, MergeKind};
use super::super::model::Registered;
use super::super::{PopulationError, check, steps};
use super::change::{TypedEvidence, evidence};
use super::fields::wrongs;
use super::person::{self, UPDATE};
use super::proposal::{Names, Proposal, Tried, Waiting};
use super::words::{self, Row};
use super::{Act, done, reference};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::{PersonId, of};
use crate::ground::text::SomeWords;
use crate::web::Problem;
use crate::web::html::{Asked, Filled, Frame, REGISTER, Shown, Trouble, page, page_about, to};

/// Two records, and what is kept of them.
#[derive(Template)]
#[template(path = "register-merge.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: String,
    other: String,
    name: String,
    number: String,
    other_name: String,
    other_number: String,
    rows: Vec<Row>,
    /// Fields that are taken over from the other record.
    take: Vec<String>,
    evidence: TypedEvidence,
    trouble: Option<Trouble>,
    /// What bars it whatever is taken over.
    barred: Option<Trouble>,
}

impl Sheet {
    /// True if a field is taken over from the other record.
    fn takes(&self, field: &str) -> bool {
        self.take.iter().any(|taken| taken == field)
    }
}

type PersonAct = Act<of::Person>;

impl PersonAct {
    async fn both(&self, other: PersonId) -> Result<(Registered, Registered), Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let one = steps::read(deed, self.id, UPDATE).await?;
            let other = steps::read(deed, other, UPDATE).await?;
            Ok::<_, PopulationError>((one, other))
        };
        self.look(look).await
    }

    async fn merge_sheet(
        &self,
        other: PersonId,
        filled: Option<&Filled>,
        problem: Option<&Problem>,
    ) -> Result<Sheet, Problem> {
        let t = self.t();
        let (one, two) = self.both(other).await?;
        let wrongs = problem.map(|problem| wrongs(problem, t)).unwrap_or_default();
        let tried = async |deed: &mut Deed<Officer>| {
            let evidence = super::super::history::Evidence::of_declaration();
            merge::propose_merge(deed, &self.register, self.id, other, &[], evidence).await.map(drop)
        };
        let barred = Box::pin(self.barred(tried)).await?;
        Ok(Sheet {
            frame: self.frame(&format!("{REGISTER}/persons/{}/merge?other={other}", self.id)),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            id: self.id.to_string(),
            other: other.to_string(),
            name: one.person.full_name.as_str().to_owned(),
            number: words::number(&one, t),
            other_name: two.person.full_name.as_str().to_owned(),
            other_number: words::number(&two, t),
            rows: words::side_by_side(&one.person, &two.person, self.register.reference(), self.today(), t),
            take: filled.map(|filled| filled.all("take").map(str::to_owned).collect()).unwrap_or_default(),
            evidence: TypedEvidence::of(filled, "identity-archive", &wrongs, t),
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            barred,
        })
    }
}

fn other_of(text: &str) -> Result<PersonId, Problem> {
    text.parse().map_err(|_| Problem::new(ProblemCode::PersonUnknown))
}

/// Two records side by side.
pub(super) async fn ask(act: PersonAct, asked: Asked) -> Shown {
    let other = other_of(asked.some("other").unwrap_or_default())?;
    page(&Box::pin(act.merge_sheet(other, None, None)).await?)
}

/// Proposes that both are of one person, once, however often the form comes.
pub(super) async fn propose(act: PersonAct, filled: Filled) -> Shown {
    let other = other_of(filled.text("other"))?;
    let proposing = async {
        let evidence = evidence(&filled, None)?;
        let take: Vec<String> = filled.all("take").map(|field| field.chars().take(40).collect()).collect();
        let verb = async |deed: &mut Deed<Officer>| {
            let proposal = merge::propose_merge(deed, &act.register, act.id, other, &take, evidence.clone()).await?;
            Ok::<_, MergeError>(json!({"merge_id": proposal.id}))
        };
        act.once(&filled, verb).await
    };
    match Box::pin(proposing).await {
        Ok(made) => Ok(to(&merge_place(made.text("merge_id").as_deref()))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let sheet = Box::pin(act.merge_sheet(other, Some(&filled), Some(&problem))).await?;
            page_about(&problem, &sheet)
        }
    }
}

/// Proposes that a merge was wrong.
pub(super) async fn undo(act: PersonAct, filled: Filled) -> Shown {
    let proposing = async {
        let evidence = evidence(&filled, Some(EventKind::Corrected))?;
        let verb = async |deed: &mut Deed<Officer>| {
            let proposal = merge::propose_undo(deed, &act.register, act.id, evidence.clone()).await?;
            Ok::<_, MergeError>(json!({"merge_id": proposal.id}))
        };
        act.once(&filled, verb).await
    };
    match Box::pin(proposing).await {
        Ok(made) => Ok(to(&merge_place(made.text("merge_id").as_deref()))),
        Err(problem) => person::again(&act, problem, &filled).await,
    }
}

fn merge_place(id: Option<&str>) -> String {
    id.map_or_else(|| REGISTER.to_owned(), |id| format!("{REGISTER}/merges/{id}?done=proposed"))
}

type MergeAct = Act<of::Merge>;

impl MergeAct {
    async fn proposal(&self, tried: Tried<'_>) -> Result<Proposal, Problem> {
        let t = self.t();
        let look = async |deed: &mut Deed<Officer>| {
            let weighed = merge::weigh(deed, &self.register, self.id).await?;
            let names = Names::of(deed, (&weighed.proposed.proposed, None), weighed.proposed.ended.as_ref()).await;
            Ok::<_, MergeError>((weighed, names.map_err(ChangeError::from)?))
        };
        let (weighed, names) = self.look(look).await?;
        let merge::Weighed { proposed, survivor, other, consequences, of_other } = weighed;
        let barred = if proposed.ended.is_none() {
            Box::pin(self.barred(async |deed| Box::pin(merge::apply(deed, &self.register, self.id)).await)).await?
        } else {
            None
        };
        let (today, tables) = (self.today(), self.register.reference());
        let second = proposed.declaration.as_ref();
        let second = second.and_then(|declared| check::examine(declared, tables, today).ok());
        let waiting = Waiting {
            place: format!("{REGISTER}/merges/{}", self.id),
            title: format!("{} · {}", t.word(&t.merging, proposed.kind.word()), reference(proposed.id)),
            registered: &survivor,
            proposed: &proposed.proposed,
            ended: proposed.ended.as_ref(),
            is_applied: proposed.state == "applied",
            names,
            changes: &proposed.changes,
            evidence: &proposed.evidence,
            consequences,
            barred,
            apply: match proposed.kind {
                MergeKind::Merge => &t.registry.apply_merge,
                MergeKind::Undo => &t.registry.apply_undo,
                MergeKind::Split => &t.registry.apply_split,
            },
        };
        let beside = other.as_ref().filter(|_| proposed.kind == MergeKind::Merge);
        Ok(Proposal {
            other: other.as_ref().map(|other| {
                let name = other.person.full_name.as_str().to_owned();
                (format!("{REGISTER}/persons/{}", other.id), name, words::number(other, t))
            }),
            beside: beside
                .map_or_else(Vec::new, |other| words::side_by_side(&survivor.person, &other.person, tables, today, t)),
            second: second.map_or_else(Vec::new, |(person, _)| words::person(&person, tables, today, t)),
            of_other: words::consequences(of_other, t),
            ..self.waiting(waiting, tried)
        })
    }

    async fn proposal_again(&self, problem: Problem, reason: &str) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem);
        }
        let tried = Tried { problem: Some(&problem), reason, done: None };
        let sheet = Box::pin(self.proposal(tried)).await?;
        page_about(&problem, &sheet)
    }
}

/// A proposed merge, undoing or split.
pub(super) async fn open(act: MergeAct, asked: Asked) -> Shown {
    let done = done(&asked, act.t());
    page(&Box::pin(act.proposal(Tried { done, ..Tried::default() })).await?)
}

/// A second officer applies it, once, however often the form comes.
pub(super) async fn apply(act: MergeAct, filled: Filled) -> Shown {
    let verb = async |deed: &mut Deed<Officer>| {
        let second = Box::pin(merge::apply(deed, &act.register, act.id)).await?;
        Ok::<_, MergeError>(json!({"second_person_id": second}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(_) => Ok(to(&format!("{REGISTER}/merges/{}?done=applied", act.id))),
        Err(problem) => act.proposal_again(problem, "").await,
    }
}

/// It is taken back, or turned down with a reason.
pub(super) async fn refuse(act: MergeAct, filled: Filled) -> Shown {
    let refusing = async {
        let reason: SomeWords<200> = filled.judged("reason")?;
        act.once(&filled, async |deed| merge::turn_down(deed, act.id, reason.as_str()).await).await
    };
    match Box::pin(refusing).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=turned-down"))),
        Err(problem) => act.proposal_again(problem, filled.text("reason")).await,
    }
}
