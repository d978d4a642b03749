//! Verifies a receipt by the chip's own MACs. The station that delivers it is not trusted.

use std::fmt;

use thiserror::Error;

use super::script::Expected;
use super::{LifeCycle, Receipt, Report, Script, ScriptStep};
use crate::apdu::{Command, Response, Status};
use crate::command::generate_key_pair::{KeyUse, parse_public_key};
use crate::conversation::Fault;
use crate::scp03::KeySet;
use crate::suite::ec::{Curve, PublicKey};

/// What a verified receipt proves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The public keys of its two key pairs, once it has both. After an intake, always.
    pub public_keys: Option<PublicKeys>,
    /// Its report; none after termination. After a personalization its digest is the package's; after a report order
    /// **the caller** compares digest, life cycle and public keys with what it knows.
    pub report: Option<Report>,
}

/// The public keys of a chip, each of a pair that was made on the chip.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKeys {
    /// For active authentication (DG15).
    pub active_auth: PublicKey,
    /// For chip authentication (DG14).
    pub chip_auth: PublicKey,
}

/// Error of a receipt: the first command whose answer proves nothing, and why.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("command {index}, {step}: {reason}")]
pub struct ReceiptError {
    /// Number of the command in the order, from 0.
    pub index: usize,
    /// Name of the command.
    pub step: StepName,
    /// The problem.
    pub reason: Reason,
}

