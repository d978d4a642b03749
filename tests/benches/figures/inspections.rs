//! CPU time of a full inspection, the terminal's share alone: a reading is recorded once, then played back with the
//! same random numbers, so that the chip takes no time.

use std::error::Error;
use std::time::Duration;

use crypto::apdu::{Command, Response};
use crypto::conversation::{CardTransport, Fault};
use crypto::inspection::{self, Evidence, Request};

use crate::commands::scenarios;
use crate::subject::{self, Issued, NOW};
use crate::{cpu_time, round, row};

/// A card whose commands and answers are recorded.
struct Recorder<'a, C> {
    card: &'a mut C,
    answers: Vec<(Command, Response)>,
}

impl<C: CardTransport> CardTransport for Recorder<'_, C> {
    type Error = C::Error;

    fn transmit(&mut self, command: &Command) -> Result<Response, C::Error> {
        let answer = self.card.transmit(command)?;
        self.answers.push((command.clone(), answer.clone()));
        Ok(answer)
    }
}

/// Recorded answers, played back to the same commands.
struct Playback<'a>(std::slice::Iter<'a, (Command, Response)>);

impl CardTransport for Playback<'_> {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        let (asked, answer) = self.0.next().ok_or(Fault::Misbehaved("the record is at its end"))?;
        if asked == command { Ok(answer.clone()) } else { Err(Fault::Misbehaved("another command than was recorded")) }
    }
}

pub fn measure() -> Result<String, Box<dyn Error>> {
    let mut table = String::from(
        "\n## CPU time of a full inspection, milliseconds\n\nMedian over runs; no reader and no wire.\n\n",
    );
    row(&mut table, &["way", "runs", "terminal: read", "terminal: judge", "terminal", "chip in process"]);
    row(&mut table, &["---", "---:", "---:", "---:", "---:", "---:"]);
    for (name, profile, opening) in scenarios() {
        let mut issued = subject::issue(profile)?;
        let request = Request { password: opening.password(&issued), challenge: [0xc5; 8], groups: None };
        let mut recorder = Recorder { card: &mut issued.card, answers: Vec::new() };
        let expected = read(&mut recorder, &request)?;
        let answers = recorder.answers;
        let (mut reading, mut judging, mut both) = (Vec::new(), Vec::new(), Vec::new());
        let begun = cpu_time();
        while cpu_time().saturating_sub(begun) < round() || reading.len() < 5 {
            let (evidence, time) = timed(|| read(&mut Playback(answers.iter()), &request));
            let evidence = evidence?;
            if evidence.files != expected.files {
                return Err("the record was played back differently".into());
            }
            reading.push(time);
            judging.push(timed(|| inspection::judge(&evidence, &issued.trust, NOW)).1);
            both.push(timed(|| with_chip(&mut issued, &request)).1);
        }
        let (read, judge, both) = (median(&mut reading), median(&mut judging), median(&mut both));
        let cells = [read, judge, read + judge, both - read].map(|ms| format!("{ms:.2}"));
        row(&mut table, &[name, &reading.len().to_string(), &cells[0], &cells[1], &cells[2], &cells[3]]);
    }
    Ok(table)
}

fn read<C: CardTransport>(card: &mut C, request: &Request) -> Result<Evidence, C::Error> {
    inspection::read(card, request, &mut subject::rng(), &mut |_| {})
}

fn with_chip(issued: &mut Issued, request: &Request) {
    issued.card.chip().reset();
    std::hint::black_box(read(&mut issued.card, request).is_ok());
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = cpu_time();
    let done = work();
    (done, cpu_time().saturating_sub(begun))
}

/// Returns the median in milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    1000.0 * times[times.len() / 2].as_secs_f64()
}
