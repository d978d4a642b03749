//! This version opens every golden house that an earlier one closed, under the clock of its making: its cards go on.
//! `tests/README.md` says what a golden house is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use card_agent::station::journal::Kind;
use crypto::lds::File;
use crypto::perso::LifeCycle;
use crypto::pki::trust_bundle::{self, TrustBundle};
use crypto::pki::{Certificate, Crl, TrustStore};
use crypto::sod::Sod;
use tests::citizen;
use tests::golden::station::InHouse;
use tests::golden::{self, Case, House, Index};
use tests::road::text;
use tests::roles::Caller;
use tests::wait::until;
use tests::world::{OFFICE, postgres, scratch};

#[test]
fn every_golden_house_opens_on_sqlite_and_its_cards_go_on() {
    for fixture in golden_houses() {
        let scratch = scratch();
        let dir = scratch.path().join("house");
        golden::copy(&fixture.join("sqlite"), &dir).unwrap();
        goes_on(&dir, None);
    }
}

#[test]
fn every_golden_house_opens_on_postgresql_and_its_cards_go_on() {
    for fixture in golden_houses() {
        let Some(database) = postgres::fresh_database() else { return };
        let scratch = scratch();
        let dir = scratch.path().join("house");
        golden::copy(&fixture.join("postgresql"), &dir).unwrap();
        golden::restore(&database, &dir).unwrap();
        goes_on(&dir, Some(&database));
    }
}

fn golden_houses() -> Vec<PathBuf> {
    let fixtures = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")).unwrap();
    let houses: Vec<_> = fixtures.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert!(!houses.is_empty(), "there is no golden house");
    houses
}

fn goes_on(dir: &Path, database: Option<&str>) {
    let (house, index) = House::open(dir, database, 77).unwrap();
    assert_eq!(house.faults(database).unwrap(), [""; 0], "rows from before their table had MACs have them now");
    let later = Later::begin(&house, &index);
    later.everything_is_as_it_was_left();
    later.every_document_of_that_time_verifies(8);
    later.the_trail_is_readable();
    later.what_was_in_production_becomes_a_card();
    later.what_was_personalized_is_handed_over_for_its_slip_alone();
    later.what_waited_becomes_cards();
    later.what_is_lost_now_is_revoked_beside_what_was();
    later.who_had_no_card_may_apply_again();
    later.every_document_of_that_time_verifies(13);
    drop(later);
    house.close();
}

/// The people of a golden house, who come back to work.
struct Later<'a> {
    house: &'a House,
    index: &'a Index,
    registrar: Caller,
    capture: Caller,
    approver: Caller,
    stock: Caller,
    counter: Caller,
    auditor: Caller,
    station: InHouse<'a>,
}

impl<'a> Later<'a> {
    /// All passwords of that time open a session now.
    fn begin(house: &'a House, index: &'a Index) -> Self {
        let officer = |name: &str| house.officer(name, &index.officers[name]).unwrap();
        officer("admin");
        assert!(house.officer("counter", &index.officers["stock"]).is_err(), "any password signs in");
        Self {
            registrar: officer("registrar"),
            capture: officer("capture"),
            approver: officer("approver"),
            stock: officer("stock"),
            counter: officer("counter"),
            auditor: officer("auditor"),
            station: InHouse::new(house, &index.station).unwrap(),
            house,
            index,
        }
    }

    fn case(&self, name: &str) -> &Case {
        &self.index.citizens[name]
    }

