//! The day of an office through its pages, in a real browser, with chips in the real pcscd: counter, decision, factory,
//! hand-over and kiosk; and what goes wrong on it: another person comes for the card, an application is refused and the
//! citizen complains, a card is pulled out while it is written, a blank is spoiled, a lost card is found by a kiosk.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use serde_json::json;
use tests::citizen::Citizen;
use tests::road::{self, text};
use tests::wait::until;
use tests::world::{OFFICE, Options, Running, World, scratch};

/// Who works beside the officers of every world: name, roles, office.
const MORE: [(&str, &[&str], &str); 2] = [("approver-2", &["approver"], OFFICE), ("centre", &["approver"], "national")];

/// What is done beside the pages, as `day.mjs` asks for it.
struct Stage {
    world: World,
    kiosks: Vec<Running>,
    serials: Vec<String>,
    /// The card that another person came for.
    card: String,
}

impl Stage {
    /// Does what an order says. Returns the answer, in one line.
    fn obey(&mut self, order: &[&str]) -> Result<String, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string().replace('\n', " ");
        match order {
            // A citizen is in the register, with a number.
            ["citizen", number] => {
                let citizen = Citizen::invented(number.parse().map_err(|error| said(&error))?);
                let registrar = &self.world.officers.registrar;
                let declared = registrar.declares(&citizen.declaration()).map_err(|error| said(&error))?;
                let person = text(&declared, "person_id");
                let numbered = registrar.numbers(&person).map_err(|error| said(&error))?;
                Ok(format!("{} {person} {}", text(&numbered, "personal_number"), citizen.name))
            }
            ["slip", application] => self.of(application, "slip"),
            ["card", application] => {
                self.card = self.of(application, "card_id")?;
                Ok(self.card.clone())
            }
            ["intake", slot] => road::intake(&self.world, slot_of(slot)).map(one_line).map_err(|error| said(&error)),
            // The end of the program, and what it said: a station may refuse.
            ["personalize", slot] => {
                let reader = self.world.pcscd.reader(slot_of(slot));
                let ended = road::at_the_station(&self.world, "personalize", &reader, &[]).map_err(|e| said(&e))?;
                let all = [ended.stdout, ended.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
                Ok(format!("{} {}", ended.status.code().unwrap_or(-1), one_line(all.concat())))
            }
            ["fault", slot, plan] => done(self.world.plans_fault(slot_of(slot), plan)),
            ["insert", slot] => done(self.world.insert(slot_of(slot))),
            ["remove", slot] => done(self.world.remove(slot_of(slot))),
            // The chip in this reader is bent: it goes to the waste, and a new blank lies there.
            ["spoil", slot] => {
                let (station, serial) = (self.world.station(), self.serials[slot_of(slot)].clone());
                let station = station.to_string_lossy();
                let arguments = ["spoil", "--station", &station, "--serial", &serial, "--reason", "bent", "--yes"];
                let ended = self.world.agent(&arguments).map_err(|error| said(&error))?;
                road::succeeded("spoil", &ended).map_err(|error| said(&error))?;
                let state = road::stock_state(&self.world, &serial).map_err(|error| said(&error))?;
                let blank = self.world.lays_in_a_blank(slot_of(slot)).map_err(|error| said(&error))?;
                self.serials[slot_of(slot)] = blank;
                Ok(state)
            }
            // The citizen complains on paper; the counter enters it.
            ["complains", application] => {
                let entered = self.world.officers.capture.complains(application, "Ảnh chụp sau khi ốm.");
                entered.map(|of| text(&of, "stage")).map_err(|error| said(&error))
            }
            ["lost", card] => {
                let bundle = || self.world.service.anyone().trust_bundle().map_err(io::Error::other);
                let before = bundle().map_err(|error| said(&error))?;
                let reported = self.world.officers.counter.reports_loss(card).map_err(|error| said(&error))?;
                // It is made anew within a second or so.
                let newer =
                    until(Duration::from_mins(1), "the trust bundle lists the lost card", || Ok(bundle()? != before));
                newer.map(|()| text(&reported, "status")).map_err(|error| said(&error))
            }
            ["kiosk"] => self.kiosk().map_err(|error| said(&error)),
            _ => Err(format!("no such order: {order:?}")),
        }
    }

