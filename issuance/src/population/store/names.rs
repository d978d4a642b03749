//! SQL of the dictionary of names: distinct folded names with an estimate of their bearers, and the words in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::names::{self, Indexed};
use crate::ground::ids::PersonId;
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// A name of the dictionary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::population) struct KnownName {
    /// The folded name.
    pub fold: String,
    /// An estimate of the people who bear it.
    pub n: i64,
}

/// Writes by what a person is found, and counts the name in the dictionary; a name that the person had before is
/// counted down.
pub(in crate::population) async fn index(tx: &mut Tx, id: PersonId, indexed: &Indexed) -> Result<(), StoreError> {
    let sql = sql!("select id, fold, born from person where id = $1");
    let before = tx.one_locked(sql, args![id]).await?;
    // A person whom a version before the dictionary registered is in no count.
    let before = match &before {
        Some(row) => row.get::<Option<i64>>("born")?.and(row.get::<Option<String>>("fold")?),
        None => None,
    };
    let Indexed { fold, born, birth_year, old_id_number, father, mother, residence, likeness, household, .. } = indexed;
    let heads = household.is_some().then_some(indexed.heads_household);
    let [province, district, commune] = residence;
    let sql = sql!(
        "update person set fold = $1, born = $2, birth_year = $3, old_id_number = $4, father_fold = $5, mother_fold = $6,
             residence_province = $7, residence_district = $8, residence_commune = $9, likeness = $10, household = $11,
             heads_household = $12
         where id = $13"
    );
    let (old, father, mother) = (old_id_number.as_deref(), father.as_deref(), mother.as_deref());
    let (province, district, commune) = (province.as_deref(), district.as_deref(), commune.as_deref());
    let year = *birth_year;
    let household = household.as_deref();
    let of = args![fold, *born, year, old, father, mother, province, district, commune, likeness, household, heads, id];
    tx.run(sql, of).await?;
    if before.as_ref() == Some(fold) {
        return Ok(());
    }
    // In the order of bytes, so that two changes never wait for each other.
    let mut changes = vec![(fold.as_str(), 1)];
    changes.extend(before.as_deref().filter(|before| !before.is_empty()).map(|before| (before, -1)));
    changes.sort_unstable();
    for (name, sign) in changes {
        count(tx, id, name, sign).await?;
    }
    Ok(())
}

/// Reads by what a row is found; `None` where nothing was written yet.
pub(in crate::population) fn found_by(row: &Record) -> Result<Option<Indexed>, StoreError> {
    let Some(born) = row.get("born")? else { return Ok(None) };
    Ok(Some(Indexed {
        fold: row.get("fold")?,
        born,
        birth_year: row.number("birth_year")?,
        old_id_number: row.get("old_id_number")?,
        father: row.get("father_fold")?,
        mother: row.get("mother_fold")?,
        residence: [row.get("residence_province")?, row.get("residence_district")?, row.get("residence_commune")?],
        likeness: row.get("likeness")?,
        household: row.get("household")?,
        heads_household: row.get::<Option<bool>>("heads_household")?.unwrap_or_default(),
    }))
}

/// Counts one bearer of a name more or less, as far as [`names::weight`] lets this person count. A name that is new
/// enters the dictionary with its words.
async fn count(tx: &mut Tx, person: PersonId, fold: &str, sign: i64) -> Result<(), StoreError> {
    let known = tx.one(sql!("select fold, n from full_name where fold = $1"), args![fold]).await?;
    let Some(known) = known else {
        return if sign > 0 { add(tx, &[(fold, 1)], names::drawn(person)).await } else { Ok(()) };
    };
    match names::weight(names::drawn(person), known.number("n")?, 1) {
        0 => {}
        weight => {
            let sql = sql!("update full_name set n = n + $1 where fold = $2 and n + $1 >= 0");
            tx.run(sql, args![weight * sign, fold]).await?;
        }
    }
    Ok(())
}

