//! SQL of the audit office.

use time::OffsetDateTime;

use crate::access::{Caller, OfficeCode};
use crate::app::App;
use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};

/// Tables of the audit office.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 3001,
    title: "audit trail",
    sql: "create table audit (
        id TEXT primary key,
        at BIGINT not null,
        actor TEXT not null,
        action TEXT not null,
        object TEXT not null,
        purpose TEXT not null
    );
    create index audit_object on audit (object, at);
    create index audit_actor on audit (actor, at);",
}];

/// Writes down who did what to which object, and for what purpose, in the transaction of the deed.
///
/// `action` is the office's verb in kebab case (`application-approved`, `person-read`), `object` is `kind/id`
/// (`person/0197…`, `card/…`, `chip/…`) and `purpose` a short reason; none of them holds personal data.
///
/// # Errors
/// [`StoreError`]: then the deed must not happen either.
pub async fn record(
    tx: &mut Tx,
    app: &App,
    actor: impl Into<Caller>,
    action: &'static str,
    object: &str,
    purpose: &str,
) -> Result<(), StoreError> {
    let at: OffsetDateTime = app.now();
    tx.run(
        "insert into audit (id, at, actor, action, object, purpose) values ($1, $2, $3, $4, $5, $6)",
        args![app.new_id(), at, actor.into().to_string(), action, object, purpose],
    )
    .await?;
    Ok(())
}

/// At most 500 rows about an object, by an actor, or both (an empty text asks for any), after a row, oldest first: what people and
/// stations of this office did; the national office sees everybody.
pub(super) async fn trail(
    tx: &mut Tx,
    object: &str,
    actor: &str,
    after: &str,
    office: &OfficeCode,
) -> Result<Vec<Record>, StoreError> {
    tx.all(
        "select id, at, actor, action, object, purpose from audit
         where ($1 = '' or object = $1) and ($2 = '' or actor = $2) and id > $3
           and ($4 = $5 or actor in (select 'officer/' || id from officer where office = $4
                                     union all select 'station/' || id from station where office = $4))
         order by id limit 500",
        args![object, actor, after, office.as_str(), OfficeCode::national().as_str()],
    )
    .await
}
