//! An application at the counter: the citizen's word to the register, features, portrait, fee, papers, and the act that
//! sends it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;
use axum::Json;
use axum::response::{AppendHeaders, IntoResponse as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::perso::problem::ProblemCode;
use zeroize::Zeroizing;

use super::super::super::api::prints_slip;
use super::super::super::drafts::{self, Draft, DraftDigest};
use super::super::super::model::{Application, Stage, StageName};
use super::super::super::payments::{self, ExemptionGround, FeeAccount, FeeEntryKind, Payment, PaymentMethod};
use super::super::super::register_check::{self, RegisterCheck, RegisterDoubt, RegisterField};
use super::super::super::stages::{self, Step};
use super::super::super::{ApplicationView, CounterError, claims, fingerprints, reading, steps};
use super::super::file::{fields, kind_word, name_of, reference, word_of};
use super::super::queue::due_in_words;
use super::{Act, address, capture, dong, prints};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::offices::calendar::Day;
use crate::population::model::Registered;
use crate::web::html::{
    Asked, Filled, Frame, Place, Shown, Texts, Trouble, Uploaded, fill, page, page_about, texts, to,
};
use crate::web::{Problem, Stamp};
use crate::{bookings, offices};

/// An application at the counter.
#[derive(Template)]
#[template(path = "counter-dossier.html")]
struct Sheet {
    frame: Frame,
    file: File,
    /// What was done a moment ago; and the beginning of the names of the fields that this
    /// window need not keep any more.
    done: Option<Done>,
    trouble: Option<Trouble>,
}

impl Sheet {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What was done, and which fields are done with.
type Done = (&'static str, Option<&'static str>);

/// What the page shows.
#[expect(clippy::struct_excessive_bools, reason = "what the officer may do about it, button by button")]
struct File {
    id: ApplicationId,
    person: PersonId,
    token: String,
    key: String,
    title: String,
    name: String,
    number: String,
    kind: &'static str,
    stage: &'static str,
    due: String,
    due_class: &'static str,
    opened: String,
    booking: Option<String>,
    /// The steps: name, whether it is done, whether it is the next one.
    steps: Vec<(&'static str, bool, bool)>,
    claim: String,
    /// Another officer has it: nothing can be kept.
    taken: bool,
    may_release: bool,
    /// Portrait and features may be taken.
    may_take: bool,
    /// Returned to the citizen: why, and what the citizen was told.
    returned: Option<(Vec<&'static str>, String)>,
    may_resubmit: bool,
    rows: Vec<Row>,
    /// What the citizen said, and the colour of it.
    word: (&'static str, &'static str, String),
    features: String,
    saved: Option<String>,
    /// How far the ten-print card is, and whether it is whole.
    prints: (String, bool),
    portrait: Option<String>,
    portrait_alt: String,
    findings: Vec<(bool, &'static str)>,
    /// The officer must answer for the portrait.
    doubts: bool,
    seen: String,
    /// What is missing before it is sent.
    missing: Vec<&'static str>,
    send: &'static str,
    may_print_form: bool,
    may_print_slip: bool,
    fee: String,
    due_dong: u32,
    fee_due: String,
    entries: Vec<(String, String)>,
    methods: Vec<(&'static str, &'static str, bool)>,
    grounds: Vec<(&'static str, &'static str, bool)>,
    typed: Typed,
    today: String,
}

/// A field of the register.
struct Row {
    item: &'static str,
    field: String,
    value: String,
    class: &'static str,
    wrong: bool,
}

/// What the officer had typed when something was wrong with it.
#[derive(Clone, Default)]
struct Typed {
    features: Option<String>,
    disagrees: Option<Vec<String>>,
    receipt: String,
    method: String,
    paid_on: String,
    ground: String,
    evidence: String,
}

impl Typed {
    fn of(filled: &Filled) -> Self {
        let text = |name| filled.text(name).to_owned();
        Self {
            features: filled.some("features").map(str::to_owned),
            disagrees: filled.some("said").map(|_| filled.all("disagrees").map(str::to_owned).collect()),
            receipt: text("receipt"),
            method: text("method"),
            paid_on: text("paid_on"),
            ground: text("ground"),
            evidence: text("evidence"),
        }
    }
}

/// What was read in one deed.
struct Read {
    application: Application,
    registered: Registered,
    check: Option<(RegisterCheck, Vec<RegisterField>)>,
    draft: Draft,
    account: FeeAccount,
    claim: Option<claims::Claim>,
    booking: Option<bookings::model::Booking>,
    names: BTreeMap<OfficerId, String>,
    days_late: u32,
}

async fn in_deed(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Read, CounterError> {
    let application = steps::read(deed, id, capture(id)).await?;
    let registered = reading::person(deed, application.person, capture(id)).await?;
    let check = register_check::unsettled(deed, &application).await?;
    let draft = drafts::of_application(deed, &application).await?;
    let account = payments::read(deed, id).await?;
    let at = deed.at();
    let claim = claims::standing(deed.tx(), &application, at).await?;
    let booking = bookings::steps::of_application(deed.tx(), id).await?;
    let mut names = BTreeMap::new();
    let mut officers = vec![application.registered.by];
    officers.extend(claim.as_ref().map(|claim| claim.officer));
    officers.extend(draft.saved.as_ref().map(|saved| saved.by));
    for officer in officers {
        if let Entry::Vacant(entry) = names.entry(officer) {
            entry.insert(name_of(deed, officer).await?);
        }
    }
    let today = deed.today();
    let calendar = offices::steps::calendar(deed.tx(), today.year() - 1, today.year()).await?;
    let days_late = application.progress.days_late(today, &calendar);
    Ok(Read { application, registered, check, draft, account, claim, booking, names, days_late })
}

impl Act {
    /// Returns the portrait of a draft; none if there is none, or it is lost.
    pub(super) async fn portrait_of(&self, draft: &Draft) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
        let Some(taken) = &draft.portrait else { return Ok(None) };
        match self.counter.objects().fetch(&taken.name).await {
            Ok(portrait) => Ok(Some(portrait)),
            Err(error) if error.is_lost() => Ok(None),
            Err(error) => Err(CounterError::from(error).into()),
        }
    }

    /// Reads an application as the counter shows it, with the records that the reading leaves.
    async fn counter_sheet(
        &self,
        typed: Typed,
        done: Option<Done>,
        trouble: Option<Trouble>,
    ) -> Result<Sheet, Problem> {
        let (officer, id) = (self.visitor.officer.clone(), self.id);
        let Json(read) = Box::pin(self.desk.look(officer, async |deed| in_deed(deed, id).await)).await?;
        let portrait = self.portrait_of(&read.draft).await?.map(|portrait| STANDARD.encode(&*portrait));
        let dress = self.dress.at(&address(id));
        let frame = Frame::new(&dress, Some(&self.visitor), Place::Counter);
        Ok(Sheet { frame, file: self.counter_file(&read, portrait, typed), done, trouble })
    }

    fn counter_file(&self, read: &Read, portrait: Option<String>, typed: Typed) -> File {
        let t = texts(self.dress.language);
        let Read { application, registered, check, draft, account, .. } = read;
        let (id, officer, source) = (self.id, &self.visitor.officer, self.desk.deeds().source());
        let today = source.clock().today();
        let moment = |at| ::pages::written::moment(at, source.clock().offset());
        let name = |officer: OfficerId| read.names.get(&officer).map_or("?", String::as_str);
        let (stage, procedure) = (application.stage.which(), application.procedure());
        let may_take = drafts::may_be_taken(application);
        let taken = read.claim.as_ref().is_some_and(|claim| claim.officer != officer.id);
        let (due, due_class) = due_in_words(application.progress.due, read.days_late, today, t);
        let asked = check.is_some();
        let missing: Vec<&'static str> = [
            (!asked).then_some(t.counter.missing_word.as_str()),
            draft.features.is_empty().then_some(t.counter.missing_features.as_str()),
            draft.portrait.is_none().then_some(t.counter.missing_portrait.as_str()),
            (fingerprints::is_demanded(application) && !draft.fingerprints.is_whole())
                .then_some(t.prints.missing_send.as_str()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let findings = draft.portrait.as_ref().map(|taken| taken.findings.as_slice()).unwrap_or_default();
        let sent = !matches!(stage, StageName::Registered | StageName::Returned);
        let person = &registered.person;
        let number = registered.personal_number.as_ref();
        File {
            id,
            person: application.person,
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            title: fill(&t.file.reference, &[("reference", &reference(id))]),
            name: person.full_name.as_str().to_owned(),
            number: number
                .map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str())),
            kind: t.word(&t.kind, &kind_word(application.kind)),
            stage: t.word(&t.stage, stage.word()),
            due,
            due_class,
            opened: fill(
                &t.file.opened,
                &[("name", name(application.registered.by)), ("at", &moment(application.registered.at))],
            ),
            booking: read
                .booking
                .as_ref()
                .map(|booking| fill(&t.counter.booking_taken, &[("day", &::pages::written::date(booking.day))])),
            steps: steps_of(read, t),
            claim: match &read.claim {
                None => t.file.claim_none.clone(),
                Some(claim) => {
                    let text = if claim.officer == officer.id { &t.file.claim_mine } else { &t.file.claim_other };
                    fill(text, &[("name", name(claim.officer)), ("until", &moment(claim.until))])
                }
            },
            taken,
            may_release: read.claim.as_ref().is_some_and(|claim| claim.officer == officer.id),
            may_take,
            returned: match &application.stage {
                Stage::Returned { reasons, says, .. } => {
                    Some((reasons.iter().map(|reason| t.word(&t.reason, &word_of(reason))).collect(), says.clone()))
                }
                _ => None,
            },
            may_resubmit: stages::next(stage, Step::Resubmit, procedure).is_some()
                && application.stage.capture_of().is_some(),
            rows: self.counter_rows(read, &typed, t),
            word: word(check.as_ref(), t),
            features: typed.features.clone().unwrap_or_else(|| draft.features.clone()),
            saved: draft
                .saved
                .as_ref()
                .map(|saved| fill(&t.counter.saved, &[("name", name(saved.by)), ("at", &moment(saved.at))])),
            prints: (prints::state_of(&draft.fingerprints, t), draft.fingerprints.is_whole()),
            portrait_alt: fill(&t.file.portrait, &[("name", person.full_name.as_str())]),
            portrait,
            findings: findings.iter().map(|finding| (finding.is_good(), t.word(&t.finding, &finding.word()))).collect(),
            doubts: draft.doubts().next().is_some(),
            seen: hex::encode(draft.digest().0),
            missing,
            send: if sent { &t.counter.send_again } else { &t.counter.send },
            may_print_form: draft.portrait.is_some() && !draft.features.is_empty(),
            may_print_slip: prints_slip(officer, application),
            fee: match account.fee {
                0 => t.file.fee_free.clone(),
                amount => fill(&t.file.fee_due, &[("dong", &dong(amount, t))]),
            },
            due_dong: account.due(),
            fee_due: fill(&t.file.fee_due, &[("dong", &dong(account.due(), t))]),
            entries: account
                .entries
                .iter()
                .map(|entry| {
                    let what = match entry.kind {
                        FeeEntryKind::Payment => &t.counter.fee_paid,
                        FeeEntryKind::Exemption => &t.counter.fee_exempt,
                        FeeEntryKind::Refund | FeeEntryKind::Void => &t.counter.fee_undone,
                    };
                    let method = entry.method.map_or("", |method| t.word(&t.method, method.word()));
                    let ground = entry.ground.map_or("", |ground| t.word(&t.ground, ground.word()));
                    let receipt = entry.receipt.as_deref().unwrap_or_default();
                    let says: Vec<&str> =
                        [method, ground, receipt].into_iter().filter(|text| !text.is_empty()).collect();
                    (format!("{} · {what}", ::pages::written::date(entry.day)), says.join(" · "))
                })
                .collect(),
            methods: PaymentMethod::ALL
                .iter()
                .map(|method| (method.word(), t.word(&t.method, method.word()), typed.method == method.word()))
                .collect(),
            grounds: ExemptionGround::ALL
                .iter()
                .map(|ground| (ground.word(), t.word(&t.ground, ground.word()), typed.ground == ground.word()))
                .collect(),
            typed,
            today: today.to_string(),
        }
    }

    fn counter_rows(&self, read: &Read, typed: &Typed, t: &'static Texts) -> Vec<Row> {
        let today = self.desk.deeds().source().clock().today();
        let said = read.check.as_ref();
        let mut rows = vec![];
        for (field, value) in fields(&read.registered.person, self.counter.register.reference(), today, t) {
            let name = field.name();
            let open = said.is_some_and(|(_, left)| left.contains(&field));
            let wrong = match &typed.disagrees {
                Some(all) => all.contains(&name),
                None => open,
            };
            let value = value.unwrap_or_else(|| t.file.nothing.clone());
            let class = if open { "diff" } else { "" };
            rows.push(Row { item: t.word(&t.field, &name), field: name, value, class, wrong });
        }
        rows
    }

    /// Does what a form asks for, and shows the application again: with what was done, or with what is wrong and all
    /// that was typed.
    async fn at_counter(self, said: Result<(), Problem>, done: &'static str, typed: Typed) -> Shown {
        match said {
            Ok(()) => Ok(to(&format!("{}?done={done}", address(self.id)))),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => {
                let t = texts(self.dress.language);
                let sheet = Box::pin(self.counter_sheet(typed, None, Some(Trouble::of(&problem, t)))).await?;
                page_about(&problem, &sheet)
            }
        }
    }

    /// Does a verb once, however often the form comes.
    async fn once(
        &self,
        stamp: Result<Stamp, Problem>,
        verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<Application, CounterError>,
    ) -> Result<(), Problem> {
        let officer = self.visitor.officer.clone();
        let kept = async |deed: &mut Deed<Officer>| {
            let application = verb(deed).await?;
            Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
        };
        self.desk.write(officer.clone(), stamp?, kept).await.map(drop)
    }
}

/// The steps in the order of the circular: name, whether it is done, whether it is the next one.
fn steps_of(read: &Read, t: &'static Texts) -> Vec<(&'static str, bool, bool)> {
    let Read { application, check, draft, account, .. } = read;
    let sent = !matches!(application.stage.which(), StageName::Registered | StageName::Returned);
    let all = [
        (&t.counter.step_find, true),
        (&t.counter.step_word, check.is_some()),
        (&t.counter.step_features, !draft.features.is_empty()),
        (&t.prints.step, draft.fingerprints.is_whole()),
        (&t.counter.step_portrait, draft.portrait.is_some()),
        (&t.counter.step_fee, account.due() == 0),
        (&t.counter.step_send, sent),
    ];
    // What is not demanded is not waited for.
    let optional = !fingerprints::is_demanded(application);
    let next = all.iter().position(|(text, done)| !(*done || optional && **text == t.prints.step));
    all.iter().enumerate().map(|(at, (text, done))| (text.as_str(), *done, Some(at) == next)).collect()
}

/// What the citizen said to the register: glyph, colour, and the words.
fn word(
    check: Option<&(RegisterCheck, Vec<RegisterField>)>,
    t: &'static Texts,
) -> (&'static str, &'static str, String) {
    match check {
        None => ("i-none", "", t.file.unasked_says.clone()),
        Some((check, _)) if check.disagrees.is_empty() => ("i-ok", "c-good", t.file.agreed.clone()),
        Some((_, left)) if left.is_empty() => ("i-ok", "c-good", t.counter.word_mended.clone()),
        Some((_, left)) => ("i-wait", "c-wait", fill(&t.counter.word_wrong, &[("n", &left.len().to_string())])),
    }
}

/// The page of an application.
pub(super) async fn open(act: Act, asked: Asked) -> Shown {
    let t = texts(act.dress.language);
    let done = match asked.some("done") {
        Some("word") => Some((t.counter.done_word.as_str(), None)),
        Some("features") => Some((t.counter.done_features.as_str(), Some("features"))),
        Some("portrait") => Some((t.counter.done_portrait.as_str(), None)),
        Some("fee") => Some((t.counter.done_fee.as_str(), Some("evidence"))),
        Some("sent") => Some((t.counter.done_sent.as_str(), Some(""))),
        _ => None,
    };
    page(&Box::pin(act.counter_sheet(Typed::default(), done, None)).await?)
}

/// The citizen's word to what the register holds: by one button all is right, by the other what is ticked is wrong.
pub(super) async fn check_register(act: Act, filled: Filled) -> Shown {
    let disagrees: Vec<RegisterField> =
        filled.all("disagrees").filter_map(|word| serde_json::from_value(word.into()).ok()).collect();
    let agrees = filled.text("said") == "agrees";
    let id = act.id;
    let verb = async |deed: &mut Deed<Officer>| {
        if agrees != disagrees.is_empty() {
            return Err(RegisterDoubt::Unfit.into());
        }
        register_check::say(deed, id, disagrees).await
    };
    let said = Box::pin(act.once(filled.stamp(), verb)).await;
    Box::pin(act.at_counter(said, "word", Typed::of(&filled))).await
}

/// The features, as far as they are typed. A script that keeps them while the officer types gets no page, but the name
/// of what is sent from now on, if nothing else changed since the page was drawn.
pub(super) async fn describe(act: Act, filled: Filled) -> Shown {
    let (id, officer, counter) = (act.id, act.visitor.officer.clone(), act.counter.clone());
    let features: Result<Words<MOST_OF_REASON>, Problem> = filled.judged("features");
    let kept = match features {
        Ok(features) => act
            .desk
            .look(officer, async |deed| drafts::describe(deed, &counter, id, features.as_str()).await)
            .await
            .map(|Json(kept)| kept),
        Err(problem) => Err(problem),
    };
    if act.dress.is_part() {
        let (t, source) = (texts(act.dress.language), act.desk.deeds().source());
        let at = ::pages::written::moment(source.now(), source.clock().offset());
        let says = fill(&t.counter.saved, &[("name", &act.visitor.name), ("at", &at)]);
        let kept = kept?;
        let seen = seen(&filled).filter(|seen| *seen == kept.before).map(|_| hex::encode(kept.now.0));
        return Ok((seen.map(|seen| AppendHeaders([(SEEN, seen)])), says).into_response());
    }
    Box::pin(act.at_counter(kept.map(drop), "features", Typed::of(&filled))).await
}

/// The header in which a script is told the name of what is sent from now on.
const SEEN: &str = "draft-seen";

/// Reads the name of what the officer saw.
fn seen(filled: &Filled) -> Option<DraftDigest> {
    hex::decode(filled.text("seen")).ok()?.try_into().ok().map(DraftDigest)
}

/// A photograph, from a file or from the camera of the counter.
pub(super) async fn photograph(act: Act, uploaded: Uploaded) -> Shown {
    let (id, officer, counter) = (act.id, act.visitor.officer.clone(), act.counter.clone());
    let Uploaded { filled, file } = uploaded;
    let said = async {
        if file.is_empty() {
            let code = ProblemCode::PortraitUnfit;
            return Err(Problem::new(code).field("/photograph", code, "no file"));
        }
        // Who may not keep it need not wait until it is developed.
        let mut trial = act.desk.deeds().open(officer.clone()).await?;
        steps::to_step(&mut trial, id).await?;
        drop(trial);
        let taken = drafts::develop(&counter, file).await.map_err(|error| {
            let problem = Problem::from(error);
            let code = problem.code();
            if problem.status().is_client_error() { problem.field("/photograph", code, "the picture") } else { problem }
        })?;
        act.desk
            .look(officer.clone(), async |deed| drafts::take(deed, &counter, id, taken).await.map(drop))
            .await
            .map(|Json(())| ())
    };
    let said = Box::pin(said).await;
    Box::pin(act.at_counter(said, "portrait", Typed::of(&filled))).await
}

/// Sends what was taken, once.
pub(super) async fn send(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    let seen = seen(&filled);
    let answers = filled.some("answers").is_some();
    let verb = async |deed: &mut Deed<Officer>| drafts::send(deed, id, seen, answers).await;
    let said = Box::pin(act.once(filled.stamp(), verb)).await;
    Box::pin(act.at_counter(said, "sent", Typed::of(&filled))).await
}

/// The citizen brought what was missing, and what was taken before stands.
pub(super) async fn resubmit(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    let verb = async |deed: &mut Deed<Officer>| steps::resubmit(deed, id).await;
    let said = Box::pin(act.once(filled.stamp(), verb)).await;
    Box::pin(act.at_counter(said, "sent", Typed::of(&filled))).await
}

pub(super) async fn claim(act: Act, filled: Filled) -> Shown {
    let (id, officer, counter) = (act.id, act.visitor.officer.clone(), act.counter.clone());
    let claimed = act.desk.look(officer, async |deed| claims::claim(deed, &counter, id).await.map(drop)).await;
    Box::pin(act.at_counter(claimed.map(|Json(())| ()), "claim", Typed::of(&filled))).await
}

pub(super) async fn release(act: Act, filled: Filled) -> Shown {
    let (id, officer) = (act.id, act.visitor.officer.clone());
    let released = act.desk.look(officer, async |deed| claims::release(deed, id).await).await;
    Box::pin(act.at_counter(released.map(|Json(())| ()), "claim", Typed::of(&filled))).await
}

/// The citizen paid what is due.
pub(super) async fn pay(act: Act, filled: Filled) -> Shown {
    let (id, officer) = (act.id, act.visitor.officer.clone());
    let said = async {
        let code = ProblemCode::FeePaymentUnfit;
        let unfit = |field: &'static str| Problem::new(code).field(field, code, "choose one");
        let dong = filled.text("dong").parse().map_err(|_| unfit("/dong"))?;
        let method = PaymentMethod::named(filled.text("method")).ok_or_else(|| unfit("/method"))?;
        let receipt: SomeWords<40> = filled.judged("receipt")?;
        let day = ProblemCode::PeriodUnfit;
        let on = filled.text("paid_on").parse::<Day>();
        let Day(on) = on.map_err(|_| Problem::new(day).field("/paid_on", day, "a day"))?;
        let payment = Payment { dong, method, receipt: receipt.as_str(), on };
        let verb = async |deed: &mut Deed<Officer>| payments::pay(deed, id, payment).await.map(|account| account.due());
        act.desk.write(officer.clone(), filled.stamp()?, verb).await.map(drop)
    };
    let said = Box::pin(said).await;
    Box::pin(act.at_counter(said, "fee", Typed::of(&filled))).await
}

/// Nothing is to be paid, on a ground of the law.
pub(super) async fn exempt(act: Act, filled: Filled) -> Shown {
    let (id, officer) = (act.id, act.visitor.officer.clone());
    let said = async {
        let code = ProblemCode::FeePaymentUnfit;
        let ground = ExemptionGround::named(filled.text("ground"))
            .ok_or_else(|| Problem::new(code).field("/ground", code, "choose one"))?;
        let evidence: SomeWords<MOST_OF_REASON> = filled.judged("evidence")?;
        let verb = async |deed: &mut Deed<Officer>| {
            payments::exempt(deed, id, ground, evidence.as_str()).await.map(|account| account.due())
        };
        act.desk.write(officer.clone(), filled.stamp()?, verb).await.map(drop)
    };
    let said = Box::pin(said).await;
    Box::pin(act.at_counter(said, "fee", Typed::of(&filled))).await
}

#[cfg(test)]
mod tests {
    use ::pages::Language;

    use super::super::super::super::portrait::Finding;
    use super::*;

    /// The tables of words have each word that the page may show, and no other.
    #[test]
    fn every_word_of_the_counter_has_a_text() {
        for language in Language::ALL {
            let t = texts(language);
            let findings: Vec<String> = Finding::ALL.iter().map(|finding| finding.word()).collect();
            let grounds: Vec<String> = ExemptionGround::ALL.iter().map(|ground| ground.word().to_owned()).collect();
            let methods: Vec<String> = PaymentMethod::ALL.iter().map(|method| method.word().to_owned()).collect();
            for (table, words) in [(&t.finding, findings), (&t.ground, grounds), (&t.method, methods)] {
                assert!(words.iter().all(|word| t.word(table, word) != "?"), "{language}: {words:?}");
                assert_eq!(table.len(), words.len(), "{language}: {:?}", table.keys());
            }
        }
    }
}