    fn everything_is_as_it_was_left(&self) {
        let mut stages: Vec<&str> = Vec::new();
        for (name, case) in self.index.citizens.iter().filter(|(_, case)| !case.application.is_empty()) {
            assert_eq!(self.house.stage(&case.application).unwrap(), case.stage, "{name}");
            stages.push(&case.stage);
        }
        for stage in [
            "registered",
            "captured",
            "approved",
            "held",
            "refused",
            "in-production",
            "personalized",
            "handed-over",
            "cancelled",
        ] {
            assert!(stages.contains(&stage), "there is no application {stage}");
        }
        let numbered = self.registrar.person(&self.case("numbered").person).unwrap();
        assert_eq!(text(&numbered, "personal_number"), self.case("numbered").number, "{numbered}");
        for (case, statuses) in [
            ("active", &["active"][..]),
            ("replaced", &["revoked", "active"]),
            ("personalized", &["revoked", "personalized"]),
        ] {
            let found: Vec<_> = self.case(case).cards.iter().map(|card| self.status(card)).collect();
            assert_eq!(found, statuses, "cards of {case}");
        }
        // A report of loss revoked at once until it could be undone for a term.
        let lost = self.status(&self.case("lost").cards[0]);
        assert!(["revoked", "suspended"].contains(&lost.as_str()), "the lost card is {lost}");
        for (chip, state) in [
            (&self.index.chips["delivered-1"], "delivered"),
            (&self.index.chips["initialised-1"], "initialised"),
            (&self.index.chips["spoiled"], "spoiled"),
            (&self.case("order-not-played").chips[0], "bound"),
            (&self.case("cancelled-in-production").chips[0], "spoiled"),
            (&self.case("personalized").chips[0], "spoiled"),
            (&self.case("active").chips[0], "personalized"),
        ] {
            assert_eq!(text(&self.stock.chip(chip).unwrap(), "state"), state, "chip {chip}");
        }
    }

    fn status(&self, card: &str) -> String {
        text(&self.counter.card(card).unwrap(), "status")
    }

    /// Passive authentication of what the chips hold, revoked cards included.
    fn every_document_of_that_time_verifies(&self, count: usize) {
        let mut trust = TrustStore::new(vec![self.csca()]);
        trust.add_list(Crl::parse(&self.house.data("csca.crl").unwrap()).unwrap()).unwrap();
        let chips = self.index.citizens.values().flat_map(|case| &case.chips).chain(self.index.chips.values());
        let mut verified = 0;
        for serial in chips {
            let state = self.house.chip_state(serial).unwrap();
            let Some(sod) = state.files.content(File::Sod) else { continue };
            let document = Sod::parse(sod).unwrap().verify(&trust, self.house.clock.now()).unwrap();
            for group in document.groups() {
                document.check(group, state.files.content(File::DataGroup(group)).unwrap()).unwrap();
            }
            verified += 1;
        }
        assert_eq!(verified, count, "documents on chips");
    }

    fn the_trail_is_readable(&self) {
        let (active, lost, refused) = (self.case("active"), self.case("lost"), self.case("refused"));
        for (kind, id, act) in [
            ("person", &active.person, "person-declared"),
            ("person", &active.person, "number-established"),
            ("application", &active.application, "application-captured"),
            ("application", &active.application, "application-approved"),
            ("application", &refused.application, "application-refused"),
            ("card", &active.cards[0], "card-handed-over"),
            ("card", &lost.cards[0], "card-loss-reported"),
            ("chip", &active.chips[0], "chip-initialised"),
        ] {
            let rows = self.auditor.audit_of(kind, id).unwrap();
            let acts: Vec<_> = rows["items"].as_array().unwrap().iter().map(|row| text(row, "action")).collect();
            assert!(acts.iter().any(|found| found == act), "{act} is not among {acts:?} of {kind} {id}");
        }
    }

    fn what_was_in_production_becomes_a_card(&self) {
        for name in ["order-not-played", "order-half-played", "order-played"] {
            let case = self.case(name);
            let (before, unwritten) = match name {
                "order-not-played" => (LifeCycle::Initialised, true),
                "order-half-played" => (LifeCycle::Initialised, false),
                _ => (LifeCycle::Personalized, false),
            };
            let state = self.house.chip_state(&case.chips[0]).unwrap();
            assert_eq!((state.life_cycle, state.files.size() == 0), (before, unwritten), "{name}");
            self.personalizes(&case.chips[0]);
            self.hands_over(case, &case.slip);
        }
    }

    fn what_was_personalized_is_handed_over_for_its_slip_alone(&self) {
        let case = self.case("personalized");
        let refused = self.counter.hands_over(&case.cards[1], &self.case("active").slip).unwrap_err();
        assert_eq!(refused.code, "slip-mismatch");
        self.hands_over(case, &case.slip);
    }

