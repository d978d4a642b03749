//! `station.toml` and `kiosk.toml`: everything that can be set for a station and for a kiosk, in one documented file
//! each. The environment stands over the file, and flags over both.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crypto::inspection::Check;
use crypto::pki::pem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::UtcOffset;
use toml::{Table, Value};

use crate::address::ServiceAddress;

/// A configuration that one file holds.
pub trait Configuration: DeserializeOwned + Serialize {
    /// Its section in names of the environment: `CARD_AGENT__STATION__LIMIT`.
    const SECTION: &str;

    /// The documented file: every key with its meaning and its default.
    const DOCUMENTED: &str;

    /// Returns the paths in it, which are relative to the folder of the file.
    fn paths(&mut self) -> Vec<&mut Option<PathBuf>>;
}

/// What `station.toml` can say. A key that it leaves out has its default; an unknown one is refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Name of the station, as it will be registered.
    pub name: String,
    /// `https://host:port` of the issuance service.
    pub service: ServiceAddress,
    /// File with the private key; none: `key.pem` in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Reader; none: the only one that is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The most seconds for the work with a chip.
    #[serde(default = "Station::limit")]
    pub limit: NonZeroU64,
    /// Where APDUs are logged; none: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

impl Station {
    /// Returns the settings of a station that was not set up any further.
    pub fn new(name: String, service: ServiceAddress) -> Self {
        Self { name, service, key_file: None, reader: None, limit: Self::limit(), log: None }
    }

    fn limit() -> NonZeroU64 {
        const { NonZeroU64::new(600).unwrap() }
    }
}

impl Configuration for Station {
    const SECTION: &str = "STATION";
    const DOCUMENTED: &str = include_str!("../station.toml");

    fn paths(&mut self) -> Vec<&mut Option<PathBuf>> {
        vec![&mut self.key_file, &mut self.log]
    }
}

/// What `kiosk.toml` can say. A key that it leaves out has its default; an unknown one is refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kiosk {
    /// National CSCA certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<PathBuf>,
    /// Signed trust bundle; none: a fresh one from `online`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
    /// Service that is asked whether a card counts; none: no service is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<ServiceAddress>,
    /// TLS authority of that service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_ca: Option<PathBuf>,
    /// File that remembers the newest bundle of each anchor; none: below the account's state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// Reader; none: the only one that is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// Civil time of the State that issues the cards.
    #[serde(with = "offset")]
    pub utc_offset: UtcOffset,
    /// The most seconds for an inspection.
    pub limit: NonZeroU64,
    /// Checks whose proof is demanded too.
    #[serde(with = "checks")]
    pub require: Vec<Check>,
    /// Checks whose proof is done without.
    #[serde(with = "checks")]
    pub tolerate: Vec<Check>,
    /// Whether a card that only BAC opened is not accepted.
    pub require_pace: bool,
    /// Where APDUs are logged; none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// Port of loopback on which the page is; 0 for any that is free.
    pub port: u16,
    /// Privacy mode: the page says only whether the card is valid and its holder has completed so many years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<u8>,
    /// Seconds for which a verdict stays on the page without anyone touching it.
    pub idle: NonZeroU64,
    /// Whether the page tells the person to keep a refused card.
    pub keep_cards: bool,
    /// The telephone or place that the page says to call about a refused card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duty: Option<String>,
    /// Folder for signed inspection reports; none: none are saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<PathBuf>,
    /// File into which the address of the page is written, for this account only; none: standard output alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_file: Option<PathBuf>,
}

impl Default for Kiosk {
    fn default() -> Self {
        Self {
            anchor: None,
            bundle: None,
            online: None,
            service_ca: None,
            state: None,
            reader: None,
            utc_offset: crypto::identity::civil_time::VIET_NAM,
            limit: const { NonZeroU64::new(120).unwrap() },
            require: Vec::new(),
            tolerate: Vec::new(),
            require_pace: false,
            log: None,
            port: 8377,
            over: None,
            idle: const { NonZeroU64::new(60).unwrap() },
            keep_cards: false,
            duty: None,
            reports: None,
            address_file: None,
        }
    }
}

