//! Notices leave: each attempt is on record before it begins, and what came of it after.

use std::path::Path;

use thiserror::Error;
use time::OffsetDateTime;

use super::mail::{Line, Mail, Outcome};
use super::model::{Addresses, Channel, Notice, NoticeState, Text, rest};
use super::{Notices, Settings, steps, store};
use crate::deed::{Action, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::ids::NoticeId;
use crate::ground::{Id, blocking, failpoint, files};
use crate::store::StoreError;

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sent {
    /// Notices that left.
    pub sent: u32,
    /// Notices that will be tried again.
    pub later: u32,
    /// Notices that are dead, and wait for a printer.
    pub dead: u32,
    /// Notices that became letters, as their address or the way to it is gone.
    pub letters: u32,
    /// Notices that did not leave: overtaken, or for a dead person.
    pub overtaken: u32,
}

/// Sends what is due. Several processes may do it at once: each attempt is one process's for some minutes. A way that
/// is closed keeps the other one not waiting.
///
/// # Errors
/// [`SendError`]; what was sent until then is on record.
pub async fn send_due(notices: &Notices, deeds: &Deeds) -> Result<Sent, SendError> {
    let (mut sent, settings) = (Sent::default(), &*notices.settings);
    let mut line = Line::new(&settings.smtp);
    let mut ended = Ok(());
    for channel in [Channel::Email, Channel::Sms] {
        ended = match send_by(channel, notices, deeds, &mut line, &mut sent).await {
            Ok(()) => ended,
            Err(error @ SendError::Unreachable(_)) => Err(error),
            Err(error) => return Err(error),
        };
    }
    line.close().await;
    if sent != Sent::default() {
        let Sent { sent, later, dead, letters, overtaken } = sent;
        tracing::info!(sent, later, dead, letters, overtaken, "notices left");
    }
    ended.map(|()| sent)
}

/// Sends what is due by one way, until it is closed.
async fn send_by(
    channel: Channel,
    notices: &Notices,
    deeds: &Deeds,
    line: &mut Line<'_>,
    sent: &mut Sent,
) -> Result<(), SendError> {
    let (now, mut after) = (deeds.source().now(), (OffsetDateTime::UNIX_EPOCH, Id::nil()));
    if let Some(folder) = notices.settings.sms_folder.clone().filter(|_| channel == Channel::Sms) {
        // What a process left that ended in the middle of a message.
        let is_half_written = |name: &str| {
            let message = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".new"));
            message.is_some_and(steps::is_reference)
        };
        let swept = blocking::run(move || files::sweep(&folder, now, is_half_written)).await;
        swept.map_err(|error| SendError::Unreachable(format!("sms folder: {}", error.kind())))?;
    }
    loop {
        let some = store::due(&mut deeds.db().begin_read().await?, channel, now, after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = *last;
        for (_, id) in some {
            match Box::pin(attempt(notices, deeds, line, id, sent)).await {
                Err(SendError::Store(error @ (StoreError::Tampered { .. } | StoreError::Inconsistent { .. }))) => {
                    tracing::error!(notice = %id, %error, "it is not sent; the others are");
                }
                done => done?,
            }
        }
    }
}

/// An attempt that began: the notice as it is stored now, what it says and where it goes.
struct Begun {
    notice: Notice,
    text: Text,
    addresses: Addresses,
}

async fn attempt(
    notices: &Notices,
    deeds: &Deeds,
    line: &mut Line<'_>,
    id: NoticeId,
    sent: &mut Sent,
) -> Result<(), SendError> {
    let settings = &*notices.settings;
    let Some(Begun { notice, text, addresses }) = begin(notices, deeds, id, sent).await? else { return Ok(()) };
    let outcome = match notice.channel {
        Channel::Email => {
            let mail = Mail {
                to: addresses.email.as_deref().unwrap_or_default(),
                message_id: notice.message_id.as_deref().unwrap_or_default(),
                subject: &text.subject,
                body: &text.body,
                date: notice.written_at.into(),
            };
            line.deliver(&mail).await
        }
        Channel::Sms => put(settings.sms_folder.as_deref(), &notice, &text, &addresses).await,
        Channel::Letter => return Ok(()),
    };
    if outcome == Outcome::Delivered {
        failpoint::pass(failpoint::NOTICE_DELIVERED);
    }
    end(settings, deeds, &notice, &outcome, sent).await?;
    match outcome {
        Outcome::Unreachable(why) => Err(SendError::Unreachable(why)),
        _ => Ok(()),
    }
}

