//! `issuance partner`, `purpose` and `agreement`: an authority is joined from the command line,
//! by officers who sign in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use issuance::ground::Role;
use issuance::server::status::Severity;
use issuance::{args, sql};
use serde_json::json;
use time::Duration;

use crate::exchange::{self, asks, csr, moment, person, question};
use crate::house::{self, Caller, House, PASSWORD, on_both};
use crate::status::seen;

/// The files of two officers at their desks.
struct Desks {
    folder: tempfile::TempDir,
    service: String,
    authority: PathBuf,
}

impl Desks {
    fn of(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let authority = house.folder.path().join("data/tls-ca.pem");
        Self { folder, service: house.admin.address.clone(), authority }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, officer: &str, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.args(line).args(["--service", &self.service, "--officer", officer]).stdin(Stdio::null());
        command.arg("--authority").arg(&self.authority).arg("--password-file").arg(self.at("password"));
        command
    }

    /// Returns what the command says where it succeeds.
    async fn does(&self, officer: &str, line: &[&str]) -> String {
        let output = run(self.command(officer, line)).await;
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns what the command complains of where it is refused.
    async fn may_not(&self, officer: &str, line: &[&str]) -> String {
        let output = run(self.command(officer, line)).await;
        assert_eq!(output.status.code(), Some(1), "{line:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

const NEW: [&str; 14] = [
    "partner",
    "new",
    "--code",
    "p-thue",
    "--name",
    "Bộ Thử nghiệm",
    "--unit",
    "Cục Mẫu",
    "--contact-name",
    "Nguyễn Văn Thử",
    "--contact-email",
    "ket-noi@example.invalid",
    "--contact-phone",
    "024 0000 0000",
];

fn terms(house: &House, file: &Path, purpose: &str) {
    let (from, to) = (moment(house, Duration::seconds(-5)), moment(house, Duration::days(100)));
    let text = format!(
        "partner = 'p-thue'\nnumber = 'TT-1'\nbasis = 'Decree 47/2020/NĐ-CP, Art. 5'\nvalid_from = {from}\nvalid_to = {to}\n\
         kept_days = 30\n[[grants]]\npurpose = '{purpose}'\nservice = 'look-up'\nfields = ['full_name', 'sex']\nper_day = 10\n\
         provinces = ['003']\n"
    );
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn an_authority_is_joined_with_commands_of_two_officers_and_let_out_by_one() {
    on_both(async |house| {
        let (_bao, number) = ready(house).await;
        let desks = Desks::of(house);
        assert!(desks.does("admin", &NEW).await.contains("issuance partner confirm p-thue"));
        assert!(desks.may_not("admin", &["partner", "confirm", "p-thue"]).await.contains("second-officer-needed"));
        assert_eq!(desks.does("bao", &["partner", "confirm", "p-thue"]).await, "p-thue\tjoined\n");
        let (key, csr_pem) = csr();
        fs::write(desks.at("request.pem"), csr_pem).unwrap();
        let (request, out) = (desks.at("request.pem"), desks.at("system.pem"));
        let (request, out) = (request.to_str().unwrap(), out.to_str().unwrap());
        let add = ["partner", "add-system", "p-thue", "--name", "may-1", "--request", request];
        desks.does("admin", &add).await;
        let confirm = ["partner", "confirm-system", "p-thue", "--name", "may-1", "--out", out];
        let refused = desks.may_not("admin", &confirm).await;
        assert!(refused.contains("second-officer-needed") && !Path::new(out).exists(), "{refused}");
        desks.does("bao", &confirm).await;
        let pem = fs::read_to_string(out).unwrap();
        let shown = desks.does("bao", &["partner", "show", "p-thue"]).await;
        assert!(shown.contains("system may-1\tjoined\tcertificate ends in "), "{shown}");
        // Lost, it is written once more.
        let again = desks.at("again.pem");
        let once_more = ["partner", "certificate", "p-thue", "--name", "may-1", "--out", again.to_str().unwrap()];
        desks.does("admin", &once_more).await;
        assert_eq!(fs::read_to_string(&again).unwrap().replace('\r', ""), pem.replace('\r', ""));
        // A member of X-Road has no certificate; a security server has one, and says for whose members it asks.
        let add = ["partner", "add-system", "p-thue", "--name", "qua-vdxp", "--member", "VN/GOV/000.00.00.G12/thue"];
        assert!(desks.does("admin", &add).await.ends_with("confirm-system p-thue --name qua-vdxp\n"));
        let confirm_member = ["partner", "confirm-system", "p-thue", "--name", "qua-vdxp"];
        let with_out = [&confirm_member[..], &["--out", "x.pem"]].concat();
        assert!(desks.may_not("bao", &with_out).await.contains("leave out --out"));
        assert_eq!(desks.does("bao", &confirm_member).await, "qua-vdxp\tjoined\tVN/GOV/000.00.00.G12/thue\n");
        fs::write(desks.at("server.pem"), csr().1).unwrap();
        let server = desks.at("server.pem");
        let add = ["partner", "add-system", "p-thue", "--name", "ss-1", "--request", server.to_str().unwrap()];
        desks.does("admin", &[&add[..], &["--carries", "VN"]].concat()).await;
        let confirm_server = ["partner", "confirm-system", "p-thue", "--name", "ss-1"];
        assert!(desks.may_not("bao", &confirm_server).await.contains("--out FILE"));
        let shown = desks.does("bao", &["partner", "show", "p-thue"]).await;
        assert!(shown.contains("system qua-vdxp\tjoined\tmember VN/GOV/000.00.00.G12/thue\n"), "{shown}");
        assert!(shown.contains("system ss-1\tdrafted\tcarries VN\n"), "{shown}");
        // A certificate that is there is not written over.
        assert!(desks.may_not("bao", &confirm).await.contains("system.pem: File exists"));
        assert_eq!(fs::read_to_string(out).unwrap(), pem);

        let purpose = [
            "purpose",
            "new",
            "tax-number",
            "--vietnamese",
            "Cấp mã số thuế",
            "--english",
            "Tax code",
            "--law",
            "Law 38/2019/QH14, Art. 35(7)",
        ];
        desks.does("admin", &purpose).await;
        let file = desks.at("terms.toml");
        terms(house, &file, "tax-number");
        let draft = ["agreement", "draft", file.to_str().unwrap()];
        assert!(desks.may_not("admin", &draft).await.contains("no confirmed purpose"));
        assert!(desks.may_not("admin", &["purpose", "confirm", "tax-number"]).await.contains("second-officer-needed"));
        desks.does("bao", &["purpose", "confirm", "tax-number"]).await;
        assert!(desks.does("admin", &draft).await.contains("issuance agreement sign TT-1"));
        // Who signs sees what is signed; a script says yes by itself.
        let unseen = desks.may_not("admin", &["agreement", "sign", "TT-1"]).await;
        for said in [
            "look-up for tax-number",
            "Law 38/2019/QH14",
            "fields: 2: full_name, sex",
            "provinces 003",
            "10 persons",
            "repeat the command with --yes",
        ] {
            assert!(unseen.contains(said), "{said}: {unseen}");
        }
        assert_eq!(desks.does("admin", &["agreement", "sign", "TT-1", "--yes"]).await, "TT-1\tdrafted\n");
        assert_eq!(desks.does("bao", &["agreement", "sign", "TT-1", "--yes"]).await, "TT-1\tin-force\n");

        let client = house::client(&house.folder, Some(&format!("{pem}{}", key.serialize_pem())));
        let system = Caller { client, address: house.admin.address.clone(), token: None };
        let ask = async |n: u32| {
            let mut asked = question(&format!("r-{n}"), &number, "Nguyễn Thị Mẫu", "17/05/1990");
            asked["purpose"] = json!("tax-number");
            asks(&system, "look-up", asked).await
        };
        let told = ask(1).await;
        assert_eq!((told.status, &told.body["record"]["sex"]), (200, &json!("F")), "{told:?}");

        // A purpose that an agreement has does not end before it.
        let end = ["purpose", "end", "tax-number", "--because", "the law changed", "--yes"];
        assert!(desks.may_not("bao", &end).await.contains("agreements have the purpose: TT-1"));
        let over = ["agreement", "end", "TT-1", "--because", "no longer needed", "--yes"];
        assert_eq!(desks.does("bao", &over).await, "TT-1\tended\n");
        assert_eq!(ask(2).await.code(), "exchange-not-agreed");
        assert_eq!(desks.does("bao", &end).await, "tax-number\tended\n");
        assert!(desks.may_not("bao", &end).await.contains("agreement-state-unfit"));
        assert!(desks.does("bao", &["purpose", "list"]).await.contains("tax-number\tended\tCấp mã số thuế"));
        let text = fs::read_to_string(&file).unwrap().replace("TT-1", "TT-2");
        fs::write(&file, text).unwrap();
        assert!(desks.may_not("admin", &draft).await.contains("or ended"));
        let refused = desks.may_not("admin", &["agreement", "sign", "TT-1"]).await;
        assert!(refused.contains("agreement-state-unfit") && !refused.contains("You sign this"), "{refused}");
        assert!(desks.does("bao", &["agreement", "list"]).await.starts_with("TT-1\tended\tp-thue\t"));
        let left = ["partner", "end", "p-thue", "--because", "left", "--yes"];
        assert_eq!(desks.does("bao", &left).await, "p-thue\tended\n");
        assert_eq!(ask(3).await.code(), "partner-certificate-unfit");
        let listed = desks.does("bao", &["partner", "list"]).await;
        assert_eq!(listed, "p-thue\tended\tBộ Thử nghiệm\tCục Mẫu\n");
    })
    .await;
}

/// The data protection officer, and the number of a person of the register.
async fn ready(house: &House) -> (Caller, String) {
    let bao = house.officer("bao", &[Role::DataProtection], "national").await;
    let (_, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
    (bao, number)
}

#[tokio::test]
async fn what_a_command_cannot_do_it_says_and_leaves_no_session() {
    on_both(async |house| {
        let (_bao, _) = ready(house).await;
        let desks = Desks::of(house);
        let open = sql!("select count(*) as n from session where closed_at is null");
        let before = house.count(open, args![]).await;
        desks.does("bao", &["partner", "list"]).await;
        assert_eq!(house.count(open, args![]).await, before, "the command signs out");
        assert!(desks.may_not("bao", &["partner", "show", "p-none"]).await.contains("partner-unknown"));
        assert!(desks.may_not("bao", &["agreement", "show", "TT-none"]).await.contains("agreement-unknown"));
        // What is typed names a purpose, and nothing beside it.
        for typed in ["../partners/x", "..", "a?b=c"] {
            let output = run(desks.command("bao", &["purpose", "end", typed, "--because", "typed so", "--yes"])).await;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && said.contains("2 to 40 lower-case letters"), "{typed}: {said}");
        }
        // An officer of another role.
        house.officer("capture", &[Role::Capture], "national").await;
        let refused = desks.may_not("capture", &["partner", "list"]).await;
        assert!(refused.contains("refused (role-missing)"), "{refused}");
        assert_eq!(house.count(open, args![]).await, before + 1, "that of the officer who was made alone");
        // A wrong password, a server that is none, an authority that is another, nothing at all.
        fs::write(desks.at("password"), "another-password\n").unwrap();
        let refused = desks.may_not("bao", &["partner", "list"]).await;
        assert!(refused.contains("refused (") && !refused.contains("another-password"), "{refused}");
        let mut nowhere = Desks::of(house);
        "https://127.0.0.1:9".clone_into(&mut nowhere.service);
        let mut command = nowhere.command("bao", &["partner", "list"]);
        command.env_remove("ISSUANCE_SERVICE");
        let refused = run(command).await;
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no answer ("), "{refused:?}");
        let mut strange = Desks::of(house);
        strange.authority = strange.at("password");
        assert!(strange.may_not("bao", &["partner", "list"]).await.contains("no certificate (PEM)"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.args(["purpose", "list"]).stdin(Stdio::null());
        let refused = run(command).await;
        assert!(
            String::from_utf8_lossy(&refused.stderr).contains("--service is missing: give it, or set ISSUANCE_SERVICE")
        );
    })
    .await;
}

#[tokio::test]
async fn a_certificate_or_an_agreement_that_ends_soon_is_told_in_time_and_to_those_who_work_here_alone() {
    on_both(async |house| {
        let joined = exchange::joined(house).await;
        let grants = json!([exchange::grant("look-up", &["sex"])]);
        exchange::agreed(house, &joined, &joined.partner, "TT-1", grants.clone()).await;
        let found = async |about: &str| {
            let status = seen(house).await;
            let ours = status.findings.iter().filter(|one| one.about.starts_with(about));
            ours.map(|one| (one.about.clone(), one.severity, one.says.clone())).collect::<Vec<_>>()
        };
        assert!(found("partner ").await.is_empty() && found("agreement ").await.is_empty());
        house.clock.advance(Duration::days(95));
        let told = found("agreement ").await;
        assert_eq!((told.len(), &*told[0].0, told[0].1), (1, "agreement TT-1", Severity::Warning), "{told:?}");
        assert!(told[0].2.contains("unless another one takes its place"));
        let shown = house.service.offices().watch.public_findings();
        assert!(shown.iter().all(|(_, says)| !says.contains("TT-1")), "a stranger is not told: {shown:?}");
        // Another one takes its place; one that grants less does not.
        for (number, fields, service, left) in
            [("TT-2", "card_status", "card-status", 1), ("TT-3", "sex", "look-up", 0)]
        {
            let (bao, second) = signed_in_anew(house).await;
            let body = json!({"partner_id": joined.partner, "number": number, "basis": "Decree 47/2020/NĐ-CP, Art. 5",
                "valid_from": moment(house, Duration::ZERO), "valid_to": moment(house, Duration::days(300)),
                "kept_days": 30, "grants": [exchange::grant(service, &[fields])]});
            let drafted = second.post("/api/v1/agreements", number, body).await;
            let path = format!("/api/v1/agreements/{}/signature", drafted.body["id"].as_str().unwrap());
            for (signer, key) in [(&second, "s-1"), (&bao, "s-2")] {
                assert_eq!(signer.post(&path, &format!("{number}-{key}"), json!({})).await.status, 200);
            }
            assert_eq!(found("agreement ").await.len(), left, "{number}");
        }
        house.clock.advance(Duration::days(268));
        let told = found("partner ").await;
        assert_eq!((told.len(), &*told[0].0, told[0].1), (1, "partner p-thue", Severity::Warning), "{told:?}");
        assert!(told[0].2.contains("may-chu-1"));
        let (bao, _) = signed_in_anew(house).await;
        let path = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(bao.post(&path, "gone", json!({"reason": "another took its place"})).await.status, 200);
        assert!(found("partner ").await.is_empty());
    })
    .await;
}

/// The data protection officer and the second administrator, whose sessions ended with the days.
async fn signed_in_anew(house: &House) -> (Caller, Caller) {
    let mut callers = [house.anyone(), house.anyone()];
    for (caller, name) in callers.iter_mut().zip(["bao", "second"]) {
        caller.token = Some(caller.signs_in(name, PASSWORD).await.body["token"].as_str().unwrap().into());
    }
    let [bao, second] = callers;
    (bao, second)
}
