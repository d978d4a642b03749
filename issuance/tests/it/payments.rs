//! Fees: payments, exemptions, what undoes them, and the takings of a day, on SQLite and on PostgreSQL.

use std::process::Command;

use issuance::applications::fees::PayBefore;
use issuance::applications::model::{Application, ChangeReason, Kind};
use issuance::applications::payments::{self, ExemptionGround, FeeAccount, FeeUndoing, Payment, PaymentMethod};
use issuance::applications::steps::{self as counter, Request};
use issuance::applications::store::payments::{self as store, DaySum};
use issuance::applications::{CounterError, hand_over};
use issuance::deed::Occasion;
use issuance::ground::ids::{ApplicationId, FeeEntryId, PersonId};
use issuance::ground::{Id, Officer, Role};
use issuance::web::Problem;
use issuance::{args, cards, production, sql};
use time::macros::{date, datetime};
use time::{Date, Duration};

use crate::offices::{Offices, appoint, moves, within};
use crate::retention::runs;
use crate::tables::fresh_database;

/// Runs a test where the fee must be settled before this step, on SQLite and on PostgreSQL.
async fn both(before: PayBefore, test: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let rule = |settings: &mut issuance::server::Settings| settings.applications.fees.pay_before = before;
        let opened = Offices::open_where(database, datetime!(2026-11-22 08:30 UTC), rule);
        let offices = Box::new(Box::pin(opened).await);
        Box::pin(test(offices.as_ref())).await;
    }
}

const TODAY: Date = date!(2026 - 11 - 22);

/// An application that costs 50,000 đồng.
async fn applies(offices: &Offices, person: PersonId, exempt: bool) -> Result<Application, CounterError> {
    let office = "district-1".parse().unwrap();
    let (kind, acknowledged) = (Kind::Change(ChangeReason::OnRequest), Some("a card of before the register"));
    let request = Request { person, kind, office: &office, exempt, claim: None, acknowledged };
    within!(offices, offices.capture, deed => counter::register(deed, &offices.state.counter, request))
}

async fn pays(
    offices: &Offices,
    officer: &Officer,
    id: ApplicationId,
    (dong, receipt, on): (u32, &str, Date),
) -> Result<FeeAccount, CounterError> {
    let payment = Payment { dong, method: PaymentMethod::Cash, receipt, on };
    within!(offices, officer, deed => payments::pay(deed, id, payment))
}

async fn undoes(
    offices: &Offices,
    officer: &Officer,
    (id, entry): (ApplicationId, FeeEntryId),
    how: FeeUndoing,
) -> Result<FeeAccount, CounterError> {
    within!(offices, officer, deed => payments::undo(deed, id, entry, how, "entered twice"))
}

fn code<T: std::fmt::Debug>(refused: Result<T, impl Into<Problem>>) -> String {
    refused.map_err(Into::into).unwrap_err().code().word().to_owned()
}

async fn takings(offices: &Offices, office: &str) -> (Vec<i64>, DaySum) {
    takings_of(offices, office, offices.clock.today()).await
}

