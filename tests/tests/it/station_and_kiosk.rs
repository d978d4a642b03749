//! Stations and kiosks as they are set up and asked, over the real pcscd and the real service: configuration files,
//! two programs at once, slips, custody, a card judged online, a portrait on a terminal.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;
use tests::citizen::Citizen;
use tests::road;
use tests::world::{Options, World, scratch};

fn begun(scratch: &tempfile::TempDir) -> World {
    World::begin(&scratch.path().join("world"), &Options::default()).unwrap()
}

fn out(said: &Output) -> String {
    String::from_utf8_lossy(&said.stdout).into_owned()
}

fn err(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

/// Returns the one envelope on standard output.
fn envelope(said: &Output) -> Value {
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", out(said), err(said)))
}

fn at_the_station(world: &World, act: &str, slot: usize, arguments: &[&str]) -> Output {
    road::at_the_station(world, act, &world.pcscd.reader(slot), arguments).unwrap()
}

/// A program that runs on, and what it says to people.
struct Running(Child, BufReader<ChildStderr>);

impl Running {
    fn begins(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Self(child, told)
    }

    fn hears(&mut self, beginning: &str) {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it has ended before it says {beginning}");
        }
    }
}

/// Returns the outcome and the reason of a check, and the exit status.
fn check(said: &Output, name: &str) -> (String, String, Option<i32>) {
    let envelope = envelope(said);
    let all = envelope["result"]["checks"].as_array().unwrap();
    let found = all.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {envelope}"));
    (road::text(found, "outcome"), road::text(found, "reason"), said.status.code())
}

#[test]
fn a_card_is_judged_online_by_what_the_service_has_it_as() {
    let scratch = scratch();
    let mut world = begun(&scratch);
    let citizen = Citizen::invented(0);
    let mut issued = road::approved(&world, &citizen).unwrap();
    road::intake(&world, 0).unwrap();
    road::personalize(&world, 0, &[]).unwrap();
    issued.card = road::card_of(&world, &issued).unwrap();

    // All of it from kiosk.toml, whose paths are beside it; the bundle is fetched fresh.
    let folder = world.dir.join("kiosk");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.csca(), folder.join("csca.der")).unwrap();
    fs::copy(world.tls_authority(), folder.join("tls-ca.pem")).unwrap();
    let reader = world.pcscd.reader(0);
    let text = format!(
        "anchor = \"csca.der\"\nonline = {:?}\nservice_ca = \"tls-ca.pem\"\nstate = \"state.json\"\nreader = {reader:?}\n",
        world.service.address
    );
    let config = folder.join("kiosk.toml").to_string_lossy().into_owned();
    fs::write(&config, &text).unwrap();
    let good = world.agent(&["config", "check", "kiosk", "--config", &config]).unwrap();
    assert!(good.status.success(), "{}", err(&good));
    let can = issued.number[6..].to_owned();
    let inspects = |world: &World, more: &[&str]| {
        let arguments = ["inspect", "--json", "--config", &config, "--can", &can];
        world.agent(&[&arguments, more].concat()).unwrap()
    };

    // Made, and not handed over: no person should have it.
    let (outcome, reason, exit) = check(&inspects(&world, &[]), "online-status");
    assert!(outcome == "refuted" && reason.contains("not handed over"), "{reason}");
    assert_eq!(exit, Some(9));
    world.officers.counter.hands_over(&issued.card, &issued.slip).unwrap();
    let said = inspects(&world, &["--require", "online-status"]);
    let (outcome, reason, exit) = check(&said, "online-status");
    assert!(outcome == "proved" && reason.contains("active"), "{reason}");
    assert_eq!((exit, envelope(&said)["result"]["verdict"].as_str()), (Some(0), Some("trusted")));

    // Reported lost: the bundle of before does not know it, the service does.
    let bundle = world.dir.join("before.cms");
    fs::write(&bundle, world.service.anyone().trust_bundle().unwrap()).unwrap();
    let bundle = bundle.to_string_lossy().into_owned();
    world.officers.counter.reports_loss(&issued.card).unwrap();
    // The memory of newer bundles is another one, so that the old one is taken.
    let other = world.dir.join("other-state.json").to_string_lossy().into_owned();
    let offline = ["--bundle", &bundle, "--state", &other];
    let said = inspects(&world, &offline);
    let (outcome, reason, exit) = check(&said, "online-status");
    assert!(outcome == "refuted" && reason.contains("reported lost"), "{reason}");
    assert_eq!((exit, check(&said, "revocation").0.as_str()), (Some(9), "proved"));
    assert_eq!(envelope(&said)["error"]["code"], "card-revoked");

    // No service answers: the check was not made, and the verdict is that of the bundle.
    // Without a bundle there is none.
    world.offices.issuance.kill();
    let said = inspects(&world, &offline);
    let (outcome, reason, exit) = check(&said, "online-status");
    assert_eq!((outcome.as_str(), exit), ("not-checked", Some(0)), "{reason}");
    assert!(reason.contains("does not answer"), "{reason}");
    let said = inspects(&world, &[&offline[..], &["--require", "online-status"]].concat());
    assert_eq!(said.status.code(), Some(4), "{}", err(&said));
    assert_eq!(inspects(&world, &[]).status.code(), Some(40));
    // What is listening there is not the service.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", stranger.local_addr().unwrap());
    drop(stranger);
    let said = inspects(&world, &[&offline[..], &["--online", &address]].concat());
    assert_eq!(check(&said, "online-status").0, "not-checked");
}

