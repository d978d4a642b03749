//! Looks in emergencies, for the officers who judge them: which wait and until when, what the emergency was in the
//! words of who looked, and the judgement. The officer who looked is told that another one judges.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::ExchangeError;
use super::super::emergencies::{self, EmergencyFile, EmergencyLook, Justification, MOST_OF_REMARKS};
use super::written;
use crate::deed::Deed;
use crate::ground::ids::EmergencyLookId;
use crate::ground::text::SomeWords;
use crate::ground::{Id, Officer, Permission};
use crate::web::html::{
    Asked, Dress, EMERGENCIES, Filled, Frame, PERSONS, Place, Shown, Tag, Texts, Trouble, Visitor, fill, page,
    page_about, reference, texts, to, until,
};
use crate::web::{Desk, Named, Problem};

/// Returns how many looks wait for their review, and how many of them are late, in words.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_emergencies(desk: &Desk, t: &'static Texts) -> Result<String, Problem> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let (all, late) = emergencies::how_many(&mut tx, now, COUNTED).await?;
    let [all, late] = [all, late].map(|n| n.to_string());
    Ok(match (&*all, &*late) {
        ("0", _) => t.emergencies.none.clone(),
        (_, "0") => fill(&t.emergencies.some, &[("n", &all)]),
        _ => fill(&t.emergencies.some_late, &[("n", &all), ("late", &late)]),
    })
}

/// The list of those that wait.
#[derive(Template)]
#[template(path = "emergencies.html")]
struct Emergencies {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    href: String,
    reference: String,
    officer: String,
    office: String,
    case: String,
    opened: String,
    due: String,
    tag: Tag,
}

/// `GET /pages/emergency-looks`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let after = asked.some("after").map(str::parse::<EmergencyLookId>).transpose();
    let after = after.map_err(|_| Problem::new(ProblemCode::QueryMalformed))?.unwrap_or(Id::nil());
    let look = async |deed: &mut Deed<Officer>| {
        let rows = emergencies::waiting(deed, after, SHOWN + 1).await?;
        let names = emergencies::called(deed, rows.iter().map(|(look, _)| look.officer)).await?;
        Ok::<_, ExchangeError>((rows, names, deed.at()))
    };
    let Json((mut rows, names, now)) = desk.look(visitor.officer.clone(), look).await?;
    let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|(look, _)| format!("{EMERGENCIES}?after={}", look.id));
    let row = |(look, holds): (EmergencyLook, bool)| Row {
        href: address(look.id),
        reference: reference(&look.id),
        officer: names.get(&look.officer).cloned().unwrap_or_default(),
        office: look.office.to_string(),
        opened: written(&desk, look.opened_at),
        due: written(&desk, look.due),
        tag: if holds { until(look.due, now, t) } else { ("bad-t", "i-no", t.partners.changed_elsewhere.clone()) },
        case: look.case,
    };
    page(&Emergencies {
        frame: Frame::new(&dress, Some(&visitor), Place::Emergencies),
        rows: rows.into_iter().map(row).collect(),
        next,
    })
}

fn address(id: EmergencyLookId) -> String {
    format!("{EMERGENCIES}/{id}")
}

/// One look.
#[derive(Template)]
#[template(path = "emergency.html")]
struct EmergencyPage {
    frame: Frame,
    token: String,
    key: String,
    id: EmergencyLookId,
    title: String,
    tag: Tag,
    officer: String,
    office: String,
    reason: String,
    case: String,
    opened: String,
    until: String,
    due: String,
    /// A person has the number that was asked for.
    of_person: bool,
    /// Who looked at the person, for an officer who may tell it.
    looks: Option<String>,
    review: Option<Given>,
    /// What the verb itself says against a judgement of this officer.
    barred: Option<Trouble>,
    typed: Typed,
    done: bool,
    trouble: Option<Trouble>,
}

/// What the review found.
struct Given {
    remarks: String,
    by: String,
    at: String,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    verdict: String,
    remarks: String,
}

impl EmergencyPage {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }

    /// The form is there: for a look that waits, to an officer who may judge it.
    fn is_open(&self) -> bool {
        self.review.is_none() && self.barred.is_none()
    }
}

/// `GET /pages/emergency-looks/{id}`
pub(super) async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<EmergencyLookId>,
    asked: Asked,
) -> Shown {
    let sheet = sheet(&desk, &dress, &visitor, id, (Typed::default(), None)).await?;
    page(&EmergencyPage { done: sheet.review.is_some() && asked.some("done").is_some(), ..sheet })
}

