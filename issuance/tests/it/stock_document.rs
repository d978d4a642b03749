//! docs/stock.md, as it stands: its requests are sent in their order and answered as it says, its commands are run, and
//! its picture is of the house that they make.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use issuance::ground::Role;
use issuance::production;
use serde_json::Value;

use crate::house::{Caller, House};
use crate::tables::fresh_database;

/// The fenced blocks of the document in this language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let begun = document.split(fence.as_str()).skip(1);
    begun.filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block.to_owned()).collect()
}

/// A request of the document: who asks, how, what with, and the answer.
struct Request {
    caller: String,
    method: String,
    path: String,
    body: Option<String>,
    status: u16,
    /// A problem code, or `NAME` for the answer's `id` and `NAME=member` for other members.
    then: Vec<String>,
}

fn requests(document: &str) -> Vec<Request> {
    let all = blocks(document, "http").join("\n\n");
    let request = |text: &str| {
        let mut lines: Vec<&str> = text.trim().lines().collect();
        let last: Vec<&str> = lines.pop().unwrap().split(' ').collect();
        let first: Vec<&str> = lines.remove(0).split(' ').collect();
        let [caller, method, path] = first[..] else { panic!("{text}") };
        Request {
            caller: caller.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            body: Some(lines.join("\n")).filter(|body| !body.is_empty()),
            status: last[0].parse().unwrap_or_else(|_| panic!("{text}")),
            then: last[1..].iter().map(|then| (*then).to_owned()).collect(),
        }
    };
    all.split("\n\n").filter(|text| !text.trim().is_empty()).map(request).collect()
}

/// Puts identifiers in the place of their names, the longest name first.
fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("${name}"), id))
}

async fn sends_all(house: &House, document: &str) -> usize {
    let mut names = BTreeMap::new();
    let mut callers: BTreeMap<&str, Caller> = BTreeMap::new();
    for (name, role, office) in [
        ("keeper", Role::Stock, "o-1"),
        ("colleague", Role::Stock, "o-1"),
        ("far", Role::Stock, "o-2"),
        ("farther", Role::Stock, "o-2"),
        ("national", Role::Stock, "national"),
        ("second", Role::Stock, "national"),
        ("approver", Role::Approver, "o-1"),
        ("counter", Role::HandOver, "o-1"),
    ] {
        // The house's second administrator has that name.
        let (caller, id) = house.appointed(&format!("stock-{name}"), &[role], office).await;
        names.insert(name.to_uppercase(), id);
        callers.insert(name, caller);
    }
    names.insert("STATION".to_owned(), house.station("station-1").await.1);
    let requests = requests(document);
    for (n, request) in requests.iter().enumerate() {
        let Request { caller, method, path, body, status, then } = request;
        let path = filled(path, &names);
        let body: Option<Value> = body.as_ref().map(|body| serde_json::from_str(&filled(body, &names)).unwrap());
        let key = format!("stock-{n}");
        let said = callers[caller.as_str()].asks(method.parse().unwrap(), &path, Some(&key), body).await;
        assert_eq!(said.status, *status, "{caller} {method} {path}: {:?}", said.body);
        for then in then {
            match then.split_once('=').unwrap_or((then, "id")) {
                (code, _) if *status >= 400 => assert_eq!(said.code(), code, "{caller} {method} {path}"),
                (name, member) => {
                    let pointer = format!("/{}", member.replace('.', "/"));
                    _ = names
                        .insert(name.to_owned(), said.body.pointer(&pointer).unwrap().as_str().unwrap().to_owned());
                }
            }
        }
    }
    requests.len()
}

fn issuance(house: &House, url: Option<&String>, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(words).arg("--data").arg(house.folder.path().join("data")).current_dir(house.folder.path());
    command.env_remove("ISSUANCE_DATABASE").env_remove("ISSUANCE_DATA");
    if let Some(url) = url {
        command.env("ISSUANCE_DATABASE", url);
    }
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_of_the_document_does_what_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/stock.md");
    let document = std::fs::read_to_string(file).unwrap();
    for url in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open(url.clone())).await;
        let sent = Box::pin(sends_all(&house, &document)).await;
        assert!(sent > 25, "{sent}");
        let commands = blocks(&document, "sh").join("\n");
        for line in commands.lines() {
            let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
            let (house, url) = (&house, url.as_ref());
            let (code, said) = tokio::task::block_in_place(|| {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                issuance(house, url, &words)
            });
            assert_eq!(code, Some(0), "{line}: {said}");
            match line {
                "issuance stock balances" => assert!(said.contains("-6  supplier\n"), "{said}"),
                "issuance stock check" => assert!(said.contains("the sum is 0"), "{said}"),
                _ => {}
            }
        }
        assert!(std::fs::read_to_string(house.folder.path().join("stock.svg")).unwrap().contains("<svg"));
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let balances = production::balances(&mut tx).await.unwrap();
        assert_eq!(balances.complaints(), Vec::<String>::new());
        drop(tx);
        let drawn = production::picture("What the accounts of a house hold", &balances.by_place());
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures/stock.svg");
        if std::env::var_os("UPDATE_BOOK").is_some() {
            std::fs::write(&picture, &drawn).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&picture).unwrap(),
            drawn,
            "UPDATE_BOOK=1 draws docs/figures/stock.svg anew"
        );
        Box::pin(house.service.stop()).await;
    }
}
