//! The pages of offices: which there are, what each was, and what the national office makes of them.

use askama::Template;
use axum::extract::State;
use crypto::identity::ProvinceCode;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;

use super::super::model::{OfficesError, Recorded, Unit, UnitKind, UnitName};
use super::super::{steps, store};
use super::wrong;
use crate::access;
use crate::deed::Deed;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer};
use crate::web::html::{
    Asked, Dress, Filled, Frame, Place, Shown, Texts, Trouble, UNITS, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// The offices.
#[derive(Template)]
#[template(path = "units.html")]
struct Units {
    frame: Frame,
    token: String,
    key: String,
    sought: String,
    title: String,
    more: bool,
    rows: Vec<Row>,
    /// Offices are made by the national one.
    national: bool,
    kinds: Vec<(&'static str, &'static str, bool)>,
    typed: Typed,
    trouble: Option<Trouble>,
}

impl Units {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong(self.trouble.as_ref(), field)
    }
}

struct Row {
    href: String,
    code: String,
    name: String,
    kind: &'static str,
    parent: String,
    since: String,
    /// True for an office that takes no new work.
    ended: bool,
}

#[derive(Clone, Default)]
struct Typed {
    code: String,
    kind: String,
    province: String,
    name: String,
    parent: String,
    reason: String,
}

impl Typed {
    fn of(filled: &Filled) -> Self {
        let text = |name| filled.text(name).trim().to_owned();
        Self {
            code: text("code"),
            kind: text("kind"),
            province: text("province"),
            name: text("name"),
            parent: text("parent"),
            reason: filled.text("reason").to_owned(),
        }
    }
}

fn kind_in_words(kind: UnitKind, t: &'static Texts) -> &'static str {
    t.word(&t.unit_kind, kind.word())
}

/// `GET /pages/administration/offices`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let sought = asked.some("sought").unwrap_or_default().trim().to_owned();
    page(&units(&desk, &dress, &visitor, sought, Typed::default(), None).await?)
}

