//! SQL of the import: files, the rows that wait in quarantine, and the persons who came with a file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crypto::identity::PersonalNumber;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::super::duplicates::keys;
use super::super::import::{Fit, Position, State};
use super::super::model::{Finding, Person};
use super::super::quality::{Deltas, Mark};
use super::{duplicates, names, quality};
use crate::ground::ids::{BatchId, OfficerId, PersonId, QuarantinedId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Field, Kind, Record, RowKey, Rows, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Files of declarations: each row carries a MAC. Which process reads a file is not under it.
pub const IMPORT_BATCH: Sealed = Sealed {
    table: "import_batch",
    columns: &[
        ("id", Kind::Uuid),
        ("file_name", Kind::Text),
        ("digest", Kind::Bytes),
        ("format", Kind::Text),
        ("office", Kind::Text),
        ("officer_id", Kind::Uuid),
        ("started_at", Kind::Moment),
        ("finished_at", Kind::Moment),
        ("bytes", Kind::Integer),
        ("read_bytes", Kind::Integer),
        ("read_digest", Kind::Bytes),
        ("lines", Kind::Integer),
        ("rows", Kind::Integer),
        ("accepted", Kind::Integer),
        ("quarantined", Kind::Integer),
        ("state", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch where id = $1"
    ),
    all: sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch order by id"
    ),
    set: sql!("update import_batch set version = $1, mac = $2 where id = $3"),
};

/// A file of declarations, as far as it was read.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Identifier.
    pub id: BatchId,
    /// Name of the file, without its folder.
    pub file_name: String,
    /// SHA-256 of the whole file.
    pub digest: [u8; 32],
    /// How it is written.
    pub format: String,
    /// The office whose persons it declares.
    pub office: OfficeCode,
    /// The officer in whose name it is imported, and the beginning.
    pub begun: Decision,
    /// The end.
    pub finished_at: Option<OffsetDateTime>,
    /// Its length.
    pub bytes: u64,
    /// What was read: the next row begins here.
    pub read: Position,
    /// SHA-256 of what was read.
    pub read_digest: [u8; 32],
    /// Rows read.
    pub rows: u64,
    /// Of them in the register.
    pub accepted: u64,
    /// Of them in quarantine when they were read.
    pub quarantined: u64,
    /// How far it is.
    pub state: State,
    /// The process that reads it.
    pub holder: Option<String>,
    /// Until when that process counts as alive.
    pub held_until: Option<OffsetDateTime>,
}

fn batch(row: &Record) -> Result<Batch, StoreError> {
    let digest = |column: &str| {
        let bytes: Vec<u8> = row.get(column)?;
        <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::inconsistent("import_batch", column, "?"))
    };
    Ok(Batch {
        id: Id::of(row, "id")?,
        file_name: row.get("file_name")?,
        digest: digest("digest")?,
        format: row.get("format")?,
        office: row.parsed("office")?,
        begun: Decision { by: Id::of(row, "officer_id")?, at: row.get("started_at")? },
        finished_at: row.get("finished_at")?,
        bytes: row.number("bytes")?,
        read: Position { line: row.number("lines")?, byte: row.number("read_bytes")? },
        read_digest: digest("read_digest")?,
        rows: row.number("rows")?,
        accepted: row.number("accepted")?,
        quarantined: row.number("quarantined")?,
        state: row.parsed("state")?,
        holder: row.get("holder")?,
        held_until: row.get("held_until")?,
    })
}

/// Returns the file with this digest, if it was imported or begun.
pub(in crate::population) async fn batch_of_digest(
    tx: &mut Tx,
    digest: &[u8; 32],
) -> Result<Option<Batch>, StoreError> {
    let sql = sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch where digest = $1"
    );
    let rows = tx.all_sealed(&IMPORT_BATCH, sql, args![digest]).await?;
    rows.first().map(batch).transpose()
}

/// Returns the files of this name of an office that were begun and are not read to the end.
pub(in crate::population) async fn batches_begun(
    tx: &mut Tx,
    office: &OfficeCode,
    file_name: &str,
) -> Result<Vec<Batch>, StoreError> {
    let sql = sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch where office = $1 and state = 'reading' and file_name = $2 order by id"
    );
    tx.all_sealed(&IMPORT_BATCH, sql, args![office, file_name]).await?.iter().map(batch).collect()
}

