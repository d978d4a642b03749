//! The page of a kiosk over the real pcscd: what it shows of which card, what it forgets, and whom it lets in. Then the
//! same in a real browser, where there is one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crypto::identity::CardSerial;
use crypto::lds::{DataGroup, Dg2, Dg13, File, ImageFormat};
use crypto::sod::Sod;
use hardware_sim::slot::Slot;
use hardware_sim::specimen::Authority;
use hardware_sim::{Chip, Profile, control};
use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tests::ambient;
use tests::wait::until;
use tests::world::{Pcscd, Running, card_agent, scratch};
use time::Duration as Days;

/// What is done to the data groups before they are signed.
type Change<'a> = dyn Fn(&mut [(DataGroup, Vec<u8>)]) + 'a;

/// What the tests know of a card.
#[derive(Clone)]
struct Known {
    can: String,
    name: String,
    number: String,
    mrz: [String; 3],
    sod: Vec<u8>,
}

/// Readers with a card beside each, an authority, and a folder.
struct Stage {
    folder: tempfile::TempDir,
    pcscd: Pcscd,
    slots: Vec<Slot>,
    cards: Vec<Known>,
    authority: Authority,
}

impl Stage {
    fn of(cards: u32) -> Self {
        Self::with(cards, &|_| {})
    }

    /// A stage whose cards carry what their authority signed without looking.
    fn with(cards: u32, change: &Change<'_>) -> Self {
        let folder = scratch();
        let beside = folder.path().join("pcscd");
        fs::create_dir(&beside).unwrap();
        let pcscd = Pcscd::start(&beside, cards as usize).unwrap();
        let authority = Authority::of(7).unwrap();
        let (mut slots, mut known) = (Vec::new(), Vec::new());
        for number in 0..cards {
            let card = authority.card_with(number, &Profile::default(), change).unwrap();
            let sod = card.files.iter().find(|(file, _)| *file == File::Sod).unwrap().1.clone();
            known.push(Known {
                can: card.can.to_string(),
                name: card.holder.name.to_string(),
                number: card.holder.number.to_string(),
                mrz: card.mrz.clone(),
                sod,
            });
            slots.push(Slot::new(card.chip, "127.0.0.1", pcscd.base_port() + u16::try_from(number).unwrap()));
        }
        fs::write(folder.path().join("csca.der"), authority.csca().der()).unwrap();
        Self { folder, pcscd, slots, cards: known, authority }
    }

    /// A bundle of this moment.
    fn bundle(&self) -> Vec<u8> {
        self.authority.trust_bundle(ambient::now() - Days::hours(1)).unwrap()
    }

    fn kiosk(&self, bundle: &[u8], arguments: &[&str], settings: &[(&str, &str)]) -> Kiosk {
        self.kiosk_under(&self.folder.path().join("csca.der"), bundle, arguments, settings)
    }

    fn kiosk_under(&self, anchor: &Path, bundle: &[u8], arguments: &[&str], settings: &[(&str, &str)]) -> Kiosk {
        let own = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let path = |name: &str| own.join(name).to_string_lossy().into_owned();
        fs::write(own.join("bundle.cms"), bundle).unwrap();
        let anchor = anchor.to_string_lossy().into_owned();
        let (bundle, state, address) = (path("bundle.cms"), path("newest.json"), path("address"));
        let mut all = vec!["kiosk", "--port", "0", "--bundle", &bundle, "--anchor", &anchor];
        all.extend(["--state", &state, "--address-file", &address]);
        all.extend(arguments);
        let mut command = card_agent(&all).unwrap();
        command.env("PCSCLITE_CSOCK_NAME", self.pcscd.socket()).envs(settings.iter().copied());
        command.stdout(Stdio::null()).stderr(fs::File::create(own.join("log")).unwrap());
        let running = Running(command.spawn().unwrap());
        let mut said = String::new();
        until(Duration::from_mins(1), "the kiosk says its address", || {
            said = fs::read_to_string(&address).unwrap_or_default();
            Ok(said.ends_with('/'))
        })
        .unwrap_or_else(|error| panic!("{error}: {}", fs::read_to_string(own.join("log")).unwrap_or_default()));
        let client = Client::builder().no_proxy().timeout(None::<Duration>).build().unwrap();
        Kiosk { _running: running, address: said, folder: own, client, sent: Arc::default() }
    }
}

