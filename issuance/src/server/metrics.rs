//! Metrics for Prometheus, on a port of their own: what was asked, and the state that was seen last.
//!
//! Nothing in them is personal: paths are patterns, and stations and officers are counted, not named.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use std::{fmt, io};

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crypto::perso::problem::ProblemCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::watch as signal;

use super::{Watch, overdue};
use crate::applications;
use crate::store::Db;

/// Counts what is asked of one service; clones share it.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Answer, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    registry: Arc<Registry>,
    /// Without a port nothing is counted: there is nothing to ask it.
    counts: bool,
}

/// Shows nothing of what was counted.
impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// A route and how it was answered.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Answer {
    method: &'static str,
    /// The pattern of the path.
    path: &'static str,
    status: u16,
    /// The code of the problem; empty where there was none.
    code: &'static str,
}

/// A route.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Route {
    method: &'static str,
    path: &'static str,
}

impl Metrics {
    /// Metrics of the service with this database, whose state `watch` sees; `counts`: whether requests are counted.
    #[must_use]
    pub fn new(db: Db, watch: Watch, counts: bool) -> Self {
        let requests = Family::<Answer, Counter>::default();
        let durations = Family::<Route, Histogram, _>::new_with_constructor(histogram as fn() -> Histogram);
        let mut registry = Registry::with_prefix("issuance");
        registry.register(
            "http_requests",
            "Requests answered, by route, status and code of the problem",
            requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_collector(Box::new(Seen { db, watch }));
        Self { requests, durations, registry: Arc::new(registry), counts }
    }

    /// Counts a request that was answered.
    pub fn answered(
        &self,
        method: &Method,
        path: Option<&str>,
        status: u16,
        code: Option<ProblemCode>,
        took: Duration,
    ) {
        if !self.counts {
            return;
        }
        // What matches no route has one row together: a stranger who asks for many paths makes no more.
        let (method, path) = path.map_or(("-", "-"), |path| (name_of(method), pattern_of(path)));
        let code = code.map_or("", ProblemCode::word);
        self.requests.get_or_create(&Answer { method, path, status, code }).inc();
        self.durations.get_or_create(&Route { method, path }).observe(took.as_secs_f64());
    }

    /// Returns everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// [`fmt::Error`]
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Binds the port of the metrics.
    ///
    /// # Errors
    /// The port is taken, or not ours.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Answers `GET /metrics` in plain HTTP until told to stop.
    pub(super) async fn serve(self, listener: TcpListener, mut stopped: signal::Receiver<bool>) {
        let routes = axum::Router::new().route("/metrics", get(answer)).with_state(self);
        let stop = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "the metrics are answered no more");
        }
    }
}

async fn answer(State(metrics): State<Metrics>) -> Response {
    let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, format)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "-",
    }
}

/// The pattern of a route, kept for good: there are as many as routes, and no request has to copy one.
fn pattern_of(path: &str) -> &'static str {
    static PATTERNS: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());
    if let Some(known) = PATTERNS.read().expect("the lock is held for a look only").get(path) {
        return known;
    }
    let mut patterns = PATTERNS.write().expect("the lock is held for an insertion only");
    if let Some(known) = patterns.get(path) {
        return known;
    }
    let kept: &'static str = path.to_owned().leak();
    patterns.insert(kept);
    kept
}

/// A millisecond to half a minute.
fn histogram() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0])
}

