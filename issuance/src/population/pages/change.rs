//! A change of the register (form DC02): an officer types what is to stand there with the evidence; a second one sees
//! old beside new and what follows, and applies it or turns it down with a reason.

use std::collections::BTreeMap;

use askama::Template;
use crypto::perso::problem::ProblemCode;
use serde_json::{Map, Value, json};

use super::super::change::{self, ChangeError, Wanted};
use super::super::check::Declined;
use super::super::forms::{PLACES, RELATIVES, Typed};
use super::super::history::{Confidence, EventKind, Evidence, FactSource, Form, members};
use super::super::model::{Declaration, Registered};
use super::super::{PopulationError, steps};
use super::fields::{Drawn, Field, Group, all, lists, now_kept, parts_of, typed, typed_again, wrongs};
use super::person::UPDATE;
use super::proposal::{Names, Proposal, Tried, Waiting};
use super::{Act, done, reference, words};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::ground::text::{SomeWords, Words};
use crate::web::Problem;
use crate::web::html::{Asked, Filled, Frame, REGISTER, Shown, Texts, Trouble, page, page_about, to};

/// What is to change.
#[derive(Template)]
#[template(path = "register-change.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: String,
    name: String,
    number: String,
    kind: &'static str,
    /// The name of what the register held when the form was drawn.
    held: String,
    title: &'static str,
    says: &'static str,
    fields: Group,
    lists: Vec<(&'static str, Vec<String>)>,
    evidence: TypedEvidence,
    valid_from: Field,
    trouble: Option<Trouble>,
    to_mend: Vec<(String, String, String)>,
}

/// On what a change rests, as it was typed.
pub(super) struct TypedEvidence {
    pub document: String,
    pub wrong: Option<String>,
    pub source_wrong: Option<String>,
    /// From whom: word, text, whether it is chosen.
    pub sources: Vec<(&'static str, &'static str, bool)>,
}

impl TypedEvidence {
    /// What was typed, or what a form begins with.
    pub(super) fn of(
        filled: Option<&Filled>,
        usual: &'static str,
        wrongs: &BTreeMap<String, String>,
        t: &'static Texts,
    ) -> Self {
        let chosen = filled.map_or(usual, |filled| filled.text("source"));
        Self {
            document: filled.map(|filled| filled.text("document").to_owned()).unwrap_or_default(),
            wrong: wrongs.get("document").cloned(),
            source_wrong: wrongs.get("source").or_else(|| wrongs.get("evidence.source")).cloned(),
            sources: sources(t).into_iter().map(|(word, text)| (word, text, word == chosen)).collect(),
        }
    }
}

/// The authorities from whom a fact comes, by their words.
const SOURCES: [(&str, FactSource); 6] = [
    ("civil-status", FactSource::CivilStatus),
    ("residence", FactSource::Residence),
    ("identity-archive", FactSource::IdentityArchive),
    ("court", FactSource::Court),
    ("other-authority", FactSource::OtherAuthority),
    ("citizen", FactSource::Citizen),
];

/// Returns from whom a fact may come, in words.
fn sources(t: &'static Texts) -> Vec<(&'static str, &'static str)> {
    SOURCES.iter().map(|(word, _)| (*word, t.word(&t.source, word))).collect()
}

/// Reads on what a change rests: an authority's paper proves it, the citizen's word declares it.
pub(super) fn evidence(filled: &Filled, kind: Option<EventKind>) -> Result<Evidence, Problem> {
    let code = ProblemCode::ReasonUnfit;
    let source = SOURCES.iter().find(|(word, _)| *word == filled.text("source")).map(|(_, source)| *source);
    let source = source.ok_or_else(|| Problem::new(code).field("/source", code, "one of the list"))?;
    let document: SomeWords<200> = filled.judged("document")?;
    let document = Words::try_from(document.as_str().to_owned()).map_err(|error| {
        Problem::new(ProblemCode::TextUnfit).field("/document", ProblemCode::TextUnfit, error.to_string())
    })?;
    let form = if kind == Some(EventKind::Died) { Form::DeathMessage } else { Form::Dc02 };
    let confidence = if source == FactSource::Citizen { Confidence::Declared } else { Confidence::Proved };
    Ok(Evidence { form, source, document, confidence })
}

/// The fields that a kind of change touches, as they stand in a form.
fn names_of(kind: EventKind) -> Vec<String> {
    let Some(fields) = kind.fields() else {
        return all().into_iter().filter(|name| name != super::super::forms::FORM_NUMBER).collect();
    };
    let parts = |field: &&str| -> Vec<String> {
        match parts_of(field) {
            [] => vec![(*field).to_owned()],
            parts => parts.iter().map(|part| format!("{field}.{part}")).collect(),
        }
    };
    fields.iter().flat_map(parts).collect()
}

