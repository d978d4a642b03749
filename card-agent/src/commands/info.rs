//! `card-agent info`

use std::fmt::{Display, Write as _};
use std::time::Instant;

use card_agent::client::{ChipInCustody, ServiceError};
use card_agent::failure::Failure;
use card_agent::session::Stop;
use card_agent::station::Folder;
use card_agent::transport::Reader as _;
use crypto::identity::CardSerial;
use crypto::perso;
use serde_json::json;

use super::status;
use crate::arguments::Info;
use crate::screen::Screen;

/// The most seconds that the five commands may take.
const LIMIT: u64 = 60;

pub fn perform(arguments: &Info, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let folder = arguments.station.as_deref().map(Folder::new);
    let settings = folder.as_ref().map(Folder::settings).transpose()?;
    let at = match &settings {
        Some(settings) => arguments.at.or(settings.reader.as_ref(), settings.log.as_ref()),
        None => arguments.at.clone(),
    };
    let limit = settings.as_ref().map_or(LIMIT, |settings| settings.limit.get().min(LIMIT));
    let reader = at.find()?;
    let card = at.card(&reader, screen, stop)?;
    let atr = hex::encode(card.atr());
    let mut session = at.session(card, Instant::now(), limit, screen, stop)?;
    session.phase().begins("present");
    session.reset()?;
    let chip = perso::present(&mut session)?;
    drop(session);
    let ledger = folder.as_ref().map(|folder| ledger(folder, &chip.serial)).transpose()?;
    let mut value = json!({
        "reader": reader,
        "atr": atr,
        "serial": chip.serial,
        "life_cycle": chip.life_cycle.to_string(),
        "sequence_counter": chip.sequence_counter,
        "key_version": chip.key_version,
        "max_command": chip.max_command,
        "max_response": chip.max_response,
    });
    let mut text = String::new();
    let mut line = |name: &'static str, words: &dyn Display| {
        writeln!(text, "{:<13}{words}", screen.label(name)).expect("a String takes all");
    };
    line("reader", &reader);
    line("atr", &atr);
    line("serial", &chip.serial);
    line("life cycle", &chip.life_cycle);
    line("counter", &chip.sequence_counter);
    line("key version", &chip.key_version);
    let longest = format!("command {} bytes, response {} bytes", chip.max_command, chip.max_response);
    line("longest", &longest);
    text.push_str("As the chip tells it: nothing of this is proved.");
    let Some(Ledger { service, journal }) = ledger else { return screen.result(value, &text) };
    let told = match &service {
        Ok(Some(chip)) => chip.state.clone(),
        Ok(None) => "not in this station's custody".to_owned(),
        Err(error) => format!("not known: {error}"),
    };
    let (state, error) = match &service {
        Ok(chip) => (chip.as_ref().map(|chip| chip.state.clone()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    value["ledger"] = json!({ "asked": error.is_none(), "state": state, "error": error });
    value["journal"] = json!(journal);
    let journal = journal.as_deref().unwrap_or("nothing unfinished");
    screen.result(
        value,
        &format!("{text}\n{:<13}{told}\n{:<13}{journal}", screen.label("ledger"), screen.label("journal")),
    )
}

/// What the service and the station know of a chip.
struct Ledger {
    service: Result<Option<ChipInCustody>, ServiceError>,
    /// Its unfinished work.
    journal: Option<String>,
}

fn ledger(folder: &Folder, serial: &CardSerial) -> Result<Ledger, Failure> {
    let service = folder.service()?.chip_in_custody(serial);
    let unfinished = status::unfinished(folder)?;
    let entry = unfinished.iter().find(|entry| entry.serial == *serial);
    let journal = entry.map(|entry| format!("{}: {}", status::word(entry.kind), status::next(entry)));
    Ok(Ledger { service, journal })
}
