//! The life of a chip from delivery to termination, and attacks on orders and receipts.

mod attacks;
mod chip;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use self::chip::{Cut, TestChip, Trouble};
use super::stream::push;
use super::*;
use crate::apdu::{Command, Status};
use crate::command::generate_key_pair::KeyUse;
use crate::command::put_key::PutKey;
use crate::command::store_data::StoreData;
use crate::identity::{Can, CardSerial};
use crate::lds::{AtrInfo, DataGroup, File};
use crate::mrz::MrzKey;
use crate::scp03::{KeySet, MasterKey, largest_plaintext};
use crate::suite::ec::Curve;

const SERIAL: CardSerial = CardSerial([0xca, 0xfe, 0, 0, 0, 0, 0, 0, 0, 1]);
const OTHER: CardSerial = CardSerial([0xca, 0xfe, 0, 0, 0, 0, 0, 0, 0, 2]);
// Versions with two bits set: a flipped bit does not make them 0, which means "any" and would be as good.
const TRANSPORT: u8 = 0x30;
const ISSUER: u8 = 0x03;
const EXTENDED: AtrInfo = AtrInfo { max_command: 2_048, max_response: 2_048 };

/// The service: master keys and randomness, without access to the card.
struct Service {
    transport: MasterKey,
    issuer: MasterKey,
    rng: ChaCha20Rng,
    curves: [Curve; 2],
}

impl Service {
    fn new() -> Self {
        Self::with(16, [Curve::P256; 2])
    }

    fn with(key_length: usize, curves: [Curve; 2]) -> Self {
        let master = |byte: u8| MasterKey::from_bytes(&vec![byte; key_length]).unwrap();
        Self { transport: master(0x11), issuer: master(0x22), rng: ChaCha20Rng::from_seed([7; 32]), curves }
    }

    fn keys(&self, serial: &CardSerial, version: u8) -> KeySet {
        if version == TRANSPORT {
            self.transport.diversify(serial, version)
        } else {
            self.issuer.diversify(serial, version)
        }
    }

    fn blank(&self, serial: CardSerial, lengths: AtrInfo) -> TestChip {
        TestChip::blank(serial, self.keys(&serial, TRANSPORT), TRANSPORT, lengths)
    }

    fn intake(&mut self, chip: &Presentation) -> Script {
        let [chip_auth, active_auth] = self.curves;
        let new = (chip.key_version == TRANSPORT).then(|| self.keys(&chip.serial, ISSUER));
        let current = self.keys(&chip.serial, chip.key_version);
        let new = new.as_ref().map(|keys| (keys, ISSUER));
        Script::intake(&current, chip, new, chip_auth, active_auth, &mut self.rng).unwrap()
    }

    fn personalize(&mut self, chip: &Presentation, package: &Package) -> Script {
        Script::personalize(&self.keys(&chip.serial, chip.key_version), chip, package, &mut self.rng).unwrap()
    }

    fn report(&mut self, chip: &Presentation) -> Script {
        Script::report(&self.keys(&chip.serial, chip.key_version), chip, &mut self.rng).unwrap()
    }

    /// Verifies a receipt as after a restart: with the stored record and keys derived again.
    fn judge(&self, script: &Script, receipt: &Receipt) -> Result<Outcome, ReceiptError> {
        let stored = serde_json::to_string(&script.to_record()).unwrap();
        let record: Record = serde_json::from_str(&stored).unwrap();
        let keys = self.keys(&record.serial(), record.key_version());
        Script::from_record(record).verify(&keys, receipt)
    }
}

/// Plays an order as the station does: from its serialised form to a serialised receipt.
fn carry(chip: &mut TestChip, script: &Script) -> Receipt {
    let sent = serde_json::to_string(&script.order("order-1")).unwrap();
    let order: Order = serde_json::from_str(&sent).unwrap();
    let (receipt, _) = play(chip, &order, &mut |_| {});
    serde_json::from_str(&serde_json::to_string(&receipt).unwrap()).unwrap()
}

fn package_of(sizes: &[(File, usize)]) -> Package {
    let files = sizes
        .iter()
        .map(|(file, size)| (*file, (0..*size).map(|i| u8::try_from(i * 31 % 256).unwrap()).collect()))
        .collect();
    let mrz = MrzKey::new("012345678", "900101", "300101").unwrap();
    Package::new(files, "123456".parse::<Can>().unwrap(), &mrz).unwrap()
}

fn small() -> Package {
    package_of(&[(File::Com, 20), (File::Sod, 300), (DataGroup::DG1.into(), 93), (File::CardAccess, 40)])
}

