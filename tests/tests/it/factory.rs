//! Many readers of one station at work at the same time, over the real pcscd and the real service: a tray of blanks in
//! any order, chips that are slow or lie, a killed agent, a pause, a full disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use card_agent::station::journal::Journal;
use crypto::perso::LifeCycle;
use serde_json::Value;
use tests::crash::invariants::House;
use tests::factory::{Factory, Heard, Tray};
use tests::road::{self, Issued};
use tests::wait::until;
use tests::world::{OFFICE, Options, World, scratch};

/// Returns the cards of these applications; each has one of its own.
fn cards_of(factory: &Factory, issued: &[Issued]) -> BTreeSet<String> {
    let cards: BTreeSet<_> = issued
        .iter()
        .map(|issued| road::card_of(&factory.offices, issued).unwrap())
        .filter(|card| !card.is_empty())
        .collect();
    assert_eq!(cards.len(), issued.len(), "an application is without card, or two have one");
    cards
}

fn in_state(factory: &Factory, state: &str) -> usize {
    let state_of = |serial: &String| road::stock_state(&factory.offices, serial).unwrap();
    factory.serials.iter().filter(|serial| state_of(serial) == state).count()
}

fn journal_of(factory: &Factory) -> Journal {
    Journal::open(&factory.offices.station()).unwrap()
}

#[test]
fn twenty_four_cards_come_out_of_eight_readers_past_a_slow_chip_and_a_liar() {
    let scratch = scratch();
    // Of this seed's tray the third blank answers with garbage, and the fifth answers late.
    let tray = Tray { readers: 8, blanks: 25, seed: 15, more: &["--slow", "1", "--hostile", "1", "--give-up", "3"] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray).unwrap();
    let issued = factory.approved(24).unwrap();
    let arguments = ["personalize", "--readers", "all", "--intake", "--loop", "--json"];
    let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
    factory.hears("empty", 1).unwrap();
    agent.signal("INT").unwrap();
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(59), "the liar is left: {}", agent.errors());
    assert_eq!((&summary["personalized"], &summary["readers"]), (&Value::from(24), &Value::from(8)), "{summary}");
    assert_eq!(summary["held"], Value::Array(vec![]), "{summary}");
    assert!(journal_of(&factory).unfinished().is_empty());
    cards_of(&factory, &issued);
    assert_eq!((in_state(&factory, "personalized"), in_state(&factory, "delivered")), (24, 1));
    // While the slow one was at work, the others went on.
    let cards = agent.told("personalized");
    let slow = cards.iter().find(|(_, card)| card["serial"] == *factory.serials[4]).unwrap();
    let strides = slow.1["strides"].as_array().unwrap().iter();
    let took: u64 = strides.map(|stride| stride["microseconds"].as_u64().unwrap()).sum();
    assert!(took > 1_000_000, "it was not slow: {took}");
    let begun = slow.0 - Duration::from_micros(took * 3 / 4);
    let others = cards.iter().filter(|(at, _)| *at > begun && *at < slow.0).count();
    assert!(others > 0, "no other card was made meanwhile: {cards:?}");
    // Each line names reader, serial and state.
    let done = agent.results().into_iter().filter(|result| result["outcome"] == "personalized");
    let done: Vec<_> = done.map(|result| (result["reader"].to_string(), result["serial"].to_string())).collect();
    let readers: BTreeSet<_> = done.iter().map(|(reader, _)| reader).collect();
    let serials: BTreeSet<_> = done.iter().map(|(_, serial)| serial).collect();
    assert_eq!((done.len(), serials.len()), (24, 24));
    assert_eq!(readers.len(), 8, "no reader stood still");
}

