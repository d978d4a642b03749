//! Statistics: how many persons there are, for authorities that count and are told of no person.
//!
//! Once a quarter the register is counted into a state (`making`): a fixed list of tables (`cube`), of which each count
//! is given an error (`noise`), and what is small with its error is left out, before anything is kept. A question reads
//! cells of the newest state, or of an earlier one. It computes nothing from persons, so that all questions together
//! are told no more than the state holds (ADR 0058).

pub(super) mod api;
mod cube;
mod making;
mod noise;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use cube::Cell;
pub use making::count_statistics;
use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

use self::cube::{ByPlace, Table};
use super::answer::{self, Said};
use super::ask::{self, Answered, Asked};
use super::model::{Agreement, Dimension, Grant, Service};
use super::store::statistics::{self as store, State};
use super::{Exchange, ExchangeError, limits};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::ids::RequestId;
use crate::web::Problem;

/// What is to be counted.
#[derive(Debug)]
pub(super) struct Counting {
    /// The dimensions that are crossed.
    pub crossed: BTreeSet<Dimension>,
    /// Of a dimension, the values that are wanted. It is crossed too.
    pub only: BTreeMap<Dimension, BTreeSet<String>>,
    /// The first day of the quarter of a state; none: the newest one.
    pub day: Option<Date>,
}

/// Most cells of an answer: it stays far below the ten megabytes that X-Road carries.
const MOST: i64 = 10_000;
/// Most values of a dimension that a question names.
const MOST_VALUES: usize = 100;
/// What is counted where a question does not say whether persons live.
const LIVING: &str = "living";

/// What every answer says. It holds the digest of the question, so that the signature covers both.
#[derive(Serialize)]
struct Reply<'a> {
    request: &'a str,
    request_sha256: String,
    answer: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    agreement: &'a str,
    purpose: &'a str,
    service: Service,
    outcome: &'static str,
    day: String,
    #[serde(with = "time::serde::rfc3339")]
    counted_from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    counted_until: Option<OffsetDateTime>,
    crossed: BTreeSet<Dimension>,
    noise: i64,
    least: i64,
    cells: Vec<BTreeMap<&'static str, Value>>,
}

/// Answers a question for counts. A request that came before with the same content has the same answer again; a refusal
/// is kept too.
///
/// # Errors
/// As a problem, from [`ExchangeError`].
pub(super) async fn count(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    counting: &Counting,
) -> Result<Answered, Problem> {
    let refusal = match attempt(deeds, exchange, partner, asked, counting).await {
        Ok(answered) => return Ok(answered),
        Err(ExchangeError::Repeated) => return Ok(ask::again(deeds, partner, asked.again()).await?),
        Err(refusal @ (ExchangeError::NotAgreed(_) | ExchangeError::QuotaSpent { .. })) => refusal,
        Err(other) => return Err(other.into()),
    };
    // What was answered already costs nothing more.
    let spent = matches!(refusal, ExchangeError::QuotaSpent { .. });
    if spent && let Ok(answered) = ask::again(deeds, partner, asked.again()).await {
        return Ok(answered);
    }
    let problem = Problem::from(refusal);
    ask::note_refusal(deeds, partner, asked, &problem, None).await?;
    Err(problem)
}

async fn attempt(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    asked: &Asked,
    counting: &Counting,
) -> Result<Answered, ExchangeError> {
    limits::fit_officer(exchange, partner, &asked.officer)?;
    limits::fit_carried(partner, &asked.officer, &asked.case)?;
    let mut deed = deeds.open(partner.clone()).await?;
    limits::fit_clock(exchange, asked, deed.at())?;
    let (agreement, place, grant) = limits::granted(&mut deed, asked.service, &asked.purpose).await?;
    let view = View::of(counting, &grant)?;
    let state = state_of(&mut deed, counting.day).await?;
    let today = deed.today();
    let spent = limits::spend(&mut deed, exchange, (&agreement, place, &grant), today).await?;
    let answered = answer(&mut deed, exchange, (partner, asked), (&agreement, &grant), &view, state).await;
    let done = match answered {
        Ok(answered) => deed.commit().await.map(|()| answered).map_err(ExchangeError::from),
        Err(why) => Err(why),
    };
    spent.settle(exchange, (agreement.id, place), today, done.is_ok());
    done
}

/// Returns the state that is asked about.
async fn state_of(deed: &mut Deed<Partner>, day: Option<Date>) -> Result<State, ExchangeError> {
    let newest = store::newest(deed.tx()).await?;
    let found = match day {
        Some(day) => store::of_day(deed.tx(), day).await?.filter(|state| state.counted_until.is_some()),
        None => newest,
    };
    found.ok_or_else(|| {
        let newest = newest.map_or_else(|| "none so far".to_owned(), |state| written(state.day));
        ExchangeError::RequestUnfit(format!("day: there is no state of this day; the newest: {newest}"))
    })
}

