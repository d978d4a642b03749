//! The verbs of the notices: one is written by the step that causes it, read and printed as a letter, and noted as
//! delivered; a citizen says where to be told.

use rand::Rng as _;
use thiserror::Error;

use super::model::{
    Addresses, Channel, Contact, Language, Matter, Notice, NoticeKind, NoticeState, Subject, Text, is_phone,
};
use super::texts::{self, Of};
use super::{Letter, Notices, mail, store};
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, BookingId, NoticeId, PersonId};
use crate::ground::{OfficeCode, Officer, OtherOffice};
use crate::population::{self, PopulationError};
use crate::store::StoreError;

/// Whose notice it is.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The application.
    pub application: ApplicationId,
    /// The person who applies.
    pub person: PersonId,
    /// The office of the application.
    pub office: &'a OfficeCode,
}

/// Writes a notice in the transaction of the step that causes it; it leaves afterwards, by the way that the citizen
/// chose. The deed owes a record that names the person. Returns the notice's identifier.
///
/// # Errors
/// [`StoreError`]; a contact that another hand changed is passed over, and the notice becomes a letter: what is done to
/// a contact stops no card.
pub async fn write<A: Actor>(deed: &mut Deed<A>, case: Case<'_>, matter: &Matter) -> Result<NoticeId, StoreError> {
    let Case { application, person, office } = case;
    write_about(deed, (Subject::Application(application), person, office), matter).await
}

/// As [`write`](fn@write), about an application or about a booking.
///
/// # Errors
/// As [`write`](fn@write).
pub async fn write_about<A: Actor>(
    deed: &mut Deed<A>,
    (about, person, office): (Subject, PersonId, &OfficeCode),
    matter: &Matter,
) -> Result<NoticeId, StoreError> {
    deed.saw(person);
    let contact = match store::contact(deed.tx(), person).await {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => None,
        found => found?,
    };
    let (id, at, random) = (deed.id(), deed.at(), deed.rng().next_u64());
    let reference = reference(random);
    let language = contact.as_ref().map_or(Language::Vi, |contact| contact.language);
    let channel = Contact::channel(contact.as_ref());
    let of = Of { office, about, reference: Some(&reference) };
    let text = texts::text(matter, language, of);
    let notice = Notice {
        id,
        kind: matter.kind(),
        about,
        person,
        office: office.clone(),
        language,
        reference,
        message_id: None,
        channel,
        state: NoticeState::Waiting,
        written_at: at,
        due_at: (channel != Channel::Letter).then_some(at),
        attempts: 0,
        repeats: 0,
        unsure: false,
        failure: None,
        ended_at: None,
    };
    let secrets = deed.secrets().clone();
    store::insert(deed.tx(), &notice, &text, &secrets).await?;
    Ok(id)
}

/// `TB-0123-4567-89AB-CDEF`: what a citizen quotes.
fn reference(random: u64) -> String {
    let digits = format!("{random:016X}");
    format!("TB-{}-{}-{}-{}", &digits[..4], &digits[4..8], &digits[8..12], &digits[12..])
}

/// True for the name that a file has from a reference.
pub(crate) fn is_reference(name: &str) -> bool {
    name.starts_with("TB-") && name.len() == 22
}

