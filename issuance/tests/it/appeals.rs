//! A citizen's complaint about a refusal, on SQLite and on PostgreSQL.

use issuance::applications::appeals::{self, AppealOutcome};
use issuance::applications::model::{Application, Kind, ReturnReason, Stage};
use issuance::applications::steps::{self as counter, Missing};
use issuance::applications::{CounterError, hand_over};
use issuance::deed::Object;
use issuance::ground::ids::ApplicationId;
use issuance::ground::{OfficeCode, Officer, Role};
use issuance::population::history::EventKind;
use issuance::server::overdue::{self, Defect};
use issuance::web::Problem;
use issuance::{args, notices, production, sql};
use serde_json::json;
use time::macros::date;
use time::{Date, Duration};

use crate::offices::{Offices, appoint, approves_too, employs, moves, within};
use crate::register_history::changes;
use crate::retention::{refused, runs};
use crate::tables::fresh_database;

/// Runs a test on SQLite and on PostgreSQL.
async fn both(test: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(test(offices.as_ref())).await;
    }
}

/// An approver of the national office.
async fn chief(offices: &Offices) -> Officer {
    let deeds = offices.state.deeds();
    moves(deeds, &appoint(deeds, Role::Approver).await, "national").await
}

/// The citizen complains at the counter.
async fn complains(offices: &Offices, id: ApplicationId, on: Date) -> Result<Application, CounterError> {
    let state = &offices.state;
    within!(offices, offices.capture, deed => appeals::appeal(deed, &state.counter, id, "Ảnh chụp sau khi ốm", on))
}

async fn decides(
    offices: &Offices,
    officer: &Officer,
    id: ApplicationId,
    outcome: AppealOutcome,
) -> Result<Application, CounterError> {
    within!(offices, officer, deed => appeals::decide(deed, id, outcome, "Hai ảnh trước đây là cùng một người"))
}

fn code<T: std::fmt::Debug>(refused: Result<T, CounterError>) -> String {
    Problem::from(refused.unwrap_err()).code().word().to_owned()
}

