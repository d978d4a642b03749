//! The log-in of a citizen, both sides of it, with a chip in process: the agent at the reader opens and carries, the
//! service is the terminal.

use crypto::apdu::{Command, Response};
use crypto::conversation::{CardTransport, Conversation as _, Fault, Turn, step};
use crypto::inspection::LineError;
use crypto::log_in::agent::Relay;
use crypto::log_in::protocol::Under;
use crypto::log_in::{Document, Files, LogIn, LoggedIn, Refusal};
use crypto::pki::TrustStore;
use hardware_sim::specimen::{Authority, Specimen};
use hardware_sim::{InProcess, InProcessError, Profile};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use time::OffsetDateTime;
use time::macros::datetime;

const AT: OffsetDateTime = datetime!(2026-11-27 08:00 UTC);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn card(seed: u64, number: u32, profile: &Profile) -> (Authority, Specimen) {
    let authority = Authority::of(seed).expect("every seed founds one");
    let specimen = authority.card(number, profile).expect("every profile becomes a card");
    (authority, specimen)
}

fn trust(authority: &Authority) -> TrustStore {
    TrustStore::new(vec![authority.csca().clone()])
}

/// The service's dialogue, as far as it is: what it asks for next, or what came of it.
fn serve<T: CardTransport>(
    relay: &mut Relay<'_, T>,
    document: Document,
    spoil: &mut dyn FnMut(usize, &mut Response),
) -> Result<(LoggedIn, usize), Refusal> {
    let talk: LogIn = document.begin(&mut rng())?;
    let (mut turn, mut steps) = (talk.open()?, 0);
    loop {
        turn = match turn {
            Turn::Done(logged_in) => return Ok((logged_in, steps)),
            Turn::Ask(talk, command) => {
                let under = if talk.is_proving() { Under::Agent } else { Under::Chip };
                let mut answer = relay.carry(under, &command).map_err(|error| match error {
                    LineError::Chip(fault) => Refusal::Unproved(fault),
                    _ => Refusal::Unproved(Fault::Misbehaved("the card is gone")),
                })?;
                spoil(steps, &mut answer);
                steps += 1;
                step(talk, answer)?
            }
        };
    }
}

#[test]
fn a_card_logs_in_with_long_and_with_short_answers_and_shows_that_it_is_there() {
    for (profile, most) in [(Profile::default(), 8), (Profile::short(), 40)] {
        let (authority, specimen) = card(1, 1, &profile);
        let (can, zone) = (specimen.can, specimen.mrz[0].clone());
        let mut chip = InProcess::new(specimen.chip);
        let handle = chip.clone();
        let (mut relay, files) = Relay::open(&mut chip, can, &mut rng()).unwrap();
        let document = files.verify(&trust(&authority), AT).unwrap();
        let fingerprint = *document.fingerprint();
        let (mut logged_in, steps) = serve(&mut relay, document, &mut |_, _| {}).unwrap();
        assert!(steps <= most, "{steps} steps");
        assert_eq!(logged_in.fingerprint, fingerprint);
        let crypto::lds::Dg1::Td1(read) = &logged_in.dg1 else { panic!("no TD1") };
        assert!(zone.contains(&read.document_number.to_string()), "{zone}");
        for _ in 0..3 {
            let asked = logged_in.presence.ask().unwrap();
            let answer = relay.carry(Under::Chip, &asked).unwrap();
            logged_in.presence.proved_by(&answer).unwrap();
        }
        // Taken out and put in again, it is another power cycle: the channel is gone for good.
        handle.chip().remove();
        handle.chip().insert();
        let asked = logged_in.presence.ask().unwrap();
        let proved = match relay.carry(Under::Chip, &asked) {
            Ok(answer) => logged_in.presence.proved_by(&answer).is_ok(),
            Err(_) => false,
        };
        assert!(!proved, "another power cycle answered under the old channel");
    }
}

#[test]
fn another_can_opens_no_chip() {
    let (_, specimen) = card(1, 1, &Profile::default());
    let other = if specimen.can.as_str() == "000000" { "000001" } else { "000000" };
    let mut chip = InProcess::new(specimen.chip);
    let opened = Relay::open(&mut chip, other.parse().unwrap(), &mut rng());
    assert!(matches!(opened.err(), Some(LineError::Chip(Fault::WrongPassword { .. }))));
}

