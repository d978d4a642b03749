//! `card-agent status`

use std::fmt::Write as _;
use std::path::Path;

use card_agent::client::Custody;
use card_agent::failure::{Code, Failure};
use card_agent::station::journal::{Entry, Journal, Kind, Stage};
use card_agent::station::{Folder, InUse};
use card_agent::{ambient, kiosk};
use crypto::identity::civil_time::to_the_minute;
use crypto::perso::protocol::version::{self, Apart};
use serde_json::{Value, json};

use super::at_station::ENDED;
use crate::arguments::Status;
use crate::screen::Screen;

/// A certificate that ends within so many days is warned of.
const SOON: i64 = 30;

/// Differences of the clocks beyond so many seconds are warned of.
const APART: i64 = 60;

pub fn perform(arguments: &Status, screen: &Screen) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    let settings = folder.settings()?;
    let certificate = folder.own_certificate()?;
    let service = folder.service()?;
    let days = (certificate.not_after() - ambient::now()).whole_days();
    let until = to_the_minute(certificate.not_after().to_offset(kiosk::now().offset()));
    let unfinished = unfinished(&folder)?;
    let mut text = String::new();
    let mut line = |name: &'static str, words: &str| {
        writeln!(text, "{:<13}{words}", screen.label(name)).expect("a String takes all");
    };
    line("station", &settings.name);
    line("service", settings.service.as_str());
    line("certificate", &format!("{} until {until}: {}", certificate.subject(), in_days(days, folder.path())));
    let glance = service.glance();
    match &glance {
        Ok(glance) => {
            let ready = if glance.ready { "ready" } else { "answers, but is not ready" };
            line("answer", &format!("{ready} (HTTP {}, {} ms)", glance.status, glance.milliseconds));
            line("clock", &clock(glance.clock_ahead));
            line("protocol", &protocol(&glance.protocol));
        }
        Err(error) => line("answer", &error.to_string()),
    }
    line("unfinished", &if unfinished.is_empty() { "nothing".to_owned() } else { unfinished.len().to_string() });
    for entry in &unfinished {
        line("", &format!("{}  {}  in reader `{}`: {}", entry.serial, word(entry.kind), entry.reader, next(entry)));
    }
    // Without a service that is ready there is no use in asking it more.
    let custody = glance.as_ref().is_ok_and(|glance| glance.ready).then(|| service.custody());
    match &custody {
        Some(Ok(custody)) => {
            let Custody { delivered, initialised, bound, items, next } = custody;
            line("custody", &format!("{delivered} blanks to take in, {initialised} in stock, {bound} being written"));
            for chip in items {
                line("", &format!("{}  {}", chip.serial, chip.state));
            }
            if next.is_some() {
                line("", "… and more");
            }
        }
        Some(Err(error)) => line("custody", &error.to_string()),
        None => line("custody", "not known"),
    }
    // Another program that works with the folder does it itself when it ends. What fails keeps nothing else back.
    let ended = match InUse::whole(folder.path()) {
        Ok(_alone) => folder.drop_ended(&service).unwrap_or_else(|failure| {
            line("authority", &failure.to_string());
            0
        }),
        Err(_) => 0,
    };
    if ended > 0 {
        line("authority", ENDED);
    }
    let value = json!({
        "custody": custody.and_then(Result::ok),
        "station": settings.name,
        "service": settings.service,
        "certificate": { "subject": certificate.subject().to_string(), "not_after": rfc3339(&certificate), "days": days },
        "ready": glance.as_ref().is_ok_and(|glance| glance.ready),
        "clock_ahead_seconds": glance.as_ref().ok().and_then(|glance| glance.clock_ahead),
        "protocol": {
            "station": version::SPOKEN,
            "service": glance.as_ref().ok().map(|glance| &glance.protocol),
            "agreed": glance.as_ref().ok().and_then(|glance| version::agreed(&glance.protocol).ok()),
        },
        "authorities_dropped": ended,
        "unfinished": unfinished.iter().map(json).collect::<Vec<_>>(),
    });
    let text = text.trim_end();
    match glance {
        Ok(glance) if glance.ready => screen.result(value, text),
        Ok(glance) => {
            let detail = format!("it says that it is not ready (HTTP {})", glance.status);
            let failure = Failure::new(Code::ServiceUnable, detail);
            screen.result_and(value, text, &failure)?;
            Err(failure)
        }
        Err(error) => {
            let failure = Failure::from(error);
            screen.result_and(value, text, &failure)?;
            Err(failure)
        }
    }
}

/// Returns the unfinished work. A station that has not worked yet has no journal, and a look makes none.
pub(super) fn unfinished(folder: &Folder) -> Result<Vec<Entry>, Failure> {
    match folder.path().join("journal.jsonl").exists() {
        true => Ok(Journal::open(folder.path())?.unfinished()),
        false => Ok(Vec::new()),
    }
}

fn in_days(days: i64, station: &Path) -> String {
    let renew = format!("card-agent enrol --renew --station {}", station.display());
    match days {
        ..0 => format!("it has ended; try `{renew}`, and enrol the station anew if that is refused"),
        0 => format!("it ends within a day: `{renew}` now"),
        1..SOON => format!("{days} days left: `{renew}`"),
        _ => format!("{days} days left"),
    }
}

fn clock(ahead: Option<i64>) -> String {
    match ahead {
        None => "the service does not tell its time".to_owned(),
        Some(seconds) if seconds.abs() <= APART => "agrees with the service's".to_owned(),
        Some(seconds) => {
            let way = if seconds > 0 { "ahead of" } else { "behind" };
            format!("{} s {way} the service's: set the one that is wrong", seconds.abs())
        }
    }
}

/// Returns which version is spoken, and which ones each side speaks.
fn protocol(theirs: &[u16]) -> String {
    let (ours, said) = (version::said(), version::shown(theirs));
    match version::agreed(theirs) {
        Ok(agreed) => format!("version {agreed} (this station speaks {ours}, the service {said})"),
        Err(Apart::TooNew) => {
            format!("none in common: this station speaks {ours}, the service {said}; update card-agent")
        }
        Err(Apart::TooOld) => {
            format!("none in common: this station speaks {ours}, the service {said}; update the service")
        }
    }
}

pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Intake => "intake",
        Kind::Personalize => "personalize",
    }
}

/// Returns what the next run does with an entry.
pub(super) fn next(entry: &Entry) -> &'static str {
    match entry.stage {
        Stage::AwaitOrder | Stage::AwaitReceipt => "insert the chip, the work goes on with a new order",
        Stage::AwaitReport { .. } => "the chip is done, its receipt is still to be reported: no card is needed",
        Stage::AwaitAccount { .. } => "given up, the service is still to be told: no card is needed",
    }
}

fn json(entry: &Entry) -> Value {
    let stage = match entry.stage {
        Stage::AwaitOrder => "await-order",
        Stage::AwaitReceipt => "await-receipt",
        Stage::AwaitReport { .. } => "await-report",
        Stage::AwaitAccount { .. } => "await-account",
    };
    json!({ "serial": entry.serial, "kind": word(entry.kind), "reader": entry.reader, "stage": stage })
}

fn rfc3339(certificate: &crypto::pki::Certificate) -> String {
    certificate.not_after().format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
