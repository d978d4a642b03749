//! The ten-print card of an application (Circular 59/2021/TT-BCA, Art. 5(3)): of each of ten fingers an image or the
//! reason why there is none, and beside them the flat images. No image gets on a chip: DG3 is not written.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fingerprint_image::{PrintError, PrintFinding, PrintImage, png_of};
use super::fingers::{Finger, NoPrint};
use super::model::{Application, Capture, Stage, StageName, TransitionError};
use super::store::{self, closed};
use super::{Counter, CounterError, claims, drafts, steps};
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
use crate::ground::ids::ApplicationId;
use crate::ground::objects::ObjectError;
use crate::ground::{Decision, Officer, blocking};
use crate::store::StoreError;

/// Whether an application has a ten-print card before it is sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fingerprints {
    /// True: no application is sent before each of ten fingers has an image or a reason. False: what is taken is kept,
    /// and nothing is demanded.
    pub demanded: bool,
}

/// What was taken of the fingers of a citizen, in the order of the circular.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TenPrintCard(Vec<Print>);

/// What is known of one finger, or of one flat image.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Print {
    /// Which finger.
    pub finger: Finger,
    /// An image, or none.
    #[serde(flatten)]
    pub state: PrintState,
    /// The officer who took it, and the moment.
    pub taken: Decision,
}

/// Shows the finger alone: what is known of it is personal.
impl std::fmt::Debug for Print {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Print({})", self.finger)
    }
}

/// An image, or the reason why there is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum PrintState {
    /// There is an image.
    Image {
        /// The name of its object.
        object: String,
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
        /// What it shows, under a key of the service: the same for the same image, and without the key worth nothing.
        digest: String,
        /// What is to be said of it.
        findings: Vec<PrintFinding>,
    },
    /// There is none.
    None {
        /// Why there is no image.
        because: NoPrint,
    },
}

impl TenPrintCard {
    /// Returns what is known of a finger.
    #[must_use]
    pub fn of(&self, finger: Finger) -> Option<&Print> {
        self.0.iter().find(|print| print.finger == finger)
    }

    /// Returns all that is known, in the order of the circular.
    #[must_use]
    pub fn prints(&self) -> &[Print] {
        &self.0
    }

    /// Returns the fingers of which nothing is known.
    pub fn left(&self) -> impl Iterator<Item = Finger> {
        Finger::ten().iter().copied().filter(|finger| self.of(*finger).is_none())
    }

    /// True if each of ten fingers has an image or a reason.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.left().next().is_none()
    }

    /// Puts what is known of a finger in the place of what was known.
    fn put(&mut self, print: Print) {
        self.0.retain(|known| known.finger != print.finger);
        self.0.push(print);
        self.0.sort_by_key(|print| print.finger);
    }

    /// Returns another finger of which this very image was given.
    fn shown_by_another(&self, finger: Finger, image: &str) -> Option<Finger> {
        let shows = |print: &&Print| match &print.state {
            PrintState::Image { digest, .. } => print.finger != finger && digest == image,
            PrintState::None { .. } => false,
        };
        self.0.iter().find(shows).map(|print| print.finger)
    }
}

/// An image of a finger that is kept as an object and belongs to no application yet.
#[derive(Debug)]
pub struct Developed {
    finger: Finger,
    object: String,
    width: u16,
    height: u16,
    sha256: [u8; 32],
    findings: Vec<PrintFinding>,
}

/// Keeps images as objects, each sealed. Needs no deed, so that no other writer waits meanwhile.
///
/// # Errors
/// [`CounterError::Fingerprint`], [`CounterError::Object`]
pub async fn develop(counter: &Counter, images: Vec<PrintImage>) -> Result<Vec<Developed>, CounterError> {
    let made = blocking::run(move || {
        let made = images.into_iter().map(|image| image.record().map(|record| (image, record)));
        made.collect::<Result<Vec<_>, PrintError>>()
    })
    .await
    .map_err(FingerprintDoubt::Unfit)?;
    let mut developed = vec![];
    for (image, record) in made {
        let sha256 = image.digest();
        let object = counter.objects().keep(record).await?;
        let PrintImage { finger, width, height, findings, .. } = image;
        developed.push(Developed { finger, object, width, height, sha256, findings });
    }
    Ok(developed)
}

/// What came of images: the card as it stands, and those that were not taken, since the same image was given for
/// another finger: each with that one.
#[derive(Debug)]
pub struct Taken {
    /// The card.
    pub card: TenPrintCard,
    /// What was not taken.
    pub same: Vec<(Finger, Finger)>,
}

