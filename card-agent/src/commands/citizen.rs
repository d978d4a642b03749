//! `card-agent citizen`

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use card_agent::citizen::LoggedIn;
use card_agent::client::{Connection, HttpService};
use card_agent::failure::{Code, Failure};
use card_agent::session::Stop;
use card_agent::{ambient, papers};
use crypto::identity::Can;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{paper, without_separators};
use crate::arguments::{Citizen, OwnMatter};
use crate::prompt;
use crate::screen::Screen;

pub fn perform(arguments: &Citizen, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let needs_code = !matches!(arguments.what, OwnMatter::Status | OwnMatter::Lock);
    if arguments.what == OwnMatter::Lock && !arguments.yes {
        confirm()?;
    }
    let can: Can = {
        let typed = secret("CITIZEN_CARD_CAN", "Card access number, the six digits of the front (not shown):")?;
        let typed = Zeroizing::new(without_separators(&typed));
        typed.parse().map_err(|e| Failure::new(Code::InputUnusable, format!("the CAN: {e}")))?
    };
    let code = match needs_code {
        true => Some(secret("CITIZEN_CARD_CODE", "The code that you set at the counter (not shown):")?),
        false => None,
    };
    let authority = papers::to_pem(&paper(&arguments.service_ca, papers::certificates)?);
    let connection = Connection { service: arguments.service.clone(), authority, identity: None };
    let service = HttpService::new(&connection)?;
    let seconds = arguments.limit.unwrap_or(LIMIT);
    let reader = arguments.at.find()?;
    let card = arguments.at.card(&reader, screen, stop)?;
    let begun = Instant::now();
    service.work_within(begun, Duration::from_secs(seconds), stop);
    let mut session = arguments.at.session(card, begun, seconds, screen, stop)?;
    session.phase().begins("log-in");
    let mut logged_in = LoggedIn::begin(&service, &mut session, can, &mut ambient::rng())?;
    if let Some(code) = code {
        logged_in.act("code", &json!({ "code": code.trim() }))?;
    }
    let told = match arguments.what {
        OwnMatter::Status => {
            let card = logged_in.own("card")?;
            let looks = logged_in.own("looks/count")?;
            json!({ "card": card, "looks": looks })
        }
        OwnMatter::Lock => logged_in.act("card/lock", &json!({}))?,
        OwnMatter::Looks => logged_in.own("looks")?,
        OwnMatter::Record => logged_in.own("record")?,
        OwnMatter::Applications => logged_in.own("applications")?,
        OwnMatter::Objections => logged_in.own("objections")?,
        OwnMatter::Object => {
            let mut body = json!({ "words": arguments.words });
            if let Some(look) = &arguments.look {
                body["look"] = json!(look);
            }
            logged_in.act("objections", &body)?
        }
        OwnMatter::Copy => {
            let (copy, signature) = logged_in.copy()?;
            keep(arguments.out.as_deref(), &copy, &signature)?
        }
    };
    drop(logged_in);
    let text = lines(&told);
    screen.result(told, text.trim_end())
}

/// Writes the copy, and its signature beside it: files that only their owner reads, and that are not there yet.
fn keep(out: Option<&Path>, copy: &[u8], signature: &str) -> Result<Value, Failure> {
    let out = out.ok_or_else(|| Failure::new(Code::InputUnusable, "--out is missing"))?;
    let mut beside = out.as_os_str().to_owned();
    beside.push(".jws");
    let beside = PathBuf::from(beside);
    // The signature first: a copy that is there has one.
    for (file, bytes) in [(&*beside, signature.as_bytes()), (out, copy)] {
        let unusable = |e: io::Error| Failure::new(Code::InputUnusable, format!("{}: {e}", file.display()));
        let mut options = OpenOptions::new();
        let mut new = options.write(true).create_new(true).mode(0o600).open(file).map_err(unusable)?;
        new.write_all(bytes).and_then(|()| new.sync_all()).map_err(unusable)?;
    }
    Ok(json!({ "copy": out, "signature": beside }))
}

/// Asks once more before the card is locked.
fn confirm() -> Result<(), Failure> {
    let unusable = |e: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("the terminal: {e}"));
    if !prompt::can_ask() {
        return Err(unusable(&"nobody can be asked here: lock the card with --yes"));
    }
    let question = "Lock this card? No kiosk trusts it then, and two officers bring it back. Type LOCK:";
    let typed = prompt::ask(question).map_err(|e| unusable(&e))?;
    if typed.trim() == "LOCK" { Ok(()) } else { Err(unusable(&"the card was not locked")) }
}

/// Reads a secret from the environment, the terminal, or a line of standard input; never from the command line, which
/// `ps` shows.
fn secret(variable: &str, question: &str) -> Result<Zeroizing<String>, Failure> {
    let unusable = |e: io::Error| Failure::new(Code::InputUnusable, format!("{variable} or standard input: {e}"));
    if let Ok(given) = std::env::var(variable) {
        return Ok(Zeroizing::new(given));
    }
    if prompt::can_ask() {
        return prompt::ask_hidden(question).map_err(unusable);
    }
    let mut line = Zeroizing::new(String::new());
    match io::stdin().read_line(&mut line).map_err(unusable)? {
        0 => Err(unusable(io::Error::other("a line is missing"))),
        _ => Ok(line),
    }
}

/// Writes what was told for people: a line for each value, indented below what it belongs to.
fn lines(told: &Value) -> String {
    let mut text = String::new();
    write_lines(&mut text, told, 0);
    text
}

fn write_lines(text: &mut String, told: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let mut line = |name: &str, value: &Value| match value {
        Value::Null => {}
        Value::Array(_) | Value::Object(_) => {
            writeln!(text, "{indent}{name}").expect("a String takes all");
            write_lines(text, value, depth + 1);
        }
        Value::String(words) => writeln!(text, "{indent}{name:<20} {words}").expect("a String takes all"),
        other => writeln!(text, "{indent}{name:<20} {other}").expect("a String takes all"),
    };
    match told {
        Value::Object(members) => members.iter().for_each(|(name, value)| line(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| line(&format!("{}.", at + 1), value)),
        _ => {}
    }
}

/// The most seconds that all of it may take, if nothing is said.
const LIMIT: u64 = 120;