/// Puts an attempt on record before it begins. Returns nothing if it is not due any more, is overtaken, or becomes a
/// letter.
async fn begin(notices: &Notices, deeds: &Deeds, id: NoticeId, sent: &mut Sent) -> Result<Option<Begun>, SendError> {
    let settings = &*notices.settings;
    let mut deed = deeds.open(Service).await?;
    let Some((mut notice, text)) = store::locked(&mut deed, id).await? else { return Ok(None) };
    let now = deed.at();
    if !notice.is_due(now) {
        return Ok(None);
    }
    // Asked now, and not when it was written: hours or days may lie between, and a server that was away.
    if let Some(state) = steps::overtaken(&mut deed, notices, &notice).await? {
        steps::end(&mut deed, &mut notice, state).await?;
        deed.commit().await?;
        sent.overtaken += 1;
        return Ok(None);
    }
    let (_, addresses) = store::addresses(&mut deed, notice.person).await?.unzip();
    let addresses = addresses.unwrap_or_default();
    let entry = |action, says: String| {
        let entry = Entry::new(action, Object::Notice(id), Purpose::Notice).about(notice.person);
        entry.of(&notice.office).with(notice.about.object()).because(says)
    };
    let kind = notice.kind.word();
    let goes = match notice.channel {
        Channel::Email => addresses.email.is_some() && settings.smtp.host.is_some(),
        Channel::Sms => addresses.phone.is_some() && settings.sms_folder.is_some(),
        Channel::Letter => false,
    };
    let Some(text) = text.filter(|_| goes) else {
        let said = entry(Action::NoticeUndelivered, format!("{kind}: no address, or no way to it: a letter"));
        (notice.channel, notice.due_at, notice.unsure) = (Channel::Letter, None, false);
        store::update(deed.tx(), &notice).await?;
        deed.enter(said).await?;
        deed.commit().await?;
        sent.letters += 1;
        return Ok(None);
    };
    let said =
        entry(Action::NoticeAttempted, format!("{kind} by {}, attempt {}", notice.channel.word(), notice.attempts + 1));
    notice.attempts += 1;
    notice.repeats += u32::from(notice.unsure);
    // Until the end is known, also if this process dies.
    notice.unsure = true;
    notice.due_at = Some(now + LEASE);
    if notice.message_id.is_none() && notice.channel == Channel::Email {
        let domain = settings.smtp.from.as_deref().and_then(|from| from.rsplit_once('@'));
        notice.message_id = Some(format!("<{id}@{}>", domain.map_or("localhost", |(_, domain)| domain)));
    }
    store::update(deed.tx(), &notice).await?;
    deed.enter(said).await?;
    deed.commit().await?;
    Ok(Some(Begun { notice, text, addresses }))
}

/// Puts on record what came of an attempt.
async fn end(
    settings: &Settings,
    deeds: &Deeds,
    begun: &Notice,
    outcome: &Outcome,
    sent: &mut Sent,
) -> Result<(), SendError> {
    let mut deed = deeds.open(Service).await?;
    let Some((mut notice, _)) = store::locked(&mut deed, begun.id).await? else { return Ok(()) };
    let at = deed.at();
    // Another process took it over, as this one was slow, or an officer handed it over: what was delivered counts.
    let ours = notice.attempts == begun.attempts && notice.state == NoticeState::Waiting;
    if notice.state == NoticeState::Sent || !(ours || *outcome == Outcome::Delivered) {
        return Ok(());
    }
    let kind = notice.kind.word();
    let (action, says) = match outcome {
        Outcome::Delivered => {
            (notice.state, notice.due_at, notice.ended_at) = (NoticeState::Sent, None, Some(at));
            (notice.unsure, notice.failure) = (false, None);
            sent.sent += 1;
            (Action::NoticeSent, format!("{kind} by {}", notice.channel.word()))
        }
        Outcome::Later(why) | Outcome::Unreachable(why) | Outcome::Unknown(why) | Outcome::Never(why) => {
            notice.unsure = matches!(outcome, Outcome::Unknown(_));
            notice.failure = Some(why.clone());
            let for_good = matches!(outcome, Outcome::Never(_)) || notice.attempts >= u32::from(settings.attempts);
            if for_good {
                (notice.state, notice.due_at) = (NoticeState::Dead, None);
                sent.dead += 1;
                tracing::warn!(notice = %notice.id, attempts = notice.attempts, why, "a notice cannot be sent: print it");
            } else {
                notice.due_at = Some(at + rest(notice.attempts, settings.rest, settings.longest_rest));
                sent.later += 1;
            }
            (Action::NoticeUndelivered, format!("{kind} by {}: {why}", notice.channel.word()))
        }
    };
    store::update(deed.tx(), &notice).await?;
    let entry = Entry::new(action, Object::Notice(notice.id), Purpose::Notice).about(notice.person);
    deed.enter(entry.of(&notice.office).with(notice.about.object()).because(says)).await?;
    Ok(deed.commit().await?)
}

/// Puts a short message into the folder of the gateway: whole or not at all, under a name that a repeat has too.
async fn put(folder: Option<&Path>, notice: &Notice, text: &Text, addresses: &Addresses) -> Outcome {
    let Some(folder) = folder else { return Outcome::Unreachable("no folder".to_owned()) };
    let file = serde_json::json!({"reference": notice.reference, "to": addresses.phone, "text": text.short,
        "language": notice.language, "attempt": notice.attempts});
    let (path, beside) =
        (folder.join(format!("{}.json", notice.reference)), folder.join(format!(".{}.new", notice.reference)));
    let bytes = serde_json::to_vec(&file).unwrap_or_default();
    match blocking::run(move || files::replace(&path, &beside, &bytes, files::PRIVATE)).await {
        Ok(()) => Outcome::Delivered,
        Err(error) => Outcome::Unreachable(format!("sms folder: {}", error.kind())),
    }
}

/// Why no more notices leave for now.
#[derive(Debug, Error)]
pub enum SendError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Mail server or folder.
    #[error("the mail server or the folder of the gateway cannot be reached: {0}")]
    Unreachable(String),
}

/// An attempt that a process began and did not end is another's after this.
const LEASE: time::Duration = time::Duration::minutes(10);
/// So many notices are looked for in one go.
const PIECE: i64 = 50;
