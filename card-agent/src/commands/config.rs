//! `card-agent config`: the files that a station and a kiosk are configured with.

use std::path::Path;

use card_agent::config::{self, Configuration, Kiosk, Station};
use card_agent::failure::{Code, Failure};
use card_agent::station::Folder;
use card_agent::{ambient, papers};
use serde_json::json;

use super::{paper, read};
use crate::arguments::{Config, ConfigAct, Configured, Program};
use crate::screen::Screen;

pub fn perform(arguments: &Config, screen: &Screen) -> Result<(), Failure> {
    match &arguments.act {
        ConfigAct::Example { program } => {
            let text = match program {
                Program::Station => Station::DOCUMENTED,
                Program::Kiosk => Kiosk::DOCUMENTED,
            };
            screen.result(json!({ "example": text }), text.trim_end())
        }
        ConfigAct::Check(configured) => {
            let place = match configured.program {
                Program::Station => checked_station(configured)?,
                Program::Kiosk => checked_kiosk(configured)?,
            };
            screen.result(json!({ "good": true, "of": place }), &format!("Configuration ({place}) is good."))
        }
        ConfigAct::Dump(configured) => match configured.program {
            Program::Station => dumped(&folder(configured)?.settings()?, screen),
            Program::Kiosk => dumped(&kiosk(configured.config.as_deref())?, screen),
        },
    }
}

/// Returns the configuration of the kiosk: of this file or the defaults, and what the environment says over it.
///
/// # Errors
/// [`Code::InputUnusable`].
pub fn kiosk(file: Option<&Path>) -> Result<Kiosk, Failure> {
    let read = match file {
        Some(file) => config::read(file, ambient::environment()),
        None => config::overlaid(Kiosk::default(), ambient::environment()),
    };
    read.map_err(|e| Failure::new(Code::InputUnusable, e))
}

fn folder(configured: &Configured) -> Result<Folder, Failure> {
    let missing = || Failure::new(Code::InputUnusable, "name the folder of the station with --station");
    configured.station.as_deref().map(Folder::new).ok_or_else(missing)
}

/// Looks at everything that a station needs in its folder. Returns the folder.
fn checked_station(configured: &Configured) -> Result<String, Failure> {
    let folder = folder(configured)?;
    folder.settings()?;
    folder.service()?;
    folder.anchor()?;
    Ok(folder.path().display().to_string())
}

/// Looks at the files that the configuration of a kiosk names. Returns where it stands.
fn checked_kiosk(configured: &Configured) -> Result<String, Failure> {
    let kiosk = kiosk(configured.config.as_deref())?;
    if kiosk.online.is_some() && kiosk.service_ca.is_none() {
        return Err(Failure::new(Code::InputUnusable, "online needs `service_ca`, the TLS authority of that service"));
    }
    kiosk.anchor.as_deref().map(|path| paper(path, papers::certificate)).transpose()?;
    kiosk.service_ca.as_deref().map(|path| paper(path, papers::certificates)).transpose()?;
    kiosk.bundle.as_deref().map(read).transpose()?;
    Ok(configured.config.as_deref().map_or("the defaults".to_owned(), |path| path.display().to_string()))
}

fn dumped(configuration: &impl Configuration, screen: &Screen) -> Result<(), Failure> {
    let text = config::dump(configuration).map_err(|e| Failure::new(Code::InputUnusable, e))?;
    screen.result(serde_json::to_value(configuration).unwrap_or_default(), text.trim_end())
}
