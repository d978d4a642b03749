//! The authority as `issuance.toml` may name it, held against what the folder was founded with.

use serde::{Deserialize, Serialize};

use super::ceremony::{AuthoritySettings, CeremonyError};

/// Who issues. Each key is optional: `init` founds with what is said here and in its flags; later commands refuse a
/// folder that was founded otherwise.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authority {
    /// The State in names and in the MRZ: `VN/VNM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Nationality of its citizens in words, as cards carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<String>,
    /// The authority, as certificates name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Names and addresses under which the service is reached. May change; `renew-server` takes
    /// them into the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// Base of the URLs in certificates (CRL distribution point).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The State's civil time, ahead of UTC: `+07:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
    /// Certificates with named curves instead of explicit parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_curves: Option<bool>,
}

impl Authority {
    /// Compares what is said here with what the folder was founded with.
    ///
    /// # Errors
    /// [`CeremonyError::Founded`], which names the key and both values; [`CeremonyError::Settings`].
    pub fn check(&self, founded: &AuthoritySettings) -> Result<(), CeremonyError> {
        let country = founded.country()?;
        let offset = founded.utc_offset()?;
        let (hours, minutes, _) = offset.as_hms();
        let sign = if offset.is_negative() { '-' } else { '+' };
        let offset = format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs());
        let stands = [
            ("country", &self.country, format!("{}/{}", country.in_names(), country.in_mrz())),
            ("nationality", &self.nationality, founded.nationality().to_owned()),
            ("organization", &self.organization, founded.organization().to_owned()),
            ("utc_offset", &self.utc_offset, offset),
        ];
        for (key, said, founded) in stands {
            if let Some(said) = said
                && *said != founded
            {
                return Err(CeremonyError::Founded { key, said: said.clone(), founded });
            }
        }
        Ok(())
    }
}
