//! Intake, personalize, hand over, inspect: over the real pcscd, with the programs as their users start them.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tests::citizen::Citizen;
use tests::road::{self, Issued, text};
use tests::wait::until;
use tests::world::{Options, World, postgres, scratch};

fn verdict(output: &std::process::Output) -> Value {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    assert_eq!(said["schema"], "citizen-card/inspect/1");
    assert_eq!(said["error"].is_object(), !output.status.success(), "{said:#}");
    said["result"].clone()
}

fn outcome(verdict: &Value, check: &str) -> String {
    let found = verdict["checks"].as_array().into_iter().flatten().find(|c| c["name"] == check);
    found.map_or_else(|| format!("no check {check} in {verdict}"), |c| text(c, "outcome"))
}

fn the_road_ends_in_a_trusted_card(world: &World) -> Issued {
    let issued = road::issue(world, 0, &Citizen::invented(0)).unwrap();
    let folder = world.dir.join("read");
    let said = road::inspect(world, 0, &["--can", &issued.number[6..], "--out", &folder.to_string_lossy()]).unwrap();
    let verdict = verdict(&said);
    assert!(said.status.success(), "{verdict:#}");
    assert_eq!(verdict["verdict"], "trusted", "{verdict:#}");
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
        assert!(fs::metadata(folder.join(name)).is_ok_and(|m| m.len() > 20), "{name} was not written");
    }
    let portrait = fs::read(folder.join("portrait.jpg")).unwrap();
    assert!((15_000..=20_480).contains(&portrait.len()), "portrait of {} bytes", portrait.len());
    assert!(image::load_from_memory(&portrait).is_ok());
    issued
}

#[test]
fn a_citizen_walks_the_whole_road_on_sqlite() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let issued = the_road_ends_in_a_trusted_card(&world);

    // The same card by the MRZ, as at a kiosk that does not know the CAN.
    let dg1 = fs::read(world.dir.join("read/dg1.bin")).unwrap();
    let mrz = world.dir.join("mrz.txt");
    fs::write(&mrz, &dg1[dg1.len() - 90..]).unwrap();
    let said = road::inspect(&world, 0, &["--mrz-file", &mrz.to_string_lossy()]).unwrap();
    assert!(said.status.success(), "{:#}", verdict(&said));

    // The card is reported lost: a trust bundle that lists it is made within a second or so, and the kiosk refuses.
    world.officers.counter.reports_loss(&issued.card).unwrap();
    let refused = || {
        let said = road::inspect(&world, 0, &["--can", &issued.number[6..]]).unwrap();
        Ok(!said.status.success() && verdict(&said)["verdict"] == "refused")
    };
    until(Duration::from_secs(20), "the trust bundle lists the lost card", refused).unwrap();

    // Every read of personal data left an audit row.
    let rows = world.officers.auditor.audit_of_person(&issued.person).unwrap();
    assert!(rows.to_string().contains("person-declared"), "{rows}");
}

#[test]
fn a_citizen_walks_the_whole_road_on_postgresql() {
    let Some(database) = postgres::fresh_database() else { return };
    let scratch = scratch();
    let options = Options { database: Some(database), ..Options::default() };
    let world = World::begin(&scratch.path().join("world"), &options).unwrap();
    the_road_ends_in_a_trusted_card(&world);
}

#[test]
fn two_cards_in_two_readers_at_once_do_not_mix() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let applications = [1, 2].map(|number| road::approved(&world, &Citizen::invented(number)).unwrap());
    let at_once = |act: fn(&World, usize) -> Result<String, road::Blocked>| {
        std::thread::scope(|scope| {
            let stations: Vec<_> = [0, 1]
                .map(|slot| {
                    scope.spawn({
                        let world = &world;
                        move || act(world, slot)
                    })
                })
                .into_iter()
                .collect();
            for station in stations {
                station.join().unwrap().unwrap();
            }
        });
    };
    at_once(road::intake);
    at_once(|world, slot| road::personalize(world, slot, &[]));

    let mut cards = Vec::new();
    for issued in &applications {
        let card = road::card_of(&world, issued).unwrap();
        let serial = text(&world.officers.counter.card(&card).unwrap(), "serial");
        world.officers.counter.hands_over(&card, &issued.slip).unwrap();
        cards.push((serial, issued.number.clone()));
    }
    assert_ne!(cards[0].0, cards[1].0, "two applications on one chip");
    for (serial, number) in cards {
        let slot = world.serials.iter().position(|s| *s == serial).unwrap();
        let said = road::inspect(&world, slot, &["--can", &number[6..]]).unwrap();
        assert!(said.status.success(), "{:#}", verdict(&said));
        assert_eq!(outcome(&verdict(&said), "active-authentication"), "proved");
    }
}
