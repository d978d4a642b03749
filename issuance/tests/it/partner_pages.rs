//! The pages of joined authorities: partners and their certificates, agreements as what they open, the two signatures
//! and the end; looks in emergencies, and births that are held.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::exchange::{agreed, asks, grant, joined, moment, person};
use crate::house::{Caller, House, NIL, PASSWORD, on_both};
use crate::incoming::{born, with_births};
use crate::pages::{Browser, CHROMIUM, fields, missing, walked};
use crate::xroad::{carrier, member};

const AGREEMENTS: &str = "/pages/agreements";
const PARTNERS: &str = "/pages/partners";

/// An agreement that is drafted, with these terms beside the usual ones. Returns its identifier.
async fn drafted(house: &House, partner: &str, number: &str, days: i64, grants: Value) -> String {
    let body = json!({"partner_id": partner, "number": number, "basis": "Nghị định 47/2020/NĐ-CP, Điều 5",
        "valid_from": moment(house, Duration::seconds(-5)), "valid_to": moment(house, Duration::days(days)),
        "kept_days": 30, "grants": grants});
    let said = house.admin.post("/api/v1/agreements", number, body).await;
    assert_eq!(said.status, 200, "{said:?}");
    said.body["id"].as_str().unwrap().to_owned()
}

/// A grant with everything that a grant may say.
fn whole() -> Value {
    let mut look_up = grant("look-up", &["full_name", "sex"]);
    look_up["provinces"] = json!(["001"]);
    look_up["number_alone"] = json!(true);
    look_up["hours"] = json!({"from": 7, "to": 17, "days": [1, 5]});
    look_up["procedures"] = json!(["1.000656"]);
    let mut confirm = grant("confirm", &["full_name", "birth_date"]);
    confirm["tells_which"] = json!(true);
    json!([look_up, confirm])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_is_read_as_what_it_opens_and_signed_by_two_officers_on_its_page() {
    on_both(async |house| {
        let made = joined(house).await;
        let id = drafted(house, &made.partner, "TT-1", 100, whole()).await;
        let page = format!("{AGREEMENTS}/{id}");
        let (admin, bao) = (Browser::of(house, "admin").await, Browser::of(house, "bao").await);
        assert!(bao.reads("/pages").await.says("1 thỏa thuận chờ ký"));
        let sheet = admin.reads(&page).await;
        for says in [
            "Bộ Thử nghiệm",
            "Nghị định 47/2020/NĐ-CP, Điều 5",
            "30 ngày",
            "Cấp mã số thuế",
            "Law 38/2019/QH14, Art. 35(7)",
            "Trường: 2 trong",
            "(001)",
            "cả nước",
            "từ 07:00 đến trước 17:00: Thứ Hai, Thứ Sáu",
            "1.000656",
            "Chỉ cần số định danh",
            "Cho biết trường nào khác",
            "Ký cho cơ quan quản lý",
        ] {
            assert!(sheet.says(says), "{says}: {}", sheet.text);
        }
        let look = sql!("select count(*) as n from v_audit_entry where action = 'agreements-listed' and object = $1");
        assert!(house.count(look, args![format!("agreement/{id}")]).await >= 1);

        // One signature: the own side is told to wait, and the second click has no second effect.
        let to = format!("{page}/signature");
        let signed = admin.sends(&to, &fields(&sheet, &[])).await;
        assert_eq!((signed.status, signed.leads_to()), (303, &*format!("{page}?done=signed")), "{}", signed.text);
        assert_eq!(admin.sends(&to, &fields(&sheet, &[])).await.status, 303);
        let own = admin.reads(signed.leads_to()).await;
        assert!(own.says("Đã ghi chữ ký của bạn") && own.says("Phía bạn đã ký"), "{}", own.text);
        assert!(own.says("cán bộ bảo vệ dữ liệu khác") && !own.says(&format!("action=\"{to}\"")), "{}", own.text);
        let second = Browser::of(house, "second").await;
        let refused = second.reads(&page).await;
        let refused = second.sends(&to, &fields(&refused, &[])).await;
        assert!(refused.status == 409 && refused.says("agreement-state-unfit"), "{}", refused.text);
        let half = bao.reads(&format!("{AGREEMENTS}?state=half-signed")).await;
        assert!(half.says("TT-1") && half.says("Chờ chữ ký thứ hai"), "{}", half.text);

        // The second one, for the persons.
        let sheet = bao.reads(&page).await;
        assert!(sheet.says("Ký cho công dân, là cán bộ bảo vệ dữ liệu"), "{}", sheet.text);
        assert_eq!(bao.sends(&to, &fields(&sheet, &[])).await.status, 303);
        let by_api = made.bao.get(&format!("/api/v1/agreements/{id}")).await.body;
        assert_eq!(by_api["state"], "in-force", "{by_api}");
        let shown = bao.reads(&page).await;
        assert!(shown.says("Đang có hiệu lực") && shown.says("admin, ") && shown.says("bao, "), "{}", shown.text);
        assert!(!shown.says(&format!("action=\"{to}\"")), "{}", shown.text);

        // The end: the reason is needed, and stays; another one who ends it at the same time is told.
        let to = format!("{page}/end");
        let wrong = bao.sends(&to, &fields(&shown, &[("reason", " ")])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"reason-err\""), "{}", wrong.text);
        let ended = admin.reads(&page).await;
        let ended = admin.sends(&to, &fields(&ended, &[("reason", "<b>hết</b> nhiệm vụ")])).await;
        assert_eq!((ended.status, ended.leads_to()), (303, &*format!("{page}?done=ended")), "{}", ended.text);
        let late = bao.sends(&to, &fields(&shown, &[("reason", "Lý do của tôi")])).await;
        assert!(late.status == 409 && late.says("Lý do của tôi"), "{}", late.text);
        assert!(late.says("&#60;b&#62;hết") && !late.says("<b>hết"), "{}", late.text);
        assert_eq!(made.bao.get(&format!("/api/v1/agreements/{id}")).await.body["state"], "ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agreements_are_listed_by_how_they_stand_and_one_officer_gives_one_signature() {
    on_both(async |house| {
        let made = joined(house).await;
        let grants = || json!([grant("look-up", &["sex"])]);
        drafted(house, &made.partner, "TT-draft", 100, grants()).await;
        let half = drafted(house, &made.partner, "TT-half", 100, grants()).await;
        agreed(house, &made, &made.partner, "TT-force", grants()).await;
        let ending = drafted(house, &made.partner, "TT-ending", 20, grants()).await;
        for (n, officer) in [&house.admin, &made.bao].into_iter().enumerate() {
            let path = format!("/api/v1/agreements/{ending}/signature");
            assert_eq!(officer.post(&path, &format!("e-{n}"), json!({})).await.status, 200);
        }
        let over = drafted(house, &made.partner, "TT-over", 100, grants()).await;
        let path = format!("/api/v1/agreements/{over}/end");
        assert_eq!(made.bao.post(&path, "o", json!({"reason": "thôi"})).await.status, 200);
        // One officer with both roles by an unlawful hand gives one signature: the page says what the verb says.
        house.officer("both", &[Role::Admin, Role::DataProtection], "national").await;
        let both = Browser::of(house, "both").await;
        let page = format!("{AGREEMENTS}/{half}");
        let sheet = both.reads(&page).await;
        assert_eq!(both.sends(&format!("{page}/signature"), &fields(&sheet, &[])).await.status, 303);
        let again = both.reads(&page).await;
        assert!(again.says("Phía bạn đã ký") && again.says("Còn chờ một cán bộ quản trị"), "{}", again.text);

        let bao = Browser::of(house, "bao").await;
        let all = ["TT-draft", "TT-half", "TT-force", "TT-ending", "TT-over"];
        for (state, listed) in [
            ("open", vec!["TT-draft", "TT-half", "TT-force", "TT-ending"]),
            ("drafted", vec!["TT-draft"]),
            ("half-signed", vec!["TT-half"]),
            ("in-force", vec!["TT-force", "TT-ending"]),
            ("ending", vec!["TT-ending"]),
            ("over", vec!["TT-over"]),
        ] {
            let list = bao.reads(&format!("{AGREEMENTS}?state={state}")).await;
            let found: Vec<&str> = all.into_iter().filter(|number| list.says(&format!(">{number}<"))).collect();
            assert_eq!(found, listed, "{state}: {}", list.text);
        }
        assert!(bao.reads(&format!("{AGREEMENTS}?state=ending")).await.says("Hết hạn sau 19 ngày"));
        assert!(bao.reads("/pages").await.says("2 thỏa thuận chờ ký, 1 thỏa thuận sắp hết hạn"));
        let malformed = bao.reads(&format!("{AGREEMENTS}?state=x")).await;
        assert!(malformed.status == 400, "{}", malformed.text);
        let unknown = bao.reads(&format!("{AGREEMENTS}/{NIL}")).await;
        assert!(unknown.status == 404 && unknown.says("agreement-unknown"), "{}", unknown.text);
        // The API lists them all, as before.
        let listed = made.bao.get("/api/v1/agreements").await.body;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(5), "{listed}");

        // Of the national office alone: elsewhere there is no way, and no page.
        house.officer("elsewhere", &[Role::DataProtection], "o-2").await;
        let elsewhere = Browser::of(house, "elsewhere").await;
        assert!(!elsewhere.reads("/pages").await.says(PARTNERS));
        for path in [AGREEMENTS, PARTNERS, page.as_str()] {
            let said = elsewhere.reads(path).await;
            assert!(said.status == 403 && said.says("other-office"), "{path}: {}", said.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partners_are_listed_with_their_systems_and_a_certificate_that_ends_is_told_of_before() {
    on_both(async |house| {
        let made = joined(house).await;
        let hostile = json!({"code": "p-x", "name": "<script>alert(2)</script>Bộ", "unit": "Cục \"Mẫu\" & <i>",
            "contact_name": "<b>Thử</b>", "contact_email": "x@example.invalid", "contact_phone": "024"});
        let drafted = house.admin.post("/api/v1/partners", "p-x", hostile).await;
        let bao = Browser::of(house, "bao").await;
        let list = bao.reads(PARTNERS).await;
        assert!(list.says("may-chu-1") && list.says("Đang dùng") && list.says("Chờ xác nhận"), "{}", list.text);
        assert!(!list.says("<script>alert") && list.says("&#60;script&#62;alert(2)"), "{}", list.text);
        let file = bao.reads(&format!("{PARTNERS}/{}", drafted.body["id"].as_str().unwrap())).await;
        assert!(!file.says("<script>alert") && !file.says("<b>Thử"), "{}", file.text);
        assert!(file.says("Chưa có hệ thống") && file.says("Chưa có thỏa thuận nào"), "{}", file.text);
        agreed(house, &made, &made.partner, "TT-1", json!([grant("look-up", &["sex"])])).await;
        let page = format!("{PARTNERS}/{}", made.partner);
        let file = bao.reads(&page).await;
        assert!(file.says("TT-1") && file.says("ket-noi@example.invalid") && file.says("may-chu-1"), "{}", file.text);
        let looked = sql!("select count(*) as n from v_audit_entry where action = 'partners-listed' and object = $1");
        assert_eq!(house.count(looked, args![format!("partner/{}", made.partner)]).await, 1);
        house.clock.advance(Duration::days(340));
        let bao = Browser::of(house, "bao").await;
        let file = bao.reads(&page).await;
        assert!(file.says("Chứng thư hết hạn sau 2"), "within 30 days: {}", file.text);
        house.clock.advance(Duration::days(30));
        let bao = Browser::of(house, "bao").await;
        assert!(bao.reads(PARTNERS).await.says("Chứng thư đã hết hạn"));
        let unknown = bao.reads(&format!("{PARTNERS}/{NIL}")).await;
        assert!(unknown.status == 404 && unknown.says("partner-unknown"), "{}", unknown.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_a_certificate_is_in_use_and_with_its_authority_every_system_ended() {
    on_both(async |house| {
        let made = joined(house).await;
        member(house, &made.bao, &made.partner, "VN/GOV/mau/so-1").await;
        carrier(house, &made.bao, &made.partner, "bao-mat-1").await;
        let bao = Browser::of(house, "bao").await;
        for path in [PARTNERS.to_owned(), format!("{PARTNERS}/{}", made.partner)] {
            let page = bao.reads(&path).await;
            assert!(page.says("Thành viên của lớp trao đổi dữ liệu: VN/GOV/mau/so-1"), "{}", page.text);
            assert!(page.says("Chuyển câu hỏi của các thành viên của VN<"), "{}", page.text);
            assert_eq!(page.text.matches("Đang dùng").count(), 3, "{}", page.text);
            assert!(!page.says("Chờ xác nhận"), "{}", page.text);
        }
        let end = format!("/api/v1/partners/{}/end", made.partner);
        let ended = house.admin.post(&end, "end", json!({"reason": "sáp nhập"})).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        for path in [PARTNERS.to_owned(), format!("{PARTNERS}/{}", made.partner)] {
            let page = bao.reads(&path).await;
            assert_eq!(page.text.matches("Đang dùng").count(), 0, "{}", page.text);
            assert!(page.text.matches("Đã chấm dứt").count() >= 4, "{}", page.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_in_an_emergency_is_judged_on_its_page_by_another_officer_than_who_looked() {
    on_both(async |house| {
        let (id, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let looks = "/api/v1/emergency-looks";
        let opens = async |officer: &Caller, key: &str| {
            let reason = "<script>alert(3)</script> bất tỉnh sau tai nạn";
            let body = json!({"personal_number": number, "reason": reason, "case": "115-2026-0042"});
            officer.post(looks, key, body).await.body["id"].as_str().unwrap().to_owned()
        };
        let night = house.officer("night", &[Role::Registrar], "o-2").await;
        let own = house.officer("own", &[Role::Registrar, Role::Auditor], "national").await;
        house.officer("bao", &[Role::DataProtection], "national").await;
        house.officer("elsewhere", &[Role::Auditor], "o-2").await;
        let (one, two) = (opens(&night, "e-1").await, opens(&own, "e-2").await);
        let bao = Browser::of(house, "bao").await;
        assert!(bao.reads("/pages").await.says("2 lượt xem chờ xét"));
        let list = bao.reads("/pages/emergency-looks").await;
        assert!(list.says(&one) && list.says("night") && list.says("115-2026-0042"), "{}", list.text);
        let page = format!("/pages/emergency-looks/{one}");
        let about = sql!(
            "select count(*) as n from v_audit_entry where action = 'emergency-looks-listed' and object = $1
             and person_id = $2"
        );
        let person: issuance::ground::ids::PersonId = id.parse().unwrap();
        let recorded = async || house.count(about, args![format!("emergency-look/{one}"), person]).await;
        let before = recorded().await;
        let sheet = bao.reads(&page).await;
        assert!(!sheet.says("<script>alert") && sheet.says("bất tỉnh sau tai nạn"), "{}", sheet.text);
        assert_eq!(recorded().await, before + 1, "who read it is told of");

        let to = format!("{page}/review");
        let wrong = bao.sends(&to, &fields(&sheet, &[("remarks", "Đã hỏi bệnh viện")])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"verdict-err\"") && wrong.says("Đã hỏi bệnh viện"));
        let form = [("verdict", "justified"), ("remarks", "Đã hỏi bệnh viện")];
        let done = bao.sends(&to, &fields(&sheet, &form)).await;
        assert_eq!((done.status, done.leads_to()), (303, &*format!("{page}?done=judged")), "{}", done.text);
        let shown = bao.reads(done.leads_to()).await;
        assert!(shown.says("Có lý do chính đáng") && shown.says("Đã hỏi bệnh viện"), "{}", shown.text);
        // Judged meanwhile: what was typed stays.
        let open = own.get(&format!("{looks}/{one}")).await.body;
        assert_eq!(open["verdict"], "justified", "{open}");
        let auditor = Browser::of(house, "own").await;
        let other = auditor.reads("/pages").await;
        let form = [("token", other.field("token")), ("key", "k-1"), ("verdict", "not-justified"), ("remarks", "Muộn")];
        let late = auditor.sends(&to, &form).await;
        assert!(late.status == 409 && late.says("Muộn") && late.says("Đã hỏi bệnh viện"), "{}", late.text);

        // The officer who looked reads why another one judges.
        let page = format!("/pages/emergency-looks/{two}");
        let sheet = auditor.reads(&page).await;
        assert!(sheet.says("Bạn không xét được lượt xem này") && !sheet.says("name=\"verdict\""), "{}", sheet.text);
        let form = [("token", other.field("token")), ("key", "k-2"), ("verdict", "justified"), ("remarks", "Tôi đúng")];
        let refused = auditor.sends(&format!("{page}/review"), &form).await;
        assert!(refused.status == 403 && refused.says("second-officer-needed") && refused.says("Tôi đúng"));
        house.clock.advance(Duration::days(4) + Duration::hours(1));
        let bao = Browser::of(house, "bao").await;
        assert!(bao.reads("/pages/emergency-looks").await.says("Quá hạn 1 ngày"));
        assert!(bao.reads("/pages").await.says("1 lượt xem chờ xét, trong đó 1 quá hạn"));
        // Elsewhere there is no way, and no page.
        let elsewhere = Browser::of(house, "elsewhere").await;
        let said = elsewhere.reads(&page).await;
        assert!(said.status == 403 && said.says("other-office"), "{}", said.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_birth_that_is_held_is_read_and_decided_on_its_page() {
    on_both(async |house| {
        let made = with_births(house).await;
        let holds = async |request: &str, name: &str, registration: &str| {
            let mut twin = born(request, name);
            twin["birth"]["registration"] = json!(registration);
            let held = asks(&made.system, "birth", twin).await;
            assert_eq!(held.body["outcome"], "held", "{held:?}");
            held.body["answer"].as_str().unwrap().to_owned()
        };
        assert_eq!(asks(&made.system, "birth", born("ks-1", "Nguyễn Thị Thu Hà")).await.body["outcome"], "numbered");
        let twin = holds("ks-2", "Nguyễn Thị Hà Thu", "Số 13/2026").await;
        let again = holds("ks-3", "Nguyễn Thị Thu Hà", "Số 14/2026 <i>sửa</i>").await;
        house.officer("lan", &[Role::Registrar], "national").await;
        house.officer("hoa", &[Role::Registrar], "o-1").await;
        let (lan, hoa) = (Browser::of(house, "lan").await, Browser::of(house, "hoa").await);
        assert!(lan.reads("/pages/register").await.says("/pages/held-births"));
        let list = lan.reads("/pages/held-births").await;
        assert!(list.says(&twin) && list.says(&again) && list.says("Bộ Thử nghiệm"), "{}", list.text);
        assert!(!list.says("Hà Thu") && !list.says("Thu Hà"), "a list names no child: {}", list.text);
        assert!(hoa.reads("/pages/held-births").await.says("Không có khai sinh nào chờ xét"));
        let page = format!("/pages/held-births/{twin}");
        let said = hoa.reads(&page).await;
        assert!(said.status == 403 && said.says("other-office"), "{}", said.text);
        let sheet = lan.reads(&page).await;
        assert!(
            sheet.says("Nguyễn Thị Hà Thu") && sheet.says("Số 13/2026") && sheet.says("trong sổ"),
            "{}",
            sheet.text
        );
        let read =
            sql!("select count(*) as n from v_audit_entry where action = 'exchange-report-read' and object = $1");
        assert!(house.count(read, args![format!("exchange-request/{twin}")]).await >= 1);
        let hostile = lan.reads(&format!("/pages/held-births/{again}")).await;
        assert!(hostile.says("&#60;i&#62;sửa") && !hostile.says("<i>sửa"), "{}", hostile.text);

        // The number, once, and the reason is needed.
        let to = format!("{page}/registration");
        let wrong = lan.sends(&to, &fields(&sheet, &[("because", " ")])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"because-err\""), "{}", wrong.text);
        let form = [("because", "sinh đôi, hai giấy chứng sinh")];
        let done = lan.sends(&to, &fields(&sheet, &form)).await;
        assert!(done.status == 303 && done.leads_to().contains("done=numbered&child="), "{}", done.text);
        assert_eq!(lan.sends(&to, &fields(&sheet, &form)).await.leads_to(), done.leads_to(), "once");
        let shown = lan.reads(done.leads_to()).await;
        assert!(shown.says("Đã vào sổ và cấp số") && !shown.says(&page), "{}", shown.text);
        let persons = sql!("select count(*) as n from person");
        assert_eq!(house.count(persons, args![]).await, 2);
        // It waits no more.
        assert_eq!(lan.reads(&page).await.status, 404);

        // The same child: the number is refused with the reason of the verb, and what was typed stays.
        let page = format!("/pages/held-births/{again}");
        let same = lan.sends(&format!("{page}/registration"), &fields(&hostile, &[("because", "sinh đôi?")])).await;
        assert!(same.status == 409 && same.says("birth-recorded") && same.says("sinh đôi?"), "{}", same.text);
        let to = format!("{page}/refusal");
        let wrong = lan.sends(&to, &fields(&same, &[("because", "gửi hai lần")])).await;
        assert!(wrong.status == 422 && wrong.says("id=\"reason-err\"") && wrong.says("gửi hai lần"), "{}", wrong.text);
        let form = [("reason", "recorded-already"), ("because", "gửi hai lần")];
        let done = lan.sends(&to, &fields(&wrong, &form)).await;
        assert_eq!((done.status, done.leads_to()), (303, "/pages/held-births?done=refused"), "{}", done.text);
        assert_eq!(house.count(persons, args![]).await, 2);
    })
    .await;
}

/// A browser opens the pages at each width, in both languages, and signs an agreement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agreements_are_signed_in_a_real_browser() {
    if let Some(why) = missing() {
        println!("SKIPPED: the pages are not opened in a browser: {why}");
        return;
    }
    let house = Box::pin(House::open(None)).await;
    let made = Box::pin(joined(&house)).await;
    let long = json!({"code": "p-dai", "name": "Bộ Kế hoạch, Đầu tư, Tài nguyên, Môi trường và Phát triển nông thôn thử nghiệm",
        "unit": "Cục Công nghệ thông tin và Dữ liệu tài nguyên môi trường", "contact_name": "Nguyễn Thị Thử",
        "contact_email": "mot-dia-chi-thu-dien-tu-rat-dai-cua-can-bo-dau-moi@example.invalid", "contact_phone": "024 0000 0000"});
    assert_eq!(house.admin.post("/api/v1/partners", "long", long).await.status, 200);
    let id = drafted(&house, &made.partner, "TT-2026-0001", 100, whole()).await;
    drafted(&house, &made.partner, "TT-2026-0002", 20, json!([grant("kinship", &["father", "mother", "full_name"])]))
        .await;
    let night = house.officer("night", &[Role::Registrar], "o-2").await;
    let body = json!({"personal_number": "no number", "reason": "bất tỉnh sau tai nạn, cần báo người thân", "case": "115-2026-0042"});
    let look = night.post("/api/v1/emergency-looks", "e-1", body).await;
    let given = json!({
        "walk": "agreements", "address": format!("https://{}", house.service.address()), "chromium": CHROMIUM,
        "password": PASSWORD, "agreement": id, "partner": made.partner, "look": look.body["id"],
    });
    if let Some(told) = Box::pin(walked(&given)).await {
        println!("{told}");
    }
    let signed = made.bao.get(&format!("/api/v1/agreements/{id}")).await.body;
    assert_eq!(signed["state"], "ended", "{signed}");
}
