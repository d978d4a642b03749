//! Classification on the day of the capture, and the look-up in the archive of papers, on SQLite and on PostgreSQL.

use issuance::applications::erasure::{Erasable, Outcome, Term, erase};
use issuance::applications::model::{Application, Kind};
use issuance::applications::paper_archive::{self, Answer, ArchiveOutcome, ArchiveRequest, Classification, Papers};
use issuance::applications::progress::{Said as Told, remind};
use issuance::applications::register_check::RegisterField;
use issuance::applications::store::closed::Due;
use issuance::applications::store::progress;
use issuance::applications::{CounterError, steps as counter};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, ArchiveRequestId};
use issuance::ground::{OfficeCode, Officer, Role};
use issuance::offices::model::UnitKind;
use issuance::offices::steps::{NewUnit, make_unit};
use issuance::population::history::EventKind;
use issuance::server::overdue::{self, Defect};
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::Duration;
use time::macros::{date, datetime};

use crate::offices::{Offices, appoint, declaration, employs, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a scenario at offices that classify and ask archives, on SQLite, then on PostgreSQL. It is Monday.
async fn demanding(scenario: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let at = datetime!(2026-11-23 03:00 UTC);
        let offices = Offices::open_where(database, at, |settings| settings.applications.archive.demanded = true);
        let offices = Box::new(Box::pin(offices).await);
        Box::pin(scenario(offices.as_ref())).await;
    }
}

fn code<T: std::fmt::Debug>(refused: Result<T, CounterError>) -> &'static str {
    Problem::from(refused.unwrap_err()).code().word()
}

async fn captured(offices: &Offices, old_id_number: Option<&str>) -> Application {
    let mut declared = declaration();
    declared.old_id_number = old_id_number.unwrap_or_default().to_owned();
    let person = offices.declares(&declared).await;
    let numbers = &offices.state.numbers;
    let other = crate::offices::OTHER_PARENTS;
    within!(offices, offices.registrar, deed => issuance::numbering::steps::establish(deed, numbers, person, other))
        .unwrap();
    let application = offices.applies(person, Kind::First).await.unwrap();
    offices.captures(application.id).await;
    application
}

async fn classifies(
    offices: &Offices,
    id: ApplicationId,
    papers: Papers,
    province: Option<&str>,
) -> Result<Classification, CounterError> {
    let province = province.map(|code| code.parse().unwrap());
    let counter = &offices.state.counter;
    within!(offices, offices.capture, deed => paper_archive::classify(deed, counter, id, papers, province))
}

async fn asks(offices: &Offices, by: &Officer, id: ApplicationId) -> Result<ArchiveRequest, CounterError> {
    let counter = &offices.state.counter;
    within!(offices, by, deed => paper_archive::ask(deed, counter, id, "the card of 2009"))
}

async fn answers(
    offices: &Offices,
    by: &Officer,
    id: ArchiveRequestId,
    outcome: ArchiveOutcome,
    answer: Answer,
) -> Result<ArchiveRequest, CounterError> {
    within!(offices, by, deed => paper_archive::answer(deed, id, outcome, answer))
}

fn nothing() -> Answer {
    Answer { says: "box 12".into(), ..Answer::default() }
}

fn read_there() -> Answer {
    let (number, full_name) = (Some("012345678".into()), Some("Nguyễn Thị Mẫu".into()));
    Answer { number, full_name, scan_sha256: Some("a".repeat(64)), ..nothing() }
}

/// An officer of the national office who keeps the archive.
async fn national_keeper(offices: &Offices) -> Officer {
    let deeds = offices.state.deeds();
    moves(deeds, &appoint(deeds, Role::Registrar).await, "national").await
}