impl Configuration for Kiosk {
    const SECTION: &str = "KIOSK";
    const DOCUMENTED: &str = include_str!("../kiosk.toml");

    fn paths(&mut self) -> Vec<&mut Option<PathBuf>> {
        vec![
            &mut self.anchor,
            &mut self.bundle,
            &mut self.service_ca,
            &mut self.state,
            &mut self.log,
            &mut self.reports,
            &mut self.address_file,
        ]
    }
}

/// Variables of the environment with this prefix set one key of one program.
const PREFIX: &str = "CARD_AGENT__";

/// Reads a file, and what `environment` (pairs of name and value) says over it.
///
/// # Errors
/// [`ConfigError`], which names file, line and key, or the variable.
pub fn read<C: Configuration>(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let bytes = fs::read(file).map_err(|error| ConfigError::File(file.to_owned(), error))?;
    let mut configuration: C = parse(&pem::text(&bytes), &file.display().to_string())?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    for path in configuration.paths().into_iter().flatten() {
        *path = folder.join(&*path);
    }
    overlaid(configuration, environment)
}

/// Reads the text of a file that errors call `name`.
///
/// # Errors
/// [`ConfigError::Malformed`].
pub fn parse<C: Configuration>(text: &str, name: &str) -> Result<C, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        ConfigError::Malformed { file: name.to_owned(), line, problem: explained(error.message()) }
    })
}

/// Returns the configuration with what the environment says over it.
///
/// # Errors
/// [`ConfigError::Variable`].
pub fn overlaid<C: Configuration>(
    mut configuration: C,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let mut variables: Vec<_> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, value) in variables {
        let refused = |problem: String| ConfigError::Variable(name.clone(), problem);
        let key = match name[PREFIX.len()..].split_once("__") {
            Some((section, key)) if section == C::SECTION => key.to_ascii_lowercase(),
            Some((Station::SECTION | Kiosk::SECTION, _)) => continue,
            _ => return Err(refused("it names neither CARD_AGENT__STATION__… nor CARD_AGENT__KIOSK__…".to_owned())),
        };
        let mut table = Table::try_from(&configuration).map_err(|e| refused(e.to_string()))?;
        let mut with = |value: Value| {
            table.insert(key.clone(), value);
            table.clone().try_into::<C>()
        };
        // A reader may be called `1`: what does not fit as a number is a text.
        let text = Value::String(value.clone());
        configuration = match written(&value) {
            Some(value) => with(value).or_else(|error| with(text).map_err(|_| error)),
            None => with(text),
        }
        .map_err(|error| refused(explained(error.message())))?;
    }
    Ok(configuration)
}

/// Returns the configuration as TOML.
///
/// # Errors
/// [`ConfigError::Unwritable`].
pub fn dump<C: Configuration>(configuration: &C) -> Result<String, ConfigError> {
    toml::to_string(configuration).map_err(|error| ConfigError::Unwritable(error.to_string()))
}

/// Why a configuration cannot be used. Each names the culprit.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {}", .0.display(), match .1.kind() { ErrorKind::NotFound => "there is no such file".to_owned(), _ => .1.to_string() })]
    File(PathBuf, #[source] std::io::Error),
    /// The file is no TOML, or a key or value is unknown.
    #[error("{file}, line {line}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong, and what would fit.
        problem: String,
    },
    /// A value cannot be written.
    #[error("the configuration cannot be written: {0}")]
    Unwritable(String),
    /// A variable of the environment names no key, or its value does not fit.
    #[error("environment variable {0}: {1}")]
    Variable(String, String),
}

/// Returns a value that TOML can write so.
fn written(text: &str) -> Option<Value> {
    toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"))
}

/// Returns what the parser says, with the nearest right name where a key is unknown.
fn explained(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = message.starts_with("unknown field").then(|| quoted.next()).flatten() else {
        return message.to_owned();
    };
    let known: Vec<_> = quoted.collect();
    let likeness = |name: &str| strsim::jaro_winkler(&unknown.to_ascii_lowercase(), name);
    match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) if likeness(nearest) > 0.6 => format!("there is no key `{unknown}`; did you mean `{nearest}`?"),
        _ => format!("there is no key `{unknown}`; there are {}", known.join(", ")),
    }
}

