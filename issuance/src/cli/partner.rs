//! `issuance partner`

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::confirm::confirm;
use super::remote::{RemoteError, SignedIn, Signing, none, read, tampered, word};
use super::{Outcome, now, output};

/// Authorities that may ask the register, and their systems, for officers of the national office.
///
/// It asks a running service, as the officer who signs in. What lets an authority in takes two officers: one proposes,
/// another confirms with a command of their own. What shuts one out takes one. See docs/exchange.md.
#[derive(Args)]
pub(super) struct PartnerCommand {
    #[command(flatten)]
    signing: Signing,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Proposes that an authority is a partner. Another officer confirms it.
    New(New),
    /// Confirms a partner that another officer proposed.
    Confirm {
        /// Code of the partner, or its identifier.
        partner: String,
    },
    /// Lists the partners: code, state, authority, unit.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Shows a partner with its systems, and how long their certificates last.
    Show {
        /// Code of the partner, or its identifier.
        partner: String,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Ends a partner for good: its systems are refused from now on.
    End {
        /// Code of the partner, or its identifier.
        partner: String,
        /// Why, for the trail.
        #[arg(long, value_name = "WORDS")]
        because: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Brings a partner's system: by its certification request, or as a member of X-Road. Another officer confirms it.
    AddSystem {
        /// Code of the partner, or its identifier.
        partner: String,
        /// What the system is called; unique within the partner.
        #[arg(long)]
        name: String,
        /// Its certification request (PKCS#10, PEM). Its key is certified; name and wishes in it are not.
        #[arg(long, value_name = "FILE", required_unless_present = "member")]
        request: Option<PathBuf>,
        /// The member of X-Road that it is, instance/class/code/subsystem: security servers ask for it, and it has no
        /// certificate. See docs/xroad.md.
        #[arg(long, value_name = "MEMBER", conflicts_with_all = ["request", "carries"])]
        member: Option<String>,
        /// The system is a security server, which asks for the members of this instance of X-Road and nothing for
        /// itself.
        #[arg(long, value_name = "INSTANCE")]
        carries: Option<String>,
    },
    /// Confirms a system that another officer brought, and writes its client certificate, which lasts a year. A member
    /// of X-Road has none.
    ConfirmSystem {
        /// Code of the partner, or its identifier.
        partner: String,
        /// What the system is called.
        #[arg(long)]
        name: String,
        /// File of the certificate (PEM); it must not exist. Needed, but for a member of X-Road.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Writes the client certificate of a system that was confirmed, once more.
    Certificate {
        /// Code of the partner, or its identifier.
        partner: String,
        /// What the system is called.
        #[arg(long)]
        name: String,
        /// File of the certificate (PEM); it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Revokes a system: its next request is refused, also on a connection that is open.
    RevokeSystem {
        /// Code of the partner, or its identifier.
        partner: String,
        /// What the system is called.
        #[arg(long)]
        name: String,
        /// Why, for the trail.
        #[arg(long, value_name = "WORDS")]
        because: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
struct New {
    /// Short code, unique: 1 to 16 of a-z, 0-9 and -.
    #[arg(long)]
    code: String,
    /// The authority.
    #[arg(long, value_name = "WORDS")]
    name: String,
    /// The unit of the authority that is joined.
    #[arg(long, value_name = "WORDS")]
    unit: String,
    /// The officer of the authority who answers for the connection (Decree 47/2020/NĐ-CP).
    #[arg(long, value_name = "WORDS")]
    contact_name: String,
    /// That officer's address of electronic mail.
    #[arg(long, value_name = "ADDRESS")]
    contact_email: String,
    /// That officer's telephone.
    #[arg(long, value_name = "NUMBER")]
    contact_phone: String,
}

impl PartnerCommand {
    pub(super) fn run(self) -> Outcome {
        match &self.act {
            Act::End { partner, yes, .. } => {
                confirm(&format!("Partner {partner} ends for good; all of its systems are refused."), *yes)?;
            }
            Act::RevokeSystem { partner, name, yes, .. } => {
                confirm(&format!("System {name} of {partner} is revoked for good."), *yes)?;
            }
            _ => {}
        }
        act(&self.signing.sign_in()?, self.act)
    }
}

fn act(office: &SignedIn, act: Act) -> Outcome {
    match act {
        Act::New(new) => {
            let body = json!({"code": new.code, "name": new.name, "unit": new.unit, "contact_name": new.contact_name,
                "contact_email": new.contact_email, "contact_phone": new.contact_phone});
            let drafted = office.post("partners", &body)?;
            let code = word(&drafted, "code");
            output::line(format_args!("Proposed. Another officer confirms it: issuance partner confirm {code}"))?;
        }
        Act::Confirm { partner } => {
            let id = partner_id(office, &partner)?;
            let done = office.post(&format!("partners/{id}/confirmation"), &json!({}))?;
            output::line(format_args!("{}\t{}", word(&done, "code"), word(&done, "state")))?;
        }
        Act::List { json } => {
            let partners = office.list("partners")?;
            if json {
                return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&partners)?))?);
            }
            for one in &partners {
                let [code, state, name, unit] = ["code", "state", "name", "unit"].map(|member| word(one, member));
                output::line(format_args!("{code}\t{state}\t{name}\t{unit}{}", tampered(one)))?;
            }
        }
        Act::Show { partner, json } => {
            let file = office.get(&format!("partners/{}", partner_id(office, &partner)?))?;
            if json {
                return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&file)?))?);
            }
            show(&file)?;
        }
        Act::End { partner, because, .. } => {
            let id = partner_id(office, &partner)?;
            let done = office.post(&format!("partners/{id}/end"), &json!({"reason": because}))?;
            output::line(format_args!("{}\t{}", word(&done, "code"), word(&done, "state")))?;
        }
        Act::AddSystem { partner, name, request, member, carries } => {
            let id = partner_id(office, &partner)?;
            let mut body = json!({"name": name});
            if let Some(request) = request {
                let text = String::from_utf8(read(&request)?)
                    .map_err(|_| RemoteError::Unfit(request, "it is no PEM text".to_owned()))?;
                body["csr_pem"] = json!(text);
            }
            let out = if member.is_some() { "" } else { " --out FILE" };
            for (field, value) in [("member", member), ("carries", carries)] {
                if let Some(value) = value {
                    body[field] = json!(value);
                }
            }
            office.post(&format!("partners/{id}/systems"), &body)?;
            output::line(format_args!(
                "Brought. Another officer confirms it: issuance partner confirm-system {partner} --name {name}{out}"
            ))?;
        }
        Act::ConfirmSystem { partner, name, out } => {
            let system = system(office, &partner, &name)?;
            let path = format!("partner-systems/{}/confirmation", word(&system, "id"));
            let member = word(&system, "member");
            let out = match out {
                None if !member.is_empty() => {
                    let done = office.post(&path, &json!({}))?;
                    return Ok(output::line(format_args!("{name}\t{}\t{member}", word(&done, "state")))?);
                }
                Some(_) if !member.is_empty() => {
                    return Err(format!("{name} is a member of X-Road and has no certificate: leave out --out").into());
                }
                None => return Err(format!("{name} has a certificate: --out FILE says where it is written").into()),
                Some(out) => out,
            };
            // The file is there before the certificate is asked for.
            let file = File::create_new(&out).map_err(|error| RemoteError::File(out.clone(), error))?;
            let done = office.post(&path, &json!({})).inspect_err(|_| {
                let _ = fs::remove_file(&out);
            })?;
            if let Err(error) = write(file, &out, word(&done, "certificate_pem")) {
                let _ = fs::remove_file(&out);
                let again = format!("issuance partner certificate {partner} --name {name} --out FILE");
                return Err(format!("confirmed, but the certificate is not written: {error}; then {again}").into());
            }
            output::line(format_args!("{name}\t{}\t{}", word(&done, "state"), out.display()))?;
        }
        Act::Certificate { partner, name, out } => {
            let system = system(office, &partner, &name)?;
            let certificate = word(&system, "certificate_pem");
            if !word(&system, "member").is_empty() {
                return Err(format!("{name} is a member of X-Road and has no certificate").into());
            }
            if certificate.is_empty() {
                return Err(format!("{name} has no certificate: another officer confirms the system first").into());
            }
            let file = File::create_new(&out).map_err(|error| RemoteError::File(out.clone(), error))?;
            write(file, &out, certificate)?;
            output::line(format_args!("{name}\t{}\t{}", word(&system, "state"), out.display()))?;
        }
        Act::RevokeSystem { partner, name, because, .. } => {
            let system = system(office, &partner, &name)?;
            let id = word(&system, "id");
            let done = office.post(&format!("partner-systems/{id}/revocation"), &json!({"reason": because}))?;
            output::line(format_args!("{name}\t{}", word(&done, "state")))?;
        }
    }
    Ok(())
}