fn usual() -> Package {
    let groups = [(DataGroup::DG1, 95), (DataGroup::DG2, 16_500), (DataGroup::DG13, 620), (DataGroup::DG14, 420)];
    let mut sizes: Vec<(File, usize)> = groups.map(|(group, size)| (group.into(), size)).to_vec();
    sizes.extend([(DataGroup::DG15.into(), 350), (File::Com, 30), (File::Sod, 2_400), (File::CardAccess, 20)]);
    package_of(&sizes)
}

/// Returns a chip that was taken in, and one that holds a package too.
fn initialised(service: &mut Service, serial: CardSerial, lengths: AtrInfo) -> TestChip {
    let mut chip = service.blank(serial, lengths);
    let script = service.intake(&present(&mut chip).unwrap());
    let receipt = carry(&mut chip, &script);
    service.judge(&script, &receipt).unwrap();
    chip
}

#[test]
fn a_chip_passes_through_its_whole_life_cycle() {
    for (key_length, curves, lengths) in [
        (16, [Curve::P256, Curve::P256], AtrInfo::SHORT),
        (16, [Curve::BrainpoolP256r1, Curve::P256], AtrInfo::SHORT),
        (32, [Curve::P384, Curve::P256], EXTENDED),
        (24, [Curve::BrainpoolP384r1, Curve::P521], AtrInfo { max_command: 65_544, max_response: 65_538 }),
    ] {
        let mut service = Service::with(key_length, curves);
        let mut chip = service.blank(SERIAL, lengths);

        let presented = present(&mut chip).unwrap();
        let expected = Presentation {
            serial: SERIAL,
            life_cycle: LifeCycle::Blank,
            key_version: TRANSPORT,
            sequence_counter: 0,
            max_command: lengths.max_command,
            max_response: lengths.max_response,
        };
        assert_eq!(presented, expected);

        let script = service.intake(&presented);
        let receipt = carry(&mut chip, &script);
        assert!(receipt.answers(&script.order("order-1")));
        let outcome = service.judge(&script, &receipt).unwrap();
        let stock = outcome.public_keys.unwrap();
        assert_eq!(stock.chip_auth, chip.key_pairs[&false].public());
        assert_eq!(stock.active_auth, chip.key_pairs[&true].public());
        assert_eq!([stock.chip_auth.curve(), stock.active_auth.curve()], curves);
        assert_eq!(outcome.report.unwrap().digest, digest([]));

        let presented = present(&mut chip).unwrap();
        assert_eq!((presented.life_cycle, presented.key_version), (LifeCycle::Initialised, ISSUER));
        assert_eq!(presented.sequence_counter, 1);
        let package = usual();
        let script = service.personalize(&presented, &package);
        let receipt = carry(&mut chip, &script);
        let outcome = service.judge(&script, &receipt).unwrap();
        assert_eq!(outcome.public_keys, Some(stock.clone()));
        assert_eq!(outcome.report.unwrap().digest, package.digest());
        assert_eq!(
            chip.files
                .iter()
                .map(|(f, c)| (*f, &c[..]))
                .map(|(f, c)| (f.id(), c))
                .collect::<std::collections::BTreeMap<_, _>>(),
            package.files().map(|(f, c)| (f.id(), c)).collect()
        );
        assert_eq!(chip.can.as_deref(), Some("123456"));
        // 0123456784, 9001011, 3001019: each field with its check digit
        assert_eq!(chip.mrz_seed.unwrap()[..], crate::suite::Hash::Sha1.digest(b"012345678490010113001019")[..]);

        let script = service.report(&present(&mut chip).unwrap());
        let receipt = carry(&mut chip, &script);
        let report = service.judge(&script, &receipt).unwrap().report.unwrap();
        assert_eq!((report.life_cycle, report.digest), (LifeCycle::Personalized, package.digest()));

        for (state, reports) in [(LifeCycle::Locked, true), (LifeCycle::Terminated, false)] {
            let presented = present(&mut chip).unwrap();
            let keys = service.keys(&SERIAL, ISSUER);
            let script = Script::set_status(&keys, &presented, state, &mut service.rng).unwrap();
            let receipt = carry(&mut chip, &script);
            let outcome = service.judge(&script, &receipt).unwrap();
            assert_eq!(outcome.report.map(|r| r.life_cycle), reports.then_some(state));
            assert_eq!(chip.life_cycle, state);
        }
    }
}

