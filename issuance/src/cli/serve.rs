//! `issuance serve`

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{Outcome, Place, output};
use crate::ground::Randomness;
use crate::population::reference::ExtraProvince;
use crate::server::{Network, Service};

/// Runs the service until Ctrl-C or SIGTERM; then requests under way finish.
///
/// Flags stand over the environment, and both over issuance.toml. Log level by `RUST_LOG`, else by `log.filter`; the
/// log holds no personal data and no keys.
#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Where to listen; port 0 takes a free one, and the first line on standard output says which [default: `listen` of
    /// the configuration, or 127.0.0.1:8443].
    #[arg(long, value_name = "ADDRESS:PORT", env = "ISSUANCE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where metrics for Prometheus are answered in plain HTTP [default: `metrics_listen` of the configuration, or
    /// nowhere].
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// CODE or CODE=NAME: a province beside the official ones, for invented people. May be repeated.
    #[arg(long, value_name = "CODE[=NAME]")]
    extra_province: Vec<String>,
    /// Address or network of a proxy whose word about the caller's address is believed. May be repeated.
    #[arg(long, value_name = "ADDRESS[/BITS]")]
    trusted_proxy: Vec<Network>,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    pub(super) fn run(self) -> Outcome {
        let mut config = self.place.config()?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        config.trusted_proxies.extend(self.trusted_proxy);
        config.log.json |= self.log_json;
        let named = self.extra_province.iter().map(|text| province(text)).collect::<Result<Vec<_>, _>>()?;
        config.population.extra_provinces.extend(named);
        let settings = config.settings()?;
        let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(&config.log.filter));
        let filter = filter.map_err(|error| format!("log.filter: {error}"))?;
        let log =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
        let log = log.with_ansi(std::io::stderr().is_terminal());
        if config.log.json {
            log.json().init();
        } else {
            log.init();
        }
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