/// Turns the state that was seen last into gauges, when it is asked for.
#[derive(Debug)]
struct Seen {
    db: Db,
    watch: Watch,
}

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, label: Option<&str>, values: &[(String, f64)]| -> fmt::Result {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (of, value) in values {
                match label {
                    Some(label) => {
                        let labels = [(label, of.as_str())];
                        metric.encode_family(&labels)?.encode_gauge(value)?;
                    }
                    None => metric.encode_gauge(value)?,
                }
            }
            Ok(())
        };
        let (used, idle) = self.db.connections();
        let pool = [("used".to_owned(), f64::from(used)), ("idle".to_owned(), f64::from(idle))];
        gauge("database_connections", "Connections of the pool", Some("state"), &pool)?;
        let alone = |value: f64| [(String::new(), value)];
        // Read when it is asked for: the last look may be older than an archive may be.
        if let Some(archive) = self.watch.archived() {
            if let Some(at) = archive.complete_at {
                let help = "What was written before is in the archive of the log";
                gauge("archive_complete_timestamp_seconds", help, None, &alone(moment(at)))?;
            }
            if let Some(at) = archive.last_piece_at {
                let help = "When the last piece of the archive was written";
                gauge("archive_last_piece_timestamp_seconds", help, None, &alone(moment(at)))?;
            }
            let failing = f64::from(u8::from(archive.failing.is_some()));
            gauge("archive_failing", "1 while nothing is archived", None, &alone(failing))?;
        }
        let Some(status) = self.watch.latest() else { return Ok(()) };
        gauge("state_seen_timestamp_seconds", "When the state below was seen", None, &alone(moment(status.at)))?;
        let counts = |counts: &[super::status::Count]| -> Vec<_> {
            counts.iter().map(|one| (one.state.clone(), number(one.count))).collect()
        };
        gauge("cards", "Cards by status", Some("status"), &counts(&status.cards))?;
        gauge("stock", "Chips by state", Some("state"), &counts(&status.stock))?;
        let ledger = &status.stock_ledger;
        let accounts: Vec<_> =
            ledger.accounts.iter().map(|one| (one.place.word().to_owned(), whole(one.chips))).collect();
        gauge("stock_account_chips", "Chips on the accounts of the stock", Some("account"), &accounts)?;
        gauge("stock_accounts_sum", "Sum of all accounts of the stock, which is 0", None, &alone(whole(ledger.sum)))?;
        let wrong = number(ledger.complaints.len() as u64);
        gauge("stock_ledger_complaints", "Where accounts and chips do not agree", None, &alone(wrong))?;
        let cases =
            [("open".to_owned(), number(ledger.cases_open)), ("overdue".to_owned(), number(ledger.cases_overdue))];
        gauge("stock_cases", "Differences of the stock that wait for two officers", Some("state"), &cases)?;
        let boxes = [("open".to_owned(), number(ledger.boxes_open)), ("late".to_owned(), number(ledger.boxes_late))];
        gauge("stock_boxes", "Boxes and parcels on their way between two offices", Some("state"), &boxes)?;
        gauge("stock_batches_open", "Batches of production that are open", None, &alone(number(ledger.batches_open)))?;
        let applications: Vec<_> =
            status.applications.iter().map(|one| (one.stage.clone(), number(one.count))).collect();
        gauge("applications", "Applications by stage", Some("stage"), &applications)?;
        let oldest: Vec<_> =
            status.applications.iter().filter_map(|one| Some((one.stage.clone(), whole(one.oldest_days?)))).collect();
        gauge("applications_oldest_days", "Age of the oldest application", Some("stage"), &oldest)?;
        let late: Vec<_> = applications::model::StageName::ALL
            .iter()
            .filter(|stage| stage.is_open())
            .map(|stage| {
                let of = status.dossiers_overdue.iter().find(|late| late.state == stage.word());
                (stage.word().to_owned(), number(of.map_or(0, |late| late.count)))
            })
            .collect();
        gauge("dossiers_overdue", "Applications that are late", Some("stage"), &late)?;
        let help = "Applications that wait without owner or due day: defects";
        gauge("dossiers_without_owner", help, None, &alone(number(status.dossiers_without_owner)))?;
        let help = "Applications and cases of the stock that wait where no officer in service has them: defects";
        let unattended = status.without_officer.iter().map(overdue::Defect::waiting).sum();
        gauge("work_without_officer", help, None, &alone(number(unattended)))?;
        let help = "Notices that wait or could not be sent, by state and way";
        gauge("notices", help, Some("state"), &counts(&status.notices))?;
        let help = "Notices of which a citizen may have got two, under one reference";
        gauge("notices_repeated", help, None, &alone(number(status.notices_repeated)))?;
        let help = "Notices that did not leave, as they were overtaken or their citizen is dead, by state and way";
        gauge("notices_not_sent", help, Some("state"), &counts(&status.notices_not_sent))?;
        let help = "Bookings whose slot is gone, and which no officer moved yet";
        gauge("bookings_to_be_moved", help, None, &alone(number(status.bookings_to_be_moved)))?;
        let fullest = status.number_cells.first().map_or(0.0, crate::numbering::model::NumberCell::used_ratio);
        let help = "How much of the fullest cell of personal numbers is used, from 0 to 1";
        gauge("number_cell_used_ratio", help, None, &alone(fullest))?;
        let orders = number(status.orders_unfinished.count);
        gauge("orders_unfinished", "Orders given out and not finished", None, &alone(orders))?;
        gauge("stations", "Stations that are not revoked", None, &alone(number(status.stations.len() as u64)))?;
        let in_use = || status.certificates.iter().filter(|one| one.in_use);
        let ends: Vec<_> = in_use()
            .map(|one| (one.file.clone(), moment(one.not_after.min(one.signs_until))))
            .chain(
                status
                    .revocation_list
                    .iter()
                    .filter_map(|list| Some(("csca.crl".to_owned(), moment(list.next_update?)))),
            )
            .chain(status.trust_bundle.map(|bundle| ("trust-bundle".to_owned(), moment(bundle.next_update))))
            .collect();
        gauge("not_after_timestamp_seconds", "When a certificate, list or bundle runs out", Some("file"), &ends)?;
        let left: Vec<_> = in_use().filter_map(|one| Some((one.file.clone(), number(one.signatures_left?)))).collect();
        gauge("signatures_left", "Signatures that a key may still make", Some("file"), &left)?;
        let late: Vec<_> = status.jobs.iter().map(|job| (job.name.clone(), whole(job.late_seconds))).collect();
        gauge("job_late_seconds", "How late a recurring job is", Some("job"), &late)?;
        let failures: Vec<_> = status.jobs.iter().map(|job| (job.name.clone(), f64::from(job.failures))).collect();
        gauge("job_failures", "Failures of a job since it was done", Some("job"), &failures)?;
        if let Some(disk) = status.disk {
            gauge("disk_free_bytes", "Free in the folder's file system", None, &alone(number(disk.free_bytes)))?;
            gauge("disk_total_bytes", "Size of the folder's file system", None, &alone(number(disk.total_bytes)))?;
        }
        let findings: Vec<_> =
            [super::status::Severity::Notice, super::status::Severity::Warning, super::status::Severity::Critical]
                .into_iter()
                .map(|severity| {
                    let n = status.findings.iter().filter(|finding| finding.severity == severity).count();
                    (severity.name().to_owned(), number(n as u64))
                })
                .collect();
        gauge("findings", "What an administrator must do or know; issuance status says it", Some("severity"), &findings)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn number(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn whole(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn moment(at: time::OffsetDateTime) -> f64 {
    at.unix_timestamp() as f64
}
