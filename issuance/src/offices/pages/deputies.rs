//! The page of deputies: who stands in for whom, from a day to a day, and what waits for a second administrator.

use askama::Template;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::calendar::Day;
use super::wrong;
use crate::access::deputies::{self, Deputy, DeputyPeriodUnfit, DeputyState, DeputyUnfit};
use crate::access::{self, Access, AccessError};
use crate::deed::Deed;
use crate::ground::ids::{DeputyId, OfficerId};
use crate::ground::text::{Login, MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer};
use crate::store::Tx;
use crate::web::html::{
    Asked, DEPUTIES, Dress, Filled, Frame, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// The deputies of an office.
#[derive(Template)]
#[template(path = "deputies.html")]
struct Deputies {
    frame: Frame,
    token: String,
    key: String,
    office: String,
    national: bool,
    title: String,
    rows: Vec<Row>,
    /// There are more than are shown.
    more: Option<String>,
    most: String,
    typed: Typed,
    /// Why this officer cannot stand in, or not in these days.
    unfit: Option<String>,
    done: Option<String>,
    trouble: Option<Trouble>,
}

impl Deputies {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong(self.trouble.as_ref(), field)
    }
}

struct Row {
    id: DeputyId,
    deputy: String,
    absent: String,
    from: String,
    to: String,
    roles: String,
    tag: (&'static str, &'static str, &'static str),
    /// What the second administrator reads and confirms; none where nothing waits.
    digest: Option<String>,
    /// True where this administrator may confirm it.
    confirms: bool,
    by: String,
    /// The reason that was typed for its end.
    reason: String,
}

#[derive(Clone, Default)]
struct Typed {
    deputy: String,
    absent: String,
    from: String,
    to: String,
    reason: String,
    /// Which one was to be ended, and why.
    ends: Option<(DeputyId, String)>,
}

/// Returns how many standings in of an office wait for a second administrator.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_deputies(desk: &Desk, office: &OfficeCode) -> Result<usize, Problem> {
    let (now, today) = (desk.deeds().source().now(), desk.deeds().source().clock().today());
    let mut tx = desk.deeds().db().begin_read().await?;
    let found = deputies::listed(&mut tx, office, today, Id::nil(), MOST).await?;
    Ok(found.iter().filter(|(deputy, _)| deputy.state(now) == DeputyState::Proposed).count())
}

/// `GET /pages/administration/deputies`
pub(super) async fn list(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let (office, problem) = match asked.some("office").map(str::trim).filter(|text| !text.is_empty()) {
        None => (visitor.officer.office.clone(), None),
        Some(text) => match text.parse::<OfficeCode>() {
            Ok(code) => (code, None),
            Err(_) => (visitor.officer.office.clone(), Some(about(ProblemCode::OfficeCodeMalformed, "office"))),
        },
    };
    let done = match asked.some("done") {
        Some("appointed") => Some(t.deputies.done_appointed.clone()),
        Some("proposed") => Some(t.deputies.done_proposed.clone()),
        Some("confirmed") => Some(t.deputies.done_confirmed.clone()),
        Some("ended") => Some(t.deputies.done_ended.clone()),
        _ => None,
    };
    let sheet = Sheet { access: &access, desk: &desk, dress: &dress, visitor: &visitor };
    let shown = Deputies { done, ..sheet.of(&office, Typed::default(), (problem.as_ref(), None)).await? };
    match &problem {
        None => page(&shown),
        Some(problem) => page_about(problem, &shown),
    }
}

fn about(code: ProblemCode, field: &str) -> Problem {
    Problem::new(code).field(format!("/{field}"), code, "see the hint")
}

/// What the page is made with.
struct Sheet<'a> {
    access: &'a Access,
    desk: &'a Desk,
    dress: &'a Dress,
    visitor: &'a Visitor,
}

