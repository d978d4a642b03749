//! What a dishonest station can try: change, replay, swap, shorten, invent, and lie.

use super::*;

/// Returns a script, its order and the genuine receipt, for an intake and for a personalization.
fn genuine() -> Vec<(Service, Script, Order, Receipt)> {
    let play_one = |purpose: Purpose| {
        let mut service = Service::new();
        let mut chip = match purpose {
            Purpose::Intake => service.blank(SERIAL, AtrInfo::SHORT),
            _ => initialised(&mut service, SERIAL, AtrInfo::SHORT),
        };
        let presented = present(&mut chip).unwrap();
        let script = match purpose {
            Purpose::Intake => service.intake(&presented),
            _ => service.personalize(&presented, &small()),
        };
        let order = script.order("o");
        let (receipt, trouble) = play(&mut chip, &order, &mut |_| {});
        assert_eq!(trouble, None);
        assert!(service.judge(&script, &receipt).is_ok());
        (service, script, order, receipt)
    };
    vec![play_one(Purpose::Intake), play_one(Purpose::Personalize)]
}

#[test]
fn every_flipped_bit_of_a_receipt_is_refused_and_the_step_named() {
    for (service, script, _, receipt) in genuine() {
        let keys = service.keys(&SERIAL, script.to_record().key_version());
        for index in 0..receipt.responses.len() {
            for bit in 0..receipt.responses[index].len() * 8 {
                let mut flipped = receipt.clone();
                flipped.responses[index][bit / 8] ^= 1 << (bit % 8);
                let error = script.verify(&keys, &flipped).expect_err("a flipped bit");
                assert_eq!((error.index, error.step), (index, StepName::Of(script.steps()[index])));
                assert!(matches!(error.reason, Reason::Forged(_) | Reason::Refused(_)), "{error}");
            }
        }
    }
}

/// Whatever bit is flipped on the way to the chip, the receipt proves nothing and names the step, and
/// the chip stays what it was.
///
/// The last byte of each command, Le, is left alone: SCP03 does not cover it, and it asks for nothing but room.
#[test]
fn every_flipped_bit_of_an_order_is_refused_by_the_chip() {
    for purpose in [Purpose::Intake, Purpose::Personalize] {
        let start = || {
            let mut service = Service::new();
            let mut chip = service.blank(SERIAL, AtrInfo::SHORT);
            if purpose == Purpose::Personalize {
                // By hand, since 10,000 intakes would take their time.
                (chip.keys, chip.key_version) = (service.keys(&SERIAL, ISSUER), ISSUER);
                chip.life_cycle = LifeCycle::Initialised;
            }
            let presented = present(&mut chip).unwrap();
            let script = match purpose {
                Purpose::Intake => service.intake(&presented),
                _ => service.personalize(&presented, &small()),
            };
            (service, chip, script)
        };
        let (service, _, script) = start();
        let order = script.order("o");
        let keys = service.keys(&SERIAL, script.to_record().key_version());
        for (index, step) in script.steps().into_iter().enumerate() {
            // Key generation is slow and its command short: every bit of it, but not of what follows it at intake.
            if purpose == Purpose::Intake && matches!(step, ScriptStep::SetStatus(_) | ScriptStep::Report) {
                continue;
            }
            let covered = order.commands[index].len() - usize::from(index != 0 && index != 2);
            for bit in 0..covered * 8 {
                let mut flipped = order.clone();
                flipped.commands[index][bit / 8] ^= 1 << (bit % 8);
                if Command::parse(&flipped.commands[index]).is_err() {
                    continue; // its length contradicts itself: no reader sends it, a chip answers 6700
                }
                let (_, mut chip, _) = start();
                let (receipt, _) = play(&mut chip, &flipped, &mut |_| {});
                let error = script.verify(&keys, &receipt).expect_err("a flipped bit");
                assert_eq!(error.index, index, "{step} bit {bit}: {error}");
                // SELECT is not protected: with another P2 it selects as well, and the rest of the
                // order is the genuine one.
                let committed = index == 0 || step == ScriptStep::Report;
                assert!(committed || chip.life_cycle == start().1.life_cycle, "{step} bit {bit}");
            }
        }
    }
}