#[test]
fn store_data_is_sent_as_rarely_as_can_be() {
    let mut service = Service::new();
    for lengths in [AtrInfo::SHORT, EXTENDED, AtrInfo { max_command: 65_544, max_response: 258 }] {
        let mut chip = initialised(&mut service, SERIAL, lengths);
        let presented = present(&mut chip).unwrap();
        let package = usual();
        let script = service.personalize(&presented, &package);
        let blocks = script.steps().iter().filter(|step| matches!(step, ScriptStep::StoreData(_))).count();
        let content: usize = package.files().map(|(_, content)| content.len()).sum();
        let most = largest_plaintext(lengths.max_command);
        assert_eq!(blocks, package.stream().len().div_ceil(most));
        // Against the bare contents: at most 2 %, or the one command that the headers may cost.
        let least = content.div_ceil(most);
        assert!(blocks <= least + 1.max(least / 50), "{blocks} for {least}");
        let longest = script.order("o").commands.iter().map(Vec::len).max().unwrap();
        assert!(longest <= lengths.max_command);
        let receipt = carry(&mut chip, &script);
        assert!(service.judge(&script, &receipt).is_ok());
    }
}

#[test]
fn a_stream_of_more_than_256_blocks_arrives() {
    let mut service = Service::new();
    let mut chip = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    let package = package_of(&[(DataGroup::DG2.into(), 60_000), (DataGroup::DG3.into(), 30_000)]);
    let script = service.personalize(&present(&mut chip).unwrap(), &package);
    assert!(script.steps().len() > 300);
    let receipt = carry(&mut chip, &script);
    assert_eq!(service.judge(&script, &receipt).unwrap().report.unwrap().digest, package.digest());
}

/// Power cut before and after every command of intake and personalization: the table of `docs/adr/0004`
/// brings every chip to its end.
#[test]
fn every_cut_is_healed_by_new_orders() {
    let package = small();
    let commands = 8 + 3 + package.stream().len().div_ceil(239) + 2;
    for number in 0..commands {
        for cut in [Cut::Before(number), Cut::After(number)] {
            let mut service = Service::new();
            let mut chip = service.blank(SERIAL, AtrInfo::SHORT);
            let mut armed = Some(cut);
            let mut proved = None;
            for _ in 0..6 {
                let presented = present(&mut chip).unwrap();
                let script = match presented.life_cycle {
                    LifeCycle::Blank => service.intake(&presented),
                    LifeCycle::Initialised => service.personalize(&presented, &package),
                    _ => service.report(&presented),
                };
                chip.power_off();
                // Commands are counted over both orders; the second begins where the first ended.
                let first = matches!(presented.life_cycle, LifeCycle::Blank);
                let here = |n: usize| if first { Some(n).filter(|n| *n < 8) } else { n.checked_sub(8) };
                chip.cut = match armed {
                    Some(Cut::Before(n)) => here(n).map(Cut::Before),
                    Some(Cut::After(n)) => here(n).map(Cut::After),
                    None => None,
                };
                if chip.cut.is_some() {
                    armed = None;
                }
                let order = script.order("o");
                let (receipt, trouble) = play(&mut chip, &order, &mut |_| {});
                match service.judge(&script, &receipt) {
                    Ok(outcome) => {
                        assert_eq!(trouble, None);
                        let report = outcome.report.unwrap();
                        if report.life_cycle == LifeCycle::Personalized {
                            proved = Some(report.digest);
                            break;
                        }
                    }
                    Err(error) => {
                        assert_eq!((error.reason, trouble), (Reason::Incomplete, Some(Trouble::PowerCut)));
                        assert_eq!(error.index, receipt.responses.len());
                    }
                }
            }
            assert!(armed.is_none() && proved == Some(package.digest()), "{cut:?}");
            assert_eq!(chip.life_cycle, LifeCycle::Personalized);
        }
    }
}

#[test]
fn files_of_an_earlier_stream_do_not_survive() {
    let mut service = Service::new();
    let mut chip = initialised(&mut service, SERIAL, AtrInfo::SHORT);
    let first = package_of(&[(DataGroup::DG1.into(), 90), (DataGroup::DG13.into(), 500), (File::Sod, 900)]);
    let script = service.personalize(&present(&mut chip).unwrap(), &first);
    chip.power_off();
    chip.cut = Some(Cut::Before(8));
    carry(&mut chip, &script);
    assert!(chip.files.contains_key(&DataGroup::DG13.into()));
    let second = package_of(&[(DataGroup::DG1.into(), 91), (File::Sod, 800)]);
    let script = service.personalize(&present(&mut chip).unwrap(), &second);
    let receipt = carry(&mut chip, &script);
    assert_eq!(service.judge(&script, &receipt).unwrap().report.unwrap().digest, second.digest());
    assert!(!chip.files.contains_key(&DataGroup::DG13.into()));
}

