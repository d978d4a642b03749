//! `card-agent info`

use std::time::Instant;

use card_agent::failure::Failure;
use card_agent::session::Stop;
use card_agent::transport::Reader as _;
use crypto::perso;
use serde_json::json;

use crate::arguments::Info;
use crate::screen::Screen;

/// The most seconds that the five commands may take.
const LIMIT: u64 = 60;

pub fn perform(arguments: &Info, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let reader = arguments.at.find()?;
    let card = arguments.at.card(&reader, screen, stop)?;
    let atr = hex::encode(card.atr());
    let mut session = arguments.at.session(card, Instant::now(), LIMIT, screen, stop)?;
    session.phase().begins("present");
    session.reset()?;
    let chip = perso::present(&mut session)?;
    drop(session);
    let value = json!({
        "reader": reader,
        "atr": atr,
        "serial": chip.serial,
        "life_cycle": chip.life_cycle.to_string(),
        "sequence_counter": chip.sequence_counter,
        "key_version": chip.key_version,
        "max_command": chip.max_command,
        "max_response": chip.max_response,
    });
    let text = format!(
        "reader       {reader}\natr          {atr}\nserial       {}\nlife cycle   {}\ncounter      {}\nkey version  {}\n\
         longest      command {} bytes, response {} bytes\nAs the chip tells it: nothing of this is proved.",
        chip.serial, chip.life_cycle, chip.sequence_counter, chip.key_version, chip.max_command, chip.max_response
    );
    screen.result(value, &text)
}
