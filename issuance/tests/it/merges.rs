//! Two records of one person become one, a wrong merge is undone, and a record of two people becomes two: numbers keep
//! their meaning, cards and applications follow, and every record is built again from its events.

use issuance::applications::model::{Kind, Stage};
use issuance::applications::steps::CounterError;
use issuance::cards::model::{Revocation, Status};
use issuance::deed::Occasion;
use issuance::ground::ids::{MergeId, PersonId};
use issuance::ground::{Id, Officer, Role};
use issuance::numbering::EstablishError;
use issuance::numbering::steps::establish;
use issuance::population::PopulationError;
use issuance::population::change::{self, ChangeError};
use issuance::population::history::{ChangeUnfit, EventKind};
use issuance::population::merge::{self, MergeError, MergeUnfit, Proposal};
use issuance::population::model::{Declaration, DeclaredRelative, Registered};
use issuance::population::search::{self, By, CancelledNumber, Sought};
use issuance::{args, sql};
use serde_json::{Map, Value, json};

use crate::house::on_both;
use crate::offices::{OTHER_PARENTS, Offices, appoint, declaration, moves, within};
use crate::register_history::{
    card, changes, comparison, evidence, fields, handed_over, on_both_offices, proposes, registered,
};

async fn merges(
    offices: &Offices,
    by: &Officer,
    (survivor, other): (PersonId, PersonId),
    take: &[&str],
) -> Result<Proposal, MergeError> {
    let take: Vec<String> = take.iter().map(|field| (*field).to_owned()).collect();
    let register = &offices.state.register;
    within!(offices, by, deed => merge::propose_merge(deed, register, survivor, other, &take, evidence()))
}

async fn undoes(offices: &Offices, by: &Officer, person: PersonId) -> Result<Proposal, MergeError> {
    within!(offices, by, deed => merge::propose_undo(deed, &offices.state.register, person, evidence()))
}

async fn applies(offices: &Offices, by: &Officer, id: MergeId) -> Result<Option<PersonId>, MergeError> {
    within!(offices, by, deed => Box::pin(merge::apply(deed, &offices.state.register, id)))
}

async fn second(offices: &Offices) -> Officer {
    appoint(offices.state.deeds(), Role::Registrar).await
}

/// One registrar proposes, a second one applies.
pub async fn merged(offices: &Offices, survivor: PersonId, other: PersonId, take: &[&str]) {
    let proposal = merges(offices, &offices.registrar, (survivor, other), take).await.unwrap();
    applies(offices, &second(offices).await, proposal.id).await.unwrap();
}

async fn kinds(offices: &Offices, person: PersonId) -> Vec<(EventKind, Option<PersonId>)> {
    let told = within!(offices, offices.registrar, deed => change::history(deed, person, Occasion::default()));
    told.unwrap().events.iter().map(|event| (event.kind, event.other)).collect()
}

/// What the table of numbers says of one: cancelled, and the number in its place.
async fn number_row(offices: &Offices, number: &str) -> (bool, Option<String>) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select cancelled_at, replaced_by from personal_number where personal_number = $1");
    let row = tx.one(sql, args![number]).await.unwrap().unwrap();
    let at: Option<time::OffsetDateTime> = row.get("cancelled_at").unwrap();
    (at.is_some(), row.get("replaced_by").unwrap())
}

