//! What a reader with the right password does: PACE or BAC, read every file, chip
//! authentication, active authentication.

use crypto::active_auth;
use crypto::chip_auth::terminal::ChipAuthentication;
use crypto::conversation::{CardTransport as _, Fault, converse};
use crypto::lds::{DataGroup, Dg14, Dg15, File};
use crypto::pki::spki;
use crypto::suite::VerifyingKey;
use hardware_sim::profile::Throttle;
use hardware_sim::{InProcessError, Profile};

use crate::cast::*;

fn reads_everything(mut reader: Secured, piece: usize) {
    for (file, content) in files_of(&mut reader) {
        if file != File::CardAccess && file != DataGroup::DG3.into() {
            assert_eq!(read(&mut reader, file, piece).expect("readable"), content, "{file}");
        }
    }
    let dg14 = Dg14::parse(&read(&mut reader, DataGroup::DG14.into(), piece).expect("DG14")).expect("well formed");
    let key = dg14.0.chip_authentication_keys().next().expect("a key");
    let VerifyingKey::Ec(point) = spki::parse(&key.spki).expect("a key") else { panic!("an EC key") };
    let protocol = dg14.0.chip_authentication().next().expect("announced").protocol;
    let talk = ChipAuthentication::new(protocol.cipher, point, None, &mut rng());
    let channel = converse(&mut reader, talk).expect("chip authentication");
    let mut reader = Secured { card: reader.card, channel };
    let dg15 = Dg15::parse(&read(&mut reader, DataGroup::DG15.into(), piece).expect("DG15")).expect("well formed");
    let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
    let signature = reader.transmit(&active_auth::terminal::command(challenge)).expect("the channel holds");
    let signature = signature.accepted(0x88).expect("a signature");
    let hash = dg14.0.active_authentication().and_then(active_auth::hash_of);
    let key = spki::parse(&dg15.spki).expect("a key");
    active_auth::terminal::verify(&key, hash, &challenge, &signature).expect("the chip has the key");
}

/// Returns the files that personalization wrote, made again from the public keys in DG14 and DG15.
fn files_of(reader: &mut Secured) -> Vec<(File, Vec<u8>)> {
    let dg14 = Dg14::parse(&read(reader, DataGroup::DG14.into(), 200).expect("DG14")).expect("well formed");
    let dg15 = Dg15::parse(&read(reader, DataGroup::DG15.into(), 200).expect("DG15")).expect("well formed");
    let point = |der: &[u8]| match spki::parse(der).expect("a key") {
        VerifyingKey::Ec(point) => point,
        VerifyingKey::Rsa(_) => panic!("an EC key"),
    };
    let chip_auth = point(&dg14.0.chip_authentication_keys().next().expect("a key").spki);
    files(&crypto::perso::PublicKeys { active_auth: point(&dg15.spki), chip_auth })
}

#[test]
fn a_reader_with_the_can_reads_all_and_proves_the_chip_genuine() {
    let card = personalized(Profile::default());
    reads_everything(pace(&card, can()).expect("PACE"), 20_000);
}

#[test]
fn a_reader_with_the_mrz_reads_all_and_proves_the_chip_genuine() {
    let card = personalized(Profile::default());
    reads_everything(pace(&card, &mrz()).expect("PACE"), 200);
    reads_everything(bac(&card, &mrz()).expect("BAC"), 200);
}

#[test]
fn a_chip_with_short_apdus_is_written_and_read() {
    reads_everything(pace(&personalized(Profile::short()), can()).expect("PACE"), 223);
}

#[test]
fn a_chip_that_cannot_select_its_master_file_is_read() {
    let card = personalized(Profile::viet_nam());
    card.chip().reset();
    for select in ["00A4000C", "00A4000C023F00", "00A40000023F0000"] {
        assert_eq!(say(&card, select), "6D00");
    }
    assert_eq!(say(&card, "00A4020C02011C"), "9000");
    assert!(say(&card, "00B0000000").starts_with("3114"));
    reads_everything(pace(&card, can()).expect("PACE"), 223);
}

#[test]
fn a_read_of_the_whole_file_returns_as_much_as_the_channel_carries() {
    let card = personalized(Profile::default());
    let mut reader = pace(&card, can()).expect("PACE");
    reader.transmit(&crypto::command::select::Select::File(0x0102).into()).expect("selected");
    let ask = |offset, ne| crypto::apdu::Command::from(crypto::command::read_binary::ReadBinary::current(offset, ne));
    let answer = reader.transmit(&ask(0, 256)).expect("fits 256 bytes");
    assert_eq!((answer.data.len(), answer.status.0), (223, 0x9000));
    let answer = reader.transmit(&ask(0, 65_536)).expect("fits the longest response");
    assert_eq!(answer.data.len(), crypto::sm::response_capacity(crypto::suite::Cipher::Aes128, 32_765));
    // Offsets beyond 32,767 need the odd instruction.
    let answer = reader.transmit(&ask(35_900, 200)).expect("odd");
    assert_eq!((answer.data[0], answer.status.0), (0x53, 0x6282), "the file ends before");
}

#[test]
fn a_wrong_password_opens_nothing_and_the_next_try_waits() {
    let throttle = Throttle { free: 1, first_ms: 100, longest_ms: 1_000 };
    let card = personalized(Profile { throttle, ..Profile::default() });
    let wrong: crypto::identity::Can = "000018".parse().expect("six digits");
    let mut delays = Vec::new();
    for _ in 0..3 {
        assert!(matches!(pace(&card, wrong), Err(InProcessError::Fault(Fault::WrongPassword { .. }))));
        delays.push(card.chip().take_delay().as_millis());
    }
    card.chip().reset();
    let other = crypto::mrz::MrzKey::new("303000018", "030405", "991231").expect("an MRZ key");
    assert!(matches!(bac(&card, &other), Err(InProcessError::Fault(Fault::WrongPassword { .. }))));
    delays.push(card.chip().take_delay().as_millis());
    pace(&card, can()).expect("the right one still opens");
    delays.push(card.chip().take_delay().as_millis());
    pace(&card, can()).expect("and clears the count");
    delays.push(card.chip().take_delay().as_millis());
    assert_eq!(delays, [0, 0, 100, 200, 400, 0]);
}

