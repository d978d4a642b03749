//! Slots on a reader that these tests imitate, byte for byte as vpcd does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crypto::identity::CardSerial;
use hardware_sim::control::{Then, obey};
use hardware_sim::slot::{Slot, SlotError};
use hardware_sim::{Chip, Profile, Store};

use crate::cast::*;

fn slot(port: u16) -> Slot {
    Slot::new(blank_in(Store::memory(), Profile::default(), 0), "127.0.0.1", port)
}

/// Inserts the card and powers it. Returns the reader's end of the connection.
fn inserted(listener: &TcpListener, slot: &mut Slot) -> TcpStream {
    slot.lay_down().expect("the reader listens");
    let (mut reader, _) = listener.accept().expect("the card comes");
    reader.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    say_to(&mut reader, &[1]);
    slot.wait_until_noticed().expect("it was spoken to");
    reader
}

fn say_to(reader: &mut TcpStream, body: &[u8]) {
    reader.write_all(&u16::try_from(body.len()).expect("short").to_be_bytes()).expect("open");
    reader.write_all(body).expect("open");
}

/// Returns the next answer, or `None` when the card closed the connection.
fn hear_from(reader: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    reader.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// These slots keep their chips.
fn no_blanks(_: usize, _: CardSerial) -> Result<Chip, String> {
    Err("no blank is left".to_owned())
}

#[test]
fn a_card_is_inserted_spoken_to_and_removed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut slot = slot(listener.local_addr().expect("bound").port());
    let mut reader = inserted(&listener, &mut slot);
    assert!(matches!(slot.insert(), Err(SlotError::AlreadyInserted)));
    say_to(&mut reader, &[4]);
    assert_eq!(hear_from(&mut reader).expect("the ATR")[0], 0x3b);
    say_to(&mut reader, &[0x00, 0xa4, 0x00, 0x0c]);
    assert_eq!(hear_from(&mut reader), Some(vec![0x90, 0x00]));
    slot.remove();
    assert_eq!(hear_from(&mut reader), None);
    assert!(!slot.is_inserted());
    let mut reader = inserted(&listener, &mut slot);
    say_to(&mut reader, &[0x00, 0xa4, 0x00, 0x0c]);
    assert_eq!(hear_from(&mut reader), Some(vec![0x90, 0x00]));
}

#[test]
fn a_card_whose_power_failed_disconnects_and_connects_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut slots = [slot(listener.local_addr().expect("bound").port())];
    let mut reader = inserted(&listener, &mut slots[0]);
    assert_eq!(obey(&mut slots, "fault 0 tear-after:1", &mut no_blanks), (vec!["ok".into()], Then::Continue));
    say_to(&mut reader, &[0x00, 0xa4, 0x00, 0x0c]);
    assert_eq!(hear_from(&mut reader), None);
    drop(reader);
    let (mut reader, _) = listener.accept().expect("it connects again by itself");
    say_to(&mut reader, &[1]);
    say_to(&mut reader, &[0x00, 0xa4, 0x00, 0x0c]);
    assert_eq!(hear_from(&mut reader), Some(vec![0x90, 0x00]));
}

#[test]
fn a_card_connects_again_to_a_lost_reader_and_a_silent_reader_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut slot = slot(listener.local_addr().expect("bound").port());
    drop(inserted(&listener, &mut slot));
    let (reader, _) = listener.accept().expect("it connects again");
    slot.remove();
    drop(reader);
    let waiting = thread::spawn(move || listener.accept().map(|(reader, _)| (reader, listener)));
    assert!(matches!(slot.insert(), Err(SlotError::Unnoticed { .. })));
    assert!(waiting.join().expect("no panic").is_ok());
}

#[test]
fn a_card_is_removed_at_once_even_while_a_slow_answer_is_due() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut slots = [slot(listener.local_addr().expect("bound").port())];
    let mut reader = inserted(&listener, &mut slots[0]);
    assert_eq!(obey(&mut slots, "fault 0 slow:1:20000", &mut no_blanks).0, ["ok"]);
    say_to(&mut reader, &[0x00, 0xa4, 0x00, 0x0c]);
    while slots[0].status().ends_with("commands=0") {
        thread::yield_now(); // until the command has reached the chip
    }
    let start = Instant::now();
    slots[0].remove();
    assert!(start.elapsed() < Duration::from_secs(10), "the operator waited {:?}", start.elapsed());
    assert_eq!(hear_from(&mut reader), None);
}

#[test]
fn control_lines_are_answered() {
    let mut slots = [slot(1)];
    let mut said = |line: &str| obey(&mut slots, line, &mut no_blanks).0.pop().unwrap_or_default();
    assert_eq!(said(""), "");
    assert_eq!(said("status"), "ok");
    assert_eq!(said("reset 0"), "ok");
    assert_eq!(said("remove all"), "ok");
    assert_eq!(said("remove 1"), "error: there is no slot \"1\"; there are 0 to 0, and all");
    assert!(said("insert 0").contains("A pcscd with a reader of vpcd must run"));
    assert_eq!(said("blank 1"), "error: there is no slot \"1\"; there are 0 to 0");
    assert_eq!(said("blank 0"), "error: no blank is left");
    assert!(said("fault 0 tea").starts_with("error: \"tea\" is no fault"));
    assert!(said("sing").starts_with("error: understood are"));
    assert_eq!(obey(&mut slots, "quit", &mut no_blanks).1, Then::Quit);
}