/// A unit of the authority.
async fn unit(offices: &Offices, code: &str, kind: UnitKind, parent: &str) {
    let deeds = offices.state.deeds();
    let admin = appoint(deeds, Role::Admin).await;
    let admin = moves(deeds, &admin, "national").await;
    let new = NewUnit {
        code: code.parse().unwrap(),
        kind,
        province: Some(if code.ends_with('2') { "002" } else { "001" }.parse().unwrap()),
        name: "Tỉnh Mẫu".parse().unwrap(),
        parent: parent.parse().unwrap(),
    };
    within!(offices, admin, deed => make_unit(deed, new)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_is_approved_before_the_dossier_is_classified_and_where_the_case_needs_it_the_archive_answered() {
    demanding(async |offices| {
        let approver = &offices.approver;
        // A woman without an old card needs no look-up.
        let young = captured(offices, None).await.id;
        assert_eq!(code(offices.approves(approver, young).await), "classification-missing");
        assert!(!classifies(offices, young, Papers::Nowhere, None).await.unwrap().needed);
        assert_eq!(code(asks(offices, approver, young).await), "classification-unfit", "there are no papers");
        offices.approves(approver, young).await.unwrap();
        assert_eq!(code(classifies(offices, young, Papers::Inside, None).await), "stage-does-not-allow");

        let id = captured(offices, Some("012345678")).await.id;
        assert_eq!(code(asks(offices, approver, id).await), "classification-missing");
        for (papers, province) in [
            (Papers::Nowhere, None),
            (Papers::Outside, None),
            (Papers::Outside, Some("099")),
            (Papers::Inside, Some("001")),
        ] {
            let refused = classifies(offices, id, papers, province).await;
            assert_eq!(code(refused), "classification-unfit", "{papers:?} {province:?}");
        }
        assert!(classifies(offices, id, Papers::Outside, Some("002")).await.unwrap().needed);
        assert_eq!(code(offices.approves(approver, id).await), "archive-answer-missing", "it was not asked");
        let asked = asks(offices, approver, id).await.unwrap();
        assert_eq!((asked.to.as_str(), asked.due_on), ("national", date!(2026 - 11 - 26)), "no office of the province");
        for refused in
            [asks(offices, approver, id).await.map(drop), classifies(offices, id, Papers::Inside, None).await.map(drop)]
        {
            assert_eq!(code(refused), "archive-answer-missing", "it waits");
        }
        assert_eq!(code(offices.approves(approver, id).await), "archive-answer-missing", "it has not answered");

        // The office's own registrar keeps no archive of the nation.
        let own = answers(offices, &offices.registrar, asked.id, ArchiveOutcome::NotFound, nothing()).await;
        assert_eq!(code(own), "archive-request-unknown");
        let keeper = national_keeper(offices).await;
        let unfit = answers(offices, &keeper, asked.id, ArchiveOutcome::Found, nothing()).await;
        assert_eq!(code(unfit), "archive-answer-unfit");
        answers(offices, &keeper, asked.id, ArchiveOutcome::Found, read_there()).await.unwrap();
        let again = answers(offices, &keeper, asked.id, ArchiveOutcome::NotFound, nothing()).await;
        assert_eq!(code(again), "archive-request-closed");
        let judge = employs(offices.state.deeds(), &keeper, &[Role::Registrar, Role::Approver]).await;
        assert_eq!(code(offices.approves(&judge, id).await), "second-officer-needed", "who answered does not decide");
        offices.approves(approver, id).await.unwrap();
        let trail = offices.trail(Object::Application(id)).await;
        for action in ["application-classified", "archive-asked", "archive-answered"] {
            assert!(trail.contains(&action.to_owned()), "{action}: {trail:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archive_of_a_province_is_asked_at_its_office_and_what_disagrees_is_settled_in_the_register() {
    demanding(async |offices| {
        for (code, kind, parent) in [
            ("p-1", UnitKind::Province, "national"),
            ("p-2", UnitKind::Province, "national"),
            ("district-1", UnitKind::District, "p-1"),
        ] {
            unit(offices, code, kind, parent).await;
        }
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Registrar).await, "p-2").await;
        let Application { id, person, .. } = captured(offices, Some("012345679")).await;
        let own = classifies(offices, id, Papers::Outside, Some("001")).await;
        assert_eq!(code(own), "classification-unfit", "that is the own province");
        // No officer keeps the archive of the own province: the national office is asked.
        let said = classifies(offices, id, Papers::Inside, None).await.unwrap();
        assert_eq!(said.province, Some("001".parse().unwrap()));
        let inside = asks(offices, &offices.approver, id).await.unwrap();
        assert_eq!((inside.to.as_str(), inside.due_on), ("national", date!(2026 - 11 - 24)));
        let keeper = national_keeper(offices).await;
        answers(offices, &keeper, inside.id, ArchiveOutcome::NotFound, nothing()).await.unwrap();
        // Then it turns out that they lie in the other province, whose archive has an office.
        classifies(offices, id, Papers::Outside, Some("002")).await.unwrap();
        assert_eq!(code(offices.approves(&offices.approver, id).await), "archive-answer-missing");
        let outside = asks(offices, &offices.approver, id).await.unwrap();
        assert_eq!(outside.to, "p-2".parse::<OfficeCode>().unwrap());
        let stranger = within!(offices, offices.registrar, deed => paper_archive::read(deed, outside.id));
        assert_eq!(code(stranger.map(drop)), "archive-request-unknown");
        let elsewhere = within!(offices, far, deed => paper_archive::read(deed, inside.id));
        assert_eq!(code(elsewhere.map(drop)), "archive-request-unknown", "another archive's question");
        let (_, citizen) = within!(offices, far, deed => paper_archive::read(deed, outside.id)).unwrap();
        assert_eq!(citizen.full_name.as_str(), "Nguyễn Thị Mẫu");
        let answer = Answer { disagrees: vec![RegisterField::Religion], ..read_there() };
        answers(offices, &far, outside.id, ArchiveOutcome::Disagrees, answer).await.unwrap();
        assert_eq!(code(offices.approves(&offices.approver, id).await), "register-change-open");
        changes(offices, person, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        offices.approves(&offices.approver, id).await.unwrap();
        let trail = offices.trail(Object::Application(id)).await;
        assert_eq!(trail.iter().filter(|action| *action == "archive-request-read").count(), 1, "{trail:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_classification_and_a_late_look_up_are_shown_and_told() {
    demanding(async |offices| {
        let deeds = offices.state.deeds();
        let id = captured(offices, Some("012345680")).await.id;
        let told = |reminders, escalations| Told { reminders, escalations };
        let late = async || {
            let mut tx = deeds.db().begin_read().await.unwrap();
            let found = overdue::look(&mut tx, offices.clock.today()).await.unwrap();
            let late = found.late.into_iter().map(|one| (one.stage, one.office, one.owner, one.days_late));
            (late.collect::<Vec<_>>(), found.defects)
        };
        let row = |stage: &str, office: &str, owner: &str, days: u32| {
            (stage.to_owned(), office.to_owned(), owner.to_owned(), days)
        };
        assert_eq!((late().await, remind(deeds).await.unwrap()), ((vec![], vec![]), told(0, 0)), "on the same day");
        offices.clock.advance(Duration::days(1));
        assert_eq!(late().await.0, [row("classification", "district-1", "capture", 1)]);
        let (one, two) = tokio::join!(Box::pin(remind(deeds)), Box::pin(remind(deeds)));
        assert_eq!(one.unwrap().reminders + two.unwrap().reminders, 1, "two processes say it once");
        classifies(offices, id, Papers::Inside, None).await.unwrap();
        assert_eq!(late().await.0, [], "it is done");
        asks(offices, &offices.approver, id).await.unwrap();
        let unkept = Defect::NoOfficer { office: "national".into(), owner: "registrar".into(), waiting: 1 };
        assert_eq!(late().await, (vec![], vec![unkept]), "no officer keeps that archive");
        national_keeper(offices).await;
        // Thursday: the two days of the office and the one of the archive are over.
        offices.clock.advance(Duration::days(2));
        let both = [row("captured", "district-1", "approver", 1), row("archive-look-up", "national", "registrar", 1)];
        assert_eq!(late().await, (both.to_vec(), vec![]));
        let mut tx = deeds.db().begin_read().await.unwrap();
        let counted = progress::count_late(&mut tx, offices.clock.today()).await.unwrap();
        drop(tx);
        assert_eq!(counted, [("archive-look-up".to_owned(), 1), ("captured".to_owned(), 1)]);
        assert_eq!(remind(deeds).await.unwrap(), told(2, 0));
        // Tuesday: four working days late.
        offices.clock.advance(Duration::days(5));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 2));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 0));
        let trail = offices.trail(Object::Application(id)).await;
        let times = |word: &str| trail.iter().filter(|action| *action == word).count();
        let words = ["classification-overdue", "classification-escalated", "archive-overdue", "archive-escalated"];
        assert_eq!(words.map(times), [1, 0, 1, 1], "{trail:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_ends_with_its_application_and_what_it_said_is_erased_with_the_dossier() {
    demanding(async |offices| {
        let deeds = offices.state.deeds();
        let keeper = national_keeper(offices).await;
        let waiting = async || {
            let mut tx = deeds.db().begin_read().await.unwrap();
            progress::owners(&mut tx).await.unwrap().into_iter().any(|(_, owner, _)| owner == "registrar")
        };
        let gone = captured(offices, Some("012345681")).await.id;
        classifies(offices, gone, Papers::Inside, None).await.unwrap();
        let asked = asks(offices, &offices.approver, gone).await.unwrap();
        assert!(waiting().await);
        within!(offices, offices.capture, deed => counter::withdraw(deed, gone, "no need any more")).unwrap();
        assert!(!waiting().await, "nothing waits any more");
        let late = answers(offices, &keeper, asked.id, ArchiveOutcome::NotFound, nothing()).await;
        assert_eq!(code(late), "archive-request-closed");

        let Application { id, person, .. } = captured(offices, Some("012345682")).await;
        classifies(offices, id, Papers::Inside, None).await.unwrap();
        let asked = asks(offices, &offices.approver, id).await.unwrap();
        answers(offices, &keeper, asked.id, ArchiveOutcome::Found, read_there()).await.unwrap();
        within!(offices, offices.approver, deed => counter::refuse(deed, id, "another woman")).unwrap();
        offices.clock.advance(Duration::days(100));
        let due = Due { id, person, closed_at: offices.clock.now() };
        let term = Term { after: Duration::days(1), ground: "Luật Căn cước công dân 2014" };
        let mut deed = deeds.open(issuance::ground::actor::Service).await.unwrap();
        assert_eq!(erase(&mut deed, Erasable::Dossiers, due, term, false).await.unwrap(), Outcome::Erased);
        deed.commit().await.unwrap();
        let (request, _) = within!(offices, keeper, deed => paper_archive::read(deed, asked.id)).unwrap();
        assert_eq!(
            (request.words.as_str(), request.answer, request.answered.unwrap().0),
            ("", None, ArchiveOutcome::Found)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_and_a_classification_that_another_hand_wrote_are_not_believed() {
    demanding(async |offices| {
        let by_hand = async |sql, arguments| {
            let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
            assert_eq!(tx.run(sql, arguments).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        let id = captured(offices, Some("012345683")).await.id;
        classifies(offices, id, Papers::Inside, None).await.unwrap();
        let asked = asks(offices, &offices.approver, id).await.unwrap();
        let found = sql!(
            "update archive_request set outcome = 'found', answered_by = asked_by, answered_at = asked_at where id = $1"
        );
        by_hand(found, args![asked.id]).await;
        assert_eq!(code(offices.approves(&offices.approver, id).await), "record-tampered");
        let id = captured(offices, Some("012345684")).await.id;
        by_hand(sql!("update classification set papers = 'nowhere' where application_id = $1"), args![id]).await;
        assert_eq!(code(offices.approves(&offices.approver, id).await), "record-tampered");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_does_not_demand_it_approves_without_and_waits_for_what_it_asked() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        let id = captured(&offices, Some("012345685")).await.id;
        classifies(&offices, id, Papers::Outside, Some("002")).await.unwrap();
        let asked = asks(&offices, &offices.approver, id).await.unwrap();
        assert_eq!(code(offices.approves(&offices.approver, id).await), "archive-answer-missing");
        let keeper = national_keeper(&offices).await;
        answers(&offices, &keeper, asked.id, ArchiveOutcome::NotFound, nothing()).await.unwrap();
        offices.approves(&offices.approver, id).await.unwrap();
        let other = captured(&offices, Some("012345686")).await.id;
        offices.approves(&offices.approver, other).await.unwrap();
    }
}
