//! Notices to citizens: written with the step that causes them, sent at least once under one name, printed where there
//! is no other way. On SQLite and on PostgreSQL.

use std::process::{Command, Stdio};
use std::time::Duration as StdDuration;

use issuance::applications::hand_over;
use issuance::applications::model::{Kind, ReturnReason};
use issuance::applications::progress::remind_citizens;
use issuance::applications::steps::{self as counter, Missing};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, NoticeId, PersonId};
use issuance::ground::{Id, Role};
use issuance::notices::model::{Language, NoticeState};
use issuance::notices::sending::{SendError, Sent, send_due};
use issuance::notices::steps::{self, NoticeError, Wish};
use issuance::notices::{CONTACT, NOTICE, Tls, draw, store};
use issuance::population::history::EventKind;
use issuance::server::{self, Settings};
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::Duration;
use time::macros::{date, datetime};

use crate::offices::{Offices, appoint, moves, within};
use crate::register_history::changes;
use crate::retention;
use crate::smtp::{Does, Line, Server};
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL, with these settings.
async fn on_both(change: impl Fn(&mut Settings), scenario: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let opened = Offices::open_where(database, datetime!(2026-11-22 08:30 UTC), &change);
        let offices = Box::new(Box::pin(opened).await);
        Box::pin(scenario(offices.as_ref())).await;
    }
}

/// E-mail goes to this server, in plain text.
fn by_mail(server: &Server, settings: &mut Settings) {
    let smtp = &mut settings.notices.smtp;
    (smtp.host, smtp.port, smtp.tls) = (Some("localhost".into()), server.address.port(), Tls::None);
    smtp.from = Some("notices@authority.example".into());
}

/// A citizen who is told by e-mail, in this language.
async fn reached(offices: &Offices, language: Language) -> PersonId {
    let person = offices.citizen().await;
    let wish = Wish { language, email: "mau@example.vn", phone: "", consent: true };
    within!(offices, offices.capture, deed => steps::set_contact(deed, person, wish)).unwrap();
    person
}

/// An application of this citizen that was refused. Returns its notice.
async fn refused(offices: &Offices, person: PersonId) -> (ApplicationId, NoticeId) {
    let id = offices.applies(person, Kind::First).await.unwrap().id;
    offices.captures(id).await;
    within!(offices, offices.approver, deed => counter::refuse(deed, id, "Ảnh không đúng người")).unwrap();
    (id, only(offices, id).await)
}

/// The only notice of an application.
async fn only(offices: &Offices, id: ApplicationId) -> NoticeId {
    let notices = within!(offices, offices.approver, deed => steps::of_application(deed, id)).unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    notices[0].0.id
}

/// How far a notice is: way, state, attempts, repeats, why the last attempt failed.
async fn stands(offices: &Offices, id: NoticeId) -> (String, String, i64, i64, String) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select channel, state, attempts, repeats, failure from notice where id = $1");
    let row = tx.one(sql, args![id]).await.unwrap().unwrap();
    let failure: Option<String> = row.get("failure").unwrap();
    let get = |column: &str| row.get::<String>(column).unwrap();
    let n = |column: &str| row.get::<i64>(column).unwrap();
    (get("channel"), get("state"), n("attempts"), n("repeats"), failure.unwrap_or_default())
}

async fn sends(offices: &Offices) -> Result<Sent, SendError> {
    Box::pin(send_due(&offices.state.notices, offices.state.deeds())).await
}

async fn letters(offices: &Offices) -> Vec<NoticeId> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    store::to_print(&mut tx, Id::nil(), 100).await.unwrap()
}