/// Returns a file.
pub(in crate::population) async fn batch_of(tx: &mut Tx, id: BatchId) -> Result<Option<Batch>, StoreError> {
    tx.sealed(&IMPORT_BATCH, id).await?.as_ref().map(batch).transpose()
}

/// As [`batch_of`], kept from other writers.
pub(in crate::population) async fn batch_locked(tx: &mut Tx, id: BatchId) -> Result<Option<Batch>, StoreError> {
    tx.sealed_locked(&IMPORT_BATCH, id).await?.as_ref().map(batch).transpose()
}

/// Returns the files, newest first.
pub(in crate::population) async fn batches(tx: &mut Tx, most: i64) -> Result<Vec<Batch>, StoreError> {
    let sql = sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch order by id desc limit $1"
    );
    tx.all_sealed(&IMPORT_BATCH, sql, args![most]).await?.iter().map(batch).collect()
}

/// Begins a file.
pub(in crate::population) async fn begin(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into import_batch (id, file_name, digest, format, office, officer_id, started_at, bytes, read_bytes,
                                   read_digest, lines, rows, accepted, quarantined, state, holder, held_until)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    );
    let arguments = args![
        batch.id,
        &batch.file_name,
        &batch.digest,
        &batch.format,
        &batch.office,
        batch.begun.by,
        batch.begun.at,
        whole(batch.bytes),
        whole(batch.read.byte),
        &batch.read_digest,
        whole(batch.read.line),
        whole(batch.rows),
        whole(batch.accepted),
        whole(batch.quarantined),
        batch.state.word(),
        batch.holder.as_deref(),
        batch.held_until
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&IMPORT_BATCH, batch.id).await
}

/// Writes the officer and the office that begin a file of which nothing was read.
pub(in crate::population) async fn begin_anew(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    let sql = sql!("update import_batch set office = $1, officer_id = $2, started_at = $3 where id = $4");
    let arguments = args![&batch.office, batch.begun.by, batch.begun.at, batch.id];
    tx.change(&IMPORT_BATCH, batch.id, sql, arguments).await?;
    Ok(())
}

/// Returns the files that were begun and are not read to their end, oldest first.
///
/// # Errors
/// [`StoreError`]
pub async fn unfinished(tx: &mut Tx) -> Result<Vec<Batch>, StoreError> {
    let sql = sql!(
        "select id, file_name, digest, format, office, officer_id, started_at, finished_at, bytes, read_bytes, read_digest,
                lines, rows, accepted, quarantined, state, holder, held_until, version, mac
         from import_batch where state in ('reading', 'judging') order by id limit 100"
    );
    tx.all_sealed(&IMPORT_BATCH, sql, args![]).await?.iter().map(batch).collect()
}

/// Writes how far a file is.
pub(in crate::population) async fn advance(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    let sql = sql!(
        "update import_batch set digest = $1, bytes = $2, read_bytes = $3, read_digest = $4, lines = $5, rows = $6,
                accepted = $7, quarantined = $8, state = $9, holder = $10, held_until = $11, finished_at = $12
         where id = $13"
    );
    let arguments = args![
        &batch.digest,
        whole(batch.bytes),
        whole(batch.read.byte),
        &batch.read_digest,
        whole(batch.read.line),
        whole(batch.rows),
        whole(batch.accepted),
        whole(batch.quarantined),
        batch.state.word(),
        batch.holder.as_deref(),
        batch.held_until,
        batch.finished_at,
        batch.id
    ];
    tx.change(&IMPORT_BATCH, batch.id, sql, arguments).await?;
    Ok(())
}

/// The first bytes of the digest of the declaration, and number for life, of a person: each may be unknown.
pub(in crate::population) type Bearer = (Option<u64>, Option<PersonalNumber>);

