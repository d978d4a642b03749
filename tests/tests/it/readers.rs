//! Readers and their service at the edge: used back-to-back, ended under a command, empty and endless answers. Over the
//! real pcscd.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tests::citizen::Citizen;
use tests::road::{self, BUNDLE};
use tests::wait::until;
use tests::world::{Options, World, scratch};

/// Returns a world with a card in use in reader 0, and the CAN of that card.
fn with_a_card(scratch: &tempfile::TempDir) -> (World, String) {
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let can = issued.number[6..].to_owned();
    std::fs::write(world.dir.join(BUNDLE), world.service.anyone().trust_bundle().unwrap()).unwrap();
    (world, can)
}

/// `card-agent inspect` at reader 0 with the bundle that [`with_a_card`] fetched.
fn inspection(world: &World, can: &str, more: &[&str]) -> Command {
    let path = |name: &str| world.dir.join(name).to_string_lossy().into_owned();
    let (bundle, state) = (path(BUNDLE), path("newest-bundles.json"));
    let (anchor, reader) = (world.csca().to_string_lossy().into_owned(), world.pcscd.reader(0));
    let all =
        ["inspect", "--reader", &reader, "--bundle", &bundle, "--anchor", &anchor, "--state", &state, "--can", can];
    let mut command = world.card_agent(&[&all, more].concat()).unwrap();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns the first line of what a program that failed said: code and particulars.
fn complaint(said: &Output) -> String {
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("remedy: "), "{text}");
    text
}

