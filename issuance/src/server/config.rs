//! `issuance.toml`: everything that can be set, in one file; the environment stands over it, and flags over both.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use super::backup::age::Recipient;
use super::{Collector, Limits, Network, Settings};
use crate::cards::CardProfile;
use crate::keys::Authority;
use crate::offices::holidays::Holidays;
use crate::{
    access, applications, bookings, cards, citizens, exchange, keys, notices, numbering, population, production,
    retention, trust, web,
};

/// Everything that `issuance.toml` can say. A key that it leaves out has its default; an unknown one is refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder with keys, certificates and (without `database`) the SQLite file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// File with the key-encryption key; none: `kek` in `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// `postgres://USER@HOST/NAME`; none: SQLite in `data`. In the file it carries no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// File with the password of `database`, one line: `/run/credentials/…`, or `/dev/fd/3` for a descriptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_password_file: Option<PathBuf>,
    /// The other servers of PostgreSQL, each as `database` is: standbys, one of which may be promoted.
    pub database_standbys: Vec<String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics for Prometheus are answered (`GET /metrics`, plain HTTP); none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// Proxies whose word about the caller's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// What the log says, and how.
    pub log: Log,
    /// What `init` founds; later commands refuse a folder that was founded otherwise.
    pub authority: Authority,
    /// Limits of connections.
    pub limits: Limits,
    /// Limits of requests.
    pub web: web::Settings,
    /// The pages, below `/pages`.
    pub pages: web::PagesSettings,
    /// Sessions, passwords and lock-outs of officers.
    pub access: access::Settings,
    /// Signing keys.
    pub keys: keys::Settings,
    /// The register.
    pub population: population::Settings,
    /// Numbers for life.
    pub numbering: numbering::Settings,
    /// Production.
    pub production: production::Settings,
    /// Holidays by year; a year that is left out is the built-in one.
    pub calendar: Holidays,
    /// The counter: fees, how it is decided, until when.
    pub applications: applications::Settings,
    /// Notices to citizens: attempts, mail server, gateway.
    pub notices: notices::Settings,
    /// Places and times for the capture.
    pub bookings: bookings::Settings,
    /// What cards of this series can do.
    pub card: CardProfile,
    /// The registry of cards.
    pub cards: cards::Settings,
    /// The trust bundle.
    pub trust: trust::Settings,
    /// What other authorities ask.
    pub exchange: exchange::Settings,
    /// Citizens who log in with the card.
    pub citizens: citizens::Settings,
    /// What is kept no longer.
    pub retention: retention::Settings,
    /// Where backups and the archive go, and who can open them.
    pub backup: Backup,
}

/// Collects the keys whose values differ, with dots between their parts.
fn differing(key: &str, one: Option<&toml::Value>, other: Option<&toml::Value>, keys: &mut Vec<String>) {
    if one == other {
        return;
    }
    let table = |value: Option<&toml::Value>| value.and_then(toml::Value::as_table).cloned();
    match (table(one), table(other)) {
        (None, None) => keys.push(key.to_owned()),
        (one, other) => {
            let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let within = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                differing(&within, one.get(name), other.get(name), keys);
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let defaults = Settings::new("");
        Self {
            data: None,
            key_file: None,
            database: None,
            database_password_file: None,
            database_standbys: Vec::new(),
            listen: defaults.listen,
            metrics_listen: None,
            trusted_proxies: defaults.trusted_proxies,
            log: Log::default(),
            authority: Authority::default(),
            limits: defaults.limits,
            web: defaults.web,
            pages: defaults.pages,
            access: defaults.access,
            keys: defaults.keys,
            population: defaults.population,
            numbering: defaults.numbering,
            production: defaults.production,
            calendar: defaults.calendar,
            applications: defaults.applications,
            notices: defaults.notices,
            bookings: defaults.bookings,
            card: defaults.card,
            cards: defaults.cards,
            trust: defaults.trust,
            exchange: defaults.exchange,
            citizens: defaults.citizens,
            retention: defaults.retention,
            backup: Backup::default(),
        }
    }
}

/// Where backups and the archive go, and who can open them; flags of the commands stand over it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// The folder in which each backup becomes a folder that is called by its moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The folder of the archive of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<PathBuf>,
    /// Who can open the data.
    pub recipients: Vec<Recipient>,
    /// Who can open the keys.
    pub keys_recipients: Vec<Recipient>,
}

