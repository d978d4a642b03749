//! Finding people: by number, also one that was replaced, by the number of the old card; by name with or without tones,
//! its words in another order, one letter wrong; by parents and place.
//!
//! A name is sought in the dictionary of distinct names first and among people only then, exactly: a third of the
//! nation shares the letters of the common names.

use crypto::identity::{Date, FullName, PersonalNumber, folded_name};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::Register;
use super::model::{Person, Registered, Relative};
use super::names::{self, Vocabulary};
use super::reference::Table;
use super::store::merge as store_merge;
use super::store::names::{self as store_names, KnownName};
use super::store::search::{self as store, Filter};
use crate::deed::{Action, Deed, Entry, Object, Occasion};
use crate::ground::ids::PersonId;
use crate::ground::text::Words;
use crate::ground::{OfficeCode, Officer};
use crate::store::StoreError;

/// By what a person is sought: a number, the number of an old card, or name, parents and place.
///
/// Numbers stand alone and find persons of every office, those of other offices without what the register holds of
/// them. All else finds persons whom the officer's office registered; for the national office, of all. Everything that
/// is given must agree. Without `full_name`: a parent with the year of birth, or a commune with the date of birth.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"full_name": "nguyen thi mau", "birth_date": "1999", "mother": "tran thi mau"}))]
pub struct Sought {
    /// The number for life, twelve digits; also one that was cancelled, replaced or of a record that was merged.
    #[schema(value_type = String)]
    pub personal_number: Words<20>,
    /// The number of the old card.
    #[schema(value_type = String)]
    pub old_id_number: Words<20>,
    /// The name, with or without tones, or the beginning of it.
    #[schema(value_type = String)]
    pub full_name: Words<200>,
    /// Date of birth or the year alone.
    #[schema(value_type = String)]
    pub birth_date: Words<20>,
    /// Full name of the father.
    #[schema(value_type = String)]
    pub father: Words<200>,
    /// Full name of the mother.
    #[schema(value_type = String)]
    pub mother: Words<200>,
    /// Where the person has permanent residence.
    pub residence: SoughtPlace,
    /// True for names that begin with `full_name`.
    pub beginning: bool,
    /// True for names like `full_name` too: words in another order, some of the words, one letter wrong. Without it
    /// they are looked for only if no person has the name.
    pub alike: bool,
}

/// A place in codes.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SoughtPlace {
    /// Province, three digits.
    #[schema(value_type = String)]
    pub province: Words<20>,
    /// District, three digits.
    #[schema(value_type = String)]
    pub district: Words<20>,
    /// Commune, five digits.
    #[schema(value_type = String)]
    pub commune: Words<20>,
}

/// By what a person was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// The number for life.
    Number,
    /// A number that the person had before it was replaced.
    Replaced,
    /// A number that was cancelled since the record of its person was merged into this one.
    Merged,
    /// The number of the old card.
    OldNumber,
    /// The name.
    Name,
    /// A parent's name.
    Parents,
    /// The commune of residence.
    Residence,
}

/// How well a person fits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fit {
    /// The number, or each name with its tones.
    Exact,
    /// The name with other tones or none.
    WithoutTones,
    /// The beginning of the name.
    Beginning,
    /// The words of the name in another order.
    WordOrder,
    /// All that was asked, among other words.
    SomeWords,
    /// A name that is one letter away.
    OneLetter,
}

/// How far the date of birth agrees.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum BirthFit {
    /// On the day.
    Day,
    /// In the month or year: no day was asked for.
    Year,
    /// In the month or year: the register has no day.
    YearOnly,
}

/// A person who was found.
#[derive(Debug)]
pub struct Found {
    /// The person.
    pub registered: Registered,
    /// By what.
    pub by: By,
    /// How well.
    pub fit: Fit,
    /// How far the date agrees; `None` if none was asked for.
    pub birth: Option<BirthFit>,
    /// True if the officer's office may read the person without a claim of the citizen.
    pub readable: bool,
}

/// A person who fits, before it is told.
type Hit = (Registered, By, Fit, Option<BirthFit>);

/// A number that was cancelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CancelledNumber {
    /// The person who had it.
    pub person: PersonId,
    /// The record into which that person's was merged, where the number was cancelled by it.
    pub merged_into: Option<PersonId>,
}

