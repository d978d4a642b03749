//! `issuance serve`

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use clap::Args;
use time::Duration;
use tracing_subscriber::EnvFilter;

use super::{Folder, Outcome, output};
use crate::ground::Randomness;
use crate::population::reference::ExtraProvince;
use crate::server::{Network, Service, Settings};
use crate::{cards, population};

/// Runs the service until Ctrl-C or SIGTERM; then requests under way finish.
///
/// Log level by `RUST_LOG` (default: info); the log holds no personal data and no keys.
#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    folder: Folder,
    /// Where to listen; port 0 takes a free one, and the first line on standard output says which.
    #[arg(long, default_value = "127.0.0.1:8443", env = "ISSUANCE_LISTEN")]
    listen: SocketAddr,
    /// <postgres://USER:PASSWORD@HOST/NAME> [default: `SQLite` in DIR]. Prefer the environment:
    /// arguments are visible to others.
    #[arg(long, value_name = "URL", env = "ISSUANCE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// CODE or CODE=NAME: a province beside the official ones, for invented people. May be repeated.
    #[arg(long, value_name = "CODE[=NAME]")]
    extra_province: Vec<String>,
    /// Address or network of a proxy whose word about the caller's address is believed. May be repeated.
    #[arg(long, value_name = "ADDRESS[/BITS]")]
    trusted_proxy: Vec<Network>,
    /// So many days after a report of loss two officers can undo it; then the card is revoked for good: 1 to 90.
    #[arg(long, value_name = "DAYS", default_value_t = 7, env = "ISSUANCE_LOSS_DAYS",
        value_parser = clap::value_parser!(u8).range(1..=90))]
    loss_days: u8,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    pub(super) fn run(self) -> Outcome {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let log =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
        let log = log.with_ansi(std::io::stderr().is_terminal());
        if self.log_json {
            log.json().init();
        } else {
            log.init();
        }
        let settings = self.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let service = Service::start(&settings, None, Randomness::System).await?;
            // A service that cannot say where it listens serves all the same; the log says it too.
            if let Err(error) = output::line(format_args!("issuance listens on https://{}", service.address())) {
                tracing::warn!(%error, "the first line could not be written");
            }
            stop_requested().await?;
            output::complain(format_args!("issuance: finishing requests under way"));
            service.stop().await;
            Ok(())
        })
    }
}

impl Serve {
    fn settings(self) -> Result<Settings, String> {
        let extra_provinces = self.extra_province.iter().map(|text| province(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Settings {
            listen: self.listen,
            database: self.database,
            trusted_proxies: self.trusted_proxy,
            population: population::Settings { extra_provinces, ..population::Settings::default() },
            cards: cards::Settings { loss_term: Duration::days(self.loss_days.into()) },
            ..self.folder.settings()
        })
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_requested() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// `CODE` or `CODE=NAME`
fn province(text: &str) -> Result<ExtraProvince, String> {
    let (code, name) = text.split_once('=').unwrap_or((text, "Tỉnh Mẫu"));
    let code = code.parse().map_err(|e| format!("--extra-province {text}: {e}"))?;
    Ok(ExtraProvince { code, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    #[test]
    fn the_operator_sets_how_long_a_report_of_loss_can_be_undone() {
        let term = |flags: &[&str]| {
            let line = Line::try_parse_from([&["serve", "--data", "d"], flags].concat());
            line.ok().map(|line| line.serve.settings().unwrap().cards.loss_term)
        };
        assert_eq!(term(&[]), Some(cards::Settings::default().loss_term));
        assert_eq!(term(&["--loss-days", "30"]), Some(Duration::days(30)));
        for unfit in ["0", "91", "-1", "soon"] {
            assert_eq!(term(&["--loss-days", unfit]), None, "{unfit}");
        }
    }
}
