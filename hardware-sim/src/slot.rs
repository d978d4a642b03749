//! A chip in front of one virtual reader: inserted, removed and reset while the reader runs.
//!
//! Each inserted card has a thread of its own, so a reader that hangs disturbs no other.

use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

use crypto::identity::CardSerial;

use crate::chip::Chip;
use crate::faults;
use crate::vpcd::{Message, Vpcd, VpcdError};

/// One reader's worth: a chip, and where its reader listens.
pub struct Slot {
    chip: Arc<Mutex<Chip>>,
    host: String,
    port: u16,
    inserted: Option<Inserted>,
}

struct Inserted {
    /// To hang up with; replaced at each reconnection. `None` once the card was pulled: the thread ends.
    line: Arc<Mutex<Line>>,
    /// Hears from the thread whenever the reader speaks.
    noticed: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

enum Line {
    Open(TcpStream),
    Pulled,
}

impl Slot {
    /// A chip in the hand, next to the reader at `host` and `port`.
    pub fn new(chip: Chip, host: impl Into<String>, port: u16) -> Self {
        Self { chip: Arc::new(Mutex::new(chip)), host: host.into(), port, inserted: None }
    }

    /// Puts the chip on the reader and waits until the reader has noticed, at most 5 s.
    ///
    /// # Errors
    /// [`SlotError`].
    pub fn insert(&mut self) -> Result<(), SlotError> {
        self.lay_down()?;
        self.wait_until_noticed()
    }

    /// Puts the chip on the reader, which will notice within its polling period of 0.4 s: several can be laid down at once.
    ///
    /// # Errors
    /// [`SlotError`].
    pub fn lay_down(&mut self) -> Result<(), SlotError> {
        if self.is_inserted() {
            return Err(SlotError::AlreadyInserted);
        }
        let vpcd = Vpcd::connect(&self.host, self.port)?;
        let line = Arc::new(Mutex::new(Line::Open(vpcd.handle().map_err(SlotError::Socket)?)));
        self.chip().insert();
        let (tell, noticed) = mpsc::channel();
        let card = Card { chip: self.chip.clone(), line: line.clone(), host: self.host.clone(), port: self.port, tell };
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

    /// Pulls the chip from the reader. No effect if it is not there.
    pub fn remove(&mut self) {
        if let Some(inserted) = self.inserted.take() {
            if let Line::Open(stream) = std::mem::replace(&mut *lock(&inserted.line), Line::Pulled) {
                // The thread may have closed it already, which is as good.
                let _ = stream.shutdown(Shutdown::Both);
            }
            let _ = inserted.thread.join();
        }
        self.chip().remove();
    }

    /// Resets the chip behind the reader's back, as a dip of the field does.
    pub fn reset(&mut self) {
        self.chip().reset();
    }

    /// From now on fail like this.
    pub fn fail(&mut self, plan: faults::Plan) {
        self.chip().fail(plan);
    }

    /// Whether it is on the reader.
    pub fn is_inserted(&self) -> bool {
        self.inserted.as_ref().is_some_and(|inserted| !inserted.thread.is_finished())
    }

    /// The chip's name.
    pub fn serial(&self) -> CardSerial {
        self.chip().serial()
    }

    /// One line about it: whether it is inserted, serial, life cycle, commands so far.
    pub fn status(&self) -> String {
        let place = if self.is_inserted() { "inserted" } else { "removed" };
        let chip = self.chip();
        format!("{place} {} {} commands={}", chip.serial(), chip.life_cycle(), chip.commands())
    }

    fn chip(&self) -> MutexGuard<'_, Chip> {
        lock(&self.chip)
    }
}

/// The inserted card, on its thread.
struct Card {
    chip: Arc<Mutex<Chip>>,
    line: Arc<Mutex<Line>>,
    host: String,
    port: u16,
    tell: mpsc::Sender<()>,
}

impl Card {
    /// Answers until it is pulled. A reader that hangs up (pcscd restarts) is called again, and so is one from which the card
    /// dropped by a planned power cut, once the reader has had time to notice.
    fn serve(self, mut vpcd: Vpcd) {
        loop {
            if let Err(error) = self.converse(&mut vpcd) {
                tracing::warn!("the reader on port {} failed: {error}", self.port);
            }
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
                let _ = self.tell.send(()); // nobody may be waiting
            }
            match message {
                Message::PowerOff => lock(&self.chip).power_off(),
                Message::PowerOn | Message::Reset => drop(lock(&self.chip).reset()),
                Message::AnswerToReset => {
                    let atr = lock(&self.chip).atr();
                    vpcd.say(&atr)?;
                }
                Message::Apdu(command) => {
                    let (answer, delay) = {
                        let mut chip = lock(&self.chip);
                        let answer = chip.transmit(&command);
                        (answer, chip.take_delay())
                    };
                    thread::sleep(delay);
                    if answer.is_empty() {
                        let chip = lock(&self.chip);
                        if !chip.is_powered() {
                            return Ok(()); // hangs up: the power is gone
                        }
                    }
                    vpcd.say(&answer)?;
                }
            }
        }
        Ok(())
    }
}

/// Why a chip cannot be inserted.
#[derive(Debug, Error)]
pub enum SlotError {
    /// It is on the reader.
    #[error("the card is inserted already")]
    AlreadyInserted,
    /// The operating system refuses a thread or a handle.
    #[error("the operating system refuses: {0}")]
    Socket(std::io::Error),
    /// The port accepts, but nobody speaks.
    #[error("the reader on {reader} does not notice the card: is another simulator's card on it?")]
    Unnoticed {
        /// Host and port.
        reader: String,
    },
    /// There is no reader.
    #[error(transparent)]
    Vpcd(#[from] VpcdError),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// vpcd looks every 400 ms; a card that comes back sooner is taken for the one that left.
const REINSERT_AFTER: Duration = Duration::from_millis(900);