fn kind_of(word: &str) -> Result<EventKind, Problem> {
    let kind = EventKind::PROPOSED.into_iter().find(|kind| kind.word() == word);
    kind.ok_or_else(|| Problem::new(ProblemCode::NoSuchPath))
}

impl Act<of::Person> {
    async fn person(&self) -> Result<Registered, Problem> {
        let look = async |deed: &mut Deed<Officer>| Ok::<_, PopulationError>(steps::read(deed, self.id, UPDATE).await?);
        self.look(look).await
    }

    fn change_place(&self, kind: EventKind) -> String {
        format!("{REGISTER}/persons/{}/change?kind={}", self.id, kind.word())
    }

    /// Draws the form of a change: with what the register holds, or with what was typed.
    fn change_sheet(
        &self,
        registered: &Registered,
        kind: EventKind,
        filled: Option<(&Filled, Typed)>,
        problem: Option<&Problem>,
    ) -> Sheet {
        let (t, today, reference) = (self.t(), self.today(), self.register.reference());
        let held = Typed::from_declaration(&Declaration::from(&registered.person), reference, today);
        let digest = held.digest();
        let (filled, typed) = filled.map_or((None, held.clone()), |(filled, typed)| (Some(filled), typed));
        let moved_on = problem.is_some_and(|problem| problem.code() == ProblemCode::FormMovedOn);
        let names = names_of(kind);
        let doubts = if moved_on { now_kept(&names, &held, &typed, t) } else { BTreeMap::new() };
        let wrongs = problem.map(|problem| wrongs(problem, t)).unwrap_or_default();
        let drawn = Drawn {
            typed: &typed,
            wrongs: &wrongs,
            doubts: &doubts,
            reference,
            today,
            t,
            keep: format!("{}-{}", self.id, kind.word()),
        };
        let mut fields =
            drawn.group("g-change", &t.registry.new_values, &names.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(first) = fields.fields.first_mut() {
            first.first = problem.is_none();
        }
        let mut valid_from = drawn.field("valid_from");
        filled.map(|filled| filled.text("valid_from")).unwrap_or_default().clone_into(&mut valid_from.value);
        let to_mend = fields
            .fields
            .iter()
            .chain([&valid_from])
            .filter_map(|field| field.wrong.as_ref().map(|says| (field.id.clone(), field.label.clone(), says.clone())))
            .collect();
        Sheet {
            frame: self.frame(&self.change_place(kind)),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            id: self.id.to_string(),
            name: registered.person.full_name.as_str().to_owned(),
            number: words::number(registered, t),
            kind: kind.word(),
            held: digest,
            title: t.word(&t.event, kind.word()),
            says: t.word(&t.change, kind.word()),
            fields,
            lists: lists(reference, today),
            evidence: TypedEvidence::of(filled, default_source(kind), &wrongs, t),
            valid_from,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            to_mend,
        }
    }
}

/// From whom a fact of this kind comes, mostly.
fn default_source(kind: EventKind) -> &'static str {
    match kind {
        EventKind::DeclaredMissing | EventKind::FoundAgain => "court",
        EventKind::Moved => "residence",
        _ => "civil-status",
    }
}

/// The form of a change.
pub(super) async fn ask(act: Act<of::Person>, asked: Asked) -> Shown {
    let kind = kind_of(asked.some("kind").unwrap_or_default())?;
    let registered = act.person().await?;
    page(&act.change_sheet(&registered, kind, None, None))
}

/// Returns the fields whose text is another one than the register's, each with what it is to hold.
fn wanted(
    act: &Act<of::Person>,
    registered: &Registered,
    kind: EventKind,
    typed: &Typed,
) -> Result<Map<String, Value>, ChangeError> {
    let (today, reference) = (act.today(), act.register.reference());
    let held = Typed::from_declaration(&Declaration::from(&registered.person), reference, today);
    let differs = |name: &String| held.text(name) != typed.text(name);
    let (declaration, unclear) = typed.declaration(reference, today);
    if !unclear.is_empty() {
        return Err(Declined(unclear).into());
    }
    let declared = members(&declaration);
    let mut fields = Map::new();
    for name in names_of(kind).iter().filter(|name| differs(name)) {
        let top = name.split('.').next().unwrap_or_default();
        fields.insert(top.to_owned(), declared.get(top).cloned().unwrap_or(Value::Null));
    }
    // The birth date and a place that no person can be without are not taken away by an empty field: the rules say so.
    for (field, value) in &mut fields {
        if value.is_null() && !PLACES.contains(&field.as_str()) && !RELATIVES.contains(&field.as_str()) {
            *value = Value::String(String::new());
        }
    }
    Ok(fields)
}

