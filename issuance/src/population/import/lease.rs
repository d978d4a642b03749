//! Which process reads a file: so that two do not, and that one which was killed keeps no other from going on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::ground::ids::BatchId;

/// The files that this process reads now: each with its path, since a process may serve more than one register.
static READ: Mutex<BTreeSet<(BatchId, PathBuf)>> = Mutex::new(BTreeSet::new());

/// A file that this process reads, until it is dropped.
#[derive(Debug)]
pub struct Reading(BatchId, PathBuf);

impl Reading {
    /// Notes that this process reads a file; `None` if it does so already.
    pub fn begin(batch: BatchId, file: &Path) -> Option<Self> {
        let mut read = READ.lock().expect("the lock is held for one step only");
        // Made only then: one that is dropped asks for the lock.
        read.insert((batch, file.to_owned())).then(|| Self(batch, file.to_owned()))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let entry = (self.0, std::mem::take(&mut self.1));
        READ.lock().expect("the lock is held for one step only").remove(&entry);
    }
}

/// Returns the name of this process: of the computer since it was started, the process, and the moment of its start.
pub fn this_process() -> String {
    let read = |file: &str| fs::read_to_string(file).map(|text| text.trim().to_owned()).unwrap_or_default();
    let boot = read("/proc/sys/kernel/random/boot_id");
    let names = fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    let process = std::process::id();
    format!("{boot} {names} {process} {}", started(process).unwrap_or_default())
}

/// True if a process of this name is known to have ended: it ran here, and runs no more. Of another computer's nothing
/// is known.
pub fn has_ended(holder: &str) -> bool {
    let (mut here, mut there) = (this_process(), holder.to_owned());
    let cut = |name: &mut String| {
        let start = name.rsplit_once(' ').map(|(rest, start)| (rest.to_owned(), start.to_owned()))?;
        let process = start.0.rsplit_once(' ').map(|(rest, process)| (rest.to_owned(), process.to_owned()))?;
        Some((process.0, process.1, start.1))
    };
    match (cut(&mut here), cut(&mut there)) {
        (Some((here, ..)), Some((there, process, start))) if here == there => {
            process.parse().ok().and_then(started) != Some(start)
        }
        _ => false,
    }
}

/// When a process was started, in ticks since the computer was.
fn started(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in brackets and may hold anything.
    let mut after = stat.rsplit_once(')')?.1.split_whitespace();
    // A process that ended and waits for its parent reads no file.
    if after.next() == Some("Z") {
        return None;
    }
    after.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_a_file_once_at_a_time() {
        let (batch, file) = (BatchId::nil(), Path::new("/a.csv"));
        let reading = Reading::begin(batch, file);
        assert!(reading.is_some() && Reading::begin(batch, file).is_none());
        assert!(Reading::begin(batch, Path::new("/b.csv")).is_some());
        drop(reading);
        assert!(Reading::begin(batch, file).is_some());
    }

    #[test]
    fn a_process_that_ended_is_told_from_one_that_runs() {
        let here = this_process();
        assert!(!has_ended(&here));
        let mut parts: Vec<_> = here.split(' ').map(str::to_owned).collect();
        *parts.last_mut().unwrap() = "1".to_owned();
        assert!(has_ended(&parts.join(" ")), "another process has the number now");
        assert!(!has_ended(&format!("elsewhere {here}")), "of another computer nothing is known");
    }
}
