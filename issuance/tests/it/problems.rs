//! What a caller is told when something does not work, and what the log says about it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use issuance::ground::{Randomness, Role};
use issuance::keys::InitOptions;
use issuance::server;
use issuance::web::{Right, catalogued};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::exchange;
use crate::house::{self, Caller, House, NIL, on_both};

/// Reads an answer that must be a problem document: complete, and of one mind with status and headers. Returns it.
async fn problem(response: Response) -> Value {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    let code: crypto::perso::problem::ProblemCode = serde_json::from_value(body["code"].clone()).unwrap();
    assert_eq!(body["type"], format!("https://citizen-card.invalid/problems/{code}"));
    assert_eq!(body["about"], json!(code.about()), "{body}");
    assert_eq!(body["title"], code.word().replace('-', " "));
    assert_eq!((body["status"].as_u64(), catalogued(code).status), (Some(status.into()), status), "{body}");
    assert_eq!(body["remedy"], catalogued(code).en.remedy);
    assert!(body["detail"].is_null() || body["detail"].is_string());
    let id = body["request_id"].as_str().unwrap();
    assert_ne!(id.parse::<Uuid>().unwrap(), Uuid::nil());
    assert_eq!(headers["x-request-id"], id);
    body
}

/// A request of this caller, with an idempotency key.
fn request(caller: &Caller, method: &str, path: &str) -> RequestBuilder {
    let request = caller.client.request(method.parse().unwrap(), format!("{}{path}", caller.address));
    let request = request.header("Idempotency-Key", "k");
    match &caller.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    Box::pin(on_both(async |house| {
        let every = house.officer("every", &Role::ALL, "o-1").await;
        let (anyone, person, audit) = (house.anyone(), format!("/api/v1/persons/{NIL}"), "/api/v1/audit?object=x");
        let applications = || request(&every, "POST", "/api/v1/applications");
        let too_large = "x".repeat(issuance::web::Settings::default().body_limit + 1);
        let applies = |person: &str| json!({"person_id": person, "kind": "first", "office": "o-1"});
        for (request, code) in [
            (request(&anyone, "GET", "/api/v1/everything"), "no-such-path"),
            (request(&anyone, "GET", "/"), "no-such-path"),
            (request(&anyone, "PUT", "/health"), "method-not-allowed"),
            (request(&anyone, "GET", &person), "session-needed"),
            (request(&anyone, "POST", "/api/v1/station/intake/orders"), "station-certificate-needed"),
            (request(&house.admin, "GET", &person), "role-missing"),
            (request(&every, "GET", &person), "person-unknown"),
            (request(&every, "GET", "/api/v1/persons/0"), "identifier-malformed"),
            (request(&every, "GET", "/api/v1/persons/%FF"), "identifier-malformed"),
            (request(&every, "GET", "/api/v1/persons/00000000000000000000000000000000"), "identifier-malformed"),
            (
                request(&every, "POST", "/api/v1/stations/0/revocation").json(&json!({"reason": ""})),
                "identifier-malformed",
            ),
            (request(&every, "GET", "/api/v1/audit"), "query-malformed"),
            (request(&every, "GET", &format!("{audit}&after=0")), "query-malformed"),
            (request(&every, "GET", &format!("{audit}&everything=1")), "query-malformed"),
            (applications().body("{"), "body-malformed"),
            (applications().body(vec![0xff]), "body-malformed"),
            (applications().json(&json!([])), "body-invalid"),
            (applications().json(&json!({"person": "x"})), "body-invalid"),
            (applications().json(&applies(NIL)), "person-unknown"),
            (applications().body(too_large.clone()), "body-too-large"),
            (request(&anyone, "POST", "/api/v1/sessions").body(too_large.clone()), "body-too-large"),
            (applications().json(&applies("0")), "identifier-malformed"),
        ] {
            let said = problem(request.send().await.unwrap()).await;
            assert_eq!(said["code"], code, "{said}");
        }
        for (key, code) in [(None, "idempotency-key-missing"), (Some("k".repeat(129)), "idempotency-key-malformed")] {
            let request = every.client.post(format!("{}/api/v1/applications", every.address));
            let request = request.bearer_auth(every.token.as_ref().unwrap());
            let request = key.iter().fold(request, |request, key| request.header("Idempotency-Key", key));
            assert_eq!(problem(request.send().await.unwrap()).await["code"], code);
        }
    }))
    .await;
}