/// Takes images of fingers, each in the place of what was known of its finger.
///
/// # Errors
/// [`CounterError::Claimed`] while another officer has the application; [`CounterError::Transition`] at a stage at
/// which nothing is taken; [`CounterError`]
pub async fn take(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    developed: Vec<Developed>,
) -> Result<Taken, CounterError> {
    let (application, mut card) = open(deed, counter, id).await?;
    let taken = deed.decision();
    let mut same = vec![];
    let mut fingers = vec![];
    for Developed { finger, object, width, height, sha256, findings } in developed {
        let digest = hex::encode(deed.secrets().fingerprint("print", &sha256));
        if let Some(other) = card.shown_by_another(finger, &digest) {
            same.push((finger, other));
            continue;
        }
        // Its name is noted with those of the portraits: it is erased, swept and missed as they are.
        closed::took(deed.tx(), id, &object, taken.at).await?;
        let state = PrintState::Image { object, width, height, digest, findings };
        card.put(Print { finger, state, taken: taken.clone() });
        fingers.push(finger.word());
    }
    if fingers.is_empty() {
        read_again(deed, &application).await?;
    } else {
        keep(deed, application, &card, format!("image: {}", fingers.join(", "))).await?;
    }
    Ok(Taken { card, same })
}

/// Notes why there is no image of a finger, in the place of what was known of it.
///
/// # Errors
/// [`FingerprintDoubt::Flat`] for a flat image; as [`take`]
pub async fn miss(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    finger: Finger,
    because: NoPrint,
) -> Result<TenPrintCard, CounterError> {
    if !finger.is_rolled() {
        return Err(FingerprintDoubt::Flat.into());
    }
    let (application, mut card) = open(deed, counter, id).await?;
    let taken = deed.decision();
    card.put(Print { finger, state: PrintState::None { because }, taken });
    // Why is no word of the trail: it is a word about the citizen's body.
    keep(deed, application, &card, format!("none: {finger}")).await?;
    Ok(card)
}

