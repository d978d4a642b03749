//! What operators do to running programs, over the real pcscd: pull the card, press Ctrl-C, kill the process, restart the service.
//! The next run resumes.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tests::citizen;
use tests::road::{self, Blocked, text};
use tests::world::{Options, World, scratch};

/// A world with an initialised chip in reader 0 and somebody waiting for a card.
fn ready(dir: &std::path::Path) -> (World, road::Issued) {
    let world = World::begin(dir, &Options::default()).unwrap();
    road::intake(&world, 0).unwrap();
    let issued = road::approved(&world, &citizen::declaration()).unwrap();
    (world, issued)
}

/// The road goes on to its end, with one card and the chip in the ledger.
fn goes_on(world: &World, issued: &road::Issued) {
    road::personalize(world, 0).unwrap();
    let application = world.officers.capture.get(&format!("/api/applications/{}", issued.application)).unwrap();
    world.officers.counter.hands_over(&text(&application, "card_id"), &issued.slip).unwrap();
    assert_eq!(
        text(&world.officers.stock.get(&format!("/api/stock/{}", world.serials[0])).unwrap(), "state"),
        "personalized"
    );
    let said = road::inspect(world, 0, &["--can", &issued.number[6..]]).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// `card-agent personalize` under way, stuck for a while at its twelfth command.
fn under_way(world: &World) -> Child {
    world.simulator_does("fault 0 slow:12:4000").unwrap();
    let station = world.station();
    let mut command = world
        .card_agent(&["personalize", "--reader", &world.pcscd.reader(0), "--station", &station.to_string_lossy()])
        .unwrap();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has an order in its journal as soon as it talks to the chip.
    let until = Instant::now() + Duration::from_secs(20);
    while !std::fs::read_to_string(station.join("journal.jsonl")).is_ok_and(|j| j.matches("ordered").count() >= 2) {
        assert!(Instant::now() < until, "no order came");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    child
}

#[test]
fn a_card_pulled_in_the_middle_of_personalization_is_resumed() {
    let scratch = scratch();
    let (world, issued) = ready(&scratch.path().join("world"));
    world.simulator_does("fault 0 removed:11").unwrap();
    let Err(Blocked::Agent { said, .. }) = road::personalize(&world, 0) else { panic!("it should have noticed") };
    assert!(said.contains("card-removed") && said.contains("resumed"), "{said}");
    world.simulator_does("insert 0").unwrap();
    goes_on(&world, &issued);
}

#[test]
fn ctrl_c_ends_between_two_commands_and_the_next_run_resumes() {
    let scratch = scratch();
    let (world, issued) = ready(&scratch.path().join("world"));
    let child = under_way(&world);
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let said = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(130), "{complaint}");
    assert!(complaint.contains("interrupted"), "{complaint}");
    world.simulator_does("fault 0 none").unwrap();
    goes_on(&world, &issued);
}

#[test]
fn a_killed_agent_resumes_from_its_journal() {
    let scratch = scratch();
    let (world, issued) = ready(&scratch.path().join("world"));
    let mut child = under_way(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    world.simulator_does("fault 0 none").unwrap();
    // The chip is still busy with what the dead agent asked for; a second one waits its turn or says so.
    std::thread::sleep(Duration::from_secs(4));
    goes_on(&world, &issued);
}
