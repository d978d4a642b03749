//! What was made between a backup and a loss: cards whose chips prove themselves are entered again, all others are
//! revoked by two officers, and a station that lies changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::PersonalNumber;
use crypto::perso::{self, Receipt};
use issuance::applications::model::{Application, Kind};
use issuance::ground::actor::Service;
use issuance::ground::ids::PersonId;
use issuance::ground::{Decision, Role};
use issuance::production::personalization::{self, Ordered, PersonalizationOutcome};
use issuance::production::{ProductionError, findings, withdrawal};
use issuance::{args, numbering, sql};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::backup::{Place, issuance, run, started, succeeds};
use crate::chip::Chip;
use crate::offices::{OTHER_PARENTS, Offices, appoint, declaration, within};
use crate::postgres::fresh_database;

/// The folder of a station: a journal, and the vouchers of its orders.
struct Station {
    folder: PathBuf,
    entries: usize,
}

impl Station {
    fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("vouchers")).unwrap();
        fs::write(folder.join("journal.jsonl"), "").unwrap();
        Self { folder, entries: 0 }
    }

    fn tell(&self, event: Value) {
        let mut record = event;
        record["entry"] = format!("0197a3f0-1234-7abc-8def-{:012}", self.entries).into();
        record["at"] = "2026-11-22T08:30:00Z".into();
        let mut journal = fs::read_to_string(self.folder.join("journal.jsonl")).unwrap();
        journal += &line(&record);
        fs::write(self.folder.join("journal.jsonl"), journal).unwrap();
    }

    fn voucher(&self, order: &str) -> PathBuf {
        self.folder.join("vouchers").join(format!("{order}.json"))
    }

    /// Has an order given for the application, and keeps it as a station does.
    async fn orders(&mut self, offices: &Offices, application: &Application, chip: &Chip) -> Ordered {
        self.entries += 1;
        let serial = chip.serial.to_string();
        self.tell(json!({"event": "begun", "kind": "personalize", "serial": serial, "reader": "one"}));
        offices.prepares_for(&application.slip, chip).await.unwrap();
        let (presentation, production) = (chip.presentation(), &offices.state.production);
        let ordered =
            within!(offices, offices.station, deed => personalization::order(deed, production, &presentation, None))
                .unwrap();
        let kept = json!({"order": ordered.order, "voucher": ordered.voucher.as_ref().unwrap()});
        fs::write(self.voucher(&ordered.order.id), kept.to_string()).unwrap();
        self.tell(json!({"event": "ordered", "order": ordered.order.id}));
        ordered
    }

    /// Writes the card of an application, and reports nothing yet.
    async fn writes(&mut self, offices: &Offices, application: &Application, chip: &mut Chip) -> (Ordered, Receipt) {
        let ordered = self.orders(offices, application, chip).await;
        let (receipt, _) = perso::play(chip, &ordered.order, &mut |_| {});
        self.tell(json!({"event": "played", "receipt": receipt}));
        let signature = chip.signs(&ordered.challenge);
        let proof = json!({"challenge": hex::encode(ordered.challenge), "signature": hex::encode(&signature)});
        self.tell(json!({"event": "proved", "proof": proof}));
        (ordered, receipt)
    }

    /// Makes the card of an application. Returns the order.
    async fn makes(&mut self, offices: &Offices, application: &Application, chip: &mut Chip) -> String {
        let (ordered, receipt) = self.writes(offices, application, chip).await;
        let outcome = offices.reports(chip, &ordered, &receipt).await.unwrap();
        assert!(matches!(outcome, PersonalizationOutcome::Personalized { .. }));
        self.tell(json!({"event": "finished"}));
        ordered.order.id
    }

    /// A copy of the folder, to lie in.
    fn copy(&self, to: PathBuf) -> Self {
        let copy = Self { entries: self.entries, ..Self::new(to) };
        fs::copy(self.folder.join("journal.jsonl"), copy.folder.join("journal.jsonl")).unwrap();
        for entry in fs::read_dir(self.folder.join("vouchers")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.folder.join("vouchers").join(entry.file_name())).unwrap();
        }
        copy
    }

    /// Writes the journal anew, each record changed, with sound checksums.
    fn rewrite(&self, change: impl Fn(&mut Value)) {
        let journal = fs::read_to_string(self.folder.join("journal.jsonl")).unwrap();
        let lines = journal.lines().map(|line| {
            let mut record: Value = serde_json::from_str(&line[17..]).unwrap();
            change(&mut record);
            self::line(&record)
        });
        fs::write(self.folder.join("journal.jsonl"), lines.collect::<String>()).unwrap();
    }
}

