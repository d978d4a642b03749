//! What a terminal gets from the chip without authentication.

use crypto::lds::File;
use hardware_sim::Profile;
use proptest::prelude::*;

use crate::cast::*;

#[test]
fn present_absent_and_biometric_files_look_alike_before_authentication() {
    let card = personalized(Profile::default());
    assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
    for id in (0x0101..=0x0110).chain([0x011d, 0x011e, 0x0155, 0xffff]) {
        for p in ["020C", "0200", "0204", "000C"] {
            assert_eq!(say(&card, &format!("00A4{p}02{id:04X}")), "6982", "{id:04X}");
        }
        assert_eq!(say(&card, "00B0000000"), "6982");
    }
    for short_id in (1..=30).filter(|s| *s != 0x1c) {
        assert_eq!(say(&card, &format!("00B0{:02X}0000", 0x80 | short_id)), "6982", "short identifier {short_id}");
        assert_eq!(say(&card, &format!("00B100{short_id:02X}0354010000")), "6982", "odd, short identifier {short_id}");
    }
    assert_eq!(say(&card, "00880000080102030405060708 00"), "6982");
    assert_eq!(say(&card, "002241A60C910A00000000000000000000"), "6982");
}

#[test]
fn wrong_mutual_authentications_look_alike() {
    let card = personalized(Profile::default());
    for cryptogram in ["00".repeat(40), "FF".repeat(40)] {
        assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
        assert_eq!(say(&card, "0084000008").len(), 20);
        assert_eq!(say(&card, &format!("0082000028{cryptogram}28")), "6300");
        // The challenge is spent.
        assert_eq!(say(&card, &format!("0082000028{cryptogram}28")), "6985");
    }
}

#[test]
fn announcements_are_readable_in_all_the_ways_in_which_readers_ask() {
    let card = personalized(Profile::default());
    for select in ["00A4000C", "00A4000C023F00", "00A40000", "00A40004023F00"] {
        assert_eq!(say(&card, select), "9000", "{select}");
    }
    assert_eq!(say(&card, "00A40000023F0000"), "6F0483023F009000");
    for select in ["00A4020C02011C", "00A4020002011C", "00A4020402011C", "00A4000C02011C"] {
        assert_eq!(say(&card, select), "9000", "{select}");
        assert!(say(&card, "00B0000000").ends_with("9000"));
    }
    assert_eq!(say(&card, "00B0000004"), say(&card, "00B09C0004"));
    assert_eq!(say(&card, "00B0000001"), "319000");
    assert_eq!(say(&card, "00B0000100"), format!("{}9000", &say(&card, "00B0000000")[2..44 - 4 + 4]));
    assert!(say(&card, "00B08100 00").starts_with("4703"), "EF.ATR/INFO");
    assert_eq!(say(&card, "00A4020C022F00"), "6A82", "no EF.DIR in this profile");
    // Also while the LDS application is selected.
    assert_eq!(say(&card, "00A4040C07A0000002471001"), "9000");
    assert_eq!(say(&card, "00A4020C02011C"), "9000");
    assert!(say(&card, "00B09C0000").starts_with("3114"));
    assert_eq!(say(&card, "00A4040007A000000247100100"), "6F098407A00000024710019000");
}

#[test]
fn a_read_beyond_the_end_of_a_file_gets_the_status_of_the_standard() {
    let card = personalized(Profile::default());
    let length = 0x16; // EF.CardAccess of this cast
    assert_eq!(say(&card, "00B09C0000").len(), 2 * length + 4);
    assert!(say(&card, &format!("00B09C00{length:02X}")).ends_with("9000"));
    assert!(say(&card, &format!("00B09C00{:02X}", length + 1)).ends_with("6282"));
    assert_eq!(say(&card, &format!("00B09C{length:02X}00")), "6B00");
    assert_eq!(say(&card, "00B0000000 0000".replace(' ', "").as_str()).len(), 2 * length + 4, "extended Le");
}

