use std::fs;

use super::*;

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn serial(last: u8) -> CardSerial {
    CardSerial([0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

fn receipt() -> Receipt {
    Receipt { order: "0190-order".to_owned(), responses: vec![vec![0x90, 0x00], vec![0x63, 0x00]] }
}

/// A journal with two chips in two readers: one finished, one spoiled but not yet accounted for, one in the middle.
fn busy(folder: &Path) -> Vec<u8> {
    let mut journal = Journal::open(folder).unwrap();
    let first = journal.begin(Kind::Intake, serial(1), "A", AT).unwrap();
    journal.record(first, Event::Ordered { order: "o1".to_owned() }, AT).unwrap();
    let second = journal.begin(Kind::Personalize, serial(2), "B", AT).unwrap();
    journal.record(first, Event::Played { receipt: receipt() }, AT).unwrap();
    journal.record(second, Event::Ordered { order: "o2".to_owned() }, AT).unwrap();
    journal.record(first, Event::Finished, AT).unwrap();
    journal.record(second, Event::Played { receipt: receipt() }, AT).unwrap();
    let spoiled = Event::Spoiled { reason: "chip-refused".to_owned(), evidence: "6F00".to_owned() };
    journal.record(second, spoiled, AT).unwrap();
    fs::read(folder.join("journal.jsonl")).unwrap()
}

/// The number of terminated lines.
fn lines_of(bytes: &[u8]) -> usize {
    bytes.split(|b| *b == b'\n').count() - 1
}

#[test]
fn killed_at_every_byte_it_reopens_to_the_last_whole_record() {
    let folder = tempfile::tempdir().unwrap();
    let whole = busy(folder.path());
    let path = folder.path().join("journal.jsonl");
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let lines = lines_of(&whole[..length]);
        let kept = fs::read(&path).unwrap();
        assert_eq!(lines_of(&kept), lines, "cut at {length}");
        assert!(whole.starts_with(&kept));
        if length % 50 != 0 {
            continue; // each append waits for the disk
        }
        let id = journal.begin(Kind::Intake, serial(9), "C", AT).unwrap();
        assert!(Journal::open(folder.path()).unwrap().entry(id).is_some());
    }
}

#[test]
fn an_unfinished_entry_comes_back_as_far_as_it_got() {
    let folder = tempfile::tempdir().unwrap();
    busy(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let unfinished = journal.unfinished();
    let [entry] = &unfinished[..] else { panic!("one is unfinished") };
    assert_eq!((entry.kind, entry.serial, entry.reader.as_str()), (Kind::Personalize, serial(2), "B"));
    assert!(matches!(&entry.stage, Stage::AwaitAccount { reason, .. } if reason == "chip-refused"));
}

#[test]
fn a_flipped_bit_in_a_whole_line_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = busy(folder.path());
    let path = folder.path().join("journal.jsonl");
    for at in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(JournalError::Corrupt { .. })), "byte {at}");
    }
}

#[test]
fn a_line_torn_by_another_process_is_cut_off_by_the_next_append() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut mine = Journal::open(folder.path()).unwrap();
    let id = mine.begin(Kind::Intake, serial(1), "A", AT).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"0011223344556677 {\"entry\":\"01");
    fs::write(&path, bytes).unwrap();
    mine.record(id, Event::Finished, AT).unwrap();
    assert!(Journal::open(folder.path()).unwrap().unfinished().is_empty());
}

