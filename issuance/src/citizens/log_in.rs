//! The log-in: what an agent read is judged, the chip proves itself step by step, and a session is opened.

use crypto::apdu::Response;
use crypto::conversation::{Conversation as _, Turn, step};
use crypto::log_in::protocol::{Answer, Session, Under, Wanted};
use crypto::log_in::{Files, LogIn, LoggedIn, Refusal};
use crypto::perso::problem::ProblemCode;
use crypto::pki::TrustStore;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::problem::code_of;
use super::sessions::{Left, Running};
use super::{CitizenError, Citizens};
use crate::cards::model::Card;
use crate::cards::store as cards;
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Anyone, Citizen};
use crate::ground::ids::LogInId;
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::population;
use crate::web::Origin;

/// Begins a log-in: the files are judged, and the first command for the chip comes back. Whether the card is in force
/// is told to the chip that proved itself only: a copy of its files says it to none.
///
/// # Errors
/// [`CitizenError`]; nothing is remembered then.
pub(super) async fn begin(
    citizens: &Citizens,
    deeds: &Deeds,
    origin: Origin,
    files: Files,
) -> Result<Wanted, CitizenError> {
    let source = deeds.source();
    let now = source.now();
    citizens.sessions.admit(origin, now)?;
    let too_long = |file: &[u8]| file.len() > Files::LONGEST_FILE;
    if too_long(&files.sod) || too_long(&files.dg14) || too_long(&files.card_access) {
        return Err(Refusal::Altered("a file that is longer than any of its kind".to_owned()).into());
    }
    let mut trust = TrustStore::new(vec![citizens.signer.now().csca().clone()]);
    trust.add_list(citizens.crl.read().await?.1)?;
    let document = files.verify(&trust, now)?;
    let fingerprint = *document.fingerprint();
    let talk = document.begin(&mut source.rng())?;
    let id: LogInId = source.id();
    let Turn::Ask(talk, command) = talk.open().map_err(Refusal::from)? else { return Err(CitizenError::Unknown) };
    let secret = secret(deeds);
    let ticket = Sha256::digest(&secret).into();
    let wanted = wanted((id, 1), secret, &talk, command.to_bytes());
    citizens.sessions.keep(id, Running { begun: now, origin, ticket, document: fingerprint, number: 1, talk });
    Ok(wanted)
}

/// Returns 32 random bytes in hexadecimal, for the agent alone.
fn secret(deeds: &Deeds) -> String {
    let mut secret = Zeroizing::new([0; 32]);
    deeds.source().rng().fill_bytes(&mut *secret);
    hex::encode(*secret)
}

fn wanted((id, number): (LogInId, u32), ticket: String, talk: &LogIn, command: Vec<u8>) -> Wanted {
    let under = if talk.is_proving() { Under::Agent } else { Under::Chip };
    Wanted { log_in: id.to_string(), number, under, command, ticket: Some(ticket), session: None }
}

/// Goes a step on: takes the chip's answer, and returns what it is asked next. With a session's token, the session goes
/// on.
///
/// # Errors
/// [`CitizenError`]: the log-in, or the session, is over. [`CitizenError::Unknown`] leaves alone what the answer has no
/// secret of.
pub(super) async fn go_on(
    citizens: &Citizens,
    deeds: &Deeds,
    token: Option<&str>,
    id: LogInId,
    answer: Answer,
) -> Result<Wanted, CitizenError> {
    let (now, number) = (deeds.source().now(), answer.number);
    let response = Response::parse(&answer.response);
    let short = || Refusal::Unproved(crypto::conversation::Fault::Misbehaved("an answer of less than two bytes"));
    if let Some(token) = token {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let response = response.map_err(|_| short());
        let Ok(response) = response else {
            citizens.sessions.end(&hash);
            return Err(short().into());
        };
        let (number, command, left) = citizens.sessions.answered(&hash, id, (number, &response), now)?;
        let session = Some(session(None, left));
        let (log_in, under, command) = (id.to_string(), Under::Chip, command.to_bytes());
        return Ok(Wanted { log_in, number, under, command, ticket: None, session });
    }
    let secret = answer.ticket.unwrap_or_default();
    let ticket = Sha256::digest(&secret).into();
    let Running { begun, origin, document, talk, .. } = citizens.sessions.take(id, &ticket, number, now)?;
    let turn = response.map_err(|_| short()).and_then(|response| step(talk, response).map_err(Refusal::from));
    let number = number.wrapping_add(1);
    match turn {
        Ok(Turn::Ask(talk, command)) => {
            let wanted = wanted((id, number), secret, &talk, command.to_bytes());
            citizens.sessions.keep(id, Running { begun, origin, ticket, document, number, talk });
            Ok(wanted)
        }
        Ok(Turn::Done(proved)) => {
            let opened = open(citizens, deeds, (id, number), proved).await;
            if let Err(CitizenError::NotInForce) = &opened {
                record_refusal(citizens, deeds, &document, ProblemCode::CardNotInForce).await?;
            }
            opened
        }
        Err(refusal) => {
            record_refusal(citizens, deeds, &document, code_of(&refusal)).await?;
            Err(refusal.into())
        }
    }
}

