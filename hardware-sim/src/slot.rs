//! A chip and the virtual reader it can be put on: inserted, removed and reset while the reader runs.
//!
//! Each inserted card has a thread of its own, so that a reader that hangs does not disturb the others.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crypto::identity::CardSerial;
use crypto::perso::LifeCycle;
use thiserror::Error;

use crate::chip::Chip;
use crate::faults;
use crate::vpcd::{Message, Vpcd, VpcdError};

/// A chip and the address on which its virtual reader listens.
pub struct Slot {
    chip: Arc<Mutex<Chip>>,
    host: String,
    port: u16,
    inserted: Option<Inserted>,
    heard: Arc<Mutex<Heard>>,
}

/// What a chip has heard since it was laid on its reader.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// All commands.
    pub commands: u64,
    /// The commands since the last reset: 0 once the reader's client has let the card go.
    pub in_session: u64,
    /// The sessions that began with a personalized chip and were ended by a reset.
    pub readings: u64,
    /// The last command, or the reset after it.
    pub last: Instant,
    began_personalized: bool,
}

impl Default for Heard {
    fn default() -> Self {
        Self { commands: 0, in_session: 0, readings: 0, last: Instant::now(), began_personalized: false }
    }
}

impl Heard {
    fn command(&mut self, life_cycle: LifeCycle) {
        if self.in_session == 0 {
            self.began_personalized = life_cycle == LifeCycle::Personalized;
        }
        self.commands += 1;
        self.in_session += 1;
        self.last = Instant::now();
    }

    fn reset(&mut self) {
        if std::mem::take(&mut self.in_session) > 0 {
            self.readings += u64::from(self.began_personalized);
            self.last = Instant::now();
        }
    }
}

struct Inserted {
    /// The connection to the reader, replaced at each reconnection; [`Line::Pulled`] ends the thread.
    line: Arc<Mutex<Line>>,
    /// Receives a message each time a connection carries its first message from the reader.
    noticed: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

enum Line {
    Open(TcpStream),
    Pulled,
}

impl Slot {
    /// Makes a slot for the reader at `host` and `port`, with the chip not inserted.
    pub fn new(chip: Chip, host: impl Into<String>, port: u16) -> Self {
        Self { chip: Arc::new(Mutex::new(chip)), host: host.into(), port, inserted: None, heard: Arc::default() }
    }

    /// Puts the chip on the reader and waits at most 5 s until the reader has spoken to it.
    ///
    /// # Errors
    /// [`SlotError`] if it cannot be inserted; it is then not on the reader.
    pub fn insert(&mut self) -> Result<(), SlotError> {
        self.lay_down()?;
        self.wait_until_noticed()
    }

    /// Puts the chip on the reader without waiting for the reader, which polls every 0.4 s; so several
    /// can be inserted at once.
    ///
    /// # Errors
    /// [`SlotError`] if there is a card already, no reader, or no thread.
    pub fn lay_down(&mut self) -> Result<(), SlotError> {
        if self.is_inserted() {
            return Err(SlotError::AlreadyInserted);
        }
        let vpcd = Vpcd::connect(&self.host, self.port)?;
        let line = Arc::new(Mutex::new(Line::Open(vpcd.handle().map_err(SlotError::Socket)?)));
        self.chip().insert();
        *lock(&self.heard) = Heard::default();
        let (tell, noticed) = mpsc::channel();
        let card = Card {
            chip: self.chip.clone(),
            line: line.clone(),
            host: self.host.clone(),
            port: self.port,
            tell,
            heard: self.heard.clone(),
        };
        let thread = thread::Builder::new()
            .name(format!("slot on port {}", self.port))
            .spawn(move || card.serve(vpcd))
            .map_err(SlotError::Socket)?;
        self.inserted = Some(Inserted { line, noticed, thread });
        Ok(())
    }

    /// Waits until the reader has spoken to the card, at most 5 s; takes the card away again if it does not.
    ///
    /// # Errors
    /// [`SlotError::Unnoticed`].
    pub fn wait_until_noticed(&mut self) -> Result<(), SlotError> {
        let noticed = self.inserted.as_ref().map(|inserted| inserted.noticed.recv_timeout(Duration::from_secs(5)));
        if let Some(Ok(())) = noticed {
            return Ok(());
        }
        self.remove();
        Err(SlotError::Unnoticed { reader: format!("{}:{}", self.host, self.port) })
    }

    /// Pulls the chip from the reader, if it is there.
    pub fn remove(&mut self) {
        if let Some(inserted) = self.inserted.take() {
            if let Line::Open(stream) = std::mem::replace(&mut *lock(&inserted.line), Line::Pulled) {
                // Fails if the thread has closed it already, which has the same effect.
                let _ = stream.shutdown(Shutdown::Both);
            }
            let _ = inserted.thread.join();
        }
        self.chip().remove();
    }

    /// Puts another chip into the slot. One that is on the reader is pulled first.
    pub fn replace(&mut self, chip: Chip) {
        drop(self.exchange(chip));
    }

    /// Puts another chip into the slot, as [`Self::replace`] does, and returns the one that was there.
    pub fn exchange(&mut self, chip: Chip) -> Chip {
        self.remove();
        std::mem::replace(&mut *self.chip(), chip)
    }