    fn of(&self, application: &str, member: &str) -> Result<String, String> {
        let read = self.world.officers.capture.application(application).map_err(|error| error.to_string())?;
        Ok(text(&read, member))
    }

    /// Starts a kiosk with the trust bundle of this moment, in place of the one before. Returns its address.
    fn kiosk(&mut self) -> io::Result<String> {
        self.kiosks.clear();
        let own = tempfile::tempdir_in(&self.world.dir)?.keep();
        let path = |name: &str| own.join(name).to_string_lossy().into_owned();
        let bundle = self.world.service.anyone().trust_bundle().map_err(io::Error::other)?;
        fs::write(path("bundle.cms"), bundle)?;
        let (bundle, anchor, state, address) = (
            path("bundle.cms"),
            self.world.csca().to_string_lossy().into_owned(),
            path("newest.json"),
            path("address"),
        );
        let all = ["kiosk", "--port", "0", "--bundle", &bundle, "--anchor", &anchor, "--state", &state];
        let mut command = self.world.card_agent(&all)?;
        command.args(["--address-file", &address]).env("CARD_AGENT__KIOSK__IDLE", "600");
        command.stdout(Stdio::null()).stderr(fs::File::create(path("log"))?);
        self.kiosks.push(Running(command.spawn()?));
        let mut said = String::new();
        until(Duration::from_mins(1), "the kiosk says its address", || {
            said = fs::read_to_string(&address).unwrap_or_default();
            Ok(said.ends_with('/'))
        })?;
        Ok(said)
    }
}

fn slot_of(word: &str) -> usize {
    word.parse().unwrap()
}

fn one_line(text: impl AsRef<str>) -> String {
    text.as_ref().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn done(result: io::Result<()>) -> Result<String, String> {
    result.map(|()| "done".to_owned()).map_err(|error| error.to_string())
}

#[test]
fn the_day_of_an_office_in_a_browser() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    // Where tests/setup.sh puts playwright-core and axe-core.
    let modules =
        PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache/citizen-card/pages/node_modules");
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !has_node || !Path::new("/usr/bin/chromium").exists() || !modules.join("playwright-core").exists() {
        println!("SKIPPED: the day of an office in a browser: node, chromium or {} is missing", modules.display());
        return;
    }
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options { readers: 3, ..Options::default() }).unwrap();
    let mut passwords = json!({});
    for name in ["capture", "approver", "counter"] {
        passwords[name] = fs::read_to_string(world.password_of(name)).unwrap().trim().into();
    }
    for (name, roles, office) in MORE {
        let own = format!("{name} has a long password");
        let (first, second) = (&world.officers.administrator, &world.officers.second_administrator);
        first.appoints(second, name, &own, roles, office).unwrap();
        passwords[name] = own.into();
    }
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pages/day");
    fs::create_dir_all(&out).unwrap();
    let photograph = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/portrait/drawn.jpg");
    let given = json!({"address": world.service.address, "passwords": passwords, "photograph": photograph, "out": out});
    let serials = world.serials.clone();
    let mut stage = Stage { world, kiosks: vec![], serials, card: String::new() };

    let mut node = Command::new("node");
    node.arg("day.mjs").env("MODULES", &modules).env("DAY", given.to_string()).current_dir(&pages);
    let mut running = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut asks, asked) = (running.stdin.take().unwrap(), BufReader::new(running.stdout.take().unwrap()));
    for line in asked.lines().map_while(Result::ok) {
        // What is meant for people.
        let Some(order) = line.strip_prefix("> ") else {
            println!("{line}");
            continue;
        };
        let answer = stage.obey(&order.split(' ').collect::<Vec<_>>());
        writeln!(asks, "{}", answer.unwrap_or_else(|error| format!("error {error}"))).unwrap();
    }
    assert!(running.wait().unwrap().success(), "tests/pages/day.mjs says above what is wrong");

    // Each reader has a card, whatever happened there, and the person who came for another one's is on record.
    let states: Vec<String> =
        stage.serials.iter().map(|serial| road::stock_state(&stage.world, serial).unwrap()).collect();
    assert_eq!(states, ["personalized"; 3]);
    let trail = stage.world.officers.auditor.audit_of("card", &stage.card).unwrap().to_string();
    assert!(trail.contains("card-hand-over-refused") && trail.contains("card-handed-over"), "{trail}");
}
