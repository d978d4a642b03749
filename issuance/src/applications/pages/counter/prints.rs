//! The ten-print card at the counter: files of a scanner, one or all at once, and why there is no image of a finger.
//! The page shows what was taken and no image; each image is a page of its own, and a record in the trail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;
use axum::Json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::perso::problem::ProblemCode;

use super::super::super::fingerprint_image::{self, PrintError, PrintFinding, Sorted};
use super::super::super::fingerprints::{self, Print, PrintState, TenPrintCard};
use super::super::super::fingers::{Finger, NoPrint};
use super::super::super::model::Application;
use super::super::super::{CounterError, claims, reading, steps};
use super::super::file::{name_of, reference};
use super::{Act, address, capture};
use crate::deed::{Deed, Purpose};
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::{Officer, blocking};
use crate::population::model::Registered;
use crate::web::Problem;
use crate::web::html::{
    APPROVALS, Asked, Filled, Frame, Place, Shown, Texts, Trouble, UploadedFiles, fill, page, page_about, texts, to,
};

/// The ten-print card of an application.
#[derive(Template)]
#[template(path = "counter-prints.html")]
struct Sheet {
    frame: Frame,
    card: Card,
    done: Option<String>,
    trouble: Option<Trouble>,
    /// What could not be used of the files: each with why.
    wrong: Vec<(String, String)>,
    /// What was kept of them all the same.
    kept: Option<String>,
}

