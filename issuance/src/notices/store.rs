//! SQL of the notices, and of where citizens want to be told.

use time::OffsetDateTime;

use super::model::{Addresses, Channel, Contact, Language, Notice, NoticeKind, NoticeState, Subject, Text};
use crate::deed::Deed;
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, BookingId, NoticeId, PersonId};
use crate::ground::{Id, Secrets};
use crate::store::{Kind, Migration, Record, Sealed, StoreError, Tx};
use crate::{args, migration, sql};

/// The tables of notices.
pub const MIGRATIONS: &[Migration] = &[
    migration!(160, "0160_notices_outbox"),
    migration!(188, "0188_notices_bookings"),
    migration!(204, "0204_notices_overtaken"),
];

/// Where citizens want to be told: each row carries a MAC.
pub const CONTACT: Sealed = Sealed {
    table: "contact",
    columns: &[
        ("person_id", Kind::Uuid),
        ("language", Kind::Text),
        ("has_email", Kind::Truth),
        ("has_phone", Kind::Truth),
        ("addresses", Kind::Bytes),
        ("consent_at", Kind::Moment),
        ("changed_by", Kind::Uuid),
        ("changed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select person_id, language, has_email, has_phone, addresses, consent_at, changed_by, changed_at, version, mac
         from contact where person_id = $1"
    ),
    all: sql!(
        "select person_id, language, has_email, has_phone, addresses, consent_at, changed_by, changed_at, version, mac
         from contact order by person_id"
    ),
    set: sql!("update contact set version = $1, mac = $2 where person_id = $3"),
};

/// Notices: each row carries a MAC, so that none is passed off as sent.
pub const NOTICE: Sealed = Sealed {
    table: "notice",
    columns: &[
        ("id", Kind::Uuid),
        ("kind", Kind::Text),
        ("application_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("language", Kind::Text),
        ("reference", Kind::Text),
        ("message_id", Kind::Text),
        ("channel", Kind::Text),
        ("state", Kind::Text),
        ("content", Kind::Bytes),
        ("written_at", Kind::Moment),
        ("due_at", Kind::Moment),
        ("attempts", Kind::Integer),
        ("repeats", Kind::Integer),
        ("unsure", Kind::Truth),
        ("failure", Kind::Text),
        ("ended_at", Kind::Moment),
        ("booking_id", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, kind, application_id, person_id, office, language, reference, message_id, channel, state, content,
                written_at, due_at, attempts, repeats, unsure, failure, ended_at, booking_id, version, mac
         from notice where id = $1"
    ),
    all: sql!(
        "select id, kind, application_id, person_id, office, language, reference, message_id, channel, state, content,
                written_at, due_at, attempts, repeats, unsure, failure, ended_at, booking_id, version, mac
         from notice order by id"
    ),
    set: sql!("update notice set version = $1, mac = $2 where id = $3"),
};

/// Inserts a notice that was just written, with what it says.
pub(super) async fn insert(tx: &mut Tx, notice: &Notice, text: &Text, secrets: &Secrets) -> Result<(), StoreError> {
    let content = serde_json::to_vec(text).unwrap_or_default();
    let sql = sql!(
        "insert into notice (id, kind, application_id, person_id, office, language, reference, message_id, channel, state,
                             content, written_at, due_at, attempts, repeats, unsure, failure, ended_at, booking_id,
                             version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
    );
    let values = args![
        notice.id,
        notice.kind.word(),
        notice.about.application(),
        notice.person,
        &notice.office,
        notice.language.word(),
        &notice.reference,
        notice.message_id.as_deref(),
        notice.channel.word(),
        notice.state.word(),
        secrets.seal(&purpose(notice.id), &content),
        notice.written_at,
        notice.due_at,
        notice.attempts,
        notice.repeats,
        notice.unsure,
        notice.failure.as_deref(),
        notice.ended_at,
        notice.about.booking()
    ];
    tx.insert_sealed(&NOTICE, sql, values).await
}

/// Returns a notice and what it says, kept from other writers until the deed ends; without a text once that is erased.
/// The deed owes a record that names the person.
pub(super) async fn locked<A: Actor>(
    deed: &mut Deed<A>,
    id: NoticeId,
) -> Result<Option<(Notice, Option<Text>)>, StoreError> {
    let Some(row) = deed.tx().sealed_locked(&NOTICE, id).await? else { return Ok(None) };
    let notice = read(&row)?;
    deed.saw(notice.person);
    let content: Option<Vec<u8>> = row.get("content")?;
    let open = |sealed: Vec<u8>| {
        let plain = deed.secrets().open(&purpose(id), &sealed).map_err(|_| row.inconsistent("content"))?;
        serde_json::from_slice(&plain).map_err(|_| row.inconsistent("content"))
    };
    let text = content.map(open).transpose()?;
    Ok(Some((notice, text)))
}

/// Stores how far a notice is.
pub(super) async fn update(tx: &mut Tx, notice: &Notice) -> Result<(), StoreError> {
    let sql = sql!(
        "update notice set message_id = $1, channel = $2, state = $3, due_at = $4, attempts = $5, repeats = $6,
             unsure = $7, failure = $8, ended_at = $9
         where id = $10"
    );
    let arguments = args![
        notice.message_id.as_deref(),
        notice.channel.word(),
        notice.state.word(),
        notice.due_at,
        notice.attempts,
        notice.repeats,
        notice.unsure,
        notice.failure.as_deref(),
        notice.ended_at,
        notice.id
    ];
    tx.change(&NOTICE, notice.id, sql, arguments).await?;
    Ok(())
}

/// Erases what a notice says.
pub(super) async fn erase(tx: &mut Tx, id: NoticeId) -> Result<(), StoreError> {
    tx.change(&NOTICE, id, sql!("update notice set content = null where id = $1"), args![id]).await?;
    Ok(())
}

/// Returns the notices of an application, the oldest first, each with whether its MAC holds.
pub(super) async fn of_application(tx: &mut Tx, id: ApplicationId) -> Result<Vec<(Notice, bool)>, StoreError> {
    let sql = sql!(
        "select id, kind, application_id, person_id, office, language, reference, message_id, channel, state, content,
                written_at, due_at, attempts, repeats, unsure, failure, ended_at, booking_id, version, mac
         from notice where application_id = $1 order by id"
    );
    let rows = tx.all_judged(&NOTICE, sql, args![id]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Returns the notices of a booking, the oldest first, each with whether its MAC holds.
pub(super) async fn of_booking(tx: &mut Tx, id: BookingId) -> Result<Vec<(Notice, bool)>, StoreError> {
    let sql = sql!(
        "select id, kind, application_id, person_id, office, language, reference, message_id, channel, state, content,
                written_at, due_at, attempts, repeats, unsure, failure, ended_at, booking_id, version, mac
         from notice where booking_id = $1 order by id"
    );
    let rows = tx.all_judged(&NOTICE, sql, args![id]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// True if another notice of the same kind, about the same thing, was written after this one.
pub(super) async fn has_newer(tx: &mut Tx, notice: &Notice) -> Result<bool, StoreError> {
    let (sql, about) = match notice.about {
        Subject::Application(id) => (
            sql!("select id from notice where application_id = $1 and id > $2 and kind = $3 order by id limit 1"),
            args![id, notice.id, notice.kind.word()],
        ),
        Subject::Booking(id) => (
            sql!("select id from notice where booking_id = $1 and id > $2 and kind = $3 order by id limit 1"),
            args![id, notice.id, notice.kind.word()],
        ),
    };
    Ok(tx.one(sql, about).await?.is_some())
}

/// Returns notices of one way whose next attempt is due, the one that waits longest first, after this one.
pub(super) async fn due(
    tx: &mut Tx,
    channel: Channel,
    now: OffsetDateTime,
    after: (OffsetDateTime, NoticeId),
    most: i64,
) -> Result<Vec<(OffsetDateTime, NoticeId)>, StoreError> {
    let sql = sql!(
        "select id, due_at from notice
         where state = 'waiting' and channel in ('email', 'sms') and channel = $1 and due_at <= $2
             and (due_at, id) > ($3, $4)
         order by due_at, id limit $5"
    );
    let rows = tx.all(sql, args![channel.word(), now, after.0, after.1, most]).await?;
    rows.iter().map(|row| Ok((row.get("due_at")?, Id::of(row, "id")?))).collect()
}

/// Returns notices that wait for a printer, in the order in which they were written, after this one.
///
/// # Errors
/// [`StoreError`]
pub async fn to_print(tx: &mut Tx, after: NoticeId, most: i64) -> Result<Vec<NoticeId>, StoreError> {
    let sql = sql!(
        "select id from notice
         where state in ('waiting', 'dead') and (state = 'dead' or channel = 'letter') and id > $1
         order by id limit $2"
    );
    tx.all(sql, args![after, most]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// A notice whose text is kept no longer.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The notice.
    pub id: NoticeId,
    /// When it was sent, as this table says; the notice itself decides.
    pub at: OffsetDateTime,
}

/// Returns notices that ended until then and still say something, in the order of their end, after this one.
///
/// # Errors
/// [`StoreError`]
pub async fn ended(
    tx: &mut Tx,
    until: OffsetDateTime,
    after: (OffsetDateTime, NoticeId),
    most: i64,
) -> Result<Vec<Ended>, StoreError> {
    let sql = sql!(
        "select id, ended_at from notice
         where ended_at is not null and content is not null and ended_at <= $1 and (ended_at, id) > ($2, $3)
         order by ended_at, id limit $4"
    );
    let rows = tx.all(sql, args![until, after.0, after.1, most]).await?;
    rows.iter().map(|row| Ok(Ended { id: Id::of(row, "id")?, at: row.get("ended_at")? })).collect()
}

/// What waits, as `issuance status` shows it.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// State and channel, each with how many: those that wait and those that are dead.
    pub open: Vec<(String, u64)>,
    /// State and way, each with how many: those that did not leave, as they were overtaken or their citizen is dead.
    pub not_sent: Vec<(String, u64)>,
    /// Notices of which a citizen may have got two.
    pub repeated: u64,
    /// When the oldest that waits to be sent was due.
    pub oldest_due: Option<OffsetDateTime>,
    /// When the oldest letter that waits for a printer was written.
    pub oldest_letter: Option<OffsetDateTime>,
}

/// Returns what waits.
///
/// # Errors
/// [`StoreError`]
pub async fn figures(tx: &mut Tx) -> Result<Figures, StoreError> {
    let sql = sql!(
        "select state, channel, count(*) as n from notice where state in ('waiting', 'dead')
         group by state, channel order by state, channel"
    );
    let open = counted(&tx.all(sql, args![]).await?)?;
    let sql = sql!(
        "select state, channel, count(*) as n from notice where state in ('overtaken', 'recipient-dead')
         group by state, channel order by state, channel"
    );
    let not_sent = counted(&tx.all(sql, args![]).await?)?;
    let repeated = tx.one(sql!("select count(*) as n from notice where repeats > 0"), args![]).await?;
    let oldest = sql!(
        "select written_at from notice where state = 'waiting' and channel in ('email', 'sms')
         order by due_at, id limit 1"
    );
    let letter =
        sql!("select written_at from notice where state = 'waiting' and channel = 'letter' order by id limit 1");
    Ok(Figures {
        open,
        not_sent,
        oldest_letter: tx.one(letter, args![]).await?.map(|row| row.get("written_at")).transpose()?,
        repeated: repeated.map_or(Ok(0), |row| row.number("n"))?,
        oldest_due: tx.one(oldest, args![]).await?.map(|row| row.get("written_at")).transpose()?,
    })
}

/// State and way of each row, with how many.
fn counted(rows: &[Record]) -> Result<Vec<(String, u64)>, StoreError> {
    let one = |row: &Record| {
        let (state, channel): (String, String) = (row.get("state")?, row.get("channel")?);
        Ok((format!("{state} {channel}"), row.number("n")?))
    };
    rows.iter().map(one).collect()
}

/// Returns where a person wants to be told.
pub(super) async fn contact(tx: &mut Tx, person: PersonId) -> Result<Option<Contact>, StoreError> {
    tx.sealed(&CONTACT, person).await?.as_ref().map(read_contact).transpose()
}

/// As [`contact`], with the addresses. The deed owes a record that names the person.
pub(super) async fn addresses<A: Actor>(
    deed: &mut Deed<A>,
    person: PersonId,
) -> Result<Option<(Contact, Addresses)>, StoreError> {
    let Some(row) = deed.tx().sealed(&CONTACT, person).await? else { return Ok(None) };
    deed.saw(person);
    let sealed: Option<Vec<u8>> = row.get("addresses")?;
    let open = |sealed: Vec<u8>| {
        let plain = deed.secrets().open(&addresses_purpose(person), &sealed);
        serde_json::from_slice(&plain.map_err(|_| row.inconsistent("addresses"))?)
            .map_err(|_| row.inconsistent("addresses"))
    };
    let addresses = sealed.map(open).transpose()?.unwrap_or_default();
    Ok(Some((read_contact(&row)?, addresses)))
}

/// Writes down where a person wants to be told.
pub(super) async fn set_contact(
    tx: &mut Tx,
    person: PersonId,
    contact: &Contact,
    addresses: &Addresses,
    secrets: &Secrets,
) -> Result<(), StoreError> {
    let plain = serde_json::to_vec(addresses).unwrap_or_default();
    let some = contact.has_email || contact.has_phone;
    let sealed = some.then(|| secrets.seal(&addresses_purpose(person), &plain));
    let known = tx.sealed_locked(&CONTACT, person).await?.is_some();
    let arguments = args![
        person,
        contact.language.word(),
        contact.has_email,
        contact.has_phone,
        sealed,
        contact.consent_at,
        contact.changed_by,
        contact.changed_at
    ];
    if known {
        let sql = sql!(
            "update contact set language = $2, has_email = $3, has_phone = $4, addresses = $5, consent_at = $6,
                 changed_by = $7, changed_at = $8
             where person_id = $1"
        );
        tx.change(&CONTACT, person, sql, arguments).await?;
        return Ok(());
    }
    let sql = sql!(
        "insert into contact (person_id, language, has_email, has_phone, addresses, consent_at, changed_by, changed_at,
                              version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    tx.insert_sealed(&CONTACT, sql, arguments).await
}

fn read_contact(row: &Record) -> Result<Contact, StoreError> {
    Ok(Contact {
        language: word(row, "language", Language::named)?,
        has_email: row.get("has_email")?,
        has_phone: row.get("has_phone")?,
        consent_at: row.get("consent_at")?,
        changed_by: Id::of(row, "changed_by")?,
        changed_at: row.get("changed_at")?,
    })
}

fn read(row: &Record) -> Result<Notice, StoreError> {
    let about = match (Id::of_optional(row, "application_id")?, Id::of_optional(row, "booking_id")?) {
        (Some(id), None) => Subject::Application(id),
        (None, Some(id)) => Subject::Booking(id),
        _ => return Err(row.inconsistent("application_id")),
    };
    Ok(Notice {
        id: Id::of(row, "id")?,
        kind: word(row, "kind", NoticeKind::named)?,
        about,
        person: Id::of(row, "person_id")?,
        office: row.parsed("office")?,
        language: word(row, "language", Language::named)?,
        reference: row.get("reference")?,
        message_id: row.get("message_id")?,
        channel: word(row, "channel", Channel::named)?,
        state: word(row, "state", NoticeState::named)?,
        written_at: row.get("written_at")?,
        due_at: row.get("due_at")?,
        attempts: row.number("attempts")?,
        repeats: row.number("repeats")?,
        unsure: row.get("unsure")?,
        failure: row.get("failure")?,
        ended_at: row.get("ended_at")?,
    })
}

fn word<T>(row: &Record, column: &str, named: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    named(&row.get::<String>(column)?).ok_or_else(|| row.inconsistent(column))
}

/// The identifier is part of what is authenticated: no text passes for another's.
fn purpose(id: NoticeId) -> String {
    format!("notice/{id}")
}

fn addresses_purpose(person: PersonId) -> String {
    format!("contact/{person}")
}
