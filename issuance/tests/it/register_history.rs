//! How the register changes: with evidence, by two officers, event by event; and what follows for numbers, applications
//! and cards.

use crypto::lds::File;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Kind, Stage, TransitionError};
use issuance::applications::steps::{CounterError, approve, likely_doubles, read};
use issuance::cards::model::{Revocation, Status};
use issuance::deed::Occasion;
use issuance::ground::ids::{CardId, ChangeId, PersonId};
use issuance::ground::{Officer, Role};
use issuance::numbering::steps::establish;
use issuance::population::change::{self, ChangeError, Proposal, Wanted};
use issuance::population::history::{ChangeUnfit, Confidence, EventKind, Evidence, FactSource, Form};
use issuance::store::Argument;
use issuance::{args, cards, population, sql};
use serde_json::{Map, Value, json};

use crate::chip::Chip;
use crate::offices::{Offices, appoint, approves_too, declaration, moves, within};
use crate::tables;

pub async fn on_both_offices(scenario: impl AsyncFn(&Offices)) {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    Box::pin(scenario(&offices)).await;
    if let Some(url) = tables::fresh_database() {
        let offices = Box::new(Box::pin(Offices::open(Some(url))).await);
        Box::pin(scenario(&offices)).await;
    }
}

pub fn evidence() -> Evidence {
    Evidence {
        form: Form::Dc02,
        source: FactSource::CivilStatus,
        document: "Giấy khai sinh 12/2026".to_owned().try_into().unwrap(),
        confidence: Confidence::Proved,
    }
}

pub fn fields(fields: &Value) -> Map<String, Value> {
    fields.as_object().unwrap().clone()
}

pub async fn proposes(
    offices: &Offices,
    by: &Officer,
    person: PersonId,
    kind: EventKind,
    changed: Value,
) -> Result<Proposal, ChangeError> {
    let fields = fields(&changed);
    let wanted = Wanted { kind, valid_from: None, evidence: evidence(), fields: &fields };
    within!(offices, by, deed => change::propose(deed, &offices.state.register, person, wanted))
}

async fn applies(offices: &Offices, by: &Officer, id: ChangeId) -> Result<PersonId, ChangeError> {
    within!(offices, by, deed => change::apply(deed, &offices.state.register, id))
}

/// One registrar proposes, a second one applies.
pub async fn changes(offices: &Offices, person: PersonId, kind: EventKind, changed: Value) {
    let second = appoint(offices.state.deeds(), Role::Registrar).await;
    let proposal = proposes(offices, &offices.registrar, person, kind, changed).await.unwrap();
    applies(offices, &second, proposal.id).await.unwrap();
}

pub async fn registered(offices: &Offices, person: PersonId) -> population::model::Registered {
    within!(offices, offices.registrar, deed => population::steps::read(deed, person, Occasion::default())).unwrap()
}

pub async fn handed_over(offices: &Offices, person: PersonId, number: u8) -> (CardId, Chip) {
    let application = offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(number).await;
    let card = offices.card(&mut chip).await;
    within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0)).unwrap();
    (card, chip)
}

pub async fn card(offices: &Offices, id: CardId) -> cards::model::Card {
    within!(offices, offices.counter, deed => cards::steps::read(deed, id, Occasion::default())).unwrap()
}

pub async fn comparison(offices: &Offices) -> change::Comparison {
    change::compare(offices.state.deeds().db(), |_| ()).await.unwrap()
}