/// Returns the first bytes of a digest: what tells one declaration from another of the same likeness.
pub(in crate::population) fn begin_of(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// What the register knows of the people in some rows.
#[derive(Debug, Default)]
pub(in crate::population) struct Known {
    /// Likenesses, each with the digests of the declarations and the numbers of those who bear it.
    pub alike: HashMap<String, Vec<Bearer>>,
    /// Numbers of old cards that persons have.
    pub old_numbers: HashSet<String>,
}

/// Returns what the register knows of these people, after other declarations of people who are alike have ended; they
/// wait from now on until the transaction ends.
pub(in crate::population) async fn known(
    tx: &mut Tx,
    likenesses: BTreeSet<String>,
    digests: BTreeSet<[u8; 32]>,
    old_numbers: BTreeSet<String>,
) -> Result<Known, StoreError> {
    let likenesses: Vec<_> = likenesses.into_iter().collect();
    if tx.pg().is_some() {
        // In one order, so that two imports do not wait for each other in a circle. SQLite has one writer.
        let locks: BTreeSet<String> = likenesses.iter().map(|text| hex::encode(Sha256::digest(text))).collect();
        let sql = sql!(
            pg "insert into likeness (id) select decode(one, 'hex') from unnest($1::text[]) one
                on conflict (id) do update set id = excluded.id",
            lite "insert into likeness (id) select unhex(value) from json_each($1) where true
                  on conflict (id) do update set id = excluded.id",
        );
        tx.run(sql, vec![Argument::Texts(locks.into_iter().collect())]).await?;
    }
    let mut known = Known::default();
    // A year alone is no rare birth date: a likeness may have thousands of bearers, and some of them are enough.
    let sql = sql!(
        pg "select one.likeness, borne.declared_digest, borne.personal_number
            from unnest($1::text[]) as one (likeness)
            cross join lateral (select declared_digest, personal_number from person where person.likeness = one.likeness
                                and (declared_digest in (select decode(same, 'hex') from unnest($2::text[]) same)
                                     or not exists (select 1 from merged_person m where m.person_id = person.id))
                                limit 200) borne",
        lite "select person.likeness, declared_digest, personal_number from person
              where person.likeness in (select value from json_each($1))
              and (declared_digest in (select unhex(value) from json_each($2))
                   or not exists (select 1 from merged_person m where m.person_id = person.id))",
    );
    // What was declared of a record that was merged is declared; other people are not like that record any more.
    let digests: Vec<String> = digests.into_iter().map(hex::encode).collect();
    for row in tx.all(sql, vec![Argument::Texts(likenesses), Argument::Texts(digests.clone())]).await? {
        let bearers = known.alike.entry(row.get("likeness")?).or_default();
        let digest: Option<Vec<u8>> = row.get("declared_digest")?;
        bearers.push((digest.as_deref().map(begin_of), row.parsed_optional("personal_number")?));
    }
    // Of a likeness with more bearers the same declaration may be beyond the first ones.
    let many = known.alike.iter().filter(|(_, bearers)| bearers.len() >= MOST_BEARERS).map(|(one, _)| one.clone());
    let many: Vec<String> = many.collect();
    if !many.is_empty() {
        let sql = sql!(
            pg "select likeness, declared_digest, personal_number from person
                where likeness = any($1) and declared_digest in (select decode(one, 'hex') from unnest($2::text[]) one)",
            lite "select likeness, declared_digest, personal_number from person
                  where likeness in (select value from json_each($1))
                  and declared_digest in (select unhex(value) from json_each($2))",
        );
        for row in tx.all(sql, vec![Argument::Texts(many), Argument::Texts(digests)]).await? {
            let bearers = known.alike.entry(row.get("likeness")?).or_default();
            let digest: Option<Vec<u8>> = row.get("declared_digest")?;
            bearers.push((digest.as_deref().map(begin_of), row.parsed_optional("personal_number")?));
        }
    }
    let sql = sql!(
        pg "select one.old_id_number from unnest($1::text[]) as one (old_id_number)
            where exists (select 1 from person where person.old_id_number = one.old_id_number
                          and not exists (select 1 from merged_person m where m.person_id = person.id))",
        lite "select distinct old_id_number from person where old_id_number in (select value from json_each($1))
              and not exists (select 1 from merged_person m where m.person_id = person.id)",
    );
    for row in tx.all(sql, vec![Argument::Texts(old_numbers.into_iter().collect())]).await? {
        known.old_numbers.insert(row.get("old_id_number")?);
    }
    Ok(known)
}

/// So many bearers of a likeness tell that there are some: the limit of the statement of PostgreSQL.
const MOST_BEARERS: usize = 200;

/// A person of a file, on the way into the register.
#[derive(Debug)]
pub(in crate::population) struct Entering<'a> {
    /// The register's id.
    pub id: PersonId,
    /// The line.
    pub line: u64,
    /// What was declared and judged.
    pub fit: &'a Fit,
    /// The keys under which a double is found.
    pub keys: &'a [i64],
    /// What was found against the register.
    pub found: Vec<Finding>,
    /// What the person is counted as.
    pub mark: Mark,
}