/// What stands in a path is refused by one extractor: never in plain text, and never with what stood there.
#[tokio::test]
async fn no_path_is_refused_but_by_a_problem_document() {
    on_both(async |house| {
        let every = house.officer("every", &Role::ALL, "o-1").await;
        let (station, _) = house.station("station-1").await;
        let (anyone, partner) = (house.anyone(), exchange::joined(house).await.system);
        let rights = server::rights();
        let named = rights.iter().filter(|((_, path), _)| path.contains('{'));
        let mut routes = 0;
        for ((method, path), right) in named {
            let caller = match right {
                Right::Anyone => &anyone,
                Right::Officer(_) | Right::SignedIn => &every,
                Right::Citizen => panic!("{path}: a citizen names nothing"),
                Right::Partner => &partner,
                Right::Station => &station,
                Right::Carrier => unreachable!("adapters stand in no document"),
            };
            let (before, rest) = path.split_once('{').unwrap();
            let (_, after) = rest.split_once('}').unwrap();
            // A second parameter is what it should be.
            let after = after.replace("{finger}", "left-ring");
            assert!(!after.contains('{'), "{path}: one parameter is tried");
            let long = "x".repeat(9_000);
            for value in ["%ff", "%00", "%c3%28", "a%2fb", "%f0%9f%98%80", "..%2f..", "Nguyen", &long] {
                let mut request = request(caller, method, &format!("{before}{value}{after}"));
                if method != "GET" {
                    request = request.json(&json!({}));
                }
                let said = problem(request.send().await.unwrap()).await;
                let code = said["code"].as_str().unwrap();
                let known = ["chip-unknown", "hash-malformed", "identifier-malformed", "body-invalid"];
                assert!(known.contains(&code), "{method} {path} {value}: {said}");
                assert!(code != "body-invalid" || method != "GET", "{method} {path} {value}: {said}");
                let told = said.to_string();
                assert!(!told.contains("xxx") && !told.contains("Nguyen"), "{method} {path}: {told}");
            }
            routes += 1;
        }
        assert!(routes > 20, "{routes} routes with a parameter");
    })
    .await;
}

/// The limit holds for a body whose length is not announced, too.
#[tokio::test]
async fn a_body_without_an_end_is_a_problem_document() {
    let house = House::open(None).await;
    let authority = fs::read(house.folder.path().join("data/tls-ca.pem")).unwrap();
    let path = format!("{}/api/v1/officers", house.admin.address);
    let token = house.admin.token.clone().unwrap();
    let limit = issuance::web::Settings::default().body_limit;
    let asked = tokio::task::spawn_blocking(move || {
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::blocking::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        let endless = std::io::repeat(b'x').take(limit as u64 + 1);
        let request = client.post(path).bearer_auth(token).header("Idempotency-Key", "k");
        let said = request.body(reqwest::blocking::Body::new(endless)).send().unwrap();
        (said.status().as_u16(), said.headers()[CONTENT_TYPE].clone(), said.text().unwrap())
    });
    let (status, kind, text) = asked.await.unwrap();
    assert_eq!((status, kind.to_str().unwrap()), (413, "application/problem+json"));
    assert!(text.contains("body-too-large"), "{text}");
    house.service.stop().await;
}

/// What stood in the request may be personal data, and answers end up in the logs of callers.
#[tokio::test]
async fn a_refusal_quotes_nothing_of_the_request() {
    on_both(async |house| {
        let every = house.officer("every", &Role::ALL, "o-1").await;
        for request in [
            request(&every, "GET", "/api/v1/persons/Nguyen-Thi-Mau"),
            request(&every, "GET", "/api/v1/audit?person=Nguyen-Thi-Mau"),
            request(&every, "POST", "/api/v1/applications").body("{\"person_id\": Nguyen-Thi-Mau"),
            request(&every, "POST", "/api/v1/applications").json(&json!({"person_id": "Nguyen-Thi-Mau"})),
            request(&every, "POST", "/api/v1/applications").json(&json!({"person_id": NIL, "kind": "Nguyen-Thi-Mau"})),
            request(&every, "POST", "/api/v1/applications").json(&json!({"fee_exempt": "Nguyen-Thi-Mau"})),
        ] {
            let said = problem(request.send().await.unwrap()).await.to_string();
            assert!(!said.contains("Nguyen"), "{said}");
        }
    })
    .await;
}