/// Returns the card of an application that an officer is about to change, which that officer has from now on.
async fn open(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
) -> Result<(Application, TenPrintCard), CounterError> {
    let application = steps::to_step(deed, id).await?;
    if !may_be_taken(&application) {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if claims::free_for_actor(deed, &application).await?.is_none() {
        claims::claim(deed, counter, id).await?;
    }
    let card = store::fingerprints::of_application(deed.tx(), id).await?;
    Ok((application, card))
}

/// True if images of fingers may be taken at the stage of an application: before it is decided. Of a held one they are
/// not, since the decision about it stands.
#[must_use]
pub fn may_be_taken(application: &Application) -> bool {
    drafts::may_be_taken(application) && !matches!(application.stage.which(), StageName::Held)
}

async fn keep(
    deed: &mut Deed<Officer>,
    application: Application,
    card: &TenPrintCard,
    words: String,
) -> Result<(), CounterError> {
    let id = application.id;
    steps::involve_actor(deed, id).await?;
    store::fingerprints::put(deed.tx(), &application, card).await?;
    // What officers saw of one that was sent is not what stands there now: under another salt they look again.
    if let Stage::Captured { capture } = application.stage {
        let salt = drafts::salt(deed);
        let stage = Stage::Captured { capture: Capture { salt, ..capture } };
        store::rewrite(deed.tx(), id, &stage).await?;
    }
    let entry = Entry::new(Action::FingerprintTaken, Object::Application(id), Purpose::Capture);
    deed.enter(entry.about(application.person).of(&application.office).because(words)).await?;
    Ok(())
}

/// Records that an application was read, where nothing of it changed.
async fn read_again(deed: &mut Deed<Officer>, application: &Application) -> Result<(), StoreError> {
    let occasion = Occasion { purpose: Purpose::Capture, case: Some(application.id) };
    let object = Object::Application(application.id);
    deed.record_reading(Action::ApplicationRead, object, application.person, &application.office, occasion).await
}

/// Returns the card of an application. For one whose reading is recorded.
///
/// # Errors
/// [`StoreError`]
pub async fn of_application(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<TenPrintCard, StoreError> {
    store::fingerprints::of_application(deed.tx(), id).await
}

/// Refuses to send an application without a whole card, where one is demanded of it.
///
/// # Errors
/// [`FingerprintDoubt::Missing`]
pub(super) async fn must_be_whole(deed: &mut Deed<Officer>, application: &Application) -> Result<(), CounterError> {
    if !is_demanded(application) {
        return Ok(());
    }
    let card = store::fingerprints::of_application(deed.tx(), application.id).await?;
    let left: Vec<Finger> = card.left().collect();
    if left.is_empty() { Ok(()) } else { Err(FingerprintDoubt::Missing(left).into()) }
}

/// True if an application is sent with a whole card only: so it was opened.
#[must_use]
pub fn is_demanded(application: &Application) -> bool {
    application.progress.terms.as_ref().is_some_and(|terms| terms.fingerprints)
}

/// Reads the image of one finger, for an officer who may see the portrait; the record names the person and the finger.
/// The file is read after the deed, by its caller.
///
/// # Errors
/// [`FingerprintDoubt::Absent`]; [`CounterError::Erased`] with day and ground; [`CounterError`]
pub async fn read(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    finger: Finger,
    purpose: Purpose,
) -> Result<Print, CounterError> {
    let application = steps::of_office(deed, id).await?;
    if steps::mends_only(deed.actor()) {
        return Err(CounterError::NotHeld);
    }
    if let Some((at, ground)) = closed::erased_of(deed.tx(), id).await?.portrait {
        return Err(CounterError::Erased { on: at.date(), ground });
    }
    let card = store::fingerprints::of_application(deed.tx(), id).await?;
    let print = card.of(finger).filter(|print| matches!(print.state, PrintState::Image { .. }));
    let print = print.cloned().ok_or(FingerprintDoubt::Absent)?;
    let entry = Entry::new(Action::FingerprintRead, Object::Application(id), purpose).about(application.person);
    deed.enter(entry.of(&application.office).because(finger.word())).await?;
    Ok(print)
}

/// Returns the image of a finger whose reading is recorded, as it is kept: a record of ISO/IEC 19794-4:2005.
///
/// # Errors
/// [`CounterError::Object`]; [`FingerprintDoubt::Absent`] without an image
pub async fn record_of(counter: &Counter, print: &Print) -> Result<zeroize::Zeroizing<Vec<u8>>, CounterError> {
    match &print.state {
        PrintState::Image { object, .. } => Ok(counter.objects().fetch(object).await?),
        PrintState::None { .. } => Err(FingerprintDoubt::Absent.into()),
    }
}

/// As [`record_of`], as PNG.
///
/// # Errors
/// As [`record_of`].
pub async fn png(counter: &Counter, print: &Print) -> Result<Vec<u8>, CounterError> {
    let record = record_of(counter, print).await?;
    Ok(png_of(&record).ok_or(ObjectError::Changed)?)
}

/// Why the fingers of a citizen are not taken so.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FingerprintDoubt {
    /// There is no image of the finger.
    #[error("there is no image of this finger")]
    Absent,
    /// The image is not base64.
    #[error("the image is not base64")]
    Base64,
    /// A flat image is taken or left out; it needs no reason.
    #[error("a reason belongs to one of the ten fingers, and not to a flat image")]
    Flat,
    /// Not all ten fingers have an image or a reason.
    #[error("neither image nor reason: {}", words_of(.0))]
    Missing(Vec<Finger>),
    /// Neither an image nor a finger with its reason, or both.
    #[error("either `image`, or `finger` and `because`")]
    OneOfBoth,
    /// The image.
    #[error(transparent)]
    Unfit(#[from] PrintError),
}

fn words_of(fingers: &[Finger]) -> String {
    fingers.iter().map(|finger| finger.word()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::Id;

    fn print(finger: Finger, state: PrintState) -> Print {
        Print { finger, state, taken: Decision { by: Id::nil(), at: datetime!(2027-03-01 08:00 UTC) } }
    }

    fn image(digest: &str) -> PrintState {
        PrintState::Image { object: "00".into(), width: 400, height: 500, digest: digest.into(), findings: vec![] }
    }

    #[test]
    fn a_card_is_whole_with_an_image_or_a_reason_for_each_of_ten_fingers() {
        let mut card = TenPrintCard::default();
        assert_eq!(card.left().collect::<Vec<_>>(), Finger::ten());
        // A flat image stands for none of them.
        card.put(print(Finger::PlainRightThumb, image("flat")));
        for (n, finger) in Finger::ten().iter().rev().enumerate() {
            assert!(!card.is_whole(), "{n}");
            let none = PrintState::None { because: NoPrint::Worn };
            card.put(print(*finger, if n % 2 == 0 { image(finger.word()) } else { none }));
        }
        assert!(card.is_whole());
        let order: Vec<Finger> = card.prints().iter().map(|print| print.finger).collect();
        assert_eq!(order, [&[Finger::PlainRightThumb], Finger::ten()].concat(), "in the order of the circular");
        // What is put again stands in the place of what was there.
        card.put(print(Finger::LeftLittle, PrintState::None { because: NoPrint::Amputated }));
        assert_eq!((card.prints().len(), card.is_whole()), (11, true));
    }

    #[test]
    fn the_same_image_of_another_finger_is_found_and_that_of_the_same_one_is_not() {
        let mut card = TenPrintCard::default();
        card.put(print(Finger::RightThumb, image("one")));
        assert_eq!(card.shown_by_another(Finger::LeftThumb, "one"), Some(Finger::RightThumb));
        assert_eq!(card.shown_by_another(Finger::RightThumb, "one"), None, "it is taken again");
        assert_eq!(card.shown_by_another(Finger::LeftThumb, "two"), None);
    }

    #[test]
    fn a_card_is_stored_as_it_was_stored_before() {
        let stored = serde_json::json!([
            {"finger": "right-thumb", "state": "image", "object": "00", "width": 400, "height": 500, "digest": "d",
                "findings": ["faint"], "taken": {"by": "00000000-0000-0000-0000-000000000000", "at": "2027-03-01T08:00:00Z"}},
            {"finger": "left-little", "state": "none", "because": "amputated",
                "taken": {"by": "00000000-0000-0000-0000-000000000000", "at": "2027-03-01T08:00:00Z"}},
        ]);
        let card: TenPrintCard = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(card.prints()[1].state, PrintState::None { because: NoPrint::Amputated });
        assert_eq!(serde_json::to_value(&card).unwrap(), stored);
    }
}
