//! The page of a kiosk: a browser on this machine shows what [`crate::kiosk`] finds.
//!
//! Loopback is no private place: other accounts of the machine reach it, and so does any site that the browser is led
//! to. So the address holds a secret of this start, requests must name this very host, and what comes from another site
//! is refused. A browser is sent what `screen::Screen` holds, and no more: of a card that
//! is not trusted nothing that it claims, in privacy mode one answer.
//!
//! `hall` decides what is shown, `reading` reads a card, `trust` keeps the bundle, `door` is the HTTP server, `view`
//! and `words` write the page.

mod door;
mod hall;
mod key;
mod reading;
mod report;
mod screen;
mod trust;
mod view;
mod words;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crypto::pki::Certificate;
use time::UtcOffset;
use tokio::sync::watch;

use self::door::Door;
use self::hall::{Event, Hall, State};
use self::reading::Rules;
pub use self::report::Reports;
use self::trust::Keeper;
pub use self::trust::Source;
use self::view::Look;
use super::{Demands, NewestBundles};
use crate::ambient;
use crate::client::Connection;
use crate::failure::{Code, Failure, Language};
use crate::session::Stop;
use crate::transport::pcsc::{Patience, Watch};

/// How one kiosk is set up.
pub struct Settings {
    /// National CSCA certificate.
    pub anchor: Certificate,
    /// Where trust bundles come from.
    pub source: Source,
    /// What remembers the newest one.
    pub newest: NewestBundles,
    /// What is demanded of a card.
    pub demands: Demands,
    /// Service that is asked whether a card counts; none: no service is.
    pub service: Option<Arc<Connection>>,
    /// Full name of the only reader that is used; none: all that are connected, also later.
    pub reader: Option<String>,
    /// Civil time of the State that issues the cards.
    pub offset: UtcOffset,
    /// The most time for an inspection.
    pub limit: Duration,
    /// Port of loopback; 0 for any that is free.
    pub port: u16,
    /// Privacy mode: the page says only whether the card is valid and its holder has completed so many years.
    pub over: Option<u8>,
    /// How long a verdict stays untouched before the page asks whether anyone is there.
    pub idle: Duration,
    /// Whether the page tells the person to keep a refused card.
    pub keeps_cards: bool,
    /// The telephone or place that the page says to call.
    pub duty: Option<String>,
    /// Where reports are saved; none: nowhere.
    pub reports: Option<Reports>,
    /// The first of the two languages.
    pub language: Language,
}

/// A page that listens, and is not served yet.
pub struct Page {
    listener: TcpListener,
    address: String,
    settings: Settings,
}

impl Page {
    /// Listens on loopback.
    ///
    /// # Errors
    /// [`Code::InputUnusable`] if the port is in use.
    pub fn open(settings: Settings) -> Result<Self, Failure> {
        let unusable = |e: std::io::Error| {
            Failure::new(Code::InputUnusable, format!("port {}: {e}; name another with --port", settings.port))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).map_err(unusable)?;
        let port = listener.local_addr().map_err(unusable)?.port();
        let address = format!("http://127.0.0.1:{port}/{}/", ambient::secret());
        Ok(Self { listener, address, settings })
    }

    /// Returns the address for the browser. It holds the secret of this start.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves cards and the page until the program is asked to stop.
    ///
    /// # Errors
    /// That pcscd does not answer at the start, or that no server can be started.
    pub fn serve(self, stop: &Stop) -> Result<(), Failure> {
        let Self { listener, address, settings } = self;
        let watch = Watch::begin(Patience::default())?;
        let rules = Arc::new(Rules {
            keeper: Mutex::new(Keeper::new(settings.anchor, settings.source, settings.newest)),
            demands: settings.demands,
            service: settings.service,
            offset: settings.offset,
            limit: settings.limit,
            over: settings.over,
        });
        let state = State::new(rules.bundle());
        let (outbox, inbox) = channel();
        let (screens, shown) = watch::channel(Arc::new(state.screen(0)));
        let look = Look {
            over: settings.over,
            keeps_cards: settings.keeps_cards,
            duty: settings.duty,
            has_reports: settings.reports.is_some() && settings.over.is_none(),
            offset: settings.offset,
            first: settings.language,
        };
        let door = Door::new(&address, look, shown, outbox.clone());
        let seen = outbox.clone();
        thread::spawn(move || {
            let mut readers = watch.all();
            while seen.send(Event::Readers(readers.clone())).is_ok() {
                loop {
                    let now = watch.any_changed(&readers, LOOK);
                    if now != readers {
                        readers = now;
                        break;
                    }
                }
            }
        });
        let (reports, idle, reader) = (settings.reports, settings.idle, settings.reader);
        let hall = Hall { rules, inbox, outbox, screens, reports, idle, reader, state };
        let until = stop.clone();
        let serving = thread::spawn(move || hall.serve(&until));
        let served = door.serve(listener, stop);
        stop.request();
        let _ = serving.join();
        served
    }
}

/// How long one look at the readers waits for a change.
const LOOK: Duration = Duration::from_secs(1);