const REFUSED_ON: Date = date!(2026 - 11 - 22);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_waits_for_the_centre_until_a_day_and_a_refusal_that_is_upheld_is_for_good() {
    both(async |offices| {
        let (id, chief) = (refused(offices).await, chief(offices).await);
        offices.clock.advance(Duration::days(11));
        let thursday = date!(2026 - 12 - 03);
        let open = complains(offices, id, thursday).await.unwrap();
        assert_eq!(open.progress.owner, Some((OfficeCode::national(), Role::Approver)));
        assert_eq!(open.progress.due, Some(date!(2026 - 12 - 31)), "twenty working days");
        assert_eq!(code(complains(offices, id, thursday).await), "appeal-decided", "a second click of another key");
        // Neither the office that refused it nor its officers decide.
        assert_eq!(code(decides(offices, &offices.approver, id, AppealOutcome::Upheld).await), "other-office");
        let deeds = offices.state.deeds();
        let promoted = moves(deeds, &offices.approver, "national").await;
        assert_eq!(code(decides(offices, &promoted, id, AppealOutcome::Upheld).await), "second-officer-needed");
        moves(deeds, &offices.approver, "district-1").await;
        let clerk = moves(deeds, &offices.capture, "national").await;
        assert_eq!(code(decides(offices, &clerk, id, AppealOutcome::Allowed).await), "second-officer-needed");
        moves(deeds, &offices.capture, "district-1").await;

        let late = overdue::look(&mut deeds.db().begin_read().await.unwrap(), date!(2027 - 01 - 04)).await.unwrap();
        assert_eq!((late.late.len(), late.late[0].stage.as_str(), late.defects), (1, "appealed", vec![]));
        let upheld = decides(offices, &chief, id, AppealOutcome::Upheld).await.unwrap();
        let Stage::Refused { upheld: Some(why), .. } = &upheld.stage else { panic!("{:?}", upheld.stage) };
        assert_eq!((why.decision.by, why.complaint.on), (chief.id, thursday));
        assert_eq!((upheld.progress.owner, upheld.progress.due), (None, None));
        assert_eq!(code(complains(offices, id, thursday).await), "appeal-decided");
        let again = decides(offices, &chief, id, AppealOutcome::Allowed).await;
        assert!(matches!(again, Err(CounterError::MovedOn { stage: "refused", by, .. }) if by == chief.id));
        let trail = offices.trail(Object::Application(id)).await;
        for action in ["application-appealed", "application-appeal-upheld"] {
            assert!(trail.iter().any(|did| did == action), "{action}: {trail:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_that_is_allowed_is_decided_anew_by_officers_who_had_no_hand_in_it() {
    both(async |offices| {
        let (id, chief) = (refused(offices).await, chief(offices).await);
        let before = offices.application(id).await;
        offices.clock.advance(Duration::days(11));
        complains(offices, id, date!(2026 - 12 - 03)).await.unwrap();
        offices.clock.advance(Duration::days(7));
        let allowed = decides(offices, &chief, id, AppealOutcome::Allowed).await.unwrap();
        assert_eq!(allowed.stage.name(), "captured");
        assert_eq!(allowed.progress.owner, Some(("district-1".parse().unwrap(), Role::Approver)));
        assert_eq!(allowed.progress.due, Some(date!(2026 - 12 - 14)), "two working days");
        // Fourteen working days from the refusal.
        assert_eq!(
            (before.progress.promised, allowed.progress.promised),
            (Some(date!(2026 - 12 - 11)), Some(date!(2026 - 12 - 31)))
        );
        let heard = allowed.stage.capture_of().and_then(|capture| capture.heard.clone()).expect("it is kept");
        assert_eq!((heard.refused.by, heard.decision.by), (offices.approver.id, chief.id));
        assert_eq!((heard.complaint.words.as_str(), heard.refusal.is_empty()), ("Ảnh chụp sau khi ốm", false));
        assert_eq!(heard.reason, "Hai ảnh trước đây là cùng một người", "who decides anew reads why");
        let salt = |application: &Application| application.stage.capture_of().unwrap().salt;
        assert_ne!(salt(&before), salt(&allowed), "officers look again");
        for officer in [&offices.approver, &chief] {
            assert_eq!(code(offices.approves(officer, id).await), "second-officer-needed");
        }
        assert_eq!(code(approves_too(offices, &offices.capture, id).await), "second-officer-needed");
        let other = appoint(offices.state.deeds(), Role::Approver).await;
        offices.approves(&other, id).await.unwrap();
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &allowed.slip.0)).unwrap();
        offices.counts_are_true().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_who_returned_the_application_once_does_not_decide_about_the_complaint() {
    both(async |offices| {
        let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        offices.captures(id).await;
        let (state, until) = (&offices.state, date!(2026 - 12 - 01));
        let missing = Missing { reasons: vec![ReturnReason::EvidenceMissing], says: "Giấy khai sinh", until };
        within!(offices, offices.approver, deed => counter::give_back(deed, &state.counter, id, missing)).unwrap();
        within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap();
        let other = appoint(state.deeds(), Role::Approver).await;
        within!(offices, other, deed => counter::refuse(deed, id, "x")).unwrap();
        complains(offices, id, REFUSED_ON).await.unwrap();
        let promoted = moves(state.deeds(), &offices.approver, "national").await;
        assert_eq!(code(decides(offices, &promoted, id, AppealOutcome::Upheld).await), "second-officer-needed");
        decides(offices, &chief(offices).await, id, AppealOutcome::Upheld).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_that_is_late_early_or_about_no_refusal_is_refused() {
    both(async |offices| {
        let id = refused(offices).await;
        offices.clock.advance(Duration::days(100));
        let (last, today) = (date!(2027 - 02 - 20), date!(2027 - 03 - 02));
        assert_eq!(code(complains(offices, id, last.next_day().unwrap()).await), "appeal-late");
        assert_eq!(code(complains(offices, id, REFUSED_ON.previous_day().unwrap()).await), "period-unfit");
        let state = &offices.state;
        let silent = within!(offices, offices.capture, deed => appeals::appeal(deed, &state.counter, id, " ", last));
        assert_eq!(code(silent), "reason-missing");
        // One of another office.
        let far = moves(state.deeds(), &appoint(state.deeds(), Role::Capture).await, "district-2").await;
        let elsewhere = within!(offices, far, deed => appeals::appeal(deed, &state.counter, id, "x", last));
        assert_eq!(code(elsewhere), "other-office");
        // Made in time, and entered later: it counts.
        complains(offices, id, last).await.unwrap();
        let open = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        assert_eq!(code(complains(offices, open, today).await), "appeal-unfit");
        let young = refused(offices).await;
        assert_eq!(code(complains(offices, young, today.next_day().unwrap()).await), "period-unfit", "tomorrow");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_applied_anew_or_has_a_card_by_now_complains_no_more() {
    both(async |offices| {
        let id = refused(offices).await;
        let person = offices.application(id).await.person;
        let again = offices.applies(person, Kind::First).await.unwrap();
        assert_eq!(code(complains(offices, id, REFUSED_ON).await), "application-open");
        offices.captures(again.id).await;
        let other = appoint(offices.state.deeds(), Role::Approver).await;
        offices.approves(&other, again.id).await.unwrap();
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &again.slip.0)).unwrap();
        assert_eq!(code(complains(offices, id, REFUSED_ON).await), "card-already-held");
        // The other way round: while a complaint is open no other application begins.
        let id = refused(offices).await;
        complains(offices, id, REFUSED_ON).await.unwrap();
        let person = offices.application(id).await.person;
        assert!(matches!(offices.applies(person, Kind::First).await, Err(CounterError::AlreadyOpen(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_ends_with_the_citizen_and_not_at_the_offices_wish() {
    both(async |offices| {
        let id = refused(offices).await;
        complains(offices, id, REFUSED_ON).await.unwrap();
        let cancelled =
            within!(offices, offices.capture, deed => production::withdrawal::cancel(deed, id, "old dossier"));
        assert_eq!(Problem::from(cancelled.unwrap_err()).code().word(), "stage-does-not-allow");
        let person = offices.application(id).await.person;
        changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        let ended = offices.application(id).await;
        assert!(matches!(ended.stage, Stage::Cancelled { withdrawn: false, .. }), "{:?}", ended.stage);
        assert_eq!((ended.progress.owner, ended.progress.due), (None, None));
    })
    .await;
}

/// The counter enters the paper by which the citizen takes the complaint back.
async fn takes_back(offices: &Offices, officer: &Officer, id: ApplicationId) -> Result<Application, CounterError> {
    within!(offices, officer, deed => appeals::take_back(deed, id, "Đơn rút khiếu nại ngày 22/11/2026"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_officer_ends_a_complaint_alone_and_who_takes_one_back_may_complain_anew() {
    both(async |offices| {
        let (id, chief, state) = (refused(offices).await, chief(offices).await, &offices.state);
        complains(offices, id, REFUSED_ON).await.unwrap();
        let promised = offices.application(id).await.progress.promised;
        // The officer who took it does not end it, by any verb of the counter.
        let withdrawn = within!(offices, offices.capture, deed => counter::withdraw(deed, id, "Không khiếu nại nữa"));
        assert_eq!(code(withdrawn), "stage-does-not-allow");
        let early = decides(offices, &chief, id, AppealOutcome::Discontinued).await;
        assert_eq!(code(early), "stage-does-not-allow", "without a paper of the citizen");
        let silent = within!(offices, offices.capture, deed => appeals::take_back(deed, id, " "));
        assert_eq!(code(silent), "reason-missing");
        offices.clock.advance(Duration::days(2));
        let back = takes_back(offices, &offices.capture, id).await.unwrap();
        assert_eq!((back.stage.name(), back.progress.promised), ("appealed", promised), "it waits on");
        assert_eq!(back.progress.owner, Some((OfficeCode::national(), Role::Approver)));
        // Nor does the one who took the paper, wherever that officer works now.
        let far = moves(state.deeds(), &appoint(state.deeds(), Role::Capture).await, "district-1").await;
        takes_back(offices, &far, id).await.unwrap();
        for officer in [&far, &offices.capture] {
            let clerk = moves(state.deeds(), officer, "national").await;
            let ends = decides(offices, &clerk, id, AppealOutcome::Discontinued).await;
            assert_eq!(code(ends), "second-officer-needed");
            moves(state.deeds(), officer, "district-1").await;
        }
        let ended = decides(offices, &chief, id, AppealOutcome::Discontinued).await.unwrap();
        let Stage::Refused { discontinued: Some(why), upheld: None, appeal_until, .. } = &ended.stage else {
            panic!("{:?}", ended.stage)
        };
        assert_eq!((why.on, why.withdrawal.taken.by, why.decision.by), (REFUSED_ON, far.id, chief.id));
        assert_eq!((ended.progress.owner, *appeal_until), (None, date!(2027 - 02 - 20)), "the term is as it was");
        let told = within!(offices, offices.capture, deed => notices::steps::of_application(deed, id)).unwrap();
        let kinds: Vec<_> = told.iter().map(|(notice, _)| notice.kind.word()).collect();
        assert_eq!(kinds, ["refused", "appeal-received", "appeal-discontinued"], "the citizen is told");
        let trail = offices.trail(Object::Application(id)).await;
        for action in ["application-appeal-taken-back", "application-appeal-discontinued"] {
            assert!(trail.iter().any(|did| did == action), "{action}: {trail:?}");
        }

        // Anew while the term runs; what is decided then counts the days since the refusal once.
        let tuesday = date!(2026 - 11 - 24);
        let again = complains(offices, id, tuesday).await.unwrap();
        assert!(matches!(&again.stage, Stage::Appealed { withdrawal: None, .. }), "{:?}", again.stage);
        let allowed = decides(offices, &chief, id, AppealOutcome::Allowed).await.unwrap();
        let days = (promised, allowed.progress.promised);
        assert_eq!(days, (Some(date!(2026 - 12 - 11)), Some(date!(2026 - 12 - 15))), "two working days");
        offices.counts_are_true().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_officer_may_decide_is_a_defect_that_says_what_helps() {
    both(async |offices| {
        let (id, deeds) = (refused(offices).await, offices.state.deeds());
        complains(offices, id, REFUSED_ON).await.unwrap();
        let defects = async || {
            let today = offices.clock.today();
            overdue::look(&mut deeds.db().begin_read().await.unwrap(), today).await.unwrap().defects
        };
        let of = |office: &str| Defect::NoDecider { application: id, office: office.to_owned() };
        let none = Defect::NoOfficer { office: "national".into(), owner: "approver".into(), waiting: 1 };
        assert_eq!(defects().await, [none]);
        // The only approver of the national office is the one who refused it.
        let refuser = moves(deeds, &offices.approver, "national").await;
        assert_eq!(defects().await, [of("national")]);
        let says = of("national").says();
        assert!(says.contains(&id.to_string()) && says.contains("appoint another approver"), "{says}");
        assert_eq!(code(decides(offices, &refuser, id, AppealOutcome::Upheld).await), "second-officer-needed");
        // The steps and the look have one rule: each who may decide ends the defect.
        let chief = chief(offices).await;
        assert_eq!(defects().await, []);
        decides(offices, &chief, id, AppealOutcome::Allowed).await.unwrap();

        // Decided anew: neither the refuser nor the one who allowed the complaint.
        let refuser = moves(deeds, &refuser, "district-1").await;
        assert_eq!(defects().await, [of("district-1")]);
        for officer in [&refuser, &chief] {
            assert_eq!(code(offices.approves(officer, id).await), "second-officer-needed");
        }
        let late = async || defects().await.contains(&of("district-1"));
        let elsewhere = moves(deeds, &appoint(deeds, Role::Approver).await, "district-2").await;
        assert!(late().await, "an approver of another office has no say");
        moves(deeds, &elsewhere, "district-1").await;
        assert_eq!(defects().await, []);
        offices.approves(&Officer { office: refuser.office.clone(), ..elsewhere }, id).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dossier_of_a_small_house_that_is_late_since_no_officer_may_decide_is_a_defect() {
    both(async |offices| {
        let deeds = offices.state.deeds();
        let application = offices.applies(offices.citizen().await, Kind::First).await.unwrap();
        offices.captures(application.id).await;
        // The approver captured it too, in another role.
        employs(deeds, &offices.approver, &[Role::Capture]).await;
        let portrait = offices.application(application.id).await.stage.capture_of().unwrap().portrait.clone();
        within!(offices, Officer { roles: vec![Role::Capture], ..offices.approver.clone() }, deed =>
            counter::capture(deed, application.id, portrait, "Nốt ruồi"))
        .unwrap();
        employs(deeds, &offices.approver, &[Role::Approver]).await;
        let defects = async || {
            let today = offices.clock.today();
            overdue::look(&mut deeds.db().begin_read().await.unwrap(), today).await.unwrap().defects
        };
        assert_eq!(defects().await, [], "it is in time");
        offices.clock.advance(Duration::days(10));
        let stuck = Defect::NoDecider { application: application.id, office: "district-1".into() };
        assert_eq!(defects().await, [stuck]);
        chief(offices).await;
        assert_eq!(defects().await, [], "the national office acts for all");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_that_was_taken_back_after_its_term_is_over_for_good() {
    both(async |offices| {
        let (id, chief) = (refused(offices).await, chief(offices).await);
        complains(offices, id, REFUSED_ON).await.unwrap();
        takes_back(offices, &offices.capture, id).await.unwrap();
        offices.clock.advance(Duration::days(100));
        let erased = async || runs(offices, false).await.iter().map(|figures| figures.erased).collect::<Vec<_>>();
        assert_eq!(erased().await[..2], [0, 0], "it is open");
        let ended = decides(offices, &chief, id, AppealOutcome::Discontinued).await.unwrap();
        assert_eq!(code(complains(offices, id, offices.clock.today()).await), "appeal-late");
        // From the end of the complaint, and with the dossier what the paper was.
        assert_eq!(ended.stage.closed_at(), Some(offices.clock.now()));
        offices.clock.advance(Duration::days(366 + 91));
        erased().await;
        let Stage::Refused { discontinued: Some(why), .. } = offices.application(id).await.stage else {
            panic!("not discontinued")
        };
        assert_eq!(why.withdrawal.paper, "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_erased_while_a_complaint_is_open_and_its_words_with_the_dossier() {
    both(async |offices| {
        let (id, chief) = (refused(offices).await, chief(offices).await);
        complains(offices, id, REFUSED_ON).await.unwrap();
        let erased = async || {
            let figures = runs(offices, false).await;
            assert!(figures.iter().all(|figures| figures.failed == 0), "{figures:?}");
            (figures[0].erased, figures[1].erased)
        };
        offices.clock.advance(Duration::days(800));
        assert_eq!(erased().await, (0, 0), "however long the decision takes");
        decides(offices, &chief, id, AppealOutcome::Upheld).await.unwrap();
        offices.clock.advance(Duration::days(89));
        assert_eq!(erased().await, (0, 0), "ninety days from the decision");
        offices.clock.advance(Duration::days(2));
        assert_eq!(erased().await, (1, 0));
        offices.clock.advance(Duration::days(365));
        assert_eq!(erased().await, (0, 1));
        let Stage::Refused { upheld: Some(upheld), .. } = offices.application(id).await.stage else {
            panic!("not upheld")
        };
        assert_eq!(upheld.complaint.words, "");
        // What is erased is no more complained about, also where the clock was wrong.
        let id = refused(offices).await;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let by_hand = sql!(
            "update closed_application set portrait_erased_at = $1, portrait_ground = 'x' where application_id = $2"
        );
        tx.run(by_hand, args![offices.clock.now(), id]).await.unwrap();
        tx.commit().await.unwrap();
        let today = offices.clock.today();
        assert_eq!(code(complains(offices, id, today).await), "erased");
    })
    .await;
}
