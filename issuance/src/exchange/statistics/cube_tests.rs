use crypto::identity::Sex;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use time::macros::date;

use super::*;
use crate::population::model::MaritalStatus;

const DAY: Date = date!(2026 - 10 - 01);
const SMALL: i64 = 10;

fn person() -> impl Strategy<Value = Traits> {
    let place = (0..3_usize, 0..3_usize);
    let status = prop_oneof![Just(None), Just(Some(MaritalStatus::Single)), Just(Some(MaritalStatus::Married))];
    let life = prop_oneof![8 => Just(Life::Living), 1 => Just(Life::Dead), 1 => Just(Life::Missing)];
    (place, 1930..2027_u16, any::<bool>(), 0..3_usize, status, life).prop_map(
        |((province, district), year, woman, ethnic, marital_status, life)| Traits {
            province: ["001", "003", ""][province].to_owned(),
            district: ["004", "007", ""][district].to_owned(),
            birth: format!("{year}").parse().unwrap(),
            sex: if woman { Sex::Female } else { Sex::Male },
            ethnic_group: ["01", "02", "54"][ethnic].to_owned(),
            nationality: ["VNM", "LAO"][ethnic / 2].to_owned(),
            marital_status,
            life,
        },
    )
}

fn cube(all: &[Traits]) -> Cube {
    let mut cube = Cube::default();
    for one in all {
        cube.add(one, DAY);
    }
    cube
}

/// The exact counts of a table, by the words of its cells.
fn exact(cube: &Cube, table: Table) -> BTreeMap<Vec<String>, i64> {
    let told = cube.told(table, &Noise::of(0), 1, &mut ChaCha20Rng::seed_from_u64(1));
    told.into_iter().map(|cell| (words(&cell), cell.persons)).collect()
}

fn words(cell: &Cell) -> Vec<String> {
    [&cell.province, &cell.district, &cell.first, &cell.second, &cell.life].map(Clone::clone).to_vec()
}

#[test]
fn the_tables_are_forty_eight_and_each_is_found_by_its_dimensions() {
    let all = Table::all();
    assert_eq!(all.iter().map(|table| table.word()).collect::<BTreeSet<_>>().len(), 48);
    for table in &all {
        let place = match table.place {
            ByPlace::Country => None,
            ByPlace::Province => Some(Dimension::Province),
            ByPlace::District => Some(Dimension::District),
        };
        let crossed = || table.characteristics.into_iter().flatten().chain(place);
        assert_eq!(Table::of(&crossed().collect()), Some(*table));
        assert_eq!(Table::of(&crossed().chain([Dimension::Life]).collect()), Some(*table));
    }
    assert_eq!(Table::of(&[Dimension::Province, Dimension::District].into()).unwrap().word(), "district");
    assert_eq!(Table::of(&[Dimension::Sex, Dimension::AgeGroup].into()).unwrap().word(), "country,age_group,sex");
    assert_eq!(Table::of(&[Dimension::Sex, Dimension::AgeGroup, Dimension::Nationality].into()), None);
}

