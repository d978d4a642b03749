//! SQL of what closed applications still hold, and of what was erased of them.

use time::OffsetDateTime;

use crate::applications::erasure::Erasable;
use crate::ground::Id;
use crate::ground::ids::{ApplicationId, PersonId};
use crate::store::{Argument, StoreError, Tx};
use crate::{args, sql};

/// A closed application that still holds something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    /// The application.
    pub id: ApplicationId,
    /// Whose it is, as this table says; the application itself decides.
    pub person: PersonId,
    /// Since when it is closed, as this table says.
    pub closed_at: OffsetDateTime,
}

/// What was erased of an application, when, and on which ground.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Erased {
    /// The portraits.
    pub portrait: Option<(OffsetDateTime, String)>,
    /// The other captured data.
    pub dossier: Option<(OffsetDateTime, String)>,
}

/// Notes a portrait that was taken for an application.
pub(in crate::applications) async fn took(
    tx: &mut Tx,
    id: ApplicationId,
    name: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into portrait (application_id, name, taken_at) values ($1, $2, $3)
         on conflict (application_id, name) do nothing"
    );
    tx.run(sql, args![id, name, at]).await?;
    Ok(())
}

/// Notes that an application is closed.
pub(super) async fn close(
    tx: &mut Tx,
    id: ApplicationId,
    at: OffsetDateTime,
    handed_over: bool,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into closed_application (application_id, person_id, closed_at, handed_over)
         select id, person_id, $2, $3 from application where id = $1
         on conflict (application_id) do nothing"
    );
    tx.run(sql, args![id, at, handed_over]).await?;
    Ok(())
}

/// Notes that a closed application is under way again: nothing of it is erased.
pub(in crate::applications) async fn reopen(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    tx.run(sql!("delete from closed_application where application_id = $1"), args![id]).await?;
    Ok(())
}

/// Puts the moment right at which an application was closed.
///
/// # Errors
/// [`StoreError`]
pub async fn set_closed_at(tx: &mut Tx, id: ApplicationId, at: OffsetDateTime) -> Result<(), StoreError> {
    tx.run(sql!("update closed_application set closed_at = $1 where application_id = $2"), args![at, id]).await?;
    Ok(())
}

/// Returns applications that were closed until then and still hold this, after the one that was closed at this moment,
/// in the order of their closing. Ids only: no record is due.
///
/// # Errors
/// [`StoreError`]
pub async fn due(
    tx: &mut Tx,
    what: Erasable,
    until: OffsetDateTime,
    after: (OffsetDateTime, ApplicationId),
    most: i64,
) -> Result<Vec<Due>, StoreError> {
    let sql = match what {
        Erasable::Portraits => sql!(
            "select application_id, person_id, closed_at from closed_application
             where portrait_erased_at is null and closed_at <= $1 and (closed_at, application_id) > ($2, $3)
             order by closed_at, application_id limit $4"
        ),
        Erasable::Dossiers => sql!(
            "select application_id, person_id, closed_at from closed_application
             where dossier_erased_at is null and not handed_over and closed_at <= $1
                 and (closed_at, application_id) > ($2, $3)
             order by closed_at, application_id limit $4"
        ),
    };
    let rows = tx.all(sql, args![until, after.0, after.1, most]).await?;
    let due = |row: &crate::store::Record| {
        Ok(Due {
            id: Id::of(row, "application_id")?,
            person: Id::of(row, "person_id")?,
            closed_at: row.get("closed_at")?,
        })
    };
    rows.iter().map(due).collect()
}

/// Returns the portraits that were taken for an application and are not erased.
pub(in crate::applications) async fn portraits(tx: &mut Tx, id: ApplicationId) -> Result<Vec<String>, StoreError> {
    let sql = sql!("select name from portrait where application_id = $1 order by name");
    tx.all(sql, args![id]).await?.iter().map(|row| row.get("name")).collect()
}

/// True if another application has the same portrait: before content keys, equal pictures were one object.
pub(in crate::applications) async fn is_shared(tx: &mut Tx, name: &str, id: ApplicationId) -> Result<bool, StoreError> {
    let sql = sql!("select name from portrait where name = $1 and application_id <> $2 limit 1");
    Ok(tx.one(sql, args![name, id]).await?.is_some())
}