#[tokio::test]
async fn a_name_is_corrected_by_two_officers_and_the_history_tells_both() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let before = registered(offices, person).await.person.full_name;
        let changed = json!({"full_name": "Nguyễn Thị Mẫu Mực"});
        let proposal = proposes(offices, &offices.registrar, person, EventKind::Corrected, changed).await.unwrap();
        assert_eq!(registered(offices, person).await.person.full_name, before, "nothing changed yet");
        let alone = applies(offices, &offices.registrar, proposal.id).await;
        assert!(matches!(alone, Err(ChangeError::SameOfficer)), "{alone:?}");
        let stranger = appoint(offices.state.deeds(), Role::Registrar).await;
        let stranger = moves(offices.state.deeds(), &stranger, "district-2").await;
        let elsewhere = applies(offices, &stranger, proposal.id).await;
        assert!(matches!(elsewhere, Err(ChangeError::OtherOffice(_))), "{elsewhere:?}");
        let second = appoint(offices.state.deeds(), Role::Registrar).await;
        applies(offices, &second, proposal.id).await.unwrap();
        assert_eq!(registered(offices, person).await.person.full_name.as_str(), "Nguyễn Thị Mẫu Mực");
        let again = applies(offices, &second, proposal.id).await;
        assert!(matches!(again, Err(ChangeError::ChangeUnknown)), "{again:?}");

        let told = within!(offices, offices.registrar, deed => change::history(deed, person, Occasion::default()));
        let told = told.unwrap();
        let kinds: Vec<_> = told.events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Declared, EventKind::Corrected]);
        let event = &told.events[1];
        assert_eq!((event.proposed_by, event.recorded.by), (offices.registrar.id, second.id));
        assert_eq!(event.changes[0].before, json!(before.as_str()));
        assert_eq!(event.evidence, evidence());
        assert_eq!((told.stands_on["full_name"], told.stands_on["sex"]), (2, 1));
        let found = comparison(offices).await;
        assert_eq!((found.persons, found.events, found.differ), (1, 2, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_record_that_does_not_follow_from_its_events_is_named() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        changes(offices, person, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        let db = offices.state.deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let row = tx.one(sql!("select id, record from person where id = $1"), args![person]).await.unwrap().unwrap();
        let mut record: Value = row.json("record").unwrap();
        record["full_name"] = json!("Trần Văn Khác");
        let forge = sql!("update person set record = $1 where id = $2");
        tx.run(forge, args![Argument::json(&record), person]).await.unwrap();
        tx.commit().await.unwrap();
        let found = comparison(offices).await.differ;
        assert_eq!(found, [(person, "does not follow from the events: full_name".to_owned())]);

        let mut tx = db.begin_upkeep().await.unwrap();
        tx.run(sql!("delete from register_event where person_id = $1 and ordinal = 2"), args![person]).await.unwrap();
        tx.commit().await.unwrap();
        assert!(comparison(offices).await.differ[0].1.contains("counts 2 events"), "an event was deleted");
    })
    .await;
}

#[tokio::test]
async fn another_year_of_birth_brings_another_number_and_revokes_the_card_with_the_old_one() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let old = registered(offices, person).await.personal_number.unwrap();
        let (id, chip) = handed_over(offices, person, 1).await;
        let year = old.birth_year() - 1;
        let birth = json!({"birth_date": format!("05/01/{year}")});
        let unfit = proposes(offices, &offices.registrar, person, EventKind::Corrected, birth.clone()).await;
        assert!(matches!(unfit, Err(ChangeError::Unfit(ChangeUnfit::NeedsRedetermination("birth_date")))), "{unfit:?}");
        changes(offices, person, EventKind::Redetermined, birth).await;
        let new = registered(offices, person).await.personal_number.unwrap();
        assert_eq!((new.birth_year(), new.sex()), (year, old.sex()));
        assert_ne!(new, old);
        let linked = sql!("select count(*) as n from personal_number where personal_number = $1 and replaced_by = $2");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let row = tx.one(linked, args![old.as_str(), new.as_str()]).await.unwrap().unwrap();
        assert_eq!(row.number::<i64>("n").unwrap(), 1, "the old number stays, and names the new one");
        drop(tx);
        let status = card(offices, id).await.status;
        assert!(matches!(status, Status::Revoked { reason: Revocation::NumberCancelled, .. }), "{status:?}");
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn a_death_ends_the_application_writes_off_its_chip_and_revokes_the_card() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let id = offices.card(&mut chip).await;
        changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Cancelled { .. }), "{stage:?}");
        assert!(matches!(card(offices, id).await.status, Status::Revoked { .. }));
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        let next = offices.applies(person, Kind::First).await;
        assert!(next.is_err(), "no application for the dead");
        let moved = json!({"permanent_residence": {"province": "003"}});
        changes(offices, person, EventKind::Moved, moved).await;
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

/// One registrar proposes on a court's word, a second one applies.
async fn court_says(offices: &Offices, person: PersonId, kind: EventKind, changed: Value) -> Proposal {
    let fields = fields(&changed);
    let document = "Quyết định 7/2026/QĐST-DS".to_owned().try_into().unwrap();
    let evidence = Evidence { source: FactSource::Court, document, ..evidence() };
    let wanted = Wanted { kind, valid_from: None, evidence, fields: &fields };
    let register = &offices.state.register;
    let proposal =
        within!(offices, offices.registrar, deed => change::propose(deed, register, person, wanted)).unwrap();
    let second = appoint(offices.state.deeds(), Role::Registrar).await;
    applies(offices, &second, proposal.id).await.unwrap();
    proposal
}