#[test]
fn a_script_is_refused_in_a_state_that_does_not_allow_it() {
    let mut service = Service::new();
    let mut chip = service.blank(SERIAL, AtrInfo::SHORT);
    let presented = present(&mut chip).unwrap();
    let keys = service.keys(&SERIAL, TRANSPORT);
    let rng = &mut service.rng;
    let stands = |life_cycle| Presentation { life_cycle, ..presented.clone() };
    let p256 = Curve::P256;
    for state in [LifeCycle::Initialised, LifeCycle::Personalized, LifeCycle::Locked, LifeCycle::Terminated] {
        let refused = Script::intake(&keys, &stands(state), None, p256, p256, rng).err();
        assert_eq!(refused, Some(ScriptError::LifeCycle { stands: state }));
    }
    for state in [LifeCycle::Blank, LifeCycle::Personalized, LifeCycle::Locked, LifeCycle::Terminated] {
        let refused = Script::personalize(&keys, &stands(state), &small(), rng).err();
        assert_eq!(refused, Some(ScriptError::LifeCycle { stands: state }), "never personalized again");
    }
    assert!(Script::set_status(&keys, &stands(LifeCycle::Personalized), LifeCycle::Blank, rng).is_err());
    assert!(Script::set_status(&keys, &stands(LifeCycle::Blank), LifeCycle::Locked, rng).is_err());
    assert!(Script::report(&keys, &stands(LifeCycle::Terminated), rng).is_err());
    let spent = Presentation { sequence_counter: 0xff_ffff, ..presented.clone() };
    assert_eq!(Script::report(&keys, &spent, rng).err(), Some(ScriptError::CounterSpent { counter: 0xff_ffff }));
    let narrow = Presentation { max_command: 0, ..presented.clone() };
    assert_eq!(Script::report(&keys, &narrow, rng).err(), Some(ScriptError::Buffer { has: 0, needs: 261 }));
    let two_big_keys = Script::intake(&keys, &presented, None, Curve::P384, Curve::P384, rng).err();
    assert!(matches!(two_big_keys, Some(ScriptError::Buffer { has: 258, .. })), "the report would not fit");
}

#[test]
fn a_package_says_what_is_wrong_with_it() {
    let new =
        |files| Package::new(files, "123456".parse().unwrap(), &MrzKey::new("1", "900101", "300101").unwrap()).err();
    assert_eq!(new(vec![(File::Com, vec![])]), Some(PackageError::Length { file: File::Com, length: 0 }));
    let long = vec![(File::Com, vec![0; 65_536])];
    assert_eq!(new(long), Some(PackageError::Length { file: File::Com, length: 65_536 }));
    assert_eq!(new(vec![(File::Com, vec![1]), (File::Com, vec![2])]), Some(PackageError::Twice { file: File::Com }));
    let security = new(vec![(File::CardSecurity, vec![1])]);
    assert_eq!(security, Some(PackageError::NotForUs { file: File::CardSecurity }));
}

#[test]
fn the_digest_is_what_its_definition_says() {
    let of = |bytes: &[u8]| crate::suite::Hash::Sha256.digest(bytes);
    let files = [(File::Com, &[0x60, 0x00][..]), (File::DataGroup(DataGroup::DG1), &[0x61, 0x01, 0xff][..])];
    let expected = of(&[0x01, 0x01, 0, 0, 0, 3, 0x61, 0x01, 0xff, 0x01, 0x1e, 0, 0, 0, 2, 0x60, 0x00]);
    assert_eq!(digest(files)[..], expected[..]);
}

