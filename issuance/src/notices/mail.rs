//! The conversation with the mail server (SMTP, RFC 5321), and what came of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use lettre::address::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::guarded::{Guarded, over_tls};
use super::settings::{Smtp, Tls};

/// Returns an address of e-mail, if it is one in ASCII: others need servers that not every citizen's post passes.
pub(super) fn address(text: &str) -> Option<Address> {
    text.parse().ok().filter(|_| text.is_ascii() && text.len() <= 254)
}

/// A notice as it is sent by e-mail.
pub(super) struct Mail<'a> {
    /// The citizen's address.
    pub to: &'a str,
    /// With its angle brackets.
    pub message_id: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// The text.
    pub body: &'a str,
    /// The same at each attempt.
    pub date: SystemTime,
}

/// What came of an attempt. The words name no address and no text: they are stored and logged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The other side has it.
    Delivered,
    /// The other side does not have it, and may take it later.
    Later(String),
    /// The other side does not have it, and never takes it.
    Never(String),
    /// Nothing can be sent that way for now: the other side was not reached.
    Unreachable(String),
    /// It is not known whether the other side has it.
    Unknown(String),
}

/// A line to the mail server, open from the first notice to the last one of a turn.
pub(super) struct Line<'a> {
    smtp: &'a Smtp,
    open: Option<AsyncSmtpConnection>,
}

impl<'a> Line<'a> {
    pub fn new(smtp: &'a Smtp) -> Self {
        Self { smtp, open: None }
    }

    /// Hands a notice to the server.
    pub async fn deliver(&mut self, mail: &Mail<'_>) -> Outcome {
        let (handed, named) = (AtomicBool::new(false), AtomicBool::new(false));
        let outcome = match tokio::time::timeout(self.smtp.patience, self.talk(mail, &handed, &named)).await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(outcome)) => outcome,
            Err(_) if handed.load(Ordering::SeqCst) => Outcome::Unknown("no answer in time".to_owned()),
            // At this address: the others are tried.
            Err(_) if named.load(Ordering::SeqCst) => Outcome::Later("rcpt: no answer in time".to_owned()),
            Err(_) => Outcome::Unreachable("no answer in time".to_owned()),
        };
        if outcome != Outcome::Delivered {
            // What the server thinks of this conversation is not known any more.
            self.open = None;
        }
        outcome
    }

    async fn talk(&mut self, mail: &Mail<'_>, handed: &AtomicBool, named: &AtomicBool) -> Result<(), Outcome> {
        let message = message(self.smtp, mail)?;
        let (from, to) = (address(self.smtp.from.as_deref().unwrap_or_default()), address(mail.to));
        let to = to.ok_or_else(|| Outcome::Never("no address".to_owned()))?;
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => connect(self.smtp).await?,
        };
        let ours = |error: SmtpError| Outcome::Later(said("mail", &error));
        connection.command(MailCommand::new(from, vec![])).await.map_err(ours)?;
        named.store(true, Ordering::SeqCst);
        connection.command(Rcpt::new(to, vec![])).await.map_err(|error| refused_address(&error))?;
        connection.command(Data).await.map_err(|error| refused("data", &error))?;
        // From here on a lost answer leaves open whether the server has it.
        handed.store(true, Ordering::SeqCst);
        if let Err(error) = connection.message(&message).await {
            return Err(match error.status() {
                Some(_) => refused("message", &error),
                None => Outcome::Unknown(said("message", &error)),
            });
        }
        self.open = Some(connection);
        Ok(())
    }

    /// Ends the conversation.
    pub async fn close(mut self) {
        if let Some(mut connection) = self.open.take() {
            // What was delivered is delivered, whatever the server says now.
            let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
        }
    }
}

/// A refusal with a number that is for good, or for now.
fn refused(step: &str, error: &SmtpError) -> Outcome {
    if error.is_permanent() { Outcome::Never(said(step, error)) } else { Outcome::Later(said(step, error)) }
}

/// A refusal of the address: for good where the server says that there is no such mailbox. Another one, as of a relay
/// that is not set up yet, is the server's trouble and not the address's.
fn refused_address(error: &SmtpError) -> Outcome {
    let of_address = error.status().map(u16::from).is_some_and(|code| matches!(code, 550 | 551 | 553));
    if of_address { Outcome::Never(said("rcpt", error)) } else { Outcome::Later(said("rcpt", error)) }
}

/// The step and the server's number; the server's words may quote the address.
fn said(step: &str, error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("{step} {code}"),
        None if error.is_timeout() => format!("{step}: no answer in time"),
        None if error.is_tls() => format!("{step}: TLS"),
        None => format!("{step}: the line broke"),
    }
}

fn message(smtp: &Smtp, mail: &Mail<'_>) -> Result<Vec<u8>, Outcome> {
    let unfit = |what: &str| Outcome::Never(format!("no message can be made: {what}"));
    let mailbox = |text: &str| address(text).map(|address| Mailbox::new(None, address));
    let from = mailbox(smtp.from.as_deref().unwrap_or_default()).ok_or_else(|| unfit("from"))?;
    let to = mailbox(mail.to).ok_or_else(|| unfit("to"))?;
    let message = Message::builder()
        .from(from)
        .to(to)
        .date(mail.date)
        .message_id(Some(mail.message_id.to_owned()))
        .subject(mail.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.to_owned())
        .map_err(|_| unfit("body"))?;
    Ok(message.formatted())
}

/// Opens a line, protected as the settings say.
async fn connect(smtp: &Smtp) -> Result<AsyncSmtpConnection, Outcome> {
    let away = |step: &'static str| move |error: SmtpError| Outcome::Unreachable(said(step, &error));
    let host = smtp.host.clone().unwrap_or_default();
    let domain = smtp.from.as_deref().and_then(|from| from.rsplit_once('@')).map_or("localhost", |(_, domain)| domain);
    let hello = ClientId::Domain(domain.to_owned());
    let parameters = async || {
        let mut builder = TlsParameters::builder(host.clone());
        if let Some(roots) = &smtp.roots {
            let unreadable = |_| Outcome::Unreachable("notices.smtp.roots cannot be read".to_owned());
            let pem = tokio::fs::read(roots).await.map_err(unreadable)?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|_| Outcome::Unreachable("notices.smtp.roots holds no certificates".to_owned()))?;
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
        }
        builder.build_rustls().map_err(away("TLS"))
    };
    // Read through a guard: the library has no bound for a line, and believes words before the handshake.
    let guarded = Guarded::connect((host.as_str(), smtp.port))
        .await
        .map_err(|error| Outcome::Unreachable(format!("connect: {}", error.kind())))?;
    let opened = match smtp.tls {
        Tls::Implicit => {
            let stream = over_tls(guarded, parameters().await?).await.map_err(away("connect"))?;
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await
        }
        Tls::None | Tls::Starttls => AsyncSmtpConnection::connect_with_transport(Box::new(guarded), &hello).await,
    };
    let mut connection = opened.map_err(away("connect"))?;
    if smtp.tls == Tls::Starttls {
        // Refused where the server does not offer it: nothing is ever sent in plain text instead.
        connection.starttls(parameters().await?, &hello).await.map_err(away("starttls"))?;
    }
    if let (Some(user), Some(file)) = (&smtp.user, &smtp.password_file) {
        let unreadable = |_| Outcome::Unreachable("notices.smtp.password_file cannot be read".to_owned());
        let password = tokio::fs::read_to_string(file).await.map_err(unreadable)?;
        let credentials = Credentials::new(user.clone(), password.trim_end_matches(['\r', '\n']).to_owned());
        connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(away("auth"))?;
    }
    Ok(connection)
}
