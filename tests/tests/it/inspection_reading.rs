//! A kiosk reads cards on the bench: by every access protocol, in the fewest commands, and from hostile chips.

#![expect(clippy::unwrap_used, reason = "tests")]

use card_agent::failure::Code;
use card_agent::kiosk::{self, NewestBundles};
use card_agent::session::Session;
use card_agent::station::Station;
use card_agent::station::journal::{Journal, Kind};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response, Status};
use crypto::conversation::CardTransport;
use crypto::identity::civil_time::to_the_minute;
use crypto::inspection::{
    AccessProtocol, Check, Conclusion, Evidence, FileReading, Outcome, Password, Protocol, Request, Step, Verdict,
    minimum_reads, most_plaintext,
};
use crypto::lds::{DataGroup, File};
use crypto::pace;
use crypto::pki::TrustStore;
use crypto::sod::Sod;
use crypto::suite::{Cipher, Curve};
use hardware_sim::hostile::Malice;
use hardware_sim::{InProcess, Profile};
use tests::ambient;
use time::Duration;

use crate::inspection_bench::{Bench, Desk, citizen, mrz, now, zone};

fn card(desk: &Desk, profile: Profile) -> InProcess {
    let folder = tempfile::tempdir().unwrap();
    let chip = desk.blank(profile);
    let mut station = Station::new(desk, Journal::open(folder.path()).unwrap(), now);
    station.run(Kind::Intake, &mut Session::new(Bench(chip.clone())), "bench").unwrap();
    station.run(Kind::Personalize, &mut Session::new(Bench(chip.clone())), "bench").unwrap();
    chip
}

fn can() -> Password {
    Password::Can(citizen().number.can())
}

fn inspect(desk: &Desk, chip: &InProcess, password: Password) -> (Evidence, Verdict) {
    let request = Request { password, challenge: ambient::bytes(), groups: None };
    let mut session = Session::new(Bench(chip.clone()));
    let (evidence, judgement) = kiosk::inspect(&mut session, &request, &desk.bundle(vec![]), now()).unwrap();
    assert_eq!(session.commands(), evidence.command_count());
    (evidence, judgement.verdict)
}

/// Returns the number of READ BINARY commands of a reading: all but those of the protocols.
fn reads(evidence: &Evidence) -> usize {
    let of = |step: Step| evidence.commands.iter().find(|(s, _)| *s == step).map_or(0, |(_, n)| *n);
    let chip = if matches!(evidence.chip_authentication, Protocol::Done(_)) { 2 } else { 0 };
    let active = usize::from(matches!(evidence.active_authentication, Protocol::Done(_)));
    evidence.command_count() - of(Step::Pace) - of(Step::Select) - of(Step::Bac) - chip - active
}

fn minimum(evidence: &Evidence, cipher: Cipher, max_response: usize) -> usize {
    let length = |file: &File| evidence.file(*file).map_or(0, <[u8]>::len);
    let (plain, secured): (Vec<&File>, Vec<&File>) =
        evidence.files.keys().partition(|file| matches!(file, File::AtrInfo | File::CardAccess));
    minimum_reads(plain.into_iter().map(length), most_plaintext(None, max_response))
        + minimum_reads(secured.into_iter().map(length), most_plaintext(Some(cipher), max_response))
}