#[tokio::test]
async fn of_two_cards_in_the_pocket_the_survivor_s_stays_and_the_other_number_is_cancelled_for_ever() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.citizen().await, offices.citizen().await);
        let (kept, lost) = (handed_over(offices, one, 1).await.0, handed_over(offices, two, 2).await.0);
        changes(offices, two, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        let number = |of: &issuance::population::model::Registered| of.personal_number.unwrap().as_str().to_owned();
        let first = number(&registered(offices, one).await);
        let other = number(&registered(offices, two).await);

        let proposal = merges(offices, &offices.registrar, (one, two), &["religion"]).await.unwrap();
        assert_eq!(proposal.changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["religion"]);
        assert_eq!(proposal.of_other.merged_into, Some(one));
        assert!(registered(offices, two).await.merged_into.is_none(), "nothing happened yet");
        let alone = applies(offices, &offices.registrar, proposal.id).await;
        assert!(matches!(alone, Err(MergeError::Change(ChangeError::SameOfficer))), "{alone:?}");
        let colleague = second(offices).await;
        assert_eq!(applies(offices, &colleague, proposal.id).await.unwrap(), None);
        let again = applies(offices, &colleague, proposal.id).await;
        assert!(matches!(again, Err(MergeError::Unknown)), "{again:?}");

        let (survivor, gone) = (registered(offices, one).await, registered(offices, two).await);
        assert_eq!(
            survivor.person.religion.as_ref().map(issuance::ground::text::PrintedText::as_str),
            Some("Phật giáo")
        );
        assert_eq!(number(&survivor), first);
        assert_eq!((gone.merged_into, gone.personal_number), (Some(one), None));
        assert_eq!(number_row(offices, &other).await, (true, Some(first.clone())));
        // Sought by the number that was cancelled, the record that lives on is found, and how.
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let cancelled = issuance::numbering::store::cancelled(&mut tx, &other.parse().unwrap()).await.unwrap();
        drop(tx);
        assert_eq!(cancelled, Some(CancelledNumber { person: two, merged_into: Some(one) }));
        let sought = Sought { personal_number: other.clone().try_into().unwrap(), ..Sought::default() };
        let (register, occasion) = (&offices.state.register, Occasion::default());
        let found = within!(offices, offices.registrar, deed =>
            search::find(deed, register, &sought, cancelled, occasion));
        let (found, _) = found.unwrap();
        assert_eq!(found.iter().map(|one| (one.registered.id, one.by)).collect::<Vec<_>>(), [(one, By::Merged)]);
        assert!(matches!(card(offices, kept).await.status, Status::Active { .. }));
        let revoked = card(offices, lost).await.status;
        assert!(matches!(revoked, Status::Revoked { reason: Revocation::NumberCancelled, .. }), "{revoked:?}");

        // Nothing is done on a record that is merged.
        let numbered =
            within!(offices, offices.registrar, deed => establish(deed, &offices.state.numbers, two, Some("again")));
        assert!(matches!(numbered, Err(EstablishError::Merged(into)) if into == one), "{numbered:?}");
        let changed = proposes(offices, &offices.registrar, two, EventKind::Corrected, json!({"religion": null})).await;
        assert!(matches!(changed, Err(ChangeError::Merged(into)) if into == one), "{changed:?}");
        let applied = offices.applies(two, Kind::First).await;
        assert!(matches!(applied, Err(CounterError::Person(PopulationError::Merged(_)))), "{applied:?}");
        let twice = merges(offices, &offices.registrar, (one, two), &[]).await;
        assert!(matches!(twice, Err(MergeError::Change(ChangeError::Merged(_)))), "{twice:?}");

        use EventKind::{Absorbed, Corrected, Declared, Merged};
        assert_eq!(kinds(offices, one).await, [(Declared, None), (Absorbed, Some(two))]);
        assert_eq!(kinds(offices, two).await, [(Declared, None), (Corrected, None), (Merged, Some(one))]);
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_merge_is_undone_with_the_number_and_what_was_taken_over() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.citizen().await, offices.citizen().await);
        let (lost, _) = handed_over(offices, two, 1).await;
        let blood = json!({"religion": "Phật giáo", "household_book_number": "12345"});
        changes(offices, two, EventKind::Corrected, blood).await;
        let other = registered(offices, two).await.personal_number.unwrap();
        merged(offices, one, two, &["religion", "household_book_number"]).await;
        // Changed since, on evidence of its own: it stays.
        changes(offices, one, EventKind::Corrected, json!({"household_book_number": "99999"})).await;

        let proposal = undoes(offices, &offices.registrar, two).await.unwrap();
        assert_eq!(proposal.changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["religion"]);
        applies(offices, &second(offices).await, proposal.id).await.unwrap();
        let (first, second_one) = (registered(offices, one).await, registered(offices, two).await);
        assert_eq!((second_one.merged_into, second_one.personal_number), (None, Some(other)));
        assert_eq!(number_row(offices, other.as_str()).await, (false, None));
        assert!(first.person.religion.is_none() && second_one.person.religion.is_some());
        assert_eq!(first.person.household_book_number.as_deref(), Some("99999"));
        let status = card(offices, lost).await.status;
        assert!(matches!(status, Status::Revoked { .. }), "a revoked card does not come back: {status:?}");
        use EventKind::{Absorbed, Corrected, Declared, Merged, Released, Restored};
        let of_first = [(Declared, None), (Absorbed, Some(two)), (Corrected, None), (Released, Some(two))];
        assert_eq!(kinds(offices, one).await, of_first);
        let of_second = [(Declared, None), (Corrected, None), (Merged, Some(one)), (Restored, Some(one))];
        assert_eq!(kinds(offices, two).await, of_second);
        assert_eq!(comparison(offices).await.differ, []);
        let again = undoes(offices, &offices.registrar, two).await;
        assert!(matches!(again, Err(MergeError::Unfit(MergeUnfit::NotMerged))), "{again:?}");
        // And merged again, as if nothing had been.
        merged(offices, one, two, &[]).await;
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn the_application_of_a_merged_record_ends_and_its_open_changes_are_withdrawn() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.citizen().await, offices.citizen().await);
        let application = offices.approved(two, Kind::First).await;
        let open = json!({"religion": "Phật giáo"});
        let change = proposes(offices, &offices.registrar, two, EventKind::Corrected, open).await.unwrap();
        merged(offices, one, two, &[]).await;
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Cancelled { .. }), "{stage:?}");
        let colleague = second(offices).await;
        let late = within!(offices, colleague, deed => change::apply(deed, &offices.state.register, change.id));
        assert!(matches!(late, Err(ChangeError::ChangeUnknown)), "{late:?}");
        offices.counts_are_true().await;
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn records_that_are_one_or_have_changed_or_belong_to_another_office_are_not_merged() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.citizen().await, offices.citizen().await);
        let itself = merges(offices, &offices.registrar, (one, one), &[]).await;
        assert!(matches!(itself, Err(MergeError::Unfit(MergeUnfit::Itself))), "{itself:?}");
        let bare = offices.declares(&declaration()).await;
        let backwards = merges(offices, &offices.registrar, (bare, one), &[]).await;
        assert!(matches!(backwards, Err(MergeError::Unfit(MergeUnfit::NumberAtOther))), "{backwards:?}");
        let field = merges(offices, &offices.registrar, (one, two), &["shoe_size"]).await;
        assert!(matches!(field, Err(MergeError::Unfit(MergeUnfit::Field(_)))), "{field:?}");
        let older = Declaration { birth_date: "05/01/1999".into(), ..declaration() };
        let older = offices.declares(&older).await;
        let other_year = merges(offices, &offices.registrar, (one, older), &["birth_date"]).await;
        let needs = ChangeUnfit::NeedsRedetermination("birth_date");
        assert!(matches!(&other_year, Err(MergeError::Change(ChangeError::Unfit(unfit))) if *unfit == needs));

        let proposal = merges(offices, &offices.registrar, (one, two), &[]).await.unwrap();
        changes(offices, two, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        let colleague = second(offices).await;
        let stale = applies(offices, &colleague, proposal.id).await;
        assert!(matches!(stale, Err(MergeError::Change(ChangeError::Stale(_)))), "{stale:?}");
        // The remedy names the routes of merges.
        let problem = issuance::web::Problem::from(stale.unwrap_err());
        assert_eq!(problem.code().word(), "merge-stale");
        within!(offices, colleague, deed => merge::withdraw(deed, proposal.id)).unwrap();

        // Another office's registrar declares the same woman: only the national office merges the two.
        let away = moves(offices.state.deeds(), &second(offices).await, "district-2").await;
        let register = &offices.state.register;
        let form = declaration();
        let there = within!(offices, away, deed => issuance::population::steps::declare(deed, register, &form));
        let there = there.unwrap().0;
        let here = moves(offices.state.deeds(), &second(offices).await, "district-1").await;
        let form = declaration();
        let near = within!(offices, here, deed => issuance::population::steps::declare(deed, register, &form));
        let near = near.unwrap().0;
        for by in [&here, &away] {
            let refused = merges(offices, by, (near, there), &[]).await;
            assert!(matches!(refused, Err(MergeError::Change(ChangeError::OtherOffice(_)))), "{refused:?}");
        }
        let deeds = offices.state.deeds();
        let [first, other] = [second(offices).await, second(offices).await];
        let [first, other] = [moves(deeds, &first, "national").await, moves(deeds, &other, "national").await];
        let proposal = merges(offices, &first, (near, there), &[]).await.unwrap();
        let refused = applies(offices, &here, proposal.id).await;
        assert!(matches!(refused, Err(MergeError::Change(ChangeError::OtherOffice(_)))), "{refused:?}");
        applies(offices, &other, proposal.id).await.unwrap();
        let register = issuance::population::steps::read;
        let gone = within!(offices, first, deed => register(deed, there, Occasion::default())).unwrap();
        assert_eq!(gone.merged_into, Some(near));
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_holds_two_people_s_declarations_becomes_two() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        changes(offices, person, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        let number = registered(offices, person).await.personal_number;
        let other =
            Declaration { full_name: "Phạm Thị Khác".into(), religion: "Phật giáo".into(), ..declaration() };
        let right: Map<String, Value> = fields(&json!({"religion": null}));
        let register = &offices.state.register;
        let split = merge::propose_split;
        let proposal = within!(offices, offices.registrar, deed =>
            split(deed, register, person, other, &right, evidence()))
        .unwrap();
        let made = applies(offices, &second(offices).await, proposal.id).await.unwrap().unwrap();
        let (first, second_one) = (registered(offices, person).await, registered(offices, made).await);
        assert_eq!((first.personal_number, second_one.personal_number), (number, None));
        assert!(first.person.religion.is_none() && second_one.person.religion.is_some());
        use EventKind::{Corrected, Declared, Divided};
        assert_eq!(kinds(offices, person).await, [(Declared, None), (Corrected, None), (Divided, Some(made))]);
        assert_eq!(kinds(offices, made).await, [(Declared, Some(person))]);
        let numbered = within!(offices, offices.registrar, deed => establish(deed, &offices.state.numbers, made, None));
        assert_ne!(Some(numbered.unwrap()), number);
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn a_merge_that_another_hand_undid_is_named() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.citizen().await, offices.citizen().await);
        merged(offices, one, two, &[]).await;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("delete from merged_person where person_id = $1"), args![two]).await.unwrap();
        tx.commit().await.unwrap();
        let found = comparison(offices).await.differ;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == two && found[0].1.contains("merged"), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_established_meanwhile_does_not_go_into_a_record_without_one() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.declares(&declaration()).await, offices.declares(&declaration()).await);
        let proposal = merges(offices, &offices.registrar, (one, two), &[]).await.unwrap();
        let numbers = &offices.state.numbers;
        let number = within!(offices, offices.registrar, deed => establish(deed, numbers, two, OTHER_PARENTS)).unwrap();
        let late = applies(offices, &second(offices).await, proposal.id).await;
        assert!(matches!(late, Err(MergeError::Unfit(MergeUnfit::NumberAtOther))), "{late:?}");
        let there = registered(offices, two).await;
        assert_eq!((there.merged_into, there.personal_number), (None, Some(number)));
        assert_eq!(number_row(offices, number.as_str()).await, (false, None));
    })
    .await;
}