#[test]
fn forty_inspections_back_to_back_all_find_the_reader_free() {
    let scratch = scratch();
    let (world, can) = with_a_card(&scratch);
    for number in 1..=40 {
        let said = inspection(&world, &can, &[]).output().unwrap();
        assert!(said.status.success(), "inspection {number}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

/// How pcscd ends: by SIGKILL as in a crash, or by SIGTERM as from an administrator.
#[derive(Clone, Copy)]
enum End {
    Killed,
    Stopped,
}

/// Runs the command, ends pcscd once the chip is at the `n`-th command of this run, and expects one code.
fn ended_at(world: &mut World, n: u64, mut command: Command, end: End) {
    world.plans_fault(0, &format!("slow:{n}:3000")).unwrap();
    let before = world.commands_heard(0).unwrap();
    let child = command.spawn().unwrap();
    until(Duration::from_secs(30), "the chip hears the command", || Ok(world.commands_heard(0)? >= before + n))
        .unwrap();
    match end {
        End::Killed => world.pcscd.kill(),
        End::Stopped => world.pcscd.stop().unwrap(),
    }
    let text = complaint(&child.wait_with_output().unwrap());
    assert!(text.contains("\npcscd-not-running: ") || text.starts_with("pcscd-not-running: "), "command {n}: {text}");
    assert!(text.contains("systemctl start pcscd") && text.contains("repeat the command"), "{text}");
    world.plans_fault(0, "none").unwrap();
    world.pcscd.restart().unwrap();
    world.wait_for_cards().unwrap();
}

#[test]
fn a_pcscd_that_ends_under_a_command_has_one_code_wherever_it_ends() {
    let scratch = scratch();
    let (mut world, can) = with_a_card(&scratch);
    for n in [1, 3, 7, 12] {
        let command = inspection(&world, &can, &[]);
        ended_at(&mut world, n, command, End::Killed);
    }
    let command = inspection(&world, &can, &[]);
    ended_at(&mut world, 5, command, End::Stopped);
    let said = inspection(&world, &can, &[]).output().unwrap();
    assert!(said.status.success(), "the next inspection: {}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn work_at_the_station_that_loses_pcscd_is_resumed() {
    let scratch = scratch();
    let mut world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    for (act, n) in [("intake", 7), ("personalize", 2), ("personalize", 12)] {
        let arguments = road::station_arguments(&world, act, &world.pcscd.reader(0), &[]);
        let mut command = world.card_agent(&arguments).unwrap();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        ended_at(&mut world, n, command, End::Killed);
        if act == "intake" {
            road::intake(&world, 0).unwrap();
        }
    }
    road::personalize(&world, 0, &[]).unwrap();
    world.officers.counter.hands_over(&road::card_of(&world, &issued).unwrap(), &issued.slip).unwrap();
}

#[test]
fn an_answer_without_a_byte_is_known_at_once() {
    let scratch = scratch();
    let (world, can) = with_a_card(&scratch);
    for n in [1, 4, 12] {
        world.plans_fault(0, &format!("empty:{n}")).unwrap();
        let text = complaint(&inspection(&world, &can, &[]).output().unwrap());
        assert!(text.contains("card-removed: the answer has 0 byte(s)"), "command {n}, not after the watchdog: {text}");
        // The simulated card comes back by itself.
        until(Duration::from_secs(20), "the card is read again", || {
            Ok(inspection(&world, &can, &[]).output()?.status.success())
        })
        .unwrap();
    }
}

/// A plan under which each of the next thousand answers takes this many milliseconds longer.
fn slow_without_end(milliseconds: u32) -> String {
    (1..=1_000).map(|n| format!("slow:{n}:{milliseconds}")).collect::<Vec<_>>().join(",")
}

#[test]
fn a_chip_that_answers_slowly_without_end_is_ended() {
    let scratch = scratch();
    let (world, can) = with_a_card(&scratch);
    world.plans_fault(0, &slow_without_end(400)).unwrap();
    let text = complaint(&inspection(&world, &can, &["--limit", "2"]).output().unwrap());
    assert!(text.contains("limit-reached: not finished within 2 s") && text.contains("--limit"), "{text}");
    // One answer that outlasts the limit is not waited for either.
    world.plans_fault(0, "slow:2:15000").unwrap();
    let text = complaint(&inspection(&world, &can, &["--limit", "2"]).output().unwrap());
    assert!(text.contains("limit-reached: "), "{text}");
    world.plans_fault(0, "none").unwrap();
    until(Duration::from_secs(40), "the reader is free again", || {
        Ok(inspection(&world, &can, &[]).output()?.status.success())
    })
    .unwrap();
}

#[test]
fn work_at_the_station_that_reaches_its_limit_is_resumed() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    let reader = world.pcscd.reader(0);
    let cut = |act: &str| {
        world.plans_fault(0, &slow_without_end(400)).unwrap();
        let text = complaint(&road::at_the_station(&world, act, &reader, &["--limit", "3"]).unwrap());
        assert!(text.contains("limit-reached: "), "{act}: {text}");
        world.plans_fault(0, "none").unwrap();
    };
    cut("intake");
    road::intake(&world, 0).unwrap();
    cut("personalize");
    road::personalize(&world, 0, &[]).unwrap();
    world.officers.counter.hands_over(&road::card_of(&world, &issued).unwrap(), &issued.slip).unwrap();
}

#[test]
fn a_card_opens_to_what_people_type_and_scanners_save() {
    let scratch = scratch();
    let (world, can) = with_a_card(&scratch);
    let out = world.dir.join("out");
    let said = inspection(&world, &can, &["--out", &out.to_string_lossy()]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let dg1 = std::fs::read(out.join("dg1.bin")).unwrap();
    let zone = String::from_utf8(dg1[dg1.len() - 90..].to_vec()).unwrap();
    let lines = [&zone[..30], &zone[30..60], &zone[60..]];

    let grouped = format!(" {} {}-{} ", &can[..3], &can[3..5], &can[5..]);
    let said = inspection(&world, &grouped, &[]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));

    let windows = format!("\u{feff}{}\r\n", lines.join("\r\n"));
    let utf_16: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let scanned = format!("{}{}", zone[..60].replace('0', "O"), &zone[60..]);
    let mrz = world.dir.join("mrz.txt");
    let opens = |content: &[u8]| {
        std::fs::write(&mrz, content).unwrap();
        inspection(&world, "000000", &["--mrz-file", &mrz.to_string_lossy()]).output().unwrap()
    };
    for content in
        [windows.as_bytes(), &utf_16, zone.to_lowercase().as_bytes(), lines.join(" ").as_bytes(), scanned.as_bytes()]
    {
        let said = opens(content);
        let shown = String::from_utf8_lossy(content).into_owned();
        assert!(said.status.success(), "{shown}: {}", String::from_utf8_lossy(&said.stderr));
    }
    for (content, words) in [
        (String::new(), "is empty"),
        (lines[..2].join("\n"), "this has 60 characters"),
        (zone.replacen('<', "?", 1), "character"),
        (
            format!("{}{}", zone.replacen(&zone[5..6], if &zone[5..6] == "9" { "8" } else { "9" }, 1), "\n"),
            "check digit",
        ),
    ] {
        let text = complaint(&opens(content.as_bytes()));
        assert!(text.starts_with("input-unusable: ") && text.contains(words), "{content}: {text}");
    }
}
