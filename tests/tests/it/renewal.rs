//! `card-agent enrol --renew` against the real service: the same station with a new key.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::citizen::Citizen;
use tests::road;
use tests::world::{Options, World, scratch};

fn renews(world: &World, station: &Path) -> (Option<i32>, Value) {
    let said = world.agent(&["enrol", "--renew", "--json", "--station", &station.to_string_lossy()]).unwrap();
    let answer = serde_json::from_slice(&said.stdout);
    (said.status.code(), answer.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said.stderr))))
}

#[test]
fn a_station_renews_its_certificate_and_goes_on_as_the_same() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    let (station, copy) = (world.station(), world.dir.join("copy-of-the-station"));
    fs::create_dir(&copy).unwrap();
    for file in ["station.toml", "key.pem", "certificate.pem", "tls-ca.pem"] {
        fs::copy(station.join(file), copy.join(file)).unwrap();
    }
    let authority = fs::read(station.join("tls-ca.pem")).unwrap();
    road::intake(&world, 0).unwrap();

    let (exit, answer) = renews(&world, &station);
    assert_eq!(exit, Some(0), "{answer:#}");
    for file in ["key.pem", "certificate.pem"] {
        assert_ne!(fs::read(station.join(file)).unwrap(), fs::read(copy.join(file)).unwrap(), "{file}");
    }
    assert_eq!(fs::read(station.join("tls-ca.pem")).unwrap(), authority, "known already");
    // A copy of the folder that renews at the same time is told so.
    let (exit, answer) = renews(&world, &copy);
    assert_eq!((exit, &answer["error"]["problem"]["code"]), (Some(48), &Value::from("station-renewal-open")));

    // It is the same station: the blank that it took in before is in its custody.
    let issued = road::approved(&world, &Citizen::invented(0)).unwrap();
    road::personalize(&world, 0, &[]).unwrap();
    assert!(!road::card_of(&world, &issued).unwrap().is_empty());
    // The first use of the new certificate has ended the old one.
    let (exit, answer) = renews(&world, &copy);
    assert_eq!((exit, &answer["error"]["problem"]["code"]), (Some(48), &Value::from("station-unknown")));
    assert_eq!(renews(&world, &station).0, Some(0), "and again");
}