    /// Returns what the chip has heard since it was laid on the reader.
    pub fn heard(&self) -> Heard {
        *lock(&self.heard)
    }

    /// Returns the life cycle state of the chip.
    pub fn life_cycle(&self) -> LifeCycle {
        self.chip().life_cycle()
    }

    /// Resets the chip without telling the reader, as a short loss of the field does.
    pub fn reset(&mut self) {
        self.chip().reset();
    }

    /// Installs a plan of faults.
    pub fn fail(&mut self, plan: faults::Plan) {
        self.chip().fail(plan);
    }

    /// Returns whether the chip is on the reader.
    pub fn is_inserted(&self) -> bool {
        self.inserted.as_ref().is_some_and(|inserted| !inserted.thread.is_finished())
    }

    /// Returns the serial of the chip.
    pub fn serial(&self) -> CardSerial {
        self.chip().serial()
    }

    /// Returns one line: inserted or removed, serial, life cycle, number of commands so far.
    pub fn status(&self) -> String {
        let place = if self.is_inserted() { "inserted" } else { "removed" };
        let chip = self.chip();
        format!("{place} {} {} commands={}", chip.serial(), chip.life_cycle(), chip.commands())
    }

    fn chip(&self) -> MutexGuard<'_, Chip> {
        lock(&self.chip)
    }
}

/// The inserted card, as its thread sees it.
struct Card {
    chip: Arc<Mutex<Chip>>,
    line: Arc<Mutex<Line>>,
    host: String,
    port: u16,
    tell: mpsc::Sender<()>,
    heard: Arc<Mutex<Heard>>,
}

impl Card {
    /// Answers the reader until the card is pulled. After a lost connection (pcscd restarts, a planned power cut) it
    /// connects again, once the reader has had time to notice.
    fn serve(self, mut vpcd: Vpcd) {
        loop {
            if let Err(error) = self.converse(&mut vpcd) {
                tracing::warn!("the reader on port {} failed: {error}", self.port);
            }
            lock(&self.heard).reset();
            let pulled = lock(&self.chip).is_removed() || matches!(*lock(&self.line), Line::Pulled);
            drop(vpcd);
            if pulled {
                return;
            }
            lock(&self.chip).power_off();
            vpcd = loop {
                thread::sleep(REINSERT_AFTER);
                if matches!(*lock(&self.line), Line::Pulled) {
                    return;
                }
                let Ok(again) = Vpcd::connect(&self.host, self.port) else { continue };
                let Ok(handle) = again.handle() else { continue };
                let mut line = lock(&self.line);
                if matches!(*line, Line::Pulled) {
                    return;
                }
                *line = Line::Open(handle);
                break again;
            };
        }
    }

    fn converse(&self, vpcd: &mut Vpcd) -> std::io::Result<()> {
        let mut told = false;
        while let Some(message) = vpcd.hear()? {
            if !std::mem::replace(&mut told, true) {
                let _ = self.tell.send(()); // fails when the slot is gone
            }
            match message {
                Message::PowerOff => {
                    lock(&self.heard).reset();
                    lock(&self.chip).power_off();
                }
                Message::PowerOn | Message::Reset => {
                    lock(&self.heard).reset();
                    drop(lock(&self.chip).reset());
                }
                Message::AnswerToReset => {
                    let atr = lock(&self.chip).atr();
                    vpcd.say(&atr)?;
                }
                Message::Apdu(command) => {
                    let (answer, delay) = {
                        let mut chip = lock(&self.chip);
                        lock(&self.heard).command(chip.life_cycle());
                        let answer = chip.transmit(&command);
                        (answer, chip.take_delay())
                    };
                    if !self.wait(delay) {
                        return Ok(());
                    }
                    if answer.is_empty() {
                        // The power is gone, or the chip says nothing. A message without body would not tell: vpcd
                        // waits for its first byte for ever. A closed connection does.
                        return Ok(());
                    }
                    vpcd.say(&answer)?;
                }
            }
        }
        Ok(())
    }

    /// Waits before a slow answer. Returns `false` as soon as the card is pulled.
    fn wait(&self, mut delay: Duration) -> bool {
        while !delay.is_zero() {
            if matches!(*lock(&self.line), Line::Pulled) {
                return false;
            }
            let slice = delay.min(WAIT_SLICE);
            thread::sleep(slice);
            delay -= slice;
        }
        true
    }
}

/// Why a chip could not be inserted.
#[derive(Debug, Error)]
pub enum SlotError {
    /// It is on the reader already.
    #[error("the card is inserted already")]
    AlreadyInserted,
    /// The operating system refuses a thread or a handle.
    #[error("the operating system refuses: {0}")]
    Socket(std::io::Error),
    /// The port accepted the connection, but no message came from the reader.
    #[error("the reader on {reader} does not notice the card: is another simulator's card on it?")]
    Unnoticed {
        /// Host and port of the reader.
        reader: String,
    },
    /// There is no virtual reader.
    #[error(transparent)]
    Vpcd(#[from] VpcdError),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the card thread sleeps at a time during a slow answer, before it checks whether the card was pulled.
const WAIT_SLICE: Duration = Duration::from_millis(50);

/// vpcd polls every 400 ms; it does not notice that a card was away if it comes back sooner.
const REINSERT_AFTER: Duration = Duration::from_millis(900);
