//! `make interop`: station and service of one version apart work together. Each of the two is once the program that was
//! built from an earlier commit, and both walk the road over the real pcscd: enrolment, intake, personalization,
//! receipt, hand-over, inspection.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};
use tests::citizen::Citizen;
use tests::road;
use tests::world::{self, Older, Options, World};

/// Lets station and service of one version apart work together.
#[derive(Parser)]
struct Arguments {
    /// Folder with `issuance` and `card-agent` of the earlier version.
    #[arg(long)]
    older: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let older = Arguments::parse().older.canonicalize()?;
    let agent = Older { card_agent: Some(older.join("card-agent")), issuance: None };
    let service = Older { issuance: Some(older.join("issuance")), card_agent: None };
    let (mut passed, mut failed) = (0, 0);
    for (name, done) in [
        ("earlier card-agent, present issuance", an_older_station(agent)),
        ("present card-agent, earlier issuance", an_older_service(service)),
    ] {
        match done {
            Ok(()) => {
                passed += 1;
                println!("ok      {name}");
            }
            Err(why) => {
                failed += 1;
                println!("FAILED  {name}: {why}");
            }
        }
    }
    println!(
        "test result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The station is not updated yet. Then it is, in the same folder, and goes on.
fn an_older_station(older: Older) -> Result<(), Box<dyn Error>> {
    let scratch = world::scratch();
    let mut world = World::begin(&scratch.path().join("world"), &Options { older, ..Options::default() })?;
    a_card_is_trusted(&world, 0)?;
    let log = fs::read_to_string(world.dir.join("issuance.log"))?;
    if !log.contains("/api/v1/station/personalization/receipts") {
        return Err("the service's log names no receipt of the station".into());
    }
    world.offices.older_agent = None;
    a_card_is_trusted(&world, 1)?;
    is_spoken(&world, &[2, 1], 2)
}

/// The service is not updated yet: the station finds out at its first call.
fn an_older_service(older: Older) -> Result<(), Box<dyn Error>> {
    let scratch = world::scratch();
    let world = World::begin(&scratch.path().join("world"), &Options { older, ..Options::default() })?;
    a_card_is_trusted(&world, 0)?;
    is_spoken(&world, &[1], 1)
}

fn a_card_is_trusted(world: &World, slot: usize) -> Result<(), Box<dyn Error>> {
    let issued = road::issue(world, slot, &Citizen::invented(u32::try_from(slot)?))?;
    let said = road::inspect(world, slot, &["--can", &issued.number[6..]])?;
    let answer: Value = serde_json::from_slice(&said.stdout)?;
    if said.status.success() && answer["result"]["verdict"] == "trusted" {
        return Ok(());
    }
    Err(format!("the card is not trusted: {answer:#}").into())
}

/// Asks the present `card-agent status` which versions it finds.
fn is_spoken(world: &World, service: &[u16], agreed: u16) -> Result<(), Box<dyn Error>> {
    let said = world.agent(&["status", "--json", "--station", &world.station().to_string_lossy()])?;
    let answer: Value = serde_json::from_slice(&said.stdout)?;
    let wanted = json!({ "station": [2, 1], "service": service, "agreed": agreed });
    if answer["result"]["protocol"] == wanted {
        return Ok(());
    }
    Err(format!("card-agent status says {answer:#}, and not {wanted}").into())
}
