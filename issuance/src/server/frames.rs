//! Counts the frames of a stranger's HTTP/2 connection that ask for nothing: SETTINGS, PING, WINDOW_UPDATE and the like
//! (RFC 9113 §10.5). The library answers each of them without a bound; DATA, HEADERS and CONTINUATION it limits itself.

use std::time::{Duration, Instant};

/// What a connection may still send. A frame costs one; time, requests and what the service sends earn some.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over: of the preface, or of a frame's payload.
    skip: usize,
    head: [u8; HEAD],
    /// Bytes of `head` that have come.
    filled: usize,
    allowance: u32,
    /// Until then time has been turned into allowance.
    earned: Instant,
    /// Bytes sent that earned nothing yet.
    sent: usize,
}

impl Frames {
    /// A connection that begins at this moment.
    pub(super) fn new(now: Instant) -> Self {
        Self { skip: PREFACE, head: [0; HEAD], filled: 0, allowance: BURST, earned: now, sent: 0 }
    }

    /// Counts what came in. Returns false if the connection has sent more frames that ask for nothing than it may.
    #[must_use]
    pub(super) fn came(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        let periods = now.saturating_duration_since(self.earned).as_millis() / EARNS_EVERY.as_millis();
        let periods = u32::try_from(periods).unwrap_or(BURST).min(BURST);
        if periods > 0 {
            (self.earned, self.allowance) = (now, self.allowance.max(BURST.min(self.allowance + periods)));
        }
        let mut within = true;
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            (self.skip, bytes) = (self.skip - passed, &bytes[passed..]);
            let taken = bytes.len().min(HEAD - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            (self.filled, bytes) = (self.filled + taken, &bytes[taken..]);
            if self.filled < HEAD {
                continue;
            }
            let [high, middle, low, kind, ..] = self.head;
            (self.skip, self.filled) = (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low), 0);
            match kind {
                DATA | CONTINUATION => {}
                HEADERS => self.earns(PER_REQUEST),
                _ => match self.allowance.checked_sub(1) {
                    Some(left) => self.allowance = left,
                    None => within = false,
                },
            }
        }
        within
    }

    /// Counts what the service sends: a client that downloads acknowledges it in frames of its own.
    pub(super) fn went(&mut self, bytes: usize) {
        self.sent += bytes;
        self.earns(u32::try_from(self.sent / EARNS_BYTES).unwrap_or(MOST));
        self.sent %= EARNS_BYTES;
    }

    fn earns(&mut self, frames: u32) {
        self.allowance = self.allowance.saturating_add(frames).min(MOST);
    }
}

/// A connection begins with so many bytes (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// Bytes of a frame's head (§4.1).
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// Frames that a connection may send at once without asking for anything …
const BURST: u32 = 100;
/// … of which one comes back after each such time.
const EARNS_EVERY: Duration = Duration::from_millis(50);
/// A request earns so many: it is cancelled, or its answer acknowledged.
const PER_REQUEST: u32 = 4;
/// Sending so many bytes earns one. Acknowledgements of the library's are shorter, so a flood earns little with them.
const EARNS_BYTES: usize = 1024;
/// No connection has more, whatever it earned.
const MOST: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let mut frame = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 0]);
        frame.extend(vec![kind; length]);
        frame
    }

    fn begun(now: Instant) -> Frames {
        let mut frames = Frames::new(now);
        assert!(frames.came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now));
        frames
    }

    #[test]
    fn frames_that_ask_for_nothing_are_used_up_however_they_are_cut_into_pieces() {
        let now = Instant::now();
        for (kind, length) in [(4, 0), (4, 6), (6, 8), (8, 4), (2, 5), (3, 4), (0x42, 70_000)] {
            for piece in [1, 7, 9, 10, 100_000] {
                let (mut frames, one) = (begun(now), frame(kind, length));
                let mut came = |times| one.repeat(times).chunks(piece).all(|bytes| frames.came(bytes, now));
                assert!(came(usize::try_from(BURST).unwrap()), "{kind} in pieces of {piece}");
                assert!(!came(1), "{kind} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn time_requests_and_answers_earn_frames_and_bodies_cost_none() {
        let now = Instant::now();
        let mut frames = begun(now);
        let pings = |frames: &mut Frames, at| (0..).take_while(|_| frames.came(&frame(6, 8), at)).take(10_000).count();
        assert_eq!(pings(&mut frames, now), 100);
        assert_eq!(pings(&mut frames, now + EARNS_EVERY * 3), 3);
        assert_eq!(pings(&mut frames, now + Duration::from_hours(1)), 100, "not more than at the beginning");
        let later = now + Duration::from_hours(1);
        assert!(frames.came(&frame(1, 30), later));
        assert_eq!(pings(&mut frames, later), 4);
        frames.went(1500);
        frames.went(1500);
        assert_eq!(pings(&mut frames, later), 2);
        assert!(frames.came(&frame(0, 16_384).repeat(1000), later), "what is in a body is no frame");
        frames.went(usize::MAX / 2);
        assert_eq!(pings(&mut frames, later), 1000);
    }
}