/// The part of a state that a question may see.
struct View {
    table: Table,
    crossed: BTreeSet<Dimension>,
    life: BTreeSet<String>,
    only: BTreeMap<Dimension, BTreeSet<String>>,
    /// The question, for the log.
    in_words: String,
}

impl View {
    /// Judges a question by the grant: its dimensions, and its provinces.
    fn of(counting: &Counting, grant: &Grant) -> Result<Self, ExchangeError> {
        let not_agreed = |why: String| Err(ExchangeError::NotAgreed(why));
        let unfit = |why: &str| Err(ExchangeError::RequestUnfit(why.to_owned()));
        let mut only = counting.only.clone();
        let crossed: BTreeSet<Dimension> = counting.crossed.iter().chain(only.keys()).copied().collect();
        if let Some(other) = crossed.iter().find(|dimension| !grant.dimensions.contains(dimension)) {
            return not_agreed(format!("the dimension {other} is not in the agreement"));
        }
        if only.values().any(|values| values.is_empty() || values.len() > MOST_VALUES) {
            return unfit("only: 1 to 100 values of a dimension");
        }
        let Some(table) = Table::of(&crossed) else {
            return unfit("crossed: at most two dimensions beside place and life");
        };
        if !grant.provinces.is_empty() {
            if table.place == ByPlace::Country {
                return not_agreed("the agreement is for provinces: cross province or district".to_owned());
            }
            let provinces = only.entry(Dimension::Province).or_insert_with(|| grant.provinces.clone());
            if !provinces.is_subset(&grant.provinces) {
                return not_agreed("a province is not in the agreement".to_owned());
            }
        }
        let living = || BTreeSet::from([LIVING.to_owned()]);
        let life = match (crossed.contains(&Dimension::Life), only.get(&Dimension::Life)) {
            (false, _) => living(),
            (true, Some(values)) => values.clone(),
            (true, None) => ["dead", LIVING, "missing"].map(str::to_owned).into(),
        };
        let in_words = in_words(&crossed, &only);
        Ok(Self { table, crossed, life, only, in_words })
    }

    /// Returns a cell as it is told: a value for each dimension that is crossed, null where the register has none.
    fn cell(&self, cell: Cell) -> BTreeMap<&'static str, Value> {
        let Cell { province, district, first, second, life, persons } = cell;
        let known = |value: String| if value.is_empty() { Value::Null } else { Value::from(value) };
        let mut told = BTreeMap::from([("persons", Value::from(persons))]);
        if self.table.place >= ByPlace::Province {
            told.insert(Dimension::Province.word(), known(province));
        }
        if self.table.place == ByPlace::District {
            told.insert(Dimension::District.word(), known(district));
        }
        for (dimension, value) in self.table.characteristics().into_iter().zip([first, second]) {
            if let Some(dimension) = dimension {
                told.insert(dimension.word(), known(value));
            }
        }
        if self.crossed.contains(&Dimension::Life) {
            told.insert(Dimension::Life.word(), known(life));
        }
        told
    }
}

/// Returns what is counted, in one text: the dimensions, each with the values that are wanted.
fn in_words(crossed: &BTreeSet<Dimension>, only: &BTreeMap<Dimension, BTreeSet<String>>) -> String {
    let all: BTreeSet<&Dimension> = crossed.iter().chain(only.keys()).collect();
    let one = |dimension: &Dimension| match only.get(dimension) {
        Some(values) => format!("{dimension}={}", values.iter().cloned().collect::<Vec<_>>().join("|")),
        None => dimension.to_string(),
    };
    all.into_iter().map(one).collect::<Vec<_>>().join(",")
}

