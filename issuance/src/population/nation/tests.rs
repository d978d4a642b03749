use std::collections::{BTreeMap, BTreeSet, HashSet};

use crypto::identity::{Date, PersonalNumber, Sex};
use serde_json::Value;
use time::macros::date;

use super::*;
use crate::population::check::{Declined, examine};
use crate::population::model::{Declaration, Person};
use crate::population::reference::Reference;

fn nation(people: u64, faults: &str, doubles: &str) -> Nation {
    let rates = (faults.parse().unwrap(), doubles.parse().unwrap());
    Nation::new(people, 42, rates, &[], date!(2021 - 01 - 31)).unwrap()
}

fn all(nation: &Nation) -> Vec<(Row, Truth)> {
    (0..nation.groups()).flat_map(|number| nation.lines(Format::Csv, number)).collect()
}

fn files(nation: &Nation, format: Format, threads: usize) -> (Vec<u8>, Vec<u8>, Written) {
    let (mut out, mut truth) = (vec![], vec![]);
    let written = nation.write(format, threads, &mut out, &mut truth, |_| {}).unwrap();
    (out, truth, written)
}

/// People of a nation with faults, as the register examines them.
pub fn examined_people(count: u64) -> Vec<Person> {
    let reference = reference();
    let examined = |(row, _): (Row, Truth)| examine(&row.declaration, &reference, date!(2021 - 02 - 01)).ok();
    all(&nation(count, "20%", "2%")).into_iter().filter_map(examined).map(|(person, _)| person).collect()
}

fn reference() -> Reference {
    Reference::new(&invented_provinces())
}

/// Codes of what the register finds, or declines, of a form.
fn codes(row: &Row) -> Vec<String> {
    let findings = match examine(&row.declaration, &reference(), date!(2021 - 02 - 01)) {
        Ok((_, findings)) => findings,
        Err(Declined(reasons)) => reasons,
    };
    findings.into_iter().map(|finding| finding.code).collect()
}

/// Whole per cent.
fn percent(part: usize, whole: usize) -> usize {
    part * 100 / whole
}

#[test]
fn the_same_seed_makes_the_same_bytes_with_any_number_of_threads() {
    let nation = nation(9_001, "5%", "2%");
    let one = files(&nation, Format::Csv, 1);
    assert_eq!(one, files(&nation, Format::Csv, 3));
    let other = Nation { seed: 43, ..nation };
    assert_ne!(one.0, files(&other, Format::Csv, 1).0);
}

#[test]
fn on_a_leap_day_people_are_as_old_as_on_any_other() {
    let on = |day| Nation { day, ..nation(4_000, "0", "0") };
    let newborn = |nation: &Nation| {
        let born = |row: &Row| row.declaration.birth_date.parse::<Date>().unwrap();
        all(nation).iter().filter(|(row, _)| i32::from(born(row).year()) == nation.day.year()).count()
    };
    let (leap, before) = (newborn(&on(date!(2024 - 02 - 29))), newborn(&on(date!(2024 - 02 - 28))));
    assert!(leap <= before + before / 5 + 5, "{leap} of 4000 were born in the year, and {before} the day before");
}

#[test]
fn a_form_without_a_fault_passes_every_rule_of_the_register() {
    let (mut seen, mut dead) = (0, 0);
    for (row, truth) in all(&nation(10_000, "5%", "2%")).iter().filter(|(_, truth)| truth.faults.is_empty()) {
        let found = codes(row);
        let expected: &[&str] = if row.declaration.died.is_empty() { &[] } else { &["death-recorded"] };
        assert_eq!(found, expected, "line {}", truth.line);
        seen += 1;
        dead += expected.len();
    }
    assert!(seen >= 9_500 && dead > 5, "{seen} {dead}");
}