/// Finds persons, best fit first, and records each of them. Returns whether there are more than are told. `cancelled`
/// tells of the number that is sought, if it was cancelled: then the record that lives on is found.
///
/// # Errors
/// [`SearchError`]
pub async fn find(
    deed: &mut Deed<Officer>,
    register: &Register,
    sought: &Sought,
    cancelled: Option<CancelledNumber>,
    occasion: Occasion,
) -> Result<(Vec<Found>, bool), SearchError> {
    let (number, old) = (sought.personal_number.as_str(), sought.old_id_number.as_str());
    let by_name = sought.asks_by_name();
    let asked = [!number.is_empty(), !old.is_empty(), by_name].iter().filter(|asked| **asked).count();
    if asked != 1 {
        return Err(SearchError::Unfit("name one of `personal_number`, `old_id_number`, or name, parents and place"));
    }
    let exact = |by: By| move |registered: Registered| (registered, by, Fit::Exact, None);
    let mut more = false;
    let mut found: Vec<Hit> = if !number.is_empty() {
        let number: PersonalNumber = number.parse().map_err(|_| SearchError::Unfit("twelve digits"))?;
        let now = store::by_number(deed.tx(), &number).await?;
        match cancelled.filter(|_| now.is_empty()) {
            Some(CancelledNumber { person, merged_into }) => {
                let mut lives_on = merged_into.unwrap_or(person);
                // Ends: a record is merged into one that is in force, and none into itself.
                while let Some(into) = store_merge::merged_into(deed.tx(), lives_on).await? {
                    lives_on = into;
                }
                let by = if lives_on == person { By::Replaced } else { By::Merged };
                store::by_id(deed.tx(), lives_on).await?.into_iter().map(exact(by)).collect()
            }
            None => now.into_iter().map(exact(By::Number)).collect(),
        }
    } else if !old.is_empty() {
        let most = i64::try_from(SHOWN).unwrap_or(i64::MAX) + 1;
        store::by_old_number(deed.tx(), old, most).await?.into_iter().map(exact(By::OldNumber)).collect()
    } else {
        let mut search = Search::of(deed, register, sought)?;
        search.run(deed, register).await?;
        more = search.more;
        search.hits
    };
    found.sort_by_key(|(_, _, fit, birth)| (*fit, *birth));
    more |= found.len() > SHOWN;
    found.truncate(SHOWN);
    let mut all = Vec::new();
    for (registered, by, fit, birth) in found {
        let readable = super::steps::found(deed, &registered, occasion).await?;
        all.push(Found { registered, by, fit, birth, readable });
    }
    let question = Object::Asked(format!("persons/{}", if by_name { "name" } else { "number" }));
    deed.enter(Entry::new(Action::PersonsSought, question, occasion.purpose)).await?;
    Ok((all, more))
}

impl Sought {
    fn asks_by_name(&self) -> bool {
        let SoughtPlace { province, district, commune } = &self.residence;
        let texts = [&self.full_name, &self.father, &self.mother];
        let short = [&self.birth_date, province, district, commune];
        let given =
            texts.iter().any(|text| !text.as_str().is_empty()) || short.iter().any(|text| !text.as_str().is_empty());
        given || self.beginning || self.alike
    }
}

/// A search by name, parents and place under way.
struct Search<'a> {
    sought: &'a Sought,
    fold: String,
    born: Option<Date>,
    filter: Filter,
    /// True if something beside the name is asked for: a name alone, if many have it, says nothing.
    narrowed: bool,
    hits: Vec<Hit>,
    more: bool,
}

impl<'a> Search<'a> {
    /// Reads what is asked.
    fn of(deed: &Deed<Officer>, register: &Register, sought: &'a Sought) -> Result<Self, SearchError> {
        let born: Option<Date> = match sought.birth_date.as_str() {
            "" => None,
            date => Some(date.parse().map_err(|_| SearchError::Unfit("`birth_date` is a date or a year"))?),
        };
        let folded = |text: &Words<200>| match folded_name(text.as_str()) {
            fold if !text.as_str().is_empty() && fold.chars().count() < SHORTEST => {
                Err(SearchError::Unfit("a name has at least two letters"))
            }
            fold => Ok(fold),
        };
        let (fold, father, mother) = (folded(&sought.full_name)?, folded(&sought.father)?, folded(&sought.mother)?);
        let code = |text: &Words<20>, digits: usize| match text.as_str() {
            code if code.is_empty() || (code.len() == digits && code.bytes().all(|b| b.is_ascii_digit())) => {
                Ok(code.to_owned())
            }
            _ => Err(SearchError::Unfit("a place is three digits of a province or district, five of a commune")),
        };
        let place = &sought.residence;
        let residence = [code(&place.province, 3)?, code(&place.district, 3)?, code(&place.commune, 5)?];
        // Persons who live in what went into another unit are found by either.
        let tables = [Table::Provinces, Table::Districts, Table::Communes];
        let residence = std::array::from_fn(|n| match residence[n].as_str() {
            "" => String::new(),
            code => register.reference().as_one(tables[n], code, deed.today()).join(" "),
        });
        let parents = !father.is_empty() || !mother.is_empty();
        let in_commune = !residence[2].is_empty() && born.and_then(Date::full).is_some();
        if fold.is_empty() && !(parents && born.is_some()) && !in_commune {
            return Err(SearchError::Unfit(
                "give a name, a parent's name with the year of birth, or a commune with the date of birth",
            ));
        }
        if (sought.beginning || sought.alike) && (fold.is_empty() || (sought.beginning && sought.alike)) {
            return Err(SearchError::Unfit("`beginning` or `alike` goes with `full_name`"));
        }
        let national = deed.actor().office == OfficeCode::national();
        let office = if national { String::new() } else { deed.actor().office.to_string() };
        let narrowed = born.is_some() || parents || residence.iter().any(|code| !code.is_empty());
        let filter = Filter { office, born: ALL_DAYS, father, mother, residence, most: MOST + 1 };
        Ok(Self { sought, fold, born, filter, narrowed, hits: vec![], more: false })
    }

