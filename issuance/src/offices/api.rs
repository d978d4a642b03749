//! Units and calendar over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::ProvinceCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::calendar::{Day, SetDay};
use super::model::{OfficesError, Recorded, Unit, UnitKind, UnitName, check_period};
use super::{deputies_api, steps, store};
use crate::access::Access;
use crate::ground::ids::OfficerId;
use crate::ground::text::{MOST_OF_REASON, Words};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Parameters, Right, Routes, Write};

/// The routes of this office. What is read is about the authority and no citizen, so that reads leave no record.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(Right::SignedIn, routes!(units))
        .add(administers, routes!(make_unit))
        .add(Right::SignedIn, routes!(unit))
        .add(administers, routes!(change_unit))
        .add(Right::SignedIn, routes!(calendar))
        .add(administers, routes!(set_day))
        .add(administers, routes!(confirm_day))
        .merge(deputies_api::routes())
}

/// A unit.
#[derive(Debug, Serialize, ToSchema)]
struct UnitView {
    /// Code: also that of its officers and stations.
    code: OfficeCode,
    /// What it is.
    kind: UnitKind,
    /// Province that it belongs to.
    #[schema(value_type = Option<String>)]
    province: Option<ProvinceCode>,
    /// What it is called.
    name: String,
    /// The unit above; the national office alone has none.
    parent: Option<OfficeCode>,
    /// It has this name and this parent since that day.
    valid_from: Day,
}

impl From<Unit> for UnitView {
    fn from(unit: Unit) -> Self {
        let Unit { code, kind, province, version: _, name, parent, valid_from } = unit;
        Self { code, kind, province, name: name.as_str().to_owned(), parent, valid_from: Day(valid_from) }
    }
}

/// Every unit is listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllUnits {}

/// Lists the units as they are now, by code.
#[utoipa::path(get, path = "/api/v1/units", tag = "offices", params(PageAsked),
    responses((status = 200, body = Page<UnitView>)))]
async fn units(State(desk): State<Desk>, listing: Listing<AllUnits, OfficeCode>) -> Looked<Page<UnitView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let units = store::units(&mut tx, listing.after.as_ref(), listing.limit + 1).await?;
    let units = units.into_iter().map(UnitView::from).map(|unit| (unit.code.clone(), unit)).collect();
    Ok(Json(Page::of(units, listing.limit)))
}

/// Body of a new unit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnitBody {
    /// The code that its officers and stations carry; unique.
    code: OfficeCode,
    /// `centre`, `district` or `province`; the national office exists from the start.
    kind: UnitKind,
    /// Three digits; districts and provinces have one.
    #[schema(value_type = Option<String>)]
    province: Option<ProvinceCode>,
    /// 1 to 200 characters.
    #[schema(value_type = String)]
    name: Words<200>,
    /// The unit above.
    parent: OfficeCode,
}

/// Makes a unit. For administrators of the national office.
#[utoipa::path(post, path = "/api/v1/units", tag = "offices", request_body = UnitBody,
    responses((status = 201, body = UnitView, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn make_unit(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<UnitBody>) -> Answered {
    let UnitBody { code, kind, province, name, parent } = body;
    desk.write(officer, stamp, async |deed| {
        let name = name.as_str().parse()?;
        steps::make_unit(deed, steps::NewUnit { code, kind, province, name, parent }).await.map(UnitView::from)
    })
    .await
    .map(|made| made.created("/api/v1/units/", "code"))
}

/// What a unit was from a day on.
#[derive(Debug, Serialize, ToSchema)]
struct VersionView {
    /// What it is called.
    name: String,
    /// The unit above.
    parent: Option<OfficeCode>,
    /// First day.
    valid_from: Day,
    /// The officer who recorded it; none for the first version of the national office.
    recorded_by: Option<OfficerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
}

/// A unit with all that it was.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryView {
    /// The unit as it is now.
    unit: UnitView,
    /// All versions, the first one first. Of two with the same first day the later counts.
    versions: Vec<VersionView>,
}

/// Reads a unit and its history.
#[utoipa::path(get, path = "/api/v1/units/{code}", tag = "offices", params(("code" = String, Path)),
    responses((status = 200, body = HistoryView)))]
async fn unit(State(desk): State<Desk>, Named(code): Named<OfficeCode>) -> Looked<HistoryView> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let versions = store::versions(&mut tx, &code).await?;
    let now = versions.last().ok_or(OfficesError::UnitUnknown)?.unit.clone();
    let view = |Recorded { unit, by, at }: Recorded| {
        let UnitView { name, parent, valid_from, .. } = unit.into();
        VersionView { name, parent, valid_from, recorded_by: by, recorded_at: at }
    };
    Ok(Json(HistoryView { unit: now.into(), versions: versions.into_iter().map(view).collect() }))
}

/// Body of a change of a unit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnitChange {
    /// The new name; absent, the name stays.
    #[schema(value_type = Option<String>)]
    name: Option<Words<200>>,
    /// The new unit above; absent, it stays.
    parent: Option<OfficeCode>,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: Words<MOST_OF_REASON>,
}

/// Gives a unit another name or another parent, from today on. For administrators of the national office.
#[utoipa::path(post, path = "/api/v1/units/{code}/change", tag = "offices", request_body = UnitChange,
    params(("code" = String, Path)), responses((status = 200, body = UnitView)))]
async fn change_unit(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<OfficeCode>,
    Write { stamp, body }: Write<UnitChange>,
) -> Answered {
    let UnitChange { name, parent, reason } = body;
    desk.write(officer, stamp, async |deed| {
        let name = name.map(|name| name.as_str().parse::<UnitName>()).transpose()?;
        steps::change_unit(deed, &code, name, parent, reason.as_str(), None).await.map(UnitView::from)
    })
    .await
}