#[test]
fn files_that_this_state_did_not_sign_so_are_refused() {
    let (authority, specimen) = card(1, 1, &Profile::default());
    let (elsewhere, _) = card(2, 1, &Profile::default());
    let (_, second) = card(1, 2, &Profile::default());
    let read = |specimen: Specimen| {
        let mut chip = InProcess::new(specimen.chip);
        Relay::open(&mut chip, specimen.can, &mut rng()).unwrap().1
    };
    let (files, other) = (read(specimen), read(second));
    assert!(matches!(files.clone().verify(&trust(&elsewhere), AT), Err(Refusal::Foreign(_))));
    let altered = |files: Files| matches!(files.verify(&trust(&authority), AT), Err(Refusal::Altered(_)));
    assert!(altered(Files { dg14: other.dg14.clone(), ..files.clone() }), "the key of another card");
    assert!(altered(Files { card_access: vec![0x31, 0], ..files.clone() }), "hidden PACE");
    assert!(altered(Files { sod: vec![], ..files.clone() }));
    for at in [files.sod.len() / 2, files.sod.len() - 1] {
        let mut sod = files.sod.clone();
        sod[at] ^= 1;
        assert!(Files { sod, ..files.clone() }.verify(&trust(&authority), AT).is_err(), "bit of byte {at}");
    }
    assert!(files.verify(&trust(&authority), AT).is_ok());
}

#[test]
fn the_chip_of_another_card_a_replay_and_a_changed_answer_prove_nothing() {
    let (authority, specimen) = card(1, 1, &Profile::default());
    let (_, second) = card(1, 2, &Profile::default());
    let (can, other_can) = (specimen.can, second.can);
    let (mut chip, mut other) = (InProcess::new(specimen.chip), InProcess::new(second.chip));

    // The files of the first card, the chip of the second.
    let files = Relay::open(&mut chip, can, &mut rng()).unwrap().1;
    let document = || files.clone().verify(&trust(&authority), AT).unwrap();
    let (mut relay, _) = Relay::open(&mut other, other_can, &mut rng()).unwrap();
    let proved = serve(&mut relay, document(), &mut |_, _| {});
    assert!(matches!(proved, Err(Refusal::Unproved(_))), "{proved:?}");

    // What the chip said in one log-in, said again in the next: `serve` draws the same key, so another one is drawn.
    let mut said = Vec::new();
    chip.chip().reset();
    let (mut relay, _) = Relay::open(&mut chip, can, &mut rng()).unwrap();
    let steps = serve(&mut relay, document(), &mut |_, answer| said.push(answer.clone())).unwrap().1;
    let mut turn = document().begin(&mut ChaCha20Rng::seed_from_u64(8)).unwrap().open().unwrap();
    let mut replayed = Ok(());
    for answer in said {
        let Turn::Ask(talk, _) = turn else { panic!("a replay logged in") };
        match step(talk, answer) {
            Ok(next) => turn = next,
            Err(fault) => {
                replayed = Err(fault);
                break;
            }
        }
    }
    assert!(matches!(replayed, Err(Fault::Misbehaved(_))), "{replayed:?}");

    // A changed bit in any answer under the channel of the service.
    for at in 2..steps {
        chip.chip().reset();
        let (mut relay, _) = Relay::open(&mut chip, can, &mut rng()).unwrap();
        let proved = serve(&mut relay, document(), &mut |step, answer| {
            if step == at {
                answer.data[5] ^= 1;
            }
        });
        assert!(matches!(proved, Err(Refusal::Unproved(_))), "answer {at}");
    }
}

#[test]
fn an_agent_gives_the_service_no_command_of_its_own_channel_but_the_proof() {
    let (_, specimen) = card(1, 1, &Profile::default());
    let can = specimen.can;
    let mut chip = InProcess::new(specimen.chip);
    let (mut relay, _) = Relay::open(&mut chip, can, &mut rng()).unwrap();
    let portrait = Command::new(0xb0, 0x82, 0).expecting(256);
    let asked: Result<Response, LineError<InProcessError>> = relay.carry(Under::Agent, &portrait);
    assert!(matches!(asked, Err(LineError::Chip(Fault::Unsupported(_)))), "{asked:?}");
}
