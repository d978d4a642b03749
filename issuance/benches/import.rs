//! How many declarations a second an import takes, with every rule on and all that the register keeps, beside bare rows
//! of the same width in one transaction: on SQLite and on PostgreSQL.
//!
//! ```text
//! cargo bench -p issuance --bench import            # 1,000,000 rows; ROWS=… for another number
//! ```

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use issuance::access::OFFICER;
use issuance::ground::actor::Service;
use issuance::ground::{Randomness, Role};
use issuance::keys::InitOptions;
use issuance::population::import::{Ended, Format, Wanted, import};
use issuance::server::{self, Offices, Settings};
use issuance::store::{Argument, Db};
use issuance::{args, sql};

#[expect(unused_imports, reason = "its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!(
        "| engine | import, rows/s | bare rows/s | ratio | CPU s a million |\n| --- | ---: | ---: | ---: | ---: |"
    );
    Box::pin(measure("SQLite", None, rows)).await;
    if let Some(url) = postgres::fresh_database() {
        Box::pin(measure("PostgreSQL", Some(url), rows)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
async fn measure(engine: &str, database: Option<String>, rows: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { database, ..Settings::new(folder.path().join("data")) };
    let randomness = Randomness::seeded(7);
    let options = InitOptions::default();
    let now = issuance::ground::Clock::system(time::UtcOffset::UTC).now();
    server::init(&settings, &options, "admin", now, &mut randomness.draw()).expect("a service");
    let offices = Box::pin(Offices::open(&settings, None, randomness)).await.expect("offices");
    let office: issuance::ground::OfficeCode = "d-1".parse().expect("a code");
    let mut deed = offices.deeds().open(Service).await.expect("a deed");
    let officer = deed.id();
    let insert =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, 'r', '', $2, $3, $4)");
    let arguments = args![officer, Argument::json(&[Role::Registrar]), &office, now];
    deed.tx().run(insert, arguments).await.expect("an officer");
    deed.tx().seal(&OFFICER, officer).await.expect("a MAC");
    let (action, object) = (issuance::deed::Action::OfficerMade, issuance::deed::Object::Officer(officer));
    deed.record(action, object, None, issuance::deed::Purpose::Administration).await.expect("a record");
    deed.commit().await.expect("kept");

    let file = folder.path().join("nation.csv");
    std::fs::write(&file, nation(rows)).expect("a file");
    let wanted = Wanted { file, format: Format::Csv, officer, office };
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let stop = AtomicBool::new(false);
    let done = Box::pin(import(offices.deeds(), &offices.register, wanted, &stop, |_| ())).await;
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    let (done, ended) = done.expect("imported");
    assert_eq!((done.rows, done.quarantined, ended), (rows, 0, Ended::Finished));
    let bare = bare(offices.deeds().db(), rows).await;
    let (rate, anchor) = (rows as f64 / took, rows as f64 / bare);
    println!("| {engine} | {rate:.0} | {anchor:.0} | {:.2} | {:.1} |", rate / anchor, cpu * 1e6 / rows as f64);
    offices.deeds().db().close().await;
}

/// The same number of rows of nineteen columns, in one transaction, with a key and without anything else. Returns
/// seconds.
async fn bare(db: &Db, rows: u64) -> f64 {
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    let made = sql!(
        pg "create table bare (id uuid primary key, a text, b text, c date, d bigint, e bigint, f bigint, g bigint, h bigint,
            i bigint, j bigint, k bigint, l text, m text, n text, o text, p text, q text, r timestamptz)",
        lite "create table bare (id TEXT primary key, a TEXT, b TEXT, c TEXT, d INTEGER, e INTEGER, f INTEGER, g INTEGER,
              h INTEGER, i INTEGER, j INTEGER, k INTEGER, l TEXT, m TEXT, n TEXT, o TEXT, p TEXT, q TEXT, r INTEGER)",
    );
    tx.run(made, args![]).await.expect("a table");
    let (day, now) = (time::macros::date!(1980 - 01 - 01), time::macros::datetime!(2026-01-05 08:00 UTC));
    let source = issuance::ground::Source::new(issuance::ground::Clock::standing(now), Randomness::seeded(1));
    let began = Instant::now();
    let sql = sql!(
        "insert into bare (id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    );
    let mut left = rows;
    while left > 0 {
        let row = |_| {
            let id: issuance::ground::ids::PersonId = source.id();
            let mut row = args![id, "Nguyễn Văn An", "nguyen van an", day];
            row.extend((0..8).map(|n| Argument::from(i64::from(n))));
            row.extend(["Số 1 Phố Mẫu", "Nguyễn Văn Ba", "Trần Thị Tư", "A1", "012345678", "001"].map(Argument::from));
            row.push(now.into());
            row
        };
        let some: Vec<_> = (0..left.min(10_000)).map(row).collect();
        tx.insert_all(sql, &some).await.expect("rows");
        left -= some.len() as u64;
    }
    tx.commit().await.expect("kept");
    began.elapsed().as_secs_f64()
}

/// Seconds of processor that this process took.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| after.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// A file of people who differ in name or birth date.
fn nation(rows: u64) -> String {
    let words = ["An", "Bình", "Chi", "Dung", "Giang", "Hà", "Khánh", "Lan", "Minh", "Nga", "Oanh", "Phúc", "Quý"];
    let mut text = String::from(
        "form,declared_on,full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group,\
         marital_status,permanent_residence.province,permanent_residence.district,permanent_residence.commune,\
         permanent_residence.detail,father.full_name,mother.full_name,head_of_household.full_name,relation_to_head,\
         old_id_number,household_book_number\n",
    );
    for number in 0..rows {
        let word = |by: u64| words[usize::try_from(number / by % 13).expect("less than 13")];
        let (day, month, year) = (number % 28 + 1, number / 28 % 12 + 1, 1940 + number / 336 % 60);
        let (one, two, three) = (word(1), word(13), word(169));
        writeln!(
            text,
            "{number},2026-01-05,Nguyễn {one} {two} {three},{day:02}/{month:02}/{year},Nam,001,001,01,single,001,001,00001,\
             Số {number} Phố Mẫu,Nguyễn Văn {two},Trần Thị {three},Nguyễn Văn {two},chủ hộ,{number:09},B{number}"
        )
        .expect("a text can be written to");
    }
    text
}