/// The name of a field that there is not is the caller's own text, of any length.
#[tokio::test]
async fn a_refusal_repeats_little_of_an_unknown_field() {
    let house = House::open(None).await;
    let every = house.officer("every", &Role::ALL, "o-1").await;
    let detail = async |name: &str| {
        let request = request(&every, "POST", "/api/v1/applications").json(&json!({ name: 1 }));
        let said = problem(request.send().await.unwrap()).await;
        assert_eq!(said["code"], "body-invalid", "{said}");
        said["detail"].as_str().unwrap().to_owned()
    };
    let short = detail("persn_id").await;
    assert!(short.starts_with("unknown field `persn_id`, expected one of `person_id`, `kind`"), "{short}");
    let sly = "x".repeat(100) + "`, expected " + &"y".repeat(2_000);
    for name in ["x".repeat(2_000_000), "ữ".repeat(600_000), sly, "` at line 1".repeat(1_000)] {
        let long = detail(&name).await;
        let characters = long.chars().count();
        assert!(characters < short.chars().count() + 60, "{characters} characters");
        assert!(long.contains("…`, expected one of `person_id`"), "{long}");
    }
    house.service.stop().await;
}

/// A service in a process of its own. Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_request_id_of_a_failure_leads_to_its_cause_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let rng = &mut Randomness::seeded(1).draw();
    server::init(&settings, &InitOptions::default(), "admin", house::now(), rng).unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&settings.data).env("RUST_LOG", "info");
    command.stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
    let mut process = Process(command.spawn().unwrap());
    let mut first = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.trim_end().strip_prefix("issuance listens on ").unwrap().to_owned();
    let client = house::client(&folder, None);

    fs::remove_file(settings.data.join("csca.crl")).unwrap();
    let mut failed = Vec::new();
    for _ in 0..2 {
        let said = problem(client.get(format!("{address}/api/v1/crl")).send().await.unwrap()).await;
        assert_eq!((&said["code"], &said["about"]), (&json!("internal"), &json!("service")));
        let told = said.to_string();
        assert!(!told.contains("csca") && !told.contains("No such file"), "the cause is not answered: {told}");
        failed.push(said["request_id"].as_str().unwrap().to_owned());
    }
    let refused = problem(client.get(format!("{address}/api/v1/everything")).send().await.unwrap()).await;
    drop(process); // what it wrote is in the file
    let log = fs::read_to_string(&log).unwrap();
    let errors =
        |id: &str| log.lines().filter(|line| line.contains(" ERROR ") && line.contains(id)).collect::<Vec<_>>();
    assert_ne!(failed[0], failed[1]);
    for id in &failed {
        let [line] = errors(id)[..] else { panic!("not one error line with {id}:\n{log}") };
        assert!(line.contains("csca.crl") && line.contains("No such file") && line.contains("internal"), "{line}");
    }
    // A refusal is no failure: it has its line, and no error.
    let id = refused["request_id"].as_str().unwrap();
    assert!(errors(id).is_empty() && log.contains(id), "{log}");
}

/// With `log.json` each line of a request is an object that carries its id and the account of the officer.
#[tokio::test]
async fn a_log_in_json_names_request_and_account_of_an_officer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let rng = &mut Randomness::seeded(1).draw();
    let made = server::init(&settings, &InitOptions::default(), "admin", house::now(), rng).unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-json", "--data"]).arg(&settings.data);
    command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
    let mut process = Process(command.spawn().unwrap());
    let mut first = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.trim_end().strip_prefix("issuance listens on ").unwrap().to_owned();
    let mut admin = Caller { client: house::client(&folder, None), address, token: None };
    let signed_in = admin.signs_in("admin", &made.admin_password).await;
    admin.token = Some(signed_in.body["token"].as_str().unwrap().into());
    let answer = request(&admin, "GET", "/api/v1/officer-proposals").send().await.unwrap();
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    drop(process);
    let log = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_request: Vec<_> = lines.iter().filter(|line| line["span"]["request.id"] == request_id).collect();
    assert!(!of_request.is_empty(), "{log}");
    for line in of_request {
        assert!(line["span"]["officer"].as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()), "{line}");
    }
    assert!(!log.contains(made.admin_password.as_str()));
}