#[test]
fn every_way_in_reads_the_whole_card_and_trusts_it() {
    let desk = Desk::new();
    for (profile, password, way) in [
        (Profile::default(), can(), AccessProtocol::PaceCan),
        (Profile::default(), Password::Mrz(mrz()), AccessProtocol::PaceMrz),
        (Profile::bac_only(), Password::Mrz(mrz()), AccessProtocol::Bac),
        (Profile::pace_only(), can(), AccessProtocol::PaceCan),
        (Profile::viet_nam(), can(), AccessProtocol::PaceCan),
        (Profile::short(), Password::Mrz(mrz()), AccessProtocol::PaceMrz),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let chip = desk.blank(profile.clone());
        let mut station = Station::new(&desk, Journal::open(folder.path()).unwrap(), now);
        station.run(Kind::Intake, &mut Session::new(Bench(chip.clone())), "bench").unwrap();
        let done = station.run(Kind::Personalize, &mut Session::new(Bench(chip.clone())), "bench");
        // Reading back takes the CAN, which BAC does not know: such a chip is written, and then given up.
        assert_eq!(done.is_ok(), way != AccessProtocol::Bac);
        let (evidence, verdict) = inspect(&desk, &chip, password);
        assert_eq!(evidence.access.way, Some(way), "{:?}", evidence.access);
        assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{way} {profile:?}\n{verdict}");
    }
}

#[test]
fn every_suite_of_pace_is_read() {
    for cipher in [Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
        for curve in [Curve::P256, Curve::P384, Curve::BrainpoolP256r1] {
            let desk = Desk::speaking(pace::Suite { cipher, curve });
            let chip = card(&desk, Profile::default());
            let (_, verdict) = inspect(&desk, &chip, can());
            assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{cipher:?} {curve:?}\n{verdict}");
        }
    }
}

#[test]
fn a_card_is_read_in_the_fewest_commands() {
    let desk = Desk::new();
    for profile in [Profile::short(), Profile::default()] {
        let max_response = profile.max_response;
        let chip = card(&desk, profile);
        let (evidence, verdict) = inspect(&desk, &chip, can());
        let (done, least) = (reads(&evidence), minimum(&evidence, Cipher::Aes128, max_response));
        println!(
            "responses of {max_response} bytes: {} commands, {done} of them reads, {least} is the least; {:?}",
            evidence.command_count(),
            evidence.commands
        );
        assert_eq!(done, least, "{verdict}");
    }
}

#[test]
fn a_wrong_password_has_its_own_failure_and_reads_nothing() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    for password in [
        Password::Can("999999".parse().unwrap()),
        Password::Mrz(crypto::mrz::MrzKey::new("123456789", "850302", "991231").unwrap()),
    ] {
        let (evidence, verdict) = inspect(&desk, &chip, password);
        assert!(evidence.file(File::Sod).is_none());
        assert_eq!(kiosk::conclude(&evidence, &verdict).unwrap_err().code, Code::WrongPassword);
    }
}

#[test]
fn a_revoked_card_is_refused() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    let (evidence, _) = inspect(&desk, &chip, can());
    let own = Sod::parse(evidence.file(File::Sod).unwrap()).unwrap().fingerprint();
    let verdict = crypto::inspection::judge(&evidence, &desk.bundle(vec![own]), now()).verdict;
    assert_eq!(verdict.finding(Check::Revocation).unwrap().outcome, Outcome::Refuted);
    assert_eq!(kiosk::conclude(&evidence, &verdict).unwrap_err().code, Code::CardRevoked);
}

#[test]
fn each_way_of_not_being_trusted_has_its_own_exit_status() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    let (mut evidence, _) = inspect(&desk, &chip, can());
    // The issuer's State is not in the bundle: nothing is said against the card.
    let unknown = crypto::inspection::judge(&evidence, &TrustStore::default(), now()).verdict;
    let failure = kiosk::conclude(&evidence, &unknown).unwrap_err();
    assert_eq!(failure.code, Code::IssuerUnknown, "{failure}");
    assert!(failure.detail.contains("no trust anchor is known for C=VN"), "{failure}");
    // A bundle past its time leaves a check open.
    let late = crypto::inspection::judge(&evidence, &desk.bundle(vec![]), now() + Duration::days(8)).verdict;
    let failure = kiosk::conclude(&evidence, &late).unwrap_err();
    assert_eq!(failure.code, Code::Undecided, "{failure}");
    assert!(failure.detail.contains("this computer's clock says"), "{failure}");
    // An altered file is a contradiction, with or without a revocation beside it.
    let Some(FileReading::Read(dg2)) = evidence.files.get_mut(&File::DataGroup(DataGroup::DG2)) else {
        panic!("DG2 was read")
    };
    *dg2.last_mut().unwrap() ^= 1;
    let own = Sod::parse(evidence.file(File::Sod).unwrap()).unwrap().fingerprint();
    for revoked in [vec![], vec![own]] {
        let altered = crypto::inspection::judge(&evidence, &desk.bundle(revoked), now()).verdict;
        assert_eq!(kiosk::conclude(&evidence, &altered).unwrap_err().code, Code::Refused);
    }
}