#[test]
fn a_chip_is_written_for_the_slip_that_is_named() {
    let scratch = scratch();
    let world = begun(&scratch);
    let issued = [0, 1, 2].map(|number| road::approved(&world, &Citizen::invented(number)).unwrap());
    for slot in [0, 1] {
        road::intake(&world, slot).unwrap();
    }
    let card = |number: usize| road::card_of(&world, &issued[number]).unwrap();

    let said = at_the_station(&world, "personalize", 0, &["--slip", "ZZZZZ-ZZZZZ", "--json"]);
    assert_eq!(said.status.code(), Some(58), "{}", err(&said));
    let two = at_the_station(&world, "personalize", 0, &["--slip", "A", "--slip", "B"]);
    assert_eq!(two.status.code(), Some(51), "{}", err(&two));
    // The last one first, as it is read from paper.
    let (first, rest) = issued[2].slip.split_at(5);
    let typed = format!("{}-{rest}", first.to_lowercase());
    let said = at_the_station(&world, "personalize", 0, &["--slip", &typed, "--json"]);
    assert!(said.status.success(), "{}", err(&said));
    let result = envelope(&said)["result"].clone();
    assert_eq!((result["slip"].as_str(), result["card_id"].as_str()), (Some(&*issued[2].slip), Some(&*card(2))));

    // A scanner types the others; what nothing waits for is told, and the chip goes to the next slip.
    let arguments = road::station_arguments(&world, "personalize", &world.pcscd.reader(1), &["--loop", "--slip", "-"]);
    let mut running = Running::begins(world.card_agent(&arguments).unwrap());
    let mut scanner = running.0.stdin.take().unwrap();
    writeln!(scanner, "{}\n", issued[2].slip).unwrap();
    running.hears("slip-not-waiting: ");
    writeln!(scanner, "{}", issued[1].slip).unwrap();
    running.hears("take the card out");
    world.remove(1).unwrap();
    drop(scanner);
    running.hears("1 chips done; no slip is left");
    let said = running.0.wait_with_output().unwrap();
    assert!(said.status.success());
    assert_eq!(out(&said), format!("{}\tpersonalized\t{}\n", world.serials[1], card(1)));
    assert_eq!(road::text(&world.officers.capture.application(&issued[0].application).unwrap(), "stage"), "approved");
}

