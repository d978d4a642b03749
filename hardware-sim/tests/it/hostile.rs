//! Every hostile profile misbehaves, in a conversation that a well-behaved chip of the same seed holds as well.

use std::cell::RefCell;
use std::rc::Rc;

use crypto::apdu::{Command, Response};
use crypto::chip_auth::terminal::ChipAuthentication;
use crypto::command::read_binary::ReadBinary;
use crypto::conversation::{CardTransport, converse};
use crypto::lds::File;
use crypto::perso::{PublicKeys, Script, play, present};
use crypto::suite::Cipher;
use crypto::{active_auth, bac, pace};
use hardware_sim::hostile::Malice;
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};

use crate::cast::*;

/// A chip with every answer that it gave. A clone is another handle on the same chip and answers.
#[derive(Clone)]
struct Recorded {
    card: InProcess,
    answers: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl CardTransport for Recorded {
    type Error = InProcessError;

    fn transmit(&mut self, command: &Command) -> Result<Response, InProcessError> {
        let answer = self.card.chip().transmit(&command.to_bytes());
        self.answers.borrow_mut().push(answer.clone());
        Response::parse(&answer).map_err(|_| InProcessError::Gone)
    }
}

/// Returns a personalized chip of `store` that from now on has this profile.
fn turned(store: &Store, malice: Malice) -> InProcess {
    let mut state = store.load().expect("a chip");
    state.profile = Profile::hostile(malice);
    let turned = Store::memory();
    turned.commit(&state, false).expect("memory");
    InProcess::new(Chip::open(turned, SEED).expect("the chip"))
}

/// Returns the answers of a chip to a reader that goes through every protocol, each until the chip makes no sense.
fn conversation(card: InProcess, keys: &PublicKeys) -> Vec<Vec<u8>> {
    let mut reader = Recorded { card, answers: Rc::default() };
    let _ = read_a_little(&mut reader, File::CardAccess);
    let _ = pace_and_proofs_of_the_chip(&mut reader, keys);
    reader.card.chip().reset();
    let _ = basic_access_control(&mut reader);
    reader.card.chip().reset();
    let _ = report_to_the_issuer(&mut reader);
    reader.answers.take()
}

fn pace_and_proofs_of_the_chip(reader: &mut Recorded, keys: &PublicKeys) -> Result<(), InProcessError> {
    let random = pace::terminal::Random::generate(SUITE.curve, &mut rng());
    let channel = converse(reader, pace::terminal::Pace::new(SUITE, can(), random)?)?.channel;
    let mut secured = Secured { card: reader.clone(), channel };
    select_lds(&mut secured)?;
    read_a_little(&mut secured, File::Com)?;
    let talk = ChipAuthentication::new(Cipher::Aes128, keys.chip_auth.clone(), None, &mut rng());
    let channel = converse(&mut secured, talk)?;
    let mut secured = Secured { card: secured.card, channel };
    secured.transmit(&active_auth::terminal::command([1, 2, 3, 4, 5, 6, 7, 8]))?;
    Ok(())
}

fn basic_access_control(reader: &mut Recorded) -> Result<(), InProcessError> {
    select_lds(reader)?;
    let keys = bac::AccessKeys::new(&(&mrz()).into());
    let channel = converse(reader, bac::terminal::Bac::new(keys, bac::Random::generate(&mut rng())))?;
    read_a_little(&mut Secured { card: reader.clone(), channel }, File::Com)
}

fn report_to_the_issuer(reader: &mut Recorded) -> Result<(), InProcessError> {
    let presentation = present(reader)?;
    let script = Script::report(&issuer(presentation.serial), &presentation, &mut rng()).expect("an order");
    play(reader, &script.order("report"), &mut |_| {});
    Ok(())
}

fn read_a_little<C: CardTransport>(card: &mut C, file: File) -> Result<(), C::Error> {
    card.transmit(&crypto::command::select::Select::File(file.id()).into())?.accepted(0xa4)?;
    for offset in 0..3 {
        card.transmit(&ReadBinary::current(offset, 4).into())?.accepted(0xb0)?;
    }
    Ok(())
}

#[test]
fn every_hostile_profile_misbehaves_where_a_good_chip_does_not() {
    let store = Store::memory();
    let mut card = InProcess::new(blank_in(store.clone(), Profile::default(), 0));
    let keys = intake(&mut card).expect("the chip");
    personalize(&mut card, &package(&keys)).expect("the chip");
    drop(card);
    let honest = conversation(turned(&store, Malice::NONE), &keys);
    assert_eq!(honest, conversation(turned(&store, Malice::NONE), &keys), "the same seed, the same answers");
    assert!(honest.len() > 30, "the conversation is cut short after {} commands", honest.len());
    assert!(honest.iter().all(|answer| answer.ends_with(&[0x90, 0x00])), "{honest:02x?}");
    let mut exercised = Vec::new();
    for malice in Malice::all() {
        let profile: Profile = format!("hostile-{}", malice.name()).parse().expect("a profile by its name");
        assert_eq!(profile, Profile::hostile(malice), "{}", malice.name());
        let answers = conversation(turned(&store, malice), &keys);
        assert_ne!(answers, honest, "hostile-{} behaves: this conversation reaches none of its hooks", malice.name());
        assert_eq!(
            answers,
            conversation(turned(&store, malice), &keys),
            "hostile-{} differs from run to run",
            malice.name()
        );
        exercised.push(malice.name());
    }
    let table: Vec<&str> = hardware_sim::hostile::TABLE.iter().map(|hostile| hostile.name).collect();
    assert_eq!(exercised, table, "every entry of the table is exercised by its name");
}
