//! SQL of duplicates: the keys of persons, and what officers said of pairs.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::PersonalNumber;
use uuid::Uuid;

use super::super::duplicates::keys::{self, Probe, VERSION};
use super::super::duplicates::memory::{MOST_COMPARED, MOST_ROWS};
use super::super::duplicates::score::{self, Judgement};
use super::super::duplicates::steps::Verdict;
use super::super::duplicates::traits::Traits;
use super::super::history::fields_of;
use super::super::model::{Finding, Person, Registered};
use crate::ground::ids::{PersonId, VerdictId};
use crate::ground::{Decision, Id};
use crate::store::{Argument, Db, Kind, Record, Rows, Sealed, StoreError, Tx};
use crate::{args, sql};

/// What officers said of pairs: each row carries a MAC.
pub const DUPLICATE_VERDICT: Sealed = Sealed {
    table: "duplicate_verdict",
    columns: &[
        ("id", Kind::Uuid),
        ("one_id", Kind::Uuid),
        ("other_id", Kind::Uuid),
        ("verdict", Kind::Text),
        ("because", Kind::Text),
        ("officer_id", Kind::Uuid),
        ("at", Kind::Moment),
        ("speaks_for", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, one_id, other_id, verdict, because, officer_id, at, speaks_for, version, mac from duplicate_verdict
         where id = $1"
    ),
    all: sql!(
        "select id, one_id, other_id, verdict, because, officer_id, at, speaks_for, version, mac from duplicate_verdict
         order by id"
    ),
    set: sql!("update duplicate_verdict set version = $1, mac = $2 where id = $3"),
};

/// Keeps persons under their keys; the person's row says so by its column `keyed`. For one person and for many.
///
/// # Errors
/// [`StoreError`]
pub async fn index(tx: &mut Tx, persons: &[(PersonId, Vec<i64>)]) -> Result<(), StoreError> {
    let rows = persons.iter().flat_map(|(id, keys)| keys.iter().map(move |key| format!("{key} {id}")));
    let rows: Vec<String> = rows.collect();
    let sql = sql!(
        pg "insert into person_key (key, person_id)
            select split_part(line, ' ', 1)::bigint, split_part(line, ' ', 2)::uuid from unnest($1::text[]) as t (line)
            on conflict do nothing",
        lite "insert into person_key (key, person_id)
              select cast(substr(value, 1, instr(value, ' ') - 1) as integer), substr(value, instr(value, ' ') + 1)
              from json_each($1) where true
              on conflict do nothing",
    );
    for some in rows.chunks(ROWS_AT_ONCE) {
        tx.run(sql, vec![Argument::Texts(some.to_vec())]).await?;
    }
    Ok(())
}

/// Writes the keys of persons who are under none yet, for [`Tx::insert_rows`]: the keys of each are all different.
pub(super) fn new_rows(tx: &mut Tx, persons: &[(PersonId, &[i64])]) -> Rows {
    let keys = persons.iter().flat_map(|(id, keys)| keys.iter().map(move |key| (*key, *id)));
    let mut keys: Vec<(i64, PersonId)> = keys.collect();
    // In the order in which they lie in the index: the next one is mostly beside the one before.
    keys.sort_unstable();
    let mut rows = tx.rows(sql!("insert into person_key (key, person_id) values ($1, $2)"), 2);
    for (key, id) in keys {
        rows.row([key.into(), id.into()]);
    }
    rows
}

/// Keeps a person under other keys, since what the register holds of the person changed.
///
/// # Errors
/// [`StoreError`]
pub async fn reindex(tx: &mut Tx, id: PersonId, before: &Person, after: &Person) -> Result<(), StoreError> {
    let (old, new) = (keys::keys(&before.into()), keys::keys(&after.into()));
    if old == new {
        return Ok(());
    }
    let sql = sql!(
        pg "delete from person_key where person_id = $1 and key in (select k::bigint from unnest($2::text[]) as t (k))",
        lite "delete from person_key where person_id = $1 and key in (select cast(value as integer) from json_each($2))",
    );
    let gone: Vec<i64> = old.iter().filter(|key| !new.contains(key)).copied().collect();
    tx.run(sql, args![id, texts(&gone)]).await?;
    index(tx, &[(id, new)]).await
}

/// Keeps persons under their keys who have none: those whom a version without keys registered, and all after a
/// migration that sets `keyed` to null. In steps, so that it can be cut.
///
/// # Errors
/// [`StoreError`]
pub async fn index_persons_of_before(db: &Db) -> Result<(), StoreError> {
    loop {
        let mut tx = db.begin_upkeep().await?;
        let rows = tx.all(sql!("select id, record from person where keyed is null limit 500"), args![]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut of_persons = vec![];
        for row in &rows {
            match row.json::<Person>("record") {
                Ok(person) => of_persons.push((Id::of(row, "id")?, keys::keys(&Traits::from(&person)))),
                // A record that cannot be read is found by its id and its number alone.
                Err(StoreError::Inconsistent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        index(&mut tx, &of_persons).await?;
        for row in &rows {
            let id: PersonId = Id::of(row, "id")?;
            tx.run(sql!("update person set keyed = $1 where id = $2"), args![VERSION, id]).await?;
        }
        tx.commit().await?;
    }
}

/// Makes declarations of people who may be one wait for each other, until the transaction ends; those of other people
/// do not wait. What looks for a double then sees every one that came before.
///
/// # Errors
/// [`StoreError`]
pub async fn hold(tx: &mut Tx, traits: &Traits) -> Result<(), StoreError> {
    // In one order, so that no two wait for each other. SQLite has one writer.
    let sql = sql!(
        pg "select pg_advisory_xact_lock(l.lock)
            from (select k::bigint as lock from unnest($1::text[]) as t (k) order by 1) as l",
        lite "select 1 from json_each($1) limit 1",
    );
    tx.run(sql, args![texts(&keys::locks(traits))]).await?;
    Ok(())
}

/// Returns the people who may be this one, best first, without those whom officers told apart from `id`, who is not
/// among them either. The caller records whom it tells of.
///
/// # Errors
/// [`StoreError`]
pub async fn candidates(
    tx: &mut Tx,
    traits: &Traits,
    id: Option<PersonId>,
) -> Result<Vec<(Registered, Judgement)>, StoreError> {
    let mut hits: BTreeMap<PersonId, u32> = BTreeMap::new();
    let (wide, narrow): (Vec<Probe>, Vec<Probe>) = keys::probes(traits).into_iter().partition(|probe| probe.wide);
    let by_low: BTreeMap<i64, Vec<&Probe>> = narrow.iter().fold(BTreeMap::new(), |mut all, probe| {
        all.entry(probe.from).or_insert_with(Vec::new).push(probe);
        all
    });
    let lows: Vec<i64> = by_low.keys().copied().collect();
    for row in narrow_rows(tx, &lows).await? {
        let key: i64 = row.get("key")?;
        let person: PersonId = Id::of(&row, "person_id")?;
        let of_range = by_low.range(..=key).next_back().into_iter().flat_map(|(_, probes)| probes);
        let admitted = of_range.filter(|probe| key <= probe.to && probe.admits(key)).count();
        if admitted > 0 {
            *hits.entry(person).or_default() += 1;
        }
    }
    for probe in &wide {
        for row in wide_rows(tx, probe).await? {
            if probe.admits(row.get("key")?) {
                *hits.entry(Id::of(&row, "person_id")?).or_default() += 1;
            }
        }
    }
    if let Some(id) = id {
        hits.remove(&id);
        for other in told_apart(tx, id).await? {
            hits.remove(&other);
        }
    }
    let mut ranked: Vec<(PersonId, u32)> = hits.into_iter().collect();
    ranked.sort_by_key(|(person, hits)| (std::cmp::Reverse(*hits), *person));
    ranked.truncate(MOST_COMPARED);
    let ids: Vec<Uuid> = ranked.iter().map(|(person, _)| person.uuid()).collect();
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let sql = sql!(
        pg "select id, office, personal_number, record, findings from person p where id = any($1)
            and not exists (select 1 from merged_person m where m.person_id = p.id)",
        lite "select id, office, personal_number, record, findings from person p
              where id in (select value from json_each($1))
              and not exists (select 1 from merged_person m where m.person_id = p.id)",
    );
    let mut found = vec![];
    for row in tx.all(sql, vec![Argument::Uuids(ids)]).await? {
        let registered = super::read(&row)?;
        let judgement = score::judge(traits, &Traits::from(&registered.person));
        found.push((registered, judgement));
    }
    found.sort_by_key(|(registered, judgement)| (std::cmp::Reverse(judgement.score), registered.id));
    Ok(found)
}

/// Of the persons who came before: whether one has the same name, birth date and sex and was not told
/// apart, and whether one of them was declared field by field the same and has no other number. `id` is of
/// a person who is in the register.
pub(in crate::population) async fn alike(
    tx: &mut Tx,
    person: &Person,
    number: Option<&PersonalNumber>,
    id: Option<PersonId>,
) -> Result<(bool, bool), StoreError> {
    let digest = super::super::import::digest(&serde_json::Value::Object(fields_of(person)));
    // A year alone is no rare birth date: a likeness may have thousands of bearers. Those who say the same come first.
    let sql = sql!(
        "select id, declared_digest, personal_number from person where likeness = $1 and id < $2
         and not exists (select person_id from merged_person m where m.person_id = person.id)
         order by case when declared_digest = $3 then 0 else 1 end, id limit 100"
    );
    let rows = tx.all(sql, args![person.likeness(), id.unwrap_or(LAST), &digest]).await?;
    let apart = match id {
        Some(id) if !rows.is_empty() => told_apart(tx, id).await?,
        _ => BTreeSet::new(),
    };
    let (mut namesake, mut same) = (false, false);
    for row in &rows {
        let other: Option<String> = row.get("personal_number")?;
        let others = number.zip(other).is_some_and(|(one, other)| one.as_str() != other);
        namesake |= !apart.contains(&Id::of(row, "id")?);
        same |= row.get::<Option<Vec<u8>>>("declared_digest")?.as_deref() == Some(&digest[..]) && !others;
    }
    Ok((namesake, same))
}

/// True if a person who came before has the number of an old card.
pub(in crate::population) async fn has_old_number(
    tx: &mut Tx,
    number: &str,
    id: Option<PersonId>,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id from person where old_id_number = $1 and id < $2
         and not exists (select person_id from merged_person m where m.person_id = person.id) order by id limit 1"
    );
    Ok(tx.one(sql, args![number, id.unwrap_or(LAST)]).await?.is_some())
}

/// The identifier after all others.
const LAST: PersonId = PersonId::from_uuid(Uuid::max());

/// Returns those of some persons who have the finding that they were perhaps declared before.
pub(in crate::population) async fn noted(tx: &mut Tx, ids: &[PersonId]) -> Result<Vec<(PersonId, Person)>, StoreError> {
    let sql = sql!(
        pg "select id, record, findings from person where id = any($1)",
        lite "select id, record, findings from person where id in (select value from json_each($1))",
    );
    let rows = tx.all(sql, vec![Argument::Uuids(ids.iter().map(|id| id.uuid()).collect())]).await?;
    let mut noted = vec![];
    for row in &rows {
        let findings: Vec<Finding> = row.json("findings")?;
        if findings.contains(&Finding::perhaps_declared_before()) {
            noted.push((Id::of(row, "id")?, row.json("record")?));
        }
    }
    Ok(noted)
}

async fn narrow_rows(tx: &mut Tx, lows: &[i64]) -> Result<Vec<Record>, StoreError> {
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let sql = sql!(
        pg "select k.key, k.person_id
            from unnest($1::text[]) as p (low)
            cross join lateral (
                select key, person_id from person_key
                where key between p.low::bigint and p.low::bigint + $2 order by key limit $3
            ) as k",
        lite "select k.key, k.person_id
              from json_each($1) as p
              cross join person_key as k
              where k.key between cast(p.value as integer) and cast(p.value as integer) + $2 limit $3 * 20",
    );
    tx.all(sql, args![texts(lows), keys::NARROW, most]).await
}

async fn wide_rows(tx: &mut Tx, probe: &Probe) -> Result<Vec<Record>, StoreError> {
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let sql = sql!(
        "select key, person_id from person_key
         where key between $1 and $2
           and ($3 = 0 or ((key >> 13) & 31) in ($4, $5) or ((key >> 8) & 31) in ($4, $5))
           and ($6 = 0 or ((key >> 4) & 15) in (0, $6) or (key & 15) = $7)
         order by key limit $8"
    );
    let [places, letters] = probe.wanted();
    // No place has the class -1.
    let class = |class: u8| if class == 0 { -1 } else { i64::from(class) };
    let (by_place, born, origin) = places.map_or((0, -1, -1), |(born, origin)| (1, class(born), class(origin)));
    let (begin, end) = letters.map_or((0, 0), |(begin, end)| (i64::from(begin), i64::from(end)));
    tx.all(sql, args![probe.from, probe.to, i64::from(by_place), born, origin, begin, end, most]).await
}

/// Keeps what an officer says of a pair.
pub(in crate::population) async fn add_verdict(
    tx: &mut Tx,
    id: VerdictId,
    pair: (PersonId, PersonId),
    (verdict, speaks_for): (Verdict, Option<PersonId>),
    because: &str,
    by: &Decision,
) -> Result<(), StoreError> {
    let (one, other) = (pair.0.min(pair.1), pair.0.max(pair.1));
    let sql = sql!(
        "insert into duplicate_verdict (id, one_id, other_id, verdict, because, officer_id, at, speaks_for)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    tx.run(sql, args![id, one, other, verdict.word(), because, by.by, by.at, speaks_for]).await?;
    tx.seal(&DUPLICATE_VERDICT, id).await
}

/// What an officer said of a person and another one.
#[derive(Clone, Debug)]
pub struct Said {
    /// The other one.
    pub other: PersonId,
    /// What was said.
    pub verdict: Verdict,
    /// The officer, and the moment.
    pub by: Decision,
    /// The one of the two for whose office it was said; `None` for both.
    pub speaks_for: Option<PersonId>,
}

/// Returns what officers said of a person and others, oldest first.
pub(in crate::population) async fn verdicts(tx: &mut Tx, id: PersonId) -> Result<Vec<Said>, StoreError> {
    let sql = sql!(
        "select id, one_id, other_id, verdict, because, officer_id, at, speaks_for, version, mac from duplicate_verdict
         where one_id = $1 or other_id = $1 order by id"
    );
    let said = |row: &Record| {
        let (one, other): (PersonId, PersonId) = (Id::of(row, "one_id")?, Id::of(row, "other_id")?);
        let verdict: Verdict = row.parsed("verdict")?;
        let by = Decision { by: Id::of(row, "officer_id")?, at: row.get("at")? };
        let speaks_for = Id::of_optional(row, "speaks_for")?;
        Ok(Said { other: if one == id { other } else { one }, verdict, by, speaks_for })
    };
    tx.all_sealed(&DUPLICATE_VERDICT, sql, args![id]).await?.iter().map(said).collect()
}

/// Returns the persons who were told apart from this one: for each of the two the last officer
/// who spoke for it said so.
pub(in crate::population) async fn told_apart(tx: &mut Tx, id: PersonId) -> Result<BTreeSet<PersonId>, StoreError> {
    let mut last: BTreeMap<PersonId, [Option<Verdict>; 2]> = BTreeMap::new();
    for said in verdicts(tx, id).await? {
        let of = last.entry(said.other).or_default();
        if said.speaks_for.is_none_or(|of| of == id) {
            of[0] = Some(said.verdict);
        }
        if said.speaks_for.is_none_or(|of| of == said.other) {
            of[1] = Some(said.verdict);
        }
    }
    Ok(last.into_iter().filter(|(_, of)| *of == [Some(Verdict::Different); 2]).map(|(other, _)| other).collect())
}

fn texts(numbers: &[i64]) -> Argument {
    Argument::Texts(numbers.iter().map(ToString::to_string).collect())
}

/// Rows of keys in one statement.
const ROWS_AT_ONCE: usize = 20_000;