/// The period of the calendar that is wanted, both days included.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PeriodWanted {
    /// First day.
    #[param(value_type = String)]
    from: Day,
    /// Last day, at most 366 days in all.
    #[param(value_type = String)]
    to: Day,
}

/// A day of the calendar.
#[derive(Debug, Serialize, ToSchema)]
struct DayView {
    /// The day.
    day: Day,
    /// True if the authority works.
    working: bool,
    /// Name of a holiday, or of a day that was set by hand.
    name: Option<String>,
}

/// What an administrator wants a day to be.
#[derive(Debug, Serialize, ToSchema)]
struct DayProposalView {
    /// The day.
    day: Day,
    /// Holiday or working day.
    kind: DayKind,
    /// What the announcement calls it.
    name: String,
    /// The administrator who proposed it; another one confirms it.
    proposed_by: OfficerId,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
}

/// A period of the calendar.
#[derive(Debug, Serialize, ToSchema)]
struct CalendarView {
    /// Each day of the period.
    days: Vec<DayView>,
    /// How many of them are working days.
    working_days: usize,
    /// What an administrator proposed about days of the period and waits for a second one.
    proposed: Vec<DayProposalView>,
    /// Years of the period that do not stand in the table with their Tết: deadlines come out too early. A day that is
    /// set by hand makes no year known.
    years_without_entries: Vec<i32>,
    /// Years of the period whose holidays were computed ahead and are not announced yet.
    years_not_announced: Vec<i32>,
}

/// Reads the calendar of working days.
#[utoipa::path(get, path = "/api/v1/calendar", tag = "offices", params(PeriodWanted),
    responses((status = 200, body = CalendarView)))]
async fn calendar(State(desk): State<Desk>, Parameters(wanted): Parameters<PeriodWanted>) -> Looked<CalendarView> {
    let (Day(from), Day(to)) = (wanted.from, wanted.to);
    check_period(from, to).map_err(OfficesError::from)?;
    let mut tx = desk.deeds().db().begin_read().await?;
    let calendar = steps::calendar(&mut tx, from.year(), to.year()).await?;
    let proposed = steps::proposed_days(&mut tx, (from, to), desk.deeds().source().now()).await?;
    let proposed = proposed.into_iter().map(|one| DayProposalView {
        day: Day(one.day),
        kind: if one.set.working { DayKind::Working } else { DayKind::Holiday },
        name: one.set.name,
        proposed_by: one.proposed.by,
        proposed_at: one.proposed.at,
    });
    let proposed = proposed.collect();
    let days = std::iter::successors(Some(from), |day| day.next_day()).take_while(|day| *day <= to);
    let view = |day| DayView {
        day: Day(day),
        working: calendar.is_working(day),
        name: calendar.name(day).map(ToOwned::to_owned),
    };
    let days: Vec<_> = days.map(view).collect();
    let working_days = days.iter().filter(|day| day.working).count();
    let years_without_entries = calendar.years_without_entries(from, to);
    let awaited = |year: &i32| !calendar.is_announced(*year) && !years_without_entries.contains(year);
    let years_not_announced = (from.year()..=to.year()).filter(awaited).collect();
    Ok(Json(CalendarView { days, working_days, proposed, years_without_entries, years_not_announced }))
}

/// What a day is to be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum DayKind {
    /// The authority does not work.
    Holiday,
    /// The authority works, also on a weekend.
    Working,
}

/// Body of a day that is set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DayBody {
    /// The day.
    day: Day,
    /// Holiday or working day.
    kind: DayKind,
    /// What the announcement calls it: 1 to 100 characters.
    #[schema(value_type = String)]
    name: Words<100>,
    /// For the audit trail: the announcement.
    #[schema(value_type = String)]
    reason: Words<MOST_OF_REASON>,
}

/// Proposes that a day is a holiday or a working day: it counts once another administrator confirms it. For
/// administrators of the national office.
#[utoipa::path(post, path = "/api/v1/calendar/days", tag = "offices", request_body = DayBody,
    responses((status = 200, body = DayView)))]
async fn set_day(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<DayBody>) -> Answered {
    let DayBody { day, kind, name, reason } = body;
    desk.write(officer, stamp, async |deed| {
        let set = steps::propose_day(deed, day.0, kind == DayKind::Working, name.as_str(), reason.as_str()).await?;
        Ok::<_, OfficesError>(DayView { day, working: set.working, name: Some(set.name) })
    })
    .await
}

/// What was read of a proposal about a day.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DayRead {
    /// Holiday or working day.
    kind: DayKind,
    /// What the announcement calls it: 1 to 100 characters.
    #[schema(value_type = String)]
    name: Words<100>,
}

/// Confirms what another administrator of the national office proposed about a day in the last week: from now on
/// deadlines are counted by it. The body says what was read; where something else waits, nothing is confirmed.
#[utoipa::path(post, path = "/api/v1/calendar/days/{day}/confirmation", tag = "offices", request_body = DayRead,
    responses((status = 200, body = DayView)))]
async fn confirm_day(
    State(desk): State<Desk>,
    officer: Officer,
    Named(day): Named<String>,
    Write { stamp, body }: Write<DayRead>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        // About what is no day nothing waits.
        let day: Day = day.parse().map_err(|_| OfficesError::ProposalUnknown)?;
        let read = SetDay { working: body.kind == DayKind::Working, name: body.name.as_str().to_owned() };
        let set = steps::confirm_day(deed, day.0, &read).await?;
        Ok::<_, OfficesError>(DayView { day, working: set.working, name: Some(set.name) })
    })
    .await
}
