//! SQL of notifications: addresses of partners' systems, and what they want to be told there.

use time::OffsetDateTime;

use crate::exchange::notifications::addresses::Address;
use crate::exchange::notifications::subscriptions::Subscription;
use crate::exchange::notifications::{Policy, Topic};
use crate::ground::ids::{PartnerAddressId, PartnerId, PartnerSystemId, RequestId, SubscriptionId};
use crate::ground::{Decision, Id};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Addresses carry a MAC: one that another hand named would be told of citizens.
pub const PARTNER_ADDRESS: Sealed = Sealed {
    table: "partner_address",
    columns: &[
        ("id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
        ("system_id", Kind::Uuid),
        ("address", Kind::Text),
        ("roots", Kind::Text),
        ("drafted_by", Kind::Uuid),
        ("drafted_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
        ("end_reason", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, partner_id, system_id, address, roots, drafted_by, drafted_at, confirmed_by, confirmed_at, ended_by,
                ended_at, end_reason, version, mac
         from partner_address where id = $1"
    ),
    all: sql!(
        "select id, partner_id, system_id, address, roots, drafted_by, drafted_at, confirmed_by, confirmed_at, ended_by,
                ended_at, end_reason, version, mac
         from partner_address order by id"
    ),
    set: sql!("update partner_address set version = $1, mac = $2 where id = $3"),
};

/// Inserts an address that an officer names. Returns false if the system has it already.
pub(in crate::exchange) async fn insert_address(tx: &mut Tx, address: &Address) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into partner_address (id, partner_id, system_id, address, roots, drafted_by, drafted_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"
    );
    let Address { id, partner, system, address, roots, drafted, .. } = address;
    if tx.run(sql, args![*id, *partner, *system, address, roots, drafted.by, drafted.at]).await? != 1 {
        return Ok(false);
    }
    tx.seal(&PARTNER_ADDRESS, *id).await?;
    Ok(true)
}

/// Returns an address, kept from other writers.
pub(in crate::exchange) async fn address_locked(
    tx: &mut Tx,
    id: PartnerAddressId,
) -> Result<Option<Address>, StoreError> {
    tx.sealed_locked(&PARTNER_ADDRESS, id).await?.map(|row| read_address(&row)).transpose()
}

/// Returns the addresses of a system, in the order in which they were named, each with whether its MAC holds.
pub(in crate::exchange) async fn addresses_of(
    tx: &mut Tx,
    system: PartnerSystemId,
) -> Result<Vec<(Address, bool)>, StoreError> {
    let sql = sql!(
        "select id, partner_id, system_id, address, roots, drafted_by, drafted_at, confirmed_by, confirmed_at, ended_by,
                ended_at, end_reason, version, mac
         from partner_address where system_id = $1 order by id"
    );
    let rows = tx.all_judged(&PARTNER_ADDRESS, sql, args![system]).await?;
    rows.iter().map(|(row, holds)| Ok((read_address(row)?, *holds))).collect()
}

/// Confirms an address.
pub(in crate::exchange) async fn confirm_address(
    tx: &mut Tx,
    id: PartnerAddressId,
    by: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!("update partner_address set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&PARTNER_ADDRESS, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Ends an address.
pub(in crate::exchange) async fn end_address(
    tx: &mut Tx,
    id: PartnerAddressId,
    by: &Decision,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = sql!("update partner_address set ended_by = $1, ended_at = $2, end_reason = $3 where id = $4");
    tx.change(&PARTNER_ADDRESS, id, sql, args![by.by, by.at, reason, id]).await?;
    Ok(())
}

fn read_address(row: &Record) -> Result<Address, StoreError> {
    Ok(Address {
        id: Id::of(row, "id")?,
        partner: Id::of(row, "partner_id")?,
        system: Id::of(row, "system_id")?,
        address: row.get("address")?,
        roots: row.get("roots")?,
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
        ended: Decision::of(row, "ended_by", "ended_at")?,
        end_reason: row.get("end_reason")?,
    })
}

/// Inserts a subscription.
pub(in crate::exchange) async fn insert(tx: &mut Tx, one: &Subscription) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_subscription (id, partner_id, system_id, request_id, purpose, topic, address, countdown,
                                            retries, begun_at, told, attempts, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let Subscription { id, partner, system, request, purpose, topic, address, policy, begun_at, due_at, .. } = one;
    let retries = policy.retries.map_or(-1, i64::from);
    let arguments = args![
        *id,
        *partner,
        *system,
        *request,
        purpose,
        topic.name(),
        address,
        policy.countdown,
        retries,
        *begun_at,
        0_i64,
        0_i64,
        *due_at
    ];
    tx.run(sql, arguments).await?;
    Ok(())
}

/// Returns the subscriptions of a partner's system, in the order in which they began.
pub(in crate::exchange) async fn of_system(
    tx: &mut Tx,
    (partner, system): (PartnerId, PartnerSystemId),
) -> Result<Vec<Subscription>, StoreError> {
    let sql = sql!(
        "select id, partner_id, system_id, request_id, purpose, topic, address, countdown, retries, begun_at,
                confirmed_at, place, told, attempts, due_at, stopped_at, note
         from exchange_subscription where partner_id = $1 and system_id = $2 order by id"
    );
    tx.all(sql, args![partner, system]).await?.iter().map(read).collect()
}

/// Returns a subscription, kept from other writers.
pub(in crate::exchange) async fn locked(
    tx: &mut Tx,
    (partner, id): (PartnerId, SubscriptionId),
) -> Result<Option<Subscription>, StoreError> {
    let sql = sql!(
        "select id, partner_id, system_id, request_id, purpose, topic, address, countdown, retries, begun_at,
                confirmed_at, place, told, attempts, due_at, stopped_at, note
         from exchange_subscription where partner_id = $1 and id = $2"
    );
    tx.one_locked(sql, args![partner, id]).await?.map(|row| read(&row)).transpose()
}

/// Writes what changes of a subscription.
pub(in crate::exchange) async fn update(tx: &mut Tx, one: &Subscription) -> Result<(), StoreError> {
    let sql = sql!(
        "update exchange_subscription
         set request_id = $3, countdown = $4, retries = $5, confirmed_at = $6, place = $7, told = $8, attempts = $9,
             due_at = $10, stopped_at = $11, note = $12
         where partner_id = $1 and id = $2"
    );
    let arguments = args![
        one.partner,
        one.id,
        one.request,
        one.policy.countdown,
        one.policy.retries.map_or(-1, i64::from),
        one.confirmed_at,
        one.place,
        one.told,
        i64::from(one.attempts),
        one.due_at,
        one.stopped_at,
        one.note.clone()
    ];
    tx.run(sql, arguments).await?;
    Ok(())
}

/// Removes a subscription.
pub(in crate::exchange) async fn remove(
    tx: &mut Tx,
    (partner, id): (PartnerId, SubscriptionId),
) -> Result<(), StoreError> {
    let sql = sql!("delete from exchange_subscription where partner_id = $1 and id = $2");
    tx.run(sql, args![partner, id]).await?;
    Ok(())
}

/// Returns what is due: subscriptions whose token is to be sent, and those of which the feed has more.
pub(in crate::exchange) async fn due(
    tx: &mut Tx,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<(PartnerId, SubscriptionId)>, StoreError> {
    let sql = sql!(
        "select s.partner_id, s.id from exchange_subscription s
         where s.due_at <= $1
             and (s.confirmed_at is null
                 or exists (select 1 from exchange_notice n
                            where n.partner_id = s.partner_id and n.purpose = s.purpose and n.place > s.place))
         order by s.due_at limit $2"
    );
    let rows = tx.all(sql, args![now, most]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "partner_id")?, Id::of(row, "id")?))).collect()
}

/// Returns the feeds that are told of each birth, of partners whose subscription was confirmed once; a feed as often as
/// it is subscribed to.
pub(in crate::exchange) async fn told_of_births(tx: &mut Tx) -> Result<Vec<(PartnerId, String)>, StoreError> {
    let sql = sql!(
        "select partner_id, purpose from exchange_subscription where topic = $1 and place is not null
         order by partner_id, purpose"
    );
    let rows = tx.all(sql, args![Topic::LiveBirth.name()]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "partner_id")?, row.get("purpose")?))).collect()
}

