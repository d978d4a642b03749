//! `issuance serve`

use std::error::Error;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::pin::pin;

use clap::Args;
use time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Outcome, Place, output};
use crate::ground::Randomness;
use crate::population::reference::ExtraProvince;
use crate::server::config::{Config, Log};
use crate::server::{Network, Service};

/// Runs the service until Ctrl-C or SIGTERM; then requests under way finish.
///
/// SIGHUP has it take the server's certificate, the signers and the log filter anew, without an end to any connection.
/// What cannot be read then is said in the log, and stays as it was; so are the keys of the configuration that were
/// changed and count only when it is started again.
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
    /// So many days after a report of loss two officers can undo it; then the card is revoked for good: 1 to 90
    /// [default: `cards.loss_term` of the configuration, or 7].
    #[arg(long, value_name = "DAYS", env = "ISSUANCE_LOSS_DAYS", value_parser = clap::value_parser!(u8).range(1..=90))]
    loss_days: Option<u8>,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    /// The configuration with these flags over it.
    fn configured(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = self.place.config()?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.cards.loss_term = self.loss_days.map_or(config.cards.loss_term, |days| Duration::days(i64::from(days)));
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        config.trusted_proxies.extend(self.trusted_proxy.iter().copied());
        config.log.json |= self.log_json;
        let named = self.extra_province.iter().map(|text| province(text)).collect::<Result<Vec<_>, _>>()?;
        config.population.extra_provinces.extend(named);
        Ok(config)
    }

    pub(super) fn run(self) -> Outcome {
        let config = self.configured()?;
        let settings = config.settings()?;
        let refilter = begin_log(&config.log)?;
        tokio::runtime::Runtime::new()?.block_on(async {
            // Before the first line: it says that signals are answered too.
            let (mut hang_up, mut stop) = (signal(SignalKind::hangup())?, pin!(stop_requested()?));
            let service = tokio::select! {
                started = Service::start(&settings, None, Randomness::System) => started?,
                () = &mut stop => return Ok(()),
            };
            // A service that cannot say where it listens serves all the same; the log says it too.
            if let Err(error) = output::line(format_args!("issuance listens on https://{}", service.address())) {
                tracing::warn!(%error, "the first line could not be written");
            }
            loop {
                tokio::select! {
                    () = &mut stop => break,
                    _ = hang_up.recv() => {
                        service.reload().await;
                        match self.configured() {
                            Err(error) => tracing::error!(%error, "not reloaded: the log filter stays as it was"),
                            Ok(now) => {
                                if let Err(error) = filter(&now.log).and_then(&refilter) {
                                    tracing::error!(%error, "not reloaded: the log filter stays as it was");
                                }
                                say_kept(&config.kept_until_restart(&now));
                            }
                        }
                    }
                }
            }
            output::complain(format_args!("issuance: finishing requests under way"));
            service.stop().await;
            Ok(())
        })
    }
}

/// Says which keys of the configuration were changed and do not count yet. Names no value.
fn say_kept(keys: &[String]) {
    if !keys.is_empty() {
        let keys = keys.join(", ");
        tracing::warn!(keys, "not reloaded: these keys of the configuration count when the service is started again");
    }
}

/// Puts another filter before the log.
type Refilter = Box<dyn Fn(EnvFilter) -> Outcome>;

/// Begins the log. Returns how its filter is replaced.
fn begin_log(settings: &Log) -> Result<Refilter, Box<dyn Error>> {
    let log = tracing_subscriber::fmt().with_env_filter(filter(settings)?).with_writer(std::io::stderr);
    let log = log.log_internal_errors(false).with_ansi(std::io::stderr().is_terminal());
    if settings.json {
        let log = log.json().with_filter_reloading();
        let handle = log.reload_handle();
        log.init();
        Ok(Box::new(move |filter| Ok(handle.reload(filter)?)))
    } else {
        let log = log.with_filter_reloading();
        let handle = log.reload_handle();
        log.init();
        Ok(Box::new(move |filter| Ok(handle.reload(filter)?)))
    }
}

/// The filter of `RUST_LOG`, else that of the configuration.
fn filter(settings: &Log) -> Result<EnvFilter, Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env();
    filter.or_else(|_| filter_of(&settings.filter))
}

/// The filter that this text of the configuration says.
pub(super) fn filter_of(text: &str) -> Result<EnvFilter, Box<dyn Error>> {
    Ok(EnvFilter::try_new(text).map_err(|error| format!("log.filter `{text}`: {error}"))?)
}

/// Watches for Ctrl-C and SIGTERM from now on. Returns what waits for one of them.
pub(super) fn stop_requested() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
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
            line.ok().map(|line| line.serve.configured().unwrap().cards.loss_term)
        };
        assert_eq!(term(&[]), Some(crate::cards::Settings::default().loss_term));
        assert_eq!(term(&["--loss-days", "30"]), Some(Duration::days(30)));
        for unfit in ["0", "91", "-1", "soon"] {
            assert_eq!(term(&["--loss-days", unfit]), None, "{unfit}");
        }
    }
}
