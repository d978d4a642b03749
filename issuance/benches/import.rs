//! How many declarations a second an import takes, with every rule on and all that the register keeps, and where the
//! time goes: on SQLite, on PostgreSQL, and as the first load of PostgreSQL. Beside each stand, in the same run, bare
//! rows of nineteen columns in one transaction (on PostgreSQL one binary `COPY`), and the tables of the register that
//! were filled, loaded bare: their rows copied into tables of the same columns, and their indexes made afterwards.
//!
//! ```text
//! cargo bench -p issuance --bench import            # 1,000,000 people; ROWS=… for another number, ONLY=first for one
//! ```

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use issuance::access::OFFICER;
use issuance::ground::actor::Service;
use issuance::ground::{Randomness, Role};
use issuance::keys::InitOptions;
use issuance::population::import::{Done, Ended, First, Format, Spent, Wanted, import, load_first};
use issuance::population::nation::{self, Nation, invented_provinces};
use issuance::server::{self, Offices, Settings};
use issuance::store::{Argument, Db, Sql, StoreError};
use issuance::{args, sql};
use sqlx::Connection as _;
use time::macros::{date, datetime};

#[expect(dead_code, unused_imports, reason = "a server of its own is wanted, and its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

/// Who takes the rows.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    Sqlite,
    Postgresql,
    First,
}

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let only = std::env::var("ONLY").unwrap_or_default();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nation.csv");
    write(&file, rows);
    for (way, name) in [(Way::Sqlite, "sqlite"), (Way::Postgresql, "postgresql"), (Way::First, "first")] {
        if !only.is_empty() && only != name {
            continue;
        }
        let mut server = if way == Way::Sqlite { None } else { postgres::Server::start() };
        if way != Way::Sqlite && server.is_none() {
            continue;
        }
        let database = match &mut server {
            Some(server) => Some(Box::pin(tuned(server, way)).await),
            None => None,
        };
        Box::pin(measure(name, way, database, &file)).await;
    }
}

