//! What needs no card: the words on the wire, the bounds of a reading, and what a relay carries.

use super::agent::Relay;
use super::protocol::{Answer, Begin, Session, Under, Wanted};
use super::read_file::ReadFile;
use crate::apdu::{Command, Response, Status, cla};
use crate::command::read_binary::ReadBinary;
use crate::conversation::{CardTransport, Fault, converse};
use crate::inspection::LineError;
use crate::lds::File;

/// A chip that gives a file in pieces, and counts what reaches it.
struct Pieces {
    file: Vec<u8>,
    piece: usize,
    commands: usize,
}

impl CardTransport for Pieces {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        self.commands += 1;
        let Ok(read) = ReadBinary::try_from(command) else { return Ok(Status::INSTRUCTION_NOT_SUPPORTED.into()) };
        let rest = self.file.get(read.offset as usize..).unwrap_or_default();
        Ok(Response::success(&rest[..rest.len().min(read.length).min(self.piece)]))
    }
}

fn reads(file: Vec<u8>, piece: usize) -> (Result<Vec<u8>, Fault>, usize) {
    let mut chip = Pieces { file, piece, commands: 0 };
    let read = converse(&mut chip, ReadFile::new(File::Sod, 223));
    (read, chip.commands)
}

#[test]
fn a_file_is_read_whole_and_nothing_behind_it() {
    let mut file = vec![0x77, 0x82, 0x03, 0xe8];
    file.resize(4 + 1000, 7);
    let whole = file.clone();
    file.extend([9; 50]);
    assert_eq!(reads(file, 223), (Ok(whole), 5));
}

#[test]
fn a_chip_keeps_no_reading_for_ever() {
    let mut file = vec![0x77, 0x82, 0x3f, 0xf0];
    file.resize(0x3ff4, 7);
    let (read, commands) = reads(file, 8);
    assert!(matches!(read, Err(Fault::Misbehaved(_))) && commands < 100, "{read:?} after {commands}");
    for file in [vec![0x77, 0x84, 0x7f, 0xff, 0xff, 0xff], vec![0x77, 0x82, 0x03, 0xe8, 1], vec![], vec![0x77]] {
        let (read, commands) = reads(file, 223);
        assert!(matches!(read, Err(Fault::Misbehaved(_))) && commands < 4, "{read:?} after {commands}");
    }
}

#[test]
fn a_relay_carries_what_a_log_in_has_and_nothing_else() {
    let mut chip = Pieces { file: vec![0x60, 0], piece: 2, commands: 0 };
    let mut relay = Relay::bare(&mut chip);
    let sealed = Command::new(0xb0, 0x9e, 0).class(cla::SECURE).data([0x97, 1, 0]).expecting(256);
    for (under, command) in [
        // In the clear, or of the proof, to a chip whose channel is the service's.
        (Under::Chip, Command::new(0xb0, 0x9e, 0).expecting(1)),
        (Under::Chip, Command::new(0x22, 0x41, 0xa4).data([0])),
        (Under::Chip, sealed.clone().class(cla::GLOBAL_PLATFORM_SECURE | cla::GLOBAL_PLATFORM)),
        // Under a channel that is not open: none that the service asks for.
        (Under::Agent, Command::new(0x22, 0x41, 0xa4).data([0])),
        (Under::Agent, Command::new(0xb0, 0x81, 0).expecting(256)),
    ] {
        let carried = relay.carry(under, &command);
        assert!(matches!(carried, Err(LineError::Chip(Fault::Unsupported(_)))), "{command:?}: {carried:?}");
    }
    assert!(relay.carry(Under::Chip, &sealed).is_ok());
    drop(relay);
    assert_eq!(chip.commands, 1, "one command reached the chip");
}

#[test]
fn the_messages_have_their_golden_json_and_show_nothing() {
    let begin = Begin { card_access: vec![0x31, 0], sod: vec![0x77, 0], dg14: vec![0x6e, 0], longest_response: 258 };
    let golden = r#"{"card_access":"MQA=","sod":"dwA=","dg14":"bgA=","longest_response":258}"#;
    assert_eq!(serde_json::to_string(&begin).unwrap(), golden);
    let answer = Answer { number: 1, response: vec![0x90, 0], ticket: None };
    assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"number":1,"response":"kAA="}"#);
    let answer = Answer { ticket: Some("secret".to_owned()), ..answer };
    assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"number":1,"response":"kAA=","ticket":"secret"}"#);
    assert!(!format!("{answer:?}").contains("secret"));
    let session = Some(Session { token: Some("secret".to_owned()), answer_within: 45, ends_within: 900 });
    let wanted =
        Wanted { log_in: "1".to_owned(), number: 2, under: Under::Chip, command: vec![1, 2, 3], ticket: None, session };
    let golden = r#"{"log_in":"1","number":2,"under":"chip","command":"AQID","session":{"token":"secret","answer_within":45,"ends_within":900}}"#;
    assert_eq!(serde_json::to_string(&wanted).unwrap(), golden);
    assert_eq!(serde_json::from_str::<Wanted>(golden).unwrap(), wanted);
    assert!(!format!("{wanted:?}").contains("secret") && wanted.command().is_err());
    let wanted = Wanted { ticket: Some("secret".to_owned()), session: None, ..wanted };
    let golden = r#"{"log_in":"1","number":2,"under":"chip","command":"AQID","ticket":"secret","session":null}"#;
    assert_eq!(serde_json::to_string(&wanted).unwrap(), golden);
    assert!(!format!("{wanted:?}").contains("secret"));
    assert!(serde_json::from_str::<Answer>(r#"{"number":1,"response":"kAA=","more":1}"#).is_err());
}