/// Rows of persons of a file, as the database takes them.
pub(in crate::population) struct Written {
    persons: Rows,
    keys: Rows,
    /// Bearers of each name.
    names: BTreeMap<String, i64>,
    drawn: u64,
    deltas: Deltas,
}

/// Writes the rows of persons of a file, and counts their names if the dictionary is not made when all are there.
/// Nothing is sent yet.
pub(in crate::population) fn write(
    tx: &mut Tx,
    (key, batch): (&RowKey, &Batch),
    at: OffsetDateTime,
    persons: &[Entering<'_>],
    (today, with_names): (time::Date, bool),
) -> Written {
    let sql = sql!(
        "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, events,
                             fold, birth_year, old_id_number, batch_id, batch_line, declared_digest, declared_mac, form,
                             declared_on, household, heads_household, born, father_fold, mother_fold,
                             residence_province, residence_district, residence_commune, keyed, quality_commune,
                             quality_month, quality_words)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, $25, $26, $27, $28, $29, $30)"
    );
    let mut rows = tx.rows(sql, 30);
    for one in persons {
        let (fit, found) = (one.fit, &one.fit.found);
        let [province, district, commune] = &found.residence;
        let findings: Vec<&Finding> = fit.findings.iter().chain(&one.found).collect();
        let findings: Cow<'_, str> = match findings[..] {
            [] => "[]".into(),
            _ => serde_json::to_string(&findings).expect("texts alone").into(),
        };
        let mac = declared_mac(key, one.id, batch.id, one.line, &fit.digest);
        rows.row([
            one.id.into(),
            batch.office.as_str().into(),
            fit.number.as_ref().map(PersonalNumber::as_str).into(),
            Field::Text(&fit.record),
            (&found.likeness).into(),
            Field::Json(&findings),
            batch.begun.by.into(),
            at.into(),
            1_i64.into(),
            (&found.fold).into(),
            found.birth_year.into(),
            found.old_id_number.as_ref().into(),
            batch.id.into(),
            whole(one.line).into(),
            (&fit.digest[..]).into(),
            (&mac[..]).into(),
            fit.form.as_ref().into(),
            fit.declared_on.into(),
            found.household.as_ref().into(),
            found.household.as_ref().map(|_| found.heads_household).into(),
            found.born.into(),
            found.father.as_ref().into(),
            found.mother.as_ref().into(),
            province.as_ref().into(),
            district.as_ref().into(),
            commune.as_ref().into(),
            keys::VERSION.into(),
            (&one.mark.commune).into(),
            one.mark.month.into(),
            one.mark.words.into(),
        ]);
    }
    let keyed: Vec<_> = persons.iter().map(|one| (one.id, one.keys)).collect();
    let (mut names, mut deltas) = (BTreeMap::new(), Deltas::default());
    for one in persons {
        if with_names {
            let fold = &one.fit.found.fold;
            match names.get_mut(fold) {
                Some(n) => *n += 1,
                None => {
                    names.insert(fold.clone(), 1);
                }
            }
        }
        deltas.add(&one.mark);
        deltas.enter(&one.mark, today);
    }
    let drawn = persons.first().map_or(0, |one| super::super::names::drawn(one.id));
    Written { persons: rows, keys: duplicates::new_rows(tx, &keyed), names, drawn, deltas }
}

/// Enters persons of a file, and their names into the dictionary as far as they were counted.
pub(in crate::population) async fn enter(tx: &mut Tx, written: Written) -> Result<(), StoreError> {
    let Written { persons, keys, names, drawn, deltas } = written;
    tx.insert_rows(persons).await?;
    tx.insert_rows(keys).await?;
    let bearers: Vec<_> = names.iter().map(|(fold, n)| (fold.as_str(), *n)).collect();
    names::add(tx, &bearers, drawn).await?;
    quality::count(tx, &deltas).await?;
    Ok(())
}

/// The MAC over what a person declared in a file.
pub(in crate::population) fn declared_mac(
    key: &RowKey,
    person: PersonId,
    batch: BatchId,
    line: u64,
    digest: &[u8; 32],
) -> [u8; 32] {
    let (person, batch) = (person.uuid(), batch.uuid());
    key.mac(&[b"person declared in a file", person.as_bytes(), batch.as_bytes(), &line.to_be_bytes(), digest])
}