/// Returns the notices of an application, without what they say.
///
/// # Errors
/// [`NoticeError::OtherOffice`]
pub async fn of_application(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Vec<(Notice, bool)>, NoticeError> {
    let notices = store::of_application(deed.tx(), id).await?;
    listed(deed, Object::Application(id), notices).await
}

/// Returns the notices of a booking, without what they say.
///
/// # Errors
/// [`NoticeError::OtherOffice`]
pub async fn of_booking(deed: &mut Deed<Officer>, id: BookingId) -> Result<Vec<(Notice, bool)>, NoticeError> {
    let notices = store::of_booking(deed.tx(), id).await?;
    listed(deed, Object::Booking(id), notices).await
}

async fn listed(
    deed: &mut Deed<Officer>,
    of: Object,
    notices: Vec<(Notice, bool)>,
) -> Result<Vec<(Notice, bool)>, NoticeError> {
    let mut entry = Entry::new(Action::NoticesListed, of, Purpose::Notice);
    if let Some((first, _)) = notices.first() {
        deed.actor().may_act_for(&first.office)?;
        entry = entry.about(first.person).of(&first.office);
    }
    deed.enter(entry).await?;
    Ok(notices)
}

/// Returns a notice as the letter that it is, for the office of its application.
///
/// # Errors
/// [`NoticeError::Unknown`], [`NoticeError::OtherOffice`], [`NoticeError::Erased`]; [`NoticeError::Overtaken`] for one
/// that must not leave any more.
pub async fn letter(deed: &mut Deed<Officer>, notices: &Notices, id: NoticeId) -> Result<Letter, NoticeError> {
    let (notice, text) = store::locked(deed, id).await?.ok_or(NoticeError::Unknown)?;
    deed.actor().may_act_for(&notice.office)?;
    let over = match notice.state {
        state @ (NoticeState::Overtaken | NoticeState::RecipientDead) => Some(state),
        NoticeState::Sent => None,
        NoticeState::Dead | NoticeState::Waiting => overtaken(deed, notices, &notice).await?,
    };
    match over {
        Some(state) => Err(NoticeError::Overtaken(state)),
        None => read(deed, notices, notice, text).await,
    }
}

/// As [`letter`], for the owner of the key file, who prints what waits. One that is overtaken, or for a dead person,
/// waits no more, and no letter is made of it.
///
/// # Errors
/// As [`letter`].
pub async fn print<A: Actor>(
    deed: &mut Deed<A>,
    notices: &Notices,
    id: NoticeId,
) -> Result<Option<Letter>, NoticeError> {
    let (mut notice, text) = store::locked(deed, id).await?.ok_or(NoticeError::Unknown)?;
    if notice.is_to_print()
        && let Some(state) = overtaken(deed, notices, &notice).await?
    {
        end(deed, &mut notice, state).await?;
        return Ok(None);
    }
    read(deed, notices, notice, text).await.map(Some)
}

/// Returns why a notice must not leave any more: its citizen is dead, another notice of its kind was written after it,
/// or what it says is no longer so. What another hand changed speaks against nothing: the citizen is told.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn overtaken<A: Actor>(
    deed: &mut Deed<A>,
    notices: &Notices,
    notice: &Notice,
) -> Result<Option<NoticeState>, StoreError> {
    let believed = |found: Result<bool, StoreError>| match found {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => Ok(false),
        found => found,
    };
    let person = population::store::person(deed, notice.person).await;
    let dead = person.map(|found| found.is_some_and(|found| found.person.died.is_some()));
    if believed(dead)? {
        return Ok(Some(NoticeState::RecipientDead));
    }
    // Each log-in and each answer is told of, whatever came after it.
    let each = matches!(notice.kind, NoticeKind::LoggedIn | NoticeKind::ObjectionAnswered);
    if !each && store::has_newer(deed.tx(), notice).await? {
        return Ok(Some(NoticeState::Overtaken));
    }
    for teller in notices.tellers.iter() {
        let still = teller.still_so(deed.tx(), notice).await;
        if believed(still.map(|still| still == Some(false)))? {
            return Ok(Some(NoticeState::Overtaken));
        }
    }
    Ok(None)
}

/// Ends a notice that must not leave any more, with a record.
pub(super) async fn end<A: Actor>(
    deed: &mut Deed<A>,
    notice: &mut Notice,
    state: NoticeState,
) -> Result<(), StoreError> {
    let at = deed.at();
    (notice.state, notice.due_at, notice.ended_at, notice.unsure) = (state, None, Some(at), false);
    store::update(deed.tx(), notice).await?;
    let entry = Entry::new(Action::NoticeUndelivered, Object::Notice(notice.id), Purpose::Notice).about(notice.person);
    let says = format!("{}: {}, and not sent", notice.kind.word(), state.word());
    deed.enter(entry.of(&notice.office).with(notice.about.object()).because(says)).await
}

async fn read<A: Actor>(
    deed: &mut Deed<A>,
    notices: &Notices,
    notice: Notice,
    text: Option<Text>,
) -> Result<Letter, NoticeError> {
    let text = text.ok_or(NoticeError::Erased)?;
    let registered = population::store::person(deed, notice.person).await?.ok_or(NoticeError::Unknown)?;
    let (person, today) = (&registered.person, deed.today());
    let place = person.current_residence.as_ref().or(person.permanent_residence.as_ref());
    let place = place.or(person.temporary_residence.as_ref());
    let entry = Entry::new(Action::NoticeRead, Object::Notice(notice.id), Purpose::Notice).about(notice.person);
    deed.enter(entry.of(&notice.office).with(notice.about.object())).await?;
    Ok(Letter {
        reference: notice.reference.clone(),
        name: person.full_name.as_str().to_owned(),
        address: place.map(|place| place.in_words(notices.register.reference(), today)).unwrap_or_default(),
        written_on: deed.day_of(notice.written_at),
        body: text.body,
        language: notice.language,
    })
}

/// Notes that a notice was handed over or posted as a letter. Again: it stays as it is.
///
/// # Errors
/// [`NoticeError::Unknown`], [`NoticeError::OtherOffice`]
pub async fn delivered(deed: &mut Deed<Officer>, id: NoticeId) -> Result<Notice, NoticeError> {
    let (notice, _) = store::locked(deed, id).await?.ok_or(NoticeError::Unknown)?;
    deed.actor().may_act_for(&notice.office)?;
    posted(deed, notice).await
}