impl Sheet {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong_of(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What the page shows.
#[expect(clippy::struct_excessive_bools, reason = "facts that the template asks for, any with any other")]
struct Card {
    id: ApplicationId,
    title: String,
    name: String,
    number: String,
    token: String,
    key: String,
    ten: Vec<Row>,
    flat: Vec<Row>,
    state: String,
    whole: bool,
    demanded: bool,
    may_take: bool,
    /// Another officer has it: nothing can be kept.
    taken: bool,
    claim: String,
    /// Word, text, whether it is chosen.
    fingers: Vec<(&'static str, String, bool)>,
    ten_fingers: Vec<(&'static str, &'static str, bool)>,
    reasons: Vec<(&'static str, &'static str, bool)>,
}

/// A finger, and what is known of it.
#[derive(Debug)]
pub(in super::super) struct Row {
    /// Its number on the card.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// What is known, in words.
    pub says: String,
    /// Glyph and colour of it.
    pub glyph: &'static str,
    pub class: &'static str,
    /// Who took it, and when.
    pub by: String,
    /// Where its image is.
    pub href: Option<String>,
}

/// Returns what is known of these fingers, in words; images lie below `place`.
pub(in super::super) fn rows(
    card: &TenPrintCard,
    fingers: &[Finger],
    place: &str,
    by: impl Fn(&Print) -> String,
    t: &'static Texts,
) -> Vec<Row> {
    let row = |finger: &Finger| {
        let print = card.of(*finger);
        let (says, glyph, class) = match print.map(|print| &print.state) {
            None => (t.prints.nothing.clone(), "i-none", ""),
            Some(PrintState::None { because }) => (t.word(&t.no_print, because.word()).to_owned(), "i-info", ""),
            Some(PrintState::Image { width, height, findings, .. }) => {
                let size = fill(&t.prints.size, &[("w", &width.to_string()), ("h", &height.to_string())]);
                let findings = findings.iter().map(|finding: &PrintFinding| t.word(&t.print_finding, finding.word()));
                let says: Vec<&str> = [size.as_str()].into_iter().chain(findings).collect();
                let good = says.len() == 1;
                (says.join(" · "), if good { "i-ok" } else { "i-wait" }, if good { "c-good" } else { "c-wait" })
            }
        };
        let image = print.is_some_and(|print| matches!(print.state, PrintState::Image { .. }));
        Row {
            number: finger.number(),
            name: t.word(&t.finger, finger.word()),
            says,
            glyph,
            class,
            by: print.map(&by).unwrap_or_default(),
            href: image.then(|| format!("{place}/prints/{finger}")),
        }
    };
    fingers.iter().map(row).collect()
}

/// Returns how far a card is, in words.
pub(in super::super) fn state_of(card: &TenPrintCard, t: &'static Texts) -> String {
    match card.left().count() {
        0 => t.prints.whole.clone(),
        n => fill(&t.prints.left, &[("n", &n.to_string())]),
    }
}

/// Returns what is wrong with an image, in words.
fn fault(error: &PrintError, t: &'static Texts) -> String {
    let finger = |finger: &Finger| t.word(&t.finger, finger.word()).to_owned();
    let (word, a, b) = match error {
        PrintError::Blank => ("blank", String::new(), String::new()),
        PrintError::Damaged => ("damaged", String::new(), String::new()),
        PrintError::Depth => ("depth", String::new(), String::new()),
        PrintError::Misnamed { named, recorded } => ("misnamed", finger(named), finger(recorded)),
        PrintError::Nameless => ("nameless", String::new(), String::new()),
        PrintError::NotTaken(kind) => ("not-taken", (*kind).to_owned(), String::new()),
        PrintError::Resolution(None) => ("resolution-none", String::new(), String::new()),
        PrintError::Resolution(Some(inch)) => ("resolution", inch.to_string(), String::new()),
        PrintError::Same(other) => ("same", finger(other), String::new()),
        PrintError::Size { width, height } => ("size", width.to_string(), height.to_string()),
        PrintError::TooMuch => ("too-much", String::new(), String::new()),
        PrintError::Twice(of) => ("twice", finger(of), String::new()),
    };
    fill(t.word(&t.print_fault, word), &[("a", &a), ("b", &b)])
}

/// What was read in one deed.
struct Read {
    application: Application,
    registered: Registered,
    card: TenPrintCard,
    claim: Option<claims::Claim>,
    names: BTreeMap<OfficerId, String>,
}

async fn in_deed(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Read, CounterError> {
    let application = steps::read(deed, id, capture(id)).await?;
    let registered = reading::person(deed, application.person, capture(id)).await?;
    let card = fingerprints::of_application(deed, id).await?;
    let at = deed.at();
    let claim = claims::standing(deed.tx(), &application, at).await?;
    let officers = card.prints().iter().map(|print| print.taken.by).chain(claim.as_ref().map(|claim| claim.officer));
    let mut names = BTreeMap::new();
    for officer in officers.collect::<Vec<_>>() {
        if let Entry::Vacant(entry) = names.entry(officer) {
            entry.insert(name_of(deed, officer).await?);
        }
    }
    Ok(Read { application, registered, card, claim, names })
}

/// What the officer had chosen.
#[derive(Clone, Copy, Debug, Default)]
struct Chosen {
    which: Option<Finger>,
    finger: Option<Finger>,
    because: Option<NoPrint>,
}

impl Chosen {
    fn of(filled: &Filled) -> Self {
        let [which, finger] = ["which", "finger"].map(|name| Finger::named(filled.text(name)));
        Self { which, finger, because: NoPrint::named(filled.text("because")) }
    }
}

impl Act {
    async fn prints_sheet(&self, chosen: Chosen) -> Result<Sheet, Problem> {
        let (officer, id) = (self.visitor.officer.clone(), self.id);
        let t = texts(self.dress.language);
        let Json(read) = Box::pin(self.desk.look(officer.clone(), async |deed| in_deed(deed, id).await)).await?;
        let Read { application, registered, card, claim, names } = read;
        let moment = |at| ::pages::written::moment(at, self.desk.deeds().source().clock().offset());
        let name = |officer: OfficerId| names.get(&officer).map_or("?", String::as_str);
        let by = |print: &Print| fill(&t.prints.by, &[("name", name(print.taken.by)), ("at", &moment(print.taken.at))]);
        let place = address(id);
        let number = registered.personal_number.as_ref();
        let may_take = fingerprints::may_be_taken(&application);
        // The finger that is said next: the first of which nothing is known.
        let next = chosen.finger.or_else(|| card.left().next());
        let shown = Card {
            id,
            title: fill(&t.file.reference, &[("reference", &reference(id))]),
            name: registered.person.full_name.as_str().to_owned(),
            number: number
                .map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str())),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            ten: rows(&card, Finger::ten(), &place, by, t),
            flat: rows(&card, &Finger::ALL[..4], &place, by, t),
            state: state_of(&card, t),
            whole: card.is_whole(),
            demanded: fingerprints::is_demanded(&application),
            may_take,
            taken: claim.as_ref().is_some_and(|claim| claim.officer != officer.id),
            claim: match &claim {
                None => t.file.claim_none.clone(),
                Some(claim) => {
                    let text = if claim.officer == officer.id { &t.file.claim_mine } else { &t.file.claim_other };
                    fill(text, &[("name", name(claim.officer)), ("until", &moment(claim.until))])
                }
            },
            fingers: Finger::ALL
                .iter()
                .map(|finger| {
                    let name = t.word(&t.finger, finger.word());
                    (finger.word(), format!("{} · {name}", finger.number()), chosen.which == Some(*finger))
                })
                .collect(),
            ten_fingers: Finger::ten()
                .iter()
                .map(|finger| (finger.word(), t.word(&t.finger, finger.word()), next == Some(*finger)))
                .collect(),
            reasons: NoPrint::ALL
                .iter()
                .map(|why| (why.word(), t.word(&t.no_print, why.word()), chosen.because == Some(*why)))
                .collect(),
        };
        let frame = Frame::new(&self.dress.at(&format!("{place}/prints")), Some(&self.visitor), Place::Counter);
        Ok(Sheet { frame, card: shown, done: None, trouble: None, wrong: vec![], kept: None })
    }

    /// Shows the card again with what is wrong.
    async fn prints_again(self, problem: &Problem, chosen: Chosen) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem.clone());
        }
        let trouble = Some(Trouble::of(problem, texts(self.dress.language)));
        let sheet = Box::pin(self.prints_sheet(chosen)).await?;
        page_about(problem, &Sheet { trouble, ..sheet })
    }
}