impl Sheet<'_> {
    async fn of(
        &self,
        office: &OfficeCode,
        typed: Typed,
        (problem, unfit): (Option<&Problem>, Option<&'static str>),
    ) -> Result<Deputies, Problem> {
        let (t, officer) = (texts(self.dress.language), &self.visitor.officer);
        officer.may_act_for(office)?;
        let source = self.desk.deeds().source();
        let (now, today) = (source.now(), source.clock().today());
        let mut tx = self.desk.deeds().db().begin_read().await?;
        let mut rows = vec![];
        let mut listed = deputies::listed(&mut tx, office, today, Id::nil(), MOST + 1).await?;
        let most = usize::try_from(MOST).unwrap_or(usize::MAX);
        let more = (listed.len() > most).then(|| fill(&t.lists.first, &[("n", &MOST.to_string())]));
        listed.truncate(most);
        for (deputy, holds) in listed {
            rows.push(self.row(&mut tx, deputy, holds, (now, &typed), t).await?);
        }
        drop(tx);
        let place = format!("{DEPUTIES}?office={office}");
        Ok(Deputies {
            frame: Frame::new(&self.dress.at(&place), Some(self.visitor), Place::Administration),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            office: office.to_string(),
            national: officer.office == OfficeCode::national(),
            title: fill(&t.deputies.of_office, &[("office", office.as_str())]),
            rows,
            more,
            most: fill(&t.deputies.period_hint, &[("n", &self.access.settings().deputy_days.to_string())]),
            typed,
            unfit: unfit.map(str::to_owned),
            done: None,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
        })
    }

    async fn row(
        &self,
        tx: &mut Tx,
        deputy: Deputy,
        holds: bool,
        (now, typed): (OffsetDateTime, &Typed),
        t: &'static Texts,
    ) -> Result<Row, Problem> {
        let (state, officer) = (deputy.state(now), &self.visitor.officer);
        let tag = match state {
            _ if !holds => ("bad-t", "i-no", &*t.officers.stands_changed),
            DeputyState::Proposed => ("wait", "i-wait", &*t.deputies.proposed),
            DeputyState::Appointed => ("info", "i-clock", &*t.deputies.appointed),
            DeputyState::Acting => ("good", "i-ok", &*t.deputies.acting),
            DeputyState::Over => ("", "i-none", &*t.deputies.over),
        };
        let waits = state == DeputyState::Proposed && holds;
        let own = officer.is_one_with(deputy.appointed.by) || [deputy.officer, deputy.stands_for].contains(&officer.id);
        let roles: Vec<&str> = deputy.roles.iter().map(|role| t.word(&t.role, role.name())).collect();
        Ok(Row {
            id: deputy.id,
            deputy: access::called(tx, deputy.officer).await?,
            absent: access::called(tx, deputy.stands_for).await?,
            from: ::pages::written::date(deputy.from),
            to: ::pages::written::date(deputy.to),
            roles: roles.join(", "),
            tag,
            digest: waits.then(|| deputy.digest()),
            confirms: waits && !own,
            by: access::called(tx, deputy.appointed.by).await?,
            reason: typed
                .ends
                .as_ref()
                .filter(|(id, _)| *id == deputy.id)
                .map_or_else(String::new, |(_, why)| why.clone()),
        })
    }
}

/// What an act came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    deputy: DeputyId,
    word: &'static str,
}

/// `POST /pages/administration/deputies`: appoints a deputy.
pub(super) async fn appoint(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let t = texts(dress.language);
    let text = |name| filled.text(name).trim().to_owned();
    let typed = Typed {
        deputy: text("deputy"),
        absent: text("absent"),
        from: text("from"),
        to: text("to"),
        reason: filled.text("reason").to_owned(),
        ends: None,
    };
    let office = text("office").parse().unwrap_or_else(|_| visitor.officer.office.clone());
    let mut unfit = None;
    let said = async {
        let day = |name: &str, text: &str| text.parse::<Day>().map_err(|_| about(ProblemCode::PeriodUnfit, name));
        let (from, to) = (day("from", &typed.from)?, day("to", &typed.to)?);
        let reason: SomeWords<MOST_OF_REASON> = filled.judged("reason")?;
        let deputy = of_name(&desk, "deputy", &typed.deputy).await?;
        let absent = of_name(&desk, "absent", &typed.absent).await?;
        let verb = async |deed: &mut Deed<Officer>| {
            let days = (from.0, to.0);
            let said = deputies::appoint(deed, access.settings(), (deputy, absent), days, reason.as_str()).await;
            unfit = said.as_ref().err().and_then(|error| why(error, t));
            let word = |deputy: &Deputy| if deputy.confirmed.is_none() { "proposed" } else { "appointed" };
            said.map(|deputy| Done { deputy: deputy.id, word: word(&deputy) })
        };
        desk.write(visitor.officer.clone(), filled.stamp()?, verb).await
    };
    match said.await {
        Ok(answer) => {
            let word = answer.text("word").unwrap_or_default();
            Ok(to(&format!("{DEPUTIES}?office={office}&done={word}")))
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = match problem.code() {
                ProblemCode::DeputyUnfit => problem.field("/deputy", ProblemCode::DeputyUnfit, "see the title"),
                ProblemCode::PeriodUnfit if problem.errors().is_empty() => {
                    problem.field("/from", ProblemCode::PeriodUnfit, "see the title")
                }
                _ => problem,
            };
            let sheet = Sheet { access: &access, desk: &desk, dress: &dress, visitor: &visitor };
            page_about(&problem, &sheet.of(&office, typed, (Some(&problem), unfit)).await?)
        }
    }
}