/// Returns those of these names that no application has.
///
/// # Errors
/// [`StoreError`]
pub async fn without_application(tx: &mut Tx, names: Vec<String>) -> Result<Vec<String>, StoreError> {
    let sql = sql!(
        pg "select name from portrait where name = any($1) order by name",
        lite "select name from portrait where name in (select value from json_each($1)) order by name",
    );
    let rows = tx.all(sql, vec![Argument::Texts(names.clone())]).await?;
    let known = rows.iter().map(|row| row.get("name")).collect::<Result<std::collections::BTreeSet<String>, _>>()?;
    Ok(names.into_iter().filter(|name| !known.contains(name)).collect())
}

/// Returns some portraits with their applications, in the order of their names.
///
/// # Errors
/// [`StoreError`]
pub async fn portraits_after(
    tx: &mut Tx,
    (name, id): &(String, ApplicationId),
) -> Result<Vec<(ApplicationId, String)>, StoreError> {
    let sql = sql!(
        "select application_id, name from portrait where (name, application_id) > ($1, $2)
         order by name, application_id limit 500"
    );
    let rows = tx.all(sql, args![name.as_str(), *id]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "application_id")?, row.get("name")?))).collect()
}

/// Notes that this was erased of an application.
pub(in crate::applications) async fn erased(
    tx: &mut Tx,
    what: Erasable,
    id: ApplicationId,
    at: OffsetDateTime,
    ground: &str,
) -> Result<(), StoreError> {
    let sql = match what {
        Erasable::Portraits => {
            sql!(
                "update closed_application set portrait_erased_at = $1, portrait_ground = $2 where application_id = $3"
            )
        }
        Erasable::Dossiers => {
            sql!("update closed_application set dossier_erased_at = $1, dossier_ground = $2 where application_id = $3")
        }
    };
    tx.run(sql, args![at, ground, id]).await?;
    Ok(())
}

/// Notes the name of a portrait, or of an object that was made of it, if it is not noted: it is erased with the
/// others of the application.
///
/// # Errors
/// [`StoreError`]
pub async fn note(tx: &mut Tx, id: ApplicationId, name: &str, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into portrait (application_id, name, taken_at) values ($1, $2, $3)
         on conflict (application_id, name) do nothing"
    );
    tx.run(sql, args![id, name, at]).await?;
    Ok(())
}

/// Forgets the names of the portraits of an application: their files are gone.
pub(in crate::applications) async fn forget_names(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    tx.run(sql!("delete from made_ahead where application_id = $1"), args![id]).await?;
    tx.run(sql!("delete from portrait where application_id = $1"), args![id]).await?;
    Ok(())
}

/// Forgets the name of one object of an application, whose file is to be removed.
///
/// # Errors
/// [`StoreError`]
pub async fn forget(tx: &mut Tx, id: ApplicationId, name: &str) -> Result<(), StoreError> {
    tx.run(sql!("delete from portrait where application_id = $1 and name = $2"), args![id, name]).await?;
    Ok(())
}

/// Returns applications whose portraits are erased and whose files may still be there.
pub(in crate::applications) async fn unfinished(tx: &mut Tx) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select c.application_id from closed_application c
         where c.portrait_erased_at is not null
             and exists (select name from portrait p where p.application_id = c.application_id)
         order by c.application_id limit 500"
    );
    tx.all(sql, args![]).await?.iter().map(|row| Id::of(row, "application_id")).collect()
}

/// Returns what was erased of an application.
///
/// # Errors
/// [`StoreError`]
pub async fn erased_of(tx: &mut Tx, id: ApplicationId) -> Result<Erased, StoreError> {
    let sql = sql!(
        "select portrait_erased_at, portrait_ground, dossier_erased_at, dossier_ground from closed_application
         where application_id = $1"
    );
    let Some(row) = tx.one(sql, args![id]).await? else { return Ok(Erased::default()) };
    let of = |at: &str, ground: &str| -> Result<Option<(OffsetDateTime, String)>, StoreError> {
        let (at, ground): (Option<OffsetDateTime>, Option<String>) = (row.get(at)?, row.get(ground)?);
        Ok(at.map(|at| (at, ground.unwrap_or_default())))
    };
    Ok(Erased {
        portrait: of("portrait_erased_at", "portrait_ground")?,
        dossier: of("dossier_erased_at", "dossier_ground")?,
    })
}
