//! Waiting for a condition, with a deadline and a message.

use std::time::{Duration, Instant};
use std::{io, thread};

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `condition` holds. `what` names it in the message of a failure.
///
/// The conditions here belong to other processes, which give no notice: they are looked at every 20 ms.
///
/// # Errors
/// `TimedOut` with `what` after `deadline`; an error of the condition itself at once.
pub fn until(deadline: Duration, what: &str, mut condition: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let end = Instant::now() + deadline;
    while !condition()? {
        if Instant::now() > end {
            let message = format!("waited {} s without success until {what}", deadline.as_secs_f32());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
