//! Rows that an earlier version wrote stay readable: one golden file per variant of each JSON column.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crypto::identity::Date;
use crypto::perso::{Purpose, Record};
use issuance::applications::deadlines::Terms;
use issuance::applications::model::{Approval, ChangeReason, Hold, HoldReason, Kind, ReissueReason, Stage};
use issuance::cards::model::{Loss, Reported, Revocation, Status};
use issuance::ground::{Decision, Role};
use issuance::population::history::{Evidence, FieldChange, Form};
use issuance::population::model::{Finding, MaritalStatus, Person};
use issuance::production::model::ChipState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::statements::below;

/// The names of all variants, and the function that names one: a variant without a name does not compile.
macro_rules! variants {
    ($($pattern:pat => $name:literal),* $(,)?) => {
        (&[$($name),*], |value| match value { $($pattern => $name),* })
    };
}

/// Names of all variants, and how to name one.
type Variants<T> = (&'static [&'static str], fn(&T) -> &'static str);

const STAGES: Variants<Stage> = variants! {
    Stage::Registered => "registered",
    Stage::Captured { .. } => "captured",
    Stage::Returned { capture: None, .. } => "returned-before-capture",
    Stage::Returned { .. } => "returned",
    Stage::Checked { .. } => "checked",
    Stage::LocallyApproved { checked: Some(_), .. } => "locally-approved-checked",
    Stage::LocallyApproved { .. } => "locally-approved",
    Stage::Approved { approval: Approval { local: Some(_), .. }, .. } => "approved-twice",
    Stage::Approved { .. } => "approved",
    Stage::Held { hold: Hold { reason: HoldReason::NotComposable, .. }, .. } => "held-not-composable",
    Stage::Held { hold: Hold { reason: HoldReason::PortraitLost, .. }, .. } => "held-portrait-lost",
    Stage::Held { hold: Hold { reason: HoldReason::RecordInconsistent, .. }, .. } => "held-record-inconsistent",
    Stage::Refused { upheld: Some(_), .. } => "refused-upheld",
    Stage::Refused { discontinued: Some(_), .. } => "refused-discontinued",
    Stage::Refused { .. } => "refused",
    Stage::Appealed { withdrawal: Some(_), .. } => "appealed-taken-back",
    Stage::Appealed { .. } => "appealed",
    Stage::InProduction { .. } => "in-production",
    Stage::Shipped { .. } => "shipped",
    Stage::Personalized { .. } => "personalized",
    Stage::NotFetched { .. } => "not-fetched",
    Stage::HandedOver { .. } => "handed-over",
    Stage::Cancelled { withdrawn: true, .. } => "withdrawn",
    Stage::Cancelled { .. } => "cancelled",
};

const KINDS: Variants<Kind> = variants! {
    Kind::First => "first",
    Kind::Change(ChangeReason::AgeReached) => "change-age-reached",
    Kind::Change(ChangeReason::Damaged) => "change-damaged",
    Kind::Change(ChangeReason::NameOrFeaturesChanged) => "change-name-or-features-changed",
    Kind::Change(ChangeReason::SexOrOriginRedetermined) => "change-sex-or-origin-redetermined",
    Kind::Change(ChangeReason::ErrorOnCard) => "change-error-on-card",
    Kind::Change(ChangeReason::OnRequest) => "change-on-request",
    Kind::Reissue(ReissueReason::Lost) => "reissue-lost",
    Kind::Reissue(ReissueReason::NationalityRegained) => "reissue-nationality-regained",
};

const STATUSES: Variants<Status> = variants! {
    Status::Personalized => "personalized",
    Status::Active { .. } => "active",
    Status::Suspended { loss: Loss { reported: Reported { by: None, .. }, .. }, .. } => "suspended-by-holder",
    Status::Suspended { undo: None, .. } => "suspended",
    Status::Suspended { undo: Some(_), .. } => "suspended-undo-proposed",
    Status::Revoked { reason: Revocation::HolderDied, .. } => "revoked-holder-died",
    Status::Revoked { reason: Revocation::Lost, .. } => "revoked-lost",
    Status::Revoked { reason: Revocation::NationalityLost, .. } => "revoked-nationality-lost",
    Status::Revoked { reason: Revocation::NumberCancelled, .. } => "revoked-number-cancelled",
    Status::Revoked { reason: Revocation::Replaced, .. } => "revoked-replaced",
    Status::Revoked { reason: Revocation::Spoiled, .. } => "revoked-spoiled",
};

const CHIP_STATES: Variants<ChipState> = variants! {
    ChipState::Delivered => "delivered",
    ChipState::Initialised { .. } => "initialised",
    ChipState::Bound { .. } => "bound",
    ChipState::Personalized { .. } => "personalized",
    ChipState::Spoiled { application: None, .. } => "spoiled-blank",
    ChipState::Spoiled { application: Some(_), .. } => "spoiled-bound",
    ChipState::Destroyed { .. } => "destroyed",
    ChipState::Lost { .. } => "lost",
};

/// A person with the least that a declaration must say, one whose day of birth is not known, and persons with
/// everything.
const PERSONS: Variants<Person> = variants! {
    Person { marital_status: None, birth: Date::Month(..), .. } => "month",
    Person { marital_status: None, .. } => "least",
    Person { marital_status: Some(MaritalStatus::Single), .. } => "single",
    Person { marital_status: Some(MaritalStatus::Married), .. } => "married",
    Person { marital_status: Some(MaritalStatus::Divorced), .. } => "divorced",
    Person { marital_status: Some(MaritalStatus::Widowed), .. } => "widowed",
};

