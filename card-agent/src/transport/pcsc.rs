//! Cards in PC/SC readers, found by the reader's name.
//!
//! Each connection lives on a thread of its own, and its caller waits for [`Patience`] at most. The PC/SC stack itself
//! has no timeouts: a hung card blocks its client for ever, even while listing readers. A thread that hangs is left
//! behind (the process ends soon after). Connections are exclusive, so that two programs cannot talk to one chip, and
//! begin and end with a reset, so that no session inherits or leaves an open channel. Dropping a [`PcscCard`] waits
//! until pcscd has let the reader go: the next program finds it free.
//!
//! A swapped card can go unnoticed by pcscd, which polls presence. The chip's identity must therefore be proved inside
//! the secure channel, as SCP03 and chip authentication do.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crypto::apdu::{Command, Response};
use crypto::conversation::{CardTransport, Fault};
use pcsc::{Context, Disposition, Protocol, Protocols, Scope, ShareMode, State};

use super::{Reader, TransportError};
use crate::session::Stop;

/// The times that the watchdog waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For pcscd itself: listing, connecting, resetting.
    pub service: Duration,
    /// For the answer to one command. Key generation on a chip takes seconds.
    pub answer: Duration,
}

impl Default for Patience {
    /// 10 s for pcscd, 30 s for one answer.
    fn default() -> Self {
        Self { service: Duration::from_secs(10), answer: Duration::from_secs(30) }
    }
}

/// A reader as pcscd sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReaderState {
    /// The full name of the reader.
    pub name: String,
    /// Whether a card is in it.
    pub card_present: bool,
    /// Answer to reset of the card, empty without a card.
    pub atr: Vec<u8>,
}

/// Returns all readers and their state.
///
/// # Errors
/// [`TransportError::ServiceNotRunning`], [`TransportError::Hung`].
pub fn readers(patience: Patience) -> Result<Vec<ReaderState>, TransportError> {
    on_thread(patience.service, "pcscd", || {
        let context = establish()?;
        let names = list(&context)?;
        let mut states: Vec<_> =
            names.iter().map(|name| pcsc::ReaderState::new(name.clone(), State::UNAWARE)).collect();
        if !states.is_empty() {
            context.get_status_change(Duration::ZERO, &mut states).map_err(|e| explain(e, ""))?;
        }
        Ok(states
            .iter()
            .map(|s| ReaderState {
                name: text(s.name()),
                card_present: s.event_state().contains(State::PRESENT),
                atr: s.atr().to_vec(),
            })
            .collect())
    })
}

/// Returns the full name of the reader whose name is `wanted`, or is the only one to contain it.
///
/// # Errors
/// [`TransportError`]: no pcscd, no such reader, several.
pub fn find(wanted: &str, patience: Patience) -> Result<String, TransportError> {
    let wanted = wanted.to_owned();
    on_thread(patience.service, "pcscd", move || Ok(text(choose(&wanted, &list(&establish()?)?)?)))
}

/// Returns the full name of the reader that is named, or of the only one that is connected if none is.
///
/// # Errors
/// [`TransportError`]: no pcscd, no such reader, several.
pub fn find_or_only(wanted: Option<&str>, patience: Patience) -> Result<String, TransportError> {
    match wanted.filter(|name| !name.is_empty()) {
        Some(name) => find(name, patience),
        None => on_thread(patience.service, "pcscd", || only(&list(&establish()?)?)),
    }
}

/// Which readers are meant, where several may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Several {
    /// All that are connected.
    All,
    /// So many of those that are connected, the first ones by name.
    First(usize),
    /// These, each by its name or a unique part of it.
    Named(Vec<String>),
}

/// Reads `all`, a number from 1, or names with commas between them.
impl std::str::FromStr for Several {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.trim(), text.trim().parse()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(0)) => Err("at least one reader is needed".to_owned()),
            (_, Ok(number)) => Ok(Self::First(number)),
            (names, Err(_)) => {
                let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
                if names.iter().any(String::is_empty) {
                    return Err("write all, a number, or names with commas between them".to_owned());
                }
                Ok(Self::Named(names))
            }
        }
    }
}

