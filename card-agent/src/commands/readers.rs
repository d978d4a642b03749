//! `card-agent readers`

use std::thread;

use card_agent::failure::Failure;
use card_agent::session::Stop;
use card_agent::transport::pcsc::{self, Patience, ReaderState};
use serde_json::{Value, json};

use crate::arguments::Readers;
use crate::screen::Screen;

pub fn perform(arguments: &Readers, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let mut seen = pcsc::readers(Patience::default())?;
    let all: Vec<Value> = seen.iter().map(json).collect();
    if seen.is_empty() {
        screen.note("no reader is connected");
    }
    let text: Vec<String> = seen.iter().map(|state| format!("{}\t{}", state.name, content(state))).collect();
    if screen.is_json() || !seen.is_empty() {
        screen.result(json!({ "readers": all }), &text.join("\n"))?;
    }
    while arguments.watch && !stop.requested() {
        thread::sleep(pcsc::LOOK);
        let now = pcsc::readers(Patience::default())?;
        for state in now.iter().filter(|state| !seen.contains(state)) {
            screen.result(json(state), &format!("{}\t{}", state.name, content(state)))?;
        }
        for state in seen.iter().filter(|state| now.iter().all(|other| other.name != state.name)) {
            screen.result(json!({ "reader": state.name, "gone": true }), &format!("{}\tgone", state.name))?;
        }
        seen = now;
    }
    Ok(())
}

fn content(state: &ReaderState) -> String {
    if state.card_present { format!("card {}", hex::encode(&state.atr)) } else { "empty".to_owned() }
}

fn json(state: &ReaderState) -> Value {
    json!({ "reader": state.name, "card": state.card_present, "atr": hex::encode(&state.atr) })
}
