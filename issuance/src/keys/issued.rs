//! The certificates that the CSCA issued, as they lie in the folder: what can be revoked.

use std::fmt;

use crypto::pki::{Certificate, SerialNumber};
use thiserror::Error;

use super::ceremony::CeremonyError;
use super::key_store::KeyStore;
use super::signer::{KeyName, certificate};

/// A certificate of a signer that the CSCA issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// File name without ending; the one in use is `ds` or `trust-list-signer`.
    pub file: String,
    /// The certificate.
    pub certificate: Certificate,
}

/// Serial number, file, name and last day.
impl fmt::Display for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (certificate, file) = (&self.certificate, &self.file);
        let name = certificate.subject().common_name().unwrap_or("without a name");
        write!(f, "{}  {name}, valid until {} ({file}.der)", certificate.serial(), certificate.not_after().date())
    }
}

/// A text that names no certificate of this authority.
#[derive(Debug, Error)]
#[error("`{typed}` is the serial number of no certificate that this CSCA issued; there are:\n{}", lines(.there))]
pub struct NotIssued {
    /// As it was typed.
    pub typed: String,
    /// What there is.
    pub there: Vec<Issued>,
}

/// Returns the certificates of signers that the CSCA issued, each once, by file name.
///
/// # Errors
/// [`CeremonyError`]
pub fn issued(store: &KeyStore) -> Result<Vec<Issued>, CeremonyError> {
    let csca = certificate(store, KeyName::Csca)?;
    let mut issued: Vec<Issued> = Vec::new();
    for file in store.public_names("der")? {
        let Ok(certificate) = Certificate::parse(&store.public(&format!("{file}.der"))?) else { continue };
        let ours = !certificate.is_self_issued() && certificate.issuer().matches(csca.subject());
        if ours && issued.iter().all(|other| other.certificate.serial() != certificate.serial()) {
            issued.push(Issued { file, certificate });
        }
    }
    Ok(issued)
}

/// Returns the certificate with the serial number that a person typed: hexadecimal in any case, with spaces, colons, a
/// `0x` or leading zeros, as tools and people write it.
///
/// # Errors
/// [`CeremonyError::NotIssued`] with the list of what there is, if it is empty, no number, or of no such certificate.
pub fn find_issued(store: &KeyStore, typed: &str) -> Result<Issued, CeremonyError> {
    let there = issued(store)?;
    let wanted = canonical(typed);
    let found = there.iter().find(|one| wanted.is_some() && wanted == canonical(&one.certificate.serial().to_string()));
    match found {
        Some(found) => Ok(found.clone()),
        None => Err(NotIssued { typed: typed.to_owned(), there }.into()),
    }
}

/// As [`find_issued`], for a serial number that was read from a certificate.
pub(super) fn require_issued(store: &KeyStore, serial: &SerialNumber) -> Result<(), CeremonyError> {
    find_issued(store, &serial.to_string()).map(drop)
}

/// Hexadecimal digits in upper case without leading zeros; `None` if there are other characters or no digit but zero.
fn canonical(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let digits = digits.to_ascii_uppercase();
    let digits = digits.strip_prefix("0X").unwrap_or(&digits).trim_start_matches('0');
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| digits.to_owned())
}

fn lines(there: &[Issued]) -> String {
    there.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_has_one_meaning_however_it_is_written() {
        for typed in ["4a0f", "4A0F", "4A:0F", " 4a 0f ", "00004a0f", "0x4a0f", "00:4A:0F", "0X4A0F"] {
            assert_eq!(canonical(typed).as_deref(), Some("4A0F"), "{typed}");
        }
        for typed in ["", " ", "00", "0x", "4g", "4a-0f", "-4a", "٤a"] {
            assert_eq!(canonical(typed), None, "{typed}");
        }
    }
}
