//! Every hostile profile misbehaves, in a conversation that a well-behaved chip of the same seed holds as well.

use crypto::apdu::{Command, Response};
use crypto::command::read_binary::ReadBinary;
use crypto::conversation::{CardTransport, converse};
use crypto::lds::File;
use crypto::{bac, pace};
use hardware_sim::hostile::Malice;
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store};

use crate::cast::*;

/// A chip with every answer that it gave.
struct Recorded {
    card: InProcess,
    answers: Vec<Vec<u8>>,
}

impl CardTransport for &mut Recorded {
    type Error = InProcessError;

    fn transmit(&mut self, command: &Command) -> Result<Response, InProcessError> {
        let answer = self.card.chip().transmit(&command.to_bytes());
        self.answers.push(answer.clone());
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

/// Returns the answers of a chip to a reader that reads without a session, then by PACE, then by BAC, and gives up where the chip
/// makes no sense.
fn conversation(card: InProcess) -> Vec<Vec<u8>> {
    let mut recorded = Recorded { card, answers: Vec::new() };
    let mut reader = &mut recorded;
    let _ = read_a_little(&mut reader, File::CardAccess);
    let random = pace::terminal::Random::generate(SUITE.curve, &mut rng());
    let talk = pace::terminal::Pace::new(SUITE, can(), random).expect("a suite");
    let _ = converse(&mut reader, talk).and_then(|established| {
        let mut channel = established.channel;
        for command in [crypto::command::select::Select::lds1().into(), ReadBinary::of(0x1e, 4).into()] {
            let sealed = channel.seal(&command)?;
            channel.open(&reader.transmit(&sealed)?)?;
        }
        Ok(())
    });
    reader.card.chip().reset();
    let _ = select_lds(&mut reader);
    let keys = bac::AccessKeys::new(&(&mrz()).into());
    let _ = converse(&mut reader, bac::terminal::Bac::new(keys, bac::Random::generate(&mut rng())));
    recorded.answers
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
    let honest = conversation(turned(&store, Malice::NONE));
    assert_eq!(honest, conversation(turned(&store, Malice::NONE)), "the same seed, the same answers");
    assert!(honest.iter().all(|answer| answer.ends_with(&[0x90, 0x00])), "{honest:02x?}");
    let mut exercised = Vec::new();
    for malice in Malice::all() {
        let profile: Profile = format!("hostile-{}", malice.name()).parse().expect("a profile by its name");
        assert_eq!(profile, Profile::hostile(malice), "{}", malice.name());
        let answers = conversation(turned(&store, malice));
        assert_ne!(answers, honest, "hostile-{} behaves: this conversation reaches none of its hooks", malice.name());
        assert_eq!(answers, conversation(turned(&store, malice)), "hostile-{} differs from run to run", malice.name());
        exercised.push(malice.name());
    }
    let table: Vec<&str> = hardware_sim::hostile::TABLE.iter().map(|hostile| hostile.name).collect();
    assert_eq!(exercised, table, "every entry of the table is exercised by its name");
}