/// A chip that was begun for one application stays its own: another slip gives no card of it up, and waits on.
#[test]
fn a_chip_that_was_begun_for_another_slip_is_finished_for_that_one() {
    let scratch = scratch();
    let world = begun(&scratch);
    let issued = [0, 1].map(|number| road::approved(&world, &Citizen::invented(number)).unwrap());
    road::intake(&world, 0).unwrap();
    fs::remove_file(world.station().join("journal.jsonl")).unwrap();
    world.plans_fault(0, "tear-after:10").unwrap();
    let cut = at_the_station(&world, "personalize", 0, &["--slip", &issued[0].slip]);
    assert!(!cut.status.success(), "{}", out(&cut));
    let journal = fs::read_to_string(world.station().join("journal.jsonl")).unwrap();
    assert!(journal.contains("ordered") && !journal.contains("finished"), "{journal}");
    world.plans_fault(0, "none").unwrap();
    world.remove(0).unwrap();
    world.insert(0).unwrap();
    let said = at_the_station(&world, "personalize", 0, &["--slip", &issued[1].slip, "--json"]);
    assert!(said.status.success(), "{}", err(&said));
    assert_eq!(envelope(&said)["result"]["slip"], issued[0].slip);
    assert!(err(&said).contains(&format!("slip {} still waits", issued[1].slip)), "{}", err(&said));
    assert_eq!(road::stock_state(&world, &world.serials[0]).unwrap(), "personalized");
}

#[test]
fn a_station_shows_what_is_in_its_custody_and_what_the_ledger_has_a_chip_as() {
    let scratch = scratch();
    let world = begun(&scratch);
    let station = world.station().to_string_lossy().into_owned();
    let status = || envelope(&world.agent(&["status", "--station", &station, "--json"]).unwrap())["result"].clone();
    let ledger = |slot: usize| {
        let arguments = ["info", "--json", "--station", &station, "--reader", &world.pcscd.reader(slot)];
        envelope(&world.agent(&arguments).unwrap())["result"]["ledger"]["state"].clone()
    };
    assert_eq!(status()["custody"]["delivered"], 2);
    road::intake(&world, 0).unwrap();
    let custody = status()["custody"].clone();
    assert_eq!((custody["delivered"].as_u64(), custody["initialised"].as_u64()), (Some(1), Some(1)), "{custody}");
    let serials: Vec<_> = custody["items"].as_array().unwrap().iter().map(|chip| road::text(chip, "serial")).collect();
    let mut expected = world.serials.clone();
    expected.sort_unstable();
    assert_eq!(serials, expected);
    assert_eq!((ledger(0), ledger(1)), ("initialised".into(), "delivered".into()));
    road::approved(&world, &Citizen::invented(0)).unwrap();
    road::personalize(&world, 0, &[]).unwrap();
    assert_eq!(ledger(0), "personalized");
    let text = out(&world.agent(&["status", "--station", &station]).unwrap());
    assert!(text.contains("custody      1 blanks to take in, 0 in stock, 0 being written"), "{text}");
    // Chips that lie in no reader are shown as well.
    let blank = world.lays_in_a_blank(1).unwrap();
    let custody = status()["custody"].clone();
    assert_eq!((ledger(1), custody["delivered"].as_u64()), ("delivered".into(), Some(2)), "{custody}");
    assert!(custody["items"].as_array().unwrap().iter().any(|chip| chip["serial"] == blank), "{custody}");
}

#[test]
fn two_programs_at_one_reader_of_a_station_are_one_too_many() {
    let scratch = scratch();
    let world = begun(&scratch);
    let arguments = road::station_arguments(&world, "intake", &world.pcscd.reader(0), &["--loop"]);
    let mut running = Running::begins(world.card_agent(&arguments).unwrap());
    running.hears("take the card out");
    let refused = at_the_station(&world, "intake", 0, &["--json"]);
    assert_eq!(refused.status.code(), Some(34), "{}", err(&refused));
    let error = envelope(&refused)["error"].clone();
    assert_eq!(error["code"], "station-in-use");
    assert!(error["detail"].as_str().unwrap().contains(&format!("process {}", running.0.id())), "{error}");
    // Another reader is free, and enrolment is not.
    let beside = at_the_station(&world, "intake", 1, &[]);
    assert!(beside.status.success(), "{}", err(&beside));
    let station = world.station().to_string_lossy().into_owned();
    let enrolment = ["enrol", "--station", &station, "--name", "x", "--service", &world.service.address];
    assert_eq!(world.agent(&enrolment).unwrap().status.code(), Some(34));
    // A program that is killed leaves no lock.
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    let after = at_the_station(&world, "intake", 0, &[]);
    assert_ne!(after.status.code(), Some(34), "{}", err(&after));
}

