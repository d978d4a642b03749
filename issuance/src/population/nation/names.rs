//! Names by sex, year of birth and people.

use std::sync::LazyLock;

use crypto::identity::Sex;

use super::dice::Dice;
use super::words::{
    BOYS, Form, GIRLS, MEN, MEN_OF_BEFORE, MIDDLE_MEN, MIDDLE_WOMEN, MORE_SURNAMES, PEOPLES, People, SURNAMES, WOMEN,
    WOMEN_OF_BEFORE,
};

/// A full name, and the surname in it that children inherit (empty where a people has none).
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// As it is written, with capitals at the beginnings of words.
    pub text: String,
    /// What children inherit.
    pub surname: &'static str,
}

/// What a name depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer {
    /// Two digits of the ethnic group.
    pub people: u8,
    /// Sex.
    pub sex: Sex,
    /// Year of birth.
    pub born: i32,
}

/// Draws a name; `surname` is the inherited one, `mothers` the mother's, which some children bear behind the father's.
pub(super) fn name(of: Bearer, surname: Option<&'static str>, mothers: Option<&str>, dice: &mut Dice) -> Name {
    let people = PEOPLES.iter().find(|(code, ..)| *code == of.people);
    let surname = match (surname.filter(|surname| !surname.is_empty()), people) {
        (Some(inherited), _) => inherited,
        (None, Some(people)) => own_surname(people, dice),
        (None, None) => SURNAME.draw(dice),
    };
    let own = |list: &'static str, dice: &mut Dice| -> &'static str {
        let all: Vec<&'static str> = list.split('|').collect();
        // Squared, so that the first are the commonest.
        let (one, other) = (dice.at(all.len()), dice.at(all.len()));
        all[one.min(other)]
    };
    let text = match people {
        None | Some((.., Form::Kinh)) => kinh(of, surname, mothers, dice),
        Some((_, _, men, women, form)) => {
            let given = own(if of.sex == Sex::Male { men } else { women }, dice);
            match (form, of.sex) {
                (Form::Hmong, Sex::Male) => format!("{surname} A {given}"),
                (Form::Hmong, Sex::Female) => format!("{surname} Thị {given}"),
                (Form::SurnameLast, Sex::Male) => format!("Y {given} {surname}"),
                (Form::SurnameLast, Sex::Female) => format!("H'{given} {surname}"),
                (Form::NoSurname, Sex::Male) => format!("A {given}"),
                (Form::NoSurname, Sex::Female) => format!("Y {given}"),
                (Form::Highland, Sex::Male) => format!("K'{given}"),
                (Form::Highland, Sex::Female) => format!("Ka {given}"),
                (Form::Kinh | Form::Plain, _) => format!("{surname} {given}"),
            }
        }
    };
    Name { text, surname }
}

/// Draws the name of a namesake: the same words behind another surname.
pub(super) fn with_surname(name: &Name, surname: &'static str) -> Name {
    let rest = name.text.strip_prefix(name.surname).unwrap_or(&name.text);
    Name { text: format!("{surname}{rest}"), surname }
}

fn kinh(of: Bearer, surname: &str, mothers: Option<&str>, dice: &mut Dice) -> String {
    let cohort = Cohort::of(of.born);
    let given = if dice.percent(5) { *dice.pick(&EVERY_GIVEN) } else { cohort.given(of.sex).draw(dice) };
    let (middles, usual, usual_share) = match of.sex {
        Sex::Male => (&*MIDDLE_OF_MEN, "Văn", [58, 38, 10]),
        Sex::Female => (&*MIDDLE_OF_WOMEN, "Thị", [84, 62, 18]),
    };
    let at = cohort as usize;
    let usual = dice.percent(usual_share[at]).then_some(usual);
    let mut words = vec![surname];
    // Children of today bear the mother's surname behind the father's more and more often.
    let mothers = mothers.filter(|mothers| !mothers.is_empty() && *mothers != surname);
    if let Some(mothers) = mothers
        && dice.percent([1, 3, 14][at])
    {
        words.push(mothers);
    }
    words.extend(usual);
    let second = if usual.is_some() { [18, 34, 48][at] } else { 96 };
    if words.len() < 4 && dice.percent(second) {
        words.push(unlike(middles, given, dice));
    }
    if words.len() < 3 && usual.is_none() && dice.percent([4, 8, 24][at]) {
        words.push(unlike(middles, given, dice));
    }
    words.push(given);
    words.join(" ")
}

