//! Births that partners reported and that are held, for the registrars who decide: what speaks against a number, the
//! message, and the two acts. The list has no names.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;

use super::super::incoming::births::Newborn;
use super::super::incoming::held::{self, HeldFile, RefusedAs};
use super::super::incoming::held_api::register_once;
use super::super::store::reports::Report;
use super::super::{Exchange, ExchangeError};
use super::written;
use crate::access::partners;
use crate::deed::Deed;
use crate::ground::ids::RequestId;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, Officer};
use crate::population::model::{DeclaredPlace, DeclaredRelative};
use crate::web::html::{
    Asked, Dress, Filled, Frame, HELD_BIRTHS, Place, REGISTER, Shown, Texts, Trouble, Visitor, fill, page, page_about,
    reference, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// The list of those that wait.
#[derive(Template)]
#[template(path = "held-births.html")]
struct HeldBirths {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
    done: Option<&'static str>,
    /// The file of the child that has its number now.
    child: Option<String>,
}

struct Row {
    href: String,
    reference: String,
    partner: String,
    reasons: Vec<&'static str>,
    /// Another hand changed the row.
    changed: bool,
}

/// `GET /pages/held-births`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let malformed = || Problem::new(ProblemCode::QueryMalformed);
    let after = asked.some("after").map(str::parse::<RequestId>).transpose().map_err(|_| malformed())?;
    let look = async |deed: &mut Deed<Officer>| {
        let mut rows = held::listed(deed, after.unwrap_or(Id::nil()), SHOWN + 1).await?;
        let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|(report, _)| report.id);
        let mut named = Vec::with_capacity(rows.len());
        for (report, holds) in rows {
            let partner = partners::partner(deed.tx(), report.partner).await?;
            let name = partner.map_or_else(|| report.partner.to_string(), |partner| partner.name);
            named.push((report, holds, name));
        }
        Ok::<_, ExchangeError>((named, next))
    };
    let Json((rows, next)) = desk.look(visitor.officer.clone(), look).await?;
    let row = |(report, holds, partner): (Report, bool, String)| Row {
        href: address(report.id),
        reference: reference(&report.id),
        partner,
        reasons: reasons(&report, t),
        changed: !holds,
    };
    let child = asked.some("child").and_then(|id| id.parse::<crate::ground::ids::PersonId>().ok());
    page(&HeldBirths {
        frame: Frame::new(&dress, Some(&visitor), Place::Register),
        rows: rows.into_iter().map(row).collect(),
        next: next.map(|id| format!("{HELD_BIRTHS}?after={id}")),
        done: match asked.some("done") {
            Some("numbered") => Some(&t.held_births.done_numbered),
            Some("refused") => Some(&t.held_births.done_refused),
            _ => None,
        },
        child: child.map(|id| format!("{REGISTER}/persons/{id}")),
    })
}

