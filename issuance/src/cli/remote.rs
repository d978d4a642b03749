//! How a command reaches a service over HTTPS: as a partner's system, or as an officer who signs in.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use rand::Rng as _;
use reqwest::blocking::{Client, Response};
use reqwest::{Certificate, Identity, Method, StatusCode, Url};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::output;

/// Why a service cannot be asked, or what it refused.
#[derive(Debug, Error)]
pub(super) enum RemoteError {
    /// A file.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The address.
    #[error("--service {0}: {1}; write https://HOST:PORT")]
    Address(String, &'static str),
    /// What a file holds.
    #[error("{0}: {1}")]
    Unfit(PathBuf, String),
    /// The TLS configuration.
    #[error("no connection can be prepared: {0}")]
    Connection(reqwest::Error),
    /// An argument that is not there.
    #[error("{0} is missing: give it, or set {1}")]
    Missing(&'static str, &'static str),
    /// The service did not answer.
    #[error("{service}: no answer ({why}); nothing is lost: start the command again")]
    Unanswered { service: String, why: String },
    /// The server is not the one that is trusted.
    #[error(
        "{service}: not to be trusted ({why}); is --authority the tls-ca.pem of this service, and its name in the address?"
    )]
    Stranger { service: String, why: String },
    /// The service said no.
    #[error("refused ({code}): {detail}{remedy}")]
    Refused { code: String, detail: String, remedy: String },
    /// The service answers in another way than this version knows.
    #[error("{0}: the answer cannot be read; is the program of the same version as the service?")]
    Unreadable(String),
}

/// Makes a client that trusts one authority alone, and shows this certificate.
///
/// # Errors
/// [`RemoteError`]
pub(super) fn client(
    authority: &Path,
    identity: Option<(&Path, &Path)>,
    timeout: Duration,
) -> Result<Client, RemoteError> {
    let unfit = |file: &Path| {
        let file = file.to_owned();
        move |error: reqwest::Error| RemoteError::Unfit(file, error.to_string())
    };
    let authorities = Certificate::from_pem_bundle(&read(authority)?).map_err(unfit(authority))?;
    if authorities.is_empty() {
        return Err(RemoteError::Unfit(authority.to_owned(), "it holds no certificate (PEM)".to_owned()));
    }
    let http = Client::builder()
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .tls_certs_only(authorities);
    let http = match identity {
        Some((certificate, key)) => {
            let mut pem = Zeroizing::new(read(certificate)?);
            pem.push(b'\n');
            pem.extend_from_slice(&Zeroizing::new(read(key)?));
            http.identity(Identity::from_pem(&pem).map_err(unfit(certificate))?)
        }
        None => http,
    };
    http.build().map_err(RemoteError::Connection)
}

/// Refuses an address that is not HTTPS, or has something behind host and port.
///
/// # Errors
/// [`RemoteError::Address`], which does not repeat a password.
pub(super) fn address(typed: &str) -> Result<Url, RemoteError> {
    let unfit = |why| RemoteError::Address(typed.to_owned(), why);
    let url: Url = typed.trim().parse().map_err(|_| unfit("no address"))?;
    if url.scheme() != "https" {
        return Err(unfit("it goes over HTTPS alone"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RemoteError::Address("(not repeated)".to_owned(), "it holds a name or a password"));
    }
    if url.host().is_none() || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(unfit("something stands behind host and port"));
    }
    Ok(url)
}

/// Reads a file of at most a mebibyte.
///
/// # Errors
/// [`RemoteError::File`]
pub(super) fn read(file: &Path) -> Result<Vec<u8>, RemoteError> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|open| open.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| RemoteError::File(file.to_owned(), error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(RemoteError::Unfit(file.to_owned(), format!("it is longer than {LONGEST} bytes")));
    }
    Ok(bytes)
}

/// An error with what lies under it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut under = error.source();
    while let Some(error) = under {
        said = format!("{said}: {error}");
        under = error.source();
    }
    said
}

/// The service, and the officer who signs in for the command.
#[derive(Args)]
pub(super) struct Signing {
    /// <https://HOST:PORT> of the service.
    #[arg(long, global = true, value_name = "URL", env = "ISSUANCE_SERVICE")]
    service: Option<String>,
    /// The authority of the service's TLS certificate, PEM: no other is trusted.
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_AUTHORITY")]
    authority: Option<PathBuf>,
    /// Name of the officer's account.
    #[arg(long, global = true, value_name = "NAME", env = "ISSUANCE_OFFICER")]
    officer: Option<String>,
    /// File with the officer's password [default: it is asked for].
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// The officer's client certificate, PEM, where officers sign in with one.
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_OFFICER_CERTIFICATE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, global = true, value_name = "FILE", env = "ISSUANCE_OFFICER_KEY", requires = "certificate")]
    key: Option<PathBuf>,
}