/// Gives a server the settings of a load. Returns the URL of a database.
async fn tuned(server: &mut postgres::Server, way: Way) -> String {
    let url = server.fresh_database();
    let mut connection = sqlx::PgConnection::connect(&url).await.expect("a server");
    let for_all = ["shared_buffers = '2GB'", "max_wal_size = '16GB'", "checkpoint_timeout = '30min'"];
    let for_first = ["wal_level = 'minimal'", "max_wal_senders = 0"];
    let settings = for_all.into_iter().chain(for_first.into_iter().filter(|_| way == Way::First));
    for setting in settings {
        let statement = format!("alter system set {setting}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("a setting");
    }
    connection.close().await.expect("an end");
    server.restart();
    url
}

/// Writes the declarations of invented people, as `issuance generate` does.
fn write(file: &Path, people: u64) {
    let none = "0".parse().expect("a rate");
    let nation = Nation::new(people, 1, (none, none), &[], date!(2026 - 11 - 20)).expect("a nation");
    let mut out = BufWriter::new(File::create(file).expect("a file"));
    nation.write(nation::Format::Csv, 2, &mut out, &mut std::io::sink(), |_| ()).expect("room for the people");
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
async fn measure(name: &str, way: Way, database: Option<String>, file: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings { database, ..Settings::new(folder.path().join("data")) };
    settings.population.extra_provinces = invented_provinces();
    let randomness = Randomness::seeded(7);
    let now = issuance::ground::Clock::system(time::UtcOffset::UTC).now();
    server::init(&settings, &InitOptions::default(), "admin", now, &mut randomness.draw()).expect("a service");
    let offices = Box::pin(Offices::open(&settings, None, randomness)).await.expect("offices");
    let db = offices.deeds().db();
    let office: issuance::ground::OfficeCode = "d-1".parse().expect("a code");
    let officer = appoint(&offices, &office, now).await;
    let wanted = || Wanted { file: file.to_owned(), format: Format::Csv, officer, office: office.clone() };
    let stop = AtomicBool::new(false);
    let server = server_of(db).await;
    let (began, cpu, cpu_server) = (Instant::now(), cpu_seconds("self"), server.map_or(0.0, server_seconds));
    let (deeds, register) = (offices.deeds(), &offices.register);
    let (mut loaded, mut spent, mut parts) = (0.0, None, [cpu_server; 3]);
    let so_far = || server.map_or(0.0, server_seconds);
    if way == Way::First {
        let mut first = Box::pin(First::open(deeds)).await.expect("an empty register");
        let read = Box::pin(load_first(deeds, register, wanted(), &mut first, &stop, |_| ())).await;
        let (done, ended) = read.expect("loaded");
        assert_eq!(ended, Ended::Read);
        (loaded, spent, parts[0]) = (began.elapsed().as_secs_f64(), Some(done.spent), so_far());
        // None is left when the dictionary of names is made too.
        Box::pin(first.finish(deeds, |left| parts[usize::from(left == 0) + 1] = so_far())).await.expect("indexes");
    }
    let done = Box::pin(import(deeds, register, wanted(), &stop, |_| ())).await;
    let took = began.elapsed().as_secs_f64();
    let before = cpu_server;
    let (cpu, cpu_server) = (cpu_seconds("self") - cpu, so_far() - before);
    let (done, ended): (Done, Ended) = done.expect("imported");
    assert_eq!((done.rows, ended), (done.accepted + done.quarantined, Ended::Finished));
    let rows = done.rows as f64;
    let Spent { parsing, rules, keys, encoding } = spent.unwrap_or(done.spent);
    let a_row = |seconds: f64| seconds * 1e6 / rows;
    println!("\n{name}: {} rows, {} quarantined, {took:.1} s, {:.0} rows/s", done.rows, done.quarantined, rows / took);
    if way == Way::First {
        println!("  rows alone: {loaded:.1} s, {:.0} rows/s; then indexes, names, households", rows / loaded);
        let [began, of_rows, of_indexes, of_names] = [before, parts[0], parts[1], parts[2]];
        println!(
            "  server's CPU a row, us: rows {:.2}, indexes {:.2}, last index and names {:.2}, households {:.2}",
            a_row(of_rows - began),
            a_row(of_indexes - of_rows),
            a_row(of_names - of_indexes),
            a_row(began + cpu_server - of_names)
        );
    }
    let of = |time: time::Duration| a_row(time.as_seconds_f64());
    println!(
        "  CPU a row, us: parsing {:.2}, rules {:.2}, keys {:.2}, encoding {:.2}, process in all {:.2}, server {:.2}",
        of(parsing),
        of(rules),
        of(keys),
        of(encoding),
        a_row(cpu),
        a_row(cpu_server)
    );
    let (bare, bare_server) = bare(db, done.rows, server).await;
    println!(
        "  19 columns bare: {bare:.1} s, {:.0} rows/s, server {:.2} us a row; the import is {:.2} of it, the rows alone {:.2}",
        rows / bare,
        a_row(bare_server),
        bare / took,
        bare / if way == Way::First { loaded } else { took }
    );
    let before = so_far();
    let tables = tables_bare(db).await;
    let tables_server = so_far() - before;
    println!(
        "  its tables and indexes bare: {tables:.1} s, {:.0} rows/s, server {:.2} us a row; the import is {:.2} of it",
        rows / tables,
        a_row(tables_server),
        tables / took
    );
    if server.is_some() {
        println!(
            "  by the server's CPU the import is {:.2} of 19 columns bare, and {:.2} of its tables and indexes bare",
            bare_server / cpu_server,
            tables_server / cpu_server
        );
    }
    println!("  peak memory of the process so far: {} MB", peak_kilobytes() / 1024);
    db.close().await;
}

async fn appoint(
    offices: &Offices,
    office: &issuance::ground::OfficeCode,
    now: time::OffsetDateTime,
) -> issuance::ground::ids::OfficerId {
    let mut deed = offices.deeds().open(Service).await.expect("a deed");
    let officer = deed.id();
    let insert =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, 'r', '', $2, $3, $4)");
    let arguments = args![officer, Argument::json(&[Role::Registrar]), office, now];
    deed.tx().run(insert, arguments).await.expect("an officer");
    deed.tx().seal(&OFFICER, officer).await.expect("a MAC");
    let (action, object) = (issuance::deed::Action::OfficerMade, issuance::deed::Object::Officer(officer));
    deed.record(action, object, None, issuance::deed::Purpose::Administration).await.expect("a record");
    deed.commit().await.expect("kept");
    officer
}

/// The same number of rows of nineteen columns, in one transaction, with a key and without anything else. Returns
/// seconds, and seconds of the server's processor.
async fn bare(db: &Db, rows: u64, server: Option<u32>) -> (f64, f64) {
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    let made = sql!(
        pg "create table bare (id uuid, a text, b text, c date, d bigint, e bigint, f bigint, g bigint, h bigint,
            i bigint, j bigint, k bigint, l text, m text, n text, o text, p text, q text, r timestamptz)",
        lite "create table bare (id TEXT primary key, a TEXT, b TEXT, c TEXT, d INTEGER, e INTEGER, f INTEGER, g INTEGER,
              h INTEGER, i INTEGER, j INTEGER, k INTEGER, l TEXT, m TEXT, n TEXT, o TEXT, p TEXT, q TEXT, r INTEGER)",
    );
    tx.run(made, args![]).await.expect("a table");
    let now = datetime!(2026-01-05 08:00 UTC);
    let source = issuance::ground::Source::new(issuance::ground::Clock::standing(now), Randomness::seeded(1));
    let sql = sql!(
        "insert into bare (id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    );
    let (mut left, mut took) = (rows, 0.0);
    let cpu = server.map_or(0.0, server_seconds);
    while left > 0 {
        let mut some = tx.rows(sql, 19);
        let count = left.min(100_000);
        for id in source.ids::<()>(usize::try_from(count).expect("a hundred thousand")) {
            let n = |n: i64| n.into();
            let t = |text: &'static str| text.into();
            some.row([
                id.into(),
                t("Nguyễn Văn An"),
                t("nguyen van an"),
                date!(1980 - 01 - 01).into(),
                n(0),
                n(1),
                n(2),
                n(3),
                n(4),
                n(5),
                n(6),
                n(7),
                t("Số 1 Phố Mẫu"),
                t("Nguyễn Văn Ba"),
                t("Trần Thị Tư"),
                t("A1"),
                t("012345678"),
                t("001"),
                now.into(),
            ]);
        }
        let began = Instant::now();
        tx.insert_rows(some).await.expect("rows");
        took += began.elapsed().as_secs_f64();
        left -= count;
    }
    let began = Instant::now();
    tx.commit().await.expect("kept");
    (took + began.elapsed().as_secs_f64(), server.map_or(0.0, server_seconds) - cpu)
}

