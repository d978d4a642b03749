//! Secure channels: each end receives messages that the other did not send.
//!
//! The first byte of the input chooses the cipher and, by its bit `04`, the MAC. Bit clear: the input is the whole
//! message. Bit set: the input is the message without its MAC, which an adversary with the keys adds; without it no
//! input would pass the MAC check.

use crypto::apdu::{Command, Response, Status};
use crypto::command::gp_external_authenticate::ExternalAuthenticate;
use crypto::conversation::{Conversation, Turn};
use crypto::identity::CardSerial;
use crypto::scp03::{self, ISSUER_SECURITY_DOMAIN, SecurityLevel};
use crypto::sm::{self, Keys};
use crypto::suite::Cipher;
use crypto::suite::cipher::pad;
use crypto::{kdf, tlv};

/// Shared secret of both ends of the channel.
pub const SECRET: &[u8] = b"an invented shared secret";
/// Bit of the first byte: the adversary has the keys.
pub const MADE: u8 = 0x04;
/// Returns the command of the terminal.
pub fn question() -> Command {
    Command::new(0xb0, 0x9e, 0x00).expecting(223)
}

fn mac(cipher: Cipher, counter: u64, header: &[u8], objects: &[u8]) -> Vec<u8> {
    let block = cipher.block_len();
    let mut message = vec![0; block - 8];
    message.extend(counter.to_be_bytes());
    if !header.is_empty() {
        message.extend(pad(header, block));
    }
    message.extend_from_slice(objects);
    let padded = if objects.is_empty() { message } else { pad(&message, block) };
    cipher.mac_of_padded(&kdf::authentication_key(cipher, SECRET), &padded).to_vec()
}

pub fn sm_terminal(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let cipher = Cipher::ALL[usize::from(mode & 3)];
    let mut terminal = sm::Terminal::new(Keys::derive(cipher, SECRET));
    terminal.seal(&question()).expect("a plain command");
    let Ok(mut response) = Response::parse(rest) else { return };
    if mode & MADE != 0 {
        let tag = mac(cipher, 2, &[], &response.data);
        response.data.extend(tlv::encode(0x8e, &tag));
    }
    let opened = terminal.open(&response);
    assert_eq!(terminal.is_open(), opened.is_ok(), "a channel lives as long as nothing is wrong");
    assert_eq!(terminal.seal(&question()).is_ok(), opened.is_ok());
}

pub fn sm_chip(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let cipher = Cipher::ALL[usize::from(mode & 3)];
    let mut chip = sm::Chip::new(Keys::derive(cipher, SECRET));
    let Ok(mut command) = Command::parse(rest) else { return };
    if mode & MADE != 0 {
        let [p1, p2] = command.p;
        let tag = mac(cipher, 1, &[command.cla, command.ins, p1, p2], &command.data);
        command.data.extend(tlv::encode(0x8e, &tag));
    }
    let opened = chip.open(&command);
    assert_eq!(chip.is_open(), opened.is_ok(), "a channel lives as long as nothing is wrong");
    if let Ok(plain) = opened {
        assert_eq!(plain.cla & 0x0c, 0);
        let _ = chip.seal(Response::success(plain.data));
    }
}

/// The chip of the SCP03 targets.
pub const SERIAL: CardSerial = CardSerial([0xc0; 10]);
/// Version of its keys.
pub const KEY_VERSION: u8 = 0x30;
/// Sequence counter that the chip answers.
pub const COUNTER: u32 = 7;

/// Returns the session that both ends of these targets are in.
pub fn prediction() -> scp03::terminal::Prediction {
    let keys = super::perso::keys();
    let challenge = *b"a nonce!";
    let level = SecurityLevel::FULL;
    scp03::terminal::Prediction::new(&keys, KEY_VERSION, &SERIAL, COUNTER, challenge, &ISSUER_SECURITY_DOMAIN, level)
}

/// Returns the chip, which has answered INITIALIZE UPDATE.
pub fn opening() -> scp03::chip::Opening {
    let request = scp03::chip::Request::read(&prediction().initialize_update, KEY_VERSION, COUNTER - 1);
    request.expect("our own command").answer(&super::perso::keys(), &SERIAL, &ISSUER_SECURITY_DOMAIN).0
}

/// Returns the command of the host.
pub fn report() -> Command {
    Command::new(0xca, 0xdf, 0x21).class(0x80).expecting(256)
}

/// Hands the terminal role answers of a chip: to the opening dialogue (odd first byte) or inside the session (even).
pub fn scp03_terminal(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let Ok(response) = Response::parse(rest) else { return };
    if mode & 1 == 1 {
        let keys = super::perso::keys();
        let talk = scp03::terminal::Authentication::new(&keys, KEY_VERSION, SecurityLevel::FULL, *b"a nonce!");
        let Ok(Turn::Ask(talk, _)) = talk.open() else { unreachable!("it begins with a question") };
        let _ = talk.hear(response);
        return;
    }
    let mut session = prediction().session;
    session.wrap(&report());
    let protected = response.status == Status::SUCCESS;
    let opened = session.unwrap(response);
    assert!(protected || opened.as_ref().is_ok_and(|plain| plain.data.is_empty()) || opened.is_err());
    if opened.is_err() {
        session.wrap(&report());
        assert!(session.unwrap(Response::success([])).is_err(), "a channel is dead after an error");
    }
}

/// Hands the chip role a command. First byte: 0 EXTERNAL AUTHENTICATE, 1 a sealed command, 2 a plain
/// command, sealed with the keys.
pub fn scp03_chip(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let Ok(command) = Command::parse(rest) else { return };
    let prediction = prediction();
    if mode % 3 == 0 {
        if opening().accept(&command).is_ok() {
            let genuine = prediction.external_authenticate;
            assert_eq!((command.ins, &command.data), (ExternalAuthenticate::INS, &genuine.data), "a forged host");
        }
        return;
    }
    let mut chip = opening().accept(&prediction.external_authenticate).expect("our own host");
    let mut host = prediction.session;
    if mode % 3 == 2 && command.cla == 0x80 && command.data.len() <= 65_000 {
        let opened = chip.open(&host.wrap(&command)).expect("what a host seals a chip opens");
        assert_eq!((opened.ins, opened.p, &opened.data), (command.ins, command.p, &command.data));
        let sealed = chip.seal(Response::success(opened.data));
        assert_eq!(host.unwrap(sealed).map(|plain| plain.data).as_ref(), Ok(&command.data));
        return;
    }
    let opened = chip.open(&command);
    assert_eq!(chip.is_open(), opened.is_ok());
    let _ = chip.seal(Response::success([1, 2, 3]));
}