#[test]
fn a_plain_command_ends_the_session() {
    let card = personalized(Profile::default());
    let mut reader = pace(&card, can()).expect("PACE");
    read(&mut reader, File::Com, 200).expect("readable");
    assert_eq!(say(&card, "00B09E0004"), "6982");
    assert_eq!(say(&card, "0CB09E000D97010 48E080000000000000000 00".replace(' ', "").as_str()), "6982");
    assert!(matches!(read(&mut reader, File::Com, 200), Err(InProcessError::Fault(_))));
}

#[test]
fn a_forged_command_ends_the_session() {
    let card = personalized(Profile::default());
    for (forged, status) in
        [("0CB09E000D9701048E08000000000000000000", "6988"), ("0CB09E000397010400", "6987"), ("0CB09E0001FF00", "6988")]
    {
        let mut reader = pace(&card, can()).expect("PACE");
        assert_eq!(say(&card, forged), status);
        assert_eq!(say(&card, forged), "6982", "the session is over");
        assert!(read(&mut reader, File::Com, 200).is_err());
        assert_eq!(say(&card, "00B09E0004"), "6982");
    }
    let mut reader = pace(&card, can()).expect("a new one opens");
    read(&mut reader, File::Com, 200).expect("readable");
}

#[test]
fn fingerprints_cannot_be_read_and_absent_groups_are_not_found() {
    let card = personalized(Profile::default());
    let mut reader = pace(&card, can()).expect("PACE");
    let mut select = |id: u16| {
        let answer = reader.transmit(&crypto::command::select::Select::File(id).into()).expect("the channel holds");
        answer.status.0
    };
    assert_eq!(select(0x0103), 0x6982);
    assert_eq!(select(0x0104), 0x6982);
    assert_eq!(select(0x010b), 0x6a82);
    assert_eq!(select(0x0101), 0x9000);
}

#[test]
fn a_reset_ends_the_session() {
    let card = personalized(Profile::default());
    let mut reader = pace(&card, can()).expect("PACE");
    card.chip().reset();
    assert!(read(&mut reader, File::Com, 200).is_err());
}

#[test]
fn a_command_outside_the_channel_ends_it_and_opens_nothing() {
    let card = personalized(Profile::default());
    for (what, outside) in [
        ("SELECT of the application", "00A4040C07A0000002471001"),
        ("SELECT of the master file", "00A4000C023F00"),
        ("SELECT of the issuer domain", "00A4040008A00000015100000000"),
        ("the first half of a chain", "10B0000000"),
        ("MSE for PACE", "0022C1A40F800A04007F00070202040202830102"),
        ("GET CHALLENGE", "0084000008"),
        ("INITIALIZE UPDATE", "8050000008000102030405060700"),
        ("a command of an issuer session", "84E28000080000000000000000"),
        ("half a header", "00B0"),
        ("a wrong Lc", "00A4040C08A000"),
    ] {
        let mut reader = pace(&card, can()).expect("PACE");
        read(&mut reader, File::Com, 200).expect("readable");
        say(&card, outside);
        assert!(read(&mut reader, File::Com, 200).is_err(), "{what} left the channel open");
        assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
        assert_eq!(say(&card, "00B09E0004"), "6982", "{what}");
        card.chip().reset();
    }
}

#[test]
fn a_dialogue_that_was_interrupted_cannot_be_continued() {
    let card = personalized(Profile::default());
    for interruption in
        ["00B09C0000", "0084000008", "00B0", "00A4000C023F00", "10A4040C03A00000", "0CB09E0000", "84CA004500"]
    {
        assert_eq!(say(&card, "0022C1A40F800A04007F00070202040202830102"), "9000");
        say(&card, interruption);
        assert_eq!(say(&card, "10860000027C0000"), "6985", "PACE after {interruption}");
    }
    assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
    for interruption in ["00B09C0000", "00B0", "00A4040C07A0000002471001", "10B09C0000", "0CB09E0000", "84CA004500"] {
        assert_eq!(say(&card, "0084000008").len(), 20);
        say(&card, interruption);
        assert_eq!(say(&card, &format!("0082000028{}28", "00".repeat(40))), "6985", "BAC after {interruption}");
    }
}

#[test]
fn a_chained_external_authenticate_continues_its_dialogue() {
    let card = personalized(Profile::default());
    assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
    assert_eq!(say(&card, "0084000008").len(), 20);
    assert_eq!(say(&card, &format!("1082000014{}", "00".repeat(20))), "9000");
    assert_eq!(say(&card, &format!("0082000014{}28", "00".repeat(20))), "6300", "a whole cryptogram, and a wrong one");
}

#[test]
fn an_odd_read_for_all_there_is_ends_with_its_file_like_an_even_one() {
    let card = personalized(Profile::default());
    let length = 0x16; // EF.CardAccess of this cast
    assert!(say(&card, "00B09C0000").ends_with("9000"));
    for (le, status) in [("00", "9000"), ("20", "6282")] {
        let answer = say(&card, &format!("00B1001C03540100{le}"));
        assert_eq!((answer.len(), &answer[answer.len() - 4..]), (2 * (length + 2) + 4, status), "Le {le}");
    }
}