/// A row that waits for an officer.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Identifier.
    pub id: QuarantinedId,
    /// The file.
    pub batch: BatchId,
    /// The line.
    pub line: u64,
    /// The office.
    pub office: OfficeCode,
    /// What was declared, or corrected since.
    pub declaration: Value,
    /// The row, where it could not be read.
    pub raw: Option<String>,
    /// Why it waits.
    pub findings: Vec<Finding>,
    /// `waiting`, `replayed`, `dropped`, or `replaced` by a row of another file.
    pub state: String,
    /// The officer who corrected, replayed or dropped it, and the moment.
    pub corrected: Option<Decision>,
    /// The person who was made of it.
    pub person: Option<PersonId>,
    /// The place where the campaign counts it; `None` in rows of a version before.
    pub place: Option<String>,
}

impl Quarantined {
    /// Returns a name for what the row holds now: SHA-256 in hexadecimal. What an officer saw of it is said so.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{}\0{}", self.state, self.declaration)))
    }
}

/// Puts rows into quarantine.
pub(in crate::population) async fn quarantine(tx: &mut Tx, rows: &[Quarantined]) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into quarantined (id, batch_id, line, office, declaration, raw, findings, state, place)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    let row = |one: &Quarantined| {
        args![
            one.id,
            one.batch,
            whole(one.line),
            &one.office,
            Argument::Json(Some(one.declaration.clone())),
            one.raw.clone(),
            Argument::json(&one.findings),
            &one.state,
            one.place.clone()
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    tx.insert_all(sql, &rows).await
}

fn quarantined(row: &Record) -> Result<Quarantined, StoreError> {
    let by: Option<OfficerId> = Id::of_optional(row, "corrected_by")?;
    let at: Option<OffsetDateTime> = row.get("corrected_at")?;
    Ok(Quarantined {
        id: Id::of(row, "id")?,
        batch: Id::of(row, "batch_id")?,
        line: row.number("line")?,
        office: row.parsed("office")?,
        declaration: row.get("declaration")?,
        raw: row.get("raw")?,
        findings: row.json("findings")?,
        state: row.get("state")?,
        corrected: by.zip(at).map(|(by, at)| Decision { by, at }),
        person: Id::of_optional(row, "person_id")?,
        place: row.get("place")?,
    })
}

/// Returns a row in quarantine, kept from other writers.
pub(in crate::population) async fn quarantined_locked(
    tx: &mut Tx,
    id: QuarantinedId,
) -> Result<Option<Quarantined>, StoreError> {
    let sql = sql!(
        "select id, batch_id, line, office, declaration, raw, findings, state, corrected_by, corrected_at, person_id,
                place
         from quarantined where id = $1"
    );
    tx.one_locked(sql, args![id]).await?.as_ref().map(quarantined).transpose()
}

/// Returns a page of the rows of an office that wait, oldest first.
pub(in crate::population) async fn waiting(
    tx: &mut Tx,
    office: &OfficeCode,
    after: QuarantinedId,
    most: i64,
) -> Result<Vec<Quarantined>, StoreError> {
    let sql = sql!(
        "select id, batch_id, line, office, declaration, raw, findings, state, corrected_by, corrected_at, person_id,
                place
         from quarantined where office = $1 and state = 'waiting' and id > $2 order by id limit $3"
    );
    tx.all(sql, args![office, after, most]).await?.iter().map(quarantined).collect()
}

/// Returns a page of the rows of a file that wait, by line.
pub(in crate::population) async fn waiting_of(
    tx: &mut Tx,
    batch: BatchId,
    after: u64,
    most: i64,
) -> Result<Vec<Quarantined>, StoreError> {
    let sql = sql!(
        "select id, batch_id, line, office, declaration, raw, findings, state, corrected_by, corrected_at, person_id,
                place
         from quarantined where batch_id = $1 and line > $2 and state = 'waiting' order by line limit $3"
    );
    tx.all(sql, args![batch, whole(after), most]).await?.iter().map(quarantined).collect()
}

/// Returns how many rows of a file wait now.
pub(in crate::population) async fn count_waiting(tx: &mut Tx, batch: BatchId) -> Result<u64, StoreError> {
    let sql = sql!("select count(*) as n from quarantined where batch_id = $1 and state = 'waiting'");
    tx.one(sql, args![batch]).await?.map_or(Ok(0), |row| row.number("n"))
}

/// Returns how many rows of a file that wait each rule keeps out.
pub(in crate::population) async fn waiting_by_rule(
    tx: &mut Tx,
    batch: BatchId,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let sql = sql!(
        pg "select f.rule, count(distinct q.id) as n
            from quarantined q
            cross join lateral (select e ->> 'rule' as rule from jsonb_array_elements(q.findings) as e) as f
            where q.batch_id = $1 and q.state = 'waiting' group by 1",
        lite "select json_extract(f.value, '$.rule') as rule, count(distinct q.id) as n
              from quarantined q, json_each(q.findings) as f
              where q.batch_id = $1 and q.state = 'waiting' group by 1",
    );
    let rows = tx.all(sql, args![batch]).await?;
    rows.iter().map(|row| Ok((row.get("rule")?, row.number("n")?))).collect()
}

/// Returns the row of a file on a line, kept from other writers.
pub(in crate::population) async fn quarantined_on(
    tx: &mut Tx,
    batch: BatchId,
    line: u64,
) -> Result<Option<Quarantined>, StoreError> {
    let sql = sql!(
        "select id, batch_id, line, office, declaration, raw, findings, state, corrected_by, corrected_at, person_id,
                place
         from quarantined where batch_id = $1 and line = $2"
    );
    tx.one_locked(sql, args![batch, whole(line)]).await?.as_ref().map(quarantined).transpose()
}

/// Writes what an officer did about a row.
pub(in crate::population) async fn settle_quarantined(tx: &mut Tx, row: &Quarantined) -> Result<(), StoreError> {
    let sql = sql!(
        "update quarantined set declaration = $1, findings = $2, state = $3, corrected_by = $4, corrected_at = $5,
                person_id = $6, place = $7
         where id = $8"
    );
    let (by, at) = row.corrected.as_ref().map(|one| (one.by, one.at)).unzip();
    let arguments = args![
        Argument::Json(Some(row.declaration.clone())),
        Argument::json(&row.findings),
        &row.state,
        by,
        at,
        row.person,
        row.place.as_deref(),
        row.id
    ];
    tx.run(sql, arguments).await?;
    Ok(())
}

/// Returns the households of a file after this one, each with how many persons of the register head it.
pub(in crate::population) async fn households(
    tx: &mut Tx,
    batch: BatchId,
    after: &str,
    most: i64,
) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = sql!(
        "select one.household, (select count(*) from person where person.household = one.household
                                and person.heads_household
                                and not exists (select 1 from merged_person m where m.person_id = person.id)) as heads
         from (select distinct household from person where batch_id = $1 and household > $2 order by household limit $3) one
         order by one.household"
    );
    let rows = tx.all(sql, args![batch, after, most]).await?;
    // In the order of the database, by which the next page begins.
    rows.iter().map(|row| Ok((row.get("household")?, row.number("heads")?))).collect()
}

