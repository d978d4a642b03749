//! SQL of the paper forms DC01 on their way into the register.

use std::collections::BTreeMap;

use super::super::forms::{FormState, PaperForm, Typed};
use crate::ground::ids::{FormId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Paper forms on their way into the register: each row carries a MAC.
pub const DECLARATION_FORM: Sealed = Sealed {
    table: "declaration_form",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("state", Kind::Text),
        ("typed", Kind::Json),
        ("differs", Kind::Json),
        ("revision", Kind::Integer),
        ("begun_by", Kind::Uuid),
        ("begun_at", Kind::Moment),
        ("saved_by", Kind::Uuid),
        ("saved_at", Kind::Moment),
        ("sent_by", Kind::Uuid),
        ("sent_at", Kind::Moment),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
        ("person_id", Kind::Uuid),
        ("hands", Kind::Json),
    ],
    keys: 1,
    one: sql!(
        "select id, office, state, typed, differs, revision, begun_by, begun_at, saved_by, saved_at, sent_by, sent_at,
                ended_by, ended_at, person_id, hands, version, mac
         from declaration_form where id = $1"
    ),
    all: sql!(
        "select id, office, state, typed, differs, revision, begun_by, begun_at, saved_by, saved_at, sent_by, sent_at,
                ended_by, ended_at, person_id, hands, version, mac
         from declaration_form order by id"
    ),
    set: sql!("update declaration_form set version = $1, mac = $2 where id = $3"),
};

/// Keeps a form that an officer begins.
pub(in crate::population) async fn begin(tx: &mut Tx, form: &PaperForm) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into declaration_form (id, office, state, typed, differs, revision, begun_by, begun_at, saved_by,
                                       saved_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    let arguments = args![
        form.id,
        &form.office,
        form.state.word(),
        Argument::json(&form.typed),
        Argument::json(&form.differs),
        form.revision,
        form.begun.by,
        form.begun.at,
        form.saved.by,
        form.saved.at
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&DECLARATION_FORM, form.id).await
}

/// Writes what became of a form.
pub(in crate::population) async fn put(tx: &mut Tx, form: &PaperForm) -> Result<(), StoreError> {
    let sql = sql!(
        "update declaration_form
         set state = $1, typed = $2, differs = $3, revision = $4, saved_by = $5, saved_at = $6, sent_by = $7,
             sent_at = $8, ended_by = $9, ended_at = $10, person_id = $11, hands = $12
         where id = $13"
    );
    let (sent, ended) = (form.sent.as_ref(), form.ended.as_ref());
    let arguments = args![
        form.state.word(),
        Argument::json(&form.typed),
        Argument::json(&form.differs),
        form.revision,
        form.saved.by,
        form.saved.at,
        sent.map(|sent| sent.by),
        sent.map(|sent| sent.at),
        ended.map(|ended| ended.by),
        ended.map(|ended| ended.at),
        form.person,
        Argument::json(&form.hands),
        form.id
    ];
    tx.change(&DECLARATION_FORM, form.id, sql, arguments).await?;
    Ok(())
}

/// Returns a form, kept from other writers.
pub(in crate::population) async fn form_locked(tx: &mut Tx, id: FormId) -> Result<Option<PaperForm>, StoreError> {
    tx.sealed_locked(&DECLARATION_FORM, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a page of the forms of an office in one state, oldest first, each with whether its row is to be believed.
pub(in crate::population) async fn waiting(
    tx: &mut Tx,
    office: &OfficeCode,
    state: FormState,
    after: FormId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, state, typed, differs, revision, begun_by, begun_at, saved_by, saved_at, sent_by, sent_at,
                ended_by, ended_at, person_id, hands, version, mac
         from declaration_form where office = $1 and state = $2 and id > $3 order by id limit $4"
    );
    tx.all_judged(&DECLARATION_FORM, sql, args![office, state.word(), after, most]).await
}

pub(in crate::population) fn read(row: &Record) -> Result<PaperForm, StoreError> {
    let state: String = row.get("state")?;
    let typed: BTreeMap<String, String> = row.json("typed")?;
    let decision = |by: &str, at: &str| -> Result<Option<Decision>, StoreError> {
        let by: Option<OfficerId> = Id::of_optional(row, by)?;
        let at: Option<time::OffsetDateTime> = row.get(at)?;
        Ok(by.zip(at).map(|(by, at)| Decision { by, at }))
    };
    let hands: Option<serde_json::Value> = row.get("hands")?;
    let hands = hands.map(serde_json::from_value).transpose().map_err(|_| row.inconsistent("hands"))?;
    Ok(PaperForm {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        state: FormState::of(&state).ok_or_else(|| row.inconsistent("state"))?,
        typed: Typed::kept(typed),
        differs: row.json("differs")?,
        revision: row.number("revision")?,
        begun: Decision { by: Id::of(row, "begun_by")?, at: row.get("begun_at")? },
        saved: Decision { by: Id::of(row, "saved_by")?, at: row.get("saved_at")? },
        sent: decision("sent_by", "sent_at")?,
        ended: decision("ended_by", "ended_at")?,
        person: Id::of_optional(row, "person_id")?,
        hands: hands.unwrap_or_default(),
    })
}