/// Returns the partners and systems whose subscriptions were given up.
pub(in crate::exchange) async fn given_up(tx: &mut Tx) -> Result<Vec<(PartnerId, PartnerSystemId)>, StoreError> {
    let sql = sql!(
        "select partner_id, system_id from exchange_subscription
         where stopped_at is not null and place is not null order by partner_id, system_id"
    );
    let rows = tx.all(sql, args![]).await?;
    let systems = rows.iter().map(|row| Ok((Id::of(row, "partner_id")?, Id::of(row, "system_id")?)));
    let mut systems = systems.collect::<Result<Vec<_>, StoreError>>()?;
    systems.dedup();
    Ok(systems)
}

fn read(row: &Record) -> Result<Subscription, StoreError> {
    let (id, retries): (SubscriptionId, i64) = (Id::of(row, "id")?, row.get("retries")?);
    let topic: String = row.get("topic")?;
    let inconsistent = |column| StoreError::inconsistent("exchange_subscription", column, id.to_string());
    let request: RequestId = Id::of(row, "request_id")?;
    let retries = match retries {
        -1 => None,
        retries => Some(u32::try_from(retries).map_err(|_| inconsistent("retries"))?),
    };
    Ok(Subscription {
        id,
        partner: Id::of(row, "partner_id")?,
        system: Id::of(row, "system_id")?,
        request,
        purpose: row.get("purpose")?,
        topic: Topic::named(&topic).map_err(|_| inconsistent("topic"))?,
        address: row.get("address")?,
        policy: Policy { countdown: row.number("countdown")?, retries },
        begun_at: row.get("begun_at")?,
        confirmed_at: row.get("confirmed_at")?,
        place: row.get("place")?,
        told: row.get("told")?,
        attempts: row.number("attempts")?,
        due_at: row.get("due_at")?,
        stopped_at: row.get("stopped_at")?,
        note: row.get("note")?,
    })
}
