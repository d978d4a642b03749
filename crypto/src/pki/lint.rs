//! The profile of Doc 9303-12 (8th ed.) §7.1.1, tables 5 and 6, applied to a certificate before it is signed.
//!
//! It checks the encoded body, not the draft, so that exactly the checked bytes are signed.

use std::fmt;

use thiserror::Error;
use time::Duration;

use super::certificate::{Body, Certificate};
use super::extensions::{BasicConstraints, KeyUsage};
use super::oid::{self, Oid};
use super::role::Role;
use super::{algorithm, spki};
use crate::suite::Hash;

/// A violation of the profile.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ProfileFinding {
    /// Issuer and subject (and root alternative names) do not name the same State, or not in the form of the profile.
    #[error(
        "the country is missing, not two upper-case letters, or not the same in issuer, subject and alternative names"
    )]
    Country,
    /// No common name in subject or issuer.
    #[error("the common name is missing")]
    CommonName,
    /// The extension's criticality is not the profile's.
    #[error("extension {extension} has the wrong criticality")]
    Criticality {
        /// The extension.
        extension: Oid,
    },
    /// No distribution point, or one that is not http, https or ldap.
    #[error("CRL distribution points must be http, https or ldap URIs, at least one")]
    DistributionPoints,
    /// No document types, or one that is not one or two characters of the MRZ.
    #[error("document types must be one or two characters of the MRZ each, at least one")]
    DocumentTypes,
    /// An extension that this kind of certificate must not have.
    #[error("extension {extension} is not allowed in this certificate")]
    Forbidden {
        /// The extension.
        extension: Oid,
    },
    /// The issuer is not an authority, or its key may no longer sign at this certificate's start.
    #[error("the issuer is no authority that may sign from this certificate's first moment on")]
    Issuer,
    /// Subject or authority key identifier is not that of the key.
    #[error("a key identifier does not identify the key it stands for")]
    KeyIdentifier,
    /// The key usage bits or the basic constraints are not exactly the profile's.
    #[error("key usage, extended key usage or basic constraints are not those of this kind of certificate")]
    KeyUsage,
    /// A mandatory extension is missing.
    #[error("extension {extension} is missing")]
    Missing {
        /// The extension.
        extension: Oid,
    },
    /// The certificate would be valid beyond its issuer.
    #[error("the certificate would outlive its issuer's")]
    OutlivesIssuer,
    /// The private key's usage period is empty or outside the validity.
    #[error("the private key usage period is empty or not within the validity")]
    PrivateKeyUsage,
    /// The private key would be used longer than table 1 allows (five years; for a document signer
    /// three months and some days).
    #[error("the private key would be used for {days} days, {allowed} are allowed")]
    PrivateKeyUsageTooLong {
        /// Days in the draft.
        days: i64,
        /// Days allowed.
        allowed: i64,
    },
    /// The serial number is zero, negative, longer than 20 octets or not minimal.
    #[error("the serial number is not positive, minimal and of at most 20 octets")]
    SerialNumber,
    /// An unusable key, or a signature algorithm of SHA-1.
    #[error("the key or the signature algorithm may not be used")]
    Suite,
    /// notAfter is not later than notBefore.
    #[error("the validity is empty")]
    Validity,
    /// Not version 3, or with unique identifiers.
    #[error("not a version 3 certificate without unique identifiers")]
    Version,
}

/// All findings of one lint; not empty when returned as an error.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub struct Findings(pub Vec<ProfileFinding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

/// Five years with two leap days.
const AUTHORITY_SIGNS_DAYS: i64 = 5 * 365 + 2;
/// Three months, and a month of overlap: table 1, footnote 1, lets the extension be "slightly longer".
const SIGNER_SIGNS_DAYS: i64 = 92 + 31;