/// The page of the card.
pub(super) async fn card(act: Act, asked: Asked) -> Shown {
    let t = texts(act.dress.language);
    let done = match asked.some("done") {
        Some("taken") => Some(t.prints.done_taken.clone()),
        Some("missing") => Some(t.prints.done_missing.clone()),
        _ => None,
    };
    let sheet = Box::pin(act.prints_sheet(Chosen::default())).await?;
    page(&Sheet { done, ..sheet })
}

/// Files of a scanner. What is right of them is kept, and what is not is named, file by file.
pub(super) async fn files(act: Act, uploaded: UploadedFiles) -> Shown {
    let (id, officer, counter) = (act.id, act.visitor.officer.clone(), act.counter.clone());
    let UploadedFiles { filled, files } = uploaded;
    let chosen = Chosen::of(&filled);
    let code = ProblemCode::FingerprintUnfit;
    let taken = async {
        if files.is_empty() {
            return Err(Problem::new(ProblemCode::FingerprintFormat).field("/files", code, "no file"));
        }
        // Who may not keep them need not wait until they are read.
        let mut trial = act.desk.deeds().open(officer.clone()).await?;
        steps::to_step(&mut trial, id).await?;
        drop(trial);
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        let which = chosen.which;
        let Sorted { right, wrong } = blocking::run(move || {
            let files: Vec<(&str, &[u8])> = files.iter().map(|(name, file)| (name.as_str(), &**file)).collect();
            fingerprint_image::sorted(&files, which)
        })
        .await;
        let mut kept = right.len();
        let mut same = vec![];
        if !right.is_empty() {
            let developed = fingerprints::develop(&counter, right).await?;
            let taken = async |deed: &mut Deed<Officer>| {
                fingerprints::take(deed, &counter, id, developed).await.map(|taken| taken.same)
            };
            same = act.desk.look(officer.clone(), taken).await?.0;
            kept -= same.len();
        }
        Ok((names, wrong, same, kept))
    };
    let (names, wrong, same, kept) = match Box::pin(taken).await {
        Ok(taken) => taken,
        Err(problem) => return Box::pin(act.prints_again(&problem, chosen)).await,
    };
    if wrong.is_empty() && same.is_empty() {
        return Ok(to(&format!("{}/prints?done=taken", address(id))));
    }
    let t = texts(act.dress.language);
    let name = |at: usize| names.get(at).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| "?".to_owned());
    let of_files = wrong.iter().map(|(at, error)| (name(*at), fault(error, t)));
    let of_fingers = same
        .iter()
        .map(|(finger, other)| (t.word(&t.finger, finger.word()).to_owned(), fault(&PrintError::Same(*other), t)));
    let wrong = of_files.chain(of_fingers).collect();
    let sheet = Box::pin(act.prints_sheet(chosen)).await?;
    let kept = Some(fill(&t.prints.kept, &[("n", &kept.to_string())]));
    page_about(&Problem::new(code), &Sheet { wrong, kept, ..sheet })
}

