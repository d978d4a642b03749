//! The road in strides, for tests that need a card and not the story: from a declaration to an active
//! card in a virtual reader.

use std::io;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::citizen::{self, Citizen};
use crate::roles::Refusal;
use crate::world::{OFFICE, Offices, World};

/// An issued card and its holder.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Identifier of the person.
    pub person: String,
    /// The personal number: twelve digits.
    pub number: String,
    /// Identifier of the application.
    pub application: String,
    /// The appointment slip.
    pub slip: String,
    /// Identifier of the card.
    pub card: String,
}

/// Why the road could not be walked to its end.
#[derive(Debug, thiserror::Error)]
pub enum Blocked {
    /// `card-agent` refused.
    #[error("card-agent {act} ended with {code:?}: {said}")]
    Agent {
        /// The subcommand.
        act: String,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
        /// Its standard error.
        said: String,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Steps 1 to 4: declares and numbers this citizen, and has an application captured and approved. The card's identifier
/// stays empty until the card exists.
///
/// # Errors
/// [`Blocked`].
pub fn approved(offices: &Offices, citizen: &Citizen) -> Result<Issued, Blocked> {
    let officers = &offices.officers;
    let person = text(&officers.registrar.declares(&citizen.declaration())?, "person_id");
    let number = text(&officers.registrar.numbers(&person)?, "personal_number");
    let application = text(&officers.capture.applies(&person, "first", None, OFFICE)?, "id");
    let captured = officers.capture.captures(&application, &citizen::photograph(), citizen::FEATURES)?;
    officers.approver.approves(&application)?;
    Ok(Issued { person, number, application, slip: text(&captured, "slip"), card: String::new() })
}

/// Steps 1 to 10: an active card in the reader of this slot, whose blank is initialised on the way.
///
/// # Errors
/// [`Blocked`].
pub fn issue(world: &World, slot: usize, citizen: &Citizen) -> Result<Issued, Blocked> {
    let mut issued = approved(world, citizen)?;
    intake(world, slot)?;
    personalize(world, slot, &[])?;
    issued.card = card_of(world, &issued)?;
    world.officers.counter.hands_over(&issued.card, &issued.slip)?;
    Ok(issued)
}

/// Returns the identifier of the card that was personalized for this application.
///
/// # Errors
/// The service's refusal.
pub fn card_of(offices: &Offices, issued: &Issued) -> Result<String, Refusal> {
    Ok(text(&offices.officers.capture.application(&issued.application)?, "card_id"))
}

/// Returns the state of a chip in the ledger of stock: `initialised`, `personalized`, …
///
/// # Errors
/// The service's refusal.
pub fn stock_state(offices: &Offices, serial: &str) -> Result<String, Refusal> {
    Ok(text(&offices.officers.stock.chip(serial)?, "state"))
}

/// `card-agent intake` at the reader of this slot. Returns its standard output.
///
/// # Errors
/// [`Blocked`].
pub fn intake(world: &World, slot: usize) -> Result<String, Blocked> {
    succeeded("intake", &at_the_station(world, "intake", &world.pcscd.reader(slot), &[])?)
}

/// `card-agent personalize` at the reader of this slot, with more arguments as given. Returns its standard output.
///
/// # Errors
/// [`Blocked`].
pub fn personalize(world: &World, slot: usize, arguments: &[&str]) -> Result<String, Blocked> {
    succeeded("personalize", &at_the_station(world, "personalize", &world.pcscd.reader(slot), arguments)?)
}

/// Runs a subcommand of `card-agent` that works at the station, at a reader of this name.
///
/// # Errors
/// If the program cannot be run.
pub fn at_the_station(world: &World, act: &str, reader: &str, arguments: &[&str]) -> io::Result<Output> {
    world.card_agent(&station_arguments(world, act, reader, arguments))?.output()
}

/// The arguments of [`at_the_station`], for tests that disturb the program while it runs.
pub fn station_arguments(world: &World, act: &str, reader: &str, arguments: &[&str]) -> Vec<String> {
    let station = world.station().to_string_lossy().into_owned();
    [act, "--reader", reader, "--station", &station].iter().chain(arguments).map(|&text| text.to_owned()).collect()
}

/// Where [`inspect`] keeps the service's trust bundle.
pub const BUNDLE: &str = "trust-bundle.cms";

/// `card-agent inspect --json` at the reader of this slot with the service's present trust bundle;
/// more arguments as given.
///
/// # Errors
/// If it cannot be run at all; the verdict is in the output and the exit code.
pub fn inspect(world: &World, slot: usize, arguments: &[&str]) -> Result<Output, Blocked> {
    let bundle = world.dir.join(BUNDLE);
    std::fs::write(&bundle, world.service.anyone().trust_bundle()?)?;
    let all: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
    Ok(inspect_trusting(world, slot, &bundle, &world.csca(), &all)?)
}

/// `card-agent inspect` with a trust bundle and an anchor from these files.
///
/// # Errors
/// If it cannot be run at all.
pub fn inspect_trusting(
    world: &World,
    slot: usize,
    bundle: &Path,
    anchor: &Path,
    arguments: &[&str],
) -> io::Result<Output> {
    let (bundle, anchor, reader) = (bundle.to_string_lossy(), anchor.to_string_lossy(), world.pcscd.reader(slot));
    let state = world.dir.join("newest-bundles.json").to_string_lossy().into_owned();
    let mut all = vec!["inspect", "--reader", &reader, "--bundle", &bundle, "--anchor", &anchor, "--state", &state];
    all.extend_from_slice(arguments);
    world.agent(&all)
}

/// Returns the standard output of a `card-agent` that succeeded.
///
/// # Errors
/// [`Blocked::Agent`] with its standard error if it failed.
pub fn succeeded(act: &str, ended: &Output) -> Result<String, Blocked> {
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    Err(Blocked::Agent { act: act.to_owned(), code: ended.status.code(), said })
}

/// Returns a text member of an answer; empty if absent.
pub fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}