#[test]
fn an_order_is_played_once() {
    let mut service = Service::new();
    let mut chip = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    let presented = present(&mut chip).unwrap();
    let script = service.personalize(&presented, &small());
    // The card was pulled after STORE DATA 0, and the same order is played again.
    chip.power_off();
    chip.cut = Some(Cut::After(3));
    carry(&mut chip, &script);
    let again = carry(&mut chip, &script);
    assert_eq!(again.responses.len(), 3, "SELECT, INITIALIZE UPDATE, and the refusal");
    assert_eq!(again.responses[2], [0x63, 0x00]);
    let error = service.judge(&script, &again).unwrap_err();
    assert_eq!(error.step, StepName::Of(ScriptStep::InitializeUpdate), "another challenge than computed");
    assert_eq!(chip.life_cycle, LifeCycle::Initialised);
    // The two halves together are no receipt either.
    let script = service.personalize(&present(&mut chip).unwrap(), &small());
    let other = service.personalize(&present(&mut chip).unwrap(), &small());
    assert!(service.judge(&script, &carry(&mut chip, &script)).is_ok());
    let late = carry(&mut chip, &other);
    assert!(service.judge(&other, &late).is_err(), "of two orders for one counter one at most works");
}

#[test]
fn an_order_for_one_chip_is_refused_by_another() {
    let mut service = Service::new();
    let mut ours = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    let mut theirs = initialised(&mut service, OTHER, AtrInfo::SHORT);
    let script = service.personalize(&present(&mut ours).unwrap(), &small());
    let receipt = carry(&mut theirs, &script);
    assert_eq!(receipt.responses.last().unwrap()[..], [0x63, 0x00]);
    assert_eq!(theirs.life_cycle, LifeCycle::Initialised);
    assert!(theirs.files.is_empty());
    let error = service.judge(&script, &receipt).unwrap_err();
    assert_eq!(error.step, StepName::Of(ScriptStep::InitializeUpdate));
}

#[test]
fn a_receipt_cut_short_is_incomplete_and_no_success() {
    for (service, script, _, receipt) in genuine() {
        for length in 0..receipt.responses.len() {
            let short = Receipt { responses: receipt.responses[..length].to_vec(), ..receipt.clone() };
            let error = service.judge(&script, &short).unwrap_err();
            assert_eq!((error.index, &error.reason), (length, &Reason::Incomplete), "{error}");
            let mut refused = short.clone();
            refused.responses.push(vec![0x69, 0x85]);
            let error = service.judge(&script, &refused).unwrap_err();
            assert_eq!((error.index, error.reason), (length, Reason::Refused(Status::CONDITIONS_NOT_SATISFIED)));
        }
        let mut long = receipt.clone();
        long.responses.push(vec![0x90, 0x00]);
        let error = service.judge(&script, &long).unwrap_err();
        assert_eq!((error.step, error.reason), (StepName::BehindTheLast, Reason::Surplus));
    }
}

#[test]
fn answers_are_refused_at_any_other_place() {
    for (service, script, _, receipt) in genuine() {
        for a in 0..receipt.responses.len() {
            for b in a + 1..receipt.responses.len() {
                if receipt.responses[a] == receipt.responses[b] {
                    continue; // the bare 9000 of SELECT and EXTERNAL AUTHENTICATE
                }
                let mut swapped = receipt.clone();
                swapped.responses.swap(a, b);
                assert_eq!(service.judge(&script, &swapped).unwrap_err().index, a);
            }
        }
        for index in 3..receipt.responses.len() {
            let mut bare = receipt.clone();
            bare.responses[index] = vec![0x90, 0x00];
            let error = service.judge(&script, &bare).unwrap_err();
            assert_eq!((error.index, error.reason), (index, Reason::Forged("SCP03: an answer without R-MAC")));
        }
    }
}