/// Checks a body. `issuer` is the issuing CSCA, or `None` for a root.
pub(crate) fn lint(body: &Body, role: &Role, issuer: Option<&Certificate>) -> Vec<ProfileFinding> {
    let mut findings = Vec::new();
    let mut demand = |holds: bool, finding: ProfileFinding| {
        if !holds {
            findings.push(finding);
        }
    };
    fields(body, issuer, &mut demand);
    presence(body, role, issuer.is_some(), &mut demand);
    usage(body, role, &mut demand);
    key_identifiers(body, issuer, &mut demand);
    periods(body, role, issuer, &mut demand);
    findings
}

fn fields(body: &Body, issuer: Option<&Certificate>, demand: &mut impl FnMut(bool, ProfileFinding)) {
    demand(body.version == 2 && !body.unique_ids, ProfileFinding::Version);
    let serial = body.serial.content();
    let positive = matches!(serial, [first, ..] if first & 0x80 == 0) && serial.iter().any(|b| *b != 0);
    let minimal = !matches!(serial, [0, second, ..] if second & 0x80 == 0);
    demand(positive && minimal && serial.len() <= 20, ProfileFinding::SerialNumber);
    let in_subject = body.subject.attribute(&oid::COUNTRY_NAME);
    let in_issuer = body.issuer.attribute(&oid::COUNTRY_NAME);
    let two_letters = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    let same_state = in_subject.is_some_and(two_letters) && in_subject == in_issuer;
    let alternatives = (&body.extensions.subject_country, &body.extensions.issuer_country);
    demand(same_state && alternatives.0.is_some() && alternatives.0 == alternatives.1, ProfileFinding::Country);
    demand(body.subject.common_name().is_some() && body.issuer.common_name().is_some(), ProfileFinding::CommonName);
    let root_names_itself = issuer.is_some() || body.issuer == body.subject;
    let named_by_issuer = issuer.is_none_or(|issuer| body.issuer == *issuer.subject());
    demand(root_names_itself && named_by_issuer, ProfileFinding::Issuer);
    let strong = algorithm::signature(&body.signature_algorithm).is_ok_and(|found| found.hash() != Hash::Sha1);
    demand(strong && spki::parse(&body.spki).is_ok(), ProfileFinding::Suite);
}

/// Checks presence and criticality of the extensions (table 6).
fn presence(body: &Body, role: &Role, issued: bool, demand: &mut impl FnMut(bool, ProfileFinding)) {
    use Presence::{Forbidden, Mandatory, Optional};
    let authority = matches!(role, Role::Csca);
    let only = |yes: bool| if yes { Mandatory } else { Forbidden };
    let signs_documents = matches!(role, Role::DocumentSigner { .. });
    let signs_lists = matches!(role, Role::TrustListSigner);
    let table = [
        (oid::AUTHORITY_KEY_IDENTIFIER, if issued { Mandatory } else { Optional }, false),
        // Optional for signers in the table; ours always have it, so that a signer identifier may use it.
        (oid::SUBJECT_KEY_IDENTIFIER, Mandatory, false),
        (oid::KEY_USAGE, Mandatory, true),
        (oid::PRIVATE_KEY_USAGE_PERIOD, if signs_lists { Optional } else { Mandatory }, false),
        (oid::CERTIFICATE_POLICIES, Optional, false),
        (oid::SUBJECT_ALT_NAME, Mandatory, false),
        (oid::ISSUER_ALT_NAME, Mandatory, false),
        (oid::BASIC_CONSTRAINTS, only(authority), true),
        (oid::EXTENDED_KEY_USAGE, only(signs_lists), true),
        (oid::CRL_DISTRIBUTION_POINTS, Mandatory, false),
        (oid::NAME_CHANGE, if authority { Optional } else { Forbidden }, false),
        (oid::DOCUMENT_TYPE_LIST, only(signs_documents), false),
    ];
    for (extension, presence, critical) in &table {
        match (body.extensions.find(extension), presence) {
            (None, Mandatory) => demand(false, ProfileFinding::Missing { extension: extension.clone() }),
            (Some(_), Forbidden) => demand(false, ProfileFinding::Forbidden { extension: extension.clone() }),
            (Some(found), _) => {
                demand(found.critical == *critical, ProfileFinding::Criticality { extension: extension.clone() });
            }
            (None, _) => {}
        }
    }
    let unlisted = body.extensions.all.iter().filter(|found| !table.iter().any(|(kind, ..)| *kind == found.kind));
    for found in unlisted {
        demand(false, ProfileFinding::Forbidden { extension: found.kind.clone() });
    }
}