/// As [`delivered`], for the owner of the key file.
///
/// # Errors
/// [`NoticeError::Unknown`]
pub async fn printed<A: Actor>(deed: &mut Deed<A>, id: NoticeId) -> Result<Notice, NoticeError> {
    let (notice, _) = store::locked(deed, id).await?.ok_or(NoticeError::Unknown)?;
    posted(deed, notice).await
}

async fn posted<A: Actor>(deed: &mut Deed<A>, notice: Notice) -> Result<Notice, NoticeError> {
    let entry = Entry::new(Action::NoticeSent, Object::Notice(notice.id), Purpose::Notice).about(notice.person);
    let entry = entry.of(&notice.office).with(notice.about.object());
    if notice.state == NoticeState::Sent {
        deed.enter(entry.because("it was sent before")).await?;
        return Ok(notice);
    }
    let (channel, state, at) = (Channel::Letter, NoticeState::Sent, deed.at());
    let notice = Notice { channel, state, due_at: None, ended_at: Some(at), unsure: false, ..notice };
    store::update(deed.tx(), &notice).await?;
    deed.enter(entry.because(format!("{} by letter", notice.kind.word()))).await?;
    Ok(notice)
}

/// What a citizen says about where to be told.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// In which language.
    pub language: Language,
    /// The address for e-mail; empty for none.
    pub email: &'a str,
    /// The telephone number; empty for none.
    pub phone: &'a str,
    /// True if the citizen agrees to be told there.
    pub consent: bool,
}

/// Shows nothing: addresses are personal.
impl std::fmt::Debug for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wish(…)")
    }
}

/// Writes down where a citizen wants to be told, in the place of what was known. Without an address the citizen is told
/// by letter, and what was known is erased.
///
/// # Errors
/// [`NoticeError::ContactUnfit`]; as a reading of the person.
pub async fn set_contact(
    deed: &mut Deed<Officer>,
    person: PersonId,
    wish: Wish<'_>,
) -> Result<(Contact, Addresses), NoticeError> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let addresses = Addresses { email: some(wish.email), phone: some(wish.phone).map(|text| text.replace(' ', "")) };
    if addresses.email.as_deref().is_some_and(|email| mail::address(email).is_none()) {
        return Err(NoticeError::ContactUnfit("email: an address of e-mail in ASCII"));
    }
    if addresses.phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
        return Err(NoticeError::ContactUnfit("phone: + and 8 to 15 digits, with the country"));
    }
    let left = addresses != Addresses::default();
    if left && !wish.consent {
        return Err(NoticeError::ContactUnfit("consent: an address is kept only if the citizen agrees"));
    }
    population::store::person_locked(deed, person).await?;
    let registered = population::steps::read(deed, person, Occasion::default()).await?;
    let contact = Contact {
        language: wish.language,
        has_email: addresses.email.is_some(),
        has_phone: addresses.phone.is_some(),
        consent_at: left.then_some(deed.at()),
        changed_by: deed.actor().id,
        changed_at: deed.at(),
    };
    let secrets = deed.secrets().clone();
    store::set_contact(deed.tx(), person, &contact, &addresses, &secrets).await?;
    let entry = Entry::new(Action::ContactChanged, Object::Person(person), Purpose::Notice).about(person);
    deed.enter(entry.of(&registered.office)).await?;
    Ok((contact, addresses))
}

/// Returns where a citizen wants to be told; none if the citizen never said.
///
/// # Errors
/// As a reading of the person.
pub async fn contact(deed: &mut Deed<Officer>, person: PersonId) -> Result<Option<(Contact, Addresses)>, NoticeError> {
    let registered = population::steps::read(deed, person, Occasion::default()).await?;
    let found = store::addresses(deed, person).await?;
    let entry = Entry::new(Action::ContactRead, Object::Person(person), Purpose::Notice).about(person);
    deed.enter(entry.of(&registered.office)).await?;
    Ok(found)
}

impl NoticeError {
    /// True for what is wrong with one notice, or with its person: the others are done all the same.
    pub(crate) fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::Erased
                | Self::Unknown
                | Self::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })
                | Self::Person(PopulationError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }))
        )
    }
}

/// Why something is not done about a notice.
#[derive(Debug, Error)]
pub enum NoticeError {
    /// An address that does not fit, or without consent.
    #[error("{0}")]
    ContactUnfit(&'static str),
    /// What it said is erased.
    #[error("what the notice said is kept no longer")]
    Erased,
    /// Another office's.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// It is not sent any more.
    #[error("it is not sent any more: {}", .0.word())]
    Overtaken(NoticeState),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none.
    #[error("no such notice")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_sixteen_digits() {
        assert_eq!(reference(0x0123_4567_89ab_cdef), "TB-0123-4567-89AB-CDEF");
        assert!(is_reference(&reference(0)) && !is_reference("TB-0123") && !is_reference("report"));
        assert_eq!(reference(1), "TB-0000-0000-0000-0001");
    }
}