/// Returns the full names of these readers.
///
/// # Errors
/// [`TransportError`]: no pcscd, no such reader, fewer than wanted, a name that fits several.
pub fn find_several(wanted: &Several, patience: Patience) -> Result<Vec<String>, TransportError> {
    let wanted = wanted.clone();
    on_thread(patience.service, "pcscd", move || chosen(&wanted, &list(&establish()?)?))
}

fn chosen(wanted: &Several, names: &[CString]) -> Result<Vec<String>, TransportError> {
    let mut all: Vec<String> = names.iter().map(|name| text(name)).collect();
    all.sort();
    match wanted {
        Several::All if all.is_empty() => Err(TransportError::NoReader),
        Several::All => Ok(all),
        Several::First(number) if *number > all.len() => {
            Err(TransportError::ReaderUnknown { wanted: format!("{number} readers"), present: all })
        }
        Several::First(number) => Ok(all[..*number].to_vec()),
        Several::Named(wanted) => {
            let mut found = Vec::new();
            for name in wanted {
                let name = text(choose(name, names)?);
                if !found.contains(&name) {
                    found.push(name);
                }
            }
            Ok(found)
        }
    }
}

/// What a reader holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holds {
    /// A card. Each time that one is laid in it has another number.
    Card(u64),
    /// The reader itself is not there, or pcscd is not.
    Gone,
    /// No card.
    Nothing,
}

/// Sees cards come and go in all readers, on a thread and a connection of its own: no card that hangs holds it up. Ends
/// when it is dropped.
pub struct Watch(Arc<Sight>);

#[derive(Default)]
struct Sight {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    readers: BTreeMap<String, (Holds, u32)>,
    /// The number of the last card.
    cards: u64,
}

impl Watch {
    /// Begins to look. The first look is made before this returns.
    ///
    /// # Errors
    /// [`TransportError`], if pcscd does not answer.
    pub fn begin(patience: Patience) -> Result<Self, TransportError> {
        let sight = Arc::new(Sight::default());
        let (told, first) = channel();
        let mut told = Some(told);
        let looking = Arc::downgrade(&sight);
        thread::spawn(move || {
            while looking.strong_count() > 0 {
                let ended = look(&looking, &mut told);
                if let (Err(error), Some(told)) = (ended, told.take()) {
                    let _ = told.send(Err(error));
                    return;
                }
                // pcscd has ended, or ends: all readers are gone until it is back.
                if let Some(sight) = looking.upgrade() {
                    sight.sees(&BTreeMap::new());
                }
                thread::sleep(LOOK);
            }
        });
        wait(&first, patience.service, "pcscd")??;
        Ok(Self(sight))
    }

    /// Returns what the reader of this name holds.
    pub fn holds(&self, reader: &str) -> Holds {
        self.0.lock().holds(reader)
    }

    /// Returns what each connected reader holds.
    pub fn all(&self) -> BTreeMap<String, Holds> {
        self.0.lock().all()
    }

    /// Waits until any reader holds something else than `before`, comes or goes, for this time at most. Returns what
    /// each holds then.
    pub fn any_changed(&self, before: &BTreeMap<String, Holds>, most: Duration) -> BTreeMap<String, Holds> {
        let same = |seen: &mut Seen| seen.all() == *before;
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), most, same);
        waited.unwrap_or_else(PoisonError::into_inner).0.all()
    }

    /// Waits until the reader holds something else than `before`, for this time at most. Returns what it holds then.
    pub fn changed(&self, reader: &str, before: Holds, most: Duration) -> Holds {
        let same = |seen: &mut Seen| seen.holds(reader) == before;
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), most, same);
        waited.unwrap_or_else(PoisonError::into_inner).0.holds(reader)
    }
}