/// A card that is left on its reader would go on in the reader that gets this port next.
impl Drop for Stage {
    fn drop(&mut self) {
        self.slots.iter_mut().for_each(Slot::remove);
    }
}

/// A kiosk, and all that it ever sent to a browser.
struct Kiosk {
    _running: Running,
    address: String,
    folder: PathBuf,
    client: Client,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Kiosk {
    fn host(&self) -> &str {
        self.address.trim_start_matches("http://").split('/').next().unwrap()
    }

    fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.address)).send().unwrap()
    }

    fn text(&self, path: &str) -> String {
        let text = self.get(path).text().unwrap();
        self.sent.lock().unwrap().extend(text.as_bytes());
        text
    }

    fn post(&self, path: &str, text: &str) -> u16 {
        let request = self.client.post(format!("{}{path}", self.address)).body(text.to_owned());
        request.header("origin", format!("http://{}", self.host())).send().unwrap().status().as_u16()
    }

    /// Listens as a page does.
    fn screens(&self) -> Screens {
        let (tell, told) = channel();
        let (answer, sent) = (self.get("events?lang=vi"), self.sent.clone());
        thread::spawn(move || {
            for line in BufReader::new(answer).lines().map_while(Result::ok) {
                sent.lock().unwrap().extend(line.as_bytes());
                if let Some(parts) = line.strip_prefix("data: ") {
                    let _ = tell.send((Instant::now(), serde_json::from_str(parts).unwrap()));
                }
            }
        });
        Screens { told, seen: Vec::new() }
    }

    /// Fails if any of this was ever sent to a browser.
    fn never_sent(&self, words: &[&str]) {
        let sent = String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned();
        assert!(!sent.is_empty());
        for word in words {
            assert!(!sent.contains(word), "`{word}` was sent");
        }
    }
}

/// What a page hears.
struct Screens {
    told: Receiver<(Instant, Value)>,
    seen: Vec<String>,
}