fn line(record: &Value) -> String {
    let json = record.to_string();
    format!("{} {json}\n", hex::encode(&Sha256::digest(&json)[..8]))
}

fn reconcile(data: &Path, database: Option<&str>, stations: &[&Path], enter: bool) -> Command {
    let mut command = issuance(database);
    command.args(["reconcile", "--json", "--data"]).arg(data);
    for station in stations {
        command.arg("--journal").arg(station);
    }
    if enter {
        command.arg("--enter");
    }
    command
}

async fn number_of(offices: &Offices, person: PersonId) -> Option<PersonalNumber> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select personal_number from person where id = $1"), args![person]).await.unwrap()?;
    row.get::<Option<String>>("personal_number").unwrap().map(|number| number.parse().unwrap())
}

async fn status(offices: &Offices, sod_sha256: &str) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    issuance::cards::steps::status(&mut tx, sod_sha256).await.unwrap()
}

async fn fingerprint(offices: &Offices, chip: &Chip) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select sod_sha256 from document where serial = $1");
    let row = tx.one(sql, args![chip.serial.to_string()]).await.unwrap().unwrap();
    hex::encode(row.get::<Vec<u8>>("sod_sha256").unwrap())
}

/// How many rows a loss or a lie could change.
async fn rows(offices: &Offices) -> Vec<i64> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let mut all = Vec::new();
    for sql in [
        sql!("select count(*) as n from card"),
        sql!("select count(*) as n from finding"),
        sql!("select count(*) as n from revoked_document"),
        sql!("select count(*) as n from personal_number"),
        sql!("select count(*) as n from withheld_number"),
        sql!("select count(*) as n from audit_entry"),
    ] {
        all.push(tx.one(sql, args![]).await.unwrap().unwrap().get("n").unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_chip_proves_is_entered_again_and_two_officers_revoke_the_rest() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        Box::pin(drill(database)).await;
    }
}