/// An offset as `+07:00`.
mod offset {
    use crypto::identity::civil_time::utc_offset;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use time::UtcOffset;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field so")]
    pub(super) fn serialize<S: Serializer>(offset: &UtcOffset, serializer: S) -> Result<S::Ok, S::Error> {
        let (sign, minutes) = (if offset.is_negative() { '-' } else { '+' }, offset.whole_minutes().unsigned_abs());
        serializer.collect_str(&format_args!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcOffset, D::Error> {
        utc_offset(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Checks by their names.
mod checks {
    use crypto::inspection::Check;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(checks: &[Check], serializer: S) -> Result<S::Ok, S::Error> {
        checks.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Check>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the documented file with its commented keys opened.
    fn opened(documented: &str) -> String {
        let is_key = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let line = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => rest.to_owned(),
            _ => line.to_owned(),
        };
        documented.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn keys(text: &str) -> Vec<&str> {
        let mut keys: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        keys = keys.into_iter().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        keys.sort_unstable();
        keys
    }

    fn documents<C: Configuration>() {
        let opened = opened(C::DOCUMENTED);
        let whole: C = parse(&opened, "opened").unwrap();
        let dumped = dump(&whole).unwrap();
        assert_eq!(keys(&dumped), keys(&opened), "a key without its line, or a line without its key");
    }

    #[test]
    fn the_documented_files_say_every_key_with_its_default() {
        documents::<Station>();
        documents::<Kiosk>();
        let kiosk: Kiosk = parse(Kiosk::DOCUMENTED, "kiosk.toml").unwrap();
        assert_eq!(kiosk, Kiosk::default());
        let station: Station = parse(Station::DOCUMENTED, "station.toml").unwrap();
        assert_eq!(station, Station::new(station.name.clone(), station.service.clone()));
    }

    #[test]
    fn what_stations_of_before_have_in_their_folders_is_read() {
        let before = "name = \"Station 1\"\nservice = \"https://localhost:8443\"\n";
        let station: Station = parse(before, "station.toml").unwrap();
        assert_eq!((station.name.as_str(), station.limit.get()), ("Station 1", 600));
    }

    #[test]
    fn the_environment_stands_over_the_file_and_an_unknown_variable_is_named() {
        let over = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            overlaid(Kiosk::default(), pairs).map_err(|error| error.to_string())
        };
        let kiosk = over(&[
            ("CARD_AGENT__KIOSK__LIMIT", "60"),
            ("CARD_AGENT__KIOSK__REQUIRE", "[\"data-group-13\"]"),
            ("CARD_AGENT__KIOSK__UTC_OFFSET", "-03:30"),
            ("CARD_AGENT__KIOSK__READER", "1"),
            ("CARD_AGENT__STATION__LIMIT", "no number"),
            ("CARD_AGENT", "x"),
        ])
        .unwrap();
        assert_eq!((kiosk.limit.get(), kiosk.require.len(), kiosk.reader.as_deref()), (60, 1, Some("1")));
        assert!(dump(&kiosk).unwrap().contains("utc_offset = \"-03:30\""));
        for (name, value, words) in [
            ("CARD_AGENT__KIOSK__LIMITS", "60", "there is no key `limits`; did you mean `limit`?"),
            ("CARD_AGENT__KIOSKS__LIMIT", "60", "CARD_AGENT__KIOSK__…"),
            ("CARD_AGENT__KIOSK__LIMIT", "soon", "invalid type"),
            ("CARD_AGENT__KIOSK__LIMIT", "0", "nonzero"),
            ("CARD_AGENT__KIOSK__REQUIRE", "[\"face\"]", "there is no check `face`"),
        ] {
            let refused = over(&[(name, value)]).unwrap_err();
            assert!(refused.contains(name) && refused.contains(words), "{refused}");
        }
    }
}
