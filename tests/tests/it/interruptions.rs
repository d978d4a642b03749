//! Interruptions of running programs, over the real pcscd: the card is pulled, Ctrl-C is pressed, the process is
//! killed. The next run resumes.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use tests::citizen::Citizen;
use tests::road::{self, Blocked};
use tests::wait::until;
use tests::world::{Options, World, scratch};

/// Begins a world with an initialised chip in reader 0 and an approved application.
fn ready(dir: &Path) -> (World, road::Issued) {
    let world = World::begin(dir, &Options::default()).unwrap();
    road::intake(&world, 0).unwrap();
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    (world, issued)
}

/// Personalizes the chip, which an earlier run began, and walks the road to its end.
fn goes_on(world: &World, issued: &road::Issued) {
    road::personalize(world, 0, &[]).unwrap();
    ends(world, issued);
}

/// After personalization: one card is handed over, the chip is in the ledger, and the kiosk trusts it.
fn ends(world: &World, issued: &road::Issued) {
    world.officers.counter.hands_over(&road::card_of(world, issued).unwrap(), &issued.slip).unwrap();
    assert_eq!(road::stock_state(world, &world.serials[0]).unwrap(), "personalized");
    let said = road::inspect(world, 0, &["--can", &issued.number[6..]]).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// Starts `card-agent personalize`, and returns when the chip has begun its twelfth command, which takes it 4 s.
fn under_way(world: &World) -> Child {
    let before = world.commands_heard(0).unwrap();
    world.plans_fault(0, "slow:12:4000").unwrap();
    let arguments = road::station_arguments(world, "personalize", &world.pcscd.reader(0), &[]);
    let mut command = world.card_agent(&arguments).unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(
        Duration::from_secs(20),
        "the chip hears its twelfth command",
        || Ok(world.commands_heard(0)? >= before + 12),
    )
    .unwrap();
    child
}

#[test]
fn a_card_pulled_in_the_middle_of_personalization_is_resumed() {
    let scratch = scratch();
    let (world, issued) = ready(&scratch.path().join("world"));
    world.plans_fault(0, "removed:11").unwrap();
    let Err(Blocked::Agent { said, .. }) = road::personalize(&world, 0, &[]) else { panic!("it should have noticed") };
    assert!(said.contains("card-removed") && said.contains("resumed"), "{said}");
    world.insert(0).unwrap();
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
    world.plans_fault(0, "none").unwrap();
    goes_on(&world, &issued);
}

#[test]
fn a_killed_agent_resumes_from_its_journal() {
    let scratch = scratch();
    let (world, issued) = ready(&scratch.path().join("world"));
    let mut child = under_way(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    world.plans_fault(0, "none").unwrap();
    // pcscd still waits for the chip's answer to the dead agent, and lets no other program at the
    // reader until it has come.
    let free = || match road::personalize(&world, 0, &[]) {
        Err(Blocked::Agent { said, .. }) if said.contains("reader-in-use") => Ok(false),
        Err(other) => panic!("{other}"),
        Ok(_) => Ok(true),
    };
    until(Duration::from_secs(20), "the reader is free again", free).unwrap();
    ends(&world, &issued);
}
