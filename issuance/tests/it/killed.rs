//! A service that is killed in the middle of what partners ask: what is sent again has one answer, nothing is lost and
//! nothing counts twice.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration as Real;

use issuance::ground::ids::PersonId;
use issuance::{args, sql};
use reqwest::Method;
use serde_json::{Value, json};

use crate::exchange::{agreed, joined, person};
use crate::house::{Caller, House};
use crate::tables::fresh_database;

/// The service as a process of its own, on the folder and the database of a house.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    /// Starts it. The house of the test goes on meanwhile: it may hold the database.
    async fn start(config: &Path) -> Self {
        let config = config.to_owned();
        tokio::task::spawn_blocking(move || Self::started(&config)).await.unwrap()
    }

    fn started(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("serve").arg("--config").arg(config).env_remove("RUST_LOG").env_remove("ISSUANCE_LISTEN");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address =
            first.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap_or_else(|| panic!("{first}"));
        let address = address.trim_start_matches("https://").trim_end_matches(['.', ',', '/']);
        Self { process, address: format!("https://{address}") }
    }

    /// Ends it as a power cut does.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Asks, and kills the service after a while. Returns the answer, if it came before.
async fn cut(serving: Serving, system: &Caller, (path, body): (&str, &Value), after: Real) -> Option<Value> {
    let url = format!("{}{path}", serving.address);
    let asked = system.client.request(Method::POST, url).json(body).send();
    let asked = async {
        let answer = asked.await.ok().filter(|answer| answer.status() == 200)?;
        answer.json::<Value>().await.ok()
    };
    let killed = async {
        tokio::time::sleep(after).await;
        serving.kill();
    };
    tokio::join!(asked, killed).0
}

#[tokio::test]
async fn a_list_and_births_go_on_over_a_service_that_is_killed() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open(database.clone())).await;
        let joined = joined(&house).await;
        let fields = ["full_name", "birth_date"];
        let list = json!({"purpose": "tax-number", "service": "confirm-list", "fields": fields, "per_day": 100_000});
        let birth =
            json!({"purpose": "tax-number", "service": "birth", "fields": ["personal_number"], "per_day": 1000});
        agreed(&house, &joined, &joined.partner, "TT-L", json!([list, birth])).await;
        let (id, number) = person(&house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let opening = json!({"request": "l-1", "purpose": "tax-number", "case": "KH-1", "officer": "nguyen.van.thu",
            "second_officer": "tran.thi.duyet", "unit": "Cục Thử", "lines": 10_000});
        let opened = joined.system.asks(Method::POST, "/api/v1/exchange/lists", None, Some(opening)).await;
        let path = format!("/api/v1/exchange/lists/{}/stretches", opened.body["list"].as_str().unwrap());

        let data = house.folder.path().join("data");
        let config = house.folder.path().join("killed.toml");
        let database = database.map(|url| format!("database = {url:?}\n")).unwrap_or_default();
        let text = format!(
            "data = {:?}\n{database}listen = \"127.0.0.1:0\"\n[[population.extra_provinces]]\ncode = \"003\"\nname = \"Tỉnh Mẫu\"\n",
            data.to_str().unwrap()
        );
        std::fs::write(&config, text).unwrap();
        let lines = |n: u32| {
            let line = |number: String| {
                json!({"personal_number": number, "full_name": "Nguyễn Thị Mẫu",
                "birth_date": "17/05/1990"})
            };
            let others = (0..99).map(|at| line(format!("0031909{n:02}0{at:02}")));
            [line(number.clone())].into_iter().chain(others).collect::<Vec<_>>()
        };
        let birth = |n: u32| {
            let given = ["Xuân", "Hạ", "Thu", "Đông", "Lan", "Cúc", "Mai"][n as usize];
            let name = format!("Nguyễn Thị {given}");
            let child = crate::incoming::newborn(&name, &format!("0{n}/11/2026"));
            crate::incoming::report(&format!("ks-{n}"), "birth", child)
        };
        let birth_path = "/api/v1/exchange/birth";
        let mut answers = Vec::new();
        for (n, after) in (1..).zip([10, 25, 50, 80, 120, 180]) {
            let (stretch, birth) = (json!({"number": n, "lines": lines(n)}), birth(n));
            for (path, body) in [(path.as_str(), &stretch), (birth_path, &birth)] {
                let told =
                    cut(Serving::start(&config).await, &joined.system, (path, body), Real::from_millis(after)).await;
                let serving = Serving::start(&config).await;
                let system = Caller { address: serving.address.clone(), ..joined.system.clone() };
                let again = system.asks(Method::POST, path, None, Some(body.clone())).await;
                assert_eq!(again.status, 200, "{again:?}");
                assert!(told.is_none_or(|told| told == again.body), "one answer: {again:?}");
                answers.push(again.body);
                serving.kill();
            }
        }
        // Also the service that was never cut has these answers and no others.
        for (n, answer) in (1..).zip(answers.chunks(2)) {
            let stretch = json!({"number": n, "lines": lines(n)});
            for (path, body, answer) in [(path.as_str(), stretch, &answer[0]), (birth_path, birth(n), &answer[1])] {
                let said = joined.system.asks(Method::POST, path, None, Some(body)).await;
                assert_eq!(said.body, *answer, "{path} {n}");
            }
        }
        let count = async |sql| house.count(sql, args![]).await;
        assert_eq!(count(sql!("select count(*) as n from exchange_stretch")).await, 6);
        assert_eq!(count(sql!("select count(*) as n from person")).await, 1 + 6, "each child once");
        assert_eq!(count(sql!("select count(*) as n from exchange_miss")).await, 6 * 99);
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'exchange-answered'");
        assert_eq!(house.count(about, args![id.parse::<PersonId>().unwrap()]).await, 6, "a record for each stretch");
        let spent = sql!("select used as n from exchange_usage where used >= 600");
        assert_eq!(count(spent).await, 600, "each line once");
        house.service.stop().await;
    }
}
