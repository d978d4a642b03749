//! The pages of citizens' objections: what the officer who answers reads of the look and of the citizen's words, the
//! act by page and by API, and whom the page turns away.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::citizens::{AtReader, InHand, LoggedIn, at_the_counter, in_hand, logs_in, sets, shows};
use crate::exchange::{agreed, asks, grant, joined, question};
use crate::house::{Caller, House, PASSWORD, on_both};
use crate::offices::Offices;
use crate::pages::{Browser, CHROMIUM, fields, missing, walked};

const LIST: &str = "/pages/objections";
const HOSTILE: &str = "<script>alert(1)</script> & \"tôi\" không có hồ sơ ở đó";

/// What the tests need: a citizen who objects to a look of an officer, to one of a partner, and to the record.
struct Objected {
    in_hand: InHand,
    caller: Caller,
    bao: Caller,
    to_officer: String,
    to_partner: String,
    to_record: String,
    /// The office of the record.
    office: String,
}

impl Objected {
    async fn of(house: &House) -> Self {
        let offices = Offices::of(house).await;
        let in_hand = in_hand(&offices, 1).await;
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["full_name", "sex"])])).await;
        let both = house.officer("both", &[Role::DataProtection, Role::Registrar], "national").await;
        let read = both.get(&format!("/api/v1/persons/{}", in_hand.person)).await.body;
        let of = |field: &str| read["person"][field].as_str().or_else(|| read[field].as_str()).unwrap().to_owned();
        let [number, name, birth] = ["personal_number", "full_name", "birth_date"].map(of);
        let told = asks(&joined.system, "look-up", question("r-1", &number, &name, &birth)).await;
        assert_eq!(told.body["outcome"], "found", "{told:?}");
        let caller = citizen(house, &in_hand).await;
        let looks = caller.get("/api/v1/citizen/looks").await.body;
        let of = |institution: &str| {
            let all = looks["looks"].as_array().unwrap();
            let look = all.iter().find(|look| look["institution"] == institution);
            look.unwrap_or_else(|| panic!("{looks}"))["id"].clone()
        };
        let objects = async |key: &str, body: Value| {
            let said = caller.post("/api/v1/citizen/objections", key, body).await;
            assert_eq!(said.status, 200, "{said:?}");
            said.body
        };
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let to_officer = id(&objects("one", json!({"look": of("national"), "words": HOSTILE})).await);
        let to_partner =
            id(&objects("two", json!({"look": of("Bộ Thử nghiệm"), "words": "Tôi không nộp thuế."})).await);
        let record = objects("three", json!({"words": "Ngày sinh của tôi ghi sai."})).await;
        let (to_record, office) = (id(&record), record["office"].as_str().unwrap().to_owned());
        Self { in_hand, caller, bao: joined.bao, to_officer, to_partner, to_record, office }
    }

    async fn recorded(&self, house: &House, action: &str) -> i64 {
        let sql = sql!("select count(*) as n from v_audit_entry where person_id = $1 and action = $2");
        house.count(sql, args![self.in_hand.person, action]).await
    }
}

/// A citizen who is logged in, and showed the code.
async fn citizen(house: &House, in_hand: &InHand) -> Caller {
    let officer = at_the_counter(house).await;
    assert_eq!(sets(&officer, in_hand.card, "280519").await.status, 200);
    let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&in_hand.chip)).await;
    assert_eq!(shows(&caller, "280519").await.status, 200);
    caller
}