async fn units(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    sought: String,
    typed: Typed,
    problem: Option<&Problem>,
) -> Result<Units, Problem> {
    let t = texts(dress.language);
    let mut tx = desk.deeds().db().begin_read().await?;
    let all = store::units(&mut tx, None, u16::MAX).await?;
    let ended = access::dissolutions::all_ended(&mut tx).await?;
    drop(tx);
    let part = sought.to_lowercase();
    let fits = |unit: &&Unit| unit.code.as_str().contains(&part) || unit.name.as_str().to_lowercase().contains(&part);
    let found: Vec<&Unit> = all.iter().filter(fits).collect();
    let (count, more) = (found.len(), found.len() > MOST);
    let row = |unit: &Unit| Row {
        href: format!("{UNITS}/{}", unit.code),
        code: unit.code.to_string(),
        name: unit.name.as_str().to_owned(),
        kind: kind_in_words(unit.kind, t),
        parent: unit.parent.as_ref().map_or_else(String::new, ToString::to_string),
        since: ::pages::written::date(unit.valid_from),
        ended: ended.contains(unit.code.as_str()),
    };
    Ok(Units {
        frame: Frame::new(&dress.at(UNITS), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        sought,
        title: fill(&t.units.found, &[("n", &::pages::written::count(count as u64, dress.language))]),
        more,
        rows: found.into_iter().take(MOST).map(row).collect(),
        national: visitor.officer.office == OfficeCode::national(),
        kinds: [UnitKind::Centre, UnitKind::District, UnitKind::Province]
            .map(|kind| (kind.word(), kind_in_words(kind, t), typed.kind == kind.word()))
            .to_vec(),
        typed,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// What an act about an office came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    code: OfficeCode,
}

fn about(code: ProblemCode, field: &str) -> Problem {
    Problem::new(code).field(format!("/{field}"), code, "see the hint")
}

/// `POST /pages/administration/offices`: makes an office.
pub(super) async fn make(State(desk): State<Desk>, dress: Dress, visitor: Visitor, filled: Filled) -> Shown {
    let typed = Typed::of(&filled);
    let read = || {
        let code = |field| move |_| about(ProblemCode::OfficeCodeMalformed, field);
        let kind: UnitKind = typed.kind.parse().map_err(|_| about(ProblemCode::UnitUnfit, "kind"))?;
        let province = match typed.province.as_str() {
            "" => None,
            text => Some(text.parse::<ProvinceCode>().map_err(|_| about(ProblemCode::UnitUnfit, "province"))?),
        };
        let name: UnitName = typed.name.parse().map_err(|_| about(ProblemCode::UnitUnfit, "name"))?;
        let new = steps::NewUnit {
            code: typed.code.parse().map_err(code("code"))?,
            kind,
            province,
            name,
            parent: typed.parent.parse().map_err(code("parent"))?,
        };
        Ok::<_, Problem>((new, filled.stamp()?))
    };
    let said = match read() {
        Ok((new, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let unit = steps::make_unit(deed, new.clone()).await?;
                Ok::<_, OfficesError>(Done { code: unit.code })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{UNITS}/{}?done=made", typed.code))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = named(problem, typed.province.is_empty());
            page_about(&problem, &units(&desk, &dress, &visitor, String::new(), typed, Some(&problem)).await?)
        }
    }
}

/// Says which field a problem is about, where the verb does not.
fn named(problem: Problem, without_province: bool) -> Problem {
    if !problem.errors().is_empty() {
        return problem;
    }
    let field = match problem.code() {
        ProblemCode::AlreadyThere => "/code",
        ProblemCode::UnitParentUnknown | ProblemCode::UnitCycle | ProblemCode::OfficeDissolved => "/parent",
        ProblemCode::UnitUnfit if without_province => "/province",
        _ => return problem,
    };
    let code = problem.code();
    problem.field(field, code, "see the title")
}

/// One office.
#[derive(Template)]
#[template(path = "unit.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    code: String,
    name: String,
    kind: &'static str,
    province: String,
    parent: String,
    since: String,
    /// Why it takes no new work.
    ended: Option<String>,
    versions: Vec<VersionRow>,
    /// How many there are: a change made meanwhile is not undone unseen.
    seen: usize,
    may_change: bool,
    typed: Typed,
    done: Option<String>,
    trouble: Option<Trouble>,
}

impl Sheet {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong(self.trouble.as_ref(), field)
    }
}

struct VersionRow {
    since: String,
    name: String,
    parent: String,
    by: String,
}

/// `GET /pages/administration/offices/{code}`
pub(super) async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(code): Named<OfficeCode>,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let done = match asked.some("done") {
        Some("made") => Some(t.units.done_made.clone()),
        Some("changed") => Some(t.units.done_changed.clone()),
        _ => None,
    };
    page(&Sheet { done, ..sheet(&desk, &dress, &visitor, &code, None, None).await? })
}

async fn sheet(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    code: &OfficeCode,
    typed: Option<Typed>,
    problem: Option<&Problem>,
) -> Result<Sheet, Problem> {
    let t = texts(dress.language);
    let mut tx = desk.deeds().db().begin_read().await?;
    let versions = store::versions(&mut tx, code).await?;
    let unit = versions.last().ok_or(OfficesError::UnitUnknown)?.unit.clone();
    let ended = access::dissolutions::ended(&mut tx, code).await?;
    let mut rows = vec![];
    for Recorded { unit, by, at: _ } in versions.into_iter().rev() {
        let by = match by {
            Some(by) => access::called(&mut tx, by).await?,
            None => t.units.from_start.clone(),
        };
        rows.push(VersionRow {
            since: ::pages::written::date(unit.valid_from),
            name: unit.name.as_str().to_owned(),
            parent: unit.parent.as_ref().map_or_else(String::new, ToString::to_string),
            by,
        });
    }
    drop(tx);
    let parent = unit.parent.as_ref().map_or_else(String::new, ToString::to_string);
    let now = Typed { name: unit.name.as_str().to_owned(), parent: parent.clone(), ..Typed::default() };
    Ok(Sheet {
        frame: Frame::new(&dress.at(&format!("{UNITS}/{code}")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        code: code.to_string(),
        name: unit.name.as_str().to_owned(),
        kind: kind_in_words(unit.kind, t),
        province: unit.province.map_or_else(String::new, |province| province.to_string()),
        parent,
        since: ::pages::written::date(unit.valid_from),
        may_change: visitor.officer.office == OfficeCode::national() && ended.is_none(),
        ended: ended.map(|ended| match ended.successor {
            Some(successor) => fill(&t.units.ended_into, &[("office", successor.as_str())]),
            None => t.units.ended.clone(),
        }),
        seen: rows.len(),
        versions: rows,
        typed: typed.unwrap_or(now),
        done: None,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// `POST /pages/administration/offices/{code}`: gives an office another name or another one above it.
pub(super) async fn change(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(code): Named<OfficeCode>,
    filled: Filled,
) -> Shown {
    let typed = Typed::of(&filled);
    let read = || {
        let name: UnitName = typed.name.parse().map_err(|_| about(ProblemCode::UnitUnfit, "name"))?;
        let parent = match typed.parent.as_str() {
            "" => None,
            text => Some(text.parse::<OfficeCode>().map_err(|_| about(ProblemCode::OfficeCodeMalformed, "parent"))?),
        };
        let reason: SomeWords<MOST_OF_REASON> = filled.judged("reason")?;
        Ok::<_, Problem>((name, parent, reason, filled.stamp()?))
    };
    let said = match read() {
        Ok((name, parent, reason, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let name = Some(name.clone());
                let seen = Some(filled.text("seen").parse().unwrap_or(0));
                steps::change_unit(deed, &code, name, parent.clone(), reason.as_str(), seen).await?;
                Ok::<_, OfficesError>(Done { code: code.clone() })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{UNITS}/{code}?done=changed"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = named(problem, false);
            page_about(&problem, &sheet(&desk, &dress, &visitor, &code, Some(typed), Some(&problem)).await?)
        }
    }
}

/// Offices that a list shows.
const MOST: usize = 200;
