//! A chip that opens by basic access control, and whose files are the input.

use crypto::apdu::{Command, Response, Status};
use crypto::command::read_binary::{self, ReadBinary};
use crypto::command::select;
use crypto::conversation::{CardTransport, Fault, Reply, Respondent};
use crypto::inspection::{self, Conclusion, Password, Request};
use crypto::kdf::MrzSecret;
use crypto::lds::File;
use crypto::mrz::MrzKey;
use crypto::{bac, sm};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::trust::{AT, STORE};

/// The holder of the card, for the MRZ on its back.
pub struct Holder;

impl Holder {
    /// Document number, birth and expiry of the invented citizen.
    pub fn key() -> MrzKey {
        MrzKey::new("099000017", "900101", "350101").expect("an invented citizen")
    }
}

/// Returns a generator of the same numbers in every run.
pub fn fixed_rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

struct Hostile<'a> {
    /// The files: identifier (2 bytes), length (2), content.
    files: &'a [u8],
    /// Answers in place of the files: length (2), response.
    answers: Option<&'a [u8]>,
    current: Option<File>,
    dialogue: Option<bac::chip::Bac>,
    channel: Option<sm::Chip>,
}

struct Gone;

impl From<Fault> for Gone {
    fn from(_: Fault) -> Self {
        Self
    }
}

impl CardTransport for Hostile<'_> {
    type Error = Gone;

    fn transmit(&mut self, command: &Command) -> Result<Response, Gone> {
        if let Some(rest) = &mut self.answers {
            let (answer, after) = piece(rest).ok_or(Gone)?;
            *rest = after;
            return Response::parse(answer).map_err(|_| Gone);
        }
        if let Some(channel) = &mut self.channel {
            let plain = channel.open(command).expect("the terminal is honest");
            let answer = self.act(&plain);
            return Ok(self.channel.as_mut().expect("open").seal(answer));
        }
        Ok(self.act(command))
    }
}

impl Hostile<'_> {
    fn act(&mut self, command: &Command) -> Response {
        match command.ins {
            select::INS => Response::success([]),
            read_binary::INS | read_binary::INS_ODD => self.read(command).unwrap_or_else(Response::status),
            _ => match self.dialogue.take().map(|dialogue| dialogue.answer(command)) {
                Some(Reply::More(dialogue, answer)) => {
                    self.dialogue = Some(dialogue);
                    answer
                }
                Some(Reply::Done(channel, answer)) => {
                    self.channel = Some(channel);
                    answer
                }
                Some(Reply::Refused(status)) => Response::status(status),
                None => Response::status(Status::INSTRUCTION_NOT_SUPPORTED),
            },
        }
    }

    fn read(&mut self, command: &Command) -> Result<Response, Status> {
        let read = ReadBinary::try_from(command)?;
        if let Some(short_id) = read.short_id {
            let found = match &self.channel {
                Some(_) => File::in_application_by_short_id(short_id),
                None => File::in_master_file_by_short_id(short_id),
            };
            self.current = found;
        }
        let wanted = self.current.ok_or(Status::NO_CURRENT_FILE)?;
        let mut rest = self.files;
        while let Some(([high, low], after)) = rest.split_first_chunk::<2>().map(|(id, after)| (*id, after)) {
            let (content, after) = piece(after).ok_or(Status::FILE_NOT_FOUND)?;
            if u16::from_be_bytes([high, low]) == wanted.id() {
                let tail = content.get(read.offset as usize..).ok_or(Status::OFFSET_OUTSIDE_FILE)?;
                return Ok(Response::success(read.answer(&tail[..tail.len().min(read.length).min(223)])));
            }
            rest = after;
        }
        Err(Status::FILE_NOT_FOUND)
    }
}

/// Returns the length (2 bytes), and as many bytes.
fn piece(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Inspects a chip. Even first byte: a correct chip with these files; odd: a chip that gives these answers.
pub fn inspection(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let keys = bac::AccessKeys::new(&MrzSecret::from(&Holder::key()));
    let mut rng = fixed_rng();
    let mut chip = Hostile {
        files: rest,
        answers: (mode & 1 == 1).then_some(rest),
        current: None,
        dialogue: Some(bac::chip::Bac::new(keys, bac::Random::generate(&mut rng))),
        channel: None,
    };
    let request = Request { password: Password::Mrz(Holder::key()), challenge: [9; 8], groups: None };
    let Ok(evidence) = inspection::read(&mut chip, &request, &mut rng, &mut |_| {}) else { return };
    let inspection::Judgement { verdict, holder } = inspection::judge(&evidence, &*STORE, AT);
    if let Some(holder) = holder {
        let seed = include_bytes!("../seeds/inspection/genuine");
        let zone = holder.dg1().map(|dg1| dg1.encode().expect("it was parsed"));
        let image = holder.portrait().map(|dg2| dg2.image.clone());
        for proved in [zone, image].into_iter().flatten() {
            assert!(seed.windows(proved.len()).any(|window| window == proved), "shown, and not what was signed");
        }
    }
    if verdict.conclusion() == Conclusion::Trusted {
        for group in [crypto::lds::DataGroup::DG1, crypto::lds::DataGroup::DG2] {
            let raw = evidence.group(group).expect("a trusted document was read");
            let seed = include_bytes!("../seeds/inspection/genuine");
            assert!(seed.windows(raw.len()).any(|window| window == raw), "trusted, and not what was signed");
        }
    }
    let _ = verdict.to_string();
}
