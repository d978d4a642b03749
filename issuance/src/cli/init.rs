//! `issuance init`

use clap::Args;
use crypto::identity::civil_time::utc_offset;
use crypto::lds::Dg13;
use crypto::pki::{Country, CurveForm};
use time::UtcOffset;

use super::{Folder, Outcome, now, output, rng, transport_key};
use crate::keys::{InitOptions, VIETNAMESE};
use crate::server;

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
    /// Name or address under which the service is reached. May be repeated.
    #[arg(long, default_values = ["localhost", "127.0.0.1", "::1"])]
    host: Vec<String>,
    /// Base of the URLs in certificates (CRL distribution point).
    #[arg(long, default_value = "https://citizen-card.invalid")]
    public_url: String,
    /// The State, in names and in the MRZ.
    #[arg(long, default_value = "VN/VNM")]
    country: Country,
    /// Nationality of its citizens in words, as cards carry it [default for VN/VNM: Việt Nam; others must say it].
    #[arg(long, value_name = "WORDS")]
    nationality: Option<String>,
    /// The State's civil time, ahead of UTC: days of issue and ages are counted by it.
    #[arg(long, value_name = "±HH:MM", default_value = "+07:00", value_parser = utc_offset)]
    utc_offset: UtcOffset,
    /// The authority, as certificates name it.
    #[arg(long, default_value = "Citizen Card development authority")]
    organization: String,
    /// Certificates with named curves instead of explicit parameters, for verifiers that refuse the standard's form.
    #[arg(long)]
    named_curves: bool,
    /// NAME=FILE: a transport master key to take in (see transport-key). May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    transport_key: Vec<String>,
}

impl Init {
    pub(super) fn run(self) -> Outcome {
        let settings = self.folder.settings();
        let nationality = match self.nationality {
            Some(words) => words,
            None if self.country == InitOptions::default().country => VIETNAMESE.to_owned(),
            None => {
                return Err(
                    "--country names another State: say with --nationality what its cards call its citizens".into()
                );
            }
        };
        if nationality.trim().is_empty()
            || nationality.len() > Dg13::MAX_TEXT
            || nationality.chars().any(char::is_control)
        {
            return Err(format!("--nationality: 1 to {} bytes of one line", Dg13::MAX_TEXT).into());
        }
        let options = InitOptions {
            hosts: self.host,
            country: self.country,
            nationality,
            utc_offset: self.utc_offset,
            organization: self.organization,
            curve_form: if self.named_curves { CurveForm::Named } else { CurveForm::Explicit },
            public_url: self.public_url,
            transport_keys: self
                .transport_key
                .iter()
                .map(|text| transport_key::read(text))
                .collect::<Result<_, _>>()?,
            ..InitOptions::default()
        };
        server::init(&settings, &options, &self.admin, now(), &mut rng())?;
        let (data, admin) = (settings.data.display(), self.admin);
        output::line(format_args!("Founded in {data}."))?;
        output::line(format_args!(
            "Administrator `{admin}`, password in {data}/admin-password (delete it once you know it)."
        ))?;
        output::line(format_args!("For clients: {data}/tls-ca.pem, {data}/csca.der, {data}/ds.der."))?;
        output::line(format_args!("Next: issuance serve --data {data}"))?;
        Ok(())
    }
}
