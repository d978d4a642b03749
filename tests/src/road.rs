//! The road in strides, for those who need a card and not the story: from a declaration to an active card in a virtual reader.

use std::io;
use std::process::Output;

use serde_json::Value;

use crate::citizen;
use crate::roles::Refusal;
use crate::world::{OFFICE, World};

/// A card that was issued, and what is printed on it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Identifier of the person.
    pub person: String,
    /// The twelve digits.
    pub number: String,
    /// Identifier of the application.
    pub application: String,
    /// The appointment slip.
    pub slip: String,
    /// Identifier of the card.
    pub card: String,
}

/// Where the road was blocked.
#[derive(Debug, thiserror::Error)]
pub enum Blocked {
    /// By `card-agent`.
    #[error("card-agent {act} ended with {code:?}: {said}")]
    Agent {
        /// Which command.
        act: String,
        /// Its exit code.
        code: Option<i32>,
        /// What it said.
        said: String,
    },
    /// By the system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// By the service.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Steps 1 to 4: an approved application for a citizen of this declaration. The card's identifier is still empty.
///
/// # Errors
/// [`Blocked`].
pub fn approved(world: &World, declaration: &Value) -> Result<Issued, Blocked> {
    let officers = &world.officers;
    let person = text(&officers.registrar.declares(declaration)?, "person_id");
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
pub fn issue(world: &World, slot: usize, declaration: &Value) -> Result<Issued, Blocked> {
    let mut issued = approved(world, declaration)?;
    intake(world, slot)?;
    personalize(world, slot)?;
    let application = world.officers.capture.get(&format!("/api/applications/{}", issued.application))?;
    issued.card = text(&application, "card_id");
    world.officers.counter.hands_over(&issued.card, &issued.slip)?;
    Ok(issued)
}

/// `card-agent intake` at the reader of this slot.
///
/// # Errors
/// [`Blocked`].
pub fn intake(world: &World, slot: usize) -> Result<String, Blocked> {
    let station = world.station();
    agent(world, &["intake", "--reader", &world.pcscd.reader(slot), "--station", &station.to_string_lossy()])
}

/// `card-agent personalize` at the reader of this slot.
///
/// # Errors
/// [`Blocked`].
pub fn personalize(world: &World, slot: usize) -> Result<String, Blocked> {
    let station = world.station();
    agent(world, &["personalize", "--reader", &world.pcscd.reader(slot), "--station", &station.to_string_lossy()])
}

/// `card-agent inspect --json` at the reader of this slot with the service's present trust bundle; more arguments as given.
///
/// # Errors
/// If it cannot be run at all; the verdict is in the output and the exit code.
pub fn inspect(world: &World, slot: usize, arguments: &[&str]) -> Result<Output, Blocked> {
    let bundle = world.dir.join("trust-bundle.cms");
    std::fs::write(&bundle, world.service.anyone().get_octets("/api/trust-bundle")?)?;
    let (bundle, anchor, reader) =
        (bundle.to_string_lossy().into_owned(), world.csca().to_string_lossy().into_owned(), world.pcscd.reader(slot));
    let mut all = vec!["inspect", "--reader", &reader, "--bundle", &bundle, "--anchor", &anchor, "--json"];
    all.extend_from_slice(arguments);
    Ok(world.agent(&all)?)
}

/// `card-agent` to its end, its standard output if it succeeded.
///
/// # Errors
/// [`Blocked::Agent`] with what it said otherwise.
pub fn agent(world: &World, arguments: &[&str]) -> Result<String, Blocked> {
    let said = world.agent(arguments)?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(Blocked::Agent {
        act: arguments[0].to_owned(),
        code: said.status.code(),
        said: String::from_utf8_lossy(&said.stderr).into_owned(),
    })
}

/// A text member of an answer; empty if absent.
pub fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}