#[test]
fn a_number_agrees_with_the_person_and_is_nobodys() {
    let real = Reference::new(&[]);
    let (mut numbers, mut old) = (HashSet::new(), HashSet::new());
    for (row, truth) in all(&nation(10_000, "0", "0")) {
        let d = &row.declaration;
        let registered = d.birth_registration.province.parse().unwrap();
        assert_eq!(
            real.province(registered, time::macros::date!(2026 - 11 - 22)),
            None,
            "line {}: an assigned province",
            truth.line
        );
        if !row.personal_number.is_empty() {
            let number: PersonalNumber = row.personal_number.parse().unwrap();
            let birth: Date = d.birth_date.parse().unwrap();
            let sex: Sex = d.sex.parse().unwrap();
            assert_eq!((number.province(), number.sex(), number.birth_year()), (registered, sex, birth.year()));
            assert!(numbers.insert(number), "line {}: a number twice", truth.line);
        }
        if !d.old_id_number.is_empty() {
            assert!(d.old_id_number.starts_with('9') && d.old_id_number.len() == 9);
            assert!(old.insert(d.old_id_number.clone()), "line {}: an old number twice", truth.line);
        }
    }
    assert!(numbers.len() > 1_500 && old.len() > 6_000, "{} {}", numbers.len(), old.len());
}

/// What would be a stride too short shows only where a code has many groups.
#[test]
fn no_number_is_given_twice_to_the_ends_of_a_code() {
    let nation = Nation::new(
        GROUPS_A_CODE * SIZE,
        1,
        ("0".parse().unwrap(), "0".parse().unwrap()),
        &["079".parse().unwrap()],
        date!(2021 - 01 - 31),
    )
    .unwrap();
    let mut numbers = HashSet::new();
    for number in (0..10).chain(nation.groups() - 10..nation.groups()) {
        for (row, _) in nation.lines(Format::Csv, number).iter().filter(|(row, _)| !row.personal_number.is_empty()) {
            assert!(numbers.insert(row.personal_number.clone()));
        }
    }
    assert!(numbers.len() > 500);
    let rates = ("0".parse().unwrap(), "0".parse().unwrap());
    let more = Nation::new(GROUPS_A_CODE * SIZE + 1, 1, rates, &["079".parse().unwrap()], date!(2021 - 01 - 31));
    assert_eq!(more.unwrap_err(), NationError::People);
    assert!(Nation::new(MOST_PEOPLE, 1, rates, &[], date!(2021 - 01 - 31)).is_ok());
}

#[test]
fn shares_are_those_of_a_nation() {
    let lines = all(&nation(20_000, "0", "0"));
    let of = |holds: &dyn Fn(&Declaration) -> bool| {
        percent(lines.iter().filter(|(row, _)| holds(&row.declaration)).count(), lines.len())
    };
    let born = |d: &Declaration| d.birth_date.parse::<Date>().unwrap().year();
    assert!((28..=38).contains(&of(&|d| d.full_name.starts_with("Nguyễn "))));
    assert!((8..=12).contains(&of(&|d| d.full_name.starts_with("Trần "))));
    assert!((47..=53).contains(&of(&|d| d.sex == "Nam")));
    assert!((21..=30).contains(&of(&|d| born(d) > 2005)));
    assert!((4..=10).contains(&of(&|d| born(d) < 1956)));
    assert!((80..=90).contains(&of(&|d| d.ethnic_group == "01")));
    assert!((8..=11).contains(&of(&|d| d.permanent_residence.as_ref().unwrap().province == "079")));
    assert!((78..=90).contains(&of(&|d| d.religion.is_empty())));
    assert!((45..=60).contains(&of(&|d| d.marital_status == "married")));
    let households: HashSet<u64> = lines.iter().map(|(_, truth)| truth.household).collect();
    assert!((30..=40).contains(&(lines.len() * 10 / households.len())));
    let provinces: BTreeSet<_> =
        lines.iter().map(|(row, _)| row.declaration.permanent_residence.clone().unwrap().province).collect();
    let groups: BTreeSet<_> = lines.iter().map(|(row, _)| row.declaration.ethnic_group.clone()).collect();
    assert!(provinces.len() > 60 && groups.len() > 40, "{} {}", provinces.len(), groups.len());
    let women = |from, to| {
        let women = lines.iter().filter(|(row, _)| {
            let d = &row.declaration;
            d.sex == "Nữ" && d.ethnic_group == "01" && (from..to).contains(&born(d))
        });
        let (thi, all) = women.fold((0, 0), |(thi, all), (row, _)| {
            (thi + usize::from(row.declaration.full_name.contains(" Thị ")), all + 1)
        });
        percent(thi, all)
    };
    assert!(women(1900, 1970) > 75 && women(1995, 2022) < 30);
}