/// Adds a finding to the persons of these households who have none of its rule.
pub(in crate::population) async fn find_in_households(
    tx: &mut Tx,
    households: Vec<String>,
    rules: &[&str],
    finding: &Finding,
) -> Result<u64, StoreError> {
    if households.is_empty() {
        return Ok(0);
    }
    let sql = sql!(
        pg "select id, findings, quality_commune, quality_month, quality_words from person
            where household = any($1) order by id for no key update",
        lite "select id, findings, quality_commune, quality_month, quality_words from person
              where household in (select value from json_each($1)) order by id",
    );
    let mut found = 0;
    for row in tx.all(sql, vec![Argument::Texts(households)]).await? {
        let id: PersonId = Id::of(&row, "id")?;
        let before: Vec<Finding> = row.json("findings")?;
        let mut findings: Vec<_> = before.iter().filter(|one| !rules.contains(&one.rule.as_str())).cloned().collect();
        findings.push(finding.clone());
        if findings != before {
            let sql = sql!("update person set findings = $1 where id = $2");
            found += tx.run(sql, args![Argument::json(&findings), id]).await?;
            if let Some(mark) = quality::mark(&row)? {
                quality::put(tx, id, &mark.unclean()).await?;
            }
        }
    }
    Ok(found)
}

/// Returns the line up to which the persons of a file were compared with the register.
pub(in crate::population) async fn doubles_line(tx: &mut Tx, batch: BatchId) -> Result<i64, StoreError> {
    let row = tx.one_locked(sql!("select id, doubles_line from import_batch where id = $1"), args![batch]).await?;
    row.map_or(Ok(0), |row| Ok(row.get::<Option<i64>>("doubles_line")?.unwrap_or(0)))
}

