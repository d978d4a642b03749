//! `issuance births send`: a desk's folder of messages, each sent once, whatever is cut.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use issuance::{args, sql};
use serde_json::{Value, json};

use crate::exchange::{agreed, csr, grant, joined, verifies};
use crate::house::{House, on_both};
use crate::incoming::newborn;

/// A birth desk: its files, and its folder of messages.
struct Desk {
    folder: tempfile::TempDir,
    service: String,
}

impl Desk {
    async fn of(house: &House) -> Self {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-KS", json!([grant("birth", &["personal_number"])])).await;
        let (key, csr_pem) = csr();
        let path = format!("/api/v1/partners/{}/systems", joined.partner);
        let system = house.admin.post(&path, "desk", json!({"name": "ban-khai-sinh", "csr_pem": csr_pem})).await;
        let path = format!("/api/v1/partner-systems/{}/confirmation", system.body["id"].as_str().unwrap());
        let confirmed = joined.bao.post(&path, "desk-c", json!({})).await;
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { service: house.admin.address.clone(), folder };
        fs::write(desk.at("system.pem"), confirmed.body["certificate_pem"].as_str().unwrap()).unwrap();
        fs::write(desk.at("system.key"), key.serialize_pem()).unwrap();
        fs::copy(house.folder.path().join("data/tls-ca.pem"), desk.at("ca.pem")).unwrap();
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        fs::write(desk.at("keys.json"), keys.to_string()).unwrap();
        fs::create_dir(desk.at("out")).unwrap();
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn message(&self, name: &str, birth: &Value) {
        let message = json!({"purpose": "tax-number", "case": name, "officer": "tran.thi.thu",
            "unit": "UBND phường Thử", "birth": birth});
        fs::write(self.at("out").join(format!("{name}.json")), serde_json::to_vec_pretty(&message).unwrap()).unwrap();
    }

    /// The command, after these words of a shell.
    fn command(&self, before: &str) -> Command {
        self.command_to(before, &self.service)
    }

    /// As [`Desk::command`], to this address.
    fn command_to(&self, before: &str, service: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{before} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_issuance")]);
        command.args(["births", "send"]).arg(self.at("out")).args(["--service", service, "--attempts", "1"]);
        for (flag, file) in [
            ("authority", "ca.pem"),
            ("certificate", "system.pem"),
            ("key", "system.key"),
            ("answer-keys", "keys.json"),
        ] {
            command.arg(format!("--{flag}")).arg(self.at(file));
        }
        command
    }

    fn kept(&self, name: &str) -> Option<Value> {
        let file = self.at("out").join(name);
        fs::read(file).ok().map(|text| serde_json::from_slice(&text).unwrap())
    }
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn counted(house: &House) -> (i64, i64) {
    let persons = house.count(sql!("select count(*) as n from person"), args![]).await;
    (persons, house.count(sql!("select count(*) as n from exchange_request where answer is not null"), args![]).await)
}

#[tokio::test]
async fn a_folder_is_sent_once_wherever_the_command_is_killed() {
    on_both(async |house| {
        let desk = Desk::of(house).await;
        for (name, child) in [("a", "Nguyễn Thị Mầm"), ("b", "Lê Thị Mơ"), ("c", "Lò Thị Vượng")] {
            desk.message(name, &newborn(child, "20/11/2026"));
        }
        // Between answer and file, between the writing of each file and its name, and before it is durable.
        for point in ["birth-answered:1", "file-written:1", "file-renamed:1", "file-written:2", "file-renamed:2"] {
            let mut command = desk.command("");
            command.env("ISSUANCE_FAILPOINT", point);
            let output = run(command).await;
            assert_eq!(output.status.signal(), Some(6), "{point}: {}", said(&output));
            assert_eq!(counted(house).await, (1, 1), "{point}");
        }
        let output = run(desk.command("")).await;
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("3 messages: 2 answered now, 1 before; 0 of them held, 0 refused"));
        assert_eq!(counted(house).await, (3, 3));
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        let mut numbers = vec![];
        for name in ["a", "b", "c"] {
            let answer = fs::read(desk.at("out").join(format!("{name}.answer.json"))).unwrap();
            let signature = fs::read_to_string(desk.at("out").join(format!("{name}.answer.jws"))).unwrap();
            assert!(verifies(&keys, &signature, &answer), "{name}");
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            numbers.push(answer["record"]["personal_number"].as_str().unwrap().to_owned());
        }
        assert!(numbers.iter().all(|number| !said(&output).contains(number)), "no number on the screen");
        numbers.dedup();
        assert_eq!(numbers.len(), 3);
        // Nothing is left half written, and nothing is sent again.
        let left: Vec<_> = fs::read_dir(desk.at("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
        let output = run(desk.command("")).await;
        assert!(said(&output).contains("0 answered now, 3 before"), "{}", said(&output));
        let replayed = sql!("select count(*) as n from audit_entry where action = 'answer-replayed'");
        let before = house.count(replayed, args![]).await;
        run(desk.command("")).await;
        assert_eq!(house.count(replayed, args![]).await, before);
    })
    .await;
}

#[tokio::test]
async fn what_is_held_refused_or_not_to_be_trusted_is_told_with_its_file() {
    let house = Box::pin(House::open(None)).await;
    let desk = Desk::of(&house).await;
    desk.message("a", &newborn("Nguyễn Thị Mầm", "20/11/2026"));
    let mut again = newborn("NGUYEN THI MAM", "20/11/2026");
    again["registration"] = json!("Số 2/2026");
    desk.message("b", &again);
    desk.message("c", &newborn("Lê Thị Mơ", "20/11/2099"));
    fs::write(desk.at("out").join("d.json"), "{\"request\": \"mine\"}").unwrap();

    // In clear, with keys of another register, and on a full disk nothing is kept and nothing is lost.
    let output = run(desk.command_to("", "http://127.0.0.1:1")).await;
    assert!(!output.status.success() && said(&output).contains("HTTPS alone"), "{}", said(&output));
    let keys = fs::read_to_string(desk.at("keys.json")).unwrap();
    let mut foreign: Value = serde_json::from_str(&keys).unwrap();
    foreign["keys"][0]["x"] = foreign["keys"][0]["y"].clone();
    fs::write(desk.at("keys.json"), foreign.to_string()).unwrap();
    let output = run(desk.command("")).await;
    assert!(said(&output).contains("a.json: the answer is not to be trusted"), "{}", said(&output));
    fs::write(desk.at("keys.json"), keys).unwrap();
    let output = run(desk.command("trap '' XFSZ; ulimit -f 0;")).await;
    assert!(!output.status.success() && said(&output).contains("a.answer.jws"), "{}", said(&output));
    assert_eq!((desk.kept("a.answer.json"), counted(&house).await.0), (None, 1));

    let output = run(desk.command("")).await;
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for line in [
        "1/4 a.json numbered",
        "2/4 b.json held (birth-recorded)",
        "3/4 c.json refused (date-in-future) at /birth/birth_date",
        "4/4 d.json refused (message-unfit): it has `request`",
        "2 answered now, 0 before; 1 of them held, 2 refused",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(desk.kept("c.refused.json").unwrap()["code"], "date-in-future");
    assert_eq!(desk.kept("b.answer.json").unwrap()["outcome"], "held");
    assert_eq!(counted(&house).await.0, 1);

    // Corrected, it is sent again; what was answered and changed afterwards is not.
    desk.message("c", &newborn("Lê Thị Mơ", "20/11/2026"));
    desk.message("a", &newborn("Nguyễn Thị Mận", "20/11/2026"));
    fs::remove_file(desk.at("out").join("d.json")).unwrap();
    let told = said(&run(desk.command("")).await);
    assert!(told.contains("3/3 c.json numbered"), "{told}");
    assert!(told.contains("1/3 a.json refused (message-changed)"), "{told}");
    assert_eq!((desk.kept("c.refused.json"), counted(&house).await.0), (None, 2));

    // A service that is away: the command stops, and says what to do.
    desk.message("e", &newborn("Lò Thị Vượng", "20/11/2026"));
    let told = said(&run(desk.command_to("", "https://127.0.0.1:1")).await);
    assert!(told.contains("e.json: no answer at 1 attempts") && told.contains("start the command again"), "{told}");
    house.service.stop().await;
}
