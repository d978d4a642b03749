//! The command lines of `card-agent` as operators and scripts use them, over the real pcscd and the real service.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use tests::citizen::Citizen;
use tests::road::{self, BUNDLE};
use tests::wait::until;
use tests::world::{Options, World, issuance_serve, scratch};

fn begun(scratch: &tempfile::TempDir) -> World {
    World::begin(&scratch.path().join("world"), &Options::default()).unwrap()
}

fn out(said: &Output) -> String {
    String::from_utf8_lossy(&said.stdout).into_owned()
}

fn err(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

/// Returns the envelopes on standard output, each of this schema.
fn envelopes(said: &Output, command: &str) -> Vec<Value> {
    let all: Vec<Value> =
        out(said).lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    for envelope in &all {
        assert_eq!(envelope["schema"], format!("citizen-card/{command}/1"), "{envelope}");
        assert!(envelope["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{envelope}");
    }
    all
}

fn at_the_station(world: &World, act: &str, arguments: &[&str]) -> Output {
    road::at_the_station(world, act, &world.pcscd.reader(0), arguments).unwrap()
}

/// Takes the last records out of the station's journal: the service has taken the receipt, and its answer was lost.
fn forgets_the_answer(world: &World) {
    let path = world.station().join("journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let kept: Vec<_> = journal.lines().take_while(|line| !line.contains("\"event\":\"finished\"")).collect();
    assert!(kept.len() < journal.lines().count() && kept.last().is_some_and(|line| line.contains("event")));
    fs::write(&path, kept.join("\n") + "\n").unwrap();
}

#[test]
fn a_receipt_whose_answer_was_lost_is_told_by_the_next_run_which_ends_with_success() {
    let scratch = scratch();
    let world = begun(&scratch);
    let serial = world.serials[0].clone();
    road::intake(&world, 0).unwrap();
    // Intake, with the chip in the reader; the next line is the work of the next run.
    forgets_the_answer(&world);
    let again = at_the_station(&world, "intake", &[]);
    assert!(again.status.success(), "{}", err(&again));
    assert_eq!(out(&again), format!("{serial}\tinitialised resumed\n"));

    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    fs::remove_file(world.station().join("journal.jsonl")).unwrap(); // the intake of before is over
    road::personalize(&world, 0, &[]).unwrap();
    let card = road::card_of(&world, &issued).unwrap();
    let journal = fs::read(world.station().join("journal.jsonl")).unwrap();
    let again = |act: &str, arguments: &[&str]| {
        fs::write(world.station().join("journal.jsonl"), &journal).unwrap();
        forgets_the_answer(&world);
        let said = at_the_station(&world, act, arguments);
        assert!(said.status.success(), "{act} {arguments:?}: {}{}", out(&said), err(&said));
        said
    };
    let told = format!("{serial}\tpersonalized resumed\t{card}\n");
    assert_eq!(out(&again("personalize", &[])), told);
    let [envelope] = &envelopes(&again("personalize", &["--json"]), "personalize")[..] else { panic!("one chip") };
    assert_eq!(envelope["result"]["card_id"], card, "{envelope}");
    assert_eq!(envelope["result"]["resumed"], true, "{envelope}");
    assert!(envelope["error"].is_null(), "{envelope}");
    // What was finished is told whatever was asked for: the chip is a card and no blank any more.
    assert_eq!(out(&again("intake", &[])), told);
    // No chip is needed for it.
    world.remove(0).unwrap();
    assert_eq!(out(&again("personalize", &[])), told);
    let [envelope] = &envelopes(&again("personalize", &["--json"]), "personalize")[..] else { panic!("one chip") };
    assert_eq!(envelope["result"]["card_id"], card, "{envelope}");
    // Once it is told there is nothing left but an empty reader.
    let empty = at_the_station(&world, "personalize", &[]);
    assert_eq!(empty.status.code(), Some(14), "{}", err(&empty));
}

#[test]
fn a_receipt_that_was_not_reported_is_reported_by_the_next_run_and_told() {
    let scratch = scratch();
    let mut world = begun(&scratch);
    road::intake(&world, 0).unwrap();
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    // The service dies while the chip plays the order.
    world.plans_fault(0, "slow:12:4000").unwrap();
    let before = world.commands_heard(0).unwrap();
    let arguments = road::station_arguments(&world, "personalize", &world.pcscd.reader(0), &[]);
    let mut command = world.card_agent(&arguments).unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(Duration::from_secs(30), "the chip plays", || Ok(world.commands_heard(0)? >= before + 12)).unwrap();
    world.offices.issuance.kill();
    let cut = child.wait_with_output().unwrap();
    assert_eq!(cut.status.code(), Some(40), "{}", err(&cut));
    world.plans_fault(0, "none").unwrap();

    let address = world.service.address.trim_start_matches("https://").to_owned();
    let mut serve = issuance_serve(&world.dir.join("issuance"), &address).unwrap();
    serve.args(["--extra-province", "003"]).stdout(Stdio::null()).stderr(Stdio::null());
    world.offices.issuance.0 = serve.spawn().unwrap();
    until(Duration::from_mins(1), "the service listens", || Ok(TcpStream::connect(&address).is_ok())).unwrap();
    let status = world.agent(&["status", "--station", &world.station().to_string_lossy(), "--json"]).unwrap();
    let [envelope] = &envelopes(&status, "status")[..] else { panic!("one object") };
    assert_eq!(envelope["result"]["unfinished"][0]["stage"], "await-report", "{envelope}");
    world.remove(0).unwrap();
    let said = at_the_station(&world, "personalize", &["--json"]);
    assert!(said.status.success(), "{}", err(&said));
    let [envelope] = &envelopes(&said, "personalize")[..] else { panic!("one chip") };
    assert_eq!(envelope["result"]["card_id"], road::card_of(&world, &issued).unwrap(), "{envelope}");
}

/// Forwards connections to `to`; after so many bytes of the service's answers it hangs, and goes on doing so.
fn hanging_proxy(to: String, bytes: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicUsize::new(bytes));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&to).unwrap();
            let (mut upwards, mut server_in) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut upwards, &mut server_in));
            let (left, mut server, mut client) = (left.clone(), server, client);
            thread::spawn(move || {
                let mut byte = [0];
                while server.read(&mut byte).is_ok_and(|n| n == 1) {
                    if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
                        loop {
                            thread::park(); // the connection stays open
                        }
                    }
                    if client.write_all(&byte).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_service_that_hangs_is_waited_for_no_longer_than_the_limit_and_said_to_be_waited_for() {
    let scratch = scratch();
    let world = begun(&scratch);
    road::intake(&world, 0).unwrap();
    road::approved(&world, &Citizen::invented(0)).unwrap();
    let settings = world.station().join("station.toml");
    let address = world.service.address.trim_start_matches("https://").to_owned();
    let original = fs::read_to_string(&settings).unwrap();
    // In the handshake, in the trust bundle, in the order.
    for (bytes, waited_for) in
        [(500, "the trust bundle"), (2_500, "the trust bundle"), (5_500, "an order for the chip")]
    {
        let port = hanging_proxy(address.clone(), bytes);
        let own = address.rsplit_once(':').unwrap().1;
        fs::write(&settings, original.replace(&format!(":{own}"), &format!(":{port}"))).unwrap();
        let said = at_the_station(&world, "personalize", &["--limit", "5"]);
        let text = err(&said);
        assert_eq!(said.status.code(), Some(19), "{bytes}: {text}");
        assert!(text.contains("limit-reached: not finished within 5 s"), "{bytes}: {text}");
        assert!(text.contains(&format!("waiting for {waited_for} from the service")), "{bytes}: {text}");
        assert!(text.contains(&format!("{waited_for} was waited for")), "{bytes}: {text}");
    }
    // A hang of the service does not hide that there is no card.
    world.remove(0).unwrap();
    let said = at_the_station(&world, "personalize", &["--limit", "60"]);
    assert_eq!(said.status.code(), Some(14), "{}", err(&said));
}

/// `card-agent inspect` at reader 0, whose name comes from the environment.
fn inspection(world: &World, arguments: &[&str]) -> Command {
    let path = |name: &str| world.dir.join(name).to_string_lossy().into_owned();
    fs::write(world.dir.join(BUNDLE), world.service.anyone().trust_bundle().unwrap()).unwrap();
    let (bundle, state, anchor) = (path(BUNDLE), path("newest-bundles.json"), world.csca());
    let all = ["inspect", "--bundle", &bundle, "--anchor", &anchor.to_string_lossy(), "--state", &state];
    let mut command = world.card_agent(&[&all, arguments].concat()).unwrap();
    command.env("CITIZEN_CARD_READER", world.pcscd.reader(0));
    command
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_inspection_shows_the_proved_holder_and_writes_for_this_account_only() {
    let scratch = scratch();
    let world = begun(&scratch);
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let can = &issued.number[6..];
    let (portrait, folder) = (world.dir.join("face.jpg"), world.dir.join("read"));
    let (face, read) = (portrait.to_string_lossy(), folder.to_string_lossy());
    let said = inspection(&world, &["--can", can, "--portrait", &face, "--out", &read]).output().unwrap();
    assert!(said.status.success(), "{}", err(&said));
    for words in [&issued.number, "name            Nguyễn", "2040-", "verdict: trusted"] {
        assert!(out(&said).contains(words), "{words}: {}", out(&said));
    }
    assert_eq!((mode(&portrait), mode(&folder), mode(&folder.join("dg1.bin"))), (0o600, 0o700, 0o600));
    assert_eq!(fs::read(&portrait).unwrap(), fs::read(folder.join("portrait.jpg")).unwrap());
    let said = inspection(&world, &["--can", can, "--json"]).output().unwrap();
    let [envelope] = &envelopes(&said, "inspect")[..] else { panic!("one object") };
    assert_eq!(envelope["result"]["holder"]["personal_number"], issued.number);

    // The same files in words, and what the chip tells of itself.
    let decoded = world.agent(&["decode", &read, "--json"]).unwrap();
    let [envelope] = &envelopes(&decoded, "decode")[..] else { panic!("one object") };
    assert_eq!(envelope["result"]["proved"], false);
    let files = &envelope["result"]["files"];
    assert_eq!(files["dg1.bin"]["personal_number"], issued.number);
    assert!(files["dg13.bin"]["họ_và_tên"].as_str().is_some_and(|name| name.starts_with("Nguyễn")), "{files}");
    assert_eq!(files["sod.bin"]["signed_groups"], "DG1, DG2, DG13, DG14, DG15");
    assert!(files["ds.der"]["subject"].as_str().is_some_and(|name| name.contains("Document Signer")), "{files}");
    let info = world.agent(&["info", "--json", "--reader", &world.pcscd.reader(0)]).unwrap();
    let [envelope] = &envelopes(&info, "info")[..] else { panic!("one object") };
    assert_eq!(envelope["result"]["serial"], world.serials[0]);
    assert_eq!(envelope["result"]["life_cycle"], "personalized");

    // Nothing is shown of a card that did not open, and a signature under another anchor proves no holder.
    let wrong = format!("{:06}", (can.parse::<u32>().unwrap() + 1) % 1_000_000);
    let said = inspection(&world, &["--can", &wrong, "--json"]).output().unwrap();
    assert_eq!(said.status.code(), Some(5), "{}", err(&said));
    let [envelope] = &envelopes(&said, "inspect")[..] else { panic!("one object, result and error in it") };
    assert_eq!(envelope["error"]["code"], "wrong-password");
    assert_eq!(envelope["error"]["exit"], 5);
    assert!(envelope["result"]["holder"].is_null(), "{envelope}");
}

#[test]
fn a_terminal_is_asked_for_the_can_and_does_not_show_it() {
    let scratch = scratch();
    let world = begun(&scratch);
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let can = &issued.number[6..];
    let command = inspection(&world, &[]);
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ");
    // `script` gives the program a terminal, and passes on what is typed here.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .env("PCSCLITE_CSOCK_NAME", world.pcscd.socket())
        .env("CITIZEN_CARD_READER", world.pcscd.reader(0))
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut typed, mut shown) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut text = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&text).contains("(not shown): ") && shown.read(&mut byte).unwrap() == 1 {
        text.push(byte[0]);
    }
    writeln!(typed, "{can}").unwrap();
    shown.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(terminal.wait().unwrap().success(), "{text}");
    assert!(text.contains("verdict: trusted"), "{text}");
    let without_the_number = text.replace(&issued.number, "").replace(&issued.number[3..], "");
    assert!(!without_the_number.contains(can), "the terminal shows the CAN: {text}");
}

#[test]
fn several_readers_are_named_and_a_card_is_waited_for() {
    let scratch = scratch();
    let world = begun(&scratch);
    let said = world.agent(&["info"]).unwrap();
    assert_eq!(said.status.code(), Some(11), "{}", err(&said));
    assert!(
        err(&said).contains("CITIZEN_CARD_READER") && err(&said).contains(&world.pcscd.reader(1)),
        "{}",
        err(&said)
    );
    world.remove(0).unwrap();
    let reader = world.pcscd.reader(0);
    let said = world.agent(&["info", "--reader", &reader, "--wait=1"]).unwrap();
    assert_eq!(said.status.code(), Some(14), "{}", err(&said));
    assert!(err(&said).contains("within 1 s"), "{}", err(&said));

    let mut watch = world.card_agent(&["readers", "--watch"]).unwrap().stdout(Stdio::piped()).spawn().unwrap();
    let mut waiting = world.card_agent(&["info", "--reader", &reader, "--wait"]).unwrap();
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 7];
    waiting.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(String::from_utf8_lossy(&said), "waiting", "it says that it waits");
    let mut seen = watch.stdout.take().unwrap();
    let mut lines = vec![0; format!("{reader}\tempty").len()];
    seen.read_exact(&mut lines).unwrap();
    assert_eq!(String::from_utf8_lossy(&lines), format!("{reader}\tempty"));
    world.insert(0).unwrap();
    let info = waiting.wait_with_output().unwrap();
    assert!(info.status.success() && out(&info).contains(&world.serials[0]), "{}{}", out(&info), err(&info));
    // The watcher sees the card come, and ends in peace.
    let mut rest = String::new();
    while !rest.contains(&format!("{reader}\tcard ")) {
        let mut byte = [0];
        assert_eq!(seen.read(&mut byte).unwrap(), 1, "{rest}");
        rest.push(char::from(byte[0]));
    }
    Command::new("kill").args(["-INT", &watch.id().to_string()]).status().unwrap();
    assert!(watch.wait().unwrap().success());
}