async fn answer(
    deed: &mut Deed<Partner>,
    exchange: &Exchange,
    (partner, asked): (&Partner, &Asked),
    (agreement, grant): (&Agreement, &Grant),
    view: &View,
    state: State,
) -> Result<Answered, ExchangeError> {
    // What the agreement holds back beyond the settings: of a state only a part is told then.
    let more = grant.small_cell.map_or(0, |small| (i64::from(small) - state.small_cell).max(0));
    let least = state.least + more;
    let only = |dimension: Option<Dimension>| dimension.and_then(|dimension| view.only.get(&dimension));
    let [first, second] = view.table.characteristics().map(only);
    let (provinces, districts) = (only(Some(Dimension::Province)), only(Some(Dimension::District)));
    let crossed = view.table.word();
    let wanted = store::Wanted { crossed: &crossed, life: &view.life, provinces, districts, first, second, least };
    let cells = store::cells(deed.tx(), state.id, &wanted, MOST + 1).await?;
    if i64::try_from(cells.len()).is_ok_and(|cells| cells > MOST) {
        return Err(ExchangeError::RequestUnfit(format!("only: it is more than {MOST} cells; name values")));
    }
    let reply = Reply {
        request: &asked.request,
        request_sha256: hex::encode(asked.request_sha256),
        answer: deed.id(),
        answered_at: deed.at(),
        agreement: &agreement.number,
        purpose: &asked.purpose,
        service: asked.service,
        outcome: COUNTED,
        day: written(state.day),
        counted_from: state.counted_from,
        counted_until: state.counted_until,
        crossed: view.crossed.clone(),
        noise: state.noise,
        least,
        cells: cells.into_iter().map(|cell| view.cell(cell)).collect(),
    };
    let (id, question) = (reply.answer, format!("{};{}", view.in_words, reply.day));
    let said = Said {
        id,
        fields: question.clone(),
        outcome: COUNTED,
        // It is about no person.
        subject: deed.secrets().fingerprint("exchange-statistics", &[]),
        missed: false,
        body: serde_json::to_vec(&reply)?,
    };
    let answered = answer::sign(deed, exchange, partner, asked, agreement, said).await?;
    let entry = Entry::new(Action::ExchangeAnswered, Object::ExchangeRequest(id), Purpose::Exchange);
    let entry = Entry { related: Some(Object::Agreement(agreement.id)), ..entry };
    deed.enter(entry.because(format!("{COUNTED} for {}: {question}", asked.officer))).await?;
    Ok(answered)
}

/// What came of it.
const COUNTED: &str = "counted";

/// A day as answers have it.
fn written(day: Date) -> String {
    day.format(&Iso8601::DATE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(by: &[Dimension], provinces: &[&str]) -> Grant {
        let by: Vec<&str> = by.iter().map(|dimension| dimension.word()).collect();
        let grant = serde_json::json!({"purpose": "p", "service": "statistics", "dimensions": by,
            "provinces": provinces, "per_day": 1});
        serde_json::from_value(grant).unwrap()
    }

    /// Of every mask: each question of up to four dimensions is answered if all of them are in it, and refused by the
    /// name of one that is not.
    #[test]
    fn of_every_mask_only_its_dimensions_are_crossed() {
        let sets = |n: u32| -> BTreeSet<Dimension> {
            Dimension::ALL.iter().enumerate().filter(|(at, _)| n >> at & 1 == 1).map(|(_, one)| *one).collect()
        };
        for mask in 1..256 {
            let grant = grant(&sets(mask).into_iter().collect::<Vec<_>>(), &[]);
            for asked in 0..256 {
                let crossed = sets(asked);
                let counting = Counting { crossed: crossed.clone(), only: BTreeMap::new(), day: None };
                match View::of(&counting, &grant) {
                    Ok(view) => {
                        assert!(crossed.is_subset(&grant.dimensions));
                        assert_eq!(view.crossed, crossed);
                        assert_eq!(view.life.len(), if crossed.contains(&Dimension::Life) { 3 } else { 1 });
                    }
                    Err(ExchangeError::NotAgreed(why)) => {
                        assert!(crossed.iter().any(|one| !grant.dimensions.contains(one) && why.contains(one.word())));
                    }
                    Err(ExchangeError::RequestUnfit(_)) => assert!(Table::of(&crossed).is_none()),
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    #[test]
    fn of_provinces_only_those_of_the_agreement_are_read() {
        let grant = grant(&[Dimension::Province, Dimension::District, Dimension::Sex], &["001", "003"]);
        let view = |crossed: &[Dimension], only: &[&str]| {
            let only = only.iter().map(|province| (*province).to_owned()).collect::<BTreeSet<_>>();
            let only = if only.is_empty() { BTreeMap::new() } else { BTreeMap::from([(Dimension::Province, only)]) };
            View::of(&Counting { crossed: crossed.iter().copied().collect(), only, day: None }, &grant)
        };
        let provinces =
            |view: Result<View, ExchangeError>| view.ok().map(|view| view.only[&Dimension::Province].clone());
        let set = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>());
        assert_eq!(provinces(view(&[Dimension::Province], &[])), set(&["001", "003"]));
        assert_eq!(provinces(view(&[Dimension::District], &[])), set(&["001", "003"]));
        assert_eq!(provinces(view(&[Dimension::Sex], &["003"])), set(&["003"]));
        assert_eq!(provinces(view(&[Dimension::Sex], &["003", "005"])), None);
        assert_eq!(provinces(view(&[Dimension::Sex], &[])), None, "the whole country");
    }
}
