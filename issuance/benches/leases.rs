//! How many numbers come out of leases in a second: each lease durable (data folder and database), its numbers drawn in
//! memory. The anchor, in the same run: the permutation alone, over as many positions, nothing kept.
//!
//! ```text
//! cargo bench -p issuance --bench leases            # 2,000,000 numbers; NUMBERS=… for another number
//! ```

use std::time::Instant;

use crypto::identity::Sex;
use crypto::identity::civil_time::VIET_NAM;
use issuance::deed::Deeds;
use issuance::ground::actor::Service;
use issuance::ground::{Clock, Randomness};
use issuance::keys::InitOptions;
use issuance::numbering::Numbers;
use issuance::numbering::leases::{self, LeasePurpose, MOST, Wanted};
use issuance::numbering::model::Cell;
use issuance::server::{self, Settings};

#[expect(dead_code, unused_imports, reason = "copies of databases are for tests; its own tests are not run here")]
#[path = "../../tests/src/world/postgres.rs"]
mod postgres;

#[tokio::main]
async fn main() {
    let numbers: u32 = std::env::var("NUMBERS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000_000);
    println!("| engine | numbers | permutation alone, per s | in leases of {MOST}, per s | part |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    Box::pin(measure("SQLite", None, numbers)).await;
    if let Some(url) = postgres::fresh_database() {
        Box::pin(measure("PostgreSQL", Some(url), numbers)).await;
    }
}

async fn measure(engine: &str, database: Option<String>, numbers: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { database, ..Settings::new(folder.path()) };
    let clock = Clock::system(VIET_NAM);
    server::init(&settings, &InitOptions::default(), "admin", clock.now(), &mut Randomness::System.draw())
        .expect("a service");
    let (deeds, office) = Box::pin(server::numbers(&settings)).await.expect("numbers");
    let began = Instant::now();
    let mut sum = 0_u64;
    for position in 0..numbers {
        let number = office.permutation().number(cell(position), position % 1_000_000).expect("a number");
        sum += u64::from(number.serial_part());
    }
    let alone = f64::from(numbers) / began.elapsed().as_secs_f64();
    let began = Instant::now();
    let drawn = Box::pin(draw(&deeds, &office, numbers)).await;
    let leased = f64::from(numbers) / began.elapsed().as_secs_f64();
    assert_eq!(drawn, sum, "the same positions, the same numbers");
    println!("| {engine} | {numbers} | {alone:.0} | {leased:.0} | {:.2} |", leased / alone);
    deeds.db().close().await;
}

async fn draw(deeds: &Deeds, office: &Numbers, numbers: u32) -> u64 {
    let (mut sum, mut position) = (0_u64, 0);
    while position < numbers {
        let Cell { province, sex, birth_year } = cell(position);
        let mut deed = deeds.open(Service).await.expect("a deed");
        let wanted = Wanted {
            office: "national".parse().expect("an office"),
            holder: "bench".to_owned(),
            purpose: LeasePurpose::OfflineStation,
            province,
            birth_year,
            sex: Some(sex),
            numbers: MOST.min(numbers - position),
            days: 1,
        };
        let lease = leases::lease(&mut deed, office, wanted).await.expect("a lease");
        deed.commit().await.expect("kept");
        for number in lease.numbers(office.permutation()) {
            sum += u64::from(number.expect("a number").serial_part());
        }
        position += lease.size();
    }
    sum
}

/// A cell for each million.
fn cell(position: u32) -> Cell {
    let year = 1950 + u16::try_from(position / 1_000_000).expect("few cells");
    Cell { province: "001".parse().expect("a province"), sex: Sex::Female, birth_year: year }
}