/// Why there is no image of a finger.
pub(super) async fn missing(act: Act, filled: Filled) -> Shown {
    let (id, officer, counter) = (act.id, act.visitor.officer.clone(), act.counter.clone());
    let chosen = Chosen::of(&filled);
    let code = ProblemCode::FingerprintUnfit;
    let said = async {
        let unfit = |field: &'static str| Problem::new(code).field(field, code, "choose one");
        let finger = chosen.finger.ok_or_else(|| unfit("/finger"))?;
        let because = chosen.because.ok_or_else(|| unfit("/because"))?;
        let verb = async |deed: &mut Deed<Officer>| {
            fingerprints::miss(deed, &counter, id, finger, because).await.map(|card| card.is_whole())
        };
        act.desk.write(officer, filled.stamp()?, verb).await.map(drop)
    };
    match Box::pin(said).await {
        Ok(()) => Ok(to(&format!("{}/prints?done=missing", address(id)))),
        Err(problem) => Box::pin(act.prints_again(&problem, chosen)).await,
    }
}

/// The image of one finger.
#[derive(Template)]
#[template(path = "print.html")]
struct One {
    frame: Frame,
    title: &'static str,
    application: String,
    alt: String,
    png: String,
    size: String,
    width: u16,
    height: u16,
    findings: Vec<&'static str>,
    back: String,
    back_says: &'static str,
}

/// The image of one finger, for an officer of the counter.
pub(super) async fn one(act: Act<(ApplicationId, Finger)>) -> Shown {
    let id = act.id.0;
    shown(act, Purpose::Capture, Place::Counter, format!("{}/prints", address(id))).await
}

/// The image of one finger, for the second officer.
pub(in super::super) async fn decided_on(act: Act<(ApplicationId, Finger)>) -> Shown {
    let id = act.id.0;
    shown(act, Purpose::Decision, Place::Approvals, format!("{APPROVALS}/{id}")).await
}

async fn shown(act: Act<(ApplicationId, Finger)>, purpose: Purpose, place: Place, back: String) -> Shown {
    let Act { desk, counter, dress, visitor, id: (id, finger) } = act;
    let t = texts(dress.language);
    let officer = visitor.officer.clone();
    let Json(print) = desk.look(officer, async |deed| fingerprints::read(deed, id, finger, purpose).await).await?;
    let png = fingerprints::png(&counter, &print).await?;
    let (width, height, findings) = match &print.state {
        PrintState::Image { width, height, findings, .. } => (*width, *height, findings.as_slice()),
        PrintState::None { .. } => (0, 0, &[][..]),
    };
    let title = t.word(&t.finger, finger.word());
    let back_says = if matches!(place, Place::Approvals) { &t.prints.back_file } else { &t.prints.back_card };
    page(&One {
        frame: Frame::new(&dress, Some(&visitor), place),
        title,
        application: fill(&t.file.reference, &[("reference", &reference(id))]),
        alt: fill(&t.prints.alt, &[("finger", title)]),
        png: STANDARD.encode(png),
        size: fill(&t.prints.size, &[("w", &width.to_string()), ("h", &height.to_string())]),
        width,
        height,
        findings: findings.iter().map(|finding| t.word(&t.print_finding, finding.word())).collect(),
        back,
        back_says,
    })
}

#[cfg(test)]
mod tests {
    use ::pages::Language;

    use super::*;

    /// The tables of words have each word that the page may show, and no other.
    #[test]
    fn every_word_of_the_card_has_a_text() {
        let finger = Finger::RightThumb;
        let faults = [
            PrintError::Blank,
            PrintError::Damaged,
            PrintError::Depth,
            PrintError::Misnamed { named: finger, recorded: Finger::LeftThumb },
            PrintError::Nameless,
            PrintError::NotTaken("WSQ"),
            PrintError::Resolution(None),
            PrintError::Resolution(Some(72)),
            PrintError::Same(finger),
            PrintError::Size { width: 10, height: 20 },
            PrintError::TooMuch,
            PrintError::Twice(finger),
        ];
        for language in Language::ALL {
            let t = texts(language);
            let words = |all: Vec<&'static str>| all;
            for (table, words) in [
                (&t.finger, words(Finger::ALL.iter().map(|finger| finger.word()).collect())),
                (&t.no_print, words(NoPrint::ALL.iter().map(|why| why.word()).collect())),
                (&t.print_finding, words(PrintFinding::ALL.iter().map(|finding| finding.word()).collect())),
            ] {
                assert!(words.iter().all(|word| t.word(table, word) != "?"), "{language}: {words:?}");
                assert_eq!(table.len(), words.len(), "{language}: {:?}", table.keys());
            }
            assert_eq!(t.print_fault.len(), faults.len());
            for error in &faults {
                let says = fault(error, t);
                assert!(says != "?" && !says.contains('{'), "{language} {error:?}: {says}");
            }
        }
    }
}