#[test]
fn an_agent_that_is_killed_with_eight_chips_in_flight_goes_on_and_nothing_is_lost_or_doubled() {
    let scratch = scratch();
    let dir = scratch.path().join("house");
    let tray = Tray { readers: 8, blanks: 16, seed: 3, more: &["--slow", "16", "--give-up", "600"] };
    let mut factory = Factory::begin(&dir, &Options::default(), &tray).unwrap();
    let issued = factory.approved(16).unwrap();
    let arguments = ["personalize", "--readers", "8", "--intake", "--loop", "--json"];
    for kill in 1..=2 {
        let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
        // Each has an order that the chip has begun to play; the second time some of them are personalizations.
        let in_flight = || Ok(journal_of(&factory).unfinished().iter().filter(|entry| entry.ordered).count() >= 6);
        until(Duration::from_mins(2), "orders are in flight", in_flight).unwrap();
        assert!(agent.running.0.try_wait().unwrap().is_none(), "{}", agent.errors());
        agent.running.kill();
        assert!(!journal_of(&factory).unfinished().is_empty(), "kill {kill} came too late");
    }
    let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
    factory.hears("empty", 1).unwrap();
    agent.signal("TERM").unwrap();
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(0), "{summary}\n{}", agent.errors());
    let resumed = agent.results().iter().filter(|result| result["resumed"] == true).count();
    assert!(resumed > 0, "nothing was resumed: {:?}", agent.results());
    assert!(journal_of(&factory).unfinished().is_empty());
    cards_of(&factory, &issued);
    assert_eq!(in_state(&factory, "personalized"), 16);
    factory.offices.issuance.stop();
    let chips: BTreeMap<_, _> =
        factory.serials.iter().map(|serial| (serial.clone(), LifeCycle::Personalized)).collect();
    let house = House { data: &dir.join("issuance"), database: None };
    assert_eq!(house.broken(&chips).unwrap(), Vec::<String>::new());
}

#[test]
fn a_batch_is_written_waits_while_it_is_paused_and_ends_the_run() {
    let scratch = scratch();
    let tray = Tray { readers: 2, blanks: 3, seed: 7, more: &["--give-up", "600"] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray).unwrap();
    let issued = factory.approved(3).unwrap();
    let officers = &factory.offices.officers;
    let password = "another keeper of the stock";
    officers.administrator.appoints(&officers.second_administrator, "stock-2", password, &["stock"], OFFICE).unwrap();
    let second = factory.offices.service.officer("stock-2", password).unwrap();
    let batch = road::text(&officers.stock.drafts_batch(2).unwrap(), "id");
    second.releases_batch(&batch).unwrap();
    officers.stock.pauses_batch(&batch).unwrap();
    let arguments = ["personalize", "--readers", "all", "--batch", &batch, "--intake", "--loop", "--json"];
    let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
    agent.hears("again", 2).unwrap();
    assert_eq!(agent.results().iter().filter(|result| result["outcome"] == "personalized").count(), 0);
    officers.stock.resumes_batch(&batch).unwrap();
    // The third blank finds the batch done.
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(0), "{summary}\n{}", agent.errors());
    assert_eq!(summary["personalized"], 2, "{summary}");
    cards_of(&factory, &issued[..2]);
    assert_eq!(road::card_of(&factory.offices, &issued[2]).unwrap(), "", "it is in no batch");
    let unknown = "00000000-0000-7000-8000-000000000000";
    let arguments = ["personalize", "--readers", "all", "--batch", unknown, "--loop", "--json"];
    let (code, _) = Heard::begin(factory.agent(&arguments).unwrap()).unwrap().ends().unwrap();
    assert_eq!(code, Some(42));
}

#[test]
fn a_pause_holds_the_next_chips_and_ctrl_c_finishes_those_that_are_begun() {
    let scratch = scratch();
    let tray =
        Tray { readers: 2, blanks: 6, seed: 5, more: &["--slow", "6", "--aim", "initialised", "--give-up", "600"] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray).unwrap();
    let mut agent = Heard::begin(factory.agent(&["intake", "--readers", "2", "--loop", "--json"]).unwrap()).unwrap();
    agent.hears("at-work", 2).unwrap();
    agent.signal("USR1").unwrap();
    // What was begun is done, and its place is taken by chips that are not begun.
    agent.hears("paused", 2).unwrap();
    factory.hears("in ", 4).unwrap();
    assert_eq!((agent.count("at-work"), agent.count("done")), (2, 2), "{:?}", agent.results());
    agent.signal("USR1").unwrap();
    agent.hears("at-work", 4).unwrap();
    agent.signal("INT").unwrap();
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(0), "{}", agent.errors());
    assert_eq!(summary["initialised"], 4, "{summary}");
    assert_eq!((in_state(&factory, "initialised"), in_state(&factory, "delivered")), (4, 2));
    assert!(journal_of(&factory).unfinished().is_empty());
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_the_next_run_resumes() {
    let scratch = scratch();
    let tray =
        Tray { readers: 2, blanks: 2, seed: 5, more: &["--slow", "2", "--aim", "initialised", "--give-up", "600"] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray).unwrap();
    let arguments = ["intake", "--readers", "all", "--loop", "--json"];
    let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
    let ordered = || Ok(journal_of(&factory).unfinished().iter().filter(|entry| entry.ordered).count() == 2);
    until(Duration::from_mins(2), "both chips play their orders", ordered).unwrap();
    agent.signal("INT").unwrap();
    until(Duration::from_mins(1), "it says what it does", || Ok(agent.errors().contains("finishing the chips")))
        .unwrap();
    agent.signal("INT").unwrap();
    assert_eq!(agent.running.0.wait().unwrap().code(), Some(130));
    assert!(!journal_of(&factory).unfinished().is_empty());
    let mut agent = Heard::begin(factory.agent(&arguments).unwrap()).unwrap();
    factory.hears("empty", 1).unwrap();
    agent.signal("INT").unwrap();
    assert_eq!(agent.ends().unwrap().0, Some(0), "{}", agent.errors());
    assert_eq!(in_state(&factory, "initialised"), 2);
}

