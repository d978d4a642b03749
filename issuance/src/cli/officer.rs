//! `issuance officer`

use clap::{Args, Subcommand};
use crypto::identity::civil_time::to_the_minute;
use time::OffsetDateTime;

use super::{Outcome, Place, output};
use crate::access::proposals::{self, Offline};
use crate::deed::Deeds;
use crate::ground::Role;
use crate::ground::actor::Service;
use crate::ground::text::Login;
use crate::server;

/// What the owner of the key file does about officers without signing in: list, lock, propose.
///
/// A proposal breaks glass: it takes effect when an administrator confirms it, or, if none signs in, after 24 hours in
/// which every answer of the service says so.
#[derive(Args)]
pub(super) struct OfficerCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists the officers: name, roles, office, and whether each can sign in.
    List,
    /// Ends an officer's access at once, sessions included. The last administrator stays.
    Lock {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
    },
    /// Proposes that an officer enrols a client certificate, and shows the one-time token for it.
    ProposeCertificate {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
    },
    /// Proposes a new password for an officer, and shows the one-time token for it.
    ProposeReset {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
    },
    /// Proposes what an officer is employed for.
    ProposeRole {
        /// Name of the account, in any spelling that its owner signs in with.
        name: Login,
        /// A role: admin, approver, auditor, capture, hand-over, registrar or stock. May be repeated.
        #[arg(long = "role", required = true, value_parser = role)]
        roles: Vec<Role>,
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

async fn act(deeds: &Deeds, act: Act) -> Outcome {
    if matches!(act, Act::List) {
        let mut tx = deeds.db().begin_read().await?;
        let mut strange = Vec::new();
        for officer in proposals::listed(&mut tx).await? {
            let (roles, office) = match &officer.post {
                Some((roles, office)) => {
                    let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
                    (roles.join(","), office.to_string())
                }
                None => {
                    strange.push(officer.id.to_string());
                    ("?".to_owned(), "?".to_owned())
                }
            };
            output::line(format_args!("{}\t{roles}\t{office}\t{}", officer.username, officer.state))?;
        }
        if !strange.is_empty() {
            return Err(format!(
                "changed by another hand than the service's, and refused by it: officer {}",
                strange.join(", officer ")
            )
            .into());
        }
        return Ok(());
    }
    let mut deed = deeds.open(Service).await?;
    match act {
        Act::List => {}
        Act::Lock { name } => {
            proposals::lock_offline(&mut deed, name.as_str()).await?;
            deed.commit().await?;
            output::line(format_args!(
                "{} is locked. Administrators let an officer back in: POST /api/v1/officers/ID/enablement.",
                name.as_str()
            ))?;
        }
        Act::ProposeCertificate { name } => {
            let (effective_at, token) =
                proposals::propose_offline(&mut deed, name.as_str(), Offline::Certificate).await?;
            deed.commit().await?;
            say_proposed(effective_at)?;
            output::line(format_args!(
                "From then on this token enrols a certificate of {} (POST /api/v1/me/certificates); it is shown once:",
                name.as_str()
            ))?;
            output::line(format_args!("{}", token.as_ref().map_or("", |token| token.as_str())))?;
        }
        Act::ProposeReset { name } => {
            let (effective_at, token) = proposals::propose_offline(&mut deed, name.as_str(), Offline::Reset).await?;
            deed.commit().await?;
            say_proposed(effective_at)?;
            output::line(format_args!(
                "From then on this token sets the password of {} (POST /api/v1/password); it is shown once:",
                name.as_str()
            ))?;
            output::line(format_args!("{}", token.as_ref().map_or("", |token| token.as_str())))?;
        }
        Act::ProposeRole { name, roles } => {
            let (effective_at, _) = proposals::propose_offline(&mut deed, name.as_str(), Offline::Roles(roles)).await?;
            deed.commit().await?;
            say_proposed(effective_at)?;
        }
    }
    Ok(())
}

fn say_proposed(effective_at: OffsetDateTime) -> Outcome {
    output::line(format_args!(
        "Proposed. It takes effect when an administrator confirms it, or at {}",
        to_the_minute(effective_at)
    ))?;
    output::line(format_args!("if no administrator signs in before. Until then every answer of the service says so."))?;
    Ok(())
}

fn role(text: &str) -> Result<Role, String> {
    let found = Role::ALL.into_iter().find(|role| role.name() == text);
    found.ok_or_else(|| format!("one of {}", Role::ALL.map(Role::name).join(", ")))
}
