//! A kiosk reads cards on the bench: by every access protocol, in the fewest commands, and from hostile chips.

#![expect(clippy::unwrap_used, reason = "tests")]

use card_agent::failure::Code;
use card_agent::kiosk;
use card_agent::session::Session;
use card_agent::station::Station;
use card_agent::station::journal::{Journal, Kind};
use crypto::inspection::{
    AccessProtocol, Check, Conclusion, Evidence, FileReading, Outcome, Password, Protocol, Request, Step, Verdict,
    minimum_reads, most_plaintext,
};
use crypto::lds::{DataGroup, File};
use crypto::pace;
use crypto::sod::Sod;
use crypto::suite::{Cipher, Curve};
use hardware_sim::hostile::Malice;
use hardware_sim::{InProcess, Profile};
use tests::ambient;

use crate::inspection_bench::{Bench, Desk, citizen, mrz, now};

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
    assert_eq!(kiosk::conclude(&evidence, &verdict).unwrap_err().code, Code::Refused);
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
