//! An order fits one chip, one counter value and one application; a receipt is believed only under the
//! chip's own MACs and signature.

use card_agent::client::{ActiveAuthentication, IdempotencyKey, Service, ServiceError};
use card_agent::failure::Code;
use card_agent::station::journal::Kind;
use crypto::perso::{self, LifeCycle, Presentation, Receipt};
use hardware_sim::InProcess;
use serde_json::json;
use tests::world::scratch;

use crate::bench::Counter;

fn present(chip: &InProcess) -> Presentation {
    chip.chip().reset();
    perso::present(&mut chip.clone()).unwrap()
}

/// Plays the order. Returns the chip's answers, and whether the order came to its end.
fn play(chip: &InProcess, order: &perso::Order) -> (Receipt, bool) {
    chip.chip().reset();
    let (receipt, cut) = perso::play(&mut chip.clone(), order, &mut |_| {});
    assert!(cut.is_none(), "the chip in process is always there: {cut:?}");
    let all = receipt.responses.len() == order.commands.len();
    (receipt.clone(), all && receipt.responses.last().is_some_and(|answer| answer.ends_with(&[0x90, 0x00])))
}

fn code<T: std::fmt::Debug>(answer: Result<T, ServiceError>) -> String {
    match answer {
        Err(ServiceError::Problem(problem)) => problem.code.to_string(),
        other => panic!("it should have been refused: {other:?}"),
    }
}

fn proof(signature: &str, challenge: &str) -> ActiveAuthentication {
    serde_json::from_value(json!({ "challenge": challenge, "signature": signature })).unwrap()
}

#[test]
fn an_order_is_worthless_on_another_chip_and_a_second_time() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let (chip, other) = (counter.blank(), counter.blank());
    for chip in [&chip, &other] {
        counter.run(Kind::Intake, chip, None).unwrap();
    }
    counter.approved(1);
    let ordered = counter.service.personalization_order(&present(&chip), None, &IdempotencyKey::fresh()).unwrap();

    let (receipt, complete) = play(&other, &ordered.order);
    assert!(!complete, "another chip took the order");
    assert_eq!(other.chip().life_cycle(), LifeCycle::Initialised);
    let outcome = counter.service.personalization_receipt(&receipt, None, &IdempotencyKey::fresh());
    assert!(outcome.map_or(true, |o| o.is_incomplete()), "another chip's receipt was taken");

    let (receipt, complete) = play(&chip, &ordered.order);
    assert!(complete);
    let (_, again) = play(&chip, &ordered.order);
    assert!(!again, "the same order was played twice");

    // A receipt alone is not enough, nor one with a signature that no key made.
    let bare = counter.service.personalization_receipt(&receipt, None, &IdempotencyKey::fresh()).unwrap();
    assert!(bare.is_incomplete(), "{bare:?}");
    let forged =
        proof(&"11".repeat(64), serde_json::to_value(&ordered.read_back).unwrap()["challenge"].as_str().unwrap());
    let refused = code(counter.service.personalization_receipt(&receipt, Some(&forged), &IdempotencyKey::fresh()));
    assert!(refused.contains("active-authentication"), "{refused}");
    assert_eq!(counter.stock(&chip), "bound");

    // The station's ordinary run finishes what was begun here by hand.
    assert_eq!(counter.run(Kind::Personalize, &chip, None).unwrap().outcome.word(), "personalized");
    assert_eq!(counter.stock(&other), "initialised");
}

#[test]
fn a_flipped_bit_in_any_answer_is_a_forged_receipt() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let chip = counter.blank();
    counter.run(Kind::Intake, &chip, None).unwrap();
    counter.approved(1);
    let ordered = counter.service.personalization_order(&present(&chip), None, &IdempotencyKey::fresh()).unwrap();
    let (receipt, complete) = play(&chip, &ordered.order);
    assert!(complete);
    let mut refused = 0;
    for step in 0..receipt.responses.len() {
        let body = receipt.responses[step].len().saturating_sub(2);
        for byte in [0, body / 2, body.saturating_sub(1)].into_iter().filter(|_| body > 0) {
            let mut forged = receipt.clone();
            forged.responses[step][byte] ^= 0x10;
            let answer = counter.service.personalization_receipt(&forged, None, &IdempotencyKey::fresh());
            // Answers outside the channel (SELECT) have no body; the presentation of INITIALIZE UPDATE is
            // covered by its cryptogram.
            assert_eq!(code(answer), "receipt-forged", "answer {step}, byte {byte}");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused} forgeries tried");
    for keep in 0..receipt.responses.len() {
        let cut = Receipt { responses: receipt.responses[..keep].to_vec(), ..receipt.clone() };
        let answer = counter.service.personalization_receipt(&cut, None, &IdempotencyKey::fresh()).unwrap();
        assert!(answer.is_incomplete(), "{keep} of {} answers were believed", receipt.responses.len());
    }
}

#[test]
fn a_cancelled_application_ends_the_order() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let chip = counter.blank();
    counter.run(Kind::Intake, &chip, None).unwrap();
    let issued = counter.approved(1);
    let ordered = counter.service.personalization_order(&present(&chip), None, &IdempotencyKey::fresh()).unwrap();
    counter.offices.officers.capture.cancels(&issued.application, "citizen withdrew").unwrap();
    let (receipt, _) = play(&chip, &ordered.order);
    let refused = code(counter.service.personalization_receipt(&receipt, None, &IdempotencyKey::fresh()));
    assert_eq!(refused, "application-cancelled");
    let refused = code(counter.service.personalization_order(&present(&chip), None, &IdempotencyKey::fresh()));
    assert_eq!(refused, "application-cancelled");
    assert_eq!(counter.stock(&chip), "spoiled", "the chip carries a card that was cancelled");
}

#[test]
fn lies_about_a_chip_gain_nothing() {
    let scratch = scratch();
    let mut counter = Counter::open(&scratch.path().join("offices"));
    let chip = counter.blank();
    counter.run(Kind::Intake, &chip, None).unwrap();
    counter.approved(1);
    let honest = present(&chip);

    // "It is personalized already": the service asks for the chip's own report, and the chip says that it is not.
    let lie = Presentation { life_cycle: LifeCycle::Personalized, ..honest.clone() };
    if let Ok(ordered) = counter.service.personalization_order(&lie, None, &IdempotencyKey::fresh()) {
        let (receipt, _) = play(&chip, &ordered.order);
        let answer = counter.service.personalization_receipt(&receipt, None, &IdempotencyKey::fresh());
        assert!(answer.map_or(true, |o| o.is_incomplete()), "a lie became a card");
    }
    // A counter value that the chip has not reached: it refuses the session.
    let lie = Presentation { sequence_counter: honest.sequence_counter + 7, ..present(&chip) };
    let ordered = counter.service.personalization_order(&lie, None, &IdempotencyKey::fresh()).unwrap();
    assert!(!play(&chip, &ordered.order).1);
    // A chip that was never delivered.
    let stranger = Presentation { serial: hardware_sim::serial(77, 7), ..present(&chip) };
    assert_eq!(code(counter.service.personalization_order(&stranger, None, &IdempotencyKey::fresh())), "chip-unknown");
    assert_eq!(code(counter.service.intake_order(&stranger, &IdempotencyKey::fresh())), "chip-unknown");

    let done = counter.run(Kind::Personalize, &chip, None).unwrap();
    assert_eq!(done.outcome.word(), "personalized");
    let again = counter.run(Kind::Personalize, &chip, None).expect_err("personalized twice");
    assert_eq!(again.code, Code::ServiceRefusedChip);
}
