//! Leases of numbers and the state of the cells, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::{PersonalNumber, ProvinceCode, Sex};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Numbers;
use super::leases::{self, Lease, LeaseError, LeasePurpose, LeaseState, LeaseUnfit, Wanted};
use super::model::NumberCell;
use super::store::leases as store;
use crate::deed::{Action, Entry, Object, Purpose};
use crate::ground::ids::LeaseId;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::population::Register;
use crate::web::{Answer, Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of leases and cells.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Numbers: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Number), routes!(list))
        .add(Right::Officer(Permission::Number), routes!(lease))
        .add(Right::Officer(Permission::Number), routes!(read))
        .add(Right::Officer(Permission::Number), routes!(give_back))
        .add(Right::Officer(Permission::Number), routes!(cells))
}

/// A block of numbers that a desk or a station takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"holder": "Birth desk 2", "purpose": "birth-desk", "province": "003", "birth_year": 2026,
    "numbers": 50, "days": 30}))]
struct LeaseBody {
    /// The desk or station, 1 to 100 characters.
    #[schema(value_type = String, max_length = 100)]
    holder: SomeWords<100>,
    /// What it is for.
    purpose: LeasePurpose,
    /// Province of birth registration, three digits: the office's own, or one of the units below it.
    #[schema(value_type = String)]
    province: ProvinceCode,
    /// Year of birth.
    birth_year: u16,
    /// `M` or `F`; left out: so many numbers of both.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    sex: Option<Sex>,
    /// Numbers of a sex, 1 to 10000, and no more than `[numbering]` allows.
    numbers: u32,
    /// Days that the lease lasts, 1 to 366.
    days: u16,
}

/// Why a lease ends early.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"because": "The station is connected again."}))]
struct LeaseReturn {
    /// For the audit trail and those who read the lease, at most 400 characters.
    #[schema(value_type = String)]
    because: SomeWords<MOST_OF_REASON>,
}

/// A lease.
#[derive(Debug, Serialize, ToSchema)]
struct LeaseView {
    /// Identifier; a message of birth names it.
    id: LeaseId,
    /// The office whose desk or station it is.
    office: OfficeCode,
    /// The desk or station.
    holder: String,
    /// What it is for.
    purpose: LeasePurpose,
    /// Province of birth registration.
    #[schema(value_type = String)]
    province: ProvinceCode,
    /// Year of birth.
    birth_year: u16,
    /// Numbers that it has.
    numbers: u32,
    /// Numbers that persons have or had.
    used: u64,
    /// The caller who leased it.
    leased_by: String,
    /// The moment from which it is the holder's.
    #[serde(with = "time::serde::rfc3339")]
    leased_at: OffsetDateTime,
    /// Its holder draws until then.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// How far it is.
    state: LeaseState,
    /// When it was returned.
    #[serde(with = "time::serde::rfc3339::option")]
    returned_at: Option<OffsetDateTime>,
    /// The caller who returned it.
    returned_by: Option<String>,
    /// Why, in an officer's words.
    return_reason: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl LeaseView {
    fn new(lease: Lease, used: u64, now: OffsetDateTime, tampered: bool) -> Self {
        let (state, numbers) = (lease.state(now), lease.size());
        let (returned_at, returned_by, return_reason) = match lease.returned {
            Some(end) => (Some(end.at), Some(end.by), Some(end.because)),
            None => (None, None, None),
        };
        Self {
            id: lease.id,
            office: lease.office,
            holder: lease.holder,
            purpose: lease.purpose,
            province: lease.province,
            birth_year: lease.birth_year,
            numbers,
            used,
            leased_by: lease.leased_by,
            leased_at: lease.leased_at,
            expires_at: lease.expires_at,
            state,
            returned_at,
            returned_by,
            return_reason,
            tampered,
        }
    }
}

/// A lease, and what is left of it.
#[derive(Debug, Serialize, ToSchema)]
struct LeaseWithNumbers {
    /// The lease.
    lease: LeaseView,
    /// Its numbers that no person has or had, in the order in which they are drawn.
    #[schema(value_type = Vec<String>)]
    unused: Vec<PersonalNumber>,
}

/// What was leased.
#[derive(Debug, Serialize, ToSchema)]
struct Leased {
    /// The lease.
    lease_id: LeaseId,
    /// Its numbers, in the order in which they are drawn.
    #[schema(value_type = Vec<String>)]
    numbers: Vec<PersonalNumber>,
    /// Its holder draws until then.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Which leases.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LeasesAsked {
    /// The office; another one than the officer's own is for the national office.
    office: Option<OfficeCode>,
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllCells {}

/// A birth desk or an offline station takes a block of numbers. They are its own from now on: no other caller gets one,
/// whatever happens to service or station.
#[utoipa::path(post, path = "/api/v1/number-leases", tag = "numbering", operation_id = "lease_numbers",
    request_body = LeaseBody, responses((status = 201, body = Leased, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn lease(
    State(desk): State<Desk>,
    State(numbers): State<Numbers>,
    State(register): State<Register>,
    officer: Officer,
    Write { stamp, body }: Write<LeaseBody>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        if register.reference().province(body.province, deed.today()).is_none() {
            return Err(LeaseError::Unfit(LeaseUnfit::Province));
        }
        let wanted = Wanted {
            office: deed.actor().office.clone(),
            holder: body.holder.as_str().to_owned(),
            purpose: body.purpose,
            province: body.province,
            birth_year: body.birth_year,
            sex: body.sex,
            numbers: body.numbers,
            days: body.days,
        };
        let lease = leases::lease_of_officer(deed, &numbers, wanted).await?;
        let drawn = lease.numbers(numbers.permutation()).collect::<Result<_, _>>()?;
        Ok(Leased { lease_id: lease.id, numbers: drawn, expires_at: lease.expires_at })
    })
    .await
    .map(|made| made.created("/api/v1/number-leases/", "lease_id"))
}

/// The leases of an office, oldest first. The reading is a record of the trail.
#[utoipa::path(get, path = "/api/v1/number-leases", tag = "numbering", operation_id = "list_number_leases",
    params(PageAsked, LeasesAsked), responses((status = 200, body = Page<LeaseView>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<LeasesAsked, LeaseId>,
) -> Looked<Page<LeaseView>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter, after, .. } = listing;
    let office = filter.office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office)?;
    desk.look(officer, async |deed| {
        let now = deed.at();
        let rows = store::leases(deed.tx(), Some(&office), after.unwrap_or(Id::nil()), most).await?;
        let ids: Vec<LeaseId> = rows.iter().filter_map(|(row, _)| Id::of(row, "id").ok()).collect();
        let used = store::used(deed.tx(), &ids).await?;
        let item = |(row, holds): &(_, bool)| {
            let lease = store::read(row)?;
            let used = used.get(&lease.id).copied().unwrap_or(0);
            Ok((lease.id, LeaseView::new(lease, used, now, !holds)))
        };
        let page = Page::judged(&rows, limit, item)?;
        let asked = Object::Asked("number-leases".into());
        deed.enter(Entry::new(Action::NumberLeaseRead, asked, Purpose::Numbering).of(&office)).await?;
        Ok::<_, LeaseError>(page)
    })
    .await
}

