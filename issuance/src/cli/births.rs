//! `issuance births`

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

use clap::{Args, Subcommand};
use reqwest::blocking::{Client, Response};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::remote::{RemoteError, address, chain, client, read};
use super::{Outcome, output};
use crate::exchange::AnswerKeys;
use crate::ground::{failpoint, files};

/// The client of a desk that registers births, for a partner of the register.
///
/// It needs no data folder: only the messages, the address of the service, and the certificate of the desk's system.
#[derive(Args)]
pub(super) struct BirthsCommand {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    Send(Send),
}

/// Sends a folder of messages of birth, each once, and keeps the answers beside them.
///
/// Each `NAME.json` in the folder is a report of a birth (`POST /api/v1/exchange/birth`) without `request`: that is
/// made of the file's content, so that the same file sent again has the same answer and the child never a second
/// number. The signed answer becomes `NAME.answer.json` with its signature in `NAME.answer.jws`, once the signature is
/// verified; a refusal becomes `NAME.refused.json`, and is sent again the next time. A run that was cut goes on when it
/// is started again. The answers hold numbers for life: the folder is for the desk alone.
#[derive(Args)]
struct Send {
    /// The folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// <https://HOST:PORT> of the register.
    #[arg(long, value_name = "URL", env = "ISSUANCE_BIRTHS_SERVICE")]
    service: String,
    /// The authority of the register's TLS certificate, PEM: no other is trusted.
    #[arg(long, value_name = "FILE", env = "ISSUANCE_BIRTHS_AUTHORITY")]
    authority: PathBuf,
    /// The client certificate of the desk's system, PEM.
    #[arg(long, value_name = "FILE", env = "ISSUANCE_BIRTHS_CERTIFICATE")]
    certificate: PathBuf,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", env = "ISSUANCE_BIRTHS_KEY")]
    key: PathBuf,
    /// The pinned public keys of the register's answers, as `GET /api/v1/exchange/keys` gave them when the desk was
    /// joined.
    #[arg(long, value_name = "FILE", env = "ISSUANCE_BIRTHS_ANSWER_KEYS")]
    answer_keys: PathBuf,
    /// Attempts at one message that has no answer, before the run stops.
    #[arg(long, value_name = "N", default_value_t = 5)]
    attempts: u32,
}

impl BirthsCommand {
    pub(super) fn run(self) -> Outcome {
        match self.act {
            Act::Send(send) => send.run(),
        }
    }
}

/// What stops a run: each message that has no answer yet is sent when the command is started again.
#[derive(Debug, Error)]
enum Stop {
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("{0}: {1}")]
    Unfit(PathBuf, String),
    #[error("{file}: no answer at {attempts} attempts ({why}); nothing is lost: start the command again")]
    Unanswered { file: String, attempts: u32, why: String },
    #[error("{file}: the service refuses every message ({code}): {remedy}; then start the command again")]
    Refused { file: String, code: String, remedy: String },
    #[error(
        "{file}: the answer is not to be trusted ({why}); nothing of it is kept. Have the register's office tell its \
         answer keys anew, and compare them with {keys}; then start the command again"
    )]
    Untrusted { file: String, why: &'static str, keys: PathBuf },
    #[error("{refused} of the messages are refused and {held} held; see the lines above")]
    Incomplete { refused: usize, held: usize },
}

/// What became of one message.
enum Became {
    Numbered,
    Held(Vec<String>),
    Refused { code: String, at: String, remedy: String },
}

/// What of an answer is looked at.
#[derive(Deserialize)]
struct Answer {
    request: String,
    request_sha256: String,
    outcome: String,
    #[serde(default)]
    reasons: Vec<String>,
}

