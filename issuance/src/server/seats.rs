//! Seats for connections: so many in all, fewer for strangers, fewer still per origin; room is kept for the others.
//!
//! At a full house a newcomer takes the seat of the stranger that has done nothing for longest, of the same origin
//! first. A caller behind a crowded address needs one request to be known, and known connections are never
//! closed for a stranger.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Limits;
use crate::web::{Origin, Standing};

/// The seats; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    limits: Arc<Limits>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// In the order in which they came.
    seats: BTreeMap<u64, Occupied>,
}

#[derive(Debug)]
struct Occupied {
    origin: Origin,
    standing: Arc<Standing>,
    out: Arc<Notify>,
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits: Arc::new(limits), taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, if need be another stranger's. Returns `None` if every seat is a known caller's.
    pub(super) fn take(&self, origin: Origin, standing: Arc<Standing>) -> Option<Seat> {
        let mut taken = self.taken();
        if !standing.is_known() {
            let strangers = taken.strangers();
            let crowded = strangers.get(&origin).is_some_and(|count| *count >= self.limits.strangers_per_origin);
            let all: usize = strangers.values().sum();
            let full = all >= self.limits.strangers || taken.seats.len() >= self.limits.connections;
            let largest = strangers.values().max().copied().unwrap_or_default();
            let out = if crowded {
                taken.quietest_stranger(|of| of == origin)
            } else if full {
                taken.quietest_stranger(|of| strangers.get(&of) == Some(&largest))
            } else {
                None
            };
            if let Some(id) = out {
                taken.send_out(id);
            }
        }
        if taken.seats.len() >= self.limits.connections {
            return None;
        }
        let id = taken.next;
        taken.next += 1;
        let out = Arc::new(Notify::new());
        taken.seats.insert(id, Occupied { origin, standing, out: Arc::clone(&out) });
        drop(taken);
        Some(Seat { seats: self.clone(), id, out })
    }
}

impl Taken {
    /// How many strangers each origin has.
    fn strangers(&self) -> HashMap<Origin, usize> {
        let mut strangers = HashMap::new();
        for seat in self.seats.values().filter(|seat| !seat.standing.is_known()) {
            *strangers.entry(seat.origin).or_default() += 1;
        }
        strangers
    }

    /// The stranger of such an origin that has done nothing for longest; one whose request is answered only if all are.
    fn quietest_stranger(&self, such: impl Fn(Origin) -> bool) -> Option<u64> {
        let strangers = self.seats.iter().filter(|(_, seat)| such(seat.origin) && !seat.standing.is_known());
        strangers.max_by_key(|(id, seat)| (seat.standing.quiet(), std::cmp::Reverse(**id))).map(|(id, _)| *id)
    }

    /// Gives the seat away; its connection is closed.
    fn send_out(&mut self, id: u64) {
        if let Some(seat) = self.seats.remove(&id) {
            seat.out.notify_one();
        }
    }
}

/// A connection's seat; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    id: u64,
    out: Arc<Notify>,
}

impl Seat {
    /// Notes the certificate that was shown: the seat is a known caller's from now on, of an origin of its own. One
    /// certificate has few seats; the quietest of them is given away for a new one.
    pub(super) fn shown(&self, certificate: [u8; 32]) {
        let origin = Origin::Certificate(certificate);
        let mut taken = self.seats.taken();
        let same: Vec<_> = taken.seats.iter().filter(|(_, seat)| seat.origin == origin).collect();
        let quietest = same.iter().max_by_key(|(id, seat)| (seat.standing.quiet(), std::cmp::Reverse(**id)));
        if same.len() >= self.seats.limits.per_certificate
            && let Some((id, _)) = quietest
        {
            let id = **id;
            taken.send_out(id);
        }
        if let Some(seat) = taken.seats.get_mut(&self.id) {
            seat.origin = origin;
            seat.standing.prove();
        }
    }

    /// Waits until the seat is given to another.
    pub(super) async fn given_away(&self) {
        self.out.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt as _;

    use super::*;

    fn seats() -> Seats {
        Seats::new(Limits {
            connections: 10,
            strangers: 6,
            strangers_per_origin: 3,
            per_certificate: 2,
            ..Limits::default()
        })
    }

    fn origin(last: u8) -> Origin {
        Origin::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    fn stranger(seats: &Seats, last: u8) -> (Seat, Arc<Standing>) {
        let standing = Arc::new(Standing::new(false));
        (seats.take(origin(last), Arc::clone(&standing)).expect("there is room"), standing)
    }

    fn is_out(seat: &Seat) -> bool {
        seat.given_away().now_or_never().is_some()
    }

    #[test]
    fn a_crowded_origin_gives_up_its_own_oldest_stranger_and_never_a_known_caller() {
        let seats = seats();
        let (officer, standing) = stranger(&seats, 1);
        standing.prove();
        let (busy, standing) = stranger(&seats, 1);
        let request = standing.request();
        let other = stranger(&seats, 2);
        let mut crowd: Vec<_> = (0..20).map(|_| stranger(&seats, 1).0).collect();
        assert!(!is_out(&officer) && !is_out(&busy) && !is_out(&other.0));
        let last = crowd.split_off(18);
        assert!(crowd.iter().all(is_out) && !last.iter().any(is_out));
        drop(request);
    }

    #[test]
    fn many_origins_do_not_take_the_room_of_known_callers() {
        let seats = seats();
        let crowd: Vec<_> = (0..100).map(|last| stranger(&seats, last)).collect();
        assert_eq!(crowd.iter().filter(|(seat, _)| !is_out(seat)).count(), 6);
        for (_, standing) in &crowd[96..] {
            standing.prove();
        }
        let more: Vec<_> = (100..112).map(|last| stranger(&seats, last)).collect();
        assert_eq!(more.iter().filter(|(seat, _)| !is_out(seat)).count(), 6, "the newest ones");
        assert!(!crowd[96..].iter().any(|(seat, _)| is_out(seat)), "a known caller's connection is never closed");
    }

    #[test]
    fn a_certificate_has_few_seats_and_the_quietest_is_given_away() {
        let seats = seats();
        let of_station: Vec<_> = (0..3).map(|_| stranger(&seats, 1)).collect();
        for (seat, _) in &of_station {
            seat.shown([7; 32]);
        }
        assert_eq!(of_station.iter().map(|(seat, _)| is_out(seat)).collect::<Vec<_>>(), [true, false, false]);
    }
}
