//! SQL of partners and of their systems.

use time::OffsetDateTime;

use crate::access::AccessError;
use crate::access::partners::{Contact, PartnerRow, SystemRow};
use crate::ground::actor::{Carrier, Partner};
use crate::ground::carried::Member;
use crate::ground::ids::{PartnerId, PartnerSystemId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::keys::IssuedCertificate;
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Partners carry a MAC.
pub const PARTNER: Sealed = Sealed {
    table: "partner",
    columns: &[
        ("id", Kind::Uuid),
        ("code", Kind::Text),
        ("name", Kind::Text),
        ("unit", Kind::Text),
        ("contact_name", Kind::Text),
        ("contact_email", Kind::Text),
        ("contact_phone", Kind::Text),
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
        "select id, code, name, unit, contact_name, contact_email, contact_phone, drafted_by, drafted_at, confirmed_by,
                confirmed_at, ended_by, ended_at, end_reason, version, mac
         from partner where id = $1"
    ),
    all: sql!(
        "select id, code, name, unit, contact_name, contact_email, contact_phone, drafted_by, drafted_at, confirmed_by,
                confirmed_at, ended_by, ended_at, end_reason, version, mac
         from partner order by id"
    ),
    set: sql!("update partner set version = $1, mac = $2 where id = $3"),
};

/// Systems of partners carry a MAC.
pub const PARTNER_SYSTEM: Sealed = Sealed {
    table: "partner_system",
    columns: &[
        ("id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
        ("name", Kind::Text),
        ("request", Kind::Text),
        ("drafted_by", Kind::Uuid),
        ("drafted_at", Kind::Moment),
        ("fingerprint", Kind::Bytes),
        ("certificate", Kind::Bytes),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("revoked_by", Kind::Uuid),
        ("revoked_at", Kind::Moment),
        ("revocation_reason", Kind::Text),
        ("member", Kind::Text),
        ("carries", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, partner_id, name, request, drafted_by, drafted_at, fingerprint, certificate, confirmed_by,
                confirmed_at, expires_at, revoked_by, revoked_at, revocation_reason, member, carries, version, mac
         from partner_system where id = $1"
    ),
    all: sql!(
        "select id, partner_id, name, request, drafted_by, drafted_at, fingerprint, certificate, confirmed_by,
                confirmed_at, expires_at, revoked_by, revoked_at, revocation_reason, member, carries, version, mac
         from partner_system order by id"
    ),
    set: sql!("update partner_system set version = $1, mac = $2 where id = $3"),
};

/// Inserts a partner that is proposed.
pub(in crate::access) async fn insert_partner(tx: &mut Tx, partner: &PartnerRow) -> Result<(), AccessError> {
    let sql = sql!(
        "insert into partner (id, code, name, unit, contact_name, contact_email, contact_phone, drafted_by, drafted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (code) do nothing"
    );
    let Contact { name, email, phone } = &partner.contact;
    let arguments = args![
        partner.id,
        &partner.code,
        &*partner.name,
        &*partner.unit,
        &**name,
        &**email,
        &**phone,
        partner.drafted.by,
        partner.drafted.at
    ];
    if tx.run(sql, arguments).await? != 1 {
        return Err(AccessError::NameTaken);
    }
    Ok(tx.seal(&PARTNER, partner.id).await?)
}

/// Returns a partner, kept from other writers.
pub(in crate::access) async fn partner_locked(tx: &mut Tx, id: PartnerId) -> Result<Option<PartnerRow>, StoreError> {
    tx.sealed_locked(&PARTNER, id).await?.map(|row| read_partner(&row)).transpose()
}

/// Returns a partner.
pub(in crate::access) async fn partner(tx: &mut Tx, id: PartnerId) -> Result<Option<PartnerRow>, StoreError> {
    tx.sealed(&PARTNER, id).await?.map(|row| read_partner(&row)).transpose()
}

/// Returns the partners after this one, each with whether its MAC holds.
pub(in crate::access) async fn partners(
    tx: &mut Tx,
    after: PartnerId,
    most: i64,
) -> Result<Vec<(PartnerRow, bool)>, StoreError> {
    let sql = sql!(
        "select id, code, name, unit, contact_name, contact_email, contact_phone, drafted_by, drafted_at, confirmed_by,
                confirmed_at, ended_by, ended_at, end_reason, version, mac
         from partner where id > $1 order by id limit $2"
    );
    let rows = tx.all_judged(&PARTNER, sql, args![after, most]).await?;
    rows.iter().map(|(row, holds)| Ok((read_partner(row)?, *holds))).collect()
}

/// Returns code of the partner, name and end of the certificate of each system that may ask, by that end.
///
/// # Errors
/// [`StoreError`]
pub async fn partner_systems_in_use(tx: &mut Tx) -> Result<Vec<(String, String, OffsetDateTime)>, StoreError> {
    let sql = sql!(
        "select p.code, s.name, s.expires_at from partner_system s join partner p on p.id = s.partner_id
         where s.expires_at is not null and s.revoked_at is null and p.ended_at is null
         order by s.expires_at, p.code, s.name"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("code")?, row.get("name")?, row.get("expires_at")?))).collect()
}

/// Confirms a partner.
pub(in crate::access) async fn confirm_partner(tx: &mut Tx, id: PartnerId, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update partner set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&PARTNER, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Ends a partner.
pub(in crate::access) async fn end_partner(
    tx: &mut Tx,
    id: PartnerId,
    by: &Decision,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = sql!("update partner set ended_by = $1, ended_at = $2, end_reason = $3 where id = $4");
    tx.change(&PARTNER, id, sql, args![by.by, by.at, reason, id]).await?;
    Ok(())
}

/// Inserts a system whose certification request an officer brings.
pub(in crate::access) async fn insert_system(tx: &mut Tx, system: &SystemRow) -> Result<(), AccessError> {
    // The name is taken within the partner, a member by any system that is not revoked.
    let sql = sql!(
        "insert into partner_system (id, partner_id, name, request, drafted_by, drafted_at, member, carries)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"
    );
    let arguments = args![
        system.id,
        system.partner,
        &*system.name,
        &*system.request,
        system.drafted.by,
        system.drafted.at,
        system.member.as_ref().map(|member| member.as_str().to_owned()),
        system.carries.clone()
    ];
    if tx.run(sql, arguments).await? != 1 {
        return Err(AccessError::NameTaken);
    }
    Ok(tx.seal(&PARTNER_SYSTEM, system.id).await?)
}

/// Returns a system, kept from other writers.
pub(in crate::access) async fn system_locked(
    tx: &mut Tx,
    id: PartnerSystemId,
) -> Result<Option<SystemRow>, StoreError> {
    tx.sealed_locked(&PARTNER_SYSTEM, id).await?.map(|row| read_system(&row)).transpose()
}

/// Returns a system.
pub(in crate::access) async fn system(tx: &mut Tx, id: PartnerSystemId) -> Result<Option<SystemRow>, StoreError> {
    tx.sealed(&PARTNER_SYSTEM, id).await?.map(|row| read_system(&row)).transpose()
}

/// Returns the systems of a partner, each with whether its MAC holds.
pub(in crate::access) async fn systems_of(
    tx: &mut Tx,
    partner: PartnerId,
) -> Result<Vec<(SystemRow, bool)>, StoreError> {
    let sql = sql!(
        "select id, partner_id, name, request, drafted_by, drafted_at, fingerprint, certificate, confirmed_by,
                confirmed_at, expires_at, revoked_by, revoked_at, revocation_reason, member, carries, version, mac
         from partner_system where partner_id = $1 order by id"
    );
    let rows = tx.all_judged(&PARTNER_SYSTEM, sql, args![partner]).await?;
    rows.iter().map(|(row, holds)| Ok((read_system(row)?, *holds))).collect()
}

/// Gives a system its certificate.
pub(in crate::access) async fn certify_system(
    tx: &mut Tx,
    id: PartnerSystemId,
    by: &Decision,
    certificate: &IssuedCertificate,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update partner_system set fingerprint = $1, certificate = $2, expires_at = $3, confirmed_by = $4,
                confirmed_at = $5
         where id = $6"
    );
    let arguments = args![certificate.fingerprint(), &certificate.der, certificate.not_after, by.by, by.at, id];
    tx.change(&PARTNER_SYSTEM, id, sql, arguments).await?;
    Ok(())
}

/// Confirms a system that has no certificate: the member of a data exchange layer.
pub(in crate::access) async fn confirm_member(
    tx: &mut Tx,
    id: PartnerSystemId,
    by: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!("update partner_system set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&PARTNER_SYSTEM, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Revokes a system's certificate.
pub(in crate::access) async fn revoke_system(
    tx: &mut Tx,
    id: PartnerSystemId,
    by: &Decision,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update partner_system set revoked_by = $1, revoked_at = $2, revocation_reason = $3
         where id = $4 and revoked_at is null"
    );
    tx.change(&PARTNER_SYSTEM, id, sql, args![by.by, by.at, reason, id]).await?;
    Ok(())
}

/// Returns the system that this certificate was issued to, with its partner: read, verified and judged at once.
pub(in crate::access) async fn by_certificate(
    tx: &mut Tx,
    fingerprint: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Partner, AccessError> {
    let (system, partner) = certified(tx, fingerprint, now).await?;
    if system.carries.is_some() {
        return Err(AccessError::PartnerCertificate("it is a carrier's, which asks for members and not for itself"));
    }
    Ok(actor(system, partner))
}

/// Returns the carrier that this certificate was issued to.
pub(in crate::access) async fn carrier(
    tx: &mut Tx,
    fingerprint: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Carrier, AccessError> {
    let (mut system, partner) = certified(tx, fingerprint, now).await?;
    let instance = system.carries.take().ok_or(AccessError::PartnerCertificate("it is no carrier's"))?;
    Ok(Carrier { system: actor(system, partner), instance })
}

async fn certified(
    tx: &mut Tx,
    fingerprint: &[u8; 32],
    now: OffsetDateTime,
) -> Result<(SystemRow, PartnerRow), AccessError> {
    let sql = sql!(
        "select s.id, s.partner_id, s.name, s.request, s.drafted_by, s.drafted_at, s.fingerprint, s.certificate,
                s.confirmed_by, s.confirmed_at, s.expires_at, s.revoked_by, s.revoked_at, s.revocation_reason,
                s.member, s.carries, s.version, s.mac,
                p.id as p_id, p.code as p_code, p.name as p_name, p.unit as p_unit, p.contact_name as p_contact_name,
                p.contact_email as p_contact_email, p.contact_phone as p_contact_phone,
                p.drafted_by as p_drafted_by, p.drafted_at as p_drafted_at, p.confirmed_by as p_confirmed_by,
                p.confirmed_at as p_confirmed_at, p.ended_by as p_ended_by, p.ended_at as p_ended_at,
                p.end_reason as p_end_reason, p.version as p_version, p.mac as p_mac
         from partner_system s join partner p on p.id = s.partner_id where s.fingerprint = $1"
    );
    let found = tx.sealed_with(&PARTNER_SYSTEM, (&PARTNER, "p_"), sql, args![fingerprint]).await?;
    let (system, partner) = found.ok_or(AccessError::PartnerCertificate("it is none that was issued here"))?;
    let partner = partner?.ok_or(AccessError::PartnerCertificate("its partner is unknown"))?;
    let (system, partner) = (read_system(&system)?, read_partner(&partner)?);
    if system.revoked.is_some() {
        return Err(AccessError::PartnerCertificate("it is revoked"));
    }
    if system.expires_at.is_none_or(|ends| ends <= now) {
        return Err(AccessError::PartnerCertificate("it has ended"));
    }
    if !partner.is_joined() {
        return Err(AccessError::PartnerCertificate("its authority is no partner any more"));
    }
    Ok((system, partner))
}

/// Returns the system that is this member, with its partner: read, verified and judged at once.
pub(in crate::access) async fn by_member(tx: &mut Tx, member: &Member) -> Result<Partner, AccessError> {
    let sql = sql!(
        "select s.id, s.partner_id, s.name, s.request, s.drafted_by, s.drafted_at, s.fingerprint, s.certificate,
                s.confirmed_by, s.confirmed_at, s.expires_at, s.revoked_by, s.revoked_at, s.revocation_reason,
                s.member, s.carries, s.version, s.mac,
                p.id as p_id, p.code as p_code, p.name as p_name, p.unit as p_unit, p.contact_name as p_contact_name,
                p.contact_email as p_contact_email, p.contact_phone as p_contact_phone,
                p.drafted_by as p_drafted_by, p.drafted_at as p_drafted_at, p.confirmed_by as p_confirmed_by,
                p.confirmed_at as p_confirmed_at, p.ended_by as p_ended_by, p.ended_at as p_ended_at,
                p.end_reason as p_end_reason, p.version as p_version, p.mac as p_mac
         from partner_system s join partner p on p.id = s.partner_id where s.member = $1 and s.revoked_at is null"
    );
    let found = tx.sealed_with(&PARTNER_SYSTEM, (&PARTNER, "p_"), sql, args![member.as_str()]).await?;
    let (system, partner) = found.ok_or(AccessError::PartnerMember("client: no system is joined as this member"))?;
    let partner = partner?.ok_or(AccessError::PartnerMember("client: the partner of this member is unknown"))?;
    let (system, partner) = (read_system(&system)?, read_partner(&partner)?);
    if system.confirmed.is_none() || system.revoked.is_some() {
        return Err(AccessError::PartnerMember("client: no second officer confirmed the system of this member"));
    }
    if !partner.is_joined() {
        return Err(AccessError::PartnerMember("client: the authority of this member is no partner any more"));
    }
    Ok(actor(system, partner))
}

fn actor(system: SystemRow, partner: PartnerRow) -> Partner {
    Partner { id: partner.id, code: partner.code, system: system.id, name: system.name, carried: None }
}

/// True if a system that the gate let in may still ask: neither it nor its partner ended since, nor the carrier that
/// brought the question.
pub(in crate::access) async fn is_still_joined(
    tx: &mut Tx,
    partner: &Partner,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let certified = |system: &SystemRow| system.expires_at.is_some_and(|ends| ends > now);
    let Some(carried) = &partner.carried else { return lives(tx, partner.system, certified).await };
    let member = |system: &SystemRow| system.member.as_ref() == Some(&carried.brought.member);
    if !lives(tx, partner.system, member).await? {
        return Ok(false);
    }
    lives(tx, carried.carrier, |system| system.carries.is_some() && certified(system)).await
}

/// True if a system was confirmed, is so, and neither it nor its partner ended.
async fn lives(
    tx: &mut Tx,
    system: PartnerSystemId,
    is_so: impl FnOnce(&SystemRow) -> bool,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select s.id, s.partner_id, s.name, s.request, s.drafted_by, s.drafted_at, s.fingerprint, s.certificate,
                s.confirmed_by, s.confirmed_at, s.expires_at, s.revoked_by, s.revoked_at, s.revocation_reason,
                s.member, s.carries, s.version, s.mac,
                p.id as p_id, p.code as p_code, p.name as p_name, p.unit as p_unit, p.contact_name as p_contact_name,
                p.contact_email as p_contact_email, p.contact_phone as p_contact_phone,
                p.drafted_by as p_drafted_by, p.drafted_at as p_drafted_at, p.confirmed_by as p_confirmed_by,
                p.confirmed_at as p_confirmed_at, p.ended_by as p_ended_by, p.ended_at as p_ended_at,
                p.end_reason as p_end_reason, p.version as p_version, p.mac as p_mac
         from partner_system s join partner p on p.id = s.partner_id where s.id = $1"
    );
    let found = tx.sealed_with(&PARTNER_SYSTEM, (&PARTNER, "p_"), sql, args![system]).await?;
    let Some((system, partner)) = found else { return Ok(false) };
    let (system, partner) = (read_system(&system)?, partner?.map(|row| read_partner(&row)).transpose()?);
    if system.confirmed.is_none() || system.revoked.is_some() || !is_so(&system) {
        return Ok(false);
    }
    Ok(partner.is_some_and(|partner| partner.ended.is_none()))
}

fn read_partner(row: &Record) -> Result<PartnerRow, StoreError> {
    Ok(PartnerRow {
        id: Id::of(row, "id")?,
        code: row.parsed::<OfficeCode>("code")?,
        name: row.get("name")?,
        unit: row.get("unit")?,
        contact: Contact {
            name: row.get("contact_name")?,
            email: row.get("contact_email")?,
            phone: row.get("contact_phone")?,
        },
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
        ended: Decision::of(row, "ended_by", "ended_at")?,
        end_reason: row.get("end_reason")?,
    })
}

fn read_system(row: &Record) -> Result<SystemRow, StoreError> {
    let (id, member): (PartnerSystemId, Option<String>) = (Id::of(row, "id")?, row.get("member")?);
    let inconsistent = |column| StoreError::inconsistent("partner_system", column, id.to_string());
    Ok(SystemRow {
        id: Id::of(row, "id")?,
        partner: Id::of(row, "partner_id")?,
        name: row.get("name")?,
        request: row.get("request")?,
        drafted: Decision { by: Id::of(row, "drafted_by")?, at: row.get("drafted_at")? },
        certificate: row.get("certificate")?,
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
        expires_at: row.get("expires_at")?,
        revoked: Decision::of(row, "revoked_by", "revoked_at")?,
        member: member.map(|text| text.parse().map_err(|_| inconsistent("member"))).transpose()?,
        carries: row.get("carries")?,
    })
}