/// What the log says, and how.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is written: `info`, or by module as in `RUST_LOG`.
    pub filter: String,
    /// Lines as JSON.
    pub json: bool,
    /// `http://HOST:PORT` of a collector of OpenTelemetry that gets a span for each request; none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: DEFAULT_FILTER.to_owned(), json: false, traces: None }
    }
}

/// What the log says where nothing else is set. PostgreSQL's notices are about tables that are there already.
const DEFAULT_FILTER: &str = "info,sqlx::postgres::notice=warn";

/// The documented file: every key with its meaning and its default.
pub const DOCUMENTED: &str = include_str!("../../issuance.toml");

/// Name of the file that is read where no other is named, in the folder of the service.
pub const IN_DATA: &str = "issuance.toml";

/// Variables of the environment with this prefix set one key: `ISSUANCE__ACCESS__LOCKOUT_AFTER=3`.
pub const PREFIX: &str = "ISSUANCE__";

impl Config {
    /// Reads a file, and what `environment` (pairs of name and value) says over it.
    ///
    /// Paths in the file are relative to the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`], which names file, line and key.
    pub fn read(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|error| ConfigError::File(file.to_owned(), error))?;
        let mut config = Self::parse(&text, &file.display().to_string())?;
        if config.database.iter().chain(&config.database_standbys).any(|url| has_password(url)) {
            return Err(ConfigError::Password(file.to_owned()));
        }
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let Self { data, key_file, database_password_file, backup, notices, .. } = &mut config;
        let smtp = &mut notices.smtp;
        let paths = [data, key_file, database_password_file, &mut backup.folder, &mut backup.archive];
        let of_notices = [&mut notices.sms_folder, &mut smtp.roots, &mut smtp.password_file];
        for path in paths.into_iter().chain(of_notices).flatten() {
            *path = folder.join(&*path);
        }
        config.overlaid(environment)
    }

    /// The defaults, and what `environment` says over them.
    ///
    /// # Errors
    /// [`ConfigError`], which names the variable.
    pub fn without_file(environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::default().overlaid(environment)
    }

    /// Reads the text of a file that errors call `name`.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`]
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::malformed(name, text, &error))
    }

    fn overlaid(self, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut variables: Vec<_> = environment
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), name.clone(), value)))
            .collect();
        variables.sort();
        let mut config = self;
        for (key, name, value) in variables {
            let mut table =
                Table::try_from(&config).map_err(|error| ConfigError::Variable(name.clone(), error.to_string()))?;
            put(&mut table, &key.split("__").collect::<Vec<_>>(), value_of(&value))
                .map_err(|()| ConfigError::Variable(name.clone(), "a section is called as a key is".to_owned()))?;
            config = table
                .try_into()
                .map_err(|error: toml::de::Error| ConfigError::Variable(name, explained(error.message())))?;
        }
        Ok(config)
    }

    /// Returns the whole configuration as TOML; a password in the address of the database is not shown.
    ///
    /// # Errors
    /// [`ConfigError::Unwritable`]
    pub fn dump(&self) -> Result<String, ConfigError> {
        let database = self.database.as_deref().map(without_password);
        let database_standbys = self.database_standbys.iter().map(|url| without_password(url)).collect();
        toml::to_string(&Self { database, database_standbys, ..self.clone() })
            .map_err(|error| ConfigError::Unwritable(error.to_string()))
    }

    /// Returns the keys that another configuration says otherwise and that a running service does not take
    /// anew: all but `log.filter`.
    #[must_use]
    pub fn kept_until_restart(&self, other: &Self) -> Vec<String> {
        let [one, other] = [self, other].map(|config| toml::Value::try_from(config).ok());
        let mut keys = Vec::new();
        differing("", one.as_ref(), other.as_ref(), &mut keys);
        keys.retain(|key| key != "log.filter");
        keys
    }

    /// Returns the settings of the service in the folder `data`; reads the password of the database.
    ///
    /// # Errors
    /// [`ConfigError`]: values that cannot be together, a password file that cannot be read.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.check()?;
        let data = self.data.clone().ok_or(ConfigError::NoFolder)?;
        Ok(Settings {
            key_file: self.key_file.clone(),
            database: self.with_password(self.database.as_deref())?,
            database_standbys: self.standbys()?,
            listen: self.listen,
            metrics_listen: self.metrics_listen,
            traces: self.log.traces.as_deref().and_then(Collector::of),
            limits: self.limits.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            authority: self.authority.clone(),
            web: self.web.clone(),
            pages: self.pages,
            access: self.access.clone(),
            keys: self.keys.clone(),
            population: self.population.clone(),
            numbering: self.numbering,
            production: self.production.clone(),
            calendar: self.calendar.clone(),
            applications: self.applications.clone(),
            notices: self.notices.clone(),
            bookings: self.bookings,
            card: self.card.clone(),
            cards: self.cards.clone(),
            trust: self.trust.clone(),
            exchange: self.exchange.clone(),
            citizens: self.citizens,
            retention: self.retention.clone(),
            archive: self.backup.archive.clone(),
            ..Settings::new(data)
        })
    }

    /// Looks whether the values can be together.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn check(&self) -> Result<(), ConfigError> {
        let must = |holds: bool, key: &'static str, rule: &'static str| {
            if holds { Ok(()) } else { Err(ConfigError::Value { key, rule }) }
        };
        let traces = self.log.traces.as_deref();
        must(traces.is_none_or(|text| Collector::of(text).is_some()), "log.traces", "must be http://HOST:PORT")?;
        let (limits, web, access) = (&self.limits, &self.web, &self.access);
        must(limits.connections > 0, "limits.connections", "must be at least 1")?;
        must(limits.strangers < limits.connections, "limits.strangers", "must be less than limits.connections")?;
        must(limits.strangers > 0, "limits.strangers", "must be at least 1: an officer who signs in is a stranger")?;
        must(limits.strangers_per_origin > 0, "limits.strangers_per_origin", "must be at least 1")?;
        must(limits.per_certificate > 0, "limits.per_certificate", "must be at least 1")?;
        must(limits.head_bytes >= 8192, "limits.head_bytes", "must be at least 8192")?;
        must(limits.streams > 0, "limits.streams", "must be at least 1")?;
        must(
            web.body_limit.max(web.upload_limit) <= web.known_bytes_per_origin,
            "web.known_bytes_per_origin",
            "must be at least web.body_limit and web.upload_limit",
        )?;
        must(
            web.known_bytes_per_origin <= web.known_bytes,
            "web.known_bytes",
            "must be at least web.known_bytes_per_origin",
        )?;
        must(
            web.stranger_body_limit <= web.stranger_bytes_per_origin,
            "web.stranger_bytes_per_origin",
            "must be at least web.stranger_body_limit",
        )?;
        must(
            web.stranger_bytes_per_origin <= web.stranger_bytes,
            "web.stranger_bytes",
            "must be at least web.stranger_bytes_per_origin",
        )?;
        must(
            (1..=2).contains(&access.factors),
            "access.factors",
            "must be 1 (password) or 2 (and a client certificate)",
        )?;
        must(access.lockout_after > 0, "access.lockout_after", "must be at least 1")?;
        must(access.session_lifetime.is_positive(), "access.session_lifetime", "must be longer than nothing")?;
        must(access.session_idle.is_positive(), "access.session_idle", "must be longer than nothing")?;
        must(access.token_lifetime.is_positive(), "access.token_lifetime", "must be longer than nothing")?;
        must(access.password_turns > 0, "access.password_turns", "must be at least 1")?;
        must(access.password_passes > 0, "access.password_passes", "must be at least 1")?;
        must(access.password_memory_kib >= 8, "access.password_memory_kib", "must be at least 8 (production: 19456)")?;
        let term = self.cards.loss_term;
        must((1..=90).contains(&term.whole_days()), "cards.loss_term", "must be 1 to 90 days")?;
        must(self.keys.signing_key_limit > 0, "keys.signing_key_limit", "must be at least 1")?;
        must(self.applications.fees.percent <= 100, "applications.fees.percent", "must be at most 100")?;
        let numbering = &self.numbering;
        must(
            (1..=numbering::leases::MOST).contains(&numbering.lease_numbers),
            "numbering.lease_numbers",
            "must be 1 to 10000",
        )?;
        must(
            numbering.office_numbers >= numbering.lease_numbers,
            "numbering.office_numbers",
            "must be at least numbering.lease_numbers",
        )?;
        let lease = self.production.lease_minutes;
        must((1..=240).contains(&lease), "production.lease_minutes", "must be 1 to 240")?;
        must((1..=30).contains(&self.production.box_days), "production.box_days", "must be 1 to 30")?;
        must(self.production.ahead_percent <= 100, "production.ahead_percent", "must be at most 100")?;
        let print_jobs = self.production.print_jobs.as_ref();
        must(
            print_jobs.is_none_or(|folder| folder.is_absolute()),
            "production.print_jobs",
            "must be a path from the root",
        )?;
        let signer = self.production.signer_name.as_deref();
        let fits = |name: &str| (1..=100).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control);
        must(signer.is_none_or(fits), "production.signer_name", "must be a name of 1 to 100 letters")?;
        must(
            self.production.specimen || signer.is_some(),
            "production.signer_name",
            "must be set where production.specimen is false: cards that count are signed with a name",
        )?;
        let deadlines = &self.applications.deadlines;
        let terms = [deadlines.local, deadlines.centre, deadlines.centre_received, deadlines.shipping, deadlines.fetch];
        let whole = [deadlines.citizen, deadlines.city, deadlines.city_reissue, deadlines.remote, deadlines.elsewhere];
        let all = terms.iter().chain(&whole).chain([&deadlines.appeal, &deadlines.keep]);
        let fit = all.into_iter().all(|days| (1..=250).contains(days));
        must(fit, "applications.deadlines", "must be 1 to 250 working days each")?;
        let twice = deadlines.city_offices.iter().find(|office| deadlines.remote_offices.contains(office));
        must(
            twice.is_none(),
            "applications.deadlines.remote_offices",
            "must name no office that city_offices names: one office has one term",
        )?;
        let archive = &self.applications.archive;
        let terms = (1..=250).contains(&archive.inside) && (1..=250).contains(&archive.outside);
        must(
            terms && archive.classification <= 250,
            "applications.archive",
            "must be 1 to 250 working days each, `classification` from 0 on",
        )?;
        let minutes = self.applications.claims.minutes;
        must((1..=480).contains(&minutes), "applications.claims.minutes", "must be 1 to 480")?;
        let reminders = &deadlines.reminders;
        let ascending = reminders.is_sorted_by(|one, next| one < next) && reminders.first() != Some(&0);
        must(ascending, "applications.deadlines.reminders", "must ascend from 1 day on")?;
        let bookings = &self.bookings;
        must((1..=366).contains(&bookings.horizon_days), "bookings.horizon_days", "must be 1 to 366")?;
        must(bookings.missed_told > 0, "bookings.missed_told", "must be at least 1")?;
        if let Some((key, rule)) = self.notices.fault() {
            return Err(ConfigError::Value { key, rule });
        }
        let exchange = &self.exchange;
        must(exchange.misses_of_officer > 0, "exchange.misses_of_officer", "must be at least 1")?;
        must(exchange.misses_about_person > 0, "exchange.misses_about_person", "must be at least 1")?;
        must(exchange::is_issuer(&exchange.issuer), "exchange.issuer", "must be https:// and a name, without a path")?;
        let life = exchange.token_life.whole_seconds();
        must((1..=3600).contains(&life), "exchange.token_life", "must be a second to an hour")?;
        must(exchange.small_cell >= 3, "exchange.small_cell", "must be at least 3")?;
        must((3..=1000).contains(&exchange.noise), "exchange.noise", "must be 3 to 1000")?;
        must(exchange.changes_kept.whole_days() > 0, "exchange.changes_kept", "must be at least a day")?;
        must(exchange.emergency_lasts.whole_minutes() > 0, "exchange.emergency_lasts", "must be at least a minute")?;
        must(exchange.emergencies_unreviewed > 0, "exchange.emergencies_unreviewed", "must be at least 1")?;
        let reviewed = exchange.emergency_reviewed_within.whole_hours() > 0;
        must(reviewed, "exchange.emergency_reviewed_within", "must be at least an hour")?;
        must(exchange.clocks_differ.whole_seconds() > 0, "exchange.clocks_differ", "must be more than nothing")?;
        let citizens = &self.citizens;
        let short = |span: time::Duration| (1..=3600).contains(&span.whole_seconds());
        must(short(citizens.log_in_within), "citizens.log_in_within", "must be 1s to 1h")?;
        must(short(citizens.answer_within), "citizens.answer_within", "must be 1s to 1h")?;
        must(short(citizens.session), "citizens.session", "must be 1s to 1h")?;
        let answered = citizens.objection_answered_within.whole_hours() > 0;
        must(answered, "citizens.objection_answered_within", "must be at least an hour")?;
        must(citizens.objections_open > 0, "citizens.objections_open", "must be at least 1")?;
        must(self.retention.batch > 0, "retention.batch", "must be at least 1")?;
        let (answers, retention) = (self.retention.answers.term, &self.retention);
        must(answers.whole_days() >= 1, "retention.answers.term", "must be at least 1day: repeats come late")?;
        let grounds = retention::Kind::ALL.map(|kind| &kind.rule(retention).ground);
        must(grounds.iter().all(|ground| !ground.trim().is_empty()), "retention", "must name a ground for each term")?;
        let backup = &self.backup;
        let both = backup.recipients.is_empty() == backup.keys_recipients.is_empty();
        must(
            both,
            "backup.keys_recipients",
            "must be named where backup.recipients is: both are encrypted, or neither",
        )?;
        let apart = !backup.recipients.iter().any(|one| backup.keys_recipients.contains(one));
        must(apart, "backup.keys_recipients", "must be others than backup.recipients: nobody opens both")?;
        must(self.trust.bundle_renewal.is_positive(), "trust.bundle_renewal", "must be longer than nothing")?;
        must(
            self.trust.bundle_renewal < self.trust.bundle_lifetime,
            "trust.bundle_lifetime",
            "must be longer than trust.bundle_renewal",
        )
    }

    fn standbys(&self) -> Result<Vec<String>, ConfigError> {
        if self.database.is_none() && !self.database_standbys.is_empty() {
            return Err(ConfigError::Value { key: "database_standbys", rule: "needs `database`" });
        }
        let urls = self.database_standbys.iter().map(|url| self.with_password(Some(url)));
        Ok(urls.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn with_password(&self, database: Option<&str>) -> Result<Option<String>, ConfigError> {
        let (Some(database), Some(file)) = (database, &self.database_password_file) else {
            return match &self.database_password_file {
                Some(_) => Err(ConfigError::Value { key: "database_password_file", rule: "needs `database`" }),
                None => Ok(database.map(str::to_owned)),
            };
        };
        if has_password(database) {
            return Err(ConfigError::Value {
                key: "database_password_file",
                rule: "must stand alone: the address of `database` carries a password too",
            });
        }
        let password = fs::read_to_string(file).map_err(|error| ConfigError::File(file.clone(), error))?;
        let malformed = ConfigError::Value { key: "database", rule: "must be postgres://USER@HOST/NAME" };
        let (scheme, rest) = database.split_once("://").ok_or(malformed)?;
        let (user, place) = rest
            .split_once('@')
            .ok_or(ConfigError::Value { key: "database", rule: "must name its user: postgres://USER@HOST/NAME" })?;
        Ok(Some(format!("{scheme}://{user}:{}@{place}", percent_encoded(password.trim_end_matches(['\r', '\n'])))))
    }
}

/// Sets a key, of any depth.
fn put(table: &mut Table, key: &[&str], value: Value) -> Result<(), ()> {
    match key {
        [] => Err(()),
        [last] => {
            table.insert((*last).to_owned(), value);
            Ok(())
        }
        [section, rest @ ..] => {
            let inner = table.entry((*section).to_owned()).or_insert_with(|| Value::Table(Table::new()));
            put(inner.as_table_mut().ok_or(())?, rest, value)
        }
    }
}

/// A value as TOML writes it; what is none is a text.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// True if the address of a database carries a password.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p.starts_with("password=")))
}