#[test]
fn children_and_parents_belong_together() {
    let lines = all(&nation(5_000, "0", "0"));
    let mut by_name: BTreeMap<(u64, &str), Vec<&Row>> = BTreeMap::new();
    for (row, truth) in &lines {
        by_name.entry((truth.household, &row.declaration.full_name)).or_default().push(row);
    }
    let mut met = 0;
    for (row, truth) in &lines {
        let d = &row.declaration;
        for (parent, sex) in [(&d.father, "Nam"), (&d.mother, "Nữ")] {
            let parent = parent.as_ref().unwrap();
            // Father and son may have one name.
            let found = by_name.get(&(truth.household, parent.full_name.as_str())).map_or(&[][..], Vec::as_slice);
            let ([found], "con") = (found, d.relation_to_head.as_str()) else { continue };
            // A parent who is told of may have the name of a sister.
            if found.declaration.relation_to_head == "con" {
                continue;
            }
            let of = &found.declaration;
            assert_eq!((&parent.personal_number, &parent.old_id_number), (&found.personal_number, &of.old_id_number));
            assert_eq!(of.sex, sex);
            let year = |d: &Declaration| d.birth_date.parse::<Date>().unwrap().year();
            assert!(year(of) + 12 < year(d), "line {}: born {} of one born {}", truth.line, year(d), year(of));
            met += 1;
        }
    }
    assert!(met > 2_000, "{met}");
}

#[test]
fn the_truth_counts_what_was_asked_for() {
    let nation = nation(10_111, "7%", "3%");
    let (csv, truth, written) = files(&nation, Format::Csv, 2);
    let truth: Vec<Value> =
        std::str::from_utf8(&truth).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: &Value, name: &str| line[name].as_u64();
    let count = |holds: &dyn Fn(&Value) -> bool| truth.iter().filter(|line| holds(line)).count();
    let doubles = count(&|line| of(line, "double_of").is_some());
    let faulty = count(&|line| of(line, "double_of").is_none() && !line["faults"].as_array().unwrap().is_empty());
    let alike = count(&|line| of(line, "look_alike_of").is_some());
    assert_eq!((truth.len(), faulty, doubles), (10_111 + 303, 10_111 * 7 / 100, 303));
    assert_eq!((written.people, written.faulty, written.doubles), (10_111, 10_111 * 7 / 100, 303));
    assert!(percent(alike, 10_111) >= 1);
    let two = count(&|line| of(line, "double_of").is_some() && line["faults"].as_array().unwrap().len() == 2);
    assert!(percent(two, doubles) >= 30);
    assert_eq!(count(&|line| of(line, "double_of").is_some() && line["faults"].as_array().unwrap().is_empty()), 0);

    let lines = std::str::from_utf8(&csv).unwrap().lines().count();
    assert_eq!(lines, truth.len() + 1);
    let at = |line: u64| &truth[usize::try_from(line).unwrap() - 2];
    for (nth, one) in truth.iter().enumerate() {
        let line = of(one, "line").unwrap();
        assert_eq!(line, nth as u64 + 2);
        if let Some(first) = of(one, "double_of") {
            assert!(first < line && of(at(first), "double_of").is_none());
            assert_eq!(of(at(first), "person"), of(one, "person"));
        }
        if let Some(other) = of(one, "look_alike_of") {
            assert_ne!(of(at(other), "person"), of(one, "person"));
        }
    }
    let people: HashSet<_> = truth.iter().map(|line| of(line, "person")).collect();
    assert_eq!(people.len(), 10_111);
}