fn unlike(middles: &Ranked, given: &str, dice: &mut Dice) -> &'static str {
    let drawn = middles.draw(dice);
    if drawn == given { middles.draw(dice) } else { drawn }
}

fn own_surname(people: &People, dice: &mut Dice) -> &'static str {
    let (_, surnames, _, _, form) = people;
    let all: Vec<&'static str> = match form {
        Form::NoSurname | Form::Highland => return "",
        // Surnames of two words stand between strokes.
        _ if surnames.contains('|') => surnames.split('|').collect(),
        _ => surnames.split_whitespace().collect(),
    };
    let (one, other) = (dice.at(all.len()), dice.at(all.len()));
    all[one.min(other)]
}

/// Those who were named in the same years.
#[derive(Clone, Copy, Debug)]
enum Cohort {
    Before1970,
    Before1995,
    Today,
}

impl Cohort {
    fn of(born: i32) -> Self {
        match born {
            ..1970 => Self::Before1970,
            1970..1995 => Self::Before1995,
            _ => Self::Today,
        }
    }

    fn given(self, sex: Sex) -> &'static Ranked {
        &GIVEN[self as usize * 2 + usize::from(sex == Sex::Female)]
    }
}

/// Words of which the first is the commonest.
struct Ranked {
    words: Vec<&'static str>,
    /// Sums of the weights up to each word.
    sums: Vec<u32>,
}

impl Ranked {
    /// Words as common as their rank says: a weight in proportion to 1 / (rank + 6).
    fn by_rank(text: &'static str) -> Self {
        let words: Vec<&'static str> = text.split_whitespace().collect();
        let weights = (0..).map(|rank: u32| 600_000 / (rank + 6));
        Self::of(words.into_iter().zip(weights))
    }

    fn of(weighted: impl Iterator<Item = (&'static str, u32)>) -> Self {
        let (mut words, mut sums, mut sum) = (vec![], vec![], 0);
        for (word, weight) in weighted {
            sum += weight;
            words.push(word);
            sums.push(sum);
        }
        Self { words, sums }
    }

    fn draw(&self, dice: &mut Dice) -> &'static str {
        let drawn = dice.of(*self.sums.last().expect("a list of words is not empty"));
        self.words[self.sums.partition_point(|sum| *sum <= drawn)]
    }
}

static SURNAME: LazyLock<Ranked> = LazyLock::new(|| {
    let known: u32 = SURNAMES.iter().map(|(_, share)| share).sum();
    let more: Vec<&'static str> = MORE_SURNAMES.split_whitespace().collect();
    // By rank, in hundred-thousandths, so that the rarest has a share too.
    let ranks = || (0..).map(|rank: u32| 100_000 / (rank + 4));
    let whole: u32 = ranks().take(more.len()).sum();
    let left = (10_000 - known) * 10;
    let rest = more.into_iter().zip(ranks().map(|weight| (weight * left).div_ceil(whole)));
    Ranked::of(SURNAMES.iter().map(|(word, share)| (*word, share * 10)).chain(rest))
});
static MIDDLE_OF_MEN: LazyLock<Ranked> = LazyLock::new(|| Ranked::by_rank(MIDDLE_MEN));
static MIDDLE_OF_WOMEN: LazyLock<Ranked> = LazyLock::new(|| Ranked::by_rank(MIDDLE_WOMEN));
/// Given names by cohort, men first.
static GIVEN: LazyLock<[Ranked; 6]> =
    LazyLock::new(|| [MEN_OF_BEFORE, WOMEN_OF_BEFORE, MEN, WOMEN, BOYS, GIRLS].map(Ranked::by_rank));
static EVERY_GIVEN: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let lists = [MEN_OF_BEFORE, WOMEN_OF_BEFORE, MEN, WOMEN, BOYS, GIRLS];
    lists.into_iter().flat_map(str::split_whitespace).collect()
});