impl Screens {
    /// Waits for the first screen of which this holds. Returns it, and when it came.
    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let end = Instant::now() + Duration::from_mins(2);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, screen) =
                self.told.recv_timeout(left).unwrap_or_else(|_| panic!("no {what} after {:?}", self.seen));
            self.seen.push(screen["kind"].as_str().unwrap().to_owned());
            if holds(&screen) {
                return (at, screen);
            }
        }
    }

    fn kind(&mut self, kind: &str) -> Value {
        self.until(kind, |screen| screen["kind"] == kind).1
    }

    fn part(&mut self, kind: &str, part: &str) -> String {
        self.kind(kind)[part].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_trusted_card_is_shown_with_its_holder_and_forgotten_when_it_is_taken_out() {
    let mut stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let card = stage.cards[0].clone();
    let mut screens = kiosk.screens();
    screens.kind("waiting");
    stage.slots[0].lay_down().unwrap();
    let (laid, asking) = (Instant::now(), screens.until("asking", |screen| screen["kind"] == "asking").0);
    println!("from the card on the reader to the first sign: {:?} (pcscd looks every 0.4 s)", asking - laid);
    let typed = Instant::now();
    assert_eq!(kiosk.post("key", &card.can), 204);
    let first = screens.until("reading", |screen| screen["kind"] == "reading").0;
    let (verdict, trusted) = screens.until("trusted", |screen| screen["kind"] == "trusted");
    println!("from the key to the first sign: {:?}, to the verdict: {:?}", first - typed, verdict - typed);
    assert!(screens.seen.iter().filter(|kind| *kind == "reading").count() > 3, "progress: {:?}", screens.seen);
    let main = trusted["main"].as_str().unwrap();
    let number = pages_number(&card.number);
    for part in [&card.name, &number, "Hãy so khuôn mặt với ảnh", "Now compare the face", "<details"] {
        assert!(main.contains(part), "{part}: {main}");
    }
    let portrait = main.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let png = kiosk.get(portrait);
    assert_eq!(png.headers()["content-type"], "image/png");
    assert!(png.bytes().unwrap().starts_with(b"\x89PNG"));
    assert!(kiosk.text("").contains(&card.name), "a page that is opened now shows the same");

    stage.slots[0].remove();
    let waiting = screens.kind("waiting");
    assert!(!waiting.to_string().contains(&card.name));
    assert_eq!(kiosk.get(portrait).status(), 404);
    let page = kiosk.text("?lang=en");
    assert!(!page.contains(&card.name) && page.contains("<html lang=\"en\">"), "{page}");
}

/// A number as the page writes it.
fn pages_number(digits: &str) -> String {
    digits
        .as_bytes()
        .chunks(3)
        .map(|three| String::from_utf8_lossy(three).into_owned())
        .collect::<Vec<_>>()
        .join("\u{a0}")
}

#[test]
fn the_code_and_the_mrz_of_a_card_open_it_as_its_can_does_and_may_come_first() {
    let mut stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let card = stage.cards[0].clone();
    let mut screens = kiosk.screens();
    let code = format!("{}||{}|01011990|Nam|Xã Thử|15012026", card.number, card.name);
    for typed in [code, card.mrz.join("\n")] {
        screens.kind("waiting");
        kiosk.post("key", &typed);
        let waits = screens.until("the key", |screen| screen["main"].as_str().unwrap().contains("k-good")).1;
        assert_eq!(waits["kind"], "waiting", "there is no card yet");
        stage.slots[0].insert().unwrap();
        screens.kind("trusted");
        stage.slots[0].remove();
    }
}

#[test]
fn a_revoked_card_and_one_of_another_authority_are_refused_and_their_person_is_not_shown() {
    let mut stage = Stage::of(1);
    let card = stage.cards[0].clone();
    let revoked = Sod::parse(&card.sod).unwrap().fingerprint();
    let (issued, due) = (ambient::now() - Days::hours(1), ambient::now() + Days::days(7));
    let bundle = stage.authority.trust_bundle_until(issued, due, vec![revoked]).unwrap();
    let other = Authority::of(8).unwrap();
    let anchor = stage.folder.path().join("other.der");
    fs::write(&anchor, other.csca().der()).unwrap();
    for (name, kiosk, words) in [
        (
            "revoked",
            stage.kiosk(&bundle, &[], &[("CARD_AGENT__KIOSK__DUTY", "114")]),
            &["card-revoked", "báo mất", "114"][..],
        ),
        ("stranger", stage.kiosk_under(&anchor, &other.trust_bundle(issued).unwrap(), &[], &[]), &["card-refused"]),
    ] {
        let mut screens = kiosk.screens();
        stage.slots[0].insert().unwrap();
        screens.kind("asking");
        kiosk.post("key", &card.can);
        let refused = screens.kind("refused");
        let main = refused["main"].as_str().unwrap();
        for word in words {
            assert!(main.contains(word), "{name}: {word}: {main}");
        }
        // What is to be done stays when the card is taken away, as it must be.
        stage.slots[0].remove();
        let gone =
            screens.until("gone", |screen| screen["main"].as_str().unwrap().contains("không còn trong đầu đọc")).1;
        assert_eq!(gone["kind"], "refused", "{name}");
        kiosk.post("done", "");
        screens.kind("waiting");
        kiosk.never_sent(&[&card.name, &card.number, &pages_number(&card.number), "portrait/"]);
    }
}

#[test]
fn an_overdue_trust_list_leaves_it_open_and_says_what_to_bring() {
    let mut stage = Stage::of(1);
    let (issued, due) = (ambient::now() - Days::days(9), ambient::now() - Days::days(2));
    let overdue = stage.authority.trust_bundle_until(issued, due, vec![]).unwrap();
    let kiosk = stage.kiosk(&overdue, &[], &[]);
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    let foot = screens.part("asking", "foot");
    assert!(foot.contains("đã quá hạn từ") && foot.contains("out of date since"), "{foot}");
    kiosk.post("key", &stage.cards[0].can);
    let main = screens.part("unknown", "main");
    assert!(main.contains("Nạp danh sách tin cậy mới") && main.contains("card-undecided"), "{main}");
    kiosk.never_sent(&[&stage.cards[0].name, "portrait/"]);

    // A new list is taken without a restart, and the card is judged by it.
    fs::write(kiosk.folder.join("bundle.cms"), stage.bundle()).unwrap();
    kiosk.post("again", "");
    screens.kind("trusted");
}

#[test]
fn a_card_that_is_pulled_out_in_the_middle_leaves_it_open() {
    let mut stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    stage.slots[0].fail("removed:9".parse().unwrap());
    kiosk.post("key", &stage.cards[0].can);
    let main = screens.part("unknown", "main");
    assert!(main.contains("Thẻ rời khỏi đầu đọc quá sớm") && main.contains("card-removed"), "{main}");
    kiosk.never_sent(&[&stage.cards[0].name]);
    stage.slots[0].remove();
    // Laid back before pcscd has looked, a card is none to it.
    until(Duration::from_secs(30), "pcscd sees the empty reader", || Ok(stage.pcscd.saw_removal(0))).unwrap();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    kiosk.post("key", &stage.cards[0].can);
    screens.kind("trusted");
}

#[test]
fn a_wrong_number_is_said_and_another_one_may_be_tried() {
    let mut stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    let wrong = if stage.cards[0].can == "000000" { "111111" } else { "000000" };
    for (typed, words) in [
        ("12345", "Vừa nhập 5 chữ số"),
        ("https://example.invalid/|", "không phải mã QR"),
        ("IDVNM<<", "Chưa đọc được MRZ"),
        (wrong, "Số này không mở được thẻ"),
    ] {
        kiosk.post("key", typed);
        let said = screens.until(words, |screen| screen["main"].as_str().unwrap().contains(words)).1;
        assert_eq!(said["kind"], "asking", "{typed}");
    }
    kiosk.post("key", &stage.cards[0].can);
    screens.kind("trusted");
}

#[test]
fn in_privacy_mode_one_answer_leaves_the_program_and_no_name() {
    let mut stage = Stage::of(1);
    let card = stage.cards[0].clone();
    let in_mrz = card.mrz[2].trim_end_matches('<').to_owned();
    for (years, answer) in [("18", "Đủ 18 tuổi: CÓ"), ("120", "Đủ 120 tuổi: CHƯA")] {
        let reports = stage.folder.path().join(format!("reports-{years}"));
        let kiosk = stage.kiosk(&stage.bundle(), &["--over", years, "--reports", &reports.to_string_lossy()], &[]);
        let mut screens = kiosk.screens();
        stage.slots[0].insert().unwrap();
        screens.kind("asking");
        kiosk.post("key", &card.mrz.join("\n"));
        let trusted = screens.kind("trusted");
        assert!(trusted["main"].as_str().unwrap().contains(answer), "{trusted}");
        let visit = trusted["number"].as_u64().unwrap();
        assert!((0..=visit).all(|visit| kiosk.get(&format!("portrait/{visit}")).status() == 404), "no picture");
        kiosk.text("");
        kiosk.text("?lang=en");
        kiosk.post("report", "");
        kiosk.post("done", "");
        screens.kind("take-out");
        stage.slots[0].remove();
        screens.kind("waiting");
        let [grouped, residence] = [pages_number(&card.number), "Xã Thử".to_owned()];
        kiosk.never_sent(&[
            &card.name,
            &card.number,
            &grouped,
            &card.can,
            &in_mrz,
            &residence,
            "portrait/",
            "k-checks",
        ]);
        assert!(
            fs::read_dir(&reports).unwrap().all(|file| !file
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("report-"))
        );
    }
}

#[test]
fn what_a_hostile_chip_says_becomes_no_markup_and_fills_no_page() {
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}";
    let long = "Ẩ".repeat(10_000);
    let change = |groups: &mut [(DataGroup, Vec<u8>)]| {
        for (group, file) in groups {
            match *group {
                DataGroup::DG13 => {
                    let mut dg13 = Dg13::parse(file).unwrap();
                    dg13.name = Some(hostile.to_owned());
                    dg13.residence = Some(long.clone());
                    *file = dg13.encode();
                }
                // Begins as a JPEG and is none.
                DataGroup::DG2 => {
                    let image = [&[0xff, 0xd8, 0xff, 0xe0][..], hostile.as_bytes(), &[0xff, 0xd9]].concat();
                    *file = Dg2 { image, format: ImageFormat::Jpeg, width: 300, height: 400 }.encode();
                }
                _ => {}
            }
        }
    };
    let mut stage = Stage::with(1, &change);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    kiosk.post("key", &stage.cards[0].can);
    let main = screens.part("trusted", "main");
    assert!(main.contains("alert(1)"), "the name is shown as text: {main}");
    assert!(!main.contains("<script") && !main.contains("<img") && !main.contains('\u{202e}'), "{main}");
    assert!(main.contains("Chip không có ảnh hiển thị được"), "{main}");
    let letters = main.matches('Ẩ').count();
    assert!((100..400).contains(&letters), "{letters} of 10,000 letters");
    let page = kiosk.text("");
    assert_eq!(page.matches("<script").count(), 1, "ours alone");
}

