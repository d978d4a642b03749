//! `issuance sandbox` and the partner's kit (docs/sandbox.md): a partner tries what it builds, and the kit finds a
//! client that believes what it must not.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A sandbox that serves. Ends with the test.
struct Sandbox {
    folder: tempfile::TempDir,
    process: Child,
    address: String,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn issuance(folder: &Path, line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(line).current_dir(folder).env_remove("ISSUANCE_DATA").env_remove("ISSUANCE_CONFIG");
    command
}

/// The lines of the document's first block, as a newcomer types them; the ports are free ones.
fn documented() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/sandbox.md")).unwrap();
    let block = text.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|line| line.replace(":18443", ":0")).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines = documented();
        let [make, serve] = [0, 1].map(|n| lines[n].split(' ').skip(1).collect::<Vec<_>>());
        let made = issuance(folder.path(), &make).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = issuance(folder.path(), &serve);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("issuance listens on ").unwrap().to_owned();
        Self { folder, process, address }
    }

    /// Runs the kit, with a client. Returns what it said, and its report.
    fn kit(&self, only: &str, client: Option<&Path>) -> (Output, Value) {
        let (kit, report) = (root().join("tests/partner-kit/kit.py"), self.folder.path().join("report.json"));
        let mut command = Command::new("python3");
        command.arg(kit).args(["--service", &self.address, "--folder"]).arg(self.folder.path().join("sandbox/partner"));
        command.args(["--only", only, "--report"]).arg(&report).env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(client) = client {
            command.args(["--client", "python3"]).arg(client);
        }
        let output = command.output().unwrap();
        let report = fs::read(&report).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
        (output, report)
    }
}

/// The kit needs Python and openssl; returns false, aloud, where one is missing.
fn can_run() -> bool {
    let there = |program: &str, argument: &str| Command::new(program).arg(argument).output().is_ok();
    let can = there("python3", "--version") && there("openssl", "version");
    if !can {
        println!("SKIPPED: the partner's kit needs python3 and openssl");
    }
    can
}

fn results(report: &Value, word: &str) -> Vec<String> {
    let checks = report["checks"].as_array().into_iter().flatten();
    checks.filter(|one| one["result"] == word).map(|one| one["check"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_smallest_client_passes_the_kit_and_one_that_believes_too_much_does_not() {
    if !can_run() {
        return;
    }
    let sandbox = Sandbox::new();
    let kit = root().join("tests/partner-kit");
    let (output, report) = sandbox.kit("", Some(&kit.join("client.py")));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && results(&report, "passed").len() >= 23, "{said}");
    assert!(results(&report, "failed").is_empty() && results(&report, "skipped").is_empty(), "{said}");
    // Nothing that the register told of people stands in the report.
    let people = fs::read_to_string(sandbox.folder.path().join("sandbox/partner/people.csv")).unwrap();
    let names = people.lines().skip(1).flat_map(|line| line.split(',').take(2));
    assert!(names.clone().count() >= 100 && names.clone().all(|name| !report.to_string().contains(name)), "{report}");

    // Programs with one fault each, and the checks that find it.
    let believes = ("client.py", "answer = believed(asked, said.body, said.signature(), keys)", "answer = said.json()");
    let question = ("answers.py", "raise Untrusted(\"it answers another question\")", "pass");
    let stranger =
        ("answers.py", "ssl.create_default_context(cafile=str(authority))", "ssl._create_unverified_context()");
    let kind = ("answers.py", "if done.returncode != 0:", "if done.returncode > 9:");
    for ((file, fault, instead), found) in [
        (believes, &["changed", "unsigned", "other kind", "other answer"][..]),
        (question, &["other answer"]),
        (stranger, &["stranger"]),
        (kind, &["changed"]),
        (("client.py", "ATTEMPTS = 4", "ATTEMPTS = 1"), &["lost", "busy"]),
        (("client.py", "if said.status == 503:", "if said.status != 200:"), &["refused"]),
    ] {
        for one in ["client.py", "answers.py"] {
            let whole = fs::read_to_string(kit.join(one)).unwrap();
            assert!(one != file || whole.contains(fault), "{fault}");
            let text = if one == file { whole.replace(fault, instead) } else { whole };
            fs::write(sandbox.folder.path().join(one), text).unwrap();
        }
        let (output, report) = sandbox.kit("client", Some(&sandbox.folder.path().join("client.py")));
        assert_eq!(output.status.code(), Some(1), "{fault}");
        let failed = results(&report, "failed");
        assert_eq!(failed, found.iter().map(|name| format!("client: {name}")).collect::<Vec<_>>(), "{fault}: {report}");
    }
}

#[test]
fn every_answer_of_a_sandbox_says_so_and_its_keys_sign_nothing_else() {
    let sandbox = Sandbox::new();
    let data = sandbox.folder.path().join("sandbox");
    let pem = fs::read(data.join("tls-ca.pem")).unwrap();
    let client = reqwest::blocking::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    for path in
        ["/livez", "/api/v1/exchange/keys", "/api/v1/persons", "/nothing", "/osia/openapi.json", "/pages/sign-in"]
    {
        let answer = client.get(format!("{}{path}", sandbox.address)).send().unwrap();
        assert_eq!(answer.headers()["x-sandbox"], "true", "{path}");
    }
    let page = client.get(format!("{}/pages/sign-in", sandbox.address)).header("accept-language", "en").send().unwrap();
    assert!(page.text().unwrap().contains("Citizen Card: sandbox with invented people"));
    let keys = |text: &Path| serde_json::from_slice::<Value>(&fs::read(text).unwrap()).unwrap();
    assert_eq!(keys(&data.join("partner/answer-keys.json"))["keys"], keys(&data.join("sandbox-keys.json")));
    assert!(!data.join("exchange-keys.json").exists() && !data.join("admin-password").exists());
    for file in ["officers/admin.password", "partner/system.key", "issuance.toml"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(data.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    // A folder that is there is left alone, whatever is in it; one that was cut is never served.
    fs::create_dir(sandbox.folder.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", sandbox.folder.path().join("link")).unwrap();
    for there in ["sandbox", "empty", "link"] {
        let again = issuance(sandbox.folder.path(), &["sandbox", "--data", there]).output().unwrap();
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(!again.status.success() && said.contains("name a new folder"), "{there}: {said}");
    }
    let mut making = issuance(sandbox.folder.path(), &["sandbox", "--data", "cut", "--people", "1000"]);
    let mut making = making.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !sandbox.folder.path().join("cut.unfinished/people.ndjson").exists() {
        assert_eq!(making.try_wait().unwrap(), None, "it ended before it was cut");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    making.kill().unwrap();
    making.wait().unwrap();
    assert!(!sandbox.folder.path().join("cut").exists());
    let again = issuance(sandbox.folder.path(), &["sandbox", "--data", "cut"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("remove the folder"));
    for host in ["", "a b", "partner.example:8443"] {
        let unfit = issuance(sandbox.folder.path(), &["sandbox", "--data", "host", "--host", host]).output().unwrap();
        let said = String::from_utf8_lossy(&unfit.stderr).into_owned();
        assert!(!unfit.status.success() && said.contains("--host"), "{said}");
        assert!(!sandbox.folder.path().join("host.unfinished").exists());
    }
    let nowhere = issuance(sandbox.folder.path(), &["sandbox"]).output().unwrap();
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--data DIR is missing"));
}