#[tokio::test]
async fn a_person_who_is_missing_has_no_application_and_a_card_that_waits_until_the_person_is_found() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let (id, chip) = handed_over(offices, person, 1).await;
        let missing = || json!({"missing_since": "01/02/2024"});
        let by = &offices.registrar;
        let unproved = proposes(offices, by, person, EventKind::DeclaredMissing, missing()).await;
        assert!(matches!(unproved, Err(ChangeError::Unfit(ChangeUnfit::NeedsCourt))), "{unproved:?}");
        let corrected = proposes(offices, by, person, EventKind::Corrected, missing()).await;
        assert!(matches!(corrected, Err(ChangeError::Unfit(ChangeUnfit::NotOfKind(..)))), "{corrected:?}");

        let proposal = court_says(offices, person, EventKind::DeclaredMissing, missing()).await;
        assert!(proposal.consequences.missing && !proposal.consequences.died);
        let now = registered(offices, person).await;
        assert!(now.person.missing_since.is_some() && now.person.died.is_none());
        assert!(now.findings.iter().any(|finding| finding.code == "missing-recorded"));
        assert!(matches!(card(offices, id).await.status, Status::Suspended { .. }));
        assert_eq!(offices.status(chip.file(File::Sod)).await, "suspended");
        // It is no report of loss that two officers undo, and its days do not run out.
        let undone = within!(offices, offices.counter, deed => cards::steps::propose_undo(deed, id, "found it"));
        assert!(undone.is_err());
        offices.clock.advance(time::Duration::days(30));
        let due = sql!("select count(*) as n from card where suspended_until is not null");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(tx.one(due, args![]).await.unwrap().unwrap().get::<i64>("n").unwrap(), 0);
        drop(tx);

        let found = court_says(offices, person, EventKind::FoundAgain, json!({"missing_since": null})).await;
        assert!(found.consequences.found);
        assert!(card(offices, id).await.status.is_active());
        assert_eq!(offices.status(chip.file(File::Sod)).await, "active");
        assert_eq!(registered(offices, person).await.person.missing_since, None);

        let applies = offices.citizen().await;
        let application = offices.approved(applies, Kind::First).await;
        court_says(offices, applies, EventKind::DeclaredMissing, missing()).await;
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Cancelled { .. }), "{stage:?}");
        let next = offices.applies(applies, Kind::First).await;
        assert!(matches!(next, Err(CounterError::NotEntitled)), "{next:?}");
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn an_application_that_waits_names_the_persons_who_are_probably_its_citizen() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        let named = async || {
            let application = offices.application(application.id).await;
            let approver = &offices.approver;
            let named = within!(offices, approver, deed => async {
                read(deed, application.id, Occasion::default()).await?;
                likely_doubles(deed, &application, Occasion::default()).await
            });
            named.unwrap().map(|all| all.iter().map(|alike| alike.registered.id).collect::<Vec<_>>())
        };
        assert_eq!(named().await, None, "nothing to decide yet");
        offices.captures(application.id).await;
        assert_eq!(named().await, Some(vec![]));
        let other = offices.declares(&declaration()).await;
        assert_eq!(named().await, Some(vec![other]));
        let told = sql!("select count(*) as n from audit_entry where action = 'person-found' and person_id = $1");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(tx.one(told, args![other]).await.unwrap().unwrap().get::<i64>("n").unwrap(), 1, "recorded");
    })
    .await;
}