impl Seen {
    fn all(&self) -> BTreeMap<String, Holds> {
        self.readers.iter().map(|(reader, (holds, _))| (reader.clone(), *holds)).collect()
    }

    fn holds(&self, reader: &str) -> Holds {
        self.readers.get(reader).map_or(Holds::Gone, |(holds, _)| *holds)
    }
}

impl Sight {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what all readers hold: whether there is a card, and how many cards have come and gone.
    fn sees(&self, now: &BTreeMap<String, (bool, u32)>) {
        let mut seen = self.lock();
        seen.readers.retain(|reader, _| now.contains_key(reader));
        for (reader, (has_card, count)) in now {
            let holds = match (has_card, seen.readers.get(reader)) {
                (false, _) => Holds::Nothing,
                // Another count is another card, also if the empty reader between them was not seen.
                (true, Some((Holds::Card(number), before))) if before == count => Holds::Card(*number),
                (true, _) => {
                    seen.cards += 1;
                    Holds::Card(seen.cards)
                }
            };
            seen.readers.insert(reader.clone(), (holds, *count));
        }
        drop(seen);
        self.changed.notify_all();
    }
}

/// Looks for as long as pcscd lives and the sight is wanted; tells the first look.
fn look(sight: &Weak<Sight>, told: &mut Option<Sender<Result<(), TransportError>>>) -> Result<(), TransportError> {
    let context = establish()?;
    let mut states: Vec<pcsc::ReaderState> = Vec::new();
    loop {
        let names = list(&context)?;
        states.retain(|state| names.iter().any(|name| name.as_c_str() == state.name()));
        for name in names {
            if states.iter().all(|state| state.name() != name.as_c_str()) {
                states.push(pcsc::ReaderState::new(name, State::UNAWARE));
            }
        }
        match context.get_status_change(LOOK, &mut states) {
            _ if states.is_empty() => thread::sleep(LOOK),
            Ok(()) | Err(pcsc::Error::Timeout | pcsc::Error::UnknownReader | pcsc::Error::ReaderUnavailable) => {}
            Err(error) => return Err(explain(error, "")),
        }
        let is_there =
            |state: &&pcsc::ReaderState| !state.event_state().intersects(State::UNKNOWN | State::UNAVAILABLE);
        let now = states.iter().filter(is_there).map(|state| {
            let has_card = state.event_state().contains(State::PRESENT);
            (text(state.name()), (has_card, state.event_count()))
        });
        let now: BTreeMap<_, _> = now.collect();
        states.iter_mut().for_each(pcsc::ReaderState::sync_current_state);
        let Some(sight) = sight.upgrade() else { return Ok(()) };
        sight.sees(&now);
        if let Some(told) = told.take() {
            let _ = told.send(Ok(()));
        }
    }
}

/// Waits until there is a card in the reader, or none any more. Returns whether that came about before `end`.
///
/// # Errors
/// [`TransportError::Interrupted`] once a stop was requested, [`TransportError::ReaderGone`], and those of [`readers`].
pub fn wait_for_card(
    reader: &str,
    present: bool,
    end: Option<Instant>,
    stop: &Stop,
    patience: Patience,
) -> Result<bool, TransportError> {
    loop {
        let all = readers(patience)?;
        let Some(state) = all.iter().find(|state| state.name == reader) else {
            return Err(TransportError::ReaderGone { reader: reader.to_owned() });
        };
        if state.card_present == present {
            return Ok(true);
        }
        if stop.requested() {
            return Err(TransportError::Interrupted);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(false);
        }
        thread::sleep(LOOK);
    }
}

