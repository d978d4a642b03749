//! `issuance renew-server`

use clap::Args;

use super::{Folder, Outcome, now, output, rng};
use crate::keys;

/// Issues the TLS certificate of the server anew. Restart the service afterwards.
#[derive(Args)]
pub(super) struct RenewServer {
    #[command(flatten)]
    folder: Folder,
    /// Name or address under which the service is reached. May be repeated [default: those that it had].
    #[arg(long)]
    host: Vec<String>,
}

impl RenewServer {
    pub(super) fn run(self) -> Outcome {
        let hosts = keys::renew_server(&self.folder.open()?, &self.host, now(), &mut rng())?;
        output::line(format_args!("server.pem is issued anew for {}; restart the service.", hosts.join(", ")))?;
        Ok(())
    }
}