#[test]
fn the_settings_of_a_station_hold_where_the_command_line_says_nothing() {
    let scratch = scratch();
    let world = begun(&scratch);
    let (station, file) = (world.station().to_string_lossy().into_owned(), world.station().join("station.toml"));
    let text =
        fs::read_to_string(&file).unwrap() + &format!("reader = {:?}\nlog = \"apdu.jsonl\"\n", world.pcscd.reader(1));
    fs::write(&file, &text).unwrap();
    assert!(world.agent(&["config", "check", "station", "--station", &station]).unwrap().status.success());
    let said = world.agent(&["intake", "--station", &station]).unwrap();
    assert!(said.status.success() && out(&said).starts_with(&world.serials[1]), "{}{}", out(&said), err(&said));
    assert!(fs::read_to_string(world.station().join("apdu.jsonl")).unwrap().lines().count() > 5);
    // Two readers are connected, and `info` is told by the same file which one is the station's.
    let said = world.agent(&["info", "--json", "--station", &station]).unwrap();
    assert_eq!(envelope(&said)["result"]["serial"], world.serials[1], "{}", err(&said));
    // The environment stands over the file, the command line over both.
    let mut command = world.card_agent(&["config", "dump", "station", "--station", &station]).unwrap();
    let dumped = command.env("CARD_AGENT__STATION__LIMIT", "77").output().unwrap();
    assert!(out(&dumped).contains("limit = 77") && out(&dumped).contains("reader = "), "{}", out(&dumped));
    let mut command = world.card_agent(&["intake", "--reader", &world.pcscd.reader(0)]).unwrap();
    let said = command.env("CITIZEN_CARD_STATION", &station).output().unwrap();
    assert!(said.status.success() && out(&said).starts_with(&world.serials[0]), "{}{}", out(&said), err(&said));
    // An unknown key is named with its line.
    fs::write(&file, text.replace("limit = ", "limits = ")).unwrap();
    let said = world.agent(&["config", "check", "station", "--station", &station]).unwrap();
    assert_eq!(said.status.code(), Some(33));
    assert!(err(&said).contains("there is no key `limits`; did you mean `limit`?"), "{}", err(&said));
}

#[test]
fn the_proved_portrait_is_shown_on_a_terminal_and_nowhere_else() {
    let scratch = scratch();
    let world = begun(&scratch);
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let bundle = world.dir.join(road::BUNDLE);
    fs::write(&bundle, world.service.anyone().trust_bundle().unwrap()).unwrap();
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let (bundle, anchor, state) = (path(&bundle), path(&world.csca()), path(&world.dir.join("state.json")));
    let reader = world.pcscd.reader(0);
    let inspects = |can: &str| {
        let all = ["inspect", "--show-portrait", "--bundle", &bundle, "--anchor", &anchor, "--state", &state];
        world.card_agent(&[&all[..], &["--reader", &reader, "--can", can]].concat()).unwrap()
    };
    let piped = inspects(&issued.number[6..]).output().unwrap();
    assert!(piped.status.success() && !out(&piped).contains('\x1b'), "{}", out(&piped));
    let shown = |can: &str, term: &str| {
        let command = inspects(can);
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let line = words.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ");
        // `script` gives the program a terminal.
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        terminal.env("PCSCLITE_CSOCK_NAME", world.pcscd.socket()).env("LC_ALL", "C").env("TERM", term);
        terminal.env_remove("TMUX").env_remove("TERM_PROGRAM").env_remove("KITTY_WINDOW_ID").env_remove("NO_COLOR");
        out(&terminal.stdin(Stdio::null()).output().unwrap())
    };
    let text = shown(&issued.number[6..], "xterm-256color");
    assert!(text.matches('▀').count() > 500 && text.contains("verdict: trusted"), "{text}");
    let text = shown(&issued.number[6..], "xterm-kitty");
    assert!(text.contains("\x1b_Ga=T,q=2,f=24,") && !text.contains('▀'), "{text}");
    // Nothing is proved of a card that did not open.
    let wrong = format!("{:06}", (issued.number[6..].parse::<u32>().unwrap() + 1) % 1_000_000);
    assert!(!shown(&wrong, "xterm-256color").contains('▀'));
}
