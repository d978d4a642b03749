//! The service reads journals as stations write them.

use card_agent::station::journal::{Event, Journal, Kind};
use crypto::identity::CardSerial;
use crypto::perso::Receipt;
use issuance::server::backup::reconcile::read_journal;
use time::OffsetDateTime;

#[test]
fn every_record_of_a_station_is_read_and_a_damaged_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = OffsetDateTime::UNIX_EPOCH;
    let mut journal = Journal::open(folder.path()).unwrap();
    let serial = CardSerial([7; 10]);
    let receipt = Receipt { order: "order-1".to_owned(), responses: vec![vec![0x90, 0x00]] };
    let entry = journal.begin(Kind::Personalize, serial, "one", at).unwrap();
    for event in [
        Event::Ordered { order: "order-1".to_owned() },
        Event::Played { receipt },
        Event::Incomplete,
        Event::Spoiled { reason: "chip-refused".to_owned(), evidence: "6F00".to_owned() },
        Event::Accounted,
        Event::Withdrawn { reason: "stage-does-not-allow".to_owned() },
        Event::Finished,
    ] {
        journal.record(entry, event, at).unwrap();
    }
    let file = folder.path().join("journal.jsonl");
    let records = read_journal(&file).unwrap();
    let told = format!("{records:?}");
    assert_eq!(records.len(), 8);
    for part in ["personalize", "Ordered { order: \"order-1\" }", "Spoiled", "Finished", &format!("{serial:?}")] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // An unterminated last line was never acted upon; a damaged whole one is.
    let mut bytes = std::fs::read(&file).unwrap();
    let whole = bytes.len();
    bytes.extend_from_slice(b"0123");
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(read_journal(&file).unwrap().len(), 8);
    bytes[whole - 10] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(read_journal(&file).unwrap_err().to_string().contains("line 8"));
}