enum Presence {
    Forbidden,
    Mandatory,
    Optional,
}

fn usage(body: &Body, role: &Role, demand: &mut impl FnMut(bool, ProfileFinding)) {
    let extensions = &body.extensions;
    let (usage, constraints, purposes) = match role {
        Role::Csca => (KeyUsage::AUTHORITY, Some(BasicConstraints { authority: true, path_length: Some(0) }), vec![]),
        Role::DocumentSigner { .. } => (KeyUsage::DIGITAL_SIGNATURE, None, vec![]),
        Role::TrustListSigner => (KeyUsage::DIGITAL_SIGNATURE, None, vec![oid::MASTER_LIST_SIGNING_KEY]),
    };
    let holds = extensions.key_usage == Some(usage)
        && extensions.basic_constraints == constraints
        && extensions.extended_key_usage == purposes;
    demand(holds, ProfileFinding::KeyUsage);
    let points = &extensions.crl_distribution_points;
    let reachable = |uri: &String| ["http://", "https://", "ldap://"].iter().any(|scheme| uri.starts_with(scheme));
    demand(!points.is_empty() && points.iter().all(reachable), ProfileFinding::DistributionPoints);
    if let Role::DocumentSigner { .. } = role {
        let of_the_mrz = |text: &String| {
            (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        let types = extensions.document_types.as_deref().unwrap_or_default();
        demand(!types.is_empty() && types.iter().all(of_the_mrz), ProfileFinding::DocumentTypes);
    }
}

fn key_identifiers(body: &Body, issuer: Option<&Certificate>, demand: &mut impl FnMut(bool, ProfileFinding)) {
    let own = spki::identifier_of(&body.spki);
    let of_issuer = match issuer {
        Some(issuer) => issuer.subject_key_identifier().map(<[u8]>::to_vec),
        None => own.clone(),
    };
    let authority = &body.extensions.authority_key_identifier;
    let names_issuer = authority.is_none() || *authority == of_issuer;
    demand(
        own.is_some() && body.extensions.subject_key_identifier == own && names_issuer,
        ProfileFinding::KeyIdentifier,
    );
}

fn periods(body: &Body, role: &Role, issuer: Option<&Certificate>, demand: &mut impl FnMut(bool, ProfileFinding)) {
    let validity = body.validity;
    demand(validity.not_before < validity.not_after, ProfileFinding::Validity);
    if let Some(period) = body.extensions.private_key_usage {
        let from = period.0.unwrap_or(validity.not_before);
        let to = period.1.unwrap_or(validity.not_after);
        let within = from < to && validity.contains(from) && validity.contains(to);
        demand(within, ProfileFinding::PrivateKeyUsage);
        let allowed = match role {
            Role::Csca => Some(AUTHORITY_SIGNS_DAYS),
            Role::DocumentSigner { .. } => Some(SIGNER_SIGNS_DAYS),
            Role::TrustListSigner => None, // table 1: at the discretion of the State
        };
        if let Some(allowed) = allowed {
            let days = (to - from).whole_days();
            demand(to - from <= Duration::days(allowed), ProfileFinding::PrivateKeyUsageTooLong { days, allowed });
        }
    }
    let Some(issuer) = issuer else { return };
    let constraints = issuer.extensions().basic_constraints;
    let signs_certificates = issuer.extensions().key_usage.is_some_and(|u| u.includes(KeyUsage::CERTIFICATE_SIGN));
    let may_sign = issuer.signing_period().contains(validity.not_before);
    demand(constraints.is_some_and(|c| c.authority) && signs_certificates && may_sign, ProfileFinding::Issuer);
    // A link certificate certifies a key that is meant to outlive the old one.
    let links = matches!(role, Role::Csca);
    demand(links || validity.not_after <= issuer.not_after(), ProfileFinding::OutlivesIssuer);
}
