//! SQL of the lists of applications. Each way to ask has a statement of its own that goes along one index: a condition
//! that may be absent would make the database read everything. Ordered by id, and so by the moment of registration.

use time::{Date, OffsetDateTime};

use super::APPLICATION;
use crate::applications::model::StageName;
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::{Id, OfficeCode, Role};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// The applications wanted, and the office that sees them.
#[derive(Clone, Copy, Debug)]
pub(in crate::applications) enum Wanted<'a> {
    /// Those of an office.
    Office(&'a OfficeCode),
    /// Those of an office at this stage.
    Stage(&'a OfficeCode, &'a str),
    /// Those of a person at this office, at this stage or, if it is empty, at any; the national office
    /// sees those of all offices.
    Person(PersonId, &'a OfficeCode, &'a str),
    /// The one with this slip, likewise.
    Slip(&'a str, &'a OfficeCode, &'a str),
    /// Those that this office has, with this role.
    Owner(&'a OfficeCode, Role),
    /// Those that this office has, with this role, and that no officer has before them at this moment.
    Free(&'a OfficeCode, Role, OffsetDateTime),
    /// Those that this officer has before them at this moment, of this office; for the national office, of all.
    Claimed(OfficerId, &'a OfficeCode, OffsetDateTime),
    /// Those that this office has, with this role if one is named, and that were due before this day.
    Late(&'a OfficeCode, Option<Role>, Date),
}

/// Which page.
#[derive(Clone, Copy, Debug)]
pub(in crate::applications) struct Window {
    /// Registered at this moment or before.
    pub until: OffsetDateTime,
    /// After this one.
    pub after: ApplicationId,
    /// At most so many.
    pub most: i64,
}

/// Returns a page of applications, oldest first, each with whether its MAC holds.
pub(in crate::applications) async fn applications(
    tx: &mut Tx,
    wanted: Wanted<'_>,
    window: Window,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let Window { until, after, most } = window;
    // An id is made within a day of the moment that its row names, so that the index ends the search.
    let end: ApplicationId = Id::first_at(until + time::Duration::days(1));
    let (sql, arguments) = match wanted {
        Wanted::Office(office) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application where office = $1 and id > $2 and id < $3 and registered_at <= $4 order by id limit $5"
            ),
            args![office, after, end, until, most],
        ),
        Wanted::Stage(office, stage) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where office = $1 and stage = $2 and id > $3 and id < $4 and registered_at <= $5 order by id limit $6"
            ),
            args![office, stage, after, end, until, most],
        ),
        Wanted::Person(person, office, stage) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where person_id = $1 and (office = $2 or $2 = 'national') and ($3 = '' or stage = $3)
                   and id > $4 and registered_at <= $5 order by id limit $6"
            ),
            args![person, office, stage, after, until, most],
        ),
        Wanted::Slip(slip, office, stage) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where slip = $1 and (office = $2 or $2 = 'national') and ($3 = '' or stage = $3)
                   and id > $4 and registered_at <= $5 order by id limit $6"
            ),
            args![slip, office, stage, after, until, most],
        ),
        Wanted::Owner(office, role) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where owner_office = $1 and owner = $2 and id > $3 and id < $4 and registered_at <= $5 order by id limit $6"
            ),
            args![office, role.name(), after, end, until, most],
        ),
        Wanted::Free(office, role, now) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where owner_office = $1 and owner = $2 and id > $3 and id < $4 and registered_at <= $5
                   and not exists (select 1 from application_claim c
                                   where c.application_id = application.id and c.moves = application.moves and c.until > $6)
                 order by id limit $7"
            ),
            args![office, role.name(), after, end, until, now, most],
        ),
        Wanted::Claimed(officer, office, now) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where id in (select c.application_id from application_claim c
                              where c.officer_id = $1 and c.until > $2 and c.moves = application.moves)
                   and (office = $3 or $3 = 'national') and id > $4 and registered_at <= $5 order by id limit $6"
            ),
            args![officer, now, office, after, until, most],
        ),
        Wanted::Late(office, role, today) => (
            sql!(
                "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
                 from application
                 where owner_office = $1 and owner is not null and ($2 = '' or owner = $2) and due_on < $3 and id > $4
                   and registered_at <= $5 order by id limit $6"
            ),
            args![office, role.map_or("", Role::name), today, after, until, most],
        ),
    };
    tx.all_judged(&APPLICATION, sql, arguments).await
}

/// Returns the applications that an office has, with this role, by the day on which they are due, each with whether its
/// MAC holds.
pub(in crate::applications) async fn by_due_day(
    tx: &mut Tx,
    office: &OfficeCode,
    role: Role,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
         from application where owner_office = $1 and owner = $2 order by due_on, id limit $3"
    );
    tx.all_judged(&APPLICATION, sql, args![office, role.name(), most]).await
}

/// Returns the application under way of a person that another one stands in the way of: its id, and its office.
///
/// # Errors
/// [`StoreError`]
pub async fn open_of(tx: &mut Tx, person: PersonId) -> Result<Option<(ApplicationId, OfficeCode)>, StoreError> {
    let sql = sql!(
        "select id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at, officers,
                     owner_office, owner, due_on, promised_on, moved_at, moves, terms, version, mac
         from application where person_id = $1 order by id"
    );
    // All of them are read: a stage that was changed by another hand must not let a second one begin.
    for row in tx.all_sealed(&APPLICATION, sql, args![person]).await? {
        let stage: StageName = row.parsed("stage")?;
        if stage.is_open() {
            return Ok(Some((Id::of(&row, "id")?, row.parsed("office")?)));
        }
    }
    Ok(None)
}

/// Returns how many applications wait for a chip at an office.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting(tx: &mut Tx, office: &OfficeCode) -> Result<u64, StoreError> {
    let sql = sql!(
        "select count(*) as n from application where office = $1 and stage = 'approved'
             and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)"
    );
    tx.one(sql, args![office]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns the applications that wait for a chip at an office, in the order in which they are taken: by approval, then
/// by id. The rows are what the queue is taken from; their MAC is looked at when one is taken.
///
/// # Errors
/// [`StoreError`]
pub async fn queue(
    tx: &mut Tx,
    office: &OfficeCode,
    after: (OffsetDateTime, ApplicationId),
    most: i64,
) -> Result<Vec<Record>, StoreError> {
    let sql = sql!(
        "select id, slip, approved_at from application
         where office = $1 and stage = 'approved' and (approved_at, id) > ($2, $3)
             and not exists (select 1 from batch_item i where i.application_id = application.id and i.outcome is null)
         order by approved_at, id limit $4"
    );
    tx.all(sql, args![office, after.0, after.1, most]).await
}