/// A step, or the position behind the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepName {
    /// A command of the order.
    Of(ScriptStep),
    /// No command of the order.
    BehindTheLast,
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(step) => fmt::Display::fmt(step, f),
            Self::BehindTheLast => f.write_str("behind the last one"),
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Reason {
    /// Not an answer of this chip: altered on the way, of another chip or session, or invented.
    #[error("the answer is not the chip's: {0}")]
    Forged(&'static str),
    /// The receipt ends before this command. The answers before it are genuine; the chip may
    /// have executed this command.
    #[error("the receipt ends here")]
    Incomplete,
    /// The record does not belong to these keys, or was damaged in the store.
    #[error("the stored order does not belong to these keys")]
    Record,
    /// The status is not `9000`. It may be forged: an error status is not always protected.
    #[error("the chip refused with {0}")]
    Refused(Status),
    /// There are more answers than commands.
    #[error("there are more answers than commands")]
    Surplus,
    /// The answer is genuine, but not the expected result of the order.
    #[error("the chip answered something else than it was made to do: {0}")]
    Unexpected(&'static str),
}

impl Script {
    /// Checks every answer of a receipt and returns what the chip has proved.
    ///
    /// `keys` are those that open the session (version [`super::Record::key_version`]): at intake
    /// the ones that it replaces.
    ///
    /// Only a receipt that answers every command can succeed. A genuine but short one is [`Reason::Incomplete`]: then a
    /// new presentation and a new order find out what the chip did.
    ///
    /// # Errors
    /// [`ReceiptError`] of the first command with a wrong answer.
    pub fn verify(&self, keys: &KeySet, receipt: &Receipt) -> Result<Outcome, ReceiptError> {
        let steps = self.steps();
        let at = |index: usize, reason: Reason| ReceiptError {
            index,
            step: steps.get(index).map_or(StepName::BehindTheLast, |step| StepName::Of(*step)),
            reason,
        };
        let opening = self.record.predict(keys);
        let mut session = opening.session;
        let commands = self.commands().filter(|commands| commands.len() == steps.len());
        let commands = commands.ok_or_else(|| at(0, Reason::Record))?;
        if commands[..opening.commands.len()] != opening.commands {
            return Err(at(1, Reason::Record));
        }
        let mut heard = Heard::default();
        for (index, (step, command)) in steps.iter().zip(&commands).enumerate() {
            let bytes = receipt.responses.get(index).ok_or_else(|| at(index, Reason::Incomplete))?;
            let malformed = |_| at(index, Reason::Forged("fewer than two bytes"));
            let response = Response::parse(bytes).map_err(malformed)?;
            if response.status != Status::SUCCESS {
                return Err(at(index, Reason::Refused(response.status)));
            }
            if let Some(predicted) = opening.answers.get(index) {
                if response != *predicted {
                    return Err(at(index, Reason::Forged("it is not the one that was computed in advance")));
                }
                continue;
            }
            session.retrace(command).map_err(|_| at(index, Reason::Record))?;
            let plain = session.unwrap(response).map_err(|fault| at(index, Reason::Forged(name(&fault))))?;
            heard.take(&self.record.expected, *step, &plain.data).map_err(|reason| at(index, reason))?;
        }
        if receipt.responses.len() > steps.len() {
            return Err(at(steps.len(), Reason::Surplus));
        }
        Ok(heard.outcome())
    }

    fn commands(&self) -> Option<Vec<Command>> {
        self.record.commands.iter().map(|bytes| Command::parse(bytes).ok()).collect()
    }
}

/// The chip's answers so far.
#[derive(Default)]
struct Heard {
    active_auth: Option<PublicKey>,
    chip_auth: Option<PublicKey>,
    life_cycle: Option<LifeCycle>,
    report: Option<Report>,
}

impl Heard {
    fn take(&mut self, expected: &Expected, step: ScriptStep, data: &[u8]) -> Result<(), Reason> {
        match (step, expected) {
            (ScriptStep::PutKey, Expected::Intake { confirmation, .. }) if data == confirmation => {}
            (ScriptStep::PutKey, _) => return Err(Reason::Unexpected("other check values than those of the new keys")),
            (ScriptStep::GenerateKeyPair(KeyUse::ActiveAuthentication), Expected::Intake { active_auth, .. }) => {
                self.active_auth = Some(public_key(data, *active_auth)?);
            }
            (ScriptStep::GenerateKeyPair(KeyUse::ChipAuthentication), Expected::Intake { chip_auth, .. }) => {
                self.chip_auth = Some(public_key(data, *chip_auth)?);
            }
            (ScriptStep::Report, _) => {
                let report = Report::parse(data).map_err(|fault| Reason::Unexpected(name(&fault)))?;
                self.check(expected, &report)?;
                self.report = Some(report);
            }
            (ScriptStep::SetStatus(life_cycle), _) if data.is_empty() => self.life_cycle = Some(life_cycle),
            (_, _) if data.is_empty() => {}
            _ => return Err(Reason::Unexpected("data where none are expected")),
        }
        Ok(())
    }

    /// Checks that a report is the expected result of the commands before it.
    fn check(&self, expected: &Expected, report: &Report) -> Result<(), Reason> {
        if self.life_cycle.is_some_and(|life_cycle| life_cycle != report.life_cycle) {
            return Err(Reason::Unexpected("another life cycle than it was set to"));
        }
        match expected {
            Expected::Intake { .. } => {
                if (&report.active_auth, &report.chip_auth) != (&self.active_auth, &self.chip_auth) {
                    return Err(Reason::Unexpected("other public keys than it has just made"));
                }
            }
            Expected::Personalized { digest } => {
                if report.digest != *digest {
                    return Err(Reason::Unexpected("other files than it was given"));
                }
            }
            Expected::Report | Expected::Locked | Expected::Terminated => {}
        }
        Ok(())
    }

    fn outcome(self) -> Outcome {
        let report = self.report;
        let keys = report.as_ref().and_then(|report| report.active_auth.clone().zip(report.chip_auth.clone()));
        let public_keys = keys.map(|(active_auth, chip_auth)| PublicKeys { active_auth, chip_auth });
        Outcome { public_keys, report }
    }
}

fn public_key(data: &[u8], parameter_id: u8) -> Result<PublicKey, Reason> {
    let key = parse_public_key(data).map_err(|fault| Reason::Unexpected(name(&fault)))?;
    if Some(key.curve()) == Curve::from_parameter_id(parameter_id) {
        Ok(key)
    } else {
        Err(Reason::Unexpected("a key pair on another curve"))
    }
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Misbehaved(what) | Fault::Unsupported(what) => what,
        Fault::Refused { .. } | Fault::WrongPassword { .. } => "a refusal",
    }
}