#[expect(clippy::too_many_lines, reason = "one loss, told from its beginning to its end")]
async fn drill(database: Option<String>) {
    let place = Place::new();
    let offices = Box::pin(Offices::open(database.clone())).await;
    // Before the backup: three approved applications; chips in the ledger in different states;
    // a woman without a number.
    let mut approved = Vec::new();
    for _ in 0..3 {
        let person = offices.citizen().await;
        approved.push(offices.approved(person, Kind::First).await);
    }
    let numberless = offices.declares(&declaration()).await;
    let (mut one, mut two, mut three) =
        (offices.initialised(1).await, offices.blank(2).await, offices.initialised(3).await);
    let five = offices.initialised(5).await;
    succeeds(place.backup(offices.data.path(), database.as_deref(), "one")).await;

    // After it: two cards of applications that the backup has; one of a woman whom it has without a number; one of a
    // woman whom it does not have; and a chip that was being written when the power went.
    let mut station = Station::new(place.at("station"));
    let mut orders = BTreeMap::new();
    orders.insert(1, station.makes(&offices, &approved[0], &mut one).await);
    offices.takes_in(&mut two).await.unwrap();
    orders.insert(2, station.makes(&offices, &approved[1], &mut two).await);
    let numbers = &offices.state.numbers;
    let numbered = async |person| {
        within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, OTHER_PARENTS))
            .unwrap()
    };
    let her_number = numbered(numberless).await;
    let application = offices.approved(numberless, Kind::First).await;
    orders.insert(3, station.makes(&offices, &application, &mut three).await);
    let forgotten = offices.citizen().await;
    let lost_number = number_of(&offices, forgotten).await.unwrap();
    let application = offices.approved(forgotten, Kind::First).await;
    let mut four = offices.initialised(4).await;
    orders.insert(4, station.makes(&offices, &application, &mut four).await);
    orders.insert(5, station.orders(&offices, &approved[2], &five).await.order.id);
    let mut cards = BTreeMap::new();
    for chip in [&one, &two, &three, &four, &five] {
        cards.insert(chip.serial.0[9], fingerprint(&offices, chip).await);
    }
    let given: Vec<_> = [number_of(&offices, approved[0].person).await, number_of(&offices, approved[1].person).await]
        .into_iter()
        .map(Option::unwrap)
        .collect();
    offices.state.deeds().db().close().await;
    fs::remove_dir_all(offices.data.path()).unwrap();

    let elsewhere = database.is_some().then(|| fresh_database().unwrap());
    succeeds(place.restore("one", "new", elsewhere.as_deref())).await;
    let data = place.at("new");
    let offices = Box::pin(started(offices, data.clone(), elsewhere.clone())).await;
    let before = rows(&offices).await;

    Box::pin(lies(&place, &offices, &station, &orders, elsewhere.as_deref())).await;
    assert_eq!(rows(&offices).await, before, "what stations made up changed nothing");

    // Looked at, nothing is changed.
    let found: Value =
        serde_json::from_str(&succeeds(reconcile(&data, elsewhere.as_deref(), &[&station.folder], false)).await)
            .unwrap();
    assert_eq!((found["entered"].as_bool(), found["documents"].as_array().unwrap().len()), (Some(false), 5), "{found}");
    assert_eq!(rows(&offices).await, before);

    // A receipt and a signature that are not the chip's enter no card; the orders were given all the same.
    let liar = station.copy(place.at("liar"));
    let (forged, unsigned) = (orders[&1].clone(), orders[&2].clone());
    liar.rewrite(|record| {
        if record["receipt"]["order"] == *forged {
            let mut receipt: Receipt = serde_json::from_value(record["receipt"].clone()).unwrap();
            receipt.responses.last_mut().unwrap()[3] ^= 1;
            record["receipt"] = serde_json::to_value(receipt).unwrap();
        }
        if record["event"] == "proved" && record["entry"].as_str().unwrap().ends_with('2') {
            record["proof"]["signature"] = "00".repeat(64).into();
        }
    });
    let (code, said) = run(reconcile(&data, elsewhere.as_deref(), &[&liar.folder], true)).await;
    assert!(code == Some(1) && said.contains("the receipt is forged") && said.contains("signature"), "{said}");
    assert!(said.contains(&forged) && said.contains(&unsigned), "both are named: {said}");
    for sod_sha256 in cards.values() {
        assert_eq!(status(&offices, sod_sha256).await, "unknown");
    }

    // Killed between any two of them, it goes on.
    for turn in 1..=2 {
        let mut command = reconcile(&data, elsewhere.as_deref(), &[&station.folder], true);
        command.env("ISSUANCE_FAILPOINT", format!("reentry:{turn}"));
        assert_eq!(run(command).await.0, None);
    }
    let enter = || reconcile(&data, elsewhere.as_deref(), &[&station.folder, &station.folder], true);
    let found: Value = serde_json::from_str(&succeeds(enter()).await).unwrap();
    let told = |found: &Value| {
        let documents = found["documents"].as_array().unwrap().iter();
        documents.map(|one| (one["sod_sha256"].to_string(), one["why"].to_string())).collect::<BTreeMap<_, _>>()
    };
    let expected = [(3, "application-unknown"), (4, "person-unknown"), (5, "unproved")];
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(chip, why)| (json!(cards[chip]).to_string(), json!(why).to_string())).collect();
    let mut rest = told(&found);
    rest.retain(|_, why| why != "null");
    assert_eq!(rest, expected, "{found}");
    let after = rows(&offices).await;
    assert_eq!(told(&serde_json::from_str(&succeeds(enter()).await).unwrap()), expected, "cards are known now");
    assert_eq!(rows(&offices).await, after, "nothing is entered twice");

    for (chip, application) in [(1, &approved[0]), (2, &approved[1])] {
        assert_eq!(status(&offices, &cards[&chip]).await, "personalized");
        assert_eq!(offices.application(application.id).await.stage.name(), "personalized");
    }
    // The lost card can be handed over, as any other.
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id from card where serial = $1"), args![one.serial.to_string()]).await.unwrap();
    let card = issuance::ground::Id::of(&row.unwrap(), "id").unwrap();
    drop(tx);
    let slip = approved[0].slip.0.clone();
    within!(offices, offices.counter, deed => issuance::applications::hand_over::hand_over(deed, card, &slip)).unwrap();

    // Numbers stay with their people, or are given to no other.
    assert_eq!(number_of(&offices, numberless).await, Some(her_number));
    assert_eq!(number_of(&offices, approved[0].person).await.as_ref(), Some(&given[0]));
    assert_eq!(number_of(&offices, approved[1].person).await.as_ref(), Some(&given[1]));
    let next = offices.declares(&declaration()).await;
    let by = Decision { by: offices.registrar.id, at: offices.clock.now() };
    for number in [&her_number, &lost_number] {
        let mut deed = offices.state.deeds().open(Service).await.unwrap();
        assert!(!numbering::store::give(deed.tx(), number, next, &by).await.unwrap(), "given to a second person");
    }

    Box::pin(revoked(&offices, &found, [&cards[&3], &cards[&4], &cards[&5]])).await;
    assert_eq!(told(&serde_json::from_str(&succeeds(enter()).await).unwrap()), BTreeMap::new(), "nothing is left");
    offices.state.deeds().db().close().await;
    let mut verify = issuance(elsewhere.as_deref());
    verify.arg("verify").arg("--data").arg(&data);
    assert!(succeeds(verify).await.contains("finding 5"));
}