const FINDINGS: Variants<Vec<Finding>> = (&["none", "some"], |f| if f.is_empty() { "none" } else { "some" });

const ROLES: Variants<Vec<Role>> = (ROLE_NAMES.0, |roles| (ROLE_NAMES.1)(&roles[0]));
const ROLE_NAMES: Variants<Role> = variants! {
    Role::Admin => "admin",
    Role::Approver => "approver",
    Role::Auditor => "auditor",
    Role::Capture => "capture",
    Role::DataProtection => "data-protection",
    Role::HandOver => "hand-over",
    Role::Registrar => "registrar",
    Role::Stock => "stock",
};

const RECORDS: Variants<Record> = (PURPOSES.0, |record| (PURPOSES.1)(&record.purpose()));
const PURPOSES: Variants<Purpose> = variants! {
    Purpose::Intake => "intake",
    Purpose::Lock => "lock",
    Purpose::Personalize => "personalize",
    Purpose::Report => "report",
    Purpose::Terminate => "terminate",
};

const EVIDENCE: Variants<Evidence> = (FORMS.0, |evidence| (FORMS.1)(&evidence.form));
const FORMS: Variants<Form> = variants! {
    Form::Dc01 => "dc01",
    Form::Dc02 => "dc02",
    Form::BirthMessage => "birth-message",
    Form::DeathMessage => "death-message",
    Form::File => "file",
};

const FIELD_CHANGES: Variants<Vec<FieldChange>> = (&["none", "some"], |c| if c.is_empty() { "none" } else { "some" });

const TERMS: Variants<Terms> = (&["terms"], |_| "terms");

const DECISIONS: Variants<Decision> = (&["decision"], |_| "decision");

/// Reads all files of a folder, and judges them.
fn judge<T: DeserializeOwned + Serialize>(folder: &str, (names, name_of): Variants<T>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let files: Vec<_> = below(&root, "json").into_iter().map(|file| (file.path, file.text)).collect();
    let wrong = faults(&files, names, name_of);
    assert!(wrong.is_empty(), "{}: {wrong:#?}", root.display());
}

/// Returns what is wrong with files of these variants.
fn faults<T: DeserializeOwned + Serialize>(
    files: &[(String, String)],
    names: &[&str],
    name_of: fn(&T) -> &'static str,
) -> Vec<String> {
    let (mut wrong, mut newest) = (vec![], BTreeMap::<String, (u32, &str, Value, Value)>::new());
    for (path, text) in files {
        let (name, form) =
            path.trim_end_matches(".json").split_once('.').unwrap_or((path.trim_end_matches(".json"), "1"));
        let Ok(form) = form.parse::<u32>() else {
            wrong.push(format!("{path}: neither NAME.json nor NAME.2.json"));
            continue;
        };
        let stored: Value = serde_json::from_str(text).unwrap();
        let value: T = match serde_json::from_value(stored.clone()) {
            Ok(value) => value,
            Err(error) => {
                wrong.push(format!("{path}: {error}"));
                continue;
            }
        };
        if name_of(&value) != name {
            wrong.push(format!("{path}: holds `{}`", name_of(&value)));
        }
        let written = serde_json::to_value(&value).unwrap();
        if newest.get(name).is_none_or(|(before, ..)| *before < form) {
            newest.insert(name.to_owned(), (form, path, stored, written));
        }
    }
    for (_, path, stored, written) in newest.values() {
        if stored != written {
            wrong.push(format!("{path}: written again it is {written}: add the new form as a file of its own"));
        }
    }
    let kept: BTreeSet<&str> = newest.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = names.iter().copied().collect();
    wrong.extend(expected.difference(&kept).map(|name| format!("`{name}` has no file")));
    wrong.extend(kept.difference(&expected).map(|name| format!("`{name}` is no variant")));
    wrong
}

#[test]
fn every_json_row_stays_readable() {
    judge("stage", STAGES);
    judge("kind", KINDS);
    judge("card_status", STATUSES);
    judge("chip_state", CHIP_STATES);
    judge("person", PERSONS);
    judge("findings", FINDINGS);
    judge("roles", ROLES);
    judge("perso_record", RECORDS);
    judge("decision", DECISIONS);
    judge("terms", TERMS);
    judge("evidence", EVIDENCE);
    judge("field_changes", FIELD_CHANGES);
}

#[test]
fn a_row_that_changes_is_found() {
    let names = &["active", "personalized"];
    let name_of: fn(&Status) -> &'static str = STATUSES.1;
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let personalized = || file("personalized.json", r#"{"status": "personalized"}"#);
    let by = r#""handed_over": {"by": "00000000-0000-0000-0000-000000000001", "at": "2026-11-25T08:00:00Z"}"#;
    let active = |path: &str, more: &str| file(path, &format!(r#"{{"status": "active", {by}{more}}}"#));
    let wrong = |files: &[(String, String)]| faults(files, names, name_of).join("\n");
    assert_eq!(wrong(&[personalized(), active("active.json", "")]), "");
    assert_eq!(wrong(&[personalized()]), "`active` has no file");
    let unread = file("active.json", r#"{"status": "active"}"#);
    assert!(wrong(&[personalized(), unread]).starts_with("active.json: missing field"));
    let older = active("active.json", r#", "dropped": 1"#);
    assert!(wrong(&[personalized(), older.clone()]).starts_with("active.json: written again"));
    assert_eq!(wrong(&[personalized(), older, active("active.2.json", "")]), "", "an older form need only be read");
    assert!(wrong(&[personalized(), active("other.json", "")]).contains("other.json: holds `active`"));
}