async fn sheet(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: EmergencyLookId,
    (typed, problem): (Typed, Option<&Problem>),
) -> Result<EmergencyPage, Problem> {
    let (t, officer) = (texts(dress.language), &visitor.officer);
    let look = async |deed: &mut Deed<Officer>| emergencies::file(deed, id).await.map(|file| (file, deed.at()));
    let Json((EmergencyFile { look, officers }, now)) = desk.look(officer.clone(), look).await?;
    let barred = if look.review.is_none() { barred(desk, officer, id, t).await? } else { None };
    let looks = look.person.filter(|_| officer.may(Permission::ReadLooks));
    let name = |id| officers.get(&id).cloned().unwrap_or_default();
    let tag = state(&look, now, t);
    let review = look.review.map(|review| Given {
        by: name(review.by.by),
        at: written(desk, review.by.at),
        remarks: review.remarks,
    });
    Ok(EmergencyPage {
        frame: Frame::new(&dress.at(&address(id)), Some(visitor), Place::Emergencies),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        id,
        title: fill(&t.emergencies.called, &[("reference", &reference(&id))]),
        tag,
        officer: name(look.officer),
        office: fill(&t.layout.unit, &[("office", look.office.as_str())]),
        reason: look.reason,
        case: look.case,
        opened: written(desk, look.opened_at),
        until: written(desk, look.until),
        due: written(desk, look.due),
        of_person: look.person.is_some(),
        looks: looks.map(|person| format!("{PERSONS}/{person}/looks")),
        review,
        barred,
        typed,
        done: false,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// Returns how far a look is: judged, late, or how long there is time.
fn state(look: &EmergencyLook, now: OffsetDateTime, t: &'static Texts) -> Tag {
    match look.review.as_ref().map(|review| review.verdict) {
        Some(Justification::Justified) => ("good", "i-ok", t.emergencies.justified.clone()),
        Some(Justification::NotJustified) => ("bad-t", "i-no", t.emergencies.not_justified.clone()),
        None => until(look.due, now, t),
    }
}

/// Returns what the verb itself says against a judgement of this officer: it is tried in a deed that is not kept.
async fn barred(
    desk: &Desk,
    officer: &Officer,
    id: EmergencyLookId,
    t: &'static Texts,
) -> Result<Option<Trouble>, Problem> {
    let mut deed = desk.deeds().open(officer.clone()).await?;
    let said = emergencies::review(&mut deed, id, (Justification::Justified, "?".to_owned())).await;
    drop(deed);
    let Some(problem) = said.err().map(Problem::from) else { return Ok(None) };
    match problem.code() {
        _ if problem.status().is_server_error() => Err(problem),
        // Another officer judged it a moment ago: the next look shows that.
        ProblemCode::AgreementStateUnfit => Ok(None),
        ProblemCode::SecondOfficerNeeded => {
            let mut own = Trouble::of(&problem, t);
            t.emergencies.own.clone_into(&mut own.title);
            t.emergencies.own_says.clone_into(&mut own.says);
            Ok(Some(own))
        }
        _ => Ok(Some(Trouble::of(&problem, t))),
    }
}

/// What an act came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    look: EmergencyLookId,
}

/// `POST /pages/emergency-looks/{id}/review`
pub(super) async fn review(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<EmergencyLookId>,
    filled: Filled,
) -> Shown {
    let typed = Typed { verdict: filled.text("verdict").to_owned(), remarks: filled.text("remarks").to_owned() };
    let read = || {
        let unchosen = || {
            let code = ProblemCode::ReasonMissing;
            Problem::new(code).field("/verdict", code, "justified or not-justified")
        };
        let verdict = typed.verdict.parse::<Justification>().map_err(|_| unchosen())?;
        let remarks: SomeWords<MOST_OF_REMARKS> = filled.judged("remarks")?;
        Ok::<_, Problem>((verdict, remarks, filled.stamp()?))
    };
    let said = match read() {
        Ok((verdict, remarks, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                emergencies::review(deed, id, (verdict, remarks.as_str().to_owned())).await?;
                Ok::<_, ExchangeError>(Done { look: id })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{}?done=judged", address(id)))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => match sheet(&desk, &dress, &visitor, id, (typed, Some(&problem))).await {
            Ok(sheet) => page_about(&problem, &sheet),
            // It may not be read: what the verb said is all there is to say.
            Err(_) => Err(problem),
        },
    }
}

/// So many looks are a page.
const SHOWN: i64 = 50;
/// So many are counted for the beginning.
const COUNTED: i64 = 200;