/// An officer's session; it ends with the command.
pub(super) struct SignedIn {
    http: Client,
    base: Url,
    token: Zeroizing<String>,
}

/// A session that was opened.
#[derive(Deserialize)]
struct Opened {
    token: String,
}

/// One page of a list.
#[derive(Deserialize)]
struct Listed {
    items: Vec<Value>,
    next: Option<String>,
}

impl Signing {
    /// Signs in.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) fn sign_in(&self) -> Result<SignedIn, RemoteError> {
        let service = self.service.as_deref().ok_or(RemoteError::Missing("--service", "ISSUANCE_SERVICE"))?;
        let authority = self.authority.as_deref().ok_or(RemoteError::Missing("--authority", "ISSUANCE_AUTHORITY"))?;
        let officer = self.officer.as_deref().ok_or(RemoteError::Missing("--officer", "ISSUANCE_OFFICER"))?;
        let base = address(service)?;
        let http = client(authority, self.certificate.as_deref().zip(self.key.as_deref()), WAITS)?;
        let password = self.password(officer)?;
        SignedIn::anyone(http, base).signed_in(officer, &password)
    }

    fn password(&self, officer: &str) -> Result<Zeroizing<String>, RemoteError> {
        let (typed, file) = match &self.password_file {
            Some(file) => (read(file).map(Zeroizing::new)?, file.clone()),
            None => (prompted(officer)?, PathBuf::from("standard input")),
        };
        let typed = std::str::from_utf8(&typed)
            .map_err(|_| RemoteError::Unfit(file, "the password is not UTF-8".to_owned()))?;
        Ok(Zeroizing::new(typed.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// Reads the password from the terminal, which does not show it, or the first line of standard input.
fn prompted(officer: &str) -> Result<Zeroizing<Vec<u8>>, RemoteError> {
    let stdin = io::stdin();
    let failed = |error: io::Error| RemoteError::File("standard input".into(), error);
    if !stdin.is_terminal() {
        let mut typed = Zeroizing::new(Vec::new());
        stdin.lock().read_until(b'\n', &mut typed).map_err(failed)?;
        return Ok(typed);
    }
    let shown = tcgetattr(stdin.as_fd()).map_err(|error| failed(error.into()))?;
    let mut hidden = shown.clone();
    // Ctrl-C ends the line instead of the program, which would leave the terminal without its echo.
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    tcsetattr(stdin.as_fd(), OptionalActions::Now, &hidden).map_err(|error| failed(error.into()))?;
    // Asked for once nothing is shown any more.
    let _ = write!(io::stderr(), "Password of {officer}: ");
    let mut lines = stdin.lock();
    let done = lines.fill_buf().map(|line| Zeroizing::new(line.to_vec()));
    let _ = tcsetattr(stdin.as_fd(), OptionalActions::Now, &shown);
    let _ = writeln!(io::stderr());
    let typed = done.map_err(failed)?;
    lines.consume(typed.len());
    if typed.contains(&CTRL_C) { Err(failed(io::ErrorKind::Interrupted.into())) } else { Ok(typed) }
}

/// What the terminal sends for Ctrl-C.
const CTRL_C: u8 = 3;

impl SignedIn {
    /// A caller without session.
    pub(super) fn anyone(http: Client, base: Url) -> Self {
        Self { http, base, token: Zeroizing::default() }
    }

    /// Signs an officer in at the same service.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) fn signed_in(&self, officer: &str, password: &str) -> Result<Self, RemoteError> {
        let credentials = json!({"username": officer, "password": password});
        let opened = self.send(&Method::POST, "api/v1/sessions", Some(&credentials))?;
        let opened: Opened =
            serde_json::from_value(opened).map_err(|_| RemoteError::Unreadable("sessions".to_owned()))?;
        let (http, base) = (self.http.clone(), self.base.clone());
        Ok(Self { http, base, token: Zeroizing::new(opened.token) })
    }

    /// Reads what stands at a path below `/api/v1/`.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) fn get(&self, path: &str) -> Result<Value, RemoteError> {
        self.send(&Method::GET, &format!("api/v1/{path}"), None)
    }

    /// Reads all pages of a list.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) fn list(&self, path: &str) -> Result<Vec<Value>, RemoteError> {
        let (mut items, mut after) = (vec![], None);
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = match &after {
                Some(after) => format!("{path}{sign}limit=200&after={after}"),
                None => format!("{path}{sign}limit=200"),
            };
            let page = serde_json::from_value(self.get(&page)?);
            let Listed { items: more, next } = page.map_err(|_| RemoteError::Unreadable(path.to_owned()))?;
            items.extend(more);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Does something, once: a request whose answer was lost is sent again as the same one.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        self.send(&Method::POST, &format!("api/v1/{path}"), Some(body))
    }

    fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, RemoteError> {
        let url = self.base.join(path).map_err(|_| RemoteError::Unreadable(path.to_owned()))?;
        let mut once = [0; 16];
        super::rng().fill_bytes(&mut once);
        let once = hex::encode(once);
        let mut why = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                output::complain(format_args!("issuance: {why}; the same request is sent again …"));
                thread::sleep(Duration::from_millis(500) * 2_u32.pow(attempt));
            }
            let mut request = self.http.request(method.clone(), url.clone());
            if !self.token.is_empty() {
                request = request.bearer_auth(&*self.token).header("idempotency-key", &once);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send() {
                Ok(response) => match judged(response, path) {
                    Err(Again(said)) => why = said,
                    Ok(done) => return done,
                },
                Err(error) => {
                    why = chain(&error);
                    // Asked again it is the same server.
                    if why.contains("certificate") {
                        return Err(RemoteError::Stranger {
                            service: self.base.as_str().trim_end_matches('/').to_owned(),
                            why,
                        });
                    }
                }
            }
        }
        Err(RemoteError::Unanswered { service: self.base.as_str().trim_end_matches('/').to_owned(), why })
    }
}