#[test]
fn an_expired_card_and_a_revoked_one_have_exit_statuses_of_their_own() {
    let desk = Desk::new();
    let today = now().date();
    desk.expiry.set(Some(today));
    let chip = card(&desk, Profile::default());
    let (evidence, verdict) = inspect(&desk, &chip, can());
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "on its last day\n{verdict}");
    let own = Sod::parse(evidence.file(File::Sod).unwrap()).unwrap().fingerprint();
    for (revoked, expected) in [(vec![], Code::CardExpired), (vec![own], Code::CardRevoked)] {
        let tomorrow = now() + Duration::DAY;
        let late = crypto::inspection::judge(&evidence, &desk.bundle(revoked), tomorrow).verdict;
        let failure = kiosk::conclude(&evidence, &late).unwrap_err();
        assert_eq!(failure.code, expected, "{failure}");
        assert!(
            failure.detail.contains(&format!("this computer's clock says {}", to_the_minute(tomorrow))),
            "{failure}"
        );
    }
}

/// A reader that does not carry the answer to INTERNAL AUTHENTICATE.
struct ShortReader(Bench);

impl CardTransport for ShortReader {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        if command.ins == 0x88 { Ok(Status::WRONG_LENGTH.into()) } else { self.0.transmit(command) }
    }
}

impl Reader for ShortReader {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }
}

#[test]
fn a_reader_that_cannot_carry_active_authentication_refutes_nothing() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    let request = Request { password: can(), challenge: ambient::bytes(), groups: None };
    let mut session = Session::new(ShortReader(Bench(chip)));
    let (evidence, judgement) = kiosk::inspect(&mut session, &request, &desk.bundle(vec![]), now()).unwrap();
    let verdict = judgement.verdict;
    for group in [DataGroup::DG1, DataGroup::DG2, DataGroup::DG13] {
        let finding = verdict.finding(Check::DataGroup(group)).unwrap();
        assert_eq!(finding.outcome, Outcome::NotChecked, "{verdict}");
        assert!(finding.reason.contains("active-authentication") && finding.reason.contains("6700"), "{verdict}");
    }
    assert!(verdict.findings().iter().all(|finding| finding.outcome != Outcome::Refuted), "{verdict}");
    assert_eq!(verdict.conclusion(), Conclusion::Undecided);
    assert_eq!(kiosk::conclude(&evidence, &verdict).unwrap_err().code, Code::Undecided);
}

#[test]
fn an_mrz_with_another_persons_name_opens_the_card_and_is_refused() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    let own = String::from_utf8(zone().compose().unwrap().to_vec()).unwrap();
    let with_name = |name: &str| Password::Zone(format!("{}{name:<<30}", &own[..60]).parse().unwrap());
    let (evidence, verdict) = inspect(&desk, &chip, Password::Zone(own.parse().unwrap()));
    assert_eq!(verdict.conclusion(), Conclusion::Trusted, "{verdict}");
    assert_eq!(evidence.access.way, Some(AccessProtocol::PaceMrz));
    let (evidence, verdict) = inspect(&desk, &chip, with_name("TRAN<<VAN<KHAC"));
    let finding = verdict.finding(Check::MrzConsistency).unwrap();
    assert_eq!((finding.outcome, finding.reason.as_str()), (Outcome::Refuted, "DG1 contradicts the given MRZ (name)"));
    assert_eq!(kiosk::conclude(&evidence, &verdict).unwrap_err().code, Code::Refused);
}