#[test]
fn chip_after_chip_is_personalized_until_there_is_nothing_more_to_do() {
    let scratch = scratch();
    let world = begun(&scratch);
    road::intake(&world, 0).unwrap();
    let nothing = at_the_station(&world, "personalize", &["--json"]);
    assert_eq!(nothing.status.code(), Some(45), "{}", err(&nothing));
    assert_eq!(envelopes(&nothing, "personalize")[0]["error"]["problem"]["code"], "nothing-to-personalize");

    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    let arguments = road::station_arguments(&world, "personalize", &world.pcscd.reader(0), &["--loop", "--json"]);
    let mut command = world.card_agent(&arguments).unwrap();
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(running.stderr.take().unwrap());
    let mut hears = |beginning: &str| {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "the run has ended before it says {beginning}");
        }
    };
    hears("take the card out");
    // A blank that is not stock yet is refused, which does not end the run.
    world.lays_in_a_blank(0).unwrap();
    hears("service-refused-chip: ");
    hears("take the card out");
    world.remove(0).unwrap();
    hears("waiting for a card");
    // The reader is this run's until it ends; then another one makes the blank stock.
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    let said = running.wait_with_output().unwrap();
    let all = envelopes(&said, "personalize");
    assert!(said.status.success(), "{all:?}");
    let cards: Vec<_> = all.iter().filter_map(|envelope| envelope["result"]["card_id"].as_str()).collect();
    assert_eq!(cards, [road::card_of(&world, &issued).unwrap()]);
    assert_eq!(all.iter().filter(|envelope| envelope["error"]["exit"] == 47).count(), 1, "{all:?}");
    world.insert(0).unwrap();
    road::intake(&world, 0).unwrap();
    // Nothing waits for it: the run ends by itself, and says that it made nothing.
    let said = at_the_station(&world, "personalize", &["--loop", "--json"]);
    assert_eq!(said.status.code(), Some(45), "{}", err(&said));
    assert!(envelopes(&said, "personalize").iter().all(|envelope| envelope["result"]["card_id"].is_null()));
}

