//! The tables of codes that requests take, whole, with an entity tag: a client keeps them and
//! asks whether they changed.

use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::identity::Date;
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Counter;
use super::model::{ChangeReason, KindName, ReissueReason, StageName};
use crate::population::reference::{Reference, Table};
use crate::web::{Desk, Named, Page, Parameters, Problem, Right, Routes, tags};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new().add(Right::SignedIn, routes!(table))
}

/// A table of codes.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Wanted {
    /// Communes, each within its district.
    Communes,
    /// Countries: three letters of ISO 3166-1, with the Vietnamese names of the Unicode CLDR.
    Countries,
    /// Districts, each within its province.
    Districts,
    /// Ethnic groups.
    EthnicGroups,
    /// Provinces: the three digits of the number for life, with those that this service adds.
    Provinces,
    /// Reasons of an application, each within its kind.
    Reasons,
    /// Religions: codes of the statistics office (2008, 2014), 00 for none. The register takes the name.
    Religions,
    /// Stages of an application, in their order.
    Stages,
}

/// An entry of a table.
#[derive(Debug, Serialize, ToSchema)]
struct EntryItem {
    /// As requests take it.
    code: String,
    /// The code that it is within: the province of a district, the kind of a reason.
    within: Option<String>,
    /// In Vietnamese.
    name_vi: Option<String>,
    /// In English.
    name_en: Option<String>,
    /// The first day on which it is so, yyyy-MM-dd; null for what stands in the tables of 2021.
    valid_from: Option<String>,
    /// The first day on which it is no longer so, if that is known.
    valid_until: Option<String>,
    /// The code that takes its place on that day; null where the code stays and its name or superior changes.
    successor: Option<String>,
}

/// Which day's table.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DayAsked {
    /// The table as it is on this day (yyyy-MM-dd), before or ahead; today's if left out.
    #[param(value_type = Option<String>, example = "2026-11-26")]
    on: Option<Date>,
}

/// A table of codes, whole. With `If-None-Match` only if it is another one.
#[utoipa::path(get, path = "/api/v1/reference/{table}", tag = "reference", params(DayAsked),
    responses((status = 200, body = Page<EntryItem>), (status = 304, description = "The same as before.")))]
async fn table(
    State(counter): State<Counter>,
    State(desk): State<Desk>,
    Named(wanted): Named<Wanted>,
    Parameters(asked): Parameters<DayAsked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let on = match asked.on {
        None => desk.deeds().source().clock().today(),
        Some(day) => {
            day.full().ok_or_else(|| Problem::new(ProblemCode::QueryMalformed).detail("`on` is a whole date"))?
        }
    };
    let page = Page::whole(entries(wanted, counter.register.reference(), on));
    let body = serde_json::to_vec(&page).map_err(|error| Problem::internal(&error))?;
    let tag = hex::encode(&Sha256::digest(&body)[..16]);
    let quoted = HeaderValue::from_str(&format!("\"{tag}\"")).map_err(|error| Problem::internal(&error))?;
    let mut response = if tags::is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    };
    response.headers_mut().insert(header::ETAG, quoted);
    // May be kept, but is asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

fn entries(wanted: Wanted, reference: &Reference, on: time::Date) -> Vec<EntryItem> {
    let of = |table: Table| {
        let entries = reference.entries(table, on).into_iter();
        let item = |entry: crate::population::reference::Entry| EntryItem {
            code: entry.code,
            within: entry.within,
            name_vi: entry.name_vi,
            name_en: entry.name_en,
            valid_from: entry.valid_from.map(|day| day.to_string()),
            valid_until: entry.valid_until.map(|day| day.to_string()),
            successor: entry.successor,
        };
        entries.map(item).collect()
    };
    match wanted {
        Wanted::Communes => of(Table::Communes),
        Wanted::Countries => of(Table::Countries),
        Wanted::Districts => of(Table::Districts),
        Wanted::EthnicGroups => of(Table::EthnicGroups),
        Wanted::Provinces => of(Table::Provinces),
        Wanted::Reasons => {
            let changes = CHANGES.iter().map(|(reason, vi, en)| worded(reason, Some(KindName::Change), vi, en));
            let reissues = REISSUES.iter().map(|(reason, vi, en)| worded(reason, Some(KindName::Reissue), vi, en));
            changes.chain(reissues).collect()
        }
        Wanted::Religions => of(Table::Religions),
        Wanted::Stages => StageName::ALL
            .iter()
            .map(|stage| {
                let (vi, en) = stage_words(*stage);
                worded(stage, None, vi, en)
            })
            .collect(),
    }
}

fn worded(code: &impl Serialize, within: Option<KindName>, vi: &str, en: &str) -> EntryItem {
    EntryItem {
        code: word(code),
        within: within.map(|kind| word(&kind)),
        name_vi: Some(vi.to_owned()),
        name_en: Some(en.to_owned()),
        valid_from: None,
        valid_until: None,
        successor: None,
    }
}

