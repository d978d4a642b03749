//! Settings of the notices.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the notices.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A notice that could not be sent in so many attempts is dead, and printed as a letter.
    pub attempts: u16,
    /// Rest after the first attempt; each further one doubles it …
    #[serde(with = "crate::ground::span::std")]
    pub rest: Duration,
    /// … up to this.
    #[serde(with = "crate::ground::span::std")]
    pub longest_rest: Duration,
    /// Folder in which a gateway for SMS finds what it is to send, a JSON file each; none: no SMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_folder: Option<PathBuf>,
    /// The mail server.
    pub smtp: Smtp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: 12,
            rest: Duration::from_mins(1),
            longest_rest: Duration::from_hours(6),
            sms_folder: None,
            smtp: Smtp::default(),
        }
    }
}

/// The mail server that takes the notices.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// Its name, as its certificate has it; none: no e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the conversation is protected.
    pub tls: Tls,
    /// File with the certificates (PEM) that the server's must follow from; none: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// The account; none: no account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password of the account, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The address that notices come from; what follows its `@` ends each Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A conversation about one notice that takes longer is given up.
    #[serde(with = "crate::ground::span::std")]
    pub patience: Duration,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            tls: Tls::default(),
            roots: None,
            user: None,
            password_file: None,
            from: None,
            patience: Duration::from_mins(1),
        }
    }
}

/// How a conversation with a mail server is protected.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// In plain text, to this computer only.
    None,
    /// TLS from the first byte (port 465).
    Implicit,
    /// TLS after STARTTLS, which the server must offer (port 587).
    #[default]
    Starttls,
}

impl Settings {
    /// Returns the key whose value does not go with the others, and what must hold; none if all fits.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let smtp = &self.smtp;
        let host = smtp.host.as_deref();
        let loops = |host: &str| host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let rules = [
            (self.attempts > 0, "notices.attempts", "must be at least 1"),
            (self.attempts <= 1000, "notices.attempts", "must be at most 1000"),
            (!self.rest.is_zero(), "notices.rest", "must be longer than nothing"),
            (self.rest <= self.longest_rest, "notices.longest_rest", "must be at least notices.rest"),
            (!smtp.patience.is_zero(), "notices.smtp.patience", "must be longer than nothing"),
            (
                smtp.patience <= MOST_PATIENCE,
                "notices.smtp.patience",
                "must be at most 5m: the attempt is another process's then",
            ),
            (
                smtp.tls != Tls::None || host.is_none_or(loops),
                "notices.smtp.tls",
                "must be starttls or implicit: only this computer is spoken to in plain text",
            ),
            (host.is_none() || smtp.from.is_some(), "notices.smtp.from", "must be set where notices.smtp.host is"),
            (
                smtp.from.as_deref().is_none_or(|from| super::mail::address(from).is_some()),
                "notices.smtp.from",
                "must be an address: notices@authority.example",
            ),
            (
                smtp.user.is_some() == smtp.password_file.is_some(),
                "notices.smtp.password_file",
                "must be set where notices.smtp.user is, and only there",
            ),
        ];
        rules.into_iter().find(|(holds, ..)| !holds).map(|(_, key, rule)| (key, rule))
    }
}

/// A conversation ends before the attempt that it belongs to is free for others.
const MOST_PATIENCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        assert_eq!(Settings::default().fault(), None);
        let fault = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            (settings.smtp.host, settings.smtp.from) = (Some("mx.example".into()), Some("a@b.example".into()));
            change(&mut settings);
            settings.fault().map(|(key, _)| key)
        };
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|s| s.smtp.tls = Tls::None), Some("notices.smtp.tls"));
        assert_eq!(fault(|s| (s.smtp.tls, s.smtp.host) = (Tls::None, Some("127.0.0.1".into()))), None);
        assert_eq!(fault(|s| s.smtp.from = None), Some("notices.smtp.from"));
        assert_eq!(fault(|s| s.smtp.from = Some("nowhere".into())), Some("notices.smtp.from"));
        assert_eq!(fault(|s| s.smtp.user = Some("u".into())), Some("notices.smtp.password_file"));
        assert_eq!(fault(|s| s.attempts = 0), Some("notices.attempts"));
        assert_eq!(fault(|s| s.rest = Duration::from_hours(7)), Some("notices.longest_rest"));
        assert_eq!(fault(|s| s.smtp.patience = Duration::from_mins(6)), Some("notices.smtp.patience"));
    }
}