#[test]
fn strangers_are_not_let_in_and_pages_are_sent_under_strict_rules() {
    let stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let host = kiosk.host().to_owned();
    let port = host.rsplit(':').next().unwrap();
    let asks = |path: String, headers: &[(&'static str, String)]| {
        let mut request = kiosk.client.get(format!("http://{host}{path}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send().unwrap().status().as_u16()
    };
    let own = format!("/{}", kiosk.address.split('/').nth(3).unwrap());
    assert_eq!(asks(format!("{own}/"), &[]), 200);
    assert_eq!(asks(format!("{own}/"), &[("host", format!("localhost:{port}"))]), 200);
    assert_eq!(asks(format!("{own}/"), &[("host", format!("rebound.example:{port}"))]), 421);
    assert_eq!(asks(format!("{own}/events"), &[("sec-fetch-site", "cross-site".to_owned())]), 403);
    for path in ["/", "/kiosk.js", "/0000/", &own[..own.len() - 1], &format!("{}/", &own[..own.len() - 1]), "/assets/x"]
    {
        assert_eq!(asks(path.to_owned(), &[]), 404, "{path}");
    }
    let posts = |origin: Option<&str>, body: &str| {
        let mut request = kiosk.client.post(format!("{}key", kiosk.address)).body(body.to_owned());
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().unwrap().status().as_u16()
    };
    let here = format!("http://{host}");
    assert_eq!(posts(None, "000000"), 403);
    assert_eq!(posts(Some("http://evil.example"), "000000"), 403);
    assert_eq!(posts(Some(&here), &"0".repeat(5_000)), 413);
    assert_eq!(posts(Some(&here), "000000"), 204);
    assert_eq!(kiosk.client.delete(&kiosk.address).send().unwrap().status(), 405);

    let page = kiosk.get("");
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!((header("cache-control"), header("x-content-type-options")), ("no-store".into(), "nosniff".into()));
    assert_eq!(header("referrer-policy"), "no-referrer", "the address is a secret");
    let page = page.text().unwrap();
    let sheet = page.split("href=\"../").nth(1).unwrap().split('"').next().unwrap();
    let sheet = kiosk.client.get(format!("http://{host}/{sheet}")).send().unwrap();
    assert!(sheet.headers()["content-type"].to_str().unwrap().starts_with("text/css"));
    // Other machines find nothing: only loopback is listened on.
    let all = Command::new("ss").args(["-Hltn", &format!("sport = :{port}")]).output();
    if let Ok(said) = all.map(|all| String::from_utf8_lossy(&all.stdout).into_owned())
        && !said.is_empty()
    {
        assert!(said.contains(&format!("127.0.0.1:{port}")) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn cards_in_several_readers_are_served_in_turn_and_readers_may_come_and_go() {
    let mut stage = Stage::of(2);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[]);
    let mut screens = kiosk.screens();
    let readers = [stage.pcscd.reader(0), stage.pcscd.reader(1)];
    let foot = screens.part("waiting", "foot");
    assert!(readers.iter().all(|reader| foot.contains(&format!("{reader}: trống"))), "{foot}");
    stage.slots[1].insert().unwrap();
    screens.kind("asking");
    stage.slots[0].insert().unwrap();
    kiosk.post("key", &stage.cards[1].can);
    let main = screens.part("trusted", "main");
    assert!(main.contains(&pages_number(&stage.cards[1].number)), "the first one that came");
    kiosk.post("done", "");
    screens.kind("asking");
    kiosk.post("key", &stage.cards[0].can);
    let main = screens.part("trusted", "main");
    assert!(main.contains(&pages_number(&stage.cards[0].number)), "the one that waited");
    // pcscd goes, and all readers with it: the card is not there any more, so its holder is not either.
    stage.pcscd.kill();
    let gone = screens.until("no reader", |screen| screen["foot"].as_str().unwrap().contains("Chưa có đầu đọc")).1;
    assert_eq!(gone["kind"], "waiting");
    stage.pcscd.restart().unwrap();
    screens.until("readers", |screen| screen["foot"].as_str().unwrap().contains(&readers[1]));
}

#[test]
fn a_report_is_signed_and_names_the_card_without_its_person() {
    let mut stage = Stage::of(1);
    let reports = stage.folder.path().join("reports");
    let kiosk = stage.kiosk(&stage.bundle(), &["--reports", &reports.to_string_lossy()], &[]);
    let card = stage.cards[0].clone();
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    kiosk.post("key", &card.can);
    screens.kind("trusted");
    kiosk.post("report", "");
    let saved = screens.until("saved", |screen| screen["foot"].as_str().unwrap().contains("Đã lưu biên bản")).1;
    let foot = saved["foot"].as_str().unwrap();
    let name = foot.split("Đã lưu biên bản ").nth(1).unwrap().split('<').next().unwrap();
    let text = fs::read_to_string(reports.join(name)).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&report["verdict"], &report["schema"]),
        (&"trusted".into(), &"citizen-card/inspection-report/1".into())
    );
    assert_eq!(report["document"], hex::encode(Sod::parse(&card.sod).unwrap().fingerprint()));
    assert!(report["checks"].as_array().unwrap().len() > 15, "{text}");
    for personal in [&card.name, &card.number, &card.can] {
        assert!(!text.contains(personal.as_str()), "{text}");
    }
    let verifies = |file: &Path| {
        let signature = reports.join(format!("{name}.sig"));
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-verify"]).arg(reports.join("kiosk-key.pub.pem"));
        openssl.arg("-signature").arg(signature).arg(file).output().unwrap().status.success()
    };
    assert!(verifies(&reports.join(name)));
    let changed = stage.folder.path().join("changed.json");
    fs::write(&changed, text.replace("\"trusted\"", "\"refused\"")).unwrap();
    assert!(!verifies(&changed), "a changed report does not verify");
}

#[test]
fn a_verdict_that_is_left_alone_asks_first_and_is_cleared_then() {
    let mut stage = Stage::of(1);
    let kiosk = stage.kiosk(&stage.bundle(), &[], &[("CARD_AGENT__KIOSK__IDLE", "2")]);
    let mut screens = kiosk.screens();
    stage.slots[0].insert().unwrap();
    screens.kind("asking");
    kiosk.post("key", &stage.cards[0].can);
    screens.kind("trusted");
    let asks = |screen: &Value| screen["main"].as_str().unwrap().contains("Bạn còn ở đây không?");
    let asked = screens.until("the question", asks).1;
    assert!(asked["main"].as_str().unwrap().contains(&stage.cards[0].name), "asked before it is cleared");
    kiosk.post("here", "");
    screens.until("the answer", |screen| !asks(screen));
    screens.until("the question again", asks);
    let out = screens.kind("take-out");
    assert!(!out.to_string().contains(&stage.cards[0].name));
}

/// The same in Chromium: each verdict in both sizes, with axe, looked at by `tests/pages/kiosk.mjs`.
#[test]
fn the_page_in_a_browser() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    // Where tests/setup.sh puts playwright-core and axe-core.
    let modules =
        PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache/citizen-card/pages/node_modules");
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !has_node || !Path::new("/usr/bin/chromium").exists() || !modules.join("playwright-core").exists() {
        println!("SKIPPED: the kiosk's page in a browser: node, chromium or {} is missing", modules.display());
        return;
    }
    let mut stage = Stage::of(2);
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pages/kiosk");
    fs::create_dir_all(&out).unwrap();
    let now = ambient::now();
    let revoked = Sod::parse(&stage.cards[0].sod).unwrap().fingerprint();
    let week = now + Days::days(7);
    let bundles: BTreeMap<&str, Vec<u8>> = [
        ("plain", stage.bundle()),
        ("privacy", stage.bundle()),
        ("idle", stage.bundle()),
        ("revoked", stage.authority.trust_bundle_until(now - Days::hours(1), week, vec![revoked]).unwrap()),
        ("overdue", stage.authority.trust_bundle_until(now - Days::days(9), now - Days::days(2), vec![]).unwrap()),
    ]
    .into();
    let long = |groups: &mut [(DataGroup, Vec<u8>)]| {
        for (_, file) in groups.iter_mut().filter(|(group, _)| *group == DataGroup::DG13) {
            let mut dg13 = Dg13::parse(file).unwrap();
            dg13.name = Some("Nguyễn Phúc Trường Thọ Hoàng Thượng Ẩn Ữ Ộ <script>alert(1)</script> ".repeat(3));
            dg13.residence = Some("Số 1, Khu phố Ẩm Ướt, Phường Thử, ".repeat(400));
            *file = dg13.encode();
        }
    };
    let hostile = stage.authority.card_with(1, &Profile::default(), &long).unwrap().chip;
    stage.slots[1].replace(hostile);

    let mut node = Command::new("node");
    node.arg("kiosk.mjs")
        .env("MODULES", &modules)
        .env("OUT", &out)
        .current_dir(&pages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = node.spawn().unwrap();
    let (mut asks, asked) = (running.stdin.take().unwrap(), BufReader::new(running.stdout.take().unwrap()));
    let mut kiosk = None;
    let mut no_blanks = |_: usize, _: CardSerial| -> Result<Chip, String> { Err("no blanks here".to_owned()) };
    for line in asked.lines().map_while(Result::ok) {
        // What is meant for people.
        let Some(order) = line.strip_prefix("> ") else {
            println!("{line}");
            continue;
        };
        let words: Vec<&str> = order.split(' ').collect();
        let answer = match words[..] {
            ["kiosk", variant] => {
                let reports = stage.folder.path().join("reports").to_string_lossy().into_owned();
                let more: Vec<&str> =
                    if variant == "privacy" { vec!["--over", "18"] } else { vec!["--reports", &reports] };
                let idle = if variant == "idle" { "2" } else { "600" };
                let settings = [
                    ("CARD_AGENT__KIOSK__IDLE", idle),
                    ("CARD_AGENT__KIOSK__DUTY", "114"),
                    ("CARD_AGENT__KIOSK__KEEP_CARDS", "true"),
                ];
                drop(kiosk.take());
                let begun = stage.kiosk(&bundles[variant], &more, &settings);
                let address = begun.address.clone();
                kiosk = Some(begun);
                address
            }
            ["can", slot] => stage.cards[slot.parse::<usize>().unwrap()].can.clone(),
            ["mrz", slot] => stage.cards[slot.parse::<usize>().unwrap()].mrz.join(" "),
            _ => control::obey(&mut stage.slots, order, &mut no_blanks).0.join(" "),
        };
        writeln!(asks, "{answer}").unwrap();
    }
    let status = running.wait().unwrap();
    assert!(status.success(), "tests/pages/kiosk.mjs says above what is wrong");
}
