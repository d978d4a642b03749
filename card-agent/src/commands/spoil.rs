//! `card-agent spoil`

use card_agent::failure::{Code, Failure};
use card_agent::kiosk;
use card_agent::station::journal::Journal;
use card_agent::station::{Folder, Station};
use crypto::identity::CardSerial;
use serde_json::json;

use super::without_separators;
use crate::arguments::Spoil;
use crate::prompt;
use crate::screen::Screen;

pub fn perform(arguments: &Spoil, screen: &Screen) -> Result<(), Failure> {
    let typed = without_separators(&arguments.serial);
    let serial: CardSerial = typed.parse().map_err(|e| Failure::new(Code::InputUnusable, format!("--serial: {e}")))?;
    let folder = Folder::new(&arguments.station);
    let service = folder.service()?;
    let journal = Journal::open(folder.path())?;
    if !arguments.yes {
        // Looked up before it is asked: of a chip that is not here there is nothing to give up.
        let is_begun = journal.unfinished().iter().any(|entry| entry.serial == serial);
        if !is_begun && service.chip_in_custody(&serial)?.is_none() {
            let detail =
                format!("chip {serial} is not in this station's custody: nothing was asked and nothing changed");
            return Err(Failure::new(Code::ServiceRefusedChip, detail));
        }
        confirmed(&serial)?;
    }
    Station::new(&service, journal, kiosk::now).spoil(serial, "", &arguments.reason)?;
    screen.result(json!({ "serial": serial, "outcome": "spoiled" }), &format!("{serial}\tspoiled"))
}

/// Has the serial number typed once more, from the chip: it is the chip that is given up, not a line on the screen.
fn confirmed(serial: &CardSerial) -> Result<(), Failure> {
    let refused = |why: &str| Failure::new(Code::InputUnusable, format!("chip {serial} is not given up: {why}"));
    if !prompt::can_ask() {
        return Err(refused("that is not undone, so say --yes where no person can be asked"));
    }
    let question = "To give up this chip for good, type the serial number that stands on it:";
    let typed = prompt::ask(question).map_err(|e| refused(&e.to_string()))?;
    match without_separators(&typed).parse::<CardSerial>() {
        Ok(typed) if typed == *serial => Ok(()),
        _ => Err(refused("what was typed is not its serial number")),
    }
}