/// A card in a PC/SC reader.
pub struct PcscCard {
    reader: String,
    atr: Vec<u8>,
    patience: Patience,
    /// No answer is waited for beyond this moment.
    end: Option<Instant>,
    /// None once the card is let go.
    jobs: Option<Sender<Job>>,
    answers: Receiver<Result<Vec<u8>, TransportError>>,
    thread: Option<JoinHandle<()>>,
    /// Set once an answer did not come in time: it may still come, and would be taken for the answer to the next job.
    hung: Option<TransportError>,
}

enum Job {
    Reset,
    Transmit(Vec<u8>),
}

impl PcscCard {
    /// Connects to the card in the reader whose name is `wanted`, or is the only one to contain it.
    ///
    /// # Errors
    /// [`TransportError`]: no pcscd, no such reader, no card.
    pub fn connect(wanted: &str, patience: Patience) -> Result<Self, TransportError> {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, answers) = channel();
        let (opened, opening) = channel();
        let wanted_here = wanted.to_owned();
        let thread = thread::spawn(move || {
            let connection = match open(&wanted_here) {
                Ok((connection, atr)) => {
                    let _ = opened.send(Ok((connection.reader.clone(), atr)));
                    connection
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            connection.serve(&inbox, &outbox);
        });
        let (reader, atr) = wait(&opening, patience.service, "pcscd")??;
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok(Self { reader, atr, patience, end: None, jobs, answers, thread, hung: None })
    }

    /// Returns the reader's full name.
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// Returns the card's answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn ask(&mut self, job: Job, patience: Duration) -> Result<Vec<u8>, TransportError> {
        if let Some(hung) = &self.hung {
            return Err(hung.clone());
        }
        let jobs = self.jobs.as_ref().ok_or(TransportError::Removed)?;
        jobs.send(job).map_err(|_| TransportError::Removed)?;
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        let answer = wait(&self.answers, left.map_or(patience, |left| left.min(patience)), &self.reader);
        self.hung = answer.as_ref().err().cloned();
        answer?
    }
}

impl CardTransport for PcscCard {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        let bytes = self.ask(Job::Transmit(command.to_bytes()), self.patience.answer)?;
        Response::parse(&bytes).map_err(|e| TransportError::ShortAnswer { length: e.length })
    }
}

impl Reader for PcscCard {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.ask(Job::Reset, self.patience.service).map(drop)
    }

    fn wait_until(&mut self, end: Instant) {
        self.end = Some(end);
    }
}

