//! `issuance station`

use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::confirm::confirm;
use super::{Outcome, Place, output};
use crate::access::{AccessError, stations};
use crate::deed::Deeds;
use crate::ground::actor::Service;
use crate::server;

/// What the owner of the key file does about stations without signing in: list, revoke.
#[derive(Args)]
pub(super) struct StationCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists the stations: name, office, state, end of the certificate. A record that was changed by another hand is
    /// named, and the exit code is then 1.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a station for good: its next request is refused. The trail says that it was done offline.
    Revoke {
        /// Name of the station.
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl StationCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let deeds = server::deeds(&settings).await?;
            let done = act(&deeds, self.act).await;
            deeds.db().close().await;
            done
        })
    }
}

/// A station in the list.
#[derive(Serialize)]
struct Item {
    id: String,
    name: String,
    office: String,
    state: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

async fn act(deeds: &Deeds, act: Act) -> Outcome {
    match act {
        Act::List { json } => {
            let now = deeds.source().now();
            let mut tx = deeds.db().begin_read().await?;
            let listed = stations::listed(&mut tx, now).await?;
            drop(tx);
            let items: Vec<_> = listed
                .into_iter()
                .map(|one| Item {
                    id: one.id.to_string(),
                    name: one.name,
                    office: one.office,
                    state: one.state,
                    expires_at: one.expires_at,
                })
                .collect();
            if json {
                output::line(format_args!("{}", serde_json::to_string_pretty(&items)?))?;
            } else {
                for one in &items {
                    let until = one.expires_at.format(&Rfc3339)?;
                    output::line(format_args!("{}\t{}\t{}\t{until}", one.name, one.office, one.state))?;
                }
            }
            let strange = items.iter().filter(|one| one.state == stations::TAMPERED).map(|one| one.id.as_str());
            super::refuse_strange("station", strange)
        }
        Act::Revoke { name, yes, json } => {
            let mut tx = deeds.db().begin_read().await?;
            let there = stations::listed(&mut tx, deeds.source().now()).await?;
            drop(tx);
            if !there.iter().any(|one| one.name == name) {
                return Err(AccessError::StationUnnamed(name).into());
            }
            // Asked before a deed is open: no other writer waits for the answer.
            confirm(&format!("Station {name} is revoked for good; it can only be enrolled anew."), yes)?;
            let mut deed = deeds.open(Service).await?;
            let (id, at) = stations::revoke_offline(&mut deed, &name).await?;
            deed.commit().await?;
            let at = at.format(&Rfc3339)?;
            if json {
                let done = serde_json::json!({"id": id, "name": name, "state": "revoked", "revoked_at": at});
                output::line(format_args!("{done}"))?;
            } else {
                output::line(format_args!("{name} is revoked since {at}."))?;
            }
            Ok(())
        }
    }
}