async fn takings_of(offices: &Offices, office: &str, day: Date) -> (Vec<i64>, DaySum) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let office = office.parse().unwrap();
    let entries = store::of_day(&mut tx, &office, day, Id::nil(), 100).await.unwrap();
    let sum = store::sum_of_day(&mut tx, &office, day).await.unwrap();
    (entries.iter().filter_map(|(_, entry)| entry.as_ref().map(|entry| entry.dong)).collect(), sum)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_is_paid_once_against_a_receipt_and_the_takings_of_the_day_add_up() {
    both(PayBefore::Never, async |offices| {
        let id = applies(offices, offices.citizen().await, false).await.unwrap().id;
        let (clerk, other) = (&offices.capture, &offices.counter);
        for (dong, on, refused) in [
            (49_999, TODAY, "fee-payment-unfit"),
            (0, TODAY, "fee-payment-unfit"),
            (100_000, TODAY, "fee-payment-unfit"),
            (50_000, date!(2026 - 11 - 23), "period-unfit"),
            (50_000, date!(2026 - 11 - 21), "period-unfit"),
        ] {
            assert_eq!(code(pays(offices, clerk, id, (dong, "A 1", on)).await), refused, "{dong} {on}");
        }
        assert_eq!(code(pays(offices, clerk, id, (50_000, " ", TODAY)).await), "reason-missing");
        let paid = pays(offices, clerk, id, (50_000, "A 1", TODAY)).await.unwrap();
        assert_eq!((paid.due(), paid.entries.len()), (0, 1));
        assert_eq!(code(pays(offices, other, id, (50_000, "A 2", TODAY)).await), "fee-payment-unfit", "nothing is due");
        let second = applies(offices, offices.citizen().await, false).await.unwrap().id;
        assert_eq!(code(pays(offices, clerk, second, (50_000, "A 1", TODAY)).await), "receipt-taken");
        pays(offices, clerk, second, (50_000, "A 2", TODAY)).await.unwrap();

        let entry = paid.entries[0].id;
        assert_eq!(code(undoes(offices, clerk, (id, entry), FeeUndoing::Void).await), "second-officer-needed");
        let of_another = undoes(offices, other, (second, entry), FeeUndoing::Void).await;
        assert_eq!(code(of_another), "fee-entry-unfit");
        let undone = undoes(offices, other, (id, entry), FeeUndoing::Void).await.unwrap();
        assert_eq!((undone.due(), undone.entries.len()), (50_000, 2));
        assert_eq!(code(undoes(offices, other, (id, entry), FeeUndoing::Refund).await), "fee-entry-unfit");
        assert_eq!(
            code(undoes(offices, clerk, (id, undone.entries[1].id), FeeUndoing::Void).await),
            "fee-entry-unfit",
            "what undoes an entry stays"
        );
        let sum = DaySum { taken: 100_000, returned: 50_000, unreadable: 0 };
        assert_eq!(takings(offices, "district-1").await, (vec![50_000, 50_000, -50_000], sum));
        assert_eq!(takings(offices, "district-2").await, (vec![], DaySum::default()));
        // A receipt that was struck out is entered anew, however it is typed; one that counts is not.
        for (receipt, refused) in [("a-2", "receipt-taken"), ("=A1", "fee-payment-unfit"), ("А 1", "fee-payment-unfit")]
        {
            let again = pays(offices, clerk, id, (50_000, receipt, TODAY)).await;
            assert_eq!(code(again), refused, "{receipt}");
        }
        pays(offices, clerk, id, (50_000, "a1", TODAY)).await.unwrap();
        // An entry that another hand changed is in no sum, and stops none.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update fee_entry set dong = 1 where id = $1"), args![entry]).await.unwrap();
        tx.commit().await.unwrap();
        let sum = DaySum { taken: 100_000, returned: 50_000, unreadable: 1 };
        assert_eq!(takings(offices, "district-1").await, (vec![50_000, -50_000, 50_000], sum));

        // Ended without a card: nothing is paid any more, and what was paid is given back.
        within!(offices, clerk, deed => production::withdrawal::cancel(deed, second, "went home")).unwrap();
        within!(offices, clerk, deed => production::withdrawal::cancel(deed, id, "went home")).unwrap();
        assert_eq!(code(pays(offices, clerk, id, (50_000, "A 3", TODAY)).await), "stage-does-not-allow");
        let account = within!(offices, other, deed => payments::read(deed, second)).unwrap();
        undoes(offices, other, (second, account.entries[0].id), FeeUndoing::Refund).await.unwrap();
        let (entries, sum) = takings(offices, "district-1").await;
        assert_eq!((entries.iter().sum::<i64>(), sum.taken - sum.returned), (0, 0));
        // What another hand changed is not believed.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update fee_entry set settles = 0 where id = $1"), args![entry]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(code(within!(offices, other, deed => payments::read(deed, id))), "record-tampered");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_waits_for_the_fee_where_the_house_says_so_and_an_exemption_has_a_ground() {
    both(PayBefore::Approval, async |offices| {
        let person = offices.citizen().await;
        assert_eq!(code(applies(offices, person, true).await), "reason-missing", "no exemption without a ground");
        let id = applies(offices, person, false).await.unwrap().id;
        offices.captures(id).await;
        let unpaid = Problem::from(offices.approves(&offices.approver, id).await.unwrap_err());
        assert_eq!(unpaid.code().word(), "fee-unpaid");
        assert_eq!(offices.application(id).await.stage.name(), "captured", "nothing moved");
        let exempts = async |ground, evidence: &str| {
            within!(offices, offices.capture, deed => payments::exempt(deed, id, ground, evidence))
        };
        assert_eq!(code(exempts(ExemptionGround::OrphanUnder18, "x").await), "fee-payment-unfit", "26 years old");
        assert_eq!(code(exempts(ExemptionGround::PoorHousehold, " ").await), "reason-missing");
        let free = exempts(ExemptionGround::PoorHousehold, "Giấy chứng nhận hộ nghèo 12/2026").await.unwrap();
        assert_eq!(free.due(), 0);
        assert_eq!(code(exempts(ExemptionGround::BorderCommune, "x").await), "fee-payment-unfit", "nothing is due");
        // Struck out by a second officer, it is due again.
        let entry = free.entries[0].id;
        assert_eq!(code(undoes(offices, &offices.counter, (id, entry), FeeUndoing::Refund).await), "fee-entry-unfit");
        undoes(offices, &offices.counter, (id, entry), FeeUndoing::Void).await.unwrap();
        assert_eq!(code(offices.approves(&offices.approver, id).await), "fee-unpaid");
        pays(offices, &offices.counter, id, (50_000, "A 1", TODAY)).await.unwrap();
        assert_eq!(takings(offices, "district-1").await.0, [0, 0, 50_000]);
        assert_eq!(offices.approves(&offices.approver, id).await.unwrap().stage.name(), "approved");
        // A first card costs nothing.
        let first = offices.approved(offices.citizen().await, Kind::First).await;
        assert_eq!((first.fee, first.stage.name()), (0, "approved"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_handed_over_once_its_fee_is_paid_where_the_house_says_so() {
    both(PayBefore::HandOver, async |offices| {
        let application = applies(offices, offices.citizen().await, false).await.unwrap();
        let (id, slip) = (application.id, application.slip.0.as_str());
        offices.captures(id).await;
        offices.approves(&offices.approver, id).await.unwrap();
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        let hands_over = async |slip: &str| {
            within!(offices, offices.counter, deed =>
                hand_over::hand_over_settled(deed, &offices.state.counter, card, slip))
        };
        assert_eq!(code(hands_over("AAAAA00001").await), "slip-mismatch", "the slip is asked first");
        assert_eq!(code(hands_over(slip).await), "fee-unpaid");
        assert_eq!(offices.application(id).await.stage.name(), "personalized");
        let read = within!(offices, offices.counter, deed => cards::steps::read(deed, card, Occasion::default()));
        assert!(!read.unwrap().status.is_active(), "nothing of the hand-over is true");
        pays(offices, &offices.counter, id, (50_000, "A 1", TODAY)).await.unwrap();
        hands_over(slip).await.unwrap();
        assert_eq!(offices.application(id).await.stage.name(), "handed-over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_step_asks_for_it_a_card_is_made_unpaid_and_the_evidence_goes_with_the_dossier() {
    both(PayBefore::Never, async |offices| {
        let application = applies(offices, offices.citizen().await, false).await.unwrap();
        offices.captures(application.id).await;
        offices.approves(&offices.approver, application.id).await.unwrap();
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        within!(offices, offices.counter, deed =>
            hand_over::hand_over_settled(deed, &offices.state.counter, card, &application.slip.0))
        .unwrap();

        let id = applies(offices, offices.citizen().await, false).await.unwrap().id;
        let evidence = "Giấy chứng nhận hộ nghèo";
        let poor = ExemptionGround::PoorHousehold;
        within!(offices, offices.capture, deed => payments::exempt(deed, id, poor, evidence)).unwrap();
        within!(offices, offices.capture, deed => production::withdrawal::cancel(deed, id, "went home")).unwrap();
        let words = async || {
            let account = within!(offices, offices.counter, deed => payments::read(deed, id)).unwrap();
            account.entries[0].words.clone()
        };
        assert_eq!(words().await.as_deref(), Some(evidence));
        offices.clock.advance(Duration::days(366));
        runs(offices, false).await;
        assert_eq!(words().await, None);
        let account = within!(offices, offices.counter, deed => payments::read(deed, id)).unwrap();
        assert_eq!((account.due(), account.entries[0].ground), (0, Some(poor)), "the ground stays");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fee_of_another_office_is_not_taken_and_the_national_office_has_a_till_of_its_own() {
    both(PayBefore::Never, async |offices| {
        let id = applies(offices, offices.citizen().await, false).await.unwrap().id;
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Capture).await, "district-2").await;
        assert_eq!(code(pays(offices, &far, id, (50_000, "A 1", TODAY)).await), "other-office");
        let national = moves(deeds, &appoint(deeds, Role::Capture).await, "national").await;
        pays(offices, &national, id, (50_000, "A 1", TODAY)).await.unwrap();
        assert_eq!(takings(offices, "national").await.1.taken, 50_000);
        let entry = within!(offices, national, deed => payments::read(deed, id)).unwrap().entries[0].id;
        let back = undoes(offices, &offices.counter, (id, entry), FeeUndoing::Refund).await;
        assert_eq!(code(back), "other-office", "the till of another office");
        assert_eq!(takings(offices, "district-1").await.1.taken, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_takings_of_a_day_that_is_over_stay_what_they_are() {
    both(PayBefore::Never, async |offices| {
        let (clerk, other) = (&offices.capture, &offices.counter);
        let first = applies(offices, offices.citizen().await, false).await.unwrap().id;
        let late = applies(offices, offices.citizen().await, false).await.unwrap().id;
        let paid = pays(offices, clerk, first, (50_000, "A 1", TODAY)).await.unwrap();
        let closed = takings(offices, "district-1").await;
        offices.clock.advance(Duration::days(1));
        // A payment of yesterday, a payment of today, and yesterday's given back: all of them are entries of today.
        let of_yesterday = pays(offices, clerk, late, (50_000, "A 2", TODAY)).await.unwrap();
        let entry = &of_yesterday.entries[0];
        assert_eq!((entry.day, entry.paid_on), (date!(2026 - 11 - 23), Some(TODAY)), "and it says of when it is");
        undoes(offices, other, (first, paid.entries[0].id), FeeUndoing::Refund).await.unwrap();
        pays(offices, clerk, first, (50_000, "A 3", date!(2026 - 11 - 23))).await.unwrap();
        assert_eq!(takings_of(offices, "district-1", TODAY).await, closed);
        let sum = DaySum { taken: 100_000, returned: 50_000, unreadable: 0 };
        assert_eq!(takings(offices, "district-1").await, (vec![50_000, -50_000, 50_000], sum));
    })
    .await;
}

/// The command goes by the computer's clock; the day is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_a_day_and_its_sum() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    let id = applies(&offices, offices.citizen().await, false).await.unwrap().id;
    pays(&offices, &offices.capture, id, (50_000, "A/ 1", TODAY)).await.unwrap();
    let run = async |more: &'static [&'static str]| {
        let data = offices.data.path().to_owned();
        let run = move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.args(["fees", "--office", "district-1", "--day", "2026-11-22", "--data"]).arg(data).args(more);
            command.output().unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    let text = run(&[]).await;
    assert!(text.contains("district-1, 2026-11-22: 50000 đồng taken, 0 returned, 50000 left"), "{text}");
    let csv = run(&["--csv"]).await;
    assert!(csv.starts_with("entry,application,kind,dong,method,receipt,ground,officer,paid_on\n"), "{csv}");
    assert!(csv.trim_end().ends_with(",2026-11-22"), "{csv}");
    assert!(csv.contains(&format!(",{id},payment,50000,cash,A/ 1,,")), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&run(&["--json"]).await).unwrap();
    assert_eq!((&json["balance_dong"], &json["items"][0]["dong"]), (&50_000.into(), &50_000.into()));
}