/// Signs out, as far as the service can be reached.
impl Drop for SignedIn {
    fn drop(&mut self) {
        if !self.token.is_empty()
            && let Ok(url) = self.base.join("api/v1/sessions/current")
        {
            let _ = self.http.delete(url).bearer_auth(&*self.token).timeout(Duration::from_secs(5)).send();
        }
    }
}

/// Returns a text of an answer; empty where there is none.
pub(super) fn word<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap_or_default()
}

/// Says of a row of a list that another hand changed it.
pub(super) fn tampered(row: &Value) -> &'static str {
    if row["tampered"] == json!(true) { "\tchanged by another hand than the service's" } else { "" }
}

/// Nothing is called so.
pub(super) fn none(code: &str, kind: &str, named: &str) -> RemoteError {
    RemoteError::Refused {
        code: code.to_owned(),
        detail: format!("no {kind} is called {named}"),
        remedy: ". See the list".to_owned(),
    }
}

/// The same request may be sent again, and why.
struct Again(String);

fn judged(response: Response, path: &str) -> Result<Result<Value, RemoteError>, Again> {
    let status = response.status();
    let body = response.bytes().map_err(|error| Again(chain(&error)))?;
    if status.is_success() {
        let read = |body: &[u8]| serde_json::from_slice(body).map_err(|_| RemoteError::Unreadable(path.to_owned()));
        return Ok(if body.is_empty() { Ok(Value::Null) } else { read(&body) });
    }
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    // A server is not believed to write to the terminal.
    let plain = |text: &str| text.replace(char::is_control, " ").trim().to_owned();
    let said = |member: &str| plain(problem[member].as_str().unwrap_or_default());
    let code = said("code");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS && code.is_empty() {
        return Err(Again(format!("{status} {code}")));
    }
    let detail = [said("detail"), said("title")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let at = problem["errors"].as_array().into_iter().flatten().filter_map(|error| {
        Some(plain(&format!("[{}: {}]", error["pointer"].as_str()?, error["detail"].as_str().unwrap_or("unfit"))))
    });
    let detail = std::iter::once(detail).chain(at).collect::<Vec<_>>().join(" ");
    let remedy = Some(said("remedy")).filter(|text| !text.is_empty()).map(|text| format!(". {text}"));
    let code = if code.is_empty() { status.to_string() } else { code };
    Ok(Err(RemoteError::Refused { code, detail, remedy: remedy.unwrap_or_default() }))
}

/// A file that is read is at most so long, bytes.
const LONGEST: u64 = 1 << 20;
/// For so long one attempt waits.
const WAITS: Duration = Duration::from_secs(15);
/// So often a request is sent whose answer does not come.
const ATTEMPTS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_nothing_behind_host_and_port() {
        let at = |typed: &str| address(typed).map(String::from).map_err(|error| error.to_string());
        assert_eq!(at(" https://register.invalid:8443 "), Ok("https://register.invalid:8443/".to_owned()));
        for (typed, why) in [
            ("http://register.invalid:8443", "HTTPS alone"),
            ("register.invalid", "no address"),
            ("https://register.invalid/else", "behind host"),
            ("https://a:secret@register.invalid", "name or a password"),
        ] {
            let said = at(typed).unwrap_err();
            assert!(said.contains(why) && !said.contains("secret"), "{typed}: {said}");
        }
    }
}
