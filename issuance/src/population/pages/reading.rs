//! The second reading of form DC01: another officer types the fields that matter from the paper without seeing what was
//! typed before; what differs is shown, and what both read alike enters the register.

use std::collections::BTreeMap;

use askama::Template;
use crypto::perso::problem::ProblemCode;
use serde_json::json;

use super::super::forms::{self, FormError, PaperForm, READ_TWICE, Typed};
use super::super::units;
use super::fields::{Drawn, Group, label, lists, typed, typed_again, wrongs};
use super::form::called;
use super::words::{Double, doubles, findings};
use super::{Act, name_of};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::web::Problem;
use crate::web::html::{Filled, Frame, REGISTER, Shown, Trouble, fill, page, page_about, to};

type FormAct = Act<of::Form>;

/// The second reading.
#[derive(Template)]
#[template(path = "register-reading.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: String,
    title: String,
    sent: String,
    /// Why this officer cannot read it.
    barred: Option<Trouble>,
    fields: Group,
    lists: Vec<(&'static str, Vec<String>)>,
    compared: Option<Compared>,
    trouble: Option<Trouble>,
}

impl Sheet {
    /// True once both readings are the same.
    fn is_alike(&self) -> bool {
        self.compared.as_ref().is_some_and(|compared| compared.differs == 0)
    }
}

/// What the two readings say.
struct Compared {
    rows: Vec<Row>,
    differs: usize,
    /// What the first officer typed beside the fields that are read twice; nothing while readings differ.
    rest: Vec<(String, String)>,
    findings: Vec<String>,
    doubles: Vec<Double>,
    /// The second reading, to be sent again with the act.
    hidden: Vec<(&'static str, String)>,
}

/// One field of both readings.
struct Row {
    item: String,
    first: String,
    second: String,
    class: &'static str,
}

impl FormAct {
    fn reading_place(&self) -> String {
        format!("{REGISTER}/forms/{}/reading", self.id)
    }

    async fn reading(
        &self,
        second: &Typed,
        compared: Option<Compared>,
        problem: Option<&Problem>,
    ) -> Result<Sheet, Problem> {
        let t = self.t();
        let look = async |deed: &mut Deed<Officer>| {
            let form = forms::to_read(deed, self.id).await?;
            let sent = form.sent.clone().unwrap_or_else(|| form.saved.clone());
            let name = name_of(deed, sent.by).await?;
            Ok::<_, FormError>((form, name, sent.at))
        };
        let (title, sent, barred) = match self.look(look).await {
            Ok((form, name, at)) => {
                let sent = fill(&t.registry.sent_by, &[("name", &name), ("at", &self.moment(at))]);
                (called(&form, t), sent, None)
            }
            Err(problem) if problem.code() == ProblemCode::SecondOfficerNeeded => {
                (t.registry.reading.clone(), String::new(), Some(Trouble::of(&problem, t)))
            }
            Err(problem) => return Err(problem),
        };
        let (wrongs, doubts) = (problem.map(|problem| wrongs(problem, t)).unwrap_or_default(), BTreeMap::new());
        let drawn = Drawn {
            typed: second,
            wrongs: &wrongs,
            doubts: &doubts,
            reference: self.register.reference(),
            today: self.today(),
            t,
            keep: format!("{}-second", self.id),
        };
        let mut fields = drawn.group("g-second", &t.registry.second, &READ_TWICE);
        if let Some(first) = fields.fields.first_mut() {
            first.first = compared.is_none() && problem.is_none();
        }
        Ok(Sheet {
            frame: self.frame(&self.reading_place()),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            id: self.id.to_string(),
            title,
            sent,
            barred,
            fields,
            lists: lists(self.register.reference(), self.today()),
            compared,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
        })
    }