fn page_of(id: &str) -> String {
    format!("{LIST}/{id}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_is_read_with_its_look_and_answered_on_its_page_as_by_the_api() {
    on_both(async |house| {
        let made = Box::pin(Objected::of(house)).await;
        let bao = Browser::of(house, "bao").await;
        assert!(bao.reads("/pages").await.says("2 ý kiến chờ trả lời"));
        let list = bao.reads(LIST).await;
        for id in [&made.to_officer, &made.to_partner] {
            assert!(list.says(&page_of(id)) && list.says(&id[30..].to_uppercase()), "{}", list.text);
        }
        assert!(list.says("Còn 3 ngày") && list.says("một lượt xem dữ liệu"), "{}", list.text);
        assert!(!list.says("alert(1)") && !list.says("thuế") && !list.says(&page_of(&made.to_record)), "{}", list.text);

        // What it objects to, in words; what the partner said of who asked; the citizen's words as text.
        let page = page_of(&made.to_partner);
        let before = made.recorded(house, "objection-read").await;
        let sheet = bao.reads(&page).await;
        for says in
            ["Bộ Thử nghiệm", "Chi cục Thử", "Cấp mã số thuế", "Law 38/2019/QH14, Art. 35(7)", "nguyen.van.thu", "HS-1"]
        {
            assert!(sheet.says(says), "{says}: {}", sheet.text);
        }
        assert!(sheet.says("Họ, chữ đệm và tên") || sheet.says("Họ và tên"), "the fields: {}", sheet.text);
        assert!(sheet.says("Tôi không nộp thuế.") && sheet.says("name=\"verdict\""), "{}", sheet.text);
        assert_eq!(made.recorded(house, "objection-read").await, before + 1, "who opened it is told of");
        let hostile = bao.reads(&page_of(&made.to_officer)).await;
        assert!(!hostile.says("<script>alert"), "{}", hostile.text);
        assert!(hostile.says("&#60;script&#62;alert(1)"), "{}", hostile.text);
        assert!(hostile.says(">both<"), "the officer who looked: {}", hostile.text);

        // What is wrong stands beside its field, and what was typed stays.
        let to = format!("{page}/answer");
        let words = "Cơ quan đã tra cứu theo Luật Quản lý thuế, Điều 35.";
        let wrong = bao.sends(&to, &fields(&sheet, &[("words", words)])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"verdict-err\"") && wrong.says(words), "{}", wrong.text);
        let wrong = bao.sends(&to, &fields(&sheet, &[("verdict", "rejected"), ("words", " ")])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"words-err\""), "{}", wrong.text);
        assert!(wrong.says("value=\"rejected\" required checked"), "{}", wrong.text);
        let long = "ờ".repeat(2001);
        let wrong = bao.sends(&to, &fields(&sheet, &[("verdict", "rejected"), ("words", &long)])).await;
        assert!(wrong.status == 422 && wrong.says(&long), "{}", wrong.status);

        let form = [("verdict", "rejected"), ("words", words)];
        let done = bao.sends(&to, &fields(&sheet, &form)).await;
        assert_eq!((done.status, done.leads_to()), (303, &*format!("{page}?done=answered")), "{}", done.text);
        let again = bao.sends(&to, &fields(&sheet, &form)).await;
        assert_eq!(again.status, 303, "a second click has no second effect");
        let told = sql!("select count(*) as n from notice where person_id = $1 and kind = 'objection-answered'");
        assert_eq!(house.count(told, args![made.in_hand.person]).await, 1);
        let shown = bao.reads(done.leads_to()).await;
        assert!(
            shown.says("Đã gửi câu trả lời") && shown.says(words) && shown.says("<span class=\"en\">bao</span>"),
            "{}",
            shown.text
        );
        assert!(!shown.says("name=\"verdict\""), "{}", shown.text);
        // As the API has it, and the citizen.
        let by_api = made.bao.get(&format!("/api/v1/objections/{}", made.to_partner)).await.body;
        assert_eq!((&by_api["state"], &by_api["answer"]), (&json!("rejected"), &json!(words)), "{by_api}");
        let own = made.caller.get("/api/v1/citizen/objections").await.body;
        assert!(own["objections"].as_array().unwrap().iter().any(|one| one["answer"] == words), "{own}");
        let answered = bao.reads(&format!("{LIST}?state=answered")).await;
        assert!(answered.says(&page) && !answered.says(&page_of(&made.to_officer)), "{}", answered.text);
        let answered = made.bao.get("/api/v1/objections?state=answered").await.body;
        assert_eq!(answered["items"].as_array().map(Vec::len), Some(1), "{answered}");
        assert!(!bao.reads(LIST).await.says(&page), "it waits no more");

        // Answered by another while the page was open: what was typed is shown beside the answer.
        let page = page_of(&made.to_officer);
        let body = json!({"verdict": "upheld", "words": "Cán bộ đã bị nhắc nhở."});
        let by_api = made.bao.post(&format!("/api/v1/objections/{}/answer", made.to_officer), "a", body).await;
        assert_eq!(by_api.status, 200, "{by_api:?}");
        let form = [("verdict", "rejected"), ("words", "Lời của tôi chưa gửi.")];
        let late = bao.sends(&format!("{page}/answer"), &fields(&hostile, &form)).await;
        assert!(late.status == 409 && late.says("objection-answered"), "{}", late.text);
        assert!(late.says("Lời của tôi chưa gửi.") && late.says("Cán bộ đã bị nhắc nhở."), "{}", late.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_turns_away_who_looked_and_who_does_not_answer_it_and_tells_what_is_late() {
    on_both(async |house| {
        let made = Box::pin(Objected::of(house)).await;
        // The officer who looked reads why another one answers; what was sent all the same is shown.
        let both = Browser::of(house, "both").await;
        let page = page_of(&made.to_officer);
        let own = both.reads(&page).await;
        assert!(own.status == 200 && own.says("Bạn không trả lời được ý kiến này"), "{}", own.text);
        assert!(own.says("Ý kiến phản đối chính lượt xem của bạn") && !own.says("name=\"verdict\""), "{}", own.text);
        let other = both.reads(&page_of(&made.to_partner)).await;
        assert!(other.says("name=\"verdict\""), "{}", other.text);
        let form = [("verdict", "rejected"), ("words", "Tôi làm đúng.")];
        let refused = both.sends(&format!("{page}/answer"), &fields(&other, &form)).await;
        assert!(refused.status == 403 && refused.says("second-officer-needed"), "{}", refused.text);
        assert!(refused.says("Tôi làm đúng."), "{}", refused.text);
        let still = made.bao.get(&format!("/api/v1/objections/{}", made.to_officer)).await.body;
        assert_eq!(still["state"], "waiting", "{still}");

        // Others' objections are as if there were none.
        house.officer("registrar-o", &[Role::Registrar], &made.office).await;
        house.officer("elsewhere", &[Role::DataProtection], "o-2").await;
        let registrar = Browser::of(house, "registrar-o").await;
        let list = registrar.reads(LIST).await;
        assert!(list.says(&page_of(&made.to_record)) && !list.says(&page), "{}", list.text);
        let record = registrar.reads(&page_of(&made.to_record)).await;
        assert!(record.says("Ngày sinh của tôi ghi sai."), "{}", record.text);
        assert!(record.says(&format!("/pages/register/persons/{}", made.in_hand.person)), "{}", record.text);
        let elsewhere = Browser::of(house, "elsewhere").await;
        assert!(elsewhere.reads(LIST).await.says("Không có ý kiến nào chờ trả lời"));
        let read = made.recorded(house, "objection-read").await;
        for (browser, id) in
            [(&registrar, &made.to_officer), (&elsewhere, &made.to_officer), (&elsewhere, &made.to_record)]
        {
            let said = browser.reads(&page_of(id)).await;
            assert!(said.status == 404 && said.says("objection-unknown"), "{}", said.text);
            let home = browser.reads("/pages").await;
            let form = [("token", home.field("token")), ("key", "k-1"), form[0], form[1]];
            let said = browser.sends(&format!("{}/answer", page_of(id)), &form).await;
            assert!(said.status == 404 && said.says("objection-unknown"), "{}", said.text);
        }
        assert_eq!(made.recorded(house, "objection-read").await, read, "nothing was told");
        let malformed = registrar.reads(&format!("{LIST}?state=all")).await;
        assert!(malformed.status == 400 && malformed.says("query-malformed"), "{}", malformed.text);

        // Late is told in words.
        assert!(registrar.reads(&format!("{LIST}?state=late")).await.says("Không có ý kiến nào quá hạn"));
        house.clock.advance(Duration::hours(97));
        let registrar = Browser::of(house, "registrar-o").await;
        let late = registrar.reads(&format!("{LIST}?state=late")).await;
        assert!(late.says("Quá hạn 1 ngày") && late.says(&page_of(&made.to_record)), "{}", late.text);
        assert!(registrar.reads("/pages").await.says("1 ý kiến chờ trả lời, trong đó 1 quá hạn"));
        // What another hand changed is shown as such, and not opened.
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update objection set made_at = due_at"), args![]).await.unwrap();
        tx.commit().await.unwrap();
        assert!(registrar.reads(LIST).await.says("Dòng này bị sửa ngoài hệ thống"));
        let said = registrar.reads(&page_of(&made.to_record)).await;
        assert!(said.says("record-tampered"), "{}", said.text);
    })
    .await;
}

/// A browser opens the pages at each width, in both languages, and answers by keyboard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objections_are_answered_in_a_real_browser() {
    if let Some(why) = missing() {
        println!("SKIPPED: the pages are not opened in a browser: {why}");
        return;
    }
    let house = Box::pin(House::open(None)).await;
    let made = Box::pin(Objected::of(&house)).await;
    let given = json!({
        "walk": "objections", "address": format!("https://{}", house.service.address()), "chromium": CHROMIUM,
        "password": PASSWORD, "officer": made.to_officer, "partner": made.to_partner,
    });
    if let Some(told) = Box::pin(walked(&given)).await {
        println!("{told}");
    }
    let answered = made.bao.get(&format!("/api/v1/objections/{}", made.to_partner)).await.body;
    assert_eq!(answered["state"], "upheld", "{answered}");
}