#[tokio::test]
async fn what_a_card_says_of_residence_religion_and_family_must_be_changed_on_it_too() {
    on_both_offices(async |offices| {
        for (n, (kind, fields)) in (1_u8..).zip([
            (EventKind::Moved, json!({"permanent_residence": {"province": "003", "detail": "Số 9 Phố Mới"}})),
            (EventKind::Corrected, json!({"religion": "Phật giáo"})),
            (EventKind::Redetermined, json!({"father": {"full_name": "Nguyễn Văn Khác", "nationality": "VNM"}})),
            (EventKind::Redetermined, json!({"mother": {"full_name": "Trần Thị Khác", "nationality": "VNM"}})),
            (
                EventKind::MaritalStatusChanged,
                json!({"marital_status": "married",
                "spouse": {"full_name": "Lê Văn Mẫu", "nationality": "VNM"}}),
            ),
        ]) {
            let person = offices.citizen().await;
            let (id, chip) = handed_over(offices, person, n).await;
            assert!(!card(offices, id).await.must_change);
            changes(offices, person, kind, fields.clone()).await;
            let marked = card(offices, id).await;
            assert!(marked.must_change && marked.status.is_active(), "{fields}");
            assert_eq!(offices.status(chip.file(File::Sod)).await, "active", "it is no forgery, and valid");
            // What is approved and not made yet is decided anew, with what stands there now.
            let change = Kind::parse("change", Some("on-request")).unwrap();
            let application = offices.approved(person, change).await;
            let back = json!({"permanent_residence": {"province": "003", "detail": format!("Số {n} Phố Cũ")}});
            changes(offices, person, EventKind::Moved, back).await;
            let stage = offices.application(application.id).await.stage;
            assert!(matches!(stage, Stage::Captured { .. }), "{stage:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_name_opens_an_approved_application_again_and_marks_the_card_in_the_pocket() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let (id, chip) = handed_over(offices, person, 1).await;
        changes(offices, person, EventKind::Redetermined, json!({"full_name": "Nguyễn Thị Mới"})).await;
        let marked = card(offices, id).await;
        assert!(marked.must_change && marked.status.is_active());
        assert_eq!(offices.status(chip.file(File::Sod)).await, "active", "it must be changed, and is no forgery");

        let change = Kind::parse("change", Some("name-or-features-changed")).unwrap();
        let application = offices.approved(person, change).await;
        let household = json!({"household_book_number": "HK 7"});
        changes(offices, person, EventKind::Moved, household).await;
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Approved { .. }), "no card says it: {stage:?}");
        changes(offices, person, EventKind::Redetermined, json!({"full_name": "Nguyễn Thị Mới Nữa"})).await;
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Captured { .. }), "to be decided anew: {stage:?}");
    })
    .await;
}

#[tokio::test]
async fn a_chip_that_is_being_written_with_the_old_name_becomes_no_card() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let ordered = offices.orders(&chip).await.unwrap();
        changes(offices, person, EventKind::Corrected, json!({"full_name": "Nguyễn Thị Đúng"})).await;
        let (receipt, _) = crypto::perso::play(&mut chip, &ordered.order, &mut |_| {});
        assert!(offices.reports(&chip, &ordered, &receipt).await.is_err(), "the chip is written off");
        assert_eq!(offices.revoked().await, 1, "what was signed for it is refused by kiosks");
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Captured { .. }), "{stage:?}");
    })
    .await;
}

#[tokio::test]
async fn officers_who_changed_the_register_do_not_approve_and_what_was_seen_before_counts_no_more() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        offices.captures(application.id).await;
        let seen = offices.sees(&offices.approver, application.id).await.unwrap();
        let second = appoint(offices.state.deeds(), Role::Registrar).await;
        let changed = json!({"full_name": "Trần Văn Giả"});
        let proposal = proposes(offices, &offices.registrar, person, EventKind::Corrected, changed).await.unwrap();
        applies(offices, &second, proposal.id).await.unwrap();
        let portrait = offices.fetches(application.id).await.unwrap();
        let (counter, id) = (&offices.state.counter, application.id);
        let stale = within!(offices, offices.approver, deed => approve(deed, counter, id, seen, portrait));
        assert!(matches!(stale, Err(CounterError::Transition(TransitionError::Changed))), "{stale:?}");
        for involved in [&offices.registrar, &second] {
            let refused = approves_too(offices, involved, application.id).await;
            assert!(matches!(refused, Err(CounterError::Transition(TransitionError::SameOfficer))), "{refused:?}");
        }
        offices.approves(&offices.approver, application.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_is_no_citizen_any_more_gets_no_card_and_keeps_none() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let (id, chip) = handed_over(offices, person, 1).await;
        let change = Kind::parse("change", Some("on-request")).unwrap();
        let application = offices.approved(person, change).await;
        changes(offices, person, EventKind::Redetermined, json!({"nationality": "FRA"})).await;
        let status = card(offices, id).await.status;
        assert!(matches!(status, Status::Revoked { reason: Revocation::NationalityLost, .. }), "{status:?}");
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Cancelled { .. }), "{stage:?}");
    })
    .await;
}