/// Loads what the register holds into tables of the same columns, and makes the same indexes afterwards. Returns
/// seconds.
async fn tables_bare(db: &Db) -> f64 {
    let began = Instant::now();
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    tx.make_room().await.expect("room");
    for (table, key) in [
        ("person", "id"),
        ("person_key", "key, person_id"),
        ("audit_home", "person_id"),
        ("full_name", "fold"),
        ("full_name_word", "word, fold"),
        ("quality_tally", "id"),
    ] {
        let copied = format!("create table bare_{table} as select * from {table}");
        tx.run(of(&copied, &copied), args![]).await.expect("a copy");
        let keyed = format!("create unique index bare_{table}_unique on bare_{table} ({key})");
        tx.run(of(&keyed, &keyed), args![]).await.expect("a key");
        let (pg, lite) = (
            format!(
                "select indexname as name, indexdef as made from pg_indexes
                 where tablename = '{table}' and indexname not like '%_pkey'"
            ),
            format!(
                "select name, sql as made from sqlite_master
                 where type = 'index' and tbl_name = '{table}' and sql is not null"
            ),
        );
        for row in tx.all(of(&pg, &lite), args![]).await.expect("indexes") {
            let (name, made): (String, String) = (row.get("name").expect("a name"), row.get("made").expect("a text"));
            let made = made
                .replacen(&name, &format!("bare_{name}"), 1)
                .replacen(&format!(" ON public.{table} "), &format!(" ON bare_{table} "), 1)
                .replacen(&format!(" on {table} "), &format!(" on bare_{table} "), 1);
            tx.run(of(&made, &made), args![]).await.expect("an index");
        }
    }
    tx.commit().await.expect("kept");
    began.elapsed().as_secs_f64()
}

/// A statement that is put together here; a bench may leak some.
fn of(pg: &str, lite: &str) -> Sql {
    Sql::new(pg.to_owned().leak(), lite.to_owned().leak())
}

/// Returns the process of the server; `None` on SQLite.
async fn server_of(db: &Db) -> Option<u32> {
    let mut tx = db.begin_read().await.expect("a transaction");
    let sql = sql!(pg "select pg_backend_pid()::bigint as n", lite "select null as n");
    let backend: Result<Option<i64>, StoreError> =
        tx.one(sql, args![]).await.expect("an answer").expect("a row").get("n");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", backend.ok()??)).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Seconds of processor that a server and its processes took, also those that ended.
fn server_seconds(server: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let children = names.filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && parent(name) == Some(server));
    children.map(|child| cpu_seconds(&child)).sum::<f64>() + cpu_seconds(&server.to_string())
}

fn stat(process: &str) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().map(str::to_owned).collect()
}

fn parent(process: &str) -> Option<u32> {
    stat(process).get(1)?.parse().ok()
}

/// Seconds of processor that a process took, and its children that ended.
fn cpu_seconds(process: &str) -> f64 {
    let after = stat(process);
    let ticks = |at: usize| after.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (11..15).map(ticks).sum::<f64>() / 100.0
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
