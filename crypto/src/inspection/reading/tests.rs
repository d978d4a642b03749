//! Readings of faulty chips that `hardware-sim` does not simulate.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;
use crate::apdu::Response;
use crate::mrz::MrzKey;

/// Files of the master file, and the limits of the chip.
struct ScriptedChip {
    atr_info: Option<Vec<u8>>,
    card_access: Vec<u8>,
    /// The most bytes that one answer carries.
    piece: usize,
    /// The largest Ne that it takes.
    longest_ne: usize,
    commands: usize,
    /// Commands that asked for more than it takes.
    too_long: usize,
}

impl CardTransport for ScriptedChip {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        self.commands += 1;
        let Ok(read) = ReadBinary::try_from(command) else { return Ok(Status::FILE_NOT_FOUND.into()) };
        let file = match (read.short_id, &self.atr_info) {
            (Some(0x01), Some(atr_info)) => atr_info,
            (Some(0x1c) | None, _) => &self.card_access,
            _ => return Ok(Status::FILE_NOT_FOUND.into()),
        };
        if read.length > self.longest_ne {
            self.too_long += 1;
            return Ok(Status::WRONG_LENGTH.into());
        }
        let rest = file.get(read.offset as usize..).unwrap_or_default();
        Ok(Response::success(read.answer(&rest[..rest.len().min(read.length).min(self.piece)])))
    }
}

fn evidence_of(chip: &mut ScriptedChip) -> Evidence {
    let password = Password::Mrz(MrzKey::new("123456789", "850302", "991231").unwrap());
    let request = Request { password, challenge: [1; 8], groups: None };
    read(chip, &request, &mut ChaCha20Rng::seed_from_u64(1), &mut |_| {}).unwrap()
}

#[test]
fn a_chip_that_gives_tiny_pieces_is_read_in_a_bounded_number_of_commands() {
    let mut card_access = vec![0x31, 0x83, 0x0f, 0xff, 0xf0];
    card_access.resize(1 << 20, 0);
    // A single byte at first would not even be a header, and is refused at once.
    let mut chip = ScriptedChip { atr_info: None, card_access, piece: 8, longest_ne: 65_536, commands: 0, too_long: 0 };
    let evidence = evidence_of(&mut chip);
    assert!(matches!(evidence.files[&File::CardAccess], FileReading::Refused(Fault::Misbehaved(_))));
    assert!(chip.commands < MOST_COMMANDS + 10, "{}", chip.commands);
}

#[test]
fn a_chip_that_announces_no_length_is_asked_for_short_answers_only() {
    let card_access = tlv::encode(0x31, &[0x30; 300]);
    let mut chip = ScriptedChip {
        atr_info: None,
        card_access: card_access.clone(),
        piece: 256,
        longest_ne: 256,
        commands: 0,
        too_long: 0,
    };
    assert_eq!(evidence_of(&mut chip).file(File::CardAccess), Some(&card_access[..]));
    assert_eq!(chip.too_long, 0);
}

#[test]
fn a_chip_that_announces_longer_answers_than_it_gives_is_read_in_short_ones() {
    let atr_info = Some(AtrInfo { max_command: 32_767, max_response: 32_767 }.encode());
    let card_access = tlv::encode(0x31, &[0x30; 300]);
    let mut chip = ScriptedChip {
        atr_info,
        card_access: card_access.clone(),
        piece: 256,
        longest_ne: 256,
        commands: 0,
        too_long: 0,
    };
    assert_eq!(evidence_of(&mut chip).file(File::CardAccess), Some(&card_access[..]));
    assert_eq!(chip.too_long, 1);
}