/// Two administrators revoke what was found.
async fn revoked(offices: &Offices, found: &Value, documents: [&String; 3]) {
    let deeds = offices.state.deeds();
    let (first, second) = (appoint(deeds, Role::Admin).await, appoint(deeds, Role::Admin).await);
    for one in found["documents"].as_array().unwrap() {
        let Some(id) = one["finding"].as_str() else { continue };
        let id = id.parse().unwrap();
        let early = within!(offices, second, deed => findings::confirm(deed, id));
        assert!(matches!(early, Err(ProductionError::FindingUnknown)), "nothing is proposed yet");
        within!(offices, first, deed => findings::propose(deed, id)).unwrap();
        let alone = within!(offices, first, deed => findings::confirm(deed, id));
        assert!(matches!(alone, Err(ProductionError::SecondOfficer)), "one officer is not two");
        assert_eq!(status(offices, one["sod_sha256"].as_str().unwrap()).await, "unknown");
        within!(offices, second, deed => findings::confirm(deed, id)).unwrap();
        let again = within!(offices, first, deed => findings::propose(deed, id));
        assert!(matches!(again, Err(ProductionError::FindingUnknown)), "decided once");
    }
    let mut tx = deeds.db().begin_read().await.unwrap();
    let listed = issuance::cards::store::revoked_documents(&mut tx).await.unwrap();
    drop(tx);
    assert_eq!(listed.len(), 3, "what the next trust bundle names");
    for document in documents {
        assert_eq!(status(offices, document).await, "revoked");
        assert!(listed.iter().any(|one| hex::encode(one) == **document));
    }
}

