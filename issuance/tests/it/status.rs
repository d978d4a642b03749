//! What an administrator sees: `issuance status`, the log's warnings, the probes and the metrics say the same.

use std::process::{Command, Output};

use issuance::ground::Role;
use issuance::population::import::{Ended, Format, Told, Wanted, end, import};
use issuance::server::status::{self, Severity};
use issuance::store::Argument;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{House, on_both};

/// What the service sees when it looks now.
pub async fn seen(house: &House) -> std::sync::Arc<status::Status> {
    let offices = house.service.offices();
    offices.watch.look(offices.deeds()).await.unwrap();
    offices.watch.latest().unwrap()
}

async fn metrics(house: &House) -> String {
    let address = house.service.metrics_address().expect("metrics are answered");
    reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap()
}

/// The value of a metric with these labels.
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not there:\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_code_and_the_state_is_told() {
    let house =
        Box::pin(House::open_with(|settings| settings.metrics_listen = Some("127.0.0.1:0".parse().unwrap()))).await;
    let officer = house.officer("thu", &[Role::Capture], "003-001").await;
    for _ in 0..3 {
        assert_eq!(officer.get("/api/v1/persons/00000000-0000-0000-0000-00000000000a").await.status, 404);
    }
    assert_eq!(house.anyone().get("/api/v1/quite/elsewhere").await.status, 404);
    let metrics = metrics(&house).await;
    let counted = |labels: &str| value(&metrics, &format!("issuance_http_requests_total{{{labels}}}"));
    assert!(
        (counted(r#"method="GET",path="/api/v1/persons/{id}",status="404",code="person-unknown""#) - 3.0).abs() < 0.1,
        "{metrics}"
    );
    let seconds = r#"issuance_http_request_duration_seconds_count{method="GET",path="/api/v1/persons/{id}"}"#;
    assert!((value(&metrics, seconds) - 3.0).abs() < 0.1);
    // What no route answers has one row, whatever was asked for.
    assert!(metrics.contains(r#"method="-",path="-",status="404""#) && !metrics.contains("elsewhere"), "{metrics}");
    for name in ["issuance_orders_unfinished", "issuance_stations", "issuance_disk_free_bytes"] {
        value(&metrics, name);
    }
    for name in ["issuance_stock_accounts_sum", "issuance_stock_ledger_complaints", "issuance_stock_batches_open"] {
        assert!(value(&metrics, name).abs() < 0.1, "{name}");
    }
    for row in [r#"issuance_stock_account_chips{account="courier"}"#, r#"issuance_stock_cases{state="overdue"}"#] {
        assert!(value(&metrics, row).abs() < 0.1, "{row}");
    }
    assert!(value(&metrics, r#"issuance_signatures_left{file="ds.der"}"#) > 999_000.0);
    let ends = value(&metrics, r#"issuance_not_after_timestamp_seconds{file="server.pem"}"#);
    #[expect(clippy::cast_precision_loss, reason = "a moment of this century")]
    let now = house.clock.now().unix_timestamp() as f64;
    assert!((700.0..740.0).contains(&((ends - now) / 86_400.0)));
    // The format's own last word: without it a scraper refuses the answer.
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    house.service.stop().await;
}

/// Read from what the archiver wrote, when it is asked for.
#[tokio::test]
async fn the_metrics_say_until_when_the_log_is_archived() {
    let house =
        Box::pin(House::open_with(|settings| settings.metrics_listen = Some("127.0.0.1:0".parse().unwrap()))).await;
    assert!(!metrics(&house).await.contains("issuance_archive"), "it was never archived");
    let said = json!({"to": "/mnt", "every_seconds": 15, "last_piece_at": "2026-11-26T08:00:00Z",
        "complete_at": "2026-11-26T08:01:00Z", "failing": "full"});
    let state = house.folder.path().join("data").join(issuance::server::backup::STATE);
    std::fs::write(state, said.to_string()).unwrap();
    let metrics = metrics(&house).await;
    let [complete, piece, failing] = [
        "issuance_archive_complete_timestamp_seconds",
        "issuance_archive_last_piece_timestamp_seconds",
        "issuance_archive_failing",
    ]
    .map(|name| value(&metrics, name));
    assert!((complete - piece - 60.0).abs() < 0.1 && (failing - 1.0).abs() < 0.1, "{metrics}");
    house.service.stop().await;
}

/// Nothing of a person or officer stands in the metrics: paths are patterns.
#[tokio::test]
async fn metrics_name_no_person_and_no_officer() {
    let house =
        Box::pin(House::open_with(|settings| settings.metrics_listen = Some("127.0.0.1:0".parse().unwrap()))).await;
    let officer = house.officer("nguyen-thu", &[Role::Capture], "003-001").await;
    officer.get("/api/v1/card-status/003300000017").await;
    let metrics = metrics(&house).await;
    for word in ["nguyen-thu", "003300000017", "003-001"] {
        assert!(!metrics.contains(word), "{word}");
    }
    house.service.stop().await;
}

#[tokio::test]
async fn without_the_setting_no_port_is_opened() {
    let house = Box::pin(House::open(None)).await;
    assert_eq!(house.service.metrics_address(), None);
    house.service.stop().await;
}

#[tokio::test]
async fn status_says_what_there_is_on_both_engines() {
    Box::pin(on_both(async |house| {
        // On PostgreSQL the address is the house's own; `status` takes the settings that `serve` took.
        let seen = house.service.offices().watch.latest().expect("the service looks at itself when it starts");
        assert_eq!(seen.sign_in, "password");
        let files: Vec<_> = seen.certificates.iter().map(|one| one.file.as_str()).collect();
        assert_eq!(files, ["csca.der", "ds.der", "trust-list-signer.der", "server.pem", "tls-ca.pem"]);
        assert!(seen.certificates.iter().all(|one| one.in_use && !one.revoked));
        let of_disk = |finding: &status::Finding| {
            ["administrators", "disk", "holidays", "sign-in"].contains(&finding.about.as_str())
        };
        assert!(seen.findings.iter().all(of_disk), "{:?}", seen.findings);
        let alone = seen.findings.iter().find(|finding| finding.about == "administrators");
        assert_eq!((seen.administrators, alone.map(|one| one.severity)), (1, Some(Severity::Notice)), "at the start");
        let one = seen.findings.iter().find(|finding| finding.about == "sign-in").expect("one factor is named");
        assert_eq!(one.severity, Severity::Notice);
        // Strangers are not told.
        let health = house.anyone().get("/readyz").await;
        assert!(!health.body.to_string().contains("password"), "{health:?}");
    }))
    .await;
}

/// Runs `issuance status` in the house's folder. Returns exit code and answer.
async fn command(house: &House, arguments: &'static [&'static str]) -> (Option<i32>, String) {
    let data = house.folder.path().join("data");
    // Apart: the service in this process needs its thread meanwhile.
    let Output { status, stdout, .. } = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("status").arg("--data").arg(data).args(arguments).output().unwrap()
    })
    .await
    .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[tokio::test]
async fn the_command_ends_with_a_code_for_how_bad_it_is() {
    let house = Box::pin(House::open(None)).await;
    let (code, told) = command(&house, &["--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["database"]["engine"], "sqlite");
    assert_eq!(told["certificates"][1]["purpose"], "signs security objects");
    // The disk of the machine on which the test runs may be full.
    let about_disk = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .all(|one| ["disk", "holidays", "sign-in"].contains(&one["about"].as_str().unwrap()));
    assert!(code == Some(0) || about_disk, "{told}");
    let (_, text) = command(&house, &[]).await;
    assert!(text.contains("one factor: the development default") && text.contains("ds.der"), "{text}");
    let data = house.folder.path().join("data");
    let vietnamese = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("status").arg("--data").arg(data).env("LC_ALL", "vi_VN.UTF-8").output().unwrap()
    });
    let vietnamese = String::from_utf8(vietnamese.await.unwrap().stdout).unwrap();
    for (label, english) in [("đăng nhập", "sign-in   "), ("chứng thư\n", "certificates\n"), ("LƯU Ý", "NOTICE")]
    {
        assert!(vietnamese.contains(label) && !vietnamese.contains(english), "{vietnamese}");
    }

    // A signer on the revocation list signs nothing more.
    let store = issuance::keys::KeyStore::open(&house.folder.path().join("data"), None).unwrap();
    let serial = told["certificates"][1]["serial"].as_str().unwrap();
    let signer = issuance::keys::find_issued(&store, serial).unwrap();
    issuance::keys::issue_crl(&store, &[signer.certificate.serial().clone()], house.clock.now()).unwrap();
    let (code, text) = command(&house, &[]).await;
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("CRITICAL  ds.der: revoked; it signs nothing more: issuance rotate ds"), "{text}");
    house.service.stop().await;
}

/// Thirty days, seven days and one day before its end, and after it, a certificate is found, each time worse.
#[tokio::test]
async fn what_runs_out_is_found_a_month_a_week_and_a_day_before() {
    let house = Box::pin(House::open(None)).await;
    let end = house.service.offices().watch.latest().unwrap().certificates[1].signs_until;
    let mut worst = Vec::new();
    for before in [31, 29, 6, 1, -1] {
        house.clock.advance(end - Duration::days(before) - house.clock.now());
        let seen = seen(&house).await;
        let of_signer = |finding: &&status::Finding| finding.about == "ds.der";
        worst.push(seen.findings.iter().find(of_signer).map(|finding| finding.severity));
    }
    assert_eq!(
        worst,
        [None, Some(Severity::Notice), Some(Severity::Warning), Some(Severity::Critical), Some(Severity::Critical)]
    );
    // A clock that stands before the certificates begin is named.
    house.clock.advance(Duration::days(-4000));
    let seen = seen(&house).await;
    let says: Vec<_> = seen.findings.iter().map(|finding| finding.says.as_str()).collect();
    assert!(says.iter().any(|says| says.contains("is this computer's clock right?")), "{says:?}");
    house.service.stop().await;
}

/// What waits is told with the age of the oldest; of what is ended, the number alone.
#[tokio::test]
async fn applications_are_counted_by_stage_and_the_oldest_that_waits_is_told() {
    Box::pin(on_both(async |house| {
        let day = house.clock.now() - Duration::days(3);
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let person = sql!(
            "insert into person (id, office, record, likeness, findings, declared_by, declared_at)
             select $1, 'o-0', $2, '', $3, id, $4 from officer limit 1"
        );
        let id = |n: u128| uuid::Uuid::from_u128(n);
        tx.run(person, args![id(1), Argument::json(&json!({})), Argument::json(&json!([])), day]).await.unwrap();
        let application = sql!(
            "insert into application (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data)
             select $1, 'S', $2, $3, 'o-0', id, $4, 0, $5, $3 from officer limit 1"
        );
        for (n, stage, age) in [(2, "captured", 0), (3, "captured", 2), (4, "captured", 1), (5, "handed-over", 9)] {
            let of = args![id(n), id(1), Argument::json(&json!({})), day - Duration::days(age), stage];
            tx.run(application, of).await.unwrap();
        }
        tx.commit().await.unwrap();
        for added_up in [false, true] {
            let status = seen(house).await;
            let told: Vec<_> = status.applications.iter().map(|one| (&*one.stage, one.count, one.oldest_days)).collect();
            assert_eq!(told, [("captured", 3, Some(5)), ("handed-over", 1, None)], "{added_up}");
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            issuance::applications::store::add_up(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        let rows = house.count(sql!("select count(*) as n from application_tally"), args![]).await;
        assert_eq!(rows, 2, "one row a stage");
    }))
    .await;
}

/// Two that add up and many that change at once lose nothing and count nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_it_is_added_up_is_counted_once() {
    Box::pin(on_both(async |house| {
        let db = house.service.offices().deeds().db().clone();
        let insert = sql!("insert into card_tally (state, n) values ('revoked', 1)");
        let changes = async || {
            for _ in 0..100 {
                let mut tx = db.begin_upkeep().await.unwrap();
                tx.run(insert, args![]).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        let adds = async || {
            for _ in 0..40 {
                let mut tx = db.begin_upkeep().await.unwrap();
                issuance::cards::store::add_up(&mut tx).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        tokio::join!(changes(), adds(), changes(), adds());
        adds().await;
        // More than a piece is left to the next transaction.
        let many = sql!(
            "with recursive g (n) as (select 1 union all select n + 1 from g where n < 20001)
             insert into card_tally (state, n) select 'revoked', 1 from g"
        );
        for (sql, finished) in [(Some(many), false), (None, false), (None, true)] {
            let mut tx = db.begin_upkeep().await.unwrap();
            if let Some(sql) = sql {
                tx.run(sql, args![]).await.unwrap();
            }
            assert_eq!(issuance::cards::store::add_up(&mut tx).await.unwrap(), finished);
            tx.commit().await.unwrap();
        }
        let mut tx = db.begin_read().await.unwrap();
        assert_eq!(issuance::cards::store::figures(&mut tx).await.unwrap(), [("revoked".to_owned(), 20_201)]);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_left_is_named_after_a_day_until_it_is_ended() {
    Box::pin(on_both(async |house| {
        let (_, officer) = house.appointed("lan", &[Role::Registrar], "o-1").await;
        let (office, officer) = ("o-1".parse().unwrap(), officer.parse().unwrap());
        let file = house.folder.path().join("left.csv");
        let header = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group";
        std::fs::write(&file, format!("{header}\n{}", ",,,,,\n".repeat(1100))).unwrap();
        let offices = house.service.offices();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let tell = |told| {
            if matches!(told, Told::Entered(done) if done.rows > 0) {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let wanted = Wanted { file, format: Format::Csv, officer, office };
        let office = wanted.office.clone();
        let imported = import(offices.deeds(), &offices.register, wanted, &stop, tell);
        let (done, ended) = Box::pin(imported).await.unwrap();
        assert_eq!((done.rows, ended), (1000, Ended::Stopped));
        let found = async || {
            let status = seen(house).await;
            status.findings.iter().find(|one| one.about == "import left.csv").cloned()
        };
        assert_eq!(found().await, None, "it may be under way");
        house.clock.advance(time::Duration::hours(25));
        let named = found().await.expect("it was left");
        assert_eq!(named.severity, Severity::Warning);
        assert!(named.says.contains(&format!("issuance import --end {}", done.batch)), "{}", named.says);
        end(offices.deeds(), done.batch, (officer, &office), "sent anew").await.unwrap();
        assert_eq!(found().await, None);
    }))
    .await;
}

#[tokio::test]
async fn an_archive_that_is_configured_and_was_never_begun_is_a_warning() {
    let house = Box::pin(House::open_with(|settings| settings.archive = Some("/mnt/archive".into()))).await;
    let status = seen(&house).await;
    let found = status.findings.iter().find(|one| one.about == "archive").expect("a finding");
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.says.contains("/mnt/archive") && found.says.contains("issuance archive"), "{}", found.says);
    house.service.stop().await;
}

/// Cells of the number space are listed, the fullest first, and warned of when half, nine tenths and all is used.
#[tokio::test]
async fn a_cell_of_numbers_that_fills_up_is_told_before_it_is_full() {
    Box::pin(on_both(async |house| {
        let fills = async |id: &str, next: i64| {
            let sql = sql!(
                "insert into number_cell (id, next) values ($1, $2) on conflict (id) do update set next = excluded.next"
            );
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql, args![id, next]).await.unwrap();
            tx.commit().await.unwrap();
        };
        assert_eq!(seen(house).await.number_cells.len(), 0);
        for year in 1990..2001 {
            fills(&format!("001-M-{year}"), 10).await;
        }
        let mut worst = Vec::new();
        for next in [499_999, 500_000, 899_999, 900_000, 999_999, 1_000_000] {
            fills("003-F-2000", next).await;
            let status = seen(house).await;
            let found: Vec<_> = status.findings.iter().filter(|one| one.about.starts_with("numbers ")).collect();
            assert!(found.iter().all(|one| one.about == "numbers 003300"), "{found:?}");
            worst.push(found.first().map(|one| one.severity));
            let first = &status.number_cells[0];
            assert_eq!((&*first.begins, &*first.province, first.sex, first.birth_year), ("003300", "003", 'F', 2000));
            assert_eq!(
                (first.used, first.left),
                (u64::try_from(next).unwrap(), 1_000_000 - u64::try_from(next).unwrap())
            );
            assert_eq!(status.number_cells.len(), 10, "the fullest ten");
        }
        for year in 1990..2001 {
            fills(&format!("001-M-{year}"), 500_001).await;
        }
        let status = seen(house).await;
        let found = status.findings.iter().filter(|one| one.about.starts_with("numbers ")).count();
        assert_eq!((status.number_cells.len(), found), (12, 12), "each that is half used, and not ten of them");
        // What came with files is used as well.
        let came =
            sql!("insert into number_cell_entered (id, entered) values ('001-M-1990', 400000), ('002-M-1990', 3)");
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.run(came, args![]).await.unwrap();
        tx.commit().await.unwrap();
        let status = seen(house).await;
        assert_eq!((status.number_cells[1].used, status.number_cells.len()), (900_001, 12));
        let (notice, warning) = (Some(Severity::Notice), Some(Severity::Warning));
        assert_eq!(worst, [None, notice, notice, warning, warning, Some(Severity::Critical)]);
        // Strangers are not told.
        let health = house.anyone().get("/readyz").await;
        assert!(!health.body.to_string().contains("003300"), "{health:?}");
    }))
    .await;
}

#[tokio::test]
async fn the_fullest_cell_of_numbers_is_a_metric_and_stands_in_the_text() {
    let house =
        Box::pin(House::open_with(|settings| settings.metrics_listen = Some("127.0.0.1:0".parse().unwrap()))).await;
    assert!(value(&metrics(&house).await, "issuance_number_cell_used_ratio").abs() < 1e-9);
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    tx.run(sql!("insert into number_cell (id, next) values ('003-F-2000', 612345)"), args![]).await.unwrap();
    tx.commit().await.unwrap();
    seen(&house).await;
    assert!((value(&metrics(&house).await, "issuance_number_cell_used_ratio") - 0.612_345).abs() < 1e-9);
    let (_, text) = command(&house, &[]).await;
    assert!(text.contains("003300                  61 % used: 612345, 387655 left"), "{text}");
    let (_, told) = command(&house, &["--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["number_cells"][0]["left"], 387_655);
    house.service.stop().await;
}