    /// Compares both readings, as the verb does, and says what follows.
    async fn compared(&self, second: &Typed) -> Result<Compared, Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let (form, differs) = forms::compare(deed, &self.register, self.id, second).await?;
            let foreseen = if differs.is_empty() {
                Some(Box::pin(forms::foresee(deed, &self.register, &form)).await?)
            } else {
                None
            };
            Ok::<_, FormError>((form, differs, foreseen))
        };
        let (form, differs, foreseen) = self.look(look).await?;
        let t = self.t();
        let written = |typed: &Typed, name: &str| {
            let text = typed.text(name);
            let place = name
                .rsplit_once('.')
                .is_some_and(|(_, part)| part == "unit")
                .then(|| units::read(text, self.register.reference(), self.today()).ok());
            let place = place.flatten().map(|place| units::write(&place, self.register.reference(), self.today()));
            let text = place.unwrap_or_else(|| text.to_owned());
            if text.is_empty() { t.file.nothing.clone() } else { text }
        };
        let rows = READ_TWICE
            .iter()
            .map(|name| {
                let top = name.split('.').next().unwrap_or_default();
                let class = if differs.iter().any(|field| field == top) { "diff" } else { "same" };
                Row { item: label(top, t), first: written(&form.typed, name), second: written(second, name), class }
            })
            .collect();
        let rest = if differs.is_empty() { rest(&form, t, &written) } else { vec![] };
        let (findings, doubles) = foreseen
            .map_or((vec![], vec![]), |foreseen| (findings(&foreseen.findings, t), doubles(&foreseen.alike, t)));
        let hidden = READ_TWICE.iter().map(|name| (*name, second.text(name).to_owned())).collect();
        Ok(Compared { rows, differs: differs.len(), rest, findings, doubles, hidden })
    }

    async fn reading_again(&self, problem: Problem, second: &Typed) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem);
        }
        let sheet = Box::pin(self.reading(second, None, Some(&problem))).await?;
        page_about(&problem, &sheet)
    }
}

/// What was typed beside the fields that are read twice.
fn rest(
    form: &PaperForm,
    t: &'static crate::web::html::Texts,
    written: &impl Fn(&Typed, &str) -> String,
) -> Vec<(String, String)> {
    let names = super::fields::all().into_iter().filter(|name| !READ_TWICE.contains(&name.as_str()));
    let filled = names.filter(|name| !form.typed.text(name).is_empty());
    filled.map(|name| (label(&name, t), written(&form.typed, &name))).collect()
}

fn second(filled: &Filled) -> Result<Typed, Problem> {
    typed(filled, &READ_TWICE.map(str::to_owned))
}

impl FormAct {
    /// Shows what the second officer typed where it is no reading.
    async fn unread(&self, problem: Problem, filled: &Filled) -> Shown {
        let typed = typed_again(filled, &READ_TWICE.map(str::to_owned));
        Box::pin(self.reading_again(problem, &typed)).await
    }
}

/// The fields to be read of the paper.
pub(super) async fn open(act: FormAct) -> Shown {
    page(&Box::pin(act.reading(&Typed::default(), None, None)).await?)
}

/// Both readings, side by side.
pub(super) async fn compare(act: FormAct, filled: Filled) -> Shown {
    let second = match second(&filled) {
        Ok(second) => second,
        Err(problem) => return act.unread(problem, &filled).await,
    };
    match Box::pin(act.compared(&second)).await {
        Ok(compared) => page(&Box::pin(act.reading(&second, Some(compared), None)).await?),
        Err(problem) => act.reading_again(problem, &second).await,
    }
}

/// Enters what both read alike into the register, once, however often the form comes.
pub(super) async fn enter(act: FormAct, filled: Filled) -> Shown {
    let second = match second(&filled) {
        Ok(second) => second,
        Err(problem) => return act.unread(problem, &filled).await,
    };
    let verb = async |deed: &mut Deed<Officer>| {
        let entered = Box::pin(forms::enter(deed, &act.register, act.id, &second)).await?;
        Ok::<_, FormError>(json!({"person_id": entered.id}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(made) => match made.text("person_id") {
            Some(person) => Ok(to(&format!("{REGISTER}/persons/{person}?done=entered"))),
            None => Ok(to(REGISTER)),
        },
        Err(problem) => act.reading_again(problem, &second).await,
    }
}

/// Gives the form back to the first officer, with the fields that were read otherwise.
pub(super) async fn give_back(act: FormAct, filled: Filled) -> Shown {
    let second = match second(&filled) {
        Ok(second) => second,
        Err(problem) => return act.unread(problem, &filled).await,
    };
    let verb = async |deed: &mut Deed<Officer>| {
        forms::give_back(deed, &act.register, act.id, &second).await.map(|_| json!({}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=returned"))),
        Err(problem) => act.reading_again(problem, &second).await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::parts_of;
    use super::*;

    #[test]
    fn the_first_part_of_each_field_that_is_read_twice_is_one_of_its_parts() {
        for name in READ_TWICE {
            let (top, part) = name.split_once('.').unwrap_or((name, ""));
            assert!(part.is_empty() || parts_of(top).contains(&part), "{name}");
        }
    }
}
