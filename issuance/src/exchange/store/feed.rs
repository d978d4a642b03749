//! SQL of whom partners follow, and of what they are told.

use time::OffsetDateTime;

use crate::ground::Id;
use crate::ground::ids::{PartnerId, PersonId, RequestId};
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// A person whom a partner follows for a purpose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Follow {
    /// The partner.
    pub partner: PartnerId,
    /// Code of the purpose.
    pub purpose: String,
    /// The person.
    pub person: PersonId,
    /// The name by which the partner knows the person.
    pub pseudonym: String,
    /// The request by which it began.
    pub request: RequestId,
    /// The moment.
    pub at: OffsetDateTime,
}

fn follow_of(row: &Record) -> Result<Follow, StoreError> {
    Ok(Follow {
        partner: Id::of(row, "partner_id")?,
        purpose: row.get("purpose")?,
        person: Id::of(row, "person_id")?,
        pseudonym: row.get("pseudonym")?,
        request: Id::of(row, "request_id")?,
        at: row.get("at")?,
    })
}

/// Begins that a partner follows a person; one who is followed already is so by the newer request from then on.
pub(in crate::exchange) async fn follow(tx: &mut Tx, follow: &Follow) -> Result<(), StoreError> {
    let Follow { partner, purpose, person, pseudonym, request, at } = follow;
    let sql = sql!(
        "insert into exchange_follow (partner_id, purpose, person_id, pseudonym, request_id, at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (partner_id, purpose, person_id)
         do update set request_id = excluded.request_id, at = excluded.at"
    );
    tx.run(sql, args![*partner, purpose, *person, pseudonym, *request, *at]).await?;
    begin(tx, (*partner, purpose)).await
}

/// Ends that a partner follows a person. Returns what ended.
pub(in crate::exchange) async fn unfollow(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
    pseudonym: &str,
) -> Result<Option<Follow>, StoreError> {
    let sql = sql!(
        "select partner_id, purpose, person_id, pseudonym, request_id, at from exchange_follow
         where partner_id = $1 and purpose = $2 and pseudonym = $3"
    );
    let Some(row) = tx.one(sql, args![partner, purpose, pseudonym]).await? else { return Ok(None) };
    let follow = follow_of(&row)?;
    let sql = sql!("delete from exchange_follow where partner_id = $1 and purpose = $2 and person_id = $3");
    tx.run(sql, args![partner, purpose, follow.person]).await?;
    Ok(Some(follow))
}

/// Returns all who follow one of these persons.
pub(in crate::exchange) async fn followers(tx: &mut Tx, persons: &[PersonId]) -> Result<Vec<Follow>, StoreError> {
    let sql = sql!(
        pg "select partner_id, purpose, person_id, pseudonym, request_id, at from exchange_follow
            where person_id = any($1::uuid[]) order by partner_id, purpose, person_id",
        lite "select partner_id, purpose, person_id, pseudonym, request_id, at from exchange_follow
              where person_id in (select value from json_each($1)) order by partner_id, purpose, person_id",
    );
    let persons = Argument::Uuids(persons.iter().map(|id| id.uuid()).collect());
    tx.all(sql, args![persons]).await?.iter().map(follow_of).collect()
}

/// Returns the persons whom a partner follows, by the name under which it knows them, after this name.
pub(in crate::exchange) async fn followed(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
    after: &str,
    most: i64,
) -> Result<Vec<Follow>, StoreError> {
    let sql = sql!(
        "select partner_id, purpose, person_id, pseudonym, request_id, at from exchange_follow
         where partner_id = $1 and purpose = $2 and pseudonym > $3 order by pseudonym limit $4"
    );
    tx.all(sql, args![partner, purpose, after, most]).await?.iter().map(follow_of).collect()
}

/// Returns the next place, which no other transaction gives meanwhile.
pub(in crate::exchange) async fn next_place(tx: &mut Tx) -> Result<i64, StoreError> {
    let row = tx.one_locked(sql!("select id, next from exchange_place where id = $1"), args![1_i64]).await?;
    row.ok_or_else(|| StoreError::inconsistent("exchange_place", "next", "1".to_owned()))?.get("next")
}

/// Says which place is the next one.
pub(in crate::exchange) async fn set_next_place(tx: &mut Tx, next: i64) -> Result<(), StoreError> {
    tx.run(sql!("update exchange_place set next = $1 where id = $2"), args![next, 1_i64]).await?;
    Ok(())
}

/// What a partner that follows a person is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::exchange) struct Notice {
    /// The partner.
    pub partner: PartnerId,
    /// Code of the purpose.
    pub purpose: String,
    /// Its place.
    pub place: i64,
    /// Random.
    pub tag: [u8; 8],
    /// The person.
    pub person: PersonId,
    /// Names of the fields that changed, with commas.
    pub fields: String,
    /// Since when it is so, if that was said.
    pub effective: Option<String>,
    /// When it got its place.
    pub at: OffsetDateTime,
}

/// Inserts notices.
pub(in crate::exchange) async fn insert(tx: &mut Tx, notices: &[Notice]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_notice (partner_id, purpose, place, tag, person_id, fields, effective, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let row = |notice: &Notice| {
        let Notice { partner, purpose, place, tag, person, fields, effective, at } = notice;
        args![*partner, purpose, *place, *tag, *person, fields, effective.clone(), *at]
    };
    tx.insert_all(sql, &notices.iter().map(row).collect::<Vec<_>>()).await
}

/// A notice, and whether its person is still followed.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Placed {
    /// Its place.
    pub place: i64,
    /// Random.
    pub tag: [u8; 8],
    /// The person.
    pub person: PersonId,
    /// Names of the fields that changed, with commas.
    pub fields: String,
    /// Since when it is so.
    pub effective: Option<String>,
    /// When it got its place.
    pub at: OffsetDateTime,
    /// The name by which the partner knows the person and the request by which it follows; none if it follows no more.
    pub follow: Option<(String, RequestId)>,
}

