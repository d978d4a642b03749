//! `issuance officer`

use clap::{Args, Subcommand};
use crypto::identity::civil_time::to_the_minute;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::{Outcome, Place, output};
use crate::access::proposals::{self, Offline, OfflineProposal};
use crate::deed::Deeds;
use crate::ground::Role;
use crate::ground::actor::Service;
use crate::ground::text::Login;
use crate::server;

/// What the owner of the key file does about officers without signing in: list, lock, propose.
///
/// A proposal breaks glass: it takes effect when an administrator confirms it, or, if none who may decide about the
/// officer signs in, after 24 hours in which every answer of the service says so. If one signs in, it waits for the
/// decision, and ends undecided seven days after it was made.
#[derive(Args)]
pub(super) struct OfficerCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists the officers: name, roles, office, and whether each can sign in. A record that was changed by another hand
    /// is named, and the exit code is then 1.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Ends an officer's access at once, sessions included. The last administrator stays.
    Lock {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Revokes all client certificates of an officer at once, also the last ones with which administrators sign in.
    RevokeCertificates {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Proposes that an officer enrols a client certificate, and shows the one-time token for it.
    ProposeCertificate {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Proposes a new password for an officer, and shows the one-time token for it.
    ProposeReset {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// As one JSON object, with the token.
        #[arg(long)]
        json: bool,
    },
    /// Proposes what an officer is employed for.
    ProposeRole {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// A role: admin, approver, auditor, capture, hand-over, registrar or stock. May be repeated.
        #[arg(long = "role", required = true, value_parser = role)]
        roles: Vec<Role>,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl OfficerCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            // Only the owner of the key file gets this far.
            let deeds = server::deeds(&settings).await?;
            let done = act(&deeds, self.act).await;
            deeds.db().close().await;
            done
        })
    }
}

/// An officer in the list.
#[derive(Serialize)]
struct Item {
    id: String,
    username: String,
    /// None for a record that was changed by another hand.
    roles: Option<Vec<&'static str>>,
    office: Option<String>,
    state: &'static str,
}

async fn list(deeds: &Deeds, json: bool) -> Outcome {
    let mut tx = deeds.db().begin_read().await?;
    let items = proposals::listed(&mut tx).await?.into_iter().map(|officer| {
        let (roles, office) = officer.post.unzip();
        Item {
            id: officer.id.to_string(),
            username: officer.username,
            roles: roles.map(|roles: Vec<Role>| roles.iter().map(|role| role.name()).collect()),
            office: office.map(|office| office.to_string()),
            state: officer.state,
        }
    });
    let items: Vec<_> = items.collect();
    drop(tx);
    if json {
        output::line(format_args!("{}", serde_json::to_string_pretty(&items)?))?;
    } else {
        for one in &items {
            let roles = one.roles.as_ref().map_or("?".to_owned(), |roles| roles.join(","));
            let office = one.office.as_deref().unwrap_or("?");
            output::line(format_args!("{}\t{roles}\t{office}\t{}", one.username, one.state))?;
        }
    }
    let strange = items.iter().filter(|one| one.roles.is_none()).map(|one| one.id.as_str());
    super::refuse_strange("officer", strange)
}

async fn act(deeds: &Deeds, act: Act) -> Outcome {
    match act {
        Act::List { json } => list(deeds, json).await,
        Act::Lock { name, json } => {
            let mut deed = deeds.open(Service).await?;
            proposals::lock_offline(&mut deed, name.as_str()).await?;
            deed.commit().await?;
            if json {
                let done = serde_json::json!({"username": name.as_str(), "state": "disabled"});
                output::line(format_args!("{done}"))?;
                return Ok(());
            }
            output::line(format_args!(
                "{} is locked. Administrators let an officer back in: POST /api/v1/officers/ID/enablement.",
                name.as_str()
            ))?;
            Ok(())
        }
        Act::RevokeCertificates { name, json } => {
            let mut deed = deeds.open(Service).await?;
            proposals::revoke_certificates_offline(&mut deed, name.as_str()).await?;
            deed.commit().await?;
            if json {
                output::line(format_args!(
                    "{}",
                    serde_json::json!({"username": name.as_str(), "certificates": "revoked"})
                ))?;
            } else {
                output::line(format_args!(
                    "The client certificates of {} are revoked, and the sessions that were bound to them have ended.",
                    name.as_str()
                ))?;
            }
            Ok(())
        }
        Act::ProposeCertificate { name, json } => propose(deeds, &name, Offline::Certificate, json).await,
        Act::ProposeReset { name, json } => propose(deeds, &name, Offline::Reset, json).await,
        Act::ProposeRole { name, roles, json } => propose(deeds, &name, Offline::Roles(roles), json).await,
    }
}

/// Proposes roles, a new password, or a client certificate.
async fn propose(deeds: &Deeds, name: &Login, what: Offline, json: bool) -> Outcome {
    let use_of_token = match &what {
        Offline::Certificate => ("enrols a certificate", "POST /api/v1/me/certificates"),
        Offline::Reset | Offline::Roles(_) => ("sets the password", "POST /api/v1/password"),
    };
    let mut deed = deeds.open(Service).await?;
    let proposed = proposals::propose_offline(&mut deed, name.as_str(), what).await?;
    deed.commit().await?;
    let token = proposed.token.as_ref().map(|token| token.as_str());
    if json {
        let (effective_at, expires_at) =
            (proposed.effective_at.format(&Rfc3339)?, proposed.expires_at.format(&Rfc3339)?);
        let done = serde_json::json!({
            "username": name.as_str(), "effective_at": effective_at, "expires_at": expires_at, "token": token
        });
        output::line(format_args!("{done}"))?;
        return Ok(());
    }
    say_proposed(&proposed)?;
    if let Some(token) = token {
        output::line(format_args!(
            "From then on this token {} of {} ({}); it is shown once:",
            use_of_token.0,
            name.as_str(),
            use_of_token.1
        ))?;
        output::line(format_args!("{token}"))?;
    }
    Ok(())
}

fn say_proposed(proposed: &OfflineProposal) -> Outcome {
    output::line(format_args!(
        "Proposed. It takes effect when an administrator confirms it, or at {}",
        to_the_minute(proposed.effective_at)
    ))?;
    output::line(format_args!(
        "if none who may decide signs in before. Until then every answer of the service says so."
    ))?;
    output::line(format_args!(
        "If one signs in, it waits for the decision, and ends undecided at {}.",
        to_the_minute(proposed.expires_at)
    ))?;
    Ok(())
}

fn role(text: &str) -> Result<Role, String> {
    let found = Role::ALL.into_iter().find(|role| role.name() == text);
    found.ok_or_else(|| format!("one of {}", Role::ALL.map(Role::name).join(", ")))
}