/// What a station makes up is named by its file, and nothing follows from it.
async fn lies(
    place: &Place,
    offices: &Offices,
    station: &Station,
    orders: &BTreeMap<i32, String>,
    database: Option<&str>,
) {
    let data = place.at("new");
    let [one, two] = [&orders[&1], &orders[&2]];
    let alone = |name: &str, order: &str| {
        let liar = station.copy(place.at(name));
        for entry in fs::read_dir(liar.folder.join("vouchers")).unwrap() {
            let path = entry.unwrap().path();
            if path != liar.voucher(order) {
                fs::remove_file(path).unwrap();
            }
        }
        liar
    };
    // The voucher of another citizen's order.
    let exchanged = alone("exchanged", one);
    let mut kept: Value = serde_json::from_slice(&fs::read(station.voucher(one)).unwrap()).unwrap();
    let other: Value = serde_json::from_slice(&fs::read(station.voucher(two)).unwrap()).unwrap();
    kept["voucher"] = other["voucher"].clone();
    fs::write(exchanged.voucher(one), kept.to_string()).unwrap();
    // A journal that tells of the order under another chip.
    let other_chip = alone("other-chip", one);
    other_chip.rewrite(|record| {
        if record["event"] == "begun" {
            record["serial"] = "00000000000000000ABC".into();
        }
    });
    // A file that is cut.
    let cut = alone("cut", one);
    let whole = fs::read(station.voucher(one)).unwrap();
    fs::write(cut.voucher(one), &whole[..whole.len() / 2]).unwrap();
    // What another installation wrote.
    let foreign = Station::new(place.at("foreign"));
    let sealed = issuance::ground::Secrets::new(&[7; 32]).seal(&format!("voucher/{one}"), b"{}");
    kept["voucher"] = STANDARD.encode(sealed).into();
    fs::write(foreign.voucher(one), kept.to_string()).unwrap();
    for (liar, word) in [
        (&exchanged, "not this installation's"),
        (&other_chip, "under chip 00000000000000000ABC"),
        (&cut, "or cut"),
        (&foreign, "not this installation's"),
    ] {
        let (code, said) = run(reconcile(&data, database, &[&liar.folder], true)).await;
        let file = liar.voucher(one).display().to_string();
        assert!(code == Some(1) && said.contains(word) && said.contains(&file), "{said}");
    }
    // A journal of which a line was changed is refused whole.
    let damaged = alone("damaged", one);
    let journal = fs::read_to_string(damaged.folder.join("journal.jsonl")).unwrap();
    fs::write(damaged.folder.join("journal.jsonl"), journal.replacen("begun", "begum", 1)).unwrap();
    let (code, said) = run(reconcile(&data, database, &[&station.folder, &damaged.folder], true)).await;
    assert!(code == Some(1) && said.contains("line 1 is damaged"), "{said}");
    assert_eq!(offices.revoked().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_chips_that_were_written_for_one_application_the_later_one_is_its_card() {
    let place = Place::new();
    let offices = Box::pin(Offices::open(None)).await;
    let person = offices.citizen().await;
    let application = offices.approved(person, Kind::First).await;
    let (mut one, mut two) = (offices.initialised(1).await, offices.initialised(2).await);
    succeeds(place.backup(offices.data.path(), None, "one")).await;

    // The first chip is whole and proves itself, and was given up all the same: its print is torn.
    let mut station = Station::new(place.at("station"));
    station.writes(&offices, &application, &mut one).await;
    let serial = one.serial;
    within!(offices, offices.station, deed => withdrawal::spoil(deed, &serial, "torn", "journal 1")).unwrap();
    let first = fingerprint(&offices, &one).await;
    offices.clock.advance(time::Duration::minutes(5));
    station.makes(&offices, &application, &mut two).await;
    let second = fingerprint(&offices, &two).await;
    offices.state.deeds().db().close().await;
    fs::remove_dir_all(offices.data.path()).unwrap();

    succeeds(place.restore("one", "new", None)).await;
    let data = place.at("new");
    let offices = Box::pin(started(offices, data.clone(), None)).await;
    succeeds(reconcile(&data, None, &[&station.folder], true)).await;
    assert_eq!(status(&offices, &second).await, "personalized");
    assert_ne!(status(&offices, &first).await, "personalized", "the chip that was given up");
}
