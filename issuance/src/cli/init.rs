//! `issuance init`

use std::path::PathBuf;

use clap::Args;
use crypto::identity::civil_time::utc_offset;
use crypto::lds::Dg13;
use crypto::pki::{Country, CurveForm};
use time::UtcOffset;

use super::{Folder, Outcome, configuration, now, output, rng, transport_key};
use crate::ground::files;
use crate::keys::{InitOptions, VIETNAMESE};
use crate::server::{self, Settings};

/// Makes a service: keys, CSCA, document signer, trust-list signer, TLS authority, first administrator.
///
/// Leaves csca.der, ds.der, trust-list-signer.der, csca.crl and tls-ca.pem in the folder for clients, and the first
/// administrator's password in admin-password (mode 0600).
#[derive(Args)]
pub(super) struct Init {
    #[command(flatten)]
    folder: Folder,
    /// Name of the first administrator.
    #[arg(long, default_value = "admin")]
    admin: String,
    /// Name or address under which the service is reached. May be repeated [default: localhost, 127.0.0.1 and ::1].
    #[arg(long)]
    host: Vec<String>,
    /// Base of the URLs in certificates (CRL distribution point) [default: https://citizen-card.invalid].
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The State, in names and in the MRZ [default: VN/VNM].
    #[arg(long)]
    country: Option<Country>,
    /// Nationality of its citizens in words, as cards carry it [default for VN/VNM: Việt Nam; others must say it].
    #[arg(long, value_name = "WORDS")]
    nationality: Option<String>,
    /// The State's civil time, ahead of UTC: days of issue and ages are counted by it [default: +07:00].
    #[arg(long, value_name = "±HH:MM", value_parser = utc_offset)]
    utc_offset: Option<UtcOffset>,
    /// The authority, as certificates name it [default: Citizen Card development authority].
    #[arg(long)]
    organization: Option<String>,
    /// Certificates with named curves instead of explicit parameters, for verifiers that refuse the standard's form.
    #[arg(long)]
    named_curves: bool,
    /// NAME=FILE: a transport master key to take in (see transport-key). May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    transport_key: Vec<String>,
}

impl Init {
    pub(super) fn run(self) -> Outcome {
        let config = self.folder.config()?;
        let settings = config.settings()?;
        let (said, defaults) = (&config.authority, InitOptions::default());
        let country = match (self.country, &said.country) {
            (Some(country), _) => country,
            (None, Some(text)) => text.parse().map_err(|error| format!("authority.country: {error}"))?,
            (None, None) => defaults.country.clone(),
        };
        let nationality = match self.nationality.or_else(|| said.nationality.clone()) {
            Some(words) => words,
            None if country == defaults.country => VIETNAMESE.to_owned(),
            None => {
                return Err(
                    "--country names another State: say with --nationality (or authority.nationality) what its \
                            cards call its citizens"
                        .into(),
                );
            }
        };
        if nationality.trim().is_empty()
            || nationality.len() > Dg13::MAX_TEXT
            || nationality.chars().any(char::is_control)
        {
            return Err(format!("--nationality: 1 to {} bytes of one line", Dg13::MAX_TEXT).into());
        }
        let offset = match (self.utc_offset, &said.utc_offset) {
            (Some(offset), _) => offset,
            (None, Some(text)) => utc_offset(text).map_err(|error| format!("authority.utc_offset: {error}"))?,
            (None, None) => defaults.utc_offset,
        };
        let hosts = if self.host.is_empty() { said.hosts.clone().unwrap_or(defaults.hosts) } else { self.host };
        let named_curves = self.named_curves || said.named_curves == Some(true);
        let options = InitOptions {
            hosts,
            country,
            nationality,
            utc_offset: offset,
            organization: self.organization.or_else(|| said.organization.clone()).unwrap_or(defaults.organization),
            curve_form: if named_curves { CurveForm::Named } else { CurveForm::Explicit },
            public_url: self.public_url.or_else(|| said.public_url.clone()).unwrap_or(defaults.public_url),
            transport_keys: self
                .transport_key
                .iter()
                .map(|text| transport_key::read(text))
                .collect::<Result<_, _>>()?,
            csca_curve: defaults.csca_curve,
            signer_curve: defaults.signer_curve,
        };
        server::init(&settings, &options, &self.admin, now(), &mut rng())?;
        let remembered = remember(&self.folder, &settings)?;
        let (data, admin) = (settings.data.display(), self.admin);
        output::line(format_args!("Founded in {data}."))?;
        output::line(format_args!(
            "Administrator `{admin}`, password in {data}/admin-password (delete it once you know it)."
        ))?;
        output::line(format_args!("For clients: {data}/tls-ca.pem, {data}/csca.der, {data}/ds.der."))?;
        if let Some(file) = remembered {
            output::line(format_args!("Later commands read {}.", file.display()))?;
        }
        match &self.folder.config {
            Some(file) => output::line(format_args!("Next: issuance serve --config {}", file.display()))?,
            None => output::line(format_args!("Next: issuance serve --data {data}"))?,
        }
        Ok(())
    }
}

/// Keeps what later commands must know besides the keys in `issuance.toml` of the folder, unless a configuration was
/// named: where the key-encryption key lies. Returns the file.
fn remember(folder: &Folder, settings: &Settings) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
    if folder.file().is_some() {
        return Ok(None);
    }
    let mut text = "# Read by every command with --data DIR. `issuance config example` shows every key.\n".to_owned();
    if let Some(key_file) = &settings.key_file {
        let key_file = toml::Value::String(std::path::absolute(key_file)?.to_string_lossy().into_owned());
        text += "key_file = ";
        text += &key_file.to_string();
        text.push('\n');
    }
    let file = settings.data.join(configuration::IN_DATA);
    files::replace(&file, &file.with_extension("new"), text.as_bytes(), files::PRIVATE)?;
    Ok(Some(file))
}
