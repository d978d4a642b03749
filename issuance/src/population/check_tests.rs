use time::macros::date;

use super::*;
use crate::population::reference::ExtraProvince;

const TODAY: time::Date = date!(2026 - 11 - 22);

/// A woman who does not exist: province 003 is not assigned.
fn declaration() -> Declaration {
    let origin = DeclaredPlace { province: "003".into(), detail: "Xã Mẫu".into(), ..Default::default() };
    Declaration {
        full_name: "NGUYỄN THỊ MẪU".into(),
        birth_date: "05/1/2000".into(),
        sex: "Nữ".into(),
        birth_registration: origin.clone(),
        place_of_origin: origin,
        ethnic_group: "01".into(),
        marital_status: "single".into(),
        permanent_residence: Some(hanoi()),
        father: Some(DeclaredRelative { full_name: "Nguyễn Văn Mẫu".into(), ..Default::default() }),
        mother: Some(DeclaredRelative { full_name: "Trần Thị Mẫu".into(), ..Default::default() }),
        head_of_household: Some(DeclaredRelative { full_name: "Nguyễn Văn Mẫu".into(), ..Default::default() }),
        relation_to_head: "con".into(),
        ..Default::default()
    }
}

fn hanoi() -> DeclaredPlace {
    DeclaredPlace {
        province: "001".into(),
        district: "001".into(),
        commune: "00001".into(),
        detail: "Số 1  Phố Mẫu".into(),
    }
}

fn reference() -> Reference {
    Reference::new(&[ExtraProvince { code: "003".parse().unwrap(), name: "Mẫu".into() }])
}

fn accepted(declaration: &Declaration) -> (Person, Vec<String>) {
    let (person, findings) = examine(declaration, &reference(), TODAY).unwrap();
    (person, findings.into_iter().map(|f| f.code).collect())
}

fn declined(declaration: &Declaration) -> Vec<(String, String)> {
    let Declined(reasons) = examine(declaration, &reference(), TODAY).unwrap_err();
    reasons.into_iter().map(|f| (f.field, f.code)).collect()
}

#[test]
fn a_whole_declaration_has_no_findings() {
    let (person, findings) = accepted(&declaration());
    assert_eq!(findings, [""; 0]);
    assert_eq!(person.full_name.as_str(), "NGUYỄN THỊ MẪU");
    let residence = person.permanent_residence.unwrap();
    assert_eq!(residence.in_words(&reference(), TODAY), "Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội");
    assert_eq!(person.birth_registration.in_words(&reference(), TODAY), "Xã Mẫu, Mẫu");
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let fields: Vec<String> = declined(&Declaration::default()).into_iter().map(|(field, _)| field).collect();
    let all =
        ["full_name", "birth_date", "sex", "birth_registration.province", "place_of_origin.province", "ethnic_group"];
    assert_eq!(fields, all);
}

#[test]
fn what_no_card_can_carry_declines_the_declaration() {
    type Spoil = fn(&mut Declaration);
    let cases: [(Spoil, &str, &str); 10] = [
        (|d| d.full_name = "Nguyễn 2".into(), "full_name", "name-not-writable"),
        (|d| d.birth_date = "30/02/2000".into(), "birth_date", "date-impossible"),
        (|d| d.birth_date = "13/2000".into(), "birth_date", "date-impossible"),
        (|d| d.birth_date = "12/2026".into(), "birth_date", "date-in-future"),
        (|d| d.birth_date = "spring".into(), "birth_date", "date-unreadable"),
        (|d| d.birth_date = "23/11/2026".into(), "birth_date", "date-in-future"),
        (|d| d.sex = "?".into(), "sex", "sex-unknown"),
        (|d| d.birth_registration.province = "005".into(), "birth_registration.province", "province-unassigned"),
        (|d| d.ethnic_group = "99".into(), "ethnic_group", "ethnic-group-unknown"),
        (|d| d.nationality = "Vietnam".into(), "nationality", "nationality-unknown"),
    ];
    for (spoil, field, code) in cases {
        let mut declaration = declaration();
        spoil(&mut declaration);
        assert_eq!(declined(&declaration), [(field.to_owned(), code.to_owned())]);
    }
}

#[test]
fn what_someone_should_look_at_is_found_and_the_person_registered() {
    type Spoil = fn(&mut Declaration);
    let cases: [(Spoil, &str); 21] = [
        (|d| d.birth_date = "2000".into(), "birth-day-missing"),
        (|d| d.birth_date = "2000-05".into(), "birth-day-missing"),
        (|d| d.birth_date = "11/2026".into(), "birth-day-missing"),
        (|d| d.died = "12/1999".into(), "death-before-birth"),
        (|d| d.birth_date = "1900".into(), "age-improbable"),
        (|d| d.permanent_residence = None, "residence-missing"),
        (|d| d.head_of_household = None, "head-missing"),
        (|d| d.permanent_residence.as_mut().unwrap().district = "024".into(), "district-elsewhere"),
        (|d| d.permanent_residence.as_mut().unwrap().commune = "99999".into(), "commune-unknown"),
        (|d| d.permanent_residence.as_mut().unwrap().commune = String::new(), "address-incomplete"),
        (|d| d.father.as_mut().unwrap().personal_number = "003170000001".into(), "number-disagrees-with-sex"),
        (|d| d.mother.as_mut().unwrap().personal_number = "003195000001".into(), "parent-too-young"),
        (|d| d.mother.as_mut().unwrap().personal_number = "12".into(), "number-malformed"),
        (|d| d.old_id_number = "12".into(), "old-number-malformed"),
        (|d| d.died = "2020".into(), "death-recorded"),
        (|d| d.died = "04/01/2000".into(), "death-before-birth"),
        (|d| d.mother.as_mut().unwrap().personal_number = "003300000001".into(), "child-older-than-parent"),
        (|d| d.mother.as_mut().unwrap().personal_number = "998170000001".into(), "number-province-unknown"),
        (|d| d.marital_status = String::new(), "marital-status-missing"),
        (|d| d.marital_status = "married".into(), "spouse-missing"),
        (|d| d.relation_to_head = String::new(), "relation-missing"),
    ];
    for (spoil, code) in cases {
        let mut declaration = declaration();
        spoil(&mut declaration);
        let findings = accepted(&declaration).1;
        assert!(findings.iter().any(|found| found == code), "{code} not in {findings:?}");
    }
}