/// Proposes a change, once, however often the form comes.
pub(super) async fn propose(act: Act<of::Person>, filled: Filled) -> Shown {
    let kind = kind_of(filled.text("kind"))?;
    let names = names_of(kind);
    let proposing = async {
        let typed = typed(&filled, &names)?;
        let evidence = evidence(&filled, Some(kind))?;
        let since = filled.text("valid_from").trim();
        let unreadable = |_| {
            let code = ProblemCode::DateUnreadable;
            Problem::new(code).field("/valid_from", code, "dd/MM/yyyy, MM/yyyy or yyyy")
        };
        let valid_from = if since.is_empty() { None } else { Some(since.parse().map_err(unreadable)?) };
        let verb = async |deed: &mut Deed<Officer>| {
            let registered = steps::read(deed, act.id, UPDATE).await.map_err(Problem::from)?;
            // What the officer left as it stood is no wish to have it back.
            let held =
                Typed::from_declaration(&Declaration::from(&registered.person), act.register.reference(), act.today());
            if held.digest() != filled.text("held") {
                return Err(Problem::new(ProblemCode::FormMovedOn));
            }
            let fields = wanted(&act, &registered, kind, &typed)?;
            let wanted = Wanted { kind, valid_from, evidence: evidence.clone(), fields: &fields };
            let proposal = change::propose(deed, &act.register, act.id, wanted).await?;
            Ok::<_, Problem>(json!({"change_id": proposal.id}))
        };
        act.once(&filled, verb).await
    };
    match Box::pin(proposing).await {
        Ok(made) => match made.text("change_id") {
            Some(id) => Ok(to(&format!("{REGISTER}/changes/{id}?done=proposed"))),
            None => Ok(to(REGISTER)),
        },
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let registered = act.person().await?;
            let typed = typed_again(&filled, &names);
            page_about(&problem, &act.change_sheet(&registered, kind, Some((&filled, typed)), Some(&problem)))
        }
    }
}

type ChangeAct = Act<of::Change>;

impl ChangeAct {
    async fn proposal(&self, tried: Tried<'_>) -> Result<Proposal, Problem> {
        let t = self.t();
        let look = async |deed: &mut Deed<Officer>| {
            let weighed = change::weigh(deed, &self.register, self.id).await?;
            let by = (&weighed.proposed.proposed, weighed.proposed.partner);
            let names = Names::of(deed, by, weighed.proposed.ended.as_ref()).await?;
            Ok::<_, ChangeError>((weighed, names))
        };
        let (weighed, names) = self.look(look).await?;
        let change::Weighed { proposed, registered, findings, consequences } = weighed;
        let barred = if proposed.ended.is_none() {
            Box::pin(self.barred(async |deed| change::apply(deed, &self.register, self.id).await)).await?
        } else {
            None
        };
        let waiting = Waiting {
            place: format!("{REGISTER}/changes/{}", self.id),
            title: format!("{} · {}", t.word(&t.event, proposed.kind.word()), reference(proposed.id)),
            registered: &registered,
            proposed: &proposed.proposed,
            ended: proposed.ended.as_ref(),
            is_applied: proposed.state == "applied",
            names,
            changes: &proposed.changes,
            evidence: &proposed.evidence,
            consequences,
            barred,
            apply: &t.registry.apply,
        };
        let mut sheet = self.waiting(waiting, tried);
        if let Some(since) = proposed.valid_from {
            sheet.evidence.push((&*t.registry.since, since.to_string()));
        }
        sheet.findings = words::findings(&findings, t);
        Ok(sheet)
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

/// A proposed change.
pub(super) async fn open(act: ChangeAct, asked: Asked) -> Shown {
    let done = done(&asked, act.t());
    page(&Box::pin(act.proposal(Tried { done, ..Tried::default() })).await?)
}

/// A second officer applies it, once, however often the form comes.
pub(super) async fn apply(act: ChangeAct, filled: Filled) -> Shown {
    let verb = async |deed: &mut Deed<Officer>| {
        let person = Box::pin(change::apply(deed, &act.register, act.id)).await?;
        Ok::<_, ChangeError>(json!({"person_id": person}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(_) => Ok(to(&format!("{REGISTER}/changes/{}?done=applied", act.id))),
        Err(problem) => act.proposal_again(problem, "").await,
    }
}

/// It is taken back, or turned down with a reason.
pub(super) async fn refuse(act: ChangeAct, filled: Filled) -> Shown {
    let refusing = async {
        let reason: SomeWords<200> = filled.judged("reason")?;
        act.once(&filled, async |deed| change::turn_down(deed, act.id, reason.as_str()).await).await
    };
    match Box::pin(refusing).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=turned-down"))),
        Err(problem) => act.proposal_again(problem, filled.text("reason")).await,
    }
}