#[test]
fn a_clock_two_days_slow_is_named_with_its_time() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let newest = NewestBundles::at(folder.path().join(NewestBundles::FILE));
    let bytes = desk.published(now() - Duration::hours(1), vec![]);
    let open = |at| kiosk::open_trust(&bytes, &desk.root, at, &newest);
    let slow = now() - Duration::days(2);
    let failure = open(slow).unwrap_err();
    assert_eq!(failure.code, Code::ClockBehind, "{failure}");
    assert!(failure.detail.contains(&format!("this computer's clock says {}", to_the_minute(slow))), "{failure}");
    assert!(failure.detail.contains(&to_the_minute(now() - Duration::hours(1))), "{failure}");
    // Years behind, the anchor itself begins later.
    assert_eq!(open(now() - Duration::days(3_000)).unwrap_err().code, Code::ClockBehind);
    open(now()).unwrap();
}

#[test]
fn an_old_bundle_after_a_newer_one_is_refused() {
    let (desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let newest = NewestBundles::at(folder.path().join(NewestBundles::FILE));
    let open = |hours| {
        let bytes = desk.published(now() - Duration::hours(hours), vec![]);
        kiosk::open_trust(&bytes, &desk.root, now(), &newest).map(drop)
    };
    open(3).unwrap();
    open(1).unwrap();
    open(1).unwrap();
    assert_eq!(open(3).unwrap_err().code, Code::TrustBundleOlder);
    // A bundle that does not open is not remembered.
    let stranger = kiosk::open_trust(b"no bundle", &desk.root, now(), &newest);
    assert_eq!(stranger.unwrap_err().code, Code::TrustBundleUnusable);
    open(1).unwrap();
}

#[test]
fn a_chip_that_means_harm_is_never_trusted_and_never_keeps_the_reader() {
    for malice in Malice::all() {
        let desk = Desk::new();
        let chip = desk.blank(Profile::hostile(malice));
        let request = Request { password: can(), challenge: [1; 8], groups: None };
        let mut session = Session::new(Bench(chip.clone()));
        if let Ok((evidence, judgement)) = kiosk::inspect(&mut session, &request, &desk.bundle(vec![]), now()) {
            let verdict = judgement.verdict;
            assert_ne!(verdict.conclusion(), Conclusion::Trusted, "{malice:?}");
            assert!(kiosk::conclude(&evidence, &verdict).is_err());
        }
        assert!(session.commands() < 1_000, "{malice:?}: {}", session.commands());
    }
}

#[test]
fn the_files_of_a_card_are_written_for_other_tools() {
    let desk = Desk::new();
    let chip = card(&desk, Profile::default());
    let (mut evidence, _) = inspect(&desk, &chip, can());
    let folder = tempfile::tempdir().unwrap();
    let judgement = crypto::inspection::judge(&evidence, &desk.bundle(vec![]), now());
    kiosk::write_files(folder.path(), &evidence, judgement.holder.as_ref()).unwrap();
    for name in [
        "portrait.jpg",
        "com.bin",
        "sod.bin",
        "dg1.bin",
        "dg2.bin",
        "dg13.bin",
        "dg14.bin",
        "dg15.bin",
        "cardaccess.bin",
        "ds.der",
    ] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let Some(FileReading::Read(dg2)) = evidence.files.get_mut(&File::DataGroup(DataGroup::DG2)) else {
        panic!("DG2 was read")
    };
    *dg2.last_mut().unwrap() ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let judgement = crypto::inspection::judge(&evidence, &desk.bundle(vec![]), now());
    kiosk::write_files(folder.path(), &evidence, judgement.holder.as_ref()).unwrap();
    assert!(folder.path().join("dg2.bin").is_file());
    assert!(!folder.path().join("portrait.jpg").exists(), "a portrait that was not signed");
}
