//! Form DC01 as an officer types it: every field by keyboard, kept as it is left; checked against rules and register
//! before it is sent to be read a second time.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse as _;
use crypto::perso::problem::ProblemCode;
use serde_json::json;

use super::super::forms::{self, FormError, PaperForm, RELATIVES, Typed};
use super::fields::{Drawn, Group, all, label, lists, now_kept, parts_of, typed, typed_again, wrongs};
use super::words::{Double, by_field, doubles, findings};
use super::{Act, name_of, reference};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::ground::text::SomeWords;
use crate::web::html::{Filled, Frame, REGISTER, Shown, Trouble, Visitor, fill, page, page_about, to};
use crate::web::{Desk, Problem};

/// The form.
#[derive(Template)]
#[template(path = "register-form.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: String,
    title: String,
    revision: u32,
    groups: Vec<Group>,
    lists: Vec<(&'static str, Vec<String>)>,
    saved: String,
    /// Fields that a second officer read otherwise.
    differs: Vec<String>,
    /// What the rules and the register say, once it was checked.
    checked: Option<Checked>,
    dismissal: String,
    trouble: Option<Trouble>,
    wrong_reason: Option<String>,
    /// Where each field is that does not fit, for the head of the page.
    to_mend: Vec<(String, String, String)>,
}

/// What was found in what was typed.
struct Checked {
    findings: Vec<String>,
    doubles: Vec<Double>,
}

/// Begins a form, once, however often the button is pressed.
pub(super) async fn begin(State(desk): State<Desk>, visitor: Visitor, filled: Filled) -> Shown {
    let stamp = filled.stamp()?;
    let verb = async |deed: &mut Deed<Officer>| {
        let form = forms::begin(deed).await?;
        Ok::<_, FormError>(json!({"form_id": form.id}))
    };
    let made = desk.write(visitor.officer.clone(), stamp, verb).await?;
    let id = made.text("form_id").ok_or_else(|| Problem::new(ProblemCode::Internal))?;
    Ok(to(&format!("{REGISTER}/forms/{id}")))
}

type FormAct = Act<of::Form>;

impl FormAct {
    fn place(&self) -> String {
        format!("{REGISTER}/forms/{}", self.id)
    }

    /// Draws the form as it was kept, or with what an officer typed since.
    async fn sheet(
        &self,
        typed: Option<Typed>,
        checked: Option<(Checked, BTreeMap<String, String>)>,
        problem: Option<&Problem>,
        dismissal: String,
    ) -> Result<Sheet, Problem> {
        let t = self.t();
        let look = async |deed: &mut Deed<Officer>| {
            let form = forms::read(deed, self.id).await?;
            let name = name_of(deed, form.saved.by).await?;
            Ok::<_, FormError>((form, name))
        };
        let (form, name) = self.look(look).await?;
        let typed = typed.unwrap_or_else(|| form.typed.clone());
        let wrongs = problem.map(|problem| wrongs(problem, t)).unwrap_or_default();
        let (checked, mut doubts) =
            checked.map_or((None, BTreeMap::new()), |(checked, doubts)| (Some(checked), doubts));
        if problem.is_some_and(|problem| problem.code() == ProblemCode::FormMovedOn) {
            doubts.extend(now_kept(&all(), &form.typed, &typed, t));
        }
        for field in &form.differs {
            let part = parts_of(field).first();
            let name = part.map_or_else(|| field.clone(), |part| format!("{field}.{part}"));
            doubts.entry(name).or_insert_with(|| t.registry.read_otherwise.clone());
        }
        let drawn = Drawn {
            typed: &typed,
            wrongs: &wrongs,
            doubts: &doubts,
            reference: self.register.reference(),
            today: self.today(),
            t,
            keep: self.id.to_string(),
        };
        let mut groups = groups(&drawn);
        if let Some(first) = groups.first_mut().and_then(|group| group.fields.first_mut()) {
            first.first = problem.is_none() && checked.is_none();
        }
        let drawn_fields = groups.iter().flat_map(|group| &group.fields);
        let to_mend = drawn_fields
            .filter_map(|field| field.wrong.as_ref().map(|says| (field.id.clone(), field.label.clone(), says.clone())))
            .collect();
        let saved = fill(&t.counter.saved, &[("name", &name), ("at", &self.moment(form.saved.at))]);
        Ok(Sheet {
            frame: self.frame(&self.place()),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            id: self.id.to_string(),
            title: called(&form, t),
            revision: form.revision,
            groups,
            lists: lists(self.register.reference(), self.today()),
            saved: if form.revision == 0 { String::new() } else { saved },
            differs: form.differs.iter().map(|field| label(field, t)).collect(),
            checked,
            dismissal,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            wrong_reason: wrongs.get("reason").cloned(),
            to_mend,
        })
    }

    /// Keeps what was typed, in a deed of its own: whatever becomes of the act, it is not lost. Returns it with the
    /// revision that it has now.
    async fn kept(&self, filled: &Filled) -> Result<(Typed, u32), Problem> {
        let typed = typed(filled, &all())?;
        let seen = filled.text("revision").parse().unwrap_or_default();
        let keep = async |deed: &mut Deed<Officer>| {
            let form = forms::keep(deed, self.id, seen, typed.clone()).await?;
            Ok::<_, FormError>(form.revision)
        };
        let revision = self.look(keep).await?;
        Ok((typed, revision))
    }

    async fn again(&self, problem: Problem, filled: &Filled) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem);
        }
        let typed = typed_again(filled, &all());
        let sheet = Box::pin(self.sheet(Some(typed), None, Some(&problem), filled.text("reason").to_owned())).await?;
        page_about(&problem, &sheet)
    }
}