/// Waits until the card is reset and the reader free. A thread that hangs in pcscd is waited for a moment only.
impl Drop for PcscCard {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let end = Instant::now() + if self.hung.is_some() { PARTING } else { self.patience.service };
        // The thread lets go of this channel when it has let go of the card.
        let ended = loop {
            match self.answers.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(error) => break error == RecvTimeoutError::Disconnected,
            }
        };
        if let (true, Some(thread)) = (ended, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// The open connection to a card, on the thread of its own.
struct OpenCard {
    card: pcsc::Card,
    protocol: Option<Protocol>,
    reader: String,
}

impl OpenCard {
    fn serve(mut self, inbox: &Receiver<Job>, outbox: &Sender<Result<Vec<u8>, TransportError>>) {
        let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
        while let Ok(job) = inbox.recv() {
            let answer = match job {
                Job::Reset => self.reset().map(|()| Vec::new()),
                Job::Transmit(command) => self.transmit(&command, &mut buffer),
            };
            if outbox.send(answer).is_err() {
                break;
            }
        }
        let _ = self.card.disconnect(Disposition::ResetCard);
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card
            .reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)
            .map_err(|e| explain(e, &self.reader))
    }

    fn transmit(&self, command: &[u8], buffer: &mut [u8]) -> Result<Vec<u8>, TransportError> {
        match self.protocol {
            Some(Protocol::T0) => over_t0(command, |command| self.exchange(command, buffer)),
            _ => self.exchange(command, buffer),
        }
    }

    fn exchange(&self, command: &[u8], buffer: &mut [u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.card.transmit(command, buffer).map_err(|e| explain(e, &self.reader))?;
        match answer.len() {
            length @ 0..2 => Err(unless_pcscd_is_gone(TransportError::ShortAnswer { length })),
            _ => Ok(answer.to_vec()),
        }
    }
}

/// Exchanges one command over T=0: fetches the data of a case 4 command by GET RESPONSE and corrects Le on `6Cxx`
/// (ISO/IEC 7816-3:2006 §12.2.1). An answer that does not end within [`MOST_PIECES`] exchanges is an error.
fn over_t0(
    command: &[u8],
    mut exchange: impl FnMut(&[u8]) -> Result<Vec<u8>, TransportError>,
) -> Result<Vec<u8>, TransportError> {
    let mut answer = exchange(&without_le(command)?)?;
    let mut data = Vec::new();
    for _ in 0..MOST_PIECES {
        match answer[..] {
            [.., 0x61, more] => {
                data.extend_from_slice(&answer[..answer.len() - 2]);
                answer = exchange(&[0x00, 0xc0, 0x00, 0x00, more])?;
            }
            [0x6c, exact] if command.len() == 5 => {
                answer = exchange(&[command[0], command[1], command[2], command[3], exact])?;
            }
            _ => {
                data.append(&mut answer);
                return Ok(data);
            }
        }
    }
    Err(TransportError::Fault(Fault::Misbehaved("an answer over T=0 that has no end")))
}

fn without_le(command: &[u8]) -> Result<Vec<u8>, TransportError> {
    match command {
        [_, _, _, _, 0, _, _, ..] => {
            Err(TransportError::Fault(Fault::Unsupported("extended length does not travel over T=0")))
        }
        [_, _, _, _, lc, data @ ..] if data.len() == usize::from(*lc) + 1 => Ok(command[..command.len() - 1].to_vec()),
        _ => Ok(command.to_vec()),
    }
}

fn establish() -> Result<Context, TransportError> {
    Context::establish(Scope::System).map_err(|e| explain(e, ""))
}

fn list(context: &Context) -> Result<Vec<CString>, TransportError> {
    match context.list_readers_owned() {
        Ok(names) => Ok(names),
        Err(pcsc::Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(error) => Err(explain(error, "")),
    }
}

fn open(wanted: &str) -> Result<(OpenCard, Vec<u8>), TransportError> {
    let context = establish()?;
    let names = list(&context)?;
    let name = choose(wanted, &names)?;
    let reader = text(name);
    let connect = || context.connect(name, ShareMode::Exclusive, Protocols::ANY);
    let mut card = patiently(connect).map_err(|e| explain(e, &reader))?;
    card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard).map_err(|e| explain(e, &reader))?;
    let status = card.status2_owned().map_err(|e| explain(e, &reader))?;
    Ok((OpenCard { card, protocol: status.protocol2(), reader }, status.atr().to_vec()))
}

/// Tries again for a moment while another program holds the reader: one that has just ended may not have let it go yet.
fn patiently<T>(mut connect: impl FnMut() -> Result<T, pcsc::Error>) -> Result<T, pcsc::Error> {
    for _ in 0..TRIES {
        match connect() {
            Err(pcsc::Error::SharingViolation) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    connect()
}

fn choose<'a>(wanted: &str, names: &'a [CString]) -> Result<&'a CString, TransportError> {
    if let Some(exact) = names.iter().find(|name| text(name) == wanted) {
        return Ok(exact);
    }
    let fits: Vec<&CString> = names.iter().filter(|name| text(name).contains(wanted)).collect();
    match fits[..] {
        [only] => Ok(only),
        [] => Err(TransportError::ReaderUnknown {
            wanted: wanted.to_owned(),
            present: names.iter().map(|name| text(name)).collect(),
        }),
        _ => Err(TransportError::ReaderAmbiguous {
            wanted: wanted.to_owned(),
            fits: fits.into_iter().map(|name| text(name)).collect(),
        }),
    }
}

fn only(names: &[CString]) -> Result<String, TransportError> {
    match names {
        [only] => Ok(text(only)),
        [] => Err(TransportError::NoReader),
        several => Err(TransportError::NotNamed { present: several.iter().map(|name| text(name)).collect() }),
    }
}

fn text(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}

fn explain(error: pcsc::Error, reader: &str) -> TransportError {
    let reader = reader.to_owned();
    unless_pcscd_is_gone(match error {
        // A handle becomes invalid, and a connection breaks, when pcscd ends: also if another was started since.
        pcsc::Error::NoService
        | pcsc::Error::ServiceStopped
        | pcsc::Error::Shutdown
        | pcsc::Error::CommError
        | pcsc::Error::InvalidHandle => TransportError::ServiceNotRunning,
        pcsc::Error::NoSmartcard => TransportError::NoCard { reader },
        pcsc::Error::UnknownReader | pcsc::Error::ReaderUnavailable => TransportError::ReaderGone { reader },
        pcsc::Error::SharingViolation => TransportError::ReaderInUse { reader },
        pcsc::Error::RemovedCard | pcsc::Error::NotTransacted | pcsc::Error::ResetCard => TransportError::Removed,
        pcsc::Error::UnresponsiveCard | pcsc::Error::UnpoweredCard | pcsc::Error::InvalidAtr => {
            TransportError::Unresponsive { reader }
        }
        other => TransportError::Other(other.to_string()),
    })
}

/// Returns this error if pcscd answers, else that it does not. A pcscd that is ended under a command drops the cards,
/// the readers and its clients in any order, so the first error seen may be that of a card or a reader.
fn unless_pcscd_is_gone(error: TransportError) -> TransportError {
    match Context::establish(Scope::System) {
        Err(pcsc::Error::NoService | pcsc::Error::ServiceStopped) => TransportError::ServiceNotRunning,
        _ => error,
    }
}

fn on_thread<T: Send + 'static>(
    patience: Duration,
    name: &str,
    work: impl FnOnce() -> Result<T, TransportError> + Send + 'static,
) -> Result<T, TransportError> {
    let (done, doing) = channel();
    thread::spawn(move || {
        let _ = done.send(work());
    });
    wait(&doing, patience, name)?
}