#[test]
fn twins_namesakes_of_one_day_and_juniors_look_alike() {
    let lines = all(&nation(10_000, "0", "0"));
    let (mut twins, mut namesakes, mut juniors) = (0, 0, 0);
    for (row, truth) in lines.iter().filter(|(_, truth)| truth.look_alike_of.is_some()) {
        let (other, of_other) = &lines[usize::try_from(truth.look_alike_of.unwrap()).unwrap() - 2];
        let (one, other) = (&row.declaration, &other.declaration);
        match (truth.household == of_other.household, one.birth_date == other.birth_date) {
            (true, true) => twins += 1,
            (false, true) => {
                let behind_surname =
                    |name: &str| name.split_once(' ').map_or(name.to_owned(), |(_, rest)| rest.to_owned());
                assert_eq!(behind_surname(&one.full_name), behind_surname(&other.full_name));
                namesakes += 1;
            }
            (true, false) => {
                assert_eq!(one.full_name, other.full_name);
                juniors += 1;
            }
            (false, false) => panic!("line {}: alike in nothing", truth.line),
        }
    }
    assert!(twins > 20 && namesakes > 50 && juniors > 30, "{twins} {namesakes} {juniors}");
}

#[test]
fn each_fault_of_a_form_shows_in_what_the_register_finds() {
    let seen_alone: BTreeMap<Fault, &[&str]> = BTreeMap::from([
        (Fault::AgeImprobable, &["age-improbable"][..]),
        (Fault::BirthDayMissing, &["birth-day-missing"]),
        (Fault::BirthDayUnknown, &["date-impossible", "date-unreadable"]),
        (Fault::ChildOlderThanParent, &["child-older-than-parent", "parent-too-young"]),
        (Fault::CommuneElsewhere, &["commune-elsewhere"]),
        (Fault::CommuneMissing, &["address-incomplete"]),
        (Fault::CommuneUnknown, &["commune-unknown"]),
        (Fault::DateImpossible, &["date-impossible"]),
        (Fault::DateInFuture, &["date-in-future"]),
        (Fault::DeadAndActive, &["death-recorded"]),
        (Fault::DeathBeforeBirth, &["death-before-birth"]),
        (Fault::EthnicGroupUnknown, &["ethnic-group-unknown"]),
        (Fault::HeadMissing, &["head-missing"]),
        (Fault::NameNotWritable, &["name-not-writable"]),
        (Fault::OldNumberMalformed, &["old-number-malformed"]),
        (Fault::ParentsMissing, &["parents-missing"]),
        (Fault::ProvinceElsewhere, &["district-elsewhere"]),
        (Fault::ResidenceMissing, &["residence-missing"]),
        (Fault::SexMissing, &["field-missing"]),
        (Fault::SpouseWithoutMarriage, &["spouse-without-marriage"]),
    ]);
    let mut met: BTreeSet<Fault> = BTreeSet::new();
    for (row, truth) in all(&nation(10_000, "60%", "10%")) {
        met.extend(&truth.faults);
        if let [fault] = truth.faults[..]
            && let Some(expected) = seen_alone.get(&fault)
        {
            let found = codes(&row);
            assert!(
                found.iter().any(|code| expected.contains(&code.as_str())),
                "line {}: {fault:?}: {found:?}",
                truth.line
            );
        }
    }
    let unmet: Vec<_> = seen_alone.keys().filter(|fault| !met.contains(fault)).collect();
    assert_eq!(unmet, Vec::<&Fault>::new());
    // And those that show only beside a number or another form.
    assert!(met.len() >= 37, "{met:?}");
}