/// Returns the notices of a feed after a place, in their order and at most so many.
pub(in crate::exchange) async fn after(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
    place: i64,
    most: i64,
) -> Result<Vec<Placed>, StoreError> {
    let sql = sql!(
        "select n.place, n.tag, n.person_id, n.fields, n.effective, n.at, f.pseudonym, f.request_id
         from exchange_notice n left join exchange_follow f
              on f.partner_id = n.partner_id and f.purpose = n.purpose and f.person_id = n.person_id
         where n.partner_id = $1 and n.purpose = $2 and n.place > $3 order by n.place limit $4"
    );
    let rows = tx.all(sql, args![partner, purpose, place, most]).await?;
    rows.iter()
        .map(|row| {
            let pseudonym: Option<String> = row.get("pseudonym")?;
            let follow = pseudonym.map(|name| Ok::<_, StoreError>((name, Id::of(row, "request_id")?))).transpose()?;
            Ok(Placed {
                place: row.get("place")?,
                tag: row.array("tag")?,
                person: Id::of(row, "person_id")?,
                fields: row.get("fields")?,
                effective: row.get("effective")?,
                at: row.get("at")?,
                follow,
            })
        })
        .collect()
}

/// True if a feed has this notice at this place.
pub(in crate::exchange) async fn has(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
    (place, tag): (i64, [u8; 8]),
) -> Result<bool, StoreError> {
    let sql = sql!("select tag from exchange_notice where partner_id = $1 and purpose = $2 and place = $3");
    let row = tx.one(sql, args![partner, purpose, place]).await?;
    row.map_or(Ok(false), |row| Ok(row.array::<8>("tag")? == tag))
}

/// Returns the last notice of a feed.
pub(in crate::exchange) async fn last(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
) -> Result<Option<(i64, [u8; 8])>, StoreError> {
    let sql = sql!(
        "select place, tag from exchange_notice where partner_id = $1 and purpose = $2 order by place desc limit 1"
    );
    let row = tx.one(sql, args![partner, purpose]).await?;
    row.map(|row| Ok((row.get("place")?, row.array("tag")?))).transpose()
}

/// True if the oldest notices of a feed are kept no more.
pub(in crate::exchange) async fn erased(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
) -> Result<bool, StoreError> {
    let sql = sql!("select erased from exchange_feed where partner_id = $1 and purpose = $2");
    tx.one(sql, args![partner, purpose]).await?.map_or(Ok(false), |row| row.get("erased"))
}

/// Begins a feed that was not there.
pub(in crate::exchange) async fn begin(tx: &mut Tx, (partner, purpose): (PartnerId, &str)) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_feed (partner_id, purpose, erased) values ($1, $2, $3)
         on conflict (partner_id, purpose) do nothing"
    );
    tx.run(sql, args![partner, purpose, false]).await?;
    Ok(())
}

/// Returns the last place of a feed that is kept no more; 0 where all is kept.
pub(in crate::exchange) async fn erased_until(
    tx: &mut Tx,
    (partner, purpose): (PartnerId, &str),
) -> Result<i64, StoreError> {
    let sql = sql!("select erased_place from exchange_feed where partner_id = $1 and purpose = $2");
    tx.one(sql, args![partner, purpose]).await?.map_or(Ok(0), |row| row.get("erased_place"))
}

/// Erases notices that got their place before this moment, of each feed at most so many and never the last one, so that
/// a cursor which names it is known. A feed is erased from its beginning on, without a gap: a notice that a clock which
/// was ahead made younger keeps those after it. Returns how many.
pub(in crate::exchange) async fn erase(tx: &mut Tx, before: OffsetDateTime, most: i64) -> Result<usize, StoreError> {
    let mut erased = 0;
    for feed in
        tx.all(sql!("select partner_id, purpose from exchange_feed order by partner_id, purpose"), args![]).await?
    {
        let (partner, purpose): (PartnerId, String) = (Id::of(&feed, "partner_id")?, feed.get("purpose")?);
        let sql = sql!(
            "select place, at from exchange_notice where partner_id = $1 and purpose = $2 order by place limit $3"
        );
        let first = tx.all(sql, args![partner, &purpose, most + 1]).await?;
        let (mut kept, mut last) = (None, None);
        for row in &first {
            let at: OffsetDateTime = row.get("at")?;
            last = kept.replace(row.get::<i64>("place")?);
            if at >= before {
                break;
            }
        }
        let Some(kept) = kept else { continue };
        let sql = sql!("delete from exchange_notice where partner_id = $1 and purpose = $2 and place < $3");
        let some = tx.run(sql, args![partner, &purpose, kept]).await?;
        if some > 0 {
            let sql =
                sql!("update exchange_feed set erased = $3, erased_place = $4 where partner_id = $1 and purpose = $2");
            tx.run(sql, args![partner, &purpose, true, last.unwrap_or_default()]).await?;
        }
        erased += usize::try_from(some).unwrap_or(usize::MAX);
    }
    Ok(erased)
}
