//! Generates `docs/failure-codes.md` and its Vietnamese edition from the catalogues under `docs/problems/`.
//!
//! `UPDATE_BOOK=1 cargo test -p card-agent --lib book` rewrites both files; without it the test compares them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crypto::perso::problem::{About, ProblemCode};
use serde::Deserialize;

use super::words::Translations;
use super::{Code, Language};

/// What `docs/problems/service.toml` says of one code.
#[derive(Deserialize)]
struct ServiceEntry {
    status: u16,
    #[serde(flatten)]
    words: Translations,
}

fn service_book() -> BTreeMap<String, ServiceEntry> {
    toml::from_str(include_str!("../../../docs/problems/service.toml")).expect("docs/problems/service.toml")
}

/// The fixed text of an edition.
struct Edition {
    language: Language,
    file: &'static str,
    opening: &'static str,
    agent_columns: &'static str,
    service: &'static str,
    service_columns: &'static str,
    about: fn(About) -> &'static str,
}

const ENGLISH: Edition = Edition {
    language: Language::English,
    file: "failure-codes.md",
    opening: "\
# Failure codes

What a person can see, what it means and what to do. ([Tiếng Việt](failure-codes.vi.md))

This file is generated from `docs/problems/`; a test of `card-agent` keeps it equal and rewrites it with `UPDATE_BOOK=1`.

## Of the agent and the kiosk (`card-agent`)

A failing command prints the code, the particulars, the cause and the remedy on standard error and ends with the exit status given
here; 0 is success, 2 a command line that was not understood. With a refusal of the service (42, 45 to 49, 56, 57) the service's own code, detail
and remedy are shown (next chapter). With `--json` the same stands in `error` of the answer on standard output.
",
    agent_columns: "| code | exit | cause | remedy |",
    service: "\
## Of the issuance service

Answers that are no success carry `application/problem+json` (RFC 9457): `code` (stable, for programs), `status`, `detail` without personal
data, `remedy`, `request_id` (also in the header `x-request-id`), under which the service's log has the request, and `about`: what the
problem is about. A station decides by `about` and code.
",
    service_columns: "| code | status | cause | remedy |",
    about: |about| match about {
        About::Chip => "About the chip (`about: chip`): another chip would not meet this problem",
        About::Request => "About the request (`about: request`): the request, its data, or the application that it names",
        About::Service => "About the service (`about: service`): unable for now, the same request may succeed later",
        About::Station => "About the caller (`about: station`): identity, rights and office of the station or the officer",
    },
};

const VIETNAMESE: Edition = Edition {
    language: Language::Vietnamese,
    file: "failure-codes.vi.md",
    opening: "\
# Mã lỗi

Những gì người dùng có thể thấy, ý nghĩa và cách xử lý. ([English](failure-codes.md))

Tệp này được tạo ra từ `docs/problems/`; một phép thử của `card-agent` giữ cho hai bên giống nhau và viết lại tệp khi có `UPDATE_BOOK=1`.

## Của trạm và đầu đọc kiểm tra (`card-agent`)

Lệnh không thành công in mã lỗi, chi tiết, nguyên nhân và cách xử lý ra đầu ra lỗi chuẩn và kết thúc với mã thoát ghi ở đây; 0 là thành
công, 2 là dòng lệnh không hiểu được. Khi hệ thống cấp thẻ từ chối (42, 45 đến 49, 56, 57), mã lỗi, chi tiết và cách xử lý của hệ thống được hiển thị
(chương sau). Với `--json`, nội dung này nằm trong `error` của câu trả lời trên đầu ra chuẩn.
",
    agent_columns: "| mã lỗi | mã thoát | nguyên nhân | cách xử lý |",
    service: "\
## Của hệ thống cấp thẻ

Câu trả lời không thành công có dạng `application/problem+json` (RFC 9457): `code` (mã lỗi ổn định, dành cho chương trình), `status`, `detail`
không có dữ liệu cá nhân, `remedy` (cách xử lý), `request_id` (cũng có trong tiêu đề `x-request-id`) để tìm yêu cầu trong nhật ký của hệ thống,
và `about`: lỗi nói về điều gì. Trạm quyết định theo `about` và mã lỗi.
",
    service_columns: "| mã lỗi | trạng thái | nguyên nhân | cách xử lý |",
    about: |about| match about {
        About::Chip => "Về chip (`about: chip`): với chip khác thì không gặp lỗi này",
        About::Request => "Về yêu cầu (`about: request`): yêu cầu, dữ liệu của yêu cầu, hoặc hồ sơ mà yêu cầu nêu",
        About::Service => "Về hệ thống (`about: service`): tạm thời chưa làm được, cùng yêu cầu đó có thể thành công sau",
        About::Station => "Về bên gọi (`about: station`): danh tính, quyền và cơ quan của trạm hoặc của cán bộ",
    },
};

impl Edition {
    fn render(&self) -> String {
        let service_book = service_book();
        let mut text = format!("{}\n{}\n{RULE}\n", self.opening, self.agent_columns);
        for code in Code::ALL {
            let words = code.words(self.language);
            row(&mut text, code.word(), code.exit().into(), words);
        }
        write!(text, "\n{}", self.service).expect("a String takes all");
        for about in [About::Request, About::Chip, About::Station, About::Service] {
            write!(text, "\n### {}\n\n{}\n{RULE}\n", (self.about)(about), self.service_columns)
                .expect("a String takes all");
            for code in ProblemCode::ALL.iter().filter(|code| code.about() == about) {
                let entry = &service_book[code.word()];
                row(&mut text, code.word(), entry.status, entry.words.of(self.language));
            }
        }
        text
    }
}

fn row(text: &mut String, word: &str, number: u16, words: &super::Words) {
    writeln!(text, "| `{word}` | {number} | {} | {} |", words.cause, words.remedy).expect("a String takes all");
}

const RULE: &str = "| --- | --- | --- | --- |";

#[test]
fn every_problem_of_the_service_has_its_words_in_both_languages_and_no_word_is_without_code() {
    let book = service_book();
    for code in ProblemCode::ALL {
        let entry = book.get(code.word()).unwrap_or_else(|| panic!("docs/problems/service.toml lacks {code}"));
        assert!((400..600).contains(&entry.status), "{code}");
        assert!(entry.status < 500 || code.about() == About::Service, "{code}: a server error is about the service");
        assert!(entry.words.are_complete(), "{code}");
    }
    for word in book.keys() {
        assert!(word.parse::<ProblemCode>().is_ok(), "docs/problems/service.toml has `{word}`, which is no code");
    }
}

#[test]
fn failure_codes_book_is_generated() {
    for edition in [ENGLISH, VIETNAMESE] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(edition.file);
        let text = edition.render();
        if std::env::var_os("UPDATE_BOOK").is_some() {
            fs::write(&path, &text).expect("docs/ can be written");
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "docs/{} is not what the catalogues say; run this test with UPDATE_BOOK=1",
            edition.file
        );
    }
}