/// How a form is called: by the number of the paper, or by the end of its identifier.
pub(super) fn called(form: &PaperForm, t: &'static crate::web::html::Texts) -> String {
    let number = form.number().unwrap_or_else(|| reference(form.id));
    fill(&t.registry.form_called, &[("number", &number)])
}

/// The groups of form DC01, in the order of the paper.
fn groups(drawn: &Drawn<'_>) -> Vec<Group> {
    let t = drawn.t;
    let mut groups = vec![
        drawn.group(
            "g-person",
            &t.registry.group_person,
            &["form", "full_name", "birth_date", "sex", "ethnic_group", "religion", "nationality", "marital_status"],
        ),
        Group {
            id: "g-places",
            title: &t.registry.group_places,
            fields: ["birth_registration", "place_of_origin", "permanent_residence"]
                .iter()
                .flat_map(|top| drawn.parts(top))
                .collect(),
            folded: false,
        },
        drawn.group(
            "g-parents",
            &t.registry.group_parents,
            &["father.full_name", "father.personal_number", "mother.full_name", "mother.personal_number"],
        ),
        drawn.group(
            "g-household",
            &t.registry.group_household,
            &["head_of_household.full_name", "relation_to_head", "household_book_number", "old_id_number"],
        ),
    ];
    let shown: Vec<String> =
        groups.iter().flat_map(|group| group.fields.iter().map(|field| field.name.clone())).collect();
    // What few people fill in stands together, and is open as soon as something of it is filled in or wrong.
    let mut rest: Vec<_> =
        ["temporary_residence", "current_residence"].iter().flat_map(|top| drawn.parts(top)).collect();
    for top in RELATIVES {
        rest.extend(drawn.parts(top).into_iter().filter(|field| !shown.contains(&field.name)));
    }
    rest.extend(["blood_group", "died", "missing_since"].map(|name| drawn.field(name)));
    let folded = rest.iter().all(|field| field.value.is_empty() && field.wrong.is_none() && field.doubt.is_none());
    groups.push(Group { id: "g-rest", title: &t.registry.group_rest, fields: rest, folded });
    groups
}

/// The header in which a script is told the revision that its page has now.
const SEEN: &str = "draft-seen";

/// The form, as it was kept.
pub(super) async fn open(act: FormAct) -> Shown {
    page(&Box::pin(act.sheet(None, None, None, String::new())).await?)
}

/// Keeps what was typed: answers a script with who kept it when, and a browser with the page.
pub(super) async fn keep(act: FormAct, filled: Filled) -> Shown {
    let kept = Box::pin(act.kept(&filled)).await;
    if act.dress.is_part() {
        let (_, revision) = kept?;
        let at = act.desk.deeds().source().now();
        let name = act.visitor.name.clone();
        let says = fill(&act.t().counter.saved, &[("name", &name), ("at", &act.moment(at))]);
        return Ok(([(SEEN, revision.to_string())], says).into_response());
    }
    match kept {
        Ok(_) => Ok(to(&act.place())),
        Err(problem) => act.again(problem, &filled).await,
    }
}

/// Says what the rules and the register find, before anything is sent.
pub(super) async fn check(act: FormAct, filled: Filled) -> Shown {
    let checked = async {
        let (typed, _) = act.kept(&filled).await?;
        let look = async |deed: &mut Deed<Officer>| {
            let form = forms::read(deed, act.id).await?;
            Box::pin(forms::foresee(deed, &act.register, &form)).await
        };
        Ok::<_, Problem>((typed, act.look(look).await?))
    };
    match Box::pin(checked).await {
        Ok((typed, foreseen)) => {
            let t = act.t();
            let doubts = by_field(&foreseen.findings, t);
            let checked = Checked { findings: findings(&foreseen.findings, t), doubles: doubles(&foreseen.alike, t) };
            page(&Box::pin(act.sheet(Some(typed), Some((checked, doubts)), None, String::new())).await?)
        }
        Err(problem) => act.again(problem, &filled).await,
    }
}

/// Sends the form to be read a second time.
pub(super) async fn send(act: FormAct, filled: Filled) -> Shown {
    let sent = async {
        let (typed, seen) = act.kept(&filled).await?;
        let verb = async |deed: &mut Deed<Officer>| {
            forms::send(deed, &act.register, act.id, seen, typed.clone()).await.map(|_| json!({}))
        };
        act.once(&filled, verb).await
    };
    match Box::pin(sent).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=sent"))),
        // The second of two clicks finds it sent.
        Err(problem) if problem.code() == ProblemCode::FormMovedOn && was_sent(&act, &filled).await => {
            Ok(to(&format!("{REGISTER}?done=sent")))
        }
        Err(problem) => act.again(problem, &filled).await,
    }
}

/// True if this very form was sent by this act before.
async fn was_sent(act: &FormAct, filled: &Filled) -> bool {
    let Ok(stamp) = filled.stamp() else { return false };
    matches!(act.desk.answered(&act.visitor.officer, &stamp).await, Ok(Some(_)))
}

/// Drops the form, for a reason.
pub(super) async fn dismiss(act: FormAct, filled: Filled) -> Shown {
    let dropped = async {
        let reason: SomeWords<200> = filled.judged("reason")?;
        act.once(&filled, async |deed| forms::drop(deed, act.id, reason.as_str()).await).await
    };
    match Box::pin(dropped).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=dropped"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let sheet = Box::pin(act.sheet(None, None, Some(&problem), filled.text("reason").to_owned())).await?;
            page_about(&problem, &sheet)
        }
    }
}