#[test]
fn a_second_form_differs_from_the_first_as_the_truth_says() {
    let lines = all(&nation(8_000, "0", "5%"));
    for (row, truth) in lines.iter().filter(|(_, truth)| truth.double_of.is_some()) {
        let (first, _) = &lines[usize::try_from(truth.double_of.unwrap()).unwrap() - 2];
        let (one, other) = (&first.declaration, &row.declaration);
        let name = one.full_name != other.full_name;
        let birth = one.birth_date != other.birth_date;
        let sex = one.sex != other.sex;
        let old = one.old_id_number != other.old_id_number;
        let parents = |d: &Declaration| [&d.father, &d.mother].map(|one| one.as_ref().map(|one| one.full_name.clone()));
        let kin = parents(one) != parents(other);
        let differences = [name, birth, sex, old, kin].into_iter().filter(|differs| *differs).count();
        assert_eq!(differences, truth.faults.len(), "line {}: {:?}", truth.line, truth.faults);
        assert_ne!(first.form, row.form);
    }
}

#[test]
fn a_csv_file_has_a_field_for_each_column_and_ndjson_is_a_declaration() {
    let nation = nation(2_000, "20%", "5%");
    let (csv, ..) = files(&nation, Format::Csv, 1);
    let csv = String::from_utf8(csv).unwrap();
    let header = csv.lines().next().unwrap();
    assert!(
        header.starts_with("form,declared_on,personal_number,full_name,birth_date,sex,birth_registration.province,")
    );
    // No text of a generated form has a comma.
    let columns = header.split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == columns && !line.contains('"')));
    let (ndjson, truth, _) = files(&nation, Format::Ndjson, 1);
    let ndjson = String::from_utf8(ndjson).unwrap();
    assert_eq!(ndjson.lines().count() + 1, csv.lines().count());
    for line in ndjson.lines() {
        let Value::Object(mut fields) = serde_json::from_str(line).unwrap() else { panic!("no object") };
        for name in ["form", "declared_on", "personal_number"] {
            assert!(fields.remove(name).unwrap().is_string());
        }
        serde_json::from_value::<Declaration>(Value::Object(fields)).unwrap();
    }
    let first: Value = serde_json::from_str(std::str::from_utf8(&truth).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(first["line"], 1);
}

/// Thirteen million people have three million full names (docs/generate.md); this holds the beginning of that curve.
#[test]
fn most_people_of_a_town_have_a_name_of_their_own() {
    let lines = all(&nation(20_000, "0", "0"));
    let names =
        |most: usize| lines[..most].iter().map(|(row, _)| &row.declaration.full_name).collect::<HashSet<_>>().len();
    assert!(percent(names(10_000), 10_000) >= 75 && percent(names(20_000), 20_000) >= 70);
}

#[test]
fn a_share_is_read_as_a_part_or_as_per_cent() {
    for (text, millionths) in
        [("0.05", 50_000), ("5%", 50_000), ("0", 0), ("1", 1_000_000), ("100%", 1_000_000), (".5", 500_000)]
    {
        assert_eq!(text.parse(), Ok(Rate(millionths)), "{text}");
    }
    for text in ["", "%", "-1", "1.1", "101%", "x", "5 %", "1e-3"] {
        assert_eq!(text.parse::<Rate>(), Err(NationError::Rate), "{text}");
    }
}

#[test]
fn a_province_that_the_tables_do_not_have_is_refused() {
    let rates = ("0".parse().unwrap(), "0".parse().unwrap());
    let code = "003".parse().unwrap();
    let refused = Nation::new(10, 1, rates, &[code], date!(2021 - 01 - 31)).unwrap_err();
    assert_eq!(refused, NationError::Province(code));
    assert_eq!(Nation::new(0, 1, rates, &[], date!(2021 - 01 - 31)).unwrap_err(), NationError::People);
}