impl Send {
    fn run(self) -> Outcome {
        let base = address(&self.service)?;
        let address =
            base.join("api/v1/exchange/birth").map_err(|_| Stop::Unfit("--service".into(), "no address".into()))?;
        let keys: AnswerKeys = serde_json::from_slice(&read(&self.answer_keys)?)
            .map_err(|error| Stop::Unfit(self.answer_keys.clone(), format!("no JWK Set: {error}")))?;
        let http = client(&self.authority, Some((&self.certificate, &self.key)), ATTEMPT)?;
        let _alone = files::lock(&self.folder).map_err(|error| Stop::File(self.folder.clone(), error))?;
        let names = messages(&self.folder)?;
        let (mut sent, mut before, mut held, mut refused) = (0_usize, 0_usize, 0_usize, 0_usize);
        for (n, name) in names.iter().enumerate() {
            let place = Place { folder: &self.folder, name };
            let known = place.kept(&keys, &self.answer_keys)?;
            let is_new = known.is_none();
            let became = match known {
                Some(became) => became,
                None => self.send(&http, &address, &keys, &place)?,
            };
            let progress = format!("{}/{}", n + 1, names.len());
            match became {
                Became::Numbered if is_new => output::line(format_args!("{progress} {name}.json numbered"))?,
                Became::Numbered => {}
                Became::Held(ref reasons) => {
                    held += 1;
                    let reasons = reasons.join(", ");
                    output::line(format_args!(
                        "{progress} {name}.json held ({reasons}): an officer of the register decides; ask for the \
                         reference `answer` in {name}.answer.json"
                    ))?;
                }
                Became::Refused { code, at, remedy } => {
                    refused += 1;
                    output::line(format_args!("{progress} {name}.json refused ({code}){at}: {remedy}"))?;
                    continue;
                }
            }
            if is_new {
                sent += 1;
            } else {
                before += 1;
            }
        }
        output::line(format_args!(
            "{} messages: {sent} answered now, {before} before; {held} of them held, {refused} refused",
            names.len()
        ))?;
        if refused + held == 0 { Ok(()) } else { Err(Stop::Incomplete { refused, held }.into()) }
    }

    /// Sends a message until it has an answer, and keeps that.
    fn send(&self, http: &Client, address: &Url, keys: &AnswerKeys, place: &Place<'_>) -> Result<Became, Stop> {
        let message = match place.message()? {
            Ok(message) => message,
            Err(fault) => {
                return Ok(Became::Refused { code: "message-unfit".to_owned(), at: String::new(), remedy: fault });
            }
        };
        let file = format!("{}.json", place.name);
        let mut why = String::new();
        for attempt in 0..self.attempts {
            if attempt > 0 {
                thread::sleep(Duration::from_millis(500) * 2_u32.pow(attempt.min(6)));
            }
            let posted = http.post(address.clone()).header("content-type", "application/json");
            let response = match posted.body(message.body.clone()).send() {
                Ok(response) => response,
                Err(error) => {
                    why = chain(&error);
                    continue;
                }
            };
            let status = response.status();
            let signature = header(&response, "x-jws-signature");
            let body = match response.bytes() {
                Ok(body) => body,
                Err(error) => {
                    why = chain(&error);
                    continue;
                }
            };
            failpoint::pass(failpoint::BIRTH_ANSWERED);
            if status == StatusCode::OK {
                let untrusted = |why| Stop::Untrusted { file: file.clone(), why, keys: self.answer_keys.clone() };
                if !keys.verify(&body, &signature) {
                    return Err(untrusted("its signature is by none of the pinned keys"));
                }
                let answer: Answer = serde_json::from_slice(&body).map_err(|_| untrusted("it cannot be read"))?;
                if answer.request != message.request || answer.request_sha256 != message.digest {
                    return Err(untrusted("it answers another message"));
                }
                place.keep(&body, &signature)?;
                return Ok(answer.into());
            }
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            let said = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
            let (code, remedy) = (said("code"), said("remedy"));
            if ALL_REFUSED.contains(&code.as_str()) {
                return Err(Stop::Refused { file, code, remedy });
            }
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                why = format!("{status} {code}");
                continue;
            }
            let pointer = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            let at = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
            place.refuse(&body)?;
            return Ok(Became::Refused { code: if code.is_empty() { status.to_string() } else { code }, at, remedy });
        }
        Err(Stop::Unanswered { file, attempts: self.attempts, why })
    }
}

impl From<Answer> for Became {
    fn from(answer: Answer) -> Self {
        if answer.outcome == "numbered" { Self::Numbered } else { Self::Held(answer.reasons) }
    }
}

/// For so long one attempt waits.
const ATTEMPT: Duration = Duration::from_secs(30);

/// What is refused of one message is refused of all.
const ALL_REFUSED: [&str; 4] =
    ["exchange-guessing", "exchange-quota-spent", "partner-certificate-needed", "partner-certificate-unfit"];