#[test]
fn events_have_their_golden_json() {
    let receipt = r#"{"order":"0190-order","responses":["kAA=","YwA="]}"#;
    let golden = [
        r#""event":"begun","kind":"personalize","serial":"00000000000000000001","reader":"A""#.to_owned(),
        r#""event":"ordered","order":"o1""#.to_owned(),
        format!(r#""event":"played","receipt":{receipt}"#),
        r#""event":"proved","proof":{"challenge":"0102030405060708","signature":"abcd"}"#.to_owned(),
        r#""event":"incomplete""#.to_owned(),
        r#""event":"finished""#.to_owned(),
        r#""event":"spoiled","reason":"chip-locked","evidence":"seen""#.to_owned(),
        r#""event":"accounted""#.to_owned(),
        r#""event":"withdrawn","reason":"chip-unknown""#.to_owned(),
    ];
    for event in golden {
        let json = format!(r#"{{"entry":"01900000-0000-7000-8000-000000000000","at":"1970-01-01T00:00:00Z",{event}}}"#);
        let record: Record = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
    }
}

#[test]
fn a_voucher_lies_beside_the_journal_with_the_commands_of_its_order_and_is_removed_after_a_quarter() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let order = |id: &str| Order {
        id: id.to_owned(),
        purpose: crypto::perso::Purpose::Personalize,
        serial: serial(1),
        commands: vec![vec![0, 0xa4, 4, 0]],
    };
    let now = SystemTime::from(AT);
    // The id is the service's text, and leads nowhere.
    journal.keep_voucher(&order("../../o1"), "AAEC", now).unwrap();
    let files = || -> Vec<_> {
        fs::read_dir(folder.path().join("vouchers")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(files().len(), 1);
    let kept = fs::read_to_string(&files()[0]).unwrap();
    let json = r#"{"order":{"id":"../../o1","purpose":"personalize","serial":"00000000000000000001","commands":["AKQEAA=="]},"voucher":"AAEC"}"#;
    assert_eq!(kept, json);
    assert!(files()[0].extension().is_some_and(|extension| extension == "json"));
    journal.keep_voucher(&order("o2"), "AAEC", now).unwrap();
    assert_eq!(files().len(), 2);
    let written = fs::metadata(&files()[0]).unwrap().modified().unwrap();
    journal.keep_voucher(&order("o3"), "AAEC", written + Duration::from_hours(93 * 24)).unwrap();
    assert_eq!(files().len(), 1, "the two of a quarter ago are gone");
}

#[test]
fn readers_that_write_at_the_same_time_have_every_record_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for reader in 0..8 {
            let mut journal = journal.clone();
            let path = folder.path();
            scope.spawn(move || {
                for chip in 0..6 {
                    let id = journal.begin(Kind::Intake, serial(reader * 10 + chip), "A", AT).unwrap();
                    let event = if chip % 2 == 0 { Event::Finished } else { Event::Ordered { order: "o".to_owned() } };
                    journal.record(id, event, AT).unwrap();
                    // On disk before it returns: another handle reads it.
                    let entry = Journal::open(path).unwrap().entry(id);
                    assert_eq!(entry.map(|entry| entry.ordered), (chip % 2 == 1).then_some(true));
                }
            });
        }
    });
    let left = Journal::open(folder.path()).unwrap().unfinished();
    assert_eq!(left.len(), 24);
    let mine: HashSet<_> = journal.unfinished().iter().map(|entry| entry.serial).collect();
    assert_eq!(mine, left.iter().map(|entry| entry.serial).collect());
}

#[test]
fn what_another_program_has_written_meanwhile_is_known_with_the_next_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut mine = Journal::open(folder.path()).unwrap();
    let first = mine.begin(Kind::Intake, serial(1), "A", AT).unwrap();
    let mut other = Journal::open(folder.path()).unwrap();
    other.record(first, Event::Accounted, AT).unwrap();
    let second = mine.begin(Kind::Intake, serial(2), "A", AT).unwrap();
    assert_eq!(mine.unfinished().iter().map(|entry| entry.id).collect::<Vec<_>>(), [second]);
}

#[test]
fn a_chip_is_one_readers_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let claim = journal.claim(serial(1)).unwrap();
    let other = journal.clone();
    assert!(other.claim(serial(1)).is_none() && other.claim(serial(2)).is_some());
    drop(claim);
    assert!(other.claim(serial(1)).is_some());
}

#[test]
fn a_full_disk_takes_the_reserve_and_refuses_the_next_chip_and_not_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.reserve().unwrap();
    let reserve = folder.path().join("journal.reserve");
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);
    let id = journal.begin(Kind::Intake, serial(1), "A", AT).unwrap();
    assert!(journal.has_room().is_ok());
    journal.fills();
    assert!(!reserve.exists());
    assert!(matches!(journal.has_room(), Err(JournalError::Io { .. })));
    journal.record(id, Event::Finished, AT).unwrap();
    // The next run wants the reserve back first.
    let journal = Journal::open(folder.path()).unwrap();
    journal.reserve().unwrap();
    assert!(journal.has_room().is_ok() && reserve.exists());
}

#[test]
fn after_a_write_that_failed_nothing_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let id = journal.begin(Kind::Intake, serial(1), "A", AT).unwrap();
    // The lines are gone: what follows would have nothing before it.
    File::create(folder.path().join("journal.jsonl")).unwrap();
    journal.record(id, Event::Finished, AT).unwrap_err();
    journal.record(id, Event::Finished, AT).unwrap_err();
    assert!(journal.has_room().is_err());
    assert_eq!(fs::metadata(folder.path().join("journal.jsonl")).unwrap().len(), 0);
}
