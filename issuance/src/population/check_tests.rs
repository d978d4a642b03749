use time::macros::date;

use super::*;
use crate::population::reference::ExtraProvince;

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
    let (person, findings) = examine(declaration, &reference(), date!(2026 - 11 - 22)).unwrap();
    (person, findings.into_iter().map(|f| f.code).collect())
}

fn declined(declaration: &Declaration) -> Vec<(String, String)> {
    let Declined(reasons) = examine(declaration, &reference(), date!(2026 - 11 - 22)).unwrap_err();
    reasons.into_iter().map(|f| (f.field, f.code)).collect()
}

#[test]
fn a_whole_declaration_has_no_findings() {
    let (person, findings) = accepted(&declaration());
    assert_eq!(findings, [""; 0]);
    assert_eq!(person.full_name.as_str(), "NGUYỄN THỊ MẪU");
    let residence = person.permanent_residence.unwrap();
    assert_eq!(residence.in_words(&reference()), "Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội");
    assert_eq!(person.birth_registration.in_words(&reference()), "Xã Mẫu, Mẫu");
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
    let cases: [(Spoil, &str); 15] = [
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