/// The word of a closed list, as requests take it.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

const fn stage_words(stage: StageName) -> (&'static str, &'static str) {
    match stage {
        StageName::Registered => ("Đã tiếp nhận", "Opened at a counter"),
        StageName::Captured => ("Đã thu nhận ảnh và đặc điểm nhân dạng", "Portrait and features taken"),
        StageName::Returned => ("Chờ công dân bổ sung hồ sơ", "Waits for what the citizen is to bring"),
        StageName::Checked => ("Đội trưởng đã kiểm tra, chờ duyệt", "Checked, waits for the approval"),
        StageName::LocallyApproved => ("Địa phương đã duyệt, chờ trung ương", "Approved locally, waits for the centre"),
        StageName::Approved => ("Đã duyệt, chờ sản xuất thẻ", "Approved, waits for a chip"),
        StageName::Held => ("Tạm giữ, chờ khắc phục", "Held until something is mended"),
        StageName::Refused => ("Bị từ chối", "Refused"),
        StageName::Appealed => ("Đang giải quyết khiếu nại", "A complaint about the refusal is being decided"),
        StageName::InProduction => ("Đang sản xuất thẻ", "Being written on a chip"),
        StageName::Shipped => ("Thẻ đã làm xong, đang chuyển về", "Card made elsewhere, on its way"),
        StageName::Personalized => ("Thẻ đã hoàn thành, chờ trả", "Card made, waits for its holder"),
        StageName::NotFetched => ("Công dân chưa đến nhận thẻ", "Not fetched in time, the card is kept"),
        StageName::HandedOver => ("Đã trả thẻ", "Card handed over"),
        StageName::Cancelled => ("Đã hủy", "Cancelled"),
    }
}

/// Law 59/2014/QH13, Art. 23(1), letter by letter.
const CHANGES: [(ChangeReason, &str, &str); 6] = [
    (ChangeReason::AgeReached, "Đến tuổi đổi thẻ", "The holder reached 25, 40 or 60"),
    (ChangeReason::Damaged, "Thẻ bị hư hỏng không sử dụng được", "The card is damaged and no longer usable"),
    (
        ChangeReason::NameOrFeaturesChanged,
        "Thay đổi họ, chữ đệm, tên; đặc điểm nhân dạng",
        "Name or identifying features changed",
    ),
    (
        ChangeReason::SexOrOriginRedetermined,
        "Xác định lại giới tính, quê quán",
        "Sex or place of origin was determined anew",
    ),
    (ChangeReason::ErrorOnCard, "Có sai sót về thông tin trên thẻ", "The card is wrong"),
    (ChangeReason::OnRequest, "Khi công dân có yêu cầu", "The citizen asks for it"),
];

/// Art. 23(2).
const REISSUES: [(ReissueReason, &str, &str); 2] = [
    (ReissueReason::Lost, "Bị mất thẻ", "The card is lost"),
    (ReissueReason::NationalityRegained, "Được trở lại quốc tịch Việt Nam", "Nationality was regained"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: time::Date = time::macros::date!(2026 - 11 - 26);

    #[test]
    fn every_table_has_its_entries_and_no_code_twice() {
        let reference = Reference::new(&["003=Tỉnh Mẫu".parse().unwrap()]);
        for (wanted, count) in [
            (Wanted::Communes, 10_599),
            (Wanted::Countries, 249),
            (Wanted::Districts, 705),
            (Wanted::EthnicGroups, 56),
            (Wanted::Provinces, 64),
            (Wanted::Reasons, 8),
            (Wanted::Religions, 15),
            (Wanted::Stages, StageName::ALL.len()),
        ] {
            let entries = entries(wanted, &reference, TODAY);
            let codes: std::collections::BTreeSet<_> = entries.iter().map(|entry| &entry.code).collect();
            assert_eq!((entries.len(), codes.len()), (count, count), "{wanted:?}");
            assert!(entries.iter().all(|entry| entry.name_vi.is_some() || entry.name_en.is_some()), "{wanted:?}");
            // Ethnic groups have their Vietnamese names only, and so have provinces of a deployment.
            if !matches!(wanted, Wanted::EthnicGroups | Wanted::Provinces) {
                let both = |entry: &EntryItem| entry.name_vi.is_some() && entry.name_en.is_some();
                assert!(entries.iter().all(both), "{wanted:?}");
            }
        }
        let countries = entries(Wanted::Countries, &reference, TODAY);
        let germany = countries.iter().find(|country| country.code == "DEU").unwrap();
        assert_eq!((germany.name_vi.as_deref(), germany.name_en.as_deref()), (Some("Đức"), Some("Germany")));
    }
}