    fn what_waited_becomes_cards(&self) {
        // The lost portrait is found in a backup.
        let held = self.case("held");
        let missing = self.house.dir.join("data").join(&self.index.missing_object);
        // A fresh checkout has no folder for it: git keeps no empty ones.
        fs::create_dir_all(missing.parent().unwrap()).unwrap();
        fs::rename(self.house.dir.join(golden::story::MISSING), missing).unwrap();
        self.approver.releases(&held.application).unwrap();
        let captured = self.case("captured");
        self.approver.approves(&captured.application).unwrap();
        let registered = self.case("registered");
        let taken = self.capture.captures(&registered.application, &citizen::photograph(), citizen::FEATURES).unwrap();
        self.approver.approves(&registered.application).unwrap();
        let number = self.registrar.numbers(&self.case("declared").person).unwrap();
        assert!(text(&number, "personal_number").starts_with("003"), "{number}");

        for chip in ["delivered-1", "delivered-2"] {
            let done = self.station.run(Kind::Intake, &self.house.chip(&self.index.chips[chip]).unwrap()).unwrap();
            assert_eq!(done.outcome.word(), "initialised");
        }
        for chip in ["initialised-1", "initialised-2", "delivered-1", "delivered-2"] {
            self.personalizes(&self.index.chips[chip]);
        }
        for (case, slip) in [
            (self.case("approved"), &self.case("approved").slip),
            (held, &held.slip),
            (captured, &captured.slip),
            (registered, &text(&taken, "slip")),
        ] {
            self.hands_over(case, slip);
        }
        let spoiled = self.house.chip(&self.index.chips["spoiled"]).unwrap();
        assert!(self.station.run(Kind::Intake, &spoiled).is_err(), "a spoiled chip came back");
    }

    fn personalizes(&self, serial: &str) {
        let chip = self.house.chip(serial).unwrap();
        let done = self.station.run(Kind::Personalize, &chip).unwrap();
        assert_eq!(done.outcome.word(), "personalized", "{serial}");
        assert_eq!(chip.chip().life_cycle(), LifeCycle::Personalized, "{serial}");
    }

    fn hands_over(&self, case: &Case, slip: &str) {
        let card = text(&self.capture.application(&case.application).unwrap(), "card_id");
        self.counter.hands_over(&card, slip).unwrap();
        assert_eq!(self.status(&card), "active");
        assert_eq!(self.house.stage(&case.application).unwrap(), "handed-over");
    }

    fn what_is_lost_now_is_revoked_beside_what_was(&self) {
        let fingerprint = |name: &str, chip: usize| {
            let state = self.house.chip_state(&self.case(name).chips[chip]).unwrap();
            Sod::parse(state.files.content(File::Sod).unwrap()).unwrap().fingerprint()
        };
        let before = [fingerprint("lost", 0), fingerprint("replaced", 0), fingerprint("personalized", 0)];
        let (active, replacement) = (fingerprint("active", 0), fingerprint("replaced", 1));
        let bundle = self.trust_bundle();
        assert!(before.iter().all(|document| bundle.is_revoked(document)), "a document of that time is trusted again");
        assert!(!bundle.is_revoked(&active) && !bundle.is_revoked(&replacement));
        self.counter.reports_loss(&self.case("active").cards[0]).unwrap();
        until(Duration::from_secs(10), "the trust bundle lists the lost card", || {
            Ok(self.trust_bundle().is_revoked(&active))
        })
        .unwrap();
        let bundle = self.trust_bundle();
        assert!(before.iter().all(|document| bundle.is_revoked(document)), "the list forgot a document");
        assert!(!bundle.is_revoked(&replacement));
    }

    fn trust_bundle(&self) -> TrustBundle {
        let bundle = self.house.http.anyone().trust_bundle().unwrap();
        trust_bundle::open(&bundle, &self.csca(), self.house.clock.now()).unwrap()
    }

    fn csca(&self) -> Certificate {
        Certificate::parse(&self.house.data("csca.der").unwrap()).unwrap()
    }

    fn who_had_no_card_may_apply_again(&self) {
        for name in ["refused", "cancelled", "cancelled-in-production"] {
            let again = self.capture.applies(&self.case(name).person, "first", None, OFFICE).unwrap();
            assert_eq!(text(&again, "stage"), "registered", "{name}");
        }
        let again = self.capture.applies(&self.case("replaced").person, "first", None, OFFICE).unwrap_err();
        assert_eq!(again.code, "card-already-held");
    }
}
