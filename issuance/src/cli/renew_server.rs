//! `issuance renew-server`

use clap::Args;

use super::{Folder, Outcome, RELOAD, now, output, rng};
use crate::keys;

/// Issues the TLS certificate of the server anew. Reload the service afterwards (SIGHUP).
#[derive(Args)]
pub(super) struct RenewServer {
    #[command(flatten)]
    folder: Folder,
    /// Name or address under which the service is reached. May be repeated [default: `authority.hosts` of the
    /// configuration, or those that it had].
    #[arg(long)]
    host: Vec<String>,
}

impl RenewServer {
    pub(super) fn run(self) -> Outcome {
        let said = self.folder.config()?.authority.hosts.unwrap_or_default();
        let hosts = if self.host.is_empty() { said } else { self.host };
        let hosts = keys::renew_server(&self.folder.open()?, &hosts, now(), &mut rng())?;
        output::line(format_args!("server.pem is issued anew for {}; {RELOAD}.", hosts.join(", ")))?;
        Ok(())
    }
}