#[test]
fn ctrl_c_between_two_chips_ends_a_run_in_peace() {
    let scratch = scratch();
    let world = begun(&scratch);
    let arguments = road::station_arguments(&world, "intake", &world.pcscd.reader(0), &["--loop"]);
    let mut command = world.card_agent(&arguments).unwrap();
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(running.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("take the card out") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "the run has ended");
    }
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    let said = running.wait_with_output().unwrap();
    assert!(said.status.success());
    assert_eq!(out(&said), format!("{}\tinitialised\n", world.serials[0]));
}

#[test]
fn what_is_not_undone_is_asked_for() {
    let scratch = scratch();
    let world = begun(&scratch);
    let (station, serial) = (world.station().to_string_lossy().into_owned(), world.serials[1].clone());
    let arguments = ["spoil", "--station", &station, "--serial", &serial, "--reason", "bent"];
    let said = world.agent(&arguments).unwrap();
    assert_eq!(said.status.code(), Some(51), "{}", err(&said));
    assert!(err(&said).contains("--yes"), "{}", err(&said));
    assert_eq!(road::stock_state(&world, &serial).unwrap(), "delivered");
    // Of a chip that is not here nothing is asked.
    let strange = "00112233445566778899";
    let said = world.agent(&["spoil", "--station", &station, "--serial", strange, "--reason", "bent"]).unwrap();
    assert_eq!(said.status.code(), Some(47), "{}", err(&said));
    assert!(err(&said).contains("not in this station's custody"), "{}", err(&said));
    let said = world.agent(&[&arguments[..], &["--yes"]].concat()).unwrap();
    assert!(said.status.success(), "{}", err(&said));
    assert_eq!(road::stock_state(&world, &serial).unwrap(), "spoiled");
}