fn write(mut file: File, out: &Path, text: &str) -> Result<(), RemoteError> {
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| RemoteError::File(out.to_owned(), error))
}

fn show(file: &Value) -> Outcome {
    let partner = &file["partner"];
    for (name, member) in [
        ("code", "code"),
        ("state", "state"),
        ("authority", "name"),
        ("unit", "unit"),
        ("contact", "contact_name"),
        ("e-mail", "contact_email"),
        ("telephone", "contact_phone"),
    ] {
        output::line(format_args!("{name}: {}", word(partner, member)))?;
    }
    if !tampered(partner).is_empty() {
        output::line(format_args!("{}", tampered(partner).trim()))?;
    }
    for system in file["systems"].as_array().into_iter().flatten() {
        let ends = OffsetDateTime::parse(word(system, "expires_at"), &Rfc3339).ok();
        let (name, state) = (word(system, "name"), word(system, "state"));
        let ends = ends.filter(|_| state == "joined");
        let lasts = ends.map(|ends| format!("\tcertificate ends in {} days", (ends - now()).whole_days()));
        let is = ["member", "carries"].map(|field| match word(system, field) {
            "" => String::new(),
            value => format!("\t{field} {value}"),
        });
        let lasts = lasts.unwrap_or_default();
        output::line(format_args!("system {name}\t{state}{}{lasts}{}", is.concat(), tampered(system)))?;
    }
    Ok(())
}

/// Returns the identifier of the partner that is named by its code or its identifier.
///
/// # Errors
/// [`RemoteError::Refused`] where there is none.
pub(super) fn partner_id(office: &SignedIn, named: &str) -> Result<String, RemoteError> {
    if named.parse::<Uuid>().is_ok() {
        return Ok(named.to_owned());
    }
    let found = office.list("partners")?.into_iter().find(|one| word(one, "code") == named);
    found.map(|one| word(&one, "id").to_owned()).ok_or_else(|| none("partner-unknown", "partner", named))
}

fn system(office: &SignedIn, partner: &str, name: &str) -> Result<Value, RemoteError> {
    let file = office.get(&format!("partners/{}", partner_id(office, partner)?))?;
    let mut systems = file["systems"].as_array().into_iter().flatten();
    let found = systems.find(|one| word(one, "name") == name);
    found.cloned().ok_or_else(|| none("partner-system-unknown", "system", name))
}