fn wait<T>(from: &Receiver<T>, patience: Duration, name: &str) -> Result<T, TransportError> {
    from.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => TransportError::Hung { seconds: patience.as_secs(), from: name.to_owned() },
        RecvTimeoutError::Disconnected => TransportError::Removed,
    })
}

/// The number of exchanges that one command may take over T=0: 64 KiB in pieces of 256 bytes, and a reserve.
const MOST_PIECES: usize = 300;

/// The number of times that a reader in use is tried again, and the pause between two of them.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// The pause between two looks for a card; pcscd itself looks every 0.4 s.
pub const LOOK: Duration = Duration::from_millis(200);

/// The time that a hung thread is waited for when its card is let go.
const PARTING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn names() -> Vec<CString> {
        ["Virtual PCD 00 00", "Virtual PCD 00 01", "Gemalto PC Twin Reader 01 00"]
            .map(|name| CString::new(name).expect("no NUL"))
            .to_vec()
    }

    #[test]
    fn a_unique_part_of_the_name_is_enough_and_an_exact_name_wins() {
        assert_eq!(choose("Gemalto", &names()).map(|n| text(n)), Ok("Gemalto PC Twin Reader 01 00".to_owned()));
        let nested = [CString::new("VPCD 1").expect("no NUL"), CString::new("VPCD 10").expect("no NUL")];
        assert_eq!(choose("VPCD 1", &nested).map(|n| text(n)), Ok("VPCD 1".to_owned()));
    }

    #[test]
    fn several_readers_are_all_or_a_number_or_named_and_none_twice() {
        let these = |wanted: &str| {
            chosen(&wanted.parse::<Several>().expect("readers"), &names()).map_err(|error| error.to_string())
        };
        assert_eq!(these("all").map(|all| all.len()), Ok(3));
        assert_eq!(these("2"), Ok(vec!["Gemalto PC Twin Reader 01 00".to_owned(), "Virtual PCD 00 00".to_owned()]));
        assert_eq!(these("00 01, Gemalto,00 01").map(|these| these.len()), Ok(2));
        assert!(these("4").is_err_and(|error| error.contains("4 readers")));
        assert!(these("Virtual").is_err_and(|error| error.contains("fits several")));
        for malformed in ["", "0", "a,,b"] {
            assert!(malformed.parse::<Several>().is_err(), "{malformed}");
        }
    }

    #[test]
    fn a_card_that_was_swapped_unseen_is_another_card_and_the_same_one_stays_itself() {
        let watch = Watch(Arc::default());
        let sees = |cards: &[(&str, bool, u32)]| {
            watch.0.sees(&cards.iter().map(|(name, card, count)| ((*name).to_owned(), (*card, *count))).collect());
            watch.holds("A")
        };
        assert_eq!(watch.holds("A"), Holds::Gone);
        assert_eq!(sees(&[("A", false, 0), ("B", true, 7)]), Holds::Nothing);
        let first = sees(&[("A", true, 1), ("B", true, 7)]);
        assert!(matches!(first, Holds::Card(_)));
        assert_eq!(sees(&[("A", true, 1)]), first);
        let second = sees(&[("A", true, 3)]);
        assert!(matches!(second, Holds::Card(_)) && second != first);
        assert_eq!(sees(&[("B", true, 7)]), Holds::Gone, "unplugged");
        assert_ne!(sees(&[("A", true, 3)]), second, "plugged in again with a card in it");
        assert_eq!(watch.changed("A", Holds::Gone, Duration::from_hours(1)), watch.holds("A"));
        let all = watch.all();
        assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["A"], "B is unplugged");
        assert_eq!(watch.any_changed(&BTreeMap::new(), Duration::from_hours(1)), all);
        assert_eq!(watch.any_changed(&all, Duration::ZERO), all, "nothing changed");
    }

    #[test]
    fn the_only_reader_need_not_be_named() {
        assert_eq!(only(&names()[2..]).as_deref(), Ok("Gemalto PC Twin Reader 01 00"));
        assert_eq!(only(&[]), Err(TransportError::NoReader));
        let error = only(&names()).expect_err("several").to_string();
        assert!(error.contains("--reader") && error.contains("Virtual PCD 00 01"), "{error}");
    }

    #[test]
    fn an_unknown_reader_error_lists_the_readers_there_are() {
        let error = choose("ACR122", &names()).expect_err("not there").to_string();
        assert!(error.contains("ACR122") && error.contains("Virtual PCD 00 01"), "{error}");
        assert!(
            matches!(choose("Virtual", &names()), Err(TransportError::ReaderAmbiguous { fits, .. }) if fits.len() == 2)
        );
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_answer_to_the_next_command() {
        let (jobs, inbox) = channel();
        let (outbox, answers) = channel();
        let patience = Patience { service: Duration::from_millis(1), answer: Duration::from_millis(1) };
        let mut card = PcscCard {
            reader: "reader".to_owned(),
            atr: vec![],
            patience,
            end: None,
            jobs: Some(jobs),
            answers,
            thread: None,
            hung: None,
        };
        let first = card.transmit(&Command::new(0xb0, 0, 0));
        assert!(matches!(first, Err(TransportError::Hung { .. })));
        outbox.send(Ok(vec![1, 2, 0x90, 0x00])).expect("the card is still held");
        let second = card.transmit(&Command::new(0x84, 0, 0));
        assert!(matches!(second, Err(TransportError::Hung { .. })), "{second:?}");
        drop(inbox);
    }

    /// Returns a card whose thread takes jobs with `serve`.
    fn served(serve: impl FnOnce(Receiver<Job>, Sender<Result<Vec<u8>, TransportError>>) + Send + 'static) -> PcscCard {
        let (jobs, inbox) = channel();
        let (outbox, answers) = channel();
        let thread = Some(thread::spawn(move || serve(inbox, outbox)));
        let (reader, jobs) = ("reader".to_owned(), Some(jobs));
        let patience = Patience::default();
        PcscCard { reader, atr: vec![], patience, end: None, jobs, answers, thread, hung: None }
    }

    #[test]
    fn a_card_that_is_dropped_has_let_go_of_its_reader() {
        let free = Arc::new(AtomicBool::new(false));
        let seen = free.clone();
        let card = served(move |inbox, outbox| {
            while inbox.recv().is_ok() {}
            thread::sleep(Duration::from_millis(200)); // pcscd resets the card
            seen.store(true, Ordering::SeqCst);
            drop(outbox);
        });
        drop(card);
        assert!(free.load(Ordering::SeqCst), "the next program would find the reader in use");
    }

    #[test]
    fn no_answer_is_waited_for_beyond_the_end_of_the_work() {
        let mut card = served(|inbox, _outbox| while inbox.recv().is_ok() {});
        let begun = Instant::now();
        card.wait_until(begun + Duration::from_millis(50));
        let answer = card.transmit(&Command::new(0xb0, 0, 0));
        assert!(matches!(answer, Err(TransportError::Hung { .. })), "{answer:?}");
        assert!(begun.elapsed() < card.patience.answer, "the watchdog alone would wait for 30 s");
    }

    #[test]
    fn a_reader_in_use_is_tried_again_and_other_errors_are_not() {
        let mut tries = 0;
        let mut answers = [Err(pcsc::Error::SharingViolation), Err(pcsc::Error::SharingViolation), Ok(7)].into_iter();
        assert_eq!(patiently(|| answers.next().expect("no further try")), Ok(7));
        let refused = patiently::<()>(|| {
            tries += 1;
            Err(pcsc::Error::NoSmartcard)
        });
        assert_eq!((refused, tries), (Err(pcsc::Error::NoSmartcard), 1));
        let held = patiently::<()>(|| {
            tries += 1;
            Err(pcsc::Error::SharingViolation)
        });
        assert_eq!((held, tries), (Err(pcsc::Error::SharingViolation), 2 + TRIES));
    }

    #[test]
    fn t0_carries_no_le_after_data() {
        assert_eq!(without_le(&[0, 0xa4, 4, 12, 1, 7, 0]), Ok(vec![0, 0xa4, 4, 12, 1, 7]));
        assert_eq!(without_le(&[0, 0xb0, 0x9e, 0, 0]), Ok(vec![0, 0xb0, 0x9e, 0, 0]));
        assert!(without_le(&[0, 0xb0, 0, 0, 0, 1, 0]).is_err());
    }

    #[test]
    fn an_answer_over_t0_is_put_together_and_has_an_end() {
        let mut asked = Vec::new();
        let mut answers = [vec![1, 0x61, 2], vec![2, 3, 0x90, 0]].into_iter();
        let answer = over_t0(&[0, 0xa4, 4, 0, 1, 7, 0], |command| {
            asked.push(command.to_vec());
            Ok(answers.next().expect("two exchanges"))
        });
        assert_eq!(answer, Ok(vec![1, 2, 3, 0x90, 0]));
        assert_eq!(asked, [vec![0, 0xa4, 4, 0, 1, 7], vec![0, 0xc0, 0, 0, 2]]);
        for endless in [[0x61, 0x01], [0x6c, 0x01]] {
            let answer = over_t0(&[0, 0xb0, 0x9e, 0, 0], |_| Ok(endless.to_vec()));
            assert!(matches!(answer, Err(TransportError::Fault(Fault::Misbehaved(_)))), "{endless:02x?}");
        }
    }
}