#[tokio::test]
async fn a_proposal_of_an_officer_who_left_is_not_applied_and_none_is_of_tomorrow() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    let person = offices.citizen().await;
    let first = appoint(offices.state.deeds(), Role::Registrar).await;
    let second = appoint(offices.state.deeds(), Role::Registrar).await;
    let changed = json!({"full_name": "Lê Thị Hai"});
    let proposal = proposes(&offices, &first, person, EventKind::Corrected, changed).await.unwrap();
    moves(offices.state.deeds(), &first, "district-2").await;
    let gone = applies(&offices, &second, proposal.id).await;
    assert!(matches!(gone, Err(ChangeError::ProposerGone)), "{gone:?}");
    let fields = fields(&json!({"full_name": "Lê Thị Ba"}));
    let valid_from = Some("2999".parse().unwrap());
    let wanted = Wanted { kind: EventKind::Corrected, valid_from, evidence: evidence(), fields: &fields };
    let register = &offices.state.register;
    let ahead = within!(offices, offices.registrar, deed => change::propose(deed, register, person, wanted));
    assert!(matches!(ahead, Err(ChangeError::Unfit(ChangeUnfit::Ahead))), "{ahead:?}");
    // Proposed while there was no number, and applied when there is one: sex and year are part of it by then.
    let other = offices.declares(&crate::offices::declaration()).await;
    let birth = json!({"birth_date": "05/01/1999"});
    let early = proposes(&offices, &offices.registrar, other, EventKind::Corrected, birth).await.unwrap();
    let numbers = &offices.state.numbers;
    within!(offices, offices.registrar, deed => establish(deed, numbers, other, crate::offices::OTHER_PARENTS))
        .unwrap();
    let late = applies(&offices, &second, early.id).await;
    assert!(matches!(late, Err(ChangeError::Unfit(ChangeUnfit::NeedsRedetermination("birth_date")))), "{late:?}");
}

#[tokio::test]
async fn what_another_change_overtook_is_not_applied() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let second = appoint(offices.state.deeds(), Role::Registrar).await;
        let name = |name: &str| json!({ "full_name": name });
        let first =
            proposes(offices, &offices.registrar, person, EventKind::Corrected, name("Lê Thị Một")).await.unwrap();
        let other =
            proposes(offices, &offices.registrar, person, EventKind::Corrected, name("Lê Thị Hai")).await.unwrap();
        applies(offices, &second, first.id).await.unwrap();
        let stale = applies(offices, &second, other.id).await;
        assert!(matches!(&stale, Err(ChangeError::Stale(field)) if field == "full_name"), "{stale:?}");
        within!(offices, offices.registrar, deed => change::withdraw(deed, other.id)).unwrap();
        assert_eq!(registered(offices, person).await.person.full_name.as_str(), "Lê Thị Một");
        assert_eq!(comparison(offices).await.events, 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_change_of_its_kind_names_the_field() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    let person = offices.citizen().await;
    let unfit = async |kind, changed| match proposes(&offices, &offices.registrar, person, kind, changed).await {
        Err(ChangeError::Unfit(unfit)) => unfit,
        other => panic!("{other:?}"),
    };
    let moved = unfit(EventKind::Moved, json!({"full_name": "Lê Thị Hai"})).await;
    assert_eq!(moved, ChangeUnfit::NotOfKind("full_name".into(), EventKind::Moved));
    let wrong = unfit(EventKind::Corrected, json!({"fullname": "Lê Thị Hai"})).await;
    assert_eq!(wrong, ChangeUnfit::Unknown("fullname".into()));
    let shape = unfit(EventKind::Corrected, json!({"father": "Lê"})).await;
    assert_eq!(shape.field(), Some("father"), "{shape:?}");
    let among = unfit(EventKind::Corrected, json!({"full_name": "Lê Thị Hai", "religion": 7, "spouse": null})).await;
    assert!(matches!(&among, ChangeUnfit::Malformed(Some(field), _) if field == "religion"), "{among:?}");
    let name = registered(&offices, person).await.person.full_name;
    assert_eq!(unfit(EventKind::Corrected, json!({"full_name": name.as_str()})).await, ChangeUnfit::Nothing);
    assert_eq!(unfit(EventKind::Died, json!({})).await, ChangeUnfit::Nothing);
    let ahead = proposes(&offices, &offices.registrar, person, EventKind::Died, json!({"died": "2027-01-01"})).await;
    assert!(matches!(ahead, Err(ChangeError::Declined(_))), "{ahead:?}");
}