#[test]
fn a_lie_in_the_presentation_makes_the_order_fail() {
    let mut service = Service::new();
    let mut chip = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    let truth = present(&mut chip).unwrap();
    for lie in [
        Presentation { serial: OTHER, ..truth.clone() },
        Presentation { key_version: TRANSPORT, ..truth.clone() },
        Presentation { sequence_counter: truth.sequence_counter + 1, ..truth.clone() },
        Presentation { sequence_counter: truth.sequence_counter - 1, ..truth.clone() },
        Presentation { life_cycle: LifeCycle::Blank, ..truth.clone() },
        Presentation { life_cycle: LifeCycle::Blank, key_version: TRANSPORT, ..truth.clone() },
    ] {
        let mut chip = initialised(&mut Service::new(), SERIAL, AtrInfo::SHORT);
        let script = match lie.life_cycle {
            LifeCycle::Blank => service.intake(&lie),
            _ => service.personalize(&lie, &small()),
        };
        let receipt = carry(&mut chip, &script);
        assert!(service.judge(&script, &receipt).is_err(), "{lie:?}");
        assert_eq!((chip.life_cycle, chip.key_version), (LifeCycle::Initialised, ISSUER));
        assert!(chip.files.is_empty());
    }
}

#[test]
fn a_chip_that_reports_something_else_is_found_out() {
    let mut service = Service::new();
    let mut chip = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    chip.lies_about_digest = true;
    let script = service.personalize(&present(&mut chip).unwrap(), &small());
    let receipt = carry(&mut chip, &script);
    let error = service.judge(&script, &receipt).unwrap_err();
    assert_eq!(
        (error.step, error.reason),
        (StepName::Of(ScriptStep::Report), Reason::Unexpected("other files than it was given"))
    );
}

#[test]
fn a_receipt_is_judged_with_the_keys_that_opened_the_session() {
    for (service, script, _, receipt) in genuine() {
        let version = script.to_record().key_version();
        let wrong = service.keys(&SERIAL, if version == ISSUER { TRANSPORT } else { ISSUER });
        assert_eq!(script.verify(&wrong, &receipt).unwrap_err().reason, Reason::Record);
    }
}

#[test]
fn orders_receipts_and_records_show_no_plaintext_and_no_key() {
    for (service, script, order, receipt) in genuine() {
        let all = [order.commands.concat(), receipt.responses.concat()].concat();
        let record = serde_json::to_string(&script.to_record()).unwrap();
        let contains = |needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
        for version in [TRANSPORT, ISSUER] {
            for key in service.keys(&SERIAL, version).to_bytes().chunks(16) {
                assert!(!contains(key) && !record.contains(&hex::encode(key)));
            }
        }
        for (_, content) in small().files() {
            assert!(!content.windows(8).any(&contains), "eight bytes of a file in the clear");
        }
        assert!(!contains(b"123456"));
        assert_eq!(
            format!("{order:?}"),
            format!("Order(o: {} {SERIAL}, {} commands)", order.purpose, order.commands.len())
        );
        assert!(format!("{:?} {script:?}", small()).len() < 300, "no contents");
    }
}

#[test]
fn steps_are_named_as_they_are_sent() {
    let names = |script: &Script| script.steps().iter().map(ToString::to_string).collect::<Vec<_>>();
    let [(_, intake, order, _), (_, personalize, ..)] = &genuine()[..] else { unreachable!() };
    assert_eq!(intake.steps()[4], ScriptStep::GenerateKeyPair(KeyUse::ActiveAuthentication));
    assert_eq!(intake.steps().len(), order.commands.len());
    assert_eq!(
        names(personalize)[..5],
        ["SELECT", "INITIALIZE UPDATE", "EXTERNAL AUTHENTICATE", "STORE DATA 0", "STORE DATA 1"]
    );
    for (script, ins) in [
        (intake, [0xa4, 0x50, 0x82, 0xd8, 0x46, 0x46, 0xf0, 0xca]),
        (personalize, [0xa4, 0x50, 0x82, 0xe2, 0xe2, 0xe2, 0xf0, 0xca]),
    ] {
        assert_eq!(script.order("o").commands.iter().map(|c| c[1]).collect::<Vec<_>>(), ins);
    }
}