/// A lease and its unused numbers, whatever became of it. The reading is a record of the trail.
#[utoipa::path(get, path = "/api/v1/number-leases/{id}", tag = "numbering", operation_id = "read_number_lease",
    responses((status = 200, body = LeaseWithNumbers)))]
async fn read(
    State(desk): State<Desk>,
    State(numbers): State<Numbers>,
    officer: Officer,
    Named(id): Named<LeaseId>,
) -> Looked<LeaseWithNumbers> {
    desk.look(officer, async |deed| {
        let (lease, unused) = leases::read(deed, &numbers, id, Officer::may_act_for).await?;
        let used = store::used(deed.tx(), &[id]).await?.get(&id).copied().unwrap_or(0);
        Ok::<_, LeaseError>(LeaseWithNumbers { lease: LeaseView::new(lease, used, deed.at(), false), unused })
    })
    .await
}

/// A lease is returned: nothing of it comes in any more, and its unused numbers are never given.
#[utoipa::path(post, path = "/api/v1/number-leases/{id}/return", tag = "numbering", operation_id = "return_number_lease",
    request_body = LeaseReturn, responses((status = 204, description = "Done.")))]
async fn give_back(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<LeaseId>,
    Write { stamp, body }: Write<LeaseReturn>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        leases::give_back(deed, id, body.because.as_str(), Officer::may_act_for).await
    })
    .await
    .map(Answer::without_body)
}

/// The cells of which numbers are given or reserved, by province, sex and year, with what is left of each. It tells of
/// no person, and leaves no record.
#[utoipa::path(get, path = "/api/v1/number-cells", tag = "numbering", operation_id = "list_number_cells",
    params(PageAsked), responses((status = 200, body = Page<NumberCell>)))]
async fn cells(State(desk): State<Desk>, listing: Listing<AllCells, String>) -> Looked<Page<NumberCell>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.as_deref().unwrap_or_default();
    Ok(Json(Page::of(store::cells(&mut tx, after, listing.most()).await?, listing.limit)))
}
