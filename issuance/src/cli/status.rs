//! `issuance status`

use std::process::ExitCode;

use clap::Args;

use super::{Place, output};
use crate::access::stations::LeftBehind;
use crate::server::status::{self, CardMaster, Severity, Status};

/// Shows what runs out, what waits and what is late, with what helps.
///
/// The service may run meanwhile, and need not. Exit code 0: nothing, or only notices (within 30 days); 1: it could not
/// be found out; 4: a warning (within 7 days, or something waits that should not); 5: critical (within a day, or
/// something does not work).
#[derive(Args)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    place: Place,
    /// The whole state as one JSON object.
    #[arg(long)]
    json: bool,
}

impl StatusCommand {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        let settings = self.place.settings()?;
        let status = tokio::runtime::Runtime::new()?.block_on(status::status(&settings))?;
        if self.json {
            output::line(format_args!("{}", serde_json::to_string_pretty(&status)?))?;
        } else {
            output::line(format_args!("{}", text(&status, Words::of_environment()).trim_end()))?;
        }
        Ok(match status.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Critical) => ExitCode::from(5),
            Some(Severity::Warning) => ExitCode::from(4),
            Some(Severity::Notice) | None => ExitCode::SUCCESS,
        })
    }
}

/// The state in lines for a person: findings last, where they are seen.
fn text(status: &Status, words: Words) -> String {
    let mut lines = Vec::new();
    let label = |english: &'static str| format!("{:<15}", words.label(english));
    let inner = |english: &'static str| format!("{:<24}", words.label(english));
    let day = |at: time::OffsetDateTime| {
        let days = (at - status.at).whole_days();
        format!("{} ({days} days)", at.date())
    };
    let database = &status.database;
    lines.push(format!("issuance {} at {} UTC", status.version, status.at.to_offset(time::UtcOffset::UTC).date()));
    lines.push(format!(
        "{}{}, installation {}, tables of version {}",
        label("database"),
        database.engine,
        database.installation,
        database.schema
    ));
    let factors = if status.sign_in == "password" { " (one factor: the development default)" } else { "" };
    lines.push(format!("{}{}{factors}", label("sign-in"), status.sign_in));
    lines.push(format!("{}{} of the national office can sign in", label("administrators"), status.administrators));
    let gib = |bytes: u64| format!("{}.{} GiB", bytes >> 30, ((bytes & ((1 << 30) - 1)) * 10) >> 30);
    lines.push(match status.disk {
        Some(disk) => format!("{}{} free of {}", label("disk"), gib(disk.free_bytes), gib(disk.total_bytes)),
        None => format!("{}not known", label("disk")),
    });
    if let Some(archive) = &status.archive {
        let ago = |at: Option<time::OffsetDateTime>| {
            at.map_or_else(|| "never".to_owned(), |at| format!("{} s ago", (status.at - at).whole_seconds()))
        };
        let to = archive.to.display();
        let (complete, last) = (ago(archive.complete_at), ago(archive.last_piece_at));
        lines.push(format!("{}{to}: complete {complete}, last piece {last}", label("archive")));
    }
    lines.push(String::new());
    lines.push(words.label("certificates").to_owned());
    for one in &status.certificates {
        let until = match (one.revoked, one.in_use, one.signs_until < one.not_after) {
            (true, ..) => "revoked".to_owned(),
            (_, true, true) => format!("signs until {}", day(one.signs_until)),
            _ => format!("valid until {}", day(one.not_after)),
        };
        let left = one.signatures_left.map_or_else(String::new, |left| format!(", {left} signatures left"));
        lines.push(format!("  {:<24}{:<50}{until}{left}", one.file, one.purpose));
    }
    if let Some(list) = &status.revocation_list {
        let next =
            list.next_update.map_or_else(|| "no next list named".to_owned(), |at| format!("next by {}", day(at)));
        lines.push(format!("  {:<24}{:<50}{next}", "csca.crl", format!("{} signers revoked", list.revoked)));
    }
    if let Some(bundle) = status.trust_bundle {
        lines.push(format!(
            "  {}{:<50}kiosks need another by {}",
            inner("trust bundle"),
            "what kiosks believe",
            day(bundle.next_update)
        ));
    }
    let left = status.tls_roll_over.iter();
    for (what, names) in left.flat_map(LeftBehind::kinds) {
        if !names.is_empty() {
            lines.push(format!("  {}{what} {}", inner("still of the old"), names.join(", ")));
        }
    }
    for station in &status.stations {
        let name = format!("{} {}", words.label("station"), station.name);
        lines.push(format!(
            "  {name:<24}{:<50}valid until {}",
            format!("office {}", station.office),
            day(station.not_after)
        ));
    }
    for system in &status.partner_systems {
        let name = format!("{} {}", words.label("partner"), system.partner);
        let what = format!("system {}", system.name);
        lines.push(format!("  {name:<24}{what:<50}valid until {}", day(system.not_after)));
    }
    for agreement in &status.agreements {
        let name = format!("{} {}", words.label("agreement"), agreement.number);
        lines.push(format!("  {name:<24}{:<50}valid until {}", "", day(agreement.valid_to)));
    }
    lines.push(String::new());
    let counts = |what: &'static str, counts: &[status::Count]| {
        let all: Vec<_> = counts.iter().map(|one| format!("{} {}", one.count, one.state)).collect();
        format!("{}{}", label(what), if all.is_empty() { "none".to_owned() } else { all.join(", ") })
    };
    lines.push(counts("stock", &status.stock));
    let held = status.stock_ledger.accounts.iter().filter(|one| one.chips != 0);
    let held: Vec<_> = held.map(|one| format!("{} {}", one.place.word(), one.chips)).collect();
    if !held.is_empty() {
        let (sum, cases) = (status.stock_ledger.sum, status.stock_ledger.cases_open);
        lines.push(format!("{}{}; sum {sum}, {cases} cases open", label("accounts"), held.join(", ")));
    }
    for master in &status.card_masters {
        let CardMaster { version, stock, cards } = master;
        lines.push(format!("{}version {version}: {stock} chips in stock, {cards} cards", label("card keys")));
    }
    lines.push(counts("cards", &status.cards));
    let orders = &status.orders_unfinished;
    lines.push(format!("{}{} unfinished{}", label("orders"), orders.count, age(orders.oldest_days)));
    if status.applications.is_empty() {
        lines.push(format!("{}none", label("applications")));
    }
    for (n, waiting) in status.applications.iter().enumerate() {
        let what = label(if n == 0 { "applications" } else { "" });
        lines.push(format!("{what}{} {}{}", waiting.count, waiting.stage, age(waiting.oldest_days)));
    }
    if !status.dossiers_overdue.is_empty() || status.dossiers_without_owner > 0 {
        let late: Vec<_> = status.dossiers_overdue.iter().map(|one| format!("{} {}", one.count, one.state)).collect();
        let late = if late.is_empty() { "none".to_owned() } else { late.join(", ") };
        lines.push(format!("{}{late}; {} without owner", label("late"), status.dossiers_without_owner));
    }
    for defect in &status.without_officer {
        lines.push(format!("{}{}", label(""), defect.says()));
    }
    if !status.notices.is_empty() || !status.notices_not_sent.is_empty() {
        let all = status.notices.iter().chain(&status.notices_not_sent);
        let open: Vec<_> = all.map(|one| format!("{} {}", one.count, one.state)).collect();
        lines.push(format!("{}{}", label("notices"), open.join(", ")));
    }
    if status.bookings_to_be_moved > 0 {
        lines.push(format!("{}{} to be moved", label("bookings"), status.bookings_to_be_moved));
    }
    let until = status.holidays_until.map_or_else(|| "not known".to_owned(), |year| format!("known until {year}"));
    lines.push(format!("{}{until}", label("holidays")));
    for (n, cell) in status.number_cells.iter().enumerate() {
        let what = label(if n == 0 { "numbers" } else { "" });
        let (percent, used, left) = (cell.percent(), cell.used, cell.left);
        lines.push(format!("{what}{:<24}{percent} % used: {used}, {left} left", cell.begins));
    }
    for (n, job) in status.jobs.iter().enumerate() {
        let what = label(if n == 0 { "jobs" } else { "" });
        let late = if job.late_seconds > 60 { format!("late by {} s", job.late_seconds) } else { "in time".to_owned() };
        lines.push(format!("{what}{:<24}{late}, failed {} times", job.name, job.failures));
    }
    lines.push(String::new());
    if status.findings.is_empty() {
        lines.push("Nothing runs out within 30 days, nothing is late.".to_owned());
    }
    for finding in &status.findings {
        lines.push(format!(
            "{:<10}{}: {}",
            words.label(finding.severity.name()).to_uppercase(),
            finding.about,
            finding.says
        ));
    }
    lines.join("\n")
}