fn reasons(report: &Report, t: &'static Texts) -> Vec<&'static str> {
    report.reasons.split(',').filter(|code| !code.is_empty()).map(|code| t.word(&t.held_because, code)).collect()
}

fn address(id: RequestId) -> String {
    format!("{HELD_BIRTHS}/{id}")
}

/// One birth.
#[derive(Template)]
#[template(path = "held-birth.html")]
struct HeldBirth {
    frame: Frame,
    token: String,
    key: String,
    id: RequestId,
    title: String,
    partner: String,
    unit: String,
    officer: String,
    case: String,
    reported: String,
    reasons: Vec<&'static str>,
    /// The message: name of the field, what it says.
    fields: Vec<(&'static str, String)>,
    typed: Typed,
    trouble: Option<Trouble>,
}

/// What was typed, and into which of the two forms.
#[derive(Clone, Debug, Default)]
struct Typed {
    refuses: bool,
    reason: String,
    because: String,
}

impl HeldBirth {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// `GET /pages/held-births/{id}`
pub(super) async fn open(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<RequestId>,
) -> Shown {
    let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
    page(&sheet.of(Typed::default(), None).await?)
}

/// What the page is made with.
struct Sheet<'a> {
    desk: &'a Desk,
    exchange: &'a Exchange,
    dress: &'a Dress,
    visitor: &'a Visitor,
    id: RequestId,
}

impl Sheet<'_> {
    async fn of(&self, typed: Typed, problem: Option<&Problem>) -> Result<HeldBirth, Problem> {
        let Self { desk, dress, visitor, id, .. } = *self;
        let t = texts(dress.language);
        let look = async |deed: &mut Deed<Officer>| held::file(deed, id).await;
        let Json(HeldFile { report, brought, birth, partner }) = desk.look(visitor.officer.clone(), look).await?;
        Ok(HeldBirth {
            frame: Frame::new(&dress.at(&address(id)), Some(visitor), Place::Register),
            token: visitor.token.clone(),
            key: visitor.key.clone(),
            id,
            title: fill(&t.held_births.called, &[("reference", &reference(&id))]),
            partner,
            unit: brought.unit,
            officer: brought.officer,
            case: brought.case,
            reported: written(desk, brought.at),
            reasons: reasons(&report, t),
            fields: self.fields(&birth, t),
            typed,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
        })
    }

    /// Puts the message into words: codes by their names, where the tables know them.
    fn fields(&self, birth: &Newborn, t: &'static Texts) -> Vec<(&'static str, String)> {
        let (reference, today) = (self.exchange.register.reference(), self.desk.deeds().source().clock().today());
        let place = |place: &DeclaredPlace| {
            let DeclaredPlace { province, district, commune, detail } = place;
            let named = |code: &String, name: Option<&str>| match name {
                Some(name) => format!("{name} ({code})"),
                None => code.clone(),
            };
            let parsed = province.trim().parse().ok();
            let parts = [
                detail.clone(),
                named(commune, reference.commune(commune.trim(), today).map(|unit| unit.name)),
                named(district, reference.district(district.trim(), today).map(|unit| unit.name)),
                named(province, parsed.and_then(|code| reference.province(code, today))),
            ];
            parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(", ")
        };
        let relative = |relative: &Option<DeclaredRelative>| {
            relative.as_ref().map_or_else(String::new, |one| {
                let parts = [&one.full_name, &one.personal_number, &one.old_id_number, &one.nationality];
                parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" · ")
            })
        };
        let group = birth.ethnic_group.trim();
        let group = reference.ethnic_group(group, today).unwrap_or(group).to_owned();
        let said = [
            ("full_name", birth.full_name.clone()),
            ("birth_date", birth.birth_date.clone()),
            ("sex", birth.sex.clone()),
            ("birth_registration", place(&birth.birth_registration)),
            ("place_of_origin", place(&birth.place_of_origin)),
            ("ethnic_group", group),
            ("nationality", birth.nationality.clone()),
            ("father", relative(&birth.father)),
            ("mother", relative(&birth.mother)),
            ("representative", relative(&birth.representative)),
        ];
        let named = said.into_iter().map(|(field, said)| (t.word(&t.field, field), said));
        let entry = (t.held_births.registration.as_str(), birth.registration.as_str().to_owned());
        named.chain([entry]).filter(|(_, said)| !said.is_empty()).collect()
    }

    /// Shows the birth again with what is wrong.
    async fn again(&self, problem: Problem, typed: Typed) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem);
        }
        match self.of(typed, Some(&problem)).await {
            Ok(sheet) => page_about(&problem, &sheet),
            // It waits no more, or is another office's: what the verb said is all there is to say.
            Err(_) => Err(problem),
        }
    }
}

/// `POST /pages/held-births/{id}/registration`: the child has its number, and the officer answers for it.
pub(super) async fn register(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<RequestId>,
    filled: Filled,
) -> Shown {
    let read = || Ok::<_, Problem>((filled.judged::<SomeWords<MOST_OF_REASON>>("because")?, filled.stamp()?));
    let said = match read() {
        Ok((because, stamp)) => {
            register_once((&desk, &exchange), visitor.officer.clone(), stamp, id, because.as_str()).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(answer) => {
            let child = answer.text("person_id").unwrap_or_default();
            Ok(to(&format!("{HELD_BIRTHS}?done=numbered&child={child}")))
        }
        Err(problem) => {
            let typed = Typed { because: filled.text("because").to_owned(), ..Typed::default() };
            let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
            sheet.again(problem, typed).await
        }
    }
}

/// `POST /pages/held-births/{id}/refusal`: the partner is told why.
pub(super) async fn refuse(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<RequestId>,
    filled: Filled,
) -> Shown {
    let read = || {
        let unchosen = || {
            let code = ProblemCode::ReasonMissing;
            Problem::new(code).field("/reason", code, "recorded-already or message-wrong")
        };
        let reason = RefusedAs::named(filled.text("reason")).ok_or_else(unchosen)?;
        let because: SomeWords<MOST_OF_REASON> = filled.judged("because")?;
        Ok::<_, Problem>((reason, because, filled.stamp()?))
    };
    let said = match read() {
        Ok((reason, because, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| held::refuse(deed, id, reason, because.as_str()).await;
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{HELD_BIRTHS}?done=refused"))),
        Err(problem) => {
            let text = |name| filled.text(name).to_owned();
            let typed = Typed { refuses: true, reason: text("reason"), because: text("because") };
            let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
            sheet.again(problem, typed).await
        }
    }
}

/// So many births are a page.
const SHOWN: i64 = 50;