/// Adds bearers to names, many at once, as far as [`names::weight`] lets them count: names that are new enter the
/// dictionary with their words. Names in the order of bytes never wait for each other. `drawn` is a number at random.
///
/// # Errors
/// [`StoreError`]
pub async fn add(tx: &mut Tx, bearers: &[(&str, i64)], drawn: u64) -> Result<(), StoreError> {
    if bearers.is_empty() {
        return Ok(());
    }
    let known = sql!(
        pg "select fold, n from full_name where fold = any($1)",
        lite "select fold, n from full_name where fold in (select value from json_each($1))"
    );
    let folds: Vec<String> = bearers.iter().map(|(fold, _)| (*fold).to_owned()).collect();
    let known = tx.all(known, vec![Argument::Texts(folds)]).await?;
    let known = known.iter().map(|row| Ok((row.get("fold")?, row.get("n")?)));
    let known: HashMap<String, i64> = known.collect::<Result<_, StoreError>>()?;
    let drawn_for = |text: &str| names::drawn_by(text) ^ drawn;
    let sql = sql!(
        pg "insert into full_name (fold, sorted, n)
            select one ->> 0, one ->> 1, (one ->> 2)::bigint from jsonb_array_elements($1) as one
            on conflict (fold) do update set n = full_name.n + excluded.n",
        lite "insert into full_name (fold, sorted, n)
              select value ->> 0, value ->> 1, value ->> 2 from json_each($1) where true
              on conflict (fold) do update set n = full_name.n + excluded.n"
    );
    let rows = bearers.iter().filter_map(|(fold, more)| {
        let weight = known.get(*fold).map_or(*more, |n| names::weight(drawn_for(fold), *n, *more));
        (weight > 0).then(|| (*fold, names::sorted(fold), weight))
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        tx.run(sql, vec![Argument::json(&rows)]).await?;
    }
    let mut posted = BTreeSet::new();
    let mut words = BTreeMap::<&str, i64>::new();
    for (fold, _) in bearers.iter().filter(|(fold, _)| !known.contains_key(*fold)) {
        for word in fold.split(' ').collect::<BTreeSet<&str>>() {
            posted.insert((word, *fold));
            *words.entry(word).or_default() += 1;
        }
    }
    if posted.is_empty() {
        return Ok(());
    }
    let sql = sql!(
        pg "insert into full_name_word (word, fold) select one ->> 0, one ->> 1 from jsonb_array_elements($1) as one
            on conflict (word, fold) do nothing",
        lite "insert into full_name_word (word, fold) select value ->> 0, value ->> 1 from json_each($1) where true
              on conflict (word, fold) do nothing"
    );
    tx.run(sql, vec![Argument::json(&posted)]).await?;
    let sql = sql!(
        pg "select word, n from name_word where word = any($1)",
        lite "select word, n from name_word where word in (select value from json_each($1))"
    );
    let asked = words.keys().map(|word| (*word).to_owned()).collect();
    let mut counted = BTreeMap::<String, i64>::new();
    for row in tx.all(sql, vec![Argument::Texts(asked)]).await? {
        counted.insert(row.get("word")?, row.number("n")?);
    }
    // An estimate as that of bearers.
    let weigh = |(word, more): (&str, i64)| {
        let weight = names::weight(drawn_for(word), counted.get(word).copied().unwrap_or(0), more);
        (weight > 0).then(|| (word.to_owned(), weight))
    };
    let weighed: Vec<_> = words.into_iter().filter_map(weigh).collect();
    let sql = sql!(
        pg "insert into name_word (word, n) select one ->> 0, (one ->> 1)::bigint from jsonb_array_elements($1) as one
            on conflict (word) do update set n = name_word.n + excluded.n",
        lite "insert into name_word (word, n) select value ->> 0, value ->> 1 from json_each($1) where true
              on conflict (word) do update set n = name_word.n + excluded.n"
    );
    tx.run(sql, vec![Argument::json(&weighed)]).await?;
    Ok(())
}

/// Returns the words of all names.
pub(in crate::population) async fn words(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = tx.all(sql!("select word, n from name_word"), args![]).await?;
    rows.iter().map(|row| Ok((row.get("word")?, row.get("n")?))).collect()
}

/// Returns how many words there are, some thousand, and in how many names they occur together.
pub(in crate::population) async fn count_words(tx: &mut Tx) -> Result<(usize, i64), StoreError> {
    let sql = sql!("select count(*) as words, cast(coalesce(sum(n), 0) as bigint) as uses from name_word");
    let row = tx.one(sql, args![]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.number("words")?, row.get("uses")?)))
}

/// Returns about how many people bear a name; `None` for a name that is not in the dictionary.
pub(in crate::population) async fn bearers(tx: &mut Tx, fold: &str) -> Result<Option<i64>, StoreError> {
    let row = tx.one(sql!("select fold, n from full_name where fold = $1"), args![fold]).await?;
    row.map(|row| row.get("n")).transpose()
}

/// Returns the names that have these words in one order or another, each text as [`names::sorted`] writes it.
pub(in crate::population) async fn of_sorted(tx: &mut Tx, sorted: Vec<String>) -> Result<Vec<KnownName>, StoreError> {
    let sql = sql!(
        pg "select fold, n from full_name where sorted = any($1) and n > 0",
        lite "select fold, n from full_name where sorted in (select value from json_each($1)) and n > 0"
    );
    tx.all(sql, vec![Argument::Texts(sorted)]).await?.iter().map(read).collect()
}

/// Returns names that have the rarest of some words, and the others too.
pub(in crate::population) async fn with_words(
    tx: &mut Tx,
    rarest: &str,
    others: Vec<String>,
    most: i64,
) -> Result<Vec<KnownName>, StoreError> {
    let sql = sql!(
        pg "select f.fold, f.n from full_name_word w join full_name f on f.fold = w.fold
            where w.word = $1 and f.n > 0 and not exists (
                select 1 from unnest($2::text[]) as o (word) where strpos(' ' || w.fold || ' ', ' ' || o.word || ' ') = 0)
            limit $3",
        lite "select f.fold, f.n from full_name_word w join full_name f on f.fold = w.fold
              where w.word = $1 and f.n > 0 and not exists (
                  select 1 from json_each($2) as o where instr(' ' || w.fold || ' ', ' ' || o.value || ' ') = 0)
              limit $3"
    );
    tx.all(sql, vec![rarest.into(), Argument::Texts(others), most.into()]).await?.iter().map(read).collect()
}

fn read(row: &Record) -> Result<KnownName, StoreError> {
    Ok(KnownName { fold: row.get("fold")?, n: row.get("n")? })
}
