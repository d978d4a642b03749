//! Control lines that insert, remove, reset and disturb cards while the program runs, from
//! standard input or a unix socket.
//!
//! ```text
//! insert I | remove I | reset I      I: number of the slot from 0, or all
//! blank I                            a new blank instead of the chip in a slot whose card is removed; answers its serial
//! fault I PLAN                       see faults::Plan: empty:N, tear-before:N, tear-after:N, torn-write:N, wrong-mac:N, removed:N, …
//! status                             one line per slot, then ok
//! quit
//! ```
//!
//! Every line but an empty one is answered; the last line of the answer is `ok`, or `error: ` and a sentence.

use crypto::identity::CardSerial;

use crate::chip::Chip;
use crate::slot::Slot;

/// What the program does after a line was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// Continues with the next line.
    Continue,
    /// Ends.
    Quit,
}

/// Makes a new blank for the slot with this number, in which this chip was until now.
pub type Blanks<'a> = dyn FnMut(usize, CardSerial) -> Result<Chip, String> + 'a;

/// Carries out a control line. Returns the lines of its answer.
pub fn obey(slots: &mut [Slot], line: &str, blanks: &mut Blanks<'_>) -> (Vec<String>, Then) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut said = Vec::new();
    let outcome = match words[..] {
        [] => return (said, Then::Continue),
        ["quit"] => return (vec!["ok".into()], Then::Quit),
        ["status"] => {
            said.extend(slots.iter().enumerate().map(|(i, slot)| format!("{i} {}", slot.status())));
            Ok(())
        }
        ["insert", "all"] => each(slots, "all", |slot| slot.lay_down().map_err(|e| e.to_string()))
            .and_then(|()| each(slots, "all", |slot| slot.wait_until_noticed().map_err(|e| e.to_string()))),
        ["insert", which] => each(slots, which, |slot| slot.insert().map_err(|e| e.to_string())),
        ["remove", which] => each(slots, which, |slot| {
            slot.remove();
            Ok(())
        }),
        ["reset", which] => each(slots, which, |slot| {
            slot.reset();
            Ok(())
        }),
        ["blank", which] => new_blank(slots, which, blanks).map(|serial| said.push(serial.to_string())),
        ["fault", which, plan] => plan.parse::<crate::faults::Plan>().map_err(|e| e.to_string()).and_then(|plan| {
            each(slots, which, |slot| {
                slot.fail(plan.clone());
                Ok(())
            })
        }),
        _ => Err("understood are: insert I, remove I, reset I, blank I, fault I PLAN, status, quit".into()),
    };
    said.push(outcome.map_or_else(|error| format!("error: {error}"), |()| "ok".into()));
    (said, Then::Continue)
}

/// Puts a new blank into one slot, and returns its serial.
fn new_blank(slots: &mut [Slot], which: &str, blanks: &mut Blanks<'_>) -> Result<CardSerial, String> {
    let last = slots.len().saturating_sub(1);
    let number = which.parse::<usize>().ok().filter(|number| *number <= last);
    let number = number.ok_or_else(|| format!("there is no slot {which:?}; there are 0 to {last}"))?;
    let slot = &mut slots[number];
    if slot.is_inserted() {
        return Err(format!("remove {number} first: the chip is on the reader"));
    }
    slot.replace(blanks(number, slot.serial())?);
    Ok(slot.serial())
}

/// Calls `act` for the slots that `which` names: a number, or `all`.
fn each(slots: &mut [Slot], which: &str, mut act: impl FnMut(&mut Slot) -> Result<(), String>) -> Result<(), String> {
    if which == "all" {
        return slots.iter_mut().enumerate().try_for_each(|(i, s)| act(s).map_err(|e| format!("slot {i}: {e}")));
    }
    let last = slots.len().saturating_sub(1);
    let slot = which.parse::<usize>().ok().and_then(|i| slots.get_mut(i));
    act(slot.ok_or_else(|| format!("there is no slot {which:?}; there are 0 to {last}, and all"))?)
}