#[test]
fn ages_are_counted_in_groups_of_five_years() {
    let groups = [-1, 0, 4, 5, 84, 85, 120].map(age_group);
    assert_eq!(groups, ["0-4", "0-4", "0-4", "5-9", "80-84", "85+", "85+"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What all questions together can be told follows from 48 tables, in each of which a person is one cell: with the
    /// person that cell has one more, and nothing else differs. On this rests what the errors hide.
    #[test]
    fn one_person_is_one_cell_of_each_table(all in proptest::collection::vec(person(), 1..80), at in any::<usize>()) {
        let mut without = all.clone();
        without.remove(at % all.len());
        let (with, without) = (cube(&all), cube(&without));
        for table in Table::all() {
            let (with, without) = (exact(&with, table), exact(&without, table));
            let differ: Vec<i64> = with.iter()
                .map(|(cell, persons)| persons - without.get(cell).copied().unwrap_or(0))
                .filter(|more| *more != 0)
                .collect();
            prop_assert_eq!(differ, [1]);
            prop_assert!(without.keys().all(|cell| with.contains_key(cell)));
            prop_assert_eq!(with.values().sum::<i64>(), i64::try_from(all.len()).unwrap());
        }
    }

    /// Whatever the errors are, a count below the threshold is in no table, and what is told is within the bound.
    #[test]
    fn a_small_count_is_never_told(all in proptest::collection::vec(person(), 0..200), seed in any::<u64>()) {
        let (cube, noise, mut rng) = (cube(&all), Noise::of(3), ChaCha20Rng::seed_from_u64(seed));
        let least = SMALL + noise.bound();
        for table in Table::all() {
            let exact = exact(&cube, table);
            for cell in cube.told(table, &noise, least, &mut rng) {
                let counted = exact.get(&words(&cell)).copied().unwrap_or(0);
                prop_assert!(counted >= SMALL && cell.persons >= least);
                prop_assert!((cell.persons - counted).abs() <= noise.bound());
            }
        }
    }
}

#[test]
fn a_count_is_told_from_the_threshold_and_two_bounds_on_whatever_its_error_is() {
    let noise = Noise::of(3);
    let (bound, least) = (noise.bound(), SMALL + noise.bound());
    for error in -bound..=bound {
        assert!(SMALL - 1 + error < least, "never");
        assert!(SMALL + 2 * bound + error >= least, "always");
    }
}

/// How often it is right whether one person is in the register, of one who knows all others and sees all tables of so
/// many states: the sum of all that the cells of the person are above what they would be without.
fn attack(deviation: u32, states: usize) -> f64 {
    let others = 2_000;
    let one = Traits {
        province: "003".to_owned(),
        district: "004".to_owned(),
        birth: "1990".parse().unwrap(),
        sex: Sex::Female,
        ethnic_group: "01".to_owned(),
        nationality: "VNM".to_owned(),
        marital_status: None,
        life: Life::Living,
    };
    let without = cube(&vec![one.clone(); others]);
    let mut with = without.clone();
    with.add(&one, DAY);
    let (noise, mut rng) = (Noise::of(deviation), ChaCha20Rng::seed_from_u64(7));
    let (known, tries, mut right) = (i64::try_from(others).unwrap(), 1_000, 0_u32);
    for _ in 0..tries {
        let there = rng.next_u64() & 1 == 1;
        let (mut above, mut told) = (0, 0);
        for table in Table::all().into_iter().cycle().take(48 * states) {
            let cube = if there { &with } else { &without };
            for cell in cube.told(table, &noise, SMALL + noise.bound(), &mut rng) {
                (above, told) = (above + cell.persons - known, told + 1);
            }
        }
        right += u32::from((2 * above > told) == there);
    }
    f64::from(right) / f64::from(tries)
}

#[test]
fn one_who_knows_all_others_and_asks_everything_does_not_learn_whether_one_person_is_there() {
    // The best guess is right with the probability Φ(√(48 states) / 2σ): 0.64 and 0.76 for one and four states.
    let (one, four) = (attack(10, 1), attack(10, 4));
    assert!((0.58..0.70).contains(&one), "{one}");
    assert!((0.70..0.81).contains(&four), "{four}");
    // Counts without errors, small ones left out: the difference of two questions says it.
    assert!(attack(0, 1) > 0.999);
}

#[test]
fn a_question_with_and_one_without_a_part_do_not_differ_by_what_the_part_is() {
    // One person of another group among 300: in a province by sex and without, by district and without.
    let base = |sex| Traits {
        province: "003".to_owned(),
        district: "004".to_owned(),
        birth: "1990".parse().unwrap(),
        sex,
        ethnic_group: "01".to_owned(),
        nationality: "VNM".to_owned(),
        marital_status: None,
        life: Life::Living,
    };
    let mut all = vec![base(Sex::Male); 300];
    all.push(base(Sex::Female));
    let (cube, noise, mut rng) = (cube(&all), Noise::of(10), ChaCha20Rng::seed_from_u64(3));
    let province = Table::of(&[Dimension::Province].into()).unwrap();
    let by_sex = Table::of(&[Dimension::Province, Dimension::Sex].into()).unwrap();
    let differences: BTreeSet<i64> = (0..400)
        .map(|_| {
            let mut told = |table| cube.told(table, &noise, SMALL + noise.bound(), &mut rng);
            let (total, men) = (told(province), told(by_sex));
            assert_eq!((total.len(), men.len()), (1, 1), "the woman's cell is not told");
            total[0].persons - men[0].persons
        })
        .collect();
    assert!(differences.len() > 30 && differences.contains(&0) && differences.iter().any(|n| *n < -10));
}