/// Returns the officer in service who is named in a field.
async fn of_name(desk: &Desk, field: &str, name: &str) -> Result<OfficerId, Problem> {
    let unknown = || about(ProblemCode::OfficerNotFound, field);
    let name: Login = name.parse().map_err(|_| unknown())?;
    let mut tx = desk.deeds().db().begin_read().await?;
    Ok(access::officer_of_name(&mut tx, name.as_str()).await?.ok_or_else(unknown)?.0)
}

/// Returns in words why an officer cannot stand in, or not in these days.
fn why(error: &AccessError, t: &'static Texts) -> Option<&'static str> {
    Some(match error {
        AccessError::DeputyUnfit(unfit) => match unfit {
            DeputyUnfit::Appointer => &t.deputies.why_appointer,
            DeputyUnfit::NothingLent => &t.deputies.why_nothing,
            DeputyUnfit::Oneself => &t.deputies.why_oneself,
            DeputyUnfit::OtherOffice => &t.deputies.why_office,
            DeputyUnfit::Overlaps => &t.deputies.why_overlaps,
            DeputyUnfit::SubDeputy => &t.deputies.why_further,
            DeputyUnfit::RolesExclude(..) => &t.deputies.why_roles,
        },
        AccessError::DeputyPeriod(unfit) => match unfit {
            DeputyPeriodUnfit::Past => &t.deputies.why_past,
            DeputyPeriodUnfit::Reversed => &t.deputies.why_reversed,
            DeputyPeriodUnfit::TooLong(_) => &t.deputies.why_long,
        },
        _ => return None,
    })
}

/// `POST /pages/administration/deputies/{id}/confirmation`
pub(super) async fn confirm(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<DeputyId>,
    filled: Filled,
) -> Shown {
    let verb = async |deed: &mut Deed<Officer>| {
        let deputy = deputies::confirm(deed, id, filled.text("digest")).await?;
        Ok::<_, AccessError>(Done { deputy: deputy.id, word: "confirmed" })
    };
    let said = match filled.stamp() {
        Ok(stamp) => desk.write(visitor.officer.clone(), stamp, verb).await,
        Err(problem) => Err(problem),
    };
    let office = filled.text("office").parse().unwrap_or_else(|_| visitor.officer.office.clone());
    let sheet = Sheet { access: &access, desk: &desk, dress: &dress, visitor: &visitor };
    sheet.after(said.map(drop), "confirmed", &office, Typed::default()).await
}

/// `POST /pages/administration/deputies/{id}/end`
pub(super) async fn end(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<DeputyId>,
    filled: Filled,
) -> Shown {
    let read = || Ok::<_, Problem>((filled.judged::<SomeWords<MOST_OF_REASON>>("reason")?, filled.stamp()?));
    let said = match read() {
        Ok((reason, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let deputy = deputies::end(deed, id, reason.as_str()).await?;
                Ok::<_, AccessError>(Done { deputy: deputy.id, word: "ended" })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    let office = filled.text("office").parse().unwrap_or_else(|_| visitor.officer.office.clone());
    let typed = Typed { ends: Some((id, filled.text("reason").to_owned())), ..Typed::default() };
    let sheet = Sheet { access: &access, desk: &desk, dress: &dress, visitor: &visitor };
    sheet.after(said.map(drop), "ended", &office, typed).await
}

impl Sheet<'_> {
    /// Leads back to the list, or shows it with what is wrong.
    async fn after(&self, said: Result<(), Problem>, word: &str, office: &OfficeCode, typed: Typed) -> Shown {
        match said {
            Ok(()) => Ok(to(&format!("{DEPUTIES}?office={office}&done={word}"))),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => page_about(&problem, &self.of(office, typed, (Some(&problem), None)).await?),
        }
    }
}

/// Deputies that a list shows.
const MOST: i64 = 200;