fn sent(sent: u32, later: u32, dead: u32, letters: u32) -> Sent {
    Sent { sent, later, dead, letters, overtaken: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_repeats_under_the_same_name_and_the_repeat_is_counted() {
    let plan = [Does::CutsAfterData, Does::Takes, Does::CutsAfterData, Does::Takes];
    let server = Server::begin(Line::Plain, &plan).await;
    let before = std::sync::atomic::AtomicUsize::new(0);
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            let (_, id) = refused(offices, reached(offices, Language::Vi).await).await;
            assert_eq!(sends(offices).await.unwrap(), sent(0, 1, 0, 0));
            assert_eq!(sends(offices).await.unwrap(), Sent::default(), "it rests");
            let broke = "message: the line broke".to_owned();
            assert_eq!(stands(offices, id).await, ("email".into(), "waiting".into(), 1, 0, broke));
            offices.clock.advance(Duration::minutes(2));
            assert_eq!(sends(offices).await.unwrap(), sent(1, 0, 0, 0));
            assert_eq!(stands(offices, id).await, ("email".into(), "sent".into(), 2, 1, String::new()));
            offices.clock.advance(Duration::days(1));
            assert_eq!(sends(offices).await.unwrap(), Sent::default(), "and once more is not due");
            let got = server.got();
            let got = &got[before.fetch_add(2, std::sync::atomic::Ordering::SeqCst)..];
            assert_eq!(got.len(), 2);
            let name = format!("<{id}@authority.example>");
            for one in got {
                assert_eq!((one.field("Message-ID"), one.to.as_str()), (name.clone(), "mau@example.vn"));
                let body = one.body();
                assert!(body.contains("Ảnh không đúng người") && body.contains("TB-"), "{body}");
                assert!(!body.contains("Nguyễn"), "an e-mail names no citizen: {body}");
            }
            assert_eq!(got[0].text, got[1].text, "byte for byte the same");
            let trail = offices.trail(Object::Notice(id)).await;
            assert_eq!(trail, ["notice-attempted", "notice-attempted", "notice-sent", "notice-undelivered"]);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_no_repeat_and_one_for_good_becomes_a_letter() {
    let plan = [Does::Answers("rcpt", 450), Does::Answers("message", 452), Does::Answers("rcpt", 550)].repeat(2);
    let server = Server::begin(Line::Plain, &plan).await;
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            let (_, id) = refused(offices, reached(offices, Language::En).await).await;
            for (n, failure) in [(1, "rcpt 450"), (2, "message 452")] {
                assert_eq!(sends(offices).await.unwrap(), sent(0, 1, 0, 0));
                assert_eq!(stands(offices, id).await, ("email".into(), "waiting".into(), n, 0, failure.to_owned()));
                offices.clock.advance(Duration::hours(1));
            }
            assert_eq!((sends(offices).await.unwrap(), server.got().len()), (sent(0, 0, 1, 0), 0));
            let (_, state, attempts, repeats, failure) = stands(offices, id).await;
            assert_eq!((state.as_str(), attempts, repeats, failure.as_str()), ("dead", 3, 0, "rcpt 550"));
            assert_eq!(letters(offices).await, [id], "the citizen is told all the same");
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            assert_eq!(store::figures(&mut tx).await.unwrap().open, [("dead email".to_owned(), 1)]);
            drop(tx);
            let done = within!(offices, offices.capture, deed => steps::delivered(deed, id)).unwrap();
            assert_eq!((done.state, letters(offices).await), (NoticeState::Sent, vec![]));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_was_tried_too_often_is_dead() {
    let server = Server::begin(Line::Plain, &[Does::Answers("rcpt", 451); 4]).await;
    let settings = |settings: &mut Settings| {
        by_mail(&server, settings);
        settings.notices.attempts = 2;
    };
    on_both(settings, async |offices| {
        let (_, id) = refused(offices, reached(offices, Language::Vi).await).await;
        assert_eq!(sends(offices).await.unwrap(), sent(0, 1, 0, 0));
        offices.clock.advance(Duration::hours(1));
        assert_eq!(sends(offices).await.unwrap(), sent(0, 0, 1, 0));
        assert_eq!(letters(offices).await, [id]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_holds_no_notice_for_ever() {
    let server = Server::begin(Line::Plain, &[Does::IsSilentAfterData, Does::Takes]).await;
    let settings = |settings: &mut Settings| {
        by_mail(&server, settings);
        settings.notices.smtp.patience = StdDuration::from_secs(10);
    };
    let offices = Box::pin(Offices::open_where(None, datetime!(2026-11-22 08:30 UTC), settings)).await;
    let (_, id) = refused(&offices, reached(&offices, Language::Vi).await).await;
    assert_eq!(sends(&offices).await.unwrap(), sent(0, 1, 0, 0));
    let silent = "no answer in time".to_owned();
    assert_eq!(stands(&offices, id).await, ("email".into(), "waiting".into(), 1, 0, silent));
    offices.clock.advance(Duration::hours(1));
    assert_eq!(sends(&offices).await.unwrap(), sent(1, 0, 0, 0));
    assert_eq!((stands(&offices, id).await.3, server.got().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_without_an_end_is_not_listened_to() {
    for line in [Line::Plain, Line::Starttls, Line::Implicit] {
        let server = Server::begin(line, &[Does::NeverEndsALine, Does::Takes]).await;
        let settings = |settings: &mut Settings| {
            by_mail(&server, settings);
            let smtp = &mut settings.notices.smtp;
            (smtp.tls, smtp.roots) = match line {
                Line::Implicit => (Tls::Implicit, Some(server.roots.clone())),
                Line::Starttls => (Tls::Starttls, Some(server.roots.clone())),
                _ => (Tls::None, None),
            };
        };
        let offices = Box::pin(Offices::open_where(None, datetime!(2026-11-22 08:30 UTC), settings)).await;
        let (_, id) = refused(&offices, reached(&offices, Language::Vi).await).await;
        assert_eq!(sends(&offices).await.unwrap(), sent(0, 1, 0, 0));
        assert_eq!(stands(&offices, id).await.4, "rcpt: the line broke", "and not: no answer in time");
        // What lies in the buffers of the kernel is no memory of the program.
        assert!(server.endless() < 32 << 20, "{line:?}: {} bytes", server.endless());
        offices.clock.advance(Duration::hours(1));
        assert_eq!(sends(&offices).await.unwrap(), sent(1, 0, 0, 0), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_before_the_handshake_are_believed_by_no_one() {
    let server = Server::begin(Line::StarttlsWithWords, &[]).await;
    let settings = |settings: &mut Settings| {
        by_mail(&server, settings);
        let smtp = &mut settings.notices.smtp;
        (smtp.tls, smtp.roots) = (Tls::Starttls, Some(server.roots.clone()));
    };
    let offices = Box::pin(Offices::open_where(None, datetime!(2026-11-22 08:30 UTC), settings)).await;
    let (_, id) = refused(&offices, reached(&offices, Language::Vi).await).await;
    let away = sends(&offices).await.unwrap_err();
    assert!(matches!(&away, SendError::Unreachable(why) if why.starts_with("starttls")), "{away}");
    assert_eq!((stands(&offices, id).await.1.as_str(), server.got().len()), ("waiting", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_over_tls_that_follows_from_the_roots_and_never_without() {
    let other = Server::begin(Line::Implicit, &[]).await;
    for line in [Line::Starttls, Line::Implicit] {
        let server = Server::begin(line, &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "correct horse\n").unwrap();
        let secure = |roots: &std::path::Path| {
            let (server, roots, password) = (server.clone(), roots.to_owned(), password.clone());
            move |settings: &mut Settings| {
                by_mail(&server, settings);
                let smtp = &mut settings.notices.smtp;
                smtp.tls = if line == Line::Starttls { Tls::Starttls } else { Tls::Implicit };
                (smtp.roots, smtp.user, smtp.password_file) = (Some(roots), Some("office".into()), Some(password));
            }
        };
        let at = datetime!(2026-11-22 08:30 UTC);
        let offices = Box::pin(Offices::open_where(None, at, secure(&server.roots))).await;
        refused(&offices, reached(&offices, Language::En).await).await;
        assert_eq!(sends(&offices).await.unwrap(), sent(1, 0, 0, 0));
        let got = server.got();
        assert!(got[0].over_tls && got[0].account.as_deref() == Some("office:correct horse"), "{got:?}");
        assert!(got[0].body().contains("You may complain until"), "{}", got[0].body());

        let offices = Box::pin(Offices::open_where(None, at, secure(&other.roots))).await;
        let (_, id) = refused(&offices, reached(&offices, Language::En).await).await;
        let away = sends(&offices).await.unwrap_err();
        assert!(matches!(away, SendError::Unreachable(_)), "another's certificate: {away}");
        assert_eq!((server.got().len(), stands(&offices, id).await.3), (1, 0), "nothing was said to it");
    }
    // A server that offers no TLS is told nothing.
    let plain = Server::begin(Line::Plain, &[]).await;
    let settings = |settings: &mut Settings| {
        by_mail(&plain, settings);
        settings.notices.smtp.tls = Tls::Starttls;
    };
    let offices = Box::pin(Offices::open_where(None, datetime!(2026-11-22 08:30 UTC), settings)).await;
    refused(&offices, reached(&offices, Language::En).await).await;
    assert!(matches!(sends(&offices).await, Err(SendError::Unreachable(_))));
    assert!(plain.got().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_message_is_a_file_for_the_gateway_and_waits_for_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("sms");
    let settings = |settings: &mut Settings| settings.notices.sms_folder = Some(outbox.clone());
    on_both(settings, async |offices| {
        let person = offices.citizen().await;
        let wish = Wish { language: Language::Vi, email: "", phone: "+84 912 345 678", consent: true };
        within!(offices, offices.capture, deed => steps::set_contact(deed, person, wish)).unwrap();
        let (_, id) = refused(offices, person).await;
        let _ = std::fs::remove_dir_all(&outbox);
        let away = sends(offices).await.unwrap_err();
        assert!(matches!(away, SendError::Unreachable(_)), "the folder is no volume: {away}");
        assert_eq!(stands(offices, id).await.1, "waiting");
        std::fs::create_dir(&outbox).unwrap();
        offices.clock.advance(Duration::hours(1));
        assert_eq!(sends(offices).await.unwrap(), sent(1, 0, 0, 0));
        let files: Vec<_> = std::fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
        assert_eq!((file["to"].as_str(), file["attempt"].as_i64()), (Some("+84912345678"), Some(2)));
        let (text, reference) = (file["text"].as_str().unwrap(), file["reference"].as_str().unwrap());
        assert!(text.contains(reference) && !text.contains("Ảnh"), "others may read it on the screen: {text}");
        assert!(files[0].ends_with(format!("{reference}.json")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_a_notice_that_is_sent_again_under_its_name() {
    let server = Server::begin(Line::Plain, &[]).await;
    let before = std::sync::atomic::AtomicUsize::new(0);
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let settings = |settings: &mut Settings| by_mail(&server, settings);
        let at = datetime!(2026-11-22 08:30 UTC);
        let offices = Box::new(Box::pin(Offices::open_where(database.clone(), at, settings)).await);
        let (_, id) = refused(&offices, reached(&offices, Language::Vi).await).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.args(["notices", "send", "--data"]).arg(offices.data.path()).stdin(Stdio::null());
        command.env("ISSUANCE__NOTICES__SMTP__HOST", "localhost").env("ISSUANCE__NOTICES__SMTP__TLS", "none");
        command.env("ISSUANCE__NOTICES__SMTP__PORT", server.address.port().to_string());
        command.env("ISSUANCE__NOTICES__SMTP__FROM", "notices@authority.example");
        command.env("ISSUANCE_FAILPOINT", "notice-delivered:1");
        if let Some(url) = &database {
            command.args(["--database", url]);
        }
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert_eq!(done.status.code(), None, "it was killed: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(stands(&offices, id).await, ("email".into(), "waiting".into(), 1, 0, String::new()));
        // The process that died had it for ten minutes, by the computer's clock.
        offices.clock.advance(crate::house::now() - offices.clock.now() + Duration::minutes(11));
        assert_eq!(sends(&offices).await.unwrap(), sent(1, 0, 0, 0));
        assert_eq!(stands(&offices, id).await, ("email".into(), "sent".into(), 2, 1, String::new()));
        let got = server.got().split_off(before.fetch_add(2, std::sync::atomic::Ordering::SeqCst));
        let names: Vec<_> = got.iter().map(|one| one.field("Message-ID")).collect();
        assert_eq!(names, [format!("<{id}@authority.example>"), format!("<{id}@authority.example>")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_writes_its_notice_and_a_citizen_without_an_address_gets_a_letter() {
    on_both(
        |_| (),
        async |offices| {
            let person = offices.citizen().await;
            let id = offices.applies(person, Kind::First).await.unwrap().id;
            offices.captures(id).await;
            let reasons = vec![ReturnReason::EvidenceMissing];
            let missing = Missing { reasons, says: "Mang giấy khai sinh", until: date!(2026 - 12 - 04) };
            within!(offices, offices.approver, deed => counter::give_back(deed, &offices.state.counter, id, missing))
                .unwrap();
            within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap();
            offices.approves(&offices.approver, id).await.unwrap();
            let mut chip = offices.initialised(1).await;
            offices.card(&mut chip).await;
            let notices = within!(offices, offices.approver, deed => steps::of_application(deed, id)).unwrap();
            let kinds: Vec<_> = notices.iter().map(|(notice, holds)| (notice.kind.word(), *holds)).collect();
            assert_eq!(kinds, [("returned", true), ("ready", true)]);
            assert_eq!((letters(offices).await.len(), sends(offices).await.unwrap()), (2, Sent::default()));

            let ready = notices[1].0.id;
            let letter = within!(offices, offices.capture, deed => steps::letter(deed, &offices.state.notices, ready));
            let letter = letter.unwrap();
            assert_eq!(letter.name, "Nguyễn Thị Mẫu");
            assert!(letter.address.contains("Số 1 Phố Mẫu") && letter.address.contains("Tỉnh Mẫu"));
            // Two to ship and thirty to fetch, 1 January off.
            assert!(letter.body.contains("05/01/2027") || letter.body.contains("06/01/2027"), "{}", letter.body);
            assert!(draw(&letter).starts_with(b"%PDF-1."));
            assert_eq!(offices.trail(Object::Notice(ready)).await, ["notice-read"]);
            let far =
                moves(offices.state.deeds(), &appoint(offices.state.deeds(), Role::Capture).await, "district-2").await;
            let other = within!(offices, far, deed => steps::letter(deed, &offices.state.notices, ready));
            assert!(matches!(other, Err(NoticeError::OtherOffice(_))), "{other:?}");
            let other = within!(offices, far, deed => steps::delivered(deed, ready));
            assert!(matches!(other, Err(NoticeError::OtherOffice(_))), "{other:?}");
            within!(offices, offices.capture, deed => steps::delivered(deed, ready)).unwrap();
            assert_eq!(letters(offices).await, [notices[0].0.id]);
        },
    )
    .await;
}

/// What is counted of notices that did not leave.
async fn not_sent(offices: &Offices) -> Vec<(String, u64)> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    store::figures(&mut tx).await.unwrap().not_sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_overtaken_is_not_sent_and_counted() {
    let server = Server::begin(Line::Plain, &[]).await;
    let before = std::sync::atomic::AtomicUsize::new(0);
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            // Returned, brought, and returned again for another reason; then refused.
            let person = reached(offices, Language::Vi).await;
            let id = offices.applies(person, Kind::First).await.unwrap().id;
            offices.captures(id).await;
            let returns = async |says: &'static str| {
                let reasons = vec![ReturnReason::EvidenceMissing];
                let missing = Missing { reasons, says, until: date!(2026 - 12 - 04) };
                within!(offices, offices.approver, deed => counter::give_back(deed, &offices.state.counter, id, missing))
                    .unwrap();
            };
            returns("Mang giấy khai sinh").await;
            within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap();
            returns("Mang giấy chứng tử").await;
            assert_eq!(sends(offices).await.unwrap(), Sent { overtaken: 1, ..sent(1, 0, 0, 0) });
            assert!(server.got().last().unwrap().body().contains("Mang giấy chứng tử"));
            within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap();
            let second = appoint(offices.state.deeds(), Role::Approver).await;
            within!(offices, second, deed => counter::refuse(deed, id, "Ảnh không đúng người")).unwrap();
            assert_eq!(sends(offices).await.unwrap(), sent(1, 0, 0, 0), "a refusal is one, also while it is complained about");

            // A card that is ready and fetched before the mail server is there again.
            let person = reached(offices, Language::Vi).await;
            let application = offices.approved(person, Kind::First).await;
            let mut chip = offices.initialised(1).await;
            let card = offices.card(&mut chip).await;
            let ready = only(offices, application.id).await;
            within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &application.slip.0)).unwrap();
            assert_eq!(sends(offices).await.unwrap(), Sent { overtaken: 1, ..Sent::default() });
            let (_, state, attempts, ..) = stands(offices, ready).await;
            assert_eq!((state.as_str(), attempts), ("overtaken", 0));
            assert_eq!(offices.trail(Object::Notice(ready)).await, ["notice-undelivered"]);
            assert_eq!(sends(offices).await.unwrap(), Sent::default(), "once");
            assert_eq!(not_sent(offices).await, [("overtaken email".to_owned(), 2)]);
            let letter = within!(offices, offices.capture, deed => steps::letter(deed, &offices.state.notices, ready));
            assert_eq!(Problem::from(letter.unwrap_err()).code().word(), "stage-does-not-allow");
            let got = server.got().len();
            assert_eq!(got - before.swap(got, std::sync::atomic::Ordering::SeqCst), 2);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_notice_leaves_for_a_citizen_who_died_by_mail_or_as_a_letter() {
    let server = Server::begin(Line::Plain, &[]).await;
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            let person = reached(offices, Language::Vi).await;
            let (_, mailed) = refused(offices, person).await;
            let silent = offices.citizen().await;
            let (_, printed) = refused(offices, silent).await;
            let living = offices.citizen().await;
            let (_, goes) = refused(offices, living).await;
            for person in [person, silent] {
                changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
            }
            assert_eq!(sends(offices).await.unwrap(), Sent { overtaken: 1, ..Sent::default() });
            assert_eq!((stands(offices, mailed).await.1.as_str(), server.got().len()), ("recipient-dead", 0));
            let letter =
                within!(offices, offices.capture, deed => steps::letter(deed, &offices.state.notices, printed));
            assert_eq!(Problem::from(letter.unwrap_err()).code().word(), "stage-does-not-allow");
            let mut made = 0;
            for id in letters(offices).await {
                let mut deed = offices.state.deeds().open(issuance::ground::actor::Service).await.unwrap();
                made += u8::from(steps::print(&mut deed, &offices.state.notices, id).await.unwrap().is_some());
                deed.commit().await.unwrap();
            }
            assert_eq!((made, letters(offices).await), (1, vec![goes]));
            let counted = [("recipient-dead email".to_owned(), 1), ("recipient-dead letter".to_owned(), 1)];
            assert_eq!(not_sent(offices).await, counted);
            // What it said is erased after the term, as of one that was sent.
            offices.clock.advance(Duration::days(1096));
            let figures = retention::runs(offices, false).await;
            assert_eq!(figures.iter().find(|figures| figures.kind == "notices").unwrap().erased, 2);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_kept_with_consent_alone_and_goes_at_once() {
    let server = Server::begin(Line::Plain, &[]).await;
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            let person = offices.citizen().await;
            let says = async |email: &str, phone: &str, consent: bool| {
                let wish = Wish { language: Language::Vi, email, phone, consent };
                within!(offices, offices.capture, deed => steps::set_contact(deed, person, wish))
            };
            for (email, phone, consent) in
                [("mau@example.vn", "", false), ("mau", "", true), ("mẫu@example.vn", "", true), ("", "0912", true)]
            {
                let refused = says(email, phone, consent).await.unwrap_err();
                assert_eq!(Problem::from(refused).code().word(), "contact-unfit", "{email} {phone}");
            }
            says("mau@example.vn", "", true).await.unwrap();
            let plain = async || {
                let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
                let sql = sql!("select addresses from contact where person_id = $1");
                tx.one(sql, args![person]).await.unwrap().unwrap().get::<Option<Vec<u8>>>("addresses").unwrap()
            };
            assert!(!String::from_utf8_lossy(&plain().await.unwrap()).contains("example"), "sealed");
            let read = within!(offices, offices.capture, deed => steps::contact(deed, person)).unwrap();
            assert_eq!(read.unwrap().1.email.as_deref(), Some("mau@example.vn"));

            // What waits does not go where the citizen does not want to be told any more.
            let (_, id) = refused(offices, person).await;
            says("", "", false).await.unwrap();
            assert_eq!(plain().await, None);
            assert_eq!(sends(offices).await.unwrap(), sent(0, 0, 0, 1));
            assert_eq!((stands(offices, id).await.0.as_str(), server.got().len()), ("letter", 0));
            assert_eq!(letters(offices).await, [id]);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_another_hand_changed_stop_neither_a_card_nor_other_notices() {
    let server = Server::begin(Line::Plain, &[]).await;
    let before = std::sync::atomic::AtomicUsize::new(0);
    on_both(
        |settings| by_mail(&server, settings),
        async |offices| {
            let by_hand = async |sql, arguments| {
                let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
                assert_eq!(tx.run(sql, arguments).await.unwrap(), 1);
                tx.commit().await.unwrap();
            };
            let robbed = reached(offices, Language::Vi).await;
            offices.approved(robbed, Kind::First).await;
            by_hand(sql!("update contact set has_email = false where person_id = $1"), args![robbed]).await;
            let mut chip = offices.initialised(1).await;
            offices.card(&mut chip).await;
            let [ready] = letters(offices).await[..] else { panic!("a letter") };
            assert_eq!(stands(offices, ready).await.0, "letter", "what was done to a contact stops no card");

            let (_, hidden) = refused(offices, reached(offices, Language::Vi).await).await;
            let (_, other) = refused(offices, reached(offices, Language::En).await).await;
            by_hand(sql!("update notice set attempts = 7 where id = $1"), args![hidden]).await;
            assert_eq!(sends(offices).await.unwrap(), sent(1, 0, 0, 0));
            let got = server.got().split_off(before.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
            assert!(got.len() == 1 && got[0].field("Message-ID").contains(&other.to_string()), "{got:?}");
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            assert_eq!(tx.walk(&NOTICE).await.unwrap(), (3, vec![hidden.to_string()]));
            assert_eq!(tx.walk(&CONTACT).await.unwrap(), (3, vec![robbed.to_string()]));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_printed_by_a_command_and_wait_until_they_are() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database.clone())).await);
        let (_, one) = refused(&offices, offices.citizen().await).await;
        let (_, two) = refused(&offices, offices.citizen().await).await;
        let out = tempfile::tempdir().unwrap();
        let letters_of = async |more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.args(["notices", "letters", "--data"]).arg(offices.data.path()).stdin(Stdio::null());
            command.arg("--out").arg(out.path()).args(more);
            if let Some(url) = &database {
                command.args(["--database", url]);
            }
            let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
        };
        let (code, said) = letters_of(&[]).await;
        assert!(code == Some(1) && said.contains("2 letters lie in"), "nobody said that they are printed: {said}");
        assert_eq!((std::fs::read_dir(out.path()).unwrap().count(), letters(&offices).await), (2, vec![one, two]));
        let (code, said) = letters_of(&["--yes"]).await;
        assert!(code == Some(0) && said.contains("2 letters are noted as posted"), "{said}");
        assert_eq!(letters(&offices).await, []);
        assert_eq!(offices.trail(Object::Notice(one)).await, ["notice-read", "notice-read", "notice-sent"]);
        let (code, said) = letters_of(&["--yes"]).await;
        assert!(code == Some(0) && said.contains("No letter waits"), "{said}");
        // A row that another hand changed holds no other letter.
        let (_, changed) = refused(&offices, offices.citizen().await).await;
        let (_, other) = refused(&offices, offices.citizen().await).await;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update notice set attempts = 3 where id = $1"), args![changed]).await.unwrap();
        tx.commit().await.unwrap();
        let (code, said) = letters_of(&["--yes"]).await;
        assert!(code == Some(1) && said.contains("1 letters are noted as posted"), "{said}");
        assert!(said.contains(&format!("notice {changed} is passed over")), "{said}");
        assert_eq!(letters(&offices).await, [changed], "{other} is posted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_notice_said_is_erased_after_its_term_and_not_while_it_waits() {
    on_both(
        |_| (),
        async |offices| {
            let (_, gone) = refused(offices, offices.citizen().await).await;
            let (_, waits) = refused(offices, offices.citizen().await).await;
            within!(offices, offices.capture, deed => steps::delivered(deed, gone)).unwrap();
            offices.clock.advance(Duration::days(1094));
            let notices = async || {
                let figures = retention::runs(offices, false).await;
                figures.iter().find(|figures| figures.kind == "notices").unwrap().erased
            };
            assert_eq!(notices().await, 0);
            offices.clock.advance(Duration::days(2));
            assert_eq!((notices().await, notices().await), (1, 0));
            let state = &offices.state.notices;
            let read = within!(offices, offices.capture, deed => steps::letter(deed, state, gone)).unwrap_err();
            assert_eq!(Problem::from(read).code().word(), "erased");
            within!(offices, offices.capture, deed => steps::letter(deed, state, waits)).unwrap();
            let trail = offices.trail(Object::Notice(gone)).await;
            assert_eq!(trail, ["notice-erased", "notice-sent"], "that it was sent stays");
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            assert_eq!(tx.walk(&NOTICE).await.unwrap(), (2, vec![]));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_what_could_not_be_sent() {
    let server = Server::begin(Line::Plain, &[Does::Answers("rcpt", 550)]).await;
    let settings = |settings: &mut Settings| by_mail(&server, settings);
    let offices = Box::pin(Offices::open_where(None, crate::house::now(), settings)).await;
    refused(&offices, reached(&offices, Language::Vi).await).await;
    let look = async || {
        let settings = Settings::new(offices.data.path());
        let status = server::status::status(&settings).await.unwrap();
        status.findings.into_iter().filter(|one| one.about == "notices").map(|one| one.says).collect::<Vec<_>>()
    };
    assert_eq!(look().await, Vec::<String>::new());
    assert_eq!(sends(&offices).await.unwrap(), sent(0, 0, 1, 0));
    let says = look().await;
    assert!(says.len() == 1 && says[0].contains("1 could not be sent"), "{says:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_has_not_fetched_the_card_is_reminded_once_for_each_day_of_the_settings() {
    on_both(
        |_| (),
        async |offices| {
            let application = offices.approved(offices.citizen().await, Kind::First).await;
            let mut chip = offices.initialised(1).await;
            let card = offices.card(&mut chip).await;
            let (deeds, deadlines) = (offices.state.deeds(), offices.state.counter.deadlines());
            let reminds = async || Box::pin(remind_citizens(deeds, deadlines)).await.unwrap();
            offices.clock.advance(Duration::days(7) - Duration::seconds(1));
            assert_eq!(reminds().await, 0);
            offices.clock.advance(Duration::seconds(1));
            let (one, two) = tokio::join!(reminds(), reminds());
            assert_eq!((one + two, reminds().await), (1, 0), "two processes at once say it once");
            offices.clock.advance(Duration::days(14));
            assert_eq!((reminds().await, reminds().await), (1, 0));
            let notices =
                within!(offices, offices.counter, deed => steps::of_application(deed, application.id)).unwrap();
            let kinds: Vec<_> = notices.iter().map(|(notice, _)| notice.kind.word()).collect();
            assert_eq!(kinds, ["ready", "reminder", "reminder"]);

            // After a time in which nothing was said, of the last day alone; and no more once the citizen came.
            let late = offices.approved(offices.citizen().await, Kind::First).await;
            let mut chip = offices.initialised(2).await;
            let fetched = offices.card(&mut chip).await;
            offices.clock.advance(Duration::days(25));
            within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &application.slip.0)).unwrap();
            assert_eq!((reminds().await, reminds().await), (1, 0));
            within!(offices, offices.counter, deed => hand_over::hand_over(deed, fetched, &late.slip.0)).unwrap();
            offices.clock.advance(Duration::days(60));
            assert_eq!(reminds().await, 0);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_short_messages_waiting_and_room_lets_them_go() {
    let outbox = tempfile::tempdir().unwrap();
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(outbox.path()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !mount("size=8k") {
        println!("SKIPPED: no small file system can be mounted (it takes root)");
        return;
    }
    let filler = outbox.path().join("filler");
    let _ = std::fs::write(&filler, vec![7; 8 * 1024]);
    let settings = |settings: &mut Settings| settings.notices.sms_folder = Some(outbox.path().to_owned());
    let offices = Box::pin(Offices::open_where(None, datetime!(2026-11-22 08:30 UTC), settings)).await;
    let person = offices.citizen().await;
    let wish = Wish { language: Language::En, email: "", phone: "+84912345678", consent: true };
    within!(offices, offices.capture, deed => steps::set_contact(deed, person, wish)).unwrap();
    let (_, id) = refused(&offices, person).await;
    let full = sends(&offices).await;
    let waits = stands(&offices, id).await;
    let names = || std::fs::read_dir(outbox.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names().collect();
    std::fs::remove_file(&filler).unwrap();
    offices.clock.advance(Duration::hours(1));
    let room = sends(&offices).await;
    let after = names().count();
    assert!(Command::new("umount").arg("-l").arg(outbox.path()).status().unwrap().success());
    assert!(matches!(full, Err(SendError::Unreachable(_))), "{full:?}");
    assert_eq!((waits.1.as_str(), left), ("waiting", vec!["filler".into()]), "no half of a file is left");
    assert_eq!((room.unwrap(), after), (sent(1, 0, 0, 0), 1));
}