#[test]
fn equal_names_are_equal_strings_whatever_the_keyboard() {
    let mut other = declaration();
    other.full_name = "NGUYỄN THỊ  HOÀ".into();
    let mut one = declaration();
    one.full_name = "NGUYE\u{302}\u{303}N THI\u{323} HÒA".into();
    assert_eq!(accepted(&one).0.full_name, accepted(&other).0.full_name);
}

#[test]
fn a_child_is_not_married() {
    let mut child = declaration();
    child.birth_date = "01/01/2012".into();
    child.marital_status = "married".into();
    assert!(accepted(&child).1.contains(&"married-too-young".to_owned()));
}

#[test]
fn a_finding_names_its_rule_and_the_shape_and_not_the_value() {
    let mut swapped = declaration();
    swapped.birth_date = "12/25/1980".into();
    let Declined(reasons) = examine(&swapped, &reference(), date!(2026 - 11 - 22)).unwrap_err();
    let found = &reasons[0];
    assert_eq!((found.rule.as_str(), found.shape.as_deref()), ("R-04", Some("2d/2d/4d")));
    let put = found.repair.as_ref().unwrap().put.as_ref().unwrap();
    assert_eq!((put.field.as_str(), put.value.as_str()), ("birth_date", "25/12/1980"));
    let mut elsewhere = declaration();
    elsewhere.permanent_residence.as_mut().unwrap().district = "002".into();
    let (_, findings) = examine(&elsewhere, &reference(), date!(2026 - 11 - 22)).unwrap();
    let put = findings[0].repair.as_ref().unwrap().put.as_ref().unwrap();
    assert_eq!((put.field.as_str(), put.value.as_str()), ("permanent_residence.district", "001"));
    for rule in findings.iter().chain(&reasons).map(|found| &found.rule) {
        assert!(rules::by_id(rule).is_some(), "{rule}");
    }
}

#[test]
fn a_number_for_life_tells_sex_year_and_province_of_birth() {
    let (person, _) = accepted(&declaration());
    let codes = |number: &str| -> Vec<String> {
        judge_number(&number.parse().unwrap(), &person).into_iter().map(|found| found.code).collect()
    };
    assert_eq!(codes("003300123456"), [""; 0]);
    assert_eq!(codes("003200123456"), ["own-number-other-sex"]);
    assert_eq!(codes("003301123456"), ["own-number-other-year"]);
    assert_eq!(codes("001300123456"), ["own-number-other-province"]);
    assert_eq!(own_number("03300123456").unwrap_err().repair.unwrap().put.unwrap().value, "003300123456");
    assert_eq!(own_number(" ").unwrap(), None);
}

/// A place of the past stays what it was; a residence is told in units of today.
#[test]
fn a_birth_was_registered_where_it_was_and_a_residence_is_where_it_is() {
    use std::fmt::Write as _;

    let folder = tempfile::tempdir().unwrap();
    let rows = "table,code,valid_from,within,name_vi,name_en,successor\n\
                districts,001,2025-07-01,,,,002\ncommunes,00004,2025-07-01,002,Trúc Bạch,,\n";
    let mut moved = rows.to_owned();
    for line in include_str!("../../data/vn_communes_2021.csv").lines().skip(1) {
        let mut columns = line.split(',');
        let (code, district) = (columns.next().unwrap(), columns.next().unwrap());
        if district == "001" && code != "00004" {
            writeln!(moved, "communes,{code},2025-07-01,,,,00004").unwrap();
        }
    }
    std::fs::write(folder.path().join("a.csv"), moved).unwrap();
    let reference = reference().changed_by(crate::population::reorganisation::read_folder(folder.path()).unwrap());
    let codes = |declaration: &Declaration, on: time::Date| {
        let findings = examine(declaration, &reference, on).unwrap().1;
        findings.into_iter().map(|f| (f.field, f.code)).filter(|(_, code)| code.contains("ended")).collect::<Vec<_>>()
    };
    let mut of_hanoi = declaration();
    (of_hanoi.birth_registration, of_hanoi.place_of_origin) = (hanoi(), hanoi());
    assert_eq!(codes(&of_hanoi, date!(2025 - 06 - 30)), []);
    let field = "permanent_residence".to_owned();
    let ended = [(field.clone(), "district-ended".to_owned()), (field.clone(), "commune-ended".to_owned())];
    assert_eq!(codes(&of_hanoi, TODAY), ended, "not where the birth was registered");
    // The commune stays, and belongs to another district.
    of_hanoi.permanent_residence.as_mut().unwrap().commune = "00004".into();
    assert_eq!(codes(&of_hanoi, TODAY), ended);
    of_hanoi.permanent_residence.as_mut().unwrap().district = "002".into();
    assert_eq!(codes(&of_hanoi, TODAY), []);
    let place = examine(&of_hanoi, &reference, TODAY).unwrap().0.birth_registration;
    assert_eq!(place.in_words(&reference, TODAY), "Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội", "the names of its time");
}