    /// Looks for the name as it is given; if no person has it, or names alike are asked for, for its words in another
    /// order, for names that have them all, and for names one letter away.
    async fn run(&mut self, deed: &mut Deed<Officer>, register: &Register) -> Result<(), SearchError> {
        if self.fold.is_empty() || self.sought.beginning {
            for born in self.days() {
                let filter = Filter { born, ..self.filter.clone() };
                let (rows, by) = if !self.fold.is_empty() {
                    (store::beginning(deed.tx(), &self.fold, &filter).await?, By::Name)
                } else if filter.father.is_empty() && filter.mother.is_empty() {
                    (store::of_commune(deed.tx(), &filter).await?, By::Residence)
                } else {
                    (store::of_parents(deed.tx(), &filter).await?, By::Parents)
                };
                self.take(rows, by, None)?;
            }
            return Ok(());
        }
        let bearers = store_names::bearers(deed.tx(), &self.fold).await?;
        self.refuse_common(bearers.unwrap_or(0))?;
        if bearers.is_some() {
            let fold = self.fold.clone();
            self.look(deed, &fold, None).await?;
        }
        if !self.hits.is_empty() && !self.sought.alike {
            return Ok(());
        }
        let named = !self.hits.is_empty();
        let vocabulary = vocabulary(deed, register).await?;
        for stage in [Fit::WordOrder, Fit::SomeWords, Fit::OneLetter] {
            let mut names = self.names(deed, &vocabulary, stage).await?;
            names.retain(|name| name.fold != self.fold);
            names.sort_by(|one, other| (other.n, &one.fold).cmp(&(one.n, &other.fold)));
            if self.hits.is_empty() {
                self.refuse_common(names.iter().map(|name| name.n).sum())?;
            }
            self.more |= names.len() > NAMES;
            for name in names.into_iter().take(NAMES) {
                self.look(deed, &name.fold, Some(stage)).await?;
                if self.hits.len() > SHOWN {
                    return if self.narrowed || named { Ok(()) } else { Err(SearchError::TooBroad) };
                }
            }
            if !self.hits.is_empty() && !self.sought.alike {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The names of the dictionary that a stage tries.
    async fn names(
        &self,
        deed: &mut Deed<Officer>,
        vocabulary: &Vocabulary,
        stage: Fit,
    ) -> Result<Vec<KnownName>, StoreError> {
        match stage {
            Fit::WordOrder => store_names::of_sorted(deed.tx(), vec![names::sorted(&self.fold)]).await,
            Fit::SomeWords => {
                let Some((rarest, of_names)) = vocabulary.rarest(&self.fold) else { return Ok(vec![]) };
                let others: Vec<_> = self.fold.split(' ').filter(|word| *word != rarest).map(str::to_owned).collect();
                // Words that are all common are in a good part of all names: reading them says nothing and takes long.
                if others.is_empty() || of_names > COMMON_WORD {
                    return Ok(vec![]);
                }
                let most = i64::try_from(NAMES).unwrap_or(i64::MAX) + 1;
                let mut found = store_names::with_words(deed.tx(), rarest, others, most).await?;
                let same = names::sorted(&self.fold);
                found.retain(|name| names::sorted(&name.fold) != same);
                Ok(found)
            }
            _ => {
                let near: Vec<String> = vocabulary.one_letter_away(&self.fold).into_iter().collect();
                if near.is_empty() { Ok(vec![]) } else { store_names::of_sorted(deed.tx(), near).await }
            }
        }
    }

    /// Takes the persons of one name.
    async fn look(&mut self, deed: &mut Deed<Officer>, fold: &str, stage: Option<Fit>) -> Result<(), SearchError> {
        for born in self.days() {
            let filter = Filter { born, ..self.filter.clone() };
            let rows = store::named(deed.tx(), fold, &filter).await?;
            self.take(rows, By::Name, stage)?;
        }
        Ok(())
    }

    /// The days of birth that agree, as first and last: of a whole date the day, and the year of which no day is known.
    fn days(&self) -> Vec<(i64, i64)> {
        match self.born {
            None => vec![ALL_DAYS],
            Some(date) => {
                // What the register leaves open is no difference: the month without a day, the year alone.
                let (year, born) = (i64::from(date.year()) * 10_000, names::born(date));
                match date {
                    Date::Year(_) => vec![(year, year + 9_999)],
                    Date::Month(..) => vec![(born, born + 99), (year, year)],
                    Date::Full(_) => vec![(born, born), (born / 100 * 100, born / 100 * 100), (year, year)],
                }
            }
        }
    }

    /// A name that many have says nothing: a page of strangers is what no officer needs to see. Refused by the
    /// estimate, before a person is read; of an office's own people the rows decide.
    fn refuse_common(&self, bearers: i64) -> Result<(), SearchError> {
        let national = self.filter.office.is_empty();
        if national && !self.narrowed && bearers > COMMON_NAME { Err(SearchError::TooBroad) } else { Ok(()) }
    }

    /// Ranks what was found. `stage` is how the name was reached; `None`: as it was given.
    fn take(&mut self, rows: Vec<Registered>, by: By, stage: Option<Fit>) -> Result<(), SearchError> {
        let alone = self.hits.is_empty() && !self.narrowed;
        if alone && rows.len() > SHOWN {
            return Err(SearchError::TooBroad);
        }
        self.more |= i64::try_from(rows.len()).is_ok_and(|rows| rows > MOST);
        for registered in rows {
            let person = &registered.person;
            let fit = stage.unwrap_or_else(|| self.fit(person));
            let birth = self.born.map(|asked| match (asked.full(), person.birth.full()) {
                (Some(_), Some(_)) => BirthFit::Day,
                (None, _) => BirthFit::Year,
                (Some(_), None) => BirthFit::YearOnly,
            });
            self.hits.push((registered, by, fit, birth));
        }
        Ok(())
    }

    /// How well a person fits whose names are those that were asked for, or begin so.
    fn fit(&self, person: &Person) -> Fit {
        let sought = self.sought;
        if !self.fold.is_empty() && folded_name(person.full_name.as_str()) != self.fold {
            return Fit::Beginning;
        }
        let of = |relative: &Option<Relative>| relative.as_ref().map(|relative| relative.full_name.clone());
        let exact = |asked: &Words<200>, known: Option<FullName>| {
            let lower = |name: &FullName| name.as_str().to_lowercase();
            let asked_for = asked.as_str().parse::<FullName>().ok();
            asked.as_str().is_empty() || asked_for.as_ref().map(lower) == known.as_ref().map(lower)
        };
        let all = exact(&sought.full_name, Some(person.full_name.clone()))
            && exact(&sought.father, of(&person.father))
            && exact(&sought.mother, of(&person.mother));
        if all { Fit::Exact } else { Fit::WithoutTones }
    }
}

/// Returns the words of all names, from memory while these are near enough.
async fn vocabulary(deed: &mut Deed<Officer>, register: &Register) -> Result<std::sync::Arc<Vocabulary>, StoreError> {
    let known = register.names.vocabulary();
    let (words, uses) = store_names::count_words(deed.tx()).await?;
    if known.is_near(words, uses) {
        return Ok(known);
    }
    Ok(register.names.renew(store_names::words(deed.tx()).await?))
}

/// So many persons are told at once.
const SHOWN: usize = 50;
/// So many rows are looked at, to rank them.
const MOST: i64 = 500;
const SHORTEST: usize = 2;
/// Of a name with more bearers (by the estimate) no person is read unless something else is asked for too.
const COMMON_NAME: i64 = 1000;
/// A word that is in more names finds none by itself.
const COMMON_WORD: i64 = 20_000;
/// So many names are tried, the most common first.
const NAMES: usize = 256;
const ALL_DAYS: (i64, i64) = (0, 99_999_999);

/// Why nothing is sought.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many persons have the name.
    #[error("more than {SHOWN} persons fit")]
    TooBroad,
    /// The question is none.
    #[error("{0}")]
    Unfit(&'static str),
}