/// The demonstration of `make demo KEEP=DIR`, until it says that everything is left running.
struct Demonstration(Child, BufReader<ChildStdout>, String);

impl Demonstration {
    fn begins(dir: &Path, results: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.arg("--dir").arg(dir).arg("--out").arg(results).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("and: insert 0, reset 0, blank 0") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it has ended: {said}");
        }
        Self(child, lines, said)
    }

    /// Presses Ctrl-C, and returns what it said then.
    fn ends(mut self) -> String {
        Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap();
        let mut said = String::new();
        self.1.read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
        said
    }
}

#[test]
fn a_demonstration_that_is_kept_says_how_to_sign_in_and_starts_again() {
    let scratch = scratch();
    let (dir, results) = (scratch.path().join("kept"), scratch.path().join("results"));
    let first = Demonstration::begins(&dir, &results);
    assert!(first.2.contains("deletes nothing") && first.2.contains("/api/v1/sessions"), "{}", first.2);
    for name in ["password-of-admin", "password-of-capture", "transport-master.hex"] {
        assert_eq!((mode(&dir.join(name)), mode(&dir)), (0o600, 0o700), "{name}");
    }
    assert!(first.ends().contains("is kept"));
    let again = Demonstration::begins(&dir, &results);
    assert!(again.2.contains("stands again"), "{}", again.2);
    // The card of the first time is trusted under the authority of the first time: the line that it prints says so.
    let line = again.2.lines().find(|line| line.contains(" inspect ")).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("PCSCLITE_CSOCK_NAME", dir.join("pcscd/pcscd.comm")).env("HOME", &dir);
    let said = shell.env_remove("XDG_STATE_HOME").output().unwrap();
    assert!(said.status.success() && out(&said).contains("verdict: trusted"), "{}{}", out(&said), err(&said));
    assert!(again.ends().contains("is kept"));
    // Another folder that is in use is not touched.
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    let refused = command.arg("--dir").arg(&results).arg("--out").arg(&results).output().unwrap();
    assert!(!refused.status.success() && err(&refused).contains("is not empty"), "{}", err(&refused));
    assert!(results.join("dg1.bin").exists());
}