/// Notes the line up to which the persons of a file were compared with the register.
pub(in crate::population) async fn set_doubles_line(tx: &mut Tx, batch: BatchId, line: i64) -> Result<(), StoreError> {
    tx.run(sql!("update import_batch set doubles_line = $1 where id = $2"), args![line, batch]).await?;
    Ok(())
}

/// A person of a file: the line, the identifier, the record, and the number for life.
type OfBatch = (i64, PersonId, Person, Option<PersonalNumber>);

/// Returns persons of a file behind a line, by line.
pub(in crate::population) async fn of_batch(
    tx: &mut Tx,
    batch: BatchId,
    after: i64,
    most: i64,
) -> Result<Vec<OfBatch>, StoreError> {
    let sql = sql!(
        "select id, batch_line, record, personal_number from person where batch_id = $1 and batch_line > $2
         and not exists (select 1 from merged_person m where m.person_id = person.id) order by batch_line limit $3"
    );
    let one = |row: &Record| {
        let number = row.parsed_optional("personal_number")?;
        Ok((row.get("batch_line")?, Id::of(row, "id")?, row.json("record")?, number))
    };
    tx.all(sql, args![batch, after, most]).await?.iter().map(one).collect()
}

/// Adds a finding to a person who has none of its rule. Returns whether it was added.
pub(in crate::population) async fn note(tx: &mut Tx, id: PersonId, finding: &Finding) -> Result<bool, StoreError> {
    let sql = sql!("select id, findings, quality_commune, quality_month, quality_words from person where id = $1");
    let Some(row) = tx.one_locked(sql, args![id]).await? else { return Ok(false) };
    let mut findings: Vec<Finding> = row.json("findings")?;
    if findings.iter().any(|one| one.code == finding.code) {
        return Ok(false);
    }
    findings.push(finding.clone());
    tx.run(sql!("update person set findings = $1 where id = $2"), args![Argument::json(&findings), id]).await?;
    if let Some(mark) = quality::mark(&row)? {
        quality::put(tx, id, &mark.unclean()).await?;
    }
    Ok(true)
}

/// From where a person of a file comes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The file.
    pub batch: BatchId,
    /// The line.
    pub line: u64,
    /// Digest of the record as declared.
    pub digest: [u8; 32],
    /// The MAC over these.
    pub mac: Vec<u8>,
    /// Number of the paper form.
    pub form: Option<String>,
    /// The officer, and the moment at which the row entered.
    pub entered: Decision,
}

/// Reads from where a person comes, of a row that has the columns; `None` for a person of no file.
pub(in crate::population) fn origin(row: &Record) -> Result<Option<Origin>, StoreError> {
    let Some(batch) = Id::of_optional(row, "batch_id")? else { return Ok(None) };
    let digest: Vec<u8> = row.get::<Option<Vec<u8>>>("declared_digest")?.unwrap_or_default();
    Ok(Some(Origin {
        batch,
        line: row.number("batch_line")?,
        digest: digest.try_into().unwrap_or([0; 32]),
        mac: row.get::<Option<Vec<u8>>>("declared_mac")?.unwrap_or_default(),
        form: row.get("form")?,
        entered: Decision { by: Id::of(row, "declared_by")?, at: row.get("declared_at")? },
    }))
}

/// Returns from where a person comes, and the record as it is now.
pub(in crate::population) async fn origin_of(
    tx: &mut Tx,
    person: PersonId,
) -> Result<Option<(Origin, Value)>, StoreError> {
    let sql = sql!(
        "select id, record, declared_by, declared_at, batch_id, batch_line, declared_digest, declared_mac, form
         from person where id = $1"
    );
    let Some(row) = tx.one(sql, args![person]).await? else { return Ok(None) };
    let record = row.get("record")?;
    Ok(origin(&row)?.map(|origin| (origin, record)))
}

/// A count as the databases keep it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