fn perhaps(of: &Registered) -> usize {
    of.findings.iter().filter(|finding| finding.code == "perhaps-declared-before").count()
}

#[tokio::test]
async fn a_merge_leaves_the_finding_about_a_third_record_and_takes_the_one_about_the_second() {
    on_both_offices(async |offices| {
        let (one, two) = (offices.declares(&declaration()).await, offices.declares(&declaration()).await);
        // Day and month swapped and the tones lost: no likeness, and yet one person.
        let third = Declaration {
            full_name: "Nguyen Thi Mau".into(),
            birth_date: "01/05/2000".into(),
            mother: Some(DeclaredRelative { full_name: "Trần Thị Thử".into(), ..Default::default() }),
            ..declaration()
        };
        let third = offices.declares(&third).await;
        merged(offices, one, two, &[]).await;
        assert_eq!(perhaps(&registered(offices, one).await), 1);
        merged(offices, one, third, &[]).await;
        assert_eq!(perhaps(&registered(offices, one).await), 0);
    })
    .await;
}

#[tokio::test]
async fn a_split_refuses_a_field_that_cannot_be_read() {
    on_both_offices(async |offices| {
        let person = offices.declares(&declaration()).await;
        let register = &offices.state.register;
        for wrong in [json!({"died": "31/02/2020"}), json!({"marital_status": "xx"})] {
            let other = Declaration { full_name: "Phạm Thị Khác".into(), ..declaration() };
            let split = merge::propose_split;
            let refused = within!(offices, offices.registrar, deed =>
                split(deed, register, person, other, &fields(&wrong), evidence()));
            assert!(matches!(refused, Err(MergeError::Change(ChangeError::Declined(_)))), "{wrong}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_second_person_of_a_split_is_of_the_record_s_office_and_of_the_proposer_s_word() {
    on_both_offices(async |offices| {
        // Two women in one record: what it holds is what the second one declares.
        let second_one = Declaration { full_name: "Phạm Thị Khác".into(), ..declaration() };
        let person = offices.declares(&second_one).await;
        let first = json!({"full_name": "Lò Văn Vượng", "birth_date": "17/11/1961", "sex": "Nam", "mother": null});
        let register = &offices.state.register;
        let split = merge::propose_split;
        let proposal = within!(offices, offices.registrar, deed =>
            split(deed, register, person, second_one.clone(), &fields(&first), evidence()))
        .unwrap();
        let national = moves(offices.state.deeds(), &second(offices).await, "national").await;
        let made = applies(offices, &national, proposal.id).await.unwrap().unwrap();
        let there = registered(offices, made).await;
        assert_eq!(there.office.to_string(), "district-1");
        assert_eq!(perhaps(&there), 0, "the record that was put right is another person's");
        let told = within!(offices, offices.registrar, deed => change::history(deed, made, Occasion::default()));
        let event = &told.unwrap().events[0];
        assert_eq!((event.proposed_by, event.recorded.by), (offices.registrar.id, national.id));
        assert_eq!(comparison(offices).await.differ, []);
    })
    .await;
}

#[tokio::test]
async fn a_merge_of_an_unknown_person_is_not_undone() {
    on_both_offices(async |offices| {
        let unknown = undoes(offices, &offices.registrar, Id::nil()).await;
        assert!(matches!(unknown, Err(MergeError::Change(ChangeError::PersonUnknown))), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn a_proposal_that_another_hand_changed_is_listed_as_such_beside_the_others() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let mut persons = vec![];
        for key in ["d-1", "d-2", "d-3"] {
            let said = lan.post("/api/v1/declarations", key, json!(declaration())).await;
            persons.push(said.body["person_id"].as_str().unwrap().to_owned());
        }
        for (key, other) in [("m-1", &persons[1]), ("m-2", &persons[2])] {
            let body = json!({"other": other, "take": [], "evidence": evidence()});
            let said = lan.post(&format!("/api/v1/persons/{}/merges", persons[0]), key, body).await;
            assert_eq!(said.status, 201, "{}", said.body);
        }
        let spoil = sql!("update register_merge set evidence = '{}', changes = '7' where other_id = $1");
        let other: PersonId = persons[1].parse().unwrap();
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.run(spoil, args![other]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let list = lan.get("/api/v1/register-merges").await;
        assert_eq!(list.status, 200, "{}", list.body);
        let tampered = list.body["items"].as_array().unwrap().iter().map(|item| &item["tampered"]);
        assert_eq!(tampered.filter(|tampered| **tampered == json!(true)).count(), 1, "{}", list.body);
        assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    })
    .await;
}