fn age(days: Option<i64>) -> String {
    days.map_or_else(String::new, |days| format!(", the oldest for {days} days"))
}

/// In which language the labels are; what stands behind them is English.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Words {
    English,
    Vietnamese,
}

impl Words {
    /// Those of `LC_ALL`, `LC_MESSAGES` or `LANG`, whichever is set first.
    fn of_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        let first = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        let language = first.split(['_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("vi") { Self::Vietnamese } else { Self::English }
    }

    fn label(self, english: &'static str) -> &'static str {
        let found = LABELS.iter().find(|(word, _)| self == Self::Vietnamese && *word == english);
        found.map_or(english, |(_, vietnamese)| vietnamese)
    }
}

/// Labels, and what they are in Vietnamese; at most fourteen letters where a word stands before a column.
const LABELS: [(&str, &str); 24] = [
    ("accounts", "tài khoản kho"),
    ("administrators", "quản trị viên"),
    ("agreement", "thỏa thuận"),
    ("applications", "hồ sơ"),
    ("archive", "bản lưu"),
    ("card keys", "khóa thẻ"),
    ("cards", "thẻ"),
    ("certificates", "chứng thư"),
    ("critical", "khẩn cấp"),
    ("database", "cơ sở dữ liệu"),
    ("disk", "ổ đĩa"),
    ("holidays", "ngày nghỉ lễ"),
    ("jobs", "công việc"),
    ("late", "quá hạn"),
    ("notice", "lưu ý"),
    ("numbers", "số định danh"),
    ("orders", "lệnh ghi"),
    ("partner", "đối tác"),
    ("sign-in", "đăng nhập"),
    ("station", "trạm"),
    ("still of the old", "còn của cơ quan cũ"),
    ("stock", "kho phôi"),
    ("trust bundle", "gói tin cậy"),
    ("warning", "cảnh báo"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_vietnamese_word_and_fits_its_column() {
        for (english, vietnamese) in LABELS {
            assert_eq!(Words::Vietnamese.label(english), vietnamese);
            assert_eq!(Words::English.label(english), english);
            assert!(vietnamese.chars().count() < 15 || english == "still of the old", "{vietnamese}");
        }
    }
}