/// The address with `***` for its password.
fn without_password(url: &str) -> String {
    if !has_password(url) {
        return url.to_owned();
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, place) = address.rsplit_once('@').unwrap_or(("", address));
    let user = user.split(':').next().unwrap_or("");
    let query: Vec<_> = query.split('&').map(|p| if p.starts_with("password=") { "password=***" } else { p }).collect();
    let query = query.join("&");
    format!("{scheme}://{user}:***@{place}{}{query}", if query.is_empty() { "" } else { "?" })
}

/// The text as part of a URL.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What the parser says, with the nearest name where a key is unknown.
fn explained(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = message.starts_with("unknown field").then(|| quoted.next()).flatten() else {
        return message.to_owned();
    };
    let known: Vec<_> = quoted.collect();
    let nearest = known.iter().max_by(|a, b| likeness(unknown, a).total_cmp(&likeness(unknown, b)));
    match nearest {
        Some(nearest) if likeness(unknown, nearest) > 0.6 => {
            format!("there is no key `{unknown}`; did you mean `{nearest}`?")
        }
        _ => format!("there is no key `{unknown}`; there are {}", known.join(", ")),
    }
}

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_ascii_lowercase(), other)
}

/// Why a configuration cannot be used. Each names the culprit.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {}", .0.display(), reading(.1))]
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
    /// No folder is named.
    #[error(
        "no folder is named: say --data DIR, set ISSUANCE_DATA, or write `data` into issuance.toml and name it with --config"
    )]
    NoFolder,
    /// A password stands in the file.
    #[error(
        "{}: `database` carries a password; write it into a file of its own (mode 0600) and name that with `database_password_file`",
        .0.display()
    )]
    Password(PathBuf),
    /// A value cannot be written.
    #[error("the configuration cannot be written: {0}")]
    Unwritable(String),
    /// A value is out of range, or does not go with another one.
    #[error("{key} {rule}")]
    Value {
        /// The key, with its section.
        key: &'static str,
        /// What must hold.
        rule: &'static str,
    },
    /// A variable of the environment names no key, or its value does not fit.
    #[error("environment variable {0}: {1}")]
    Variable(String, String),
}

impl ConfigError {
    fn malformed(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Self::Malformed { file: file.to_owned(), line, problem: explained(error.message()) }
    }
}

fn reading(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::InvalidData => "the file is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