const fn session(token: Option<String>, left: Left) -> Session {
    Session { token, answer_within: left.answer_within, ends_within: left.ends_within }
}

/// Opens the session of a card that proved itself: recorded about the holder, who is told in writing.
async fn open(
    citizens: &Citizens,
    deeds: &Deeds,
    (id, number): (LogInId, u32),
    proved: LoggedIn,
) -> Result<Wanted, CitizenError> {
    let LoggedIn { fingerprint, mut presence, .. } = proved;
    let token = secret(deeds);
    // Looked at again: the card may have been locked while its chip was asked.
    let mut deed = deeds.open(Anyone).await?;
    let card = in_force(&mut deed, &fingerprint).await?;
    drop(deed);
    let session_hash = Sha256::digest(&token).into();
    let lasts = citizens.sessions.lasting(deeds.source().now());
    let citizen = Citizen { person: card.person, card: card.id, session: session_hash, code_shown: false, lasts };
    let mut deed = deeds.open(citizen.clone()).await?;
    let card = in_force(&mut deed, &fingerprint).await?;
    let matter = Matter::LoggedIn { on: deed.today(), at: deed.time_of_day() };
    let case = Case { application: card.application, person: card.person, office: &card.office };
    notices::write(&mut deed, case, &matter).await?;
    let entry = Entry::new(Action::CitizenLoggedIn, Object::Card(card.id), Purpose::Own).about(card.person);
    deed.enter(entry.of(&card.office)).await?;
    deed.commit().await?;
    let command = presence.ask().map_err(Refusal::from)?;
    let left = citizens.sessions.open((id, number), citizen, presence, deeds.source().now())?;
    let session = Some(session(Some(token), left));
    let (log_in, under, command) = (id.to_string(), Under::Chip, command.to_bytes());
    Ok(Wanted { log_in, number, under, command, ticket: None, session })
}

/// Returns the card of a document, if it is in its holder's hand and in force, and the holder lives. The deed owes a
/// record that names the holder.
///
/// # Errors
/// [`CitizenError::NotInForce`]
pub(super) async fn in_force<A: Actor>(deed: &mut Deed<A>, document: &[u8; 32]) -> Result<Card, CitizenError> {
    let card = cards::of_document(deed, document).await?.ok_or(CitizenError::NotInForce)?;
    require_in_force(deed, card).await
}

/// As [`in_force`], for a card that was found.
///
/// # Errors
/// [`CitizenError::NotInForce`]
pub(super) async fn require_in_force<A: Actor>(deed: &mut Deed<A>, card: Card) -> Result<Card, CitizenError> {
    let today = deed.today();
    if !card.status.is_active() || card.expires.is_some_and(|last| last < today) {
        return Err(CitizenError::NotInForce);
    }
    let holder = population::store::person(deed, card.person).await?;
    let lives = holder.is_some_and(|holder| holder.person.died.is_none() && holder.merged_into.is_none());
    if lives { Ok(card) } else { Err(CitizenError::NotInForce) }
}

/// Records about the holder that a card, or a copy of one, opened nothing, and why.
async fn record_refusal(
    citizens: &Citizens,
    deeds: &Deeds,
    document: &[u8; 32],
    why: ProblemCode,
) -> Result<(), CitizenError> {
    if !citizens.sessions.is_to_record(document, why, deeds.source().now()) {
        return Ok(());
    }
    let mut deed = deeds.open(Anyone).await?;
    let Some(card) = cards::of_document(&mut deed, document).await? else { return Ok(()) };
    let entry = Entry::new(Action::CitizenLogInRefused, Object::Card(card.id), Purpose::Own).about(card.person);
    deed.enter(entry.of(&card.office).refused(why)).await?;
    deed.commit().await?;
    Ok(())
}