#[test]
fn commands_that_the_chip_cannot_serve_get_the_status_of_the_standard() {
    let card = personalized(Profile::default());
    for (command, status) in [
        ("", "6700"),
        ("00", "6700"),
        ("00A40400", "6700"),
        ("00A4040C05A000", "6700"),
        ("00A4040C05A000000001", "6A82"),
        ("00A4080C022F01", "6A86"),
        ("00A4020F02011C", "6A86"),
        ("00B0000000", "6986"),
        ("00B09F0000", "6A86"),
        ("01A4000C", "6881"),
        ("0DA4000C", "6881"),
        ("81CA004500", "6881"),
        ("87CA004500", "6881"),
        ("C4CA004500", "6881"),
        ("04A4000C", "6882"),
        ("18A4000C", "6882"),
        ("88CA004500", "6882"),
        ("8CCA004500", "6882"),
        ("20A4000C", "6E00"),
        ("A0A40000", "6E00"),
        ("FFCA000000", "6E00"),
        ("0CA4000C", "6982"),
        ("84CA004500", "6982"),
        ("80CA9F7F00", "6E00"),
        ("00FF000000", "6D00"),
        ("00C0000000", "6D00"),
    ] {
        card.chip().reset();
        assert_eq!(say(&card, command), status, "{command}");
    }
}

#[test]
fn a_chip_without_extended_length_refuses_it() {
    let card = personalized(Profile::short());
    assert_eq!(say(&card, "00B09C00000000"), "6700");
    assert!(say(&card, "00B09C0000").ends_with("9000"));
}

#[test]
fn a_chain_is_put_together_and_an_interrupted_one_is_dropped() {
    let card = personalized(Profile::default());
    assert_eq!(say(&card, "10A4040C03A00000"), "9000");
    assert_eq!(say(&card, "00A4040C0402471001"), "9000");
    assert_eq!(say(&card, "00B0800004"), "6A86");
    assert_eq!(say(&card, "10A4040C03A00000"), "9000");
    assert!(say(&card, "00B09C0000").ends_with("9000"), "the interrupting command is served");
    assert_eq!(say(&card, "00A4040C0402471001"), "6700", "and the rest of the chain stands alone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No sequence of bytes makes the chip panic or return data of the holder without authentication.
    #[test]
    fn any_bytes_are_answered_and_nothing_of_the_holder_leaks(
        commands in prop::collection::vec(command(), 1..20)
    ) {
        let store = PERSONALIZED.with(hardware_sim::Store::clone);
        let card = hardware_sim::InProcess::new(hardware_sim::Chip::open(store, SEED).expect("the chip"));
        let secret = [2; 16]; // in DG13, and nowhere else
        for bytes in commands {
            let answer = card.chip().transmit(&bytes);
            prop_assert!(answer.len() >= 2);
            prop_assert!(answer.len() <= 32_767);
            prop_assert!(!answer.windows(16).any(|w| w == secret));
        }
    }
}

/// Generates random bytes and, more often, nearly valid commands that get further.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let wild = prop::collection::vec(any::<u8>(), 0..40);
    let class = prop::sample::select(vec![0x00, 0x0c, 0x10, 0x1c, 0x80, 0x84]);
    let instruction =
        prop::sample::select(vec![0xa4, 0xb0, 0xb1, 0x84, 0x82, 0x88, 0x22, 0x86, 0xca, 0x50, 0xd8, 0x46, 0xe2, 0xf0]);
    let parameters = prop::sample::select(vec![
        [0, 0],
        [2, 12],
        [4, 12],
        [0, 12],
        [0xc1, 0xa4],
        [0x41, 0xa4],
        [0x41, 0xa6],
        [0x8d, 0],
        [0x9e, 0],
        [0, 0x0d],
        [0xdf, 0x21],
    ]);
    let data = prop_oneof![
        Just(hex::decode("A0000002471001").expect("hex")),
        Just(hex::decode("A000000151000000").expect("hex")),
        Just(hex::decode("010D").expect("hex")),
        Just(hex::decode("54020000").expect("hex")),
        Just(hex::decode("800A04007F00070202040202830102").expect("hex")),
        Just(hex::decode("7C00").expect("hex")),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    let tame = (class, instruction, parameters, data, any::<bool>()).prop_map(|(cla, ins, p, data, le)| {
        let mut bytes = vec![cla, ins, p[0], p[1]];
        if !data.is_empty() {
            bytes.push(u8::try_from(data.len()).expect("short"));
            bytes.extend(data);
        }
        if le {
            bytes.push(0);
        }
        bytes
    });
    prop_oneof![1 => wild, 4 => tame]
}

thread_local! {
    static PERSONALIZED: hardware_sim::Store = {
        let store = hardware_sim::Store::memory();
        let mut card = hardware_sim::InProcess::new(blank_in(store.clone(), Profile::default(), 0));
        let keys = intake(&mut card).expect("the chip");
        let groups: Vec<File> = files(&keys).into_iter().map(|(file, _)| file).collect();
        assert!(groups.contains(&File::Com));
        personalize(&mut card, &package(&keys)).expect("the chip");
        store
    };
}