#[test]
fn readers_that_go_away_and_come_back_go_on() {
    let scratch = scratch();
    let mut world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    world.plans_fault(0, &(1..400).map(|n| format!("slow:{n}:100")).collect::<Vec<_>>().join(",")).unwrap();
    let station = world.station().to_string_lossy().into_owned();
    let arguments = ["intake", "--readers", "all", "--loop", "--json", "--station", &station];
    let mut agent = Heard::begin(world.card_agent(&arguments).unwrap()).unwrap();
    agent.hears("done", 1).unwrap();
    // The other chip is in the middle when all readers go.
    world.pcscd.stop().unwrap();
    agent.hears("gone", 2).unwrap();
    world.plans_fault(0, "none").unwrap();
    world.pcscd.restart().unwrap();
    let both = || Ok(world.serials.iter().all(|serial| road::stock_state(&world, serial).unwrap() == "initialised"));
    until(Duration::from_mins(2), "both chips are stock", both).unwrap();
    agent.hears("take-out", 2).unwrap();
    agent.signal("INT").unwrap();
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(0), "{summary}\n{}", agent.errors());
    assert_eq!((&summary["initialised"], &summary["nameless"]), (&Value::from(2), &Value::from(0)), "{summary}");
}

/// A file system of its own, of 3 MiB, in which only the station's folder lives.
#[test]
fn a_full_disk_stops_all_readers_after_the_chips_that_they_have_begun() {
    let scratch = scratch();
    let tray =
        Tray { readers: 3, blanks: 6, seed: 9, more: &["--slow", "6", "--aim", "initialised", "--give-up", "600"] };
    let factory = Factory::begin(&scratch.path().join("house"), &Options::default(), &tray).unwrap();
    let plain = factory.agent(&["intake", "--readers", "all", "--loop", "--json"]).unwrap();
    let place = scratch.path().join("small");
    fs::create_dir(&place).unwrap();
    let script = r#"small=$1; shift; mount -t tmpfs -o size=3m none "$small" && cp -a "$small-of/." "$small" && "$@"
        code=$?; cp -a "$small/journal.jsonl" "$small-after"; exit $code"#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&place).arg(plain.get_program());
    // The station's folder is the last argument.
    let mut arguments: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    *arguments.last_mut().unwrap() = place.clone().into_os_string();
    command.args(arguments).envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    copy(&factory.offices.station(), &scratch.path().join("small-of"));
    command.stdin(Stdio::null());
    let mut agent = Heard::begin(command).unwrap();
    let inside = PathBuf::from(format!("/proc/{}/root{}", agent.running.0.id(), place.display()));
    let mut has_ended = false;
    let ordered = || {
        has_ended = agent.running.0.try_wait()?.is_some();
        Ok(has_ended
            || fs::read_to_string(inside.join("journal.jsonl")).unwrap_or_default().matches("\"ordered\"").count() == 3)
    };
    until(Duration::from_mins(2), "three chips play their orders", ordered).unwrap();
    if has_ended {
        let said = agent.errors();
        assert!(said.contains("unshare: ") || said.contains("mount: "), "{said}");
        return println!("SKIPPED: a file system of its own needs unshare and mount");
    }
    let mut filler = fs::File::create(inside.join("filler")).unwrap();
    for size in [1 << 16, 512, 1] {
        while filler.write_all(&vec![0x5a; size]).is_ok() {}
    }
    let (code, summary) = agent.ends().unwrap();
    assert_eq!(code, Some(31), "{}", agent.errors());
    assert_eq!(summary["initialised"], 3, "{summary}");
    assert_eq!(in_state(&factory, "initialised"), 3, "no other order was asked for");
    let after = scratch.path().join("after");
    fs::create_dir(&after).unwrap();
    fs::rename(scratch.path().join("small-after"), after.join("journal.jsonl")).unwrap();
    assert!(Journal::open(&after).unwrap().unfinished().is_empty(), "everything that was begun is written down");
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
