//! `issuance rotate`

use clap::Args;

use super::confirm::confirm;
use super::{Outcome, Place, RELOAD, now, output, rng};
use crate::access::stations::LeftBehind;
use crate::keys::{self, CardKeys, KeyName, KeyStore, RollOver};
use crate::server::{self, Settings};

/// Certifies a new key under the CSCA, for `ds` (signs for 92 days) or `trust-list-signer` (a year); or rolls the TLS
/// authority over. Reload the service after each step (SIGHUP).
///
/// `card-master` makes the next master key of cards: chips that are taken in after a restart of the service get keys of
/// its version, and those before keep theirs. `issuance status` counts the chips of each version.
///
/// `tls-authority` makes a new TLS authority beside the old one: stations and officers are certified by the new one
/// from the reload on, and both are trusted. tls-ca.pem then holds both: give it to kiosks and officers, and have each
/// station renew (card-agent enrol --renew). `issuance status` names those who did not. Then `--finish`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(super) struct Rotate {
    #[command(flatten)]
    place: Place,
    /// The signer that gets a new key, or the authority that is rolled over.
    #[arg(value_parser = ["ds", "trust-list-signer", "tls-authority", "card-master"])]
    signer: String,
    /// Of a roll-over: issue the server's certificate under the new authority now, and go on trusting both.
    #[arg(long, conflicts_with = "finish")]
    server: bool,
    /// End the roll-over: the server's certificate is the new authority's, and the old one is gone with its key.
    /// Refused while stations or officers have certificates of the old one.
    #[arg(long)]
    finish: bool,
    /// End it all the same, and shut them out: they are enrolled again.
    #[arg(long, requires = "finish")]
    force: bool,
    /// Do not ask.
    #[arg(long, requires = "force")]
    yes: bool,
}

impl Rotate {
    pub(super) fn run(self) -> Outcome {
        let name = match self.signer.as_str() {
            "tls-authority" => return self.roll_over(),
            "card-master" => return self.card_master(),
            _ if self.server || self.finish => return Err("--server and --finish are steps of tls-authority".into()),
            "ds" => KeyName::DocumentSigner,
            _ => KeyName::TrustListSigner,
        };
        let certificate = keys::rotate(&self.place.folder.open()?, name, now(), &mut rng())?;
        output::line(format_args!("Certificate {} of {} is issued; {RELOAD}.", certificate.serial(), self.signer))?;
        Ok(())
    }

    fn card_master(self) -> Outcome {
        if self.server || self.finish {
            return Err("--server and --finish are steps of tls-authority".into());
        }
        let version = CardKeys::rotate(&self.place.folder.open()?.locked()?, &mut rng())?;
        output::line(format_args!(
            "Master key {version} of cards is made: take a backup of the keys, then restart the service. Chips that are \
             taken in from then on get keys of version {version}; the others keep theirs, and so the keys before are kept."
        ))?;
        Ok(())
    }

    fn roll_over(self) -> Outcome {
        let (settings, store) = (self.place.settings()?, self.place.folder.open()?);
        if self.finish {
            return self.finish(&settings, &store);
        }
        if self.server {
            let issued = RollOver::serve(&store, now(), &mut rng())?;
            let again = if issued { "" } else { " already" };
            output::line(format_args!("server.pem is certified by the new TLS authority{again}; {RELOAD}."))?;
            return Ok(());
        }
        let begun = RollOver::begin(&store, now(), &mut rng())?;
        let new = begun.comes()?;
        let name = new.subject().common_name().unwrap_or_default();
        output::line(format_args!(
            "`{name}` is made beside the authority of before, valid until {}; {RELOAD}.\nThen give tls-ca.pem, which holds \
             both, to kiosks and officers, and have stations renew: card-agent enrol --renew. `issuance status` names \
             who is left; `issuance rotate tls-authority --finish` ends it.",
            new.not_after().date()
        ))?;
        Ok(())
    }

    fn finish(self, settings: &Settings, store: &KeyStore) -> Outcome {
        let runtime = tokio::runtime::Runtime::new()?;
        let left = runtime.block_on(server::left_behind_by_roll_over(settings))?;
        if !left.is_empty() {
            let who = names(&left);
            if !self.force {
                return Err(format!(
                    "certificates of the old TLS authority are in use: {who}. Have the stations renew (card-agent enrol \
                     --renew), grant the officers other certificates, or revoke those that will not; --force shuts them \
                     out. Nothing was changed"
                )
                .into());
            }
            confirm(&format!("Shut out until they are enrolled again: {who}."), self.yes)?;
            runtime.block_on(Box::pin(server::record_shut_out(settings, &left)))?;
        }
        RollOver::finish(store, now(), &mut rng())?;
        output::line(format_args!(
            "The old TLS authority and its key are gone, and server.pem is certified by the new one; {RELOAD}."
        ))?;
        Ok(())
    }
}

fn names(left: &LeftBehind) -> String {
    let named = |what: &str, names: &[String]| {
        if names.is_empty() { None } else { Some(format!("{what} {}", names.join(", "))) }
    };
    left.kinds().into_iter().filter_map(|(what, names)| named(what, names)).collect::<Vec<_>>().join("; ")
}