#[test]
fn the_collector_refuses_what_is_no_stream() {
    let block = |number, last, data: &[u8]| StoreData { last, block: number, data: data.to_vec() };
    let taken = |blocks: &[StoreData]| {
        let mut collector = Collector::new();
        let (last, before) = blocks.split_last().unwrap();
        for block in before {
            collector.take(block).unwrap();
        }
        collector.take(last)
    };
    assert_eq!(taken(&[block(1, true, &[])]), Err(Status::WRONG_P1P2));
    assert_eq!(taken(&[block(0, false, &[]), block(0, true, &[])]), Err(Status::WRONG_P1P2));
    assert_eq!(taken(&[block(0, true, &[]), block(1, true, &[])]), Err(Status::CONDITIONS_NOT_SATISFIED));
    assert_eq!(taken(&[block(0, true, &[0x01, 0x1e, 3, 1, 2])]), Err(Status::WRONG_DATA));
    assert_eq!(taken(&[block(0, true, &[0x01, 0x1e, 0])]), Err(Status::WRONG_DATA));
    assert_eq!(taken(&[block(0, true, &[0x42, 0x42, 1, 1])]), Err(Status::REFERENCED_DATA_NOT_FOUND));
    assert_eq!(taken(&[block(0, true, b"\x80\x10\x0612345x")]), Err(Status::WRONG_DATA));
    assert_eq!(taken(&[block(0, true, &[0x80, 0x11, 1, 1])]), Err(Status::WRONG_DATA));
    let mut spoiled = Collector::new();
    spoiled.take(&block(0, true, &[0x01, 0x1e, 1, 1])).unwrap();
    spoiled.spoil();
    assert!(!spoiled.is_complete() && !spoiled.is_untouched());
    assert_eq!(spoiled.take(&block(1, true, &[])), Err(Status::CONDITIONS_NOT_SATISFIED));
    let whole = Grouping::File(File::Com, vec![1, 2, 3]);
    assert_eq!(taken(&[block(0, false, &[0x01, 0x1e]), block(1, true, &[3, 1, 2, 3])]), Ok(vec![whole]));
}

#[test]
fn put_key_carries_keys_of_every_length() {
    let current = Service::new().keys(&SERIAL, TRANSPORT);
    for length in [16, 24, 32] {
        let new = Service::with(length, [Curve::P256; 2]).keys(&SERIAL, ISSUER);
        let command = Command::from(PutKey::new(&current, TRANSPORT, &new, ISSUER));
        let mut read = PutKey::try_from(&command).unwrap();
        assert_eq!(read.unwrap(&current).unwrap().to_bytes(), new.to_bytes());
        read.keys[1].check_value[0] ^= 1;
        assert_eq!(read.unwrap(&current).err(), Some(Status::WRONG_DATA));
        assert_eq!(PutKey::try_from(&command.data([0x03, 0x88])).err(), Some(Status::WRONG_DATA));
    }
}

#[test]
fn life_cycles_lead_forward_only() {
    for from in LifeCycle::ALL {
        assert_eq!(LifeCycle::from_byte(from.byte()), Some(from));
        for to in LifeCycle::ALL {
            assert!(!from.may_become(to) || from.byte() < to.byte());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_package_arrives_at_any_buffer_size(
        sizes in proptest::collection::vec(1usize..3_000, 1..8),
        max_command in 261usize..4_000,
    ) {
        let mut service = Service::new();
        let mut chip = initialised(&mut service, SERIAL, AtrInfo { max_command, max_response: 258 });
        let files: Vec<_> = sizes.iter().zip(DataGroup::all()).map(|(size, group)| (group.into(), *size)).collect();
        let package = package_of(&files);
        let script = service.personalize(&present(&mut chip).unwrap(), &package);
        prop_assert!(script.order("o").commands.iter().all(|command| command.len() <= max_command));
        let receipt = carry(&mut chip, &script);
        prop_assert_eq!(service.judge(&script, &receipt).unwrap().report.unwrap().digest, package.digest());
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_groupings(contents in proptest::collection::vec(1usize..700, 1..6), cut in 1usize..300) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (length, group) in contents.iter().zip(DataGroup::all()) {
            let content = vec![group.number(); *length];
            push(&mut stream, File::from(group).id(), &content);
            expected.push(Grouping::File(group.into(), content));
        }
        let blocks = stream.chunks(cut).count();
        let mut collector = Collector::new();
        let mut found = Vec::new();
        for (number, data) in stream.chunks(cut).enumerate() {
            let last = number + 1 == blocks;
            let block = StoreData { last, block: number.to_be_bytes()[size_of::<usize>() - 1], data: data.to_vec() };
            found.extend(collector.take(&block).unwrap());
        }
        prop_assert!(collector.is_complete());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn arbitrary_receipts_and_blocks_never_panic(responses: Vec<Vec<u8>>, block: Vec<u8>) {
        let mut service = Service::new();
        let mut chip = service.blank(SERIAL, AtrInfo::SHORT);
        let script = service.intake(&present(&mut chip).unwrap());
        let receipt = Receipt { order: "o".into(), responses };
        prop_assert!(service.judge(&script, &receipt).is_err());
        let _ = Collector::new().take(&StoreData { last: true, block: 0, data: block.clone() });
        let _ = Report::parse(&block);
    }
}
