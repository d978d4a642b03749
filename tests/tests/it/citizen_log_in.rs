//! A citizen's own log-in with the card: over the real pcscd, with the programs as their users start them.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use tests::citizen::Citizen;
use tests::road::{self, text};
use tests::world::{Options, World, postgres, scratch};

/// Runs `card-agent citizen` at the first reader. CAN and code come as lines of standard input, as from a script.
fn citizen(world: &World, what: &str, lines: &[&str], more: &[&str]) -> Output {
    let (authority, reader) = (world.tls_authority().to_string_lossy().into_owned(), world.pcscd.reader(0));
    let mut all = vec!["--json", "citizen", what, "--reader", &reader, "--service", &world.service.address];
    all.extend(["--service-ca", &authority]);
    all.extend_from_slice(more);
    let mut command = world.card_agent(&all).unwrap();
    command.env_remove("CITIZEN_CARD_CAN").env_remove("CITIZEN_CARD_CODE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut typed = running.stdin.take().unwrap();
    for line in lines {
        writeln!(typed, "{line}").unwrap();
    }
    drop(typed);
    running.wait_with_output().unwrap()
}

/// The result of a command that succeeded.
fn told(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(envelope["schema"], "citizen-card/citizen/1");
    envelope["result"].clone()
}

/// The problem of the service, or the code of the failure.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &envelope["error"];
    error["problem"]["code"].as_str().or(error["code"].as_str()).unwrap_or_default().to_owned()
}

fn a_citizen_opens_the_own_matters_with_the_card(world: &World) {
    let issued = road::issue(world, 0, &Citizen::invented(0)).unwrap();
    let can = &issued.number[6..];

    let status = told(&citizen(world, "status", &[can], &[]));
    assert_eq!(status["card"]["status"], "active", "{status:#}");
    assert!(status["looks"]["looks"].as_u64().is_some_and(|looks| looks > 0), "{status:#}");

    // The card alone tells nothing of the citizen, and neither does a code that was not set.
    assert_eq!(refused(&citizen(world, "record", &[can, "280519"], &[])), "citizen-code-unset");
    world.officers.counter.sets_code(&issued.card, "280519").unwrap();
    assert_eq!(refused(&citizen(world, "record", &[can, "135790"], &[])), "citizen-code-wrong");
    let record = told(&citizen(world, "record", &[can, "280519"], &[]));
    assert_eq!(record["personal_number"], issued.number.as_str(), "{record:#}");
    let looks = told(&citizen(world, "looks", &[can, "280519"], &[]));
    let looks = looks["looks"].as_array().unwrap();
    assert!(looks.iter().any(|look| look["institution"] == "yourself" && look["service"] == "person-read"));
    let applications = told(&citizen(world, "applications", &[can, "280519"], &[]));
    assert_eq!(text(&applications["applications"][0], "stage"), "handed-over");

    // A copy to keep, with its signature beside it; nothing that is there is written over.
    let copy = world.dir.join("copy.json");
    let out = copy.to_string_lossy().into_owned();
    told(&citizen(world, "copy", &[can, "280519"], &["--out", &out]));
    let kept: Value = serde_json::from_slice(&std::fs::read(&copy).unwrap()).unwrap();
    assert_eq!(kept["record"]["personal_number"], issued.number.as_str(), "{kept:#}");
    let signature = std::fs::read_to_string(world.dir.join("copy.json.jws")).unwrap();
    assert_eq!(signature.split("..").count(), 2, "{signature}");
    assert_eq!(refused(&citizen(world, "copy", &[can, "280519"], &["--out", &out])), "input-unusable");

    // An objection to a look, with an owner and a due time.
    let look = text(&looks[0], "id");
    let words = ["--words", "Tôi không có hồ sơ nào ở đây.", "--look", &look];
    let made = told(&citizen(world, "object", &[can, "280519"], &words));
    assert!(text(&made, "state") == "waiting" && text(&made, "office") == "national", "{made:#}");
    let mine = told(&citizen(world, "objections", &[can, "280519"], &[]));
    assert_eq!(mine["objections"][0]["look"], look.as_str(), "{mine:#}");

    // Another CAN opens no chip, and the service hears nothing of it.
    let other = if can == "000000" { "000001" } else { "000000" };
    assert_eq!(refused(&citizen(world, "status", &[other], &[])), "wrong-password");

    // Not locked by accident; then locked, and the card opens nothing more.
    assert_eq!(refused(&citizen(world, "lock", &[can], &[])), "input-unusable");
    let locked = told(&citizen(world, "lock", &[can], &["--yes"]));
    assert_eq!(locked["status"], "suspended", "{locked:#}");
    assert_eq!(refused(&citizen(world, "status", &[can], &[])), "card-not-in-force");
    let trail = world.officers.auditor.audit_about(&issued.person).unwrap().to_string();
    for action in ["citizen-logged-in", "citizen-code-set", "citizen-code-refused", "card-loss-reported"] {
        assert!(trail.contains(action), "{action}: {trail}");
    }

    // Nothing that is secret stands in the log of the service.
    let log = std::fs::read_to_string(world.dir.join("issuance.log")).unwrap();
    assert!(!log.contains("280519") && !log.contains(&issued.number), "a secret in the log");
}

#[test]
fn a_citizen_opens_the_own_matters_on_sqlite() {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options::default()).unwrap();
    a_citizen_opens_the_own_matters_with_the_card(&world);
}

#[test]
fn a_citizen_opens_the_own_matters_on_postgresql() {
    let Some(database) = postgres::fresh_database() else { return };
    let scratch = scratch();
    let options = Options { database: Some(database), ..Options::default() };
    let world = World::begin(&scratch.path().join("world"), &options).unwrap();
    a_citizen_opens_the_own_matters_with_the_card(&world);
}