/// Longest message: one of birth has a few hundred bytes.
const LONGEST: usize = 64 * 1024;

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Returns the names of the messages of a folder, without `.json`, in their order.
fn messages(folder: &Path) -> Result<Vec<String>, Stop> {
    let unread = |error| Stop::File(folder.to_owned(), error);
    let mut names = vec![];
    for entry in fs::read_dir(folder).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
        if !name.starts_with('.') && !name.ends_with(".answer") && !name.ends_with(".refused") {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A message as it is sent.
struct Message {
    request: String,
    body: Vec<u8>,
    digest: String,
}

impl Message {
    /// Makes what is sent of what the file holds: the identifier of the request is made of the content alone, and put
    /// before the rest as it stands, so that the same file is the same request to the byte, whichever version sends it.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    fn of(text: &[u8]) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes: one file holds one birth"));
        }
        let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8: save it as UTF-8".to_owned())?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let held: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let Some(members) = held.as_object().filter(|members| !members.is_empty()) else {
            return Err("it is no JSON object with purpose, case, officer, unit and birth".to_owned());
        };
        if members.contains_key("request") {
            return Err("it has `request`: leave it out, the command makes it of the content".to_owned());
        }
        let request = format!("birth-{}", hex::encode(&Sha256::digest(text)[..20]));
        let rest = text.strip_prefix('{').unwrap_or_default();
        let body = format!("{{\"request\":\"{request}\",{rest}").into_bytes();
        let digest = hex::encode(Sha256::digest(&body));
        Ok(Self { request, body, digest })
    }
}

/// A message in its folder, and what stands beside it.
struct Place<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl Place<'_> {
    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.name))
    }

    fn message(&self) -> Result<Result<Message, String>, Stop> {
        Ok(Message::of(&read(&self.file(".json"))?))
    }

    /// Returns what is kept of a message that was answered before.
    fn kept(&self, keys: &AnswerKeys, pinned: &Path) -> Result<Option<Became>, Stop> {
        let file = self.file(".answer.json");
        if !file.try_exists().map_err(|error| Stop::File(file.clone(), error))? {
            return Ok(None);
        }
        let (body, signature) = (read(&file)?, read(&self.file(".answer.jws"))?);
        let signature = String::from_utf8_lossy(&signature);
        let answer = serde_json::from_slice::<Answer>(&body).ok().filter(|_| keys.verify(&body, signature.trim()));
        let Some(answer) = answer else {
            let why = "the file is not as it was answered, or by another key";
            return Err(Stop::Untrusted { file: format!("{}.answer.json", self.name), why, keys: pinned.to_owned() });
        };
        match self.message()? {
            Ok(message) if message.request == answer.request => Ok(Some(answer.into())),
            _ => Ok(Some(Became::Refused {
                code: "message-changed".to_owned(),
                at: String::new(),
                remedy: format!(
                    "it was answered, and changed afterwards: put it back as it was, and what is new into a file of its \
                     own; the answer stands in {}.answer.json",
                    self.name
                ),
            })),
        }
    }

    /// Keeps an answer: the signature first, so that an answer that is there has one.
    fn keep(&self, body: &[u8], signature: &str) -> Result<(), Stop> {
        self.write(".answer.jws", signature.as_bytes())?;
        self.write(".answer.json", body)?;
        let refused = self.file(".refused.json");
        match files::remove(&refused) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Stop::File(refused, error)),
            _ => Ok(()),
        }
    }

    fn refuse(&self, problem: &[u8]) -> Result<(), Stop> {
        self.write(".refused.json", problem)
    }

    fn write(&self, ending: &str, bytes: &[u8]) -> Result<(), Stop> {
        let (file, beside) = (self.file(ending), self.folder.join(format!(".{}{ending}.new", self.name)));
        files::replace(&file, &beside, bytes, files::PRIVATE).map_err(|error| Stop::File(file, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_is_of_the_content_and_the_rest_is_sent_as_it_stands() {
        let one = Message::of("\u{feff} {\"purpose\" : \"births\"}\n".as_bytes()).unwrap();
        let same = Message::of(b"{\"purpose\" : \"births\"}").unwrap();
        assert_eq!((&one.request, &one.body), (&same.request, &same.body));
        let text = String::from_utf8(one.body).unwrap();
        assert!(text.ends_with(",\"purpose\" : \"births\"}"), "{text}");
        let sent: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sent["request"].as_str(), Some(one.request.as_str()));
        assert_ne!(Message::of(b"{\"purpose\":\"births\"}").unwrap().request, one.request);
        for (text, why) in
            [("[]", "no JSON object"), ("{}", "no JSON object"), ("{\"request\": 1}", "leave it out"), ("{", "no JSON")]
        {
            let said = Message::of(text.as_bytes()).err().unwrap();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(Message::of(&[0xff]).err().unwrap().contains("UTF-8"));
        assert!(Message::of(&vec![b' '; LONGEST + 1]).err().unwrap().contains("longer"));
    }
}
