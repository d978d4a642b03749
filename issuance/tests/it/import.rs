//! Files of declarations: what enters the register, what waits in quarantine, and what is left when the import is cut.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use issuance::deed::Occasion;
use issuance::ground::ids::{PersonId, QuarantinedId};
use issuance::ground::{Id, Role};
use issuance::numbering::leases;
use issuance::numbering::steps::establish;
use issuance::population::Register;
use issuance::population::change::{self, Wanted as Change};
use issuance::population::history::{Confidence, EventKind, Evidence, FactSource, Form};
use issuance::population::import::quarantine::{self, QuarantineError};
use issuance::population::import::{
    Done, Ended, First, FirstRefused, Format, ImportError, Told, Wanted, import, load_first, look_for_doubles,
};
use issuance::population::nation::{self, Nation};
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql};
use issuance::{args, population, sql};
use serde_json::{Value, json};

use crate::offices::{Offices, appoint, declaration, moves, within};
use crate::{postgres, tables};

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(files::$name(&Offices::open(None).await, None)).await;
            if let Some(url) = tables::fresh_database() {
                Box::pin(files::$name(&Offices::open(Some(url.clone())).await, Some(url))).await;
            }
        }
    )* };
}

on_both!(
    each_row_is_in_the_register_or_in_quarantine,
    the_same_file_again_changes_nothing,
    a_file_that_was_cut_goes_on_when_it_is_whole,
    a_header_that_is_none_is_refused_before_anything_is_written,
    bytes_that_are_no_text_are_named_with_their_place,
    a_field_of_ten_megabytes_keeps_one_row_out,
    one_person_twice_is_found_in_the_file_and_in_the_register,
    both_of_two_who_are_probably_one_have_the_finding,
    a_number_of_a_lease_does_not_come_in_with_a_file,
    a_number_that_came_with_a_file_is_given_to_no_other,
    households_without_a_head_or_with_two_are_found,
    the_history_begins_with_the_file_and_the_comparison_proves_it,
    two_importers_do_not_read_one_file,
    an_import_that_is_stopped_goes_on,
    an_importer_that_is_killed_is_followed_by_the_next,
    a_line_of_json_is_a_declaration,
    a_row_in_quarantine_is_mended_by_officers_of_its_office,
    an_export_of_the_quarantine_is_mended_and_imported,
    what_an_import_found_in_the_register_outlives_a_change_of_something_else,
    a_record_that_was_merged_is_no_second_person_for_a_file,
    the_same_declaration_is_found_among_hundreds_of_one_name_and_year,
    a_row_enters_at_the_office_of_its_file_and_as_of_the_day_of_its_form,
    a_form_leaves_the_quarantine_of_the_place_where_it_was_counted,
    a_row_and_a_declaration_of_one_person_wait_for_each_other_in_one_order,
    the_same_pair_gets_the_same_answer_on_every_way_in,
    a_file_that_was_edited_is_ended_by_an_officer_and_what_entered_stays,
    a_file_of_which_nothing_was_read_is_of_the_officer_who_begins_it_then,
    the_rules_of_all_rows_that_wait_are_counted_and_rows_of_one_rule_are_dropped_at_once,
    a_file_of_invented_people_is_in_every_figure_and_index,
);

const HEADER: &str = "form,declared_on,personal_number,full_name,birth_date,sex,birth_registration.province,\
                      place_of_origin.province,ethnic_group,old_id_number";

/// A row of a person of this number.
fn row(number: usize) -> String {
    let words = ["An", "Bình", "Chi", "Dung", "Giang", "Hà", "Khánh", "Lan", "Minh", "Nga"];
    let name = |n: usize| words[n % 10];
    let full = format!("Nguyễn {} {} {}", name(number), name(number / 10), name(number / 100));
    format!("{number},2026-01-05,,{full},{:02}/{:02}/1980,Nam,001,001,01,", number % 28 + 1, number / 1000 % 12 + 1)
}

/// A file of so many persons.
fn rows(count: usize) -> String {
    let mut text = format!("{HEADER}\n");
    for number in 0..count {
        writeln!(text, "{}", row(number)).unwrap();
    }
    text
}

fn file(offices: &Offices, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = offices.data.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn wanted(offices: &Offices, file: PathBuf) -> Wanted {
    let format = if file.extension().is_some_and(|end| end == "csv") { Format::Csv } else { Format::Ndjson };
    Wanted { file, format, officer: offices.registrar.id, office: offices.registrar.office.clone() }
}

async fn imports(offices: &Offices, file: PathBuf) -> Result<(Done, Ended), ImportError> {
    let (stop, wanted) = (AtomicBool::new(false), wanted(offices, file));
    Box::pin(import(offices.state.deeds(), &offices.state.register, wanted, &stop, |_| ())).await
}

async fn finishes(offices: &Offices, file: PathBuf) -> Done {
    let (done, ended) = imports(offices, file).await.unwrap();
    assert_eq!(ended, Ended::Finished);
    assert_eq!(done.rows, done.accepted + done.quarantined);
    done
}

async fn rows_of(offices: &Offices, sql: Sql, arguments: Vec<Argument>) -> i64 {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    tx.one(sql, arguments).await.unwrap().unwrap().get("n").unwrap()
}

async fn persons(offices: &Offices) -> i64 {
    rows_of(offices, sql!("select count(*) as n from person"), args![]).await
}

/// Rules and messages of the rows that wait, by line.
async fn waiting(offices: &Offices) -> Vec<(i64, String, String)> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let rows =
        tx.all(sql!("select id, line, findings from quarantined order by batch_id, line"), args![]).await.unwrap();
    let told = |row: &issuance::store::Record| {
        let findings: Value = row.get("findings").unwrap();
        let all = |field: &str| {
            let all = findings.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap_or_default().to_owned());
            all.collect::<Vec<_>>().join("; ")
        };
        (row.get("line").unwrap(), all("code"), all("message"))
    };
    rows.iter().map(told).collect()
}

/// Codes of the findings about the person on a line.
async fn found(offices: &Offices, line: i64) -> Vec<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select id, findings from person where batch_line = $1");
    let row = tx.one(sql, args![line]).await.unwrap().unwrap();
    let findings: Value = row.get("findings").unwrap();
    findings.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

async fn person_on(offices: &Offices, line: i64) -> PersonId {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id from person where batch_line = $1"), args![line]).await.unwrap().unwrap();
    PersonId::of(&row, "id").unwrap()
}

async fn nothing_differs(offices: &Offices, persons: u64) {
    let found = change::compare(offices.state.deeds().db(), |_| ()).await.unwrap();
    assert_eq!((found.persons, found.differ), (persons, vec![]));
}

/// The command, in a process of its own.
fn command(offices: &Offices, database: Option<&str>, file: &PathBuf) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.arg("import").arg(file).arg("--data").arg(offices.data.path());
    command.arg("--officer").arg(format!("registrar-{}", offices.registrar.id));
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(child: Child) -> (Option<i32>, String) {
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

mod files {
    use super::*;

    pub async fn each_row_is_in_the_register_or_in_quarantine(offices: &Offices, _: Option<String>) {
        let text = format!(
            "{HEADER}\n{}\n,,,Trần Văn Hai,31/02/1990,Nam,001,001,01,\n,,,,01/01/1990,?,001,001,01,\n,,,\"Lê, Văn\",1990,Nam,001\n{}\n",
            row(1),
            row(2)
        );
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.rows, done.accepted, done.quarantined), (5, 2, 3));
        let kept: Vec<_> = waiting(offices).await.into_iter().map(|(line, codes, _)| (line, codes)).collect();
        let expected = [(3, "date-impossible"), (4, "field-missing; sex-unknown"), (5, "columns-differ")];
        assert_eq!(kept, expected.map(|(line, codes)| (line, codes.to_owned())));
        assert_eq!(done.by_rule["R-04"], 1);
        let trail =
            sql!("select count(*) as n from audit_entry where action = 'declarations-imported' and person_id is null");
        assert!(rows_of(offices, trail, args![]).await >= 3, "begun, entered, finished");
    }

    pub async fn the_same_file_again_changes_nothing(offices: &Offices, _: Option<String>) {
        let text = rows(2500);
        let done = finishes(offices, file(offices, "a.csv", &text)).await;
        assert_eq!((done.accepted, persons(offices).await), (2500, 2500));
        let (again, ended) = imports(offices, file(offices, "other-name.csv", &text)).await.unwrap();
        assert!(matches!(ended, Ended::Before(_)), "{ended:?}");
        assert_eq!((again.batch, again.rows, persons(offices).await), (done.batch, 2500, 2500));
    }

    pub async fn a_file_that_was_cut_goes_on_when_it_is_whole(offices: &Offices, _: Option<String>) {
        let whole = format!("{}5000,2026-01-05,,\"Lê Văn\nNăm\",01/01/1981,Nam,001,001,01,\n", rows(1500));
        // In the middle of a word: refused before anything is written.
        let cut = imports(offices, file(offices, "a.csv", &whole[..whole.len() - 9])).await.unwrap_err();
        let says = format!("line 1503, byte {}: the file ends without a line break", whole.len() - 9);
        assert!(cut.to_string().contains(&says), "{cut}");
        assert_eq!(persons(offices).await, 0);
        // Between quotation marks, after a line break: the rows before are taken.
        let at = whole.find("Lê Văn\n").unwrap() + "Lê Văn\n".len();
        let cut = imports(offices, file(offices, "a.csv", &whole[..at])).await.unwrap_err();
        let row = whole.find("5000,").unwrap();
        assert!(cut.to_string().contains(&format!("begins at line 1502, byte {row}")), "{cut}");
        assert_eq!(persons(offices).await, 1500);
        let done = finishes(offices, file(offices, "a.csv", &whole)).await;
        assert_eq!((done.rows, done.accepted, persons(offices).await), (1501, 1501, 1501));
        let batches = rows_of(offices, sql!("select count(*) as n from import_batch"), args![]).await;
        assert_eq!(batches, 1, "the whole file is the one that was begun");
    }

    pub async fn a_header_that_is_none_is_refused_before_anything_is_written(offices: &Offices, _: Option<String>) {
        let cases: [(&[u8], &str); 5] = [
            (b"full_name,birth_date\na,b\n", "the header lacks the column `sex`"),
            (b"full_nam,birth_date\n", "`full_nam`, which does not exist: `full_name` is meant?"),
            (b"\xff\xfef\0u\0l\0l\0", "as in UTF-16"),
            (b"PK\x03\x04...", "a packed file or a table calculation"),
            (b"", "the file is empty"),
        ];
        for (text, says) in cases {
            let error = imports(offices, file(offices, "a.csv", text)).await.unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("nothing was written"), "{error}");
        }
        assert_eq!(rows_of(offices, sql!("select count(*) as n from import_batch"), args![]).await, 0);
    }

    pub async fn bytes_that_are_no_text_are_named_with_their_place(offices: &Offices, _: Option<String>) {
        let mut text = format!("{HEADER}\n{}\n", row(1)).into_bytes();
        let latin = text.len();
        text.extend_from_slice(b",,,Nguy\xean V\xe3n Ba,01/01/1990,Nam,001,001,01,\n");
        let nul = text.len();
        text.extend_from_slice(b",,,Le\0Van Tu,01/01/1990,Nam,001,001,01,\n");
        text.extend_from_slice(row(2).as_bytes());
        text.push(b'\n');
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.accepted, done.quarantined), (2, 2));
        let kept = waiting(offices).await;
        let says =
            format!("line 3, byte {}: 0xEA, as in Latin-1, Windows-1258 or TCVN3: save the file as UTF-8", latin + 7);
        assert_eq!(kept[0], (3, "bytes-not-utf8".to_owned(), says));
        assert_eq!(kept[1], (4, "byte-nul".to_owned(), format!("line 4, byte {}: a NUL byte", nul + 5)));
    }

    pub async fn a_field_of_ten_megabytes_keeps_one_row_out(offices: &Offices, _: Option<String>) {
        let big = "x".repeat(10 * 1024 * 1024);
        let long = "y".repeat(9000);
        let text = format!(
            "{HEADER}\n{}\n,,,\"{big}\",01/01/1990,Nam,001,001,01,\n,,,{long},01/01/1990,Nam,001,001,01,\n{}\n",
            row(1),
            row(2)
        );
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.accepted, done.quarantined), (2, 2));
        let kept: Vec<_> = waiting(offices).await.into_iter().map(|(line, code, _)| (line, code)).collect();
        assert_eq!(kept, [(3, "row-too-long".to_owned()), (4, "field-too-long".to_owned())]);
    }

    pub async fn one_person_twice_is_found_in_the_file_and_in_the_register(offices: &Offices, _: Option<String>) {
        // Declared at the counter before: the same likeness, and another declaration.
        offices.declares(&population::model::Declaration { birth_date: "06/01/2000".into(), ..declaration() }).await;
        let other = ",,,Nguyễn  Thị Mẫu,06/01/2000,Nữ,001,001,01,";
        let shared = ",,,Phạm Văn Sáu,01/01/1990,Nam,001,001,01,012345678";
        let shares = ",,,Phạm Văn Bảy,01/01/1991,Nam,001,001,01,012345678";
        let text = format!("{HEADER}\n{}\n{}\n{other}\n{shared}\n{shares}\n", row(1), row(1));
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.accepted, done.quarantined), (4, 1));
        assert_eq!(waiting(offices).await[0].1, "declared-already");
        assert!(found(offices, 4).await.contains(&"perhaps-declared-before".to_owned()));
        assert!(!found(offices, 5).await.contains(&"old-number-shared".to_owned()));
        assert!(found(offices, 6).await.contains(&"old-number-shared".to_owned()));
        // Another file with the first row: found in the register.
        let again = format!("{HEADER}\n{}\n{}\n", row(1), row(2));
        let done = finishes(offices, file(offices, "b.csv", again)).await;
        assert_eq!((done.accepted, done.by_rule["R-37"]), (1, 1));
    }

    pub async fn both_of_two_who_are_probably_one_have_the_finding(offices: &Offices, _: Option<String>) {
        // Day and month swapped and a tone lost: no likeness, and yet one person.
        let one = ",,,Nguyễn Thị Mầm,05/01/1991,Nữ,001,001,01,012345678";
        let again = ",,,Nguyễn Thi Mầm,01/05/1991,Nữ,001,001,01,012345679";
        let text = format!("{HEADER}\n{one}\n{}\n{again}\n", row(1));
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        let code = "perhaps-declared-before".to_owned();
        assert!(!found(offices, 2).await.contains(&code) && !found(offices, 4).await.contains(&code));
        let deeds = offices.state.deeds();
        let stopped = look_for_doubles(deeds, done.batch, &true.into(), |_, _| ()).await.unwrap();
        assert_eq!(stopped, (0, false));
        let looked = look_for_doubles(deeds, done.batch, &false.into(), |_, _| ()).await.unwrap();
        assert_eq!(looked, (2, true));
        assert!(found(offices, 2).await.contains(&code) && found(offices, 4).await.contains(&code));
        assert!(!found(offices, 3).await.contains(&code));
        assert_eq!(look_for_doubles(deeds, done.batch, &false.into(), |_, _| ()).await.unwrap(), (0, true));
        // The four figures follow.
        let register = &offices.state.register;
        let recounted = population::quality::recount(deeds.db(), register.reference()).await.unwrap();
        assert_eq!((recounted.persons, recounted.differ), (3, vec![]));
    }

    pub async fn a_number_of_a_lease_does_not_come_in_with_a_file(offices: &Offices, _: Option<String>) {
        let numbers = &offices.state.numbers;
        let wanted = leases::Wanted {
            office: offices.registrar.office.clone(),
            holder: "Birth desk 2".to_owned(),
            purpose: leases::LeasePurpose::BirthDesk,
            province: "001".parse().unwrap(),
            birth_year: 1990,
            sex: Some(crypto::identity::Sex::Male),
            numbers: 3,
            days: 1,
        };
        let lease = within!(offices, offices.registrar, deed => leases::lease(deed, numbers, wanted)).unwrap();
        let leased: Vec<String> = lease.numbers(numbers.permutation()).map(|one| one.unwrap().to_string()).collect();
        let text = format!("{HEADER}\n,,{},Một Văn,01/01/1990,Nam,001,001,01,\n", leased[1]);
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.accepted, done.quarantined), (0, 1));
        assert_eq!(waiting(offices).await[0].1, "number-taken");
    }

    pub async fn a_number_that_came_with_a_file_is_given_to_no_other(offices: &Offices, _: Option<String>) {
        let with = |number: &str, name: &str| format!(",,{number},{name},01/01/1990,Nam,001,001,01,");
        let text = format!(
            "{HEADER}\n{}\n{}\n{}\n{}\n",
            with("001090000001", "Một Văn"),
            with("001090000001", "Hai Văn"),
            with("001190000002", "Ba Văn"),
            with("01090000003", "Bốn Văn"),
        );
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!((done.accepted, done.quarantined), (1, 3));
        let kept: Vec<_> = waiting(offices).await.into_iter().map(|(_, codes, _)| codes).collect();
        assert_eq!(kept, ["number-taken", "own-number-other-sex", "own-number-malformed"]);
        // It counts in its cell, which the counter of the cell has not reached.
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let cells = issuance::numbering::store::leases::cells(&mut tx, "", 10).await.unwrap();
        drop(tx);
        assert_eq!(cells.iter().map(|(id, cell)| (id.as_str(), cell.used)).collect::<Vec<_>>(), [("001-M-1990", 1)]);
        // The person has the number, and asked for one gets it.
        let person = person_on(offices, 2).await;
        let number = within!(offices, offices.registrar, deed => establish(deed, &offices.state.numbers, person, None));
        assert_eq!(number.unwrap().as_str(), "001090000001");
        let next = format!("{HEADER}\n{}\n", with("001090000001", "Năm Văn"));
        let done = finishes(offices, file(offices, "b.csv", next)).await;
        assert_eq!((done.accepted, done.by_rule["R-36"]), (0, 1));
    }

    pub async fn households_without_a_head_or_with_two_are_found(offices: &Offices, _: Option<String>) {
        let header = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group,\
                      permanent_residence.province,permanent_residence.district,permanent_residence.commune,\
                      relation_to_head,household_book_number";
        let person = |name: &str, relation: &str, book: &str| {
            format!("{name},01/01/1990,Nam,001,001,01,001,001,00001,{relation},{book}\n")
        };
        let first = [
            person("Một", "Chủ hộ", "A1"),
            person("Hai", "con", "a1"),
            person("Ba", "con", "B2"),
            person("Bốn", "chủ hộ", "C3"),
            person("Năm", "CHU HO", "C3"),
        ];
        let done = finishes(offices, file(offices, "a.csv", format!("{header}\n{}", first.concat()))).await;
        assert_eq!((done.accepted, done.households), (5, 3));
        let of_household = async |line| {
            let codes = found(offices, line).await;
            codes.into_iter().filter(|code| code.starts_with("household")).collect::<Vec<_>>()
        };
        assert_eq!(of_household(2).await, [""; 0]);
        assert_eq!(of_household(4).await, ["household-without-head"]);
        assert_eq!(of_household(5).await, ["household-with-two-heads"]);
        // Another file brings a second head of the first household: it concerns those who were there before.
        let second = format!("{header}\n{}", person("Sáu", "chủ hộ", "A1"));
        assert_eq!(finishes(offices, file(offices, "b.csv", second)).await.households, 3);
        nothing_differs(offices, 6).await;
    }

    pub async fn the_history_begins_with_the_file_and_the_comparison_proves_it(
        offices: &Offices,
        database: Option<String>,
    ) {
        let done = finishes(offices, file(offices, "a.csv", rows(3))).await;
        let person = person_on(offices, 3).await;
        let second = appoint(offices.state.deeds(), Role::Registrar).await;
        let fields = json!({"religion": "Phật giáo"}).as_object().unwrap().clone();
        let evidence = Evidence {
            form: Form::Dc02,
            source: FactSource::Citizen,
            document: "DC02 1/2026".to_owned().try_into().unwrap(),
            confidence: Confidence::Declared,
        };
        let change = Change { kind: EventKind::Corrected, valid_from: None, evidence, fields: &fields };
        let register = &offices.state.register;
        let proposed = within!(offices, offices.registrar, deed => change::propose(deed, register, person, change));
        let id = proposed.unwrap().id;
        within!(offices, second, deed => change::apply(deed, register, id)).unwrap();
        let told = within!(offices, offices.registrar, deed => change::history(deed, person, Occasion::default()));
        let told = told.unwrap();
        let kinds: Vec<_> = told.events.iter().map(|event| (event.ordinal, event.kind)).collect();
        assert_eq!(kinds, [(1, EventKind::Declared), (2, EventKind::Corrected)]);
        let first = &told.events[0];
        let of_file = first.file.as_ref().unwrap();
        assert_eq!((of_file.batch, of_file.line, of_file.name.as_str()), (done.batch, 3, "a.csv"));
        assert_eq!(
            (first.recorded.by, first.evidence.document.as_str()),
            (offices.registrar.id, "DC01 1; a.csv, line 3")
        );
        assert_eq!(first.declared.as_ref().unwrap()["religion"], Value::Null);
        nothing_differs(offices, 3).await;

        let settings = Settings { database, ..Settings::new(offices.data.path()) };
        let verified = server::verify(&settings, |_| ()).await.unwrap();
        assert_eq!((verified.faults, verified.history.events), (vec![], 4));
        // Another hand changes a record, and makes the digest anew, which any hand can.
        let db = offices.state.deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let row = tx.one(sql!("select id, record from person where id = $1"), args![person]).await.unwrap().unwrap();
        let mut record: Value = row.get("record").unwrap();
        record["full_name"] = json!("Trần Văn Khác");
        let mut before = record.clone();
        before["religion"] = Value::Null;
        let digest = population::import::digest(&before);
        let forge = sql!("update person set record = $1, declared_digest = $2 where id = $3");
        tx.run(forge, args![Argument::json(&record), digest, person]).await.unwrap();
        tx.commit().await.unwrap();
        let differ = change::compare(db, |_| ()).await.unwrap().differ;
        assert_eq!(differ, [(person, "what is left when the events are undone is not what was declared".to_owned())]);
        let told = within!(offices, offices.registrar, deed => change::history(deed, person, Occasion::default()));
        assert!(told.is_err(), "it is not believed");
        // Another hand changes the row of the file.
        let mut tx = db.begin_upkeep().await.unwrap();
        let forge = sql!("update import_batch set file_name = 'other.csv' where id = $1");
        tx.run(forge, args![done.batch]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(change::compare(db, |_| ()).await.unwrap().differ.len(), 3);
    }

    pub async fn two_importers_do_not_read_one_file(offices: &Offices, _: Option<String>) {
        let path = file(offices, "a.csv", rows(5000));
        let (stop, second) = (AtomicBool::new(false), std::cell::RefCell::new(None));
        // The first one is in the middle when the second begins.
        let first = Box::pin(import(
            offices.state.deeds(),
            &offices.state.register,
            wanted(offices, path.clone()),
            &stop,
            |told| {
                if let Told::Entered(done) = told
                    && done.rows >= 1000
                    && second.borrow().is_none()
                {
                    let other = imports(offices, path.clone());
                    let other = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(other));
                    *second.borrow_mut() = Some(other.unwrap_err().to_string());
                }
            },
        ));
        let (done, ended) = first.await.unwrap();
        assert_eq!((done.accepted, ended), (5000, Ended::Finished));
        let second = second.into_inner().unwrap();
        assert!(second.contains("another process imports this file"), "{second}");
        assert_eq!(persons(offices).await, 5000);
    }

    pub async fn an_import_that_is_stopped_goes_on(offices: &Offices, _: Option<String>) {
        let path = file(offices, "a.csv", rows(3500));
        let stop = AtomicBool::new(false);
        let tell = |told: Told| {
            if matches!(told, Told::Entered(done) if done.rows >= 2000) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let stopped =
            import(offices.state.deeds(), &offices.state.register, wanted(offices, path.clone()), &stop, tell);
        let (done, ended) = Box::pin(stopped).await.unwrap();
        assert_eq!((done.rows, ended, persons(offices).await), (3000, Ended::Stopped, 3000));
        let done = finishes(offices, path).await;
        assert_eq!((done.rows, done.accepted, persons(offices).await), (3500, 3500, 3500));
        nothing_differs(offices, 3500).await;
    }

    pub async fn an_importer_that_is_killed_is_followed_by_the_next(offices: &Offices, database: Option<String>) {
        let path = file(offices, "a.csv", rows(12_000));
        let mut before = 0;
        for kill_at in [1, 3000, 6000] {
            let mut child = command(offices, database.as_deref(), &path).spawn().unwrap();
            // Killed as soon as it has entered so many rows, wherever it is then.
            while persons(offices).await < kill_at && child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            child.kill().unwrap();
            let (code, said) = said(child);
            let there = persons(offices).await;
            assert!(
                code.is_none_or(|code| code == 0) && there >= before && there % 1000 == 0,
                "{code:?} {there} {said}"
            );
            before = there;
            let counted = rows_of(offices, sql!("select rows as n from import_batch"), args![]).await;
            assert_eq!(counted, there, "rows and position are one transaction");
        }
        let (code, told) = said(command(offices, database.as_deref(), &path).spawn().unwrap());
        assert!(code == Some(0) && told.contains("12000 rows = 12000 accepted + 0 quarantined"), "{code:?} {told}");
        assert_eq!(persons(offices).await, 12_000);
        let (code, told) = said(command(offices, database.as_deref(), &path).spawn().unwrap());
        assert!(code == Some(0) && told.contains("nothing changed"), "{code:?} {told}");
        nothing_differs(offices, 12_000).await;
    }

    pub async fn a_line_of_json_is_a_declaration(offices: &Offices, _: Option<String>) {
        let place = json!({"province": "003"});
        let one = json!({"form": "7", "full_name": "Lê Thị Một", "birth_date": "1990-02-03", "sex": "F",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01",
            "father": {"full_name": "Lê Văn Không"}});
        let lines = [
            one.to_string(),
            "{\"full_name\": \"Cut".to_owned(),
            json!({"full_nam": "x"}).to_string(),
            json!({"full_name": {"a": "secret"}}).to_string(),
            "{\"full_name\": \"a\\u0000b\"}".to_owned(),
            one.to_string().replacen('{', "{\"sex\":\"M\",", 1),
            one.to_string().replacen("{\"full_name\"", "{\"full_name\":\"Lê Văn Khác\",\"full_name\"", 1),
        ];
        let done = finishes(offices, file(offices, "a.ndjson", format!("{}\n", lines.join("\n")))).await;
        assert_eq!((done.accepted, done.quarantined), (1, 6));
        let kept = waiting(offices).await;
        let codes: Vec<_> = kept.iter().map(|(line, code, _)| (*line, code.as_str())).collect();
        let (malformed, twice) = ("json-malformed", "json-key-twice");
        assert_eq!(codes, [(2, malformed), (3, malformed), (4, malformed), (5, "byte-nul"), (6, twice), (7, twice)]);
        assert!(kept[4].2.contains("the field `sex` stands twice"), "{}", kept[4].2);
        assert!(kept[1].2.contains("no field is called `full_nam`"), "{}", kept[1].2);
        assert!(!kept[2].2.contains("secret"), "{}", kept[2].2);
    }

    async fn ids_waiting(offices: &Offices) -> Vec<QuarantinedId> {
        let office = offices.registrar.office.clone();
        let rows = within!(offices, offices.registrar, deed => quarantine::list(deed, &office, Id::nil(), 100));
        rows.unwrap().into_iter().map(|row| row.id).collect()
    }

    pub async fn a_row_in_quarantine_is_mended_by_officers_of_its_office(offices: &Offices, _: Option<String>) {
        let register = &offices.state.register;
        let text = format!(
            "{HEADER}\n8,,001080000008,Đỗ Văn Tám,12/25/1980,Nam,001,001,01,\n,,,,01/01/1990,Nam,001,001,01,\n"
        );
        finishes(offices, file(offices, "a.csv", text)).await;
        let ids = ids_waiting(offices).await;
        let row = within!(offices, offices.registrar, deed => quarantine::read(deed, ids[0])).unwrap();
        assert_eq!((row.line, row.declaration["full_name"].as_str()), (2, Some("Đỗ Văn Tám")));
        let put = row.findings[0].repair.as_ref().unwrap().put.clone().unwrap();
        let stranger =
            moves(offices.state.deeds(), &appoint(offices.state.deeds(), Role::Registrar).await, "o-9").await;
        let refused = within!(offices, stranger, deed => quarantine::read(deed, ids[0]));
        assert!(matches!(refused, Err(QuarantineError::OtherOffice(_))), "{refused:?}");
        let early = within!(offices, offices.registrar, deed => quarantine::replay(deed, register, ids[0], None));
        assert!(matches!(early, Err(QuarantineError::Declined(_))), "{early:?}");

        let wrong = [("birthday".to_owned(), "x".to_owned())].into();
        let unknown =
            within!(offices, offices.registrar, deed => quarantine::correct(deed, register, ids[0], &wrong, None));
        assert!(matches!(unknown, Err(QuarantineError::ColumnUnknown(_))), "{unknown:?}");
        let right = [(put.field, put.value)].into();
        let judged =
            within!(offices, offices.registrar, deed => quarantine::correct(deed, register, ids[0], &right, None));
        assert_eq!(judged.unwrap().against, []);
        let replayed = within!(offices, offices.registrar, deed => quarantine::replay(deed, register, ids[0], None));
        let (person, _) = replayed.unwrap();
        let number = within!(offices, offices.registrar, deed => establish(deed, &offices.state.numbers, person, None));
        assert_eq!(number.unwrap().as_str(), "001080000008");
        let told = within!(offices, offices.registrar, deed => change::history(deed, person, Occasion::default()));
        assert_eq!(told.unwrap().events[0].evidence.document.as_str(), "DC01 8; a.csv, line 2");
        let again = within!(offices, offices.registrar, deed => quarantine::replay(deed, register, ids[0], None));
        assert!(matches!(again, Err(QuarantineError::Unknown)), "a row enters once");

        within!(offices, offices.registrar, deed => quarantine::dismiss(deed, &offices.state.register, ids[1], "no name on the paper")).unwrap();
        assert_eq!(ids_waiting(offices).await, []);
        let trail = sql!("select count(*) as n from audit_entry where action like 'quarantine-%'");
        assert_eq!(rows_of(offices, trail, args![]).await, 6, "two lists, read, corrected, replayed, dropped");
        nothing_differs(offices, 1).await;
    }

    pub async fn a_file_of_invented_people_is_in_every_figure_and_index(offices: &Offices, _: Option<String>) {
        let path = offices.data.path().join("nation.csv");
        let rates = ("5%".parse().unwrap(), "2%".parse().unwrap());
        let nation = Nation::new(4000, 5, rates, &[], time::macros::date!(2026 - 11 - 20)).unwrap();
        let mut out = std::fs::File::create(&path).unwrap();
        nation.write(nation::Format::Csv, 1, &mut out, &mut std::io::sink(), |_| ()).unwrap();
        let extra_provinces = nation::invented_provinces();
        let settings = population::Settings { extra_provinces, ..population::Settings::default() };
        let register = Register::open(&settings).unwrap().with_numbers(Arc::new(offices.state.numbers.clone()));
        let (deeds, stop) = (offices.state.deeds(), AtomicBool::new(false));
        let (done, _) = Box::pin(import(deeds, &register, wanted(offices, path), &stop, |_| ())).await.unwrap();
        assert!(done.rows >= 4000 && done.accepted > 3000 && done.quarantined > 0, "{done:?}");
        let recounted = population::quality::recount(deeds.db(), register.reference()).await.unwrap();
        assert_eq!((recounted.persons, recounted.differ), (done.accepted, vec![]));
        nothing_differs(offices, done.accepted).await;
        // Each person lies under the keys of the record, and the dictionary knows each name.
        let mut tx = deeds.db().begin_read().await.unwrap();
        let under = tx.all(sql!("select key, person_id from person_key"), args![]).await.unwrap();
        let mut under: Vec<(i64, PersonId)> =
            under.iter().map(|row| (row.get("key").unwrap(), PersonId::of(row, "person_id").unwrap())).collect();
        let people = tx.all(sql!("select id, record from person"), args![]).await.unwrap();
        let keys = |row: &issuance::store::Record| {
            let (id, person): (_, population::model::Person) =
                (PersonId::of(row, "id").unwrap(), row.json("record").unwrap());
            let keys = population::duplicates::keys::keys(&(&person).into());
            keys.into_iter().map(move |key| (key, id)).collect::<Vec<_>>()
        };
        let mut expected: Vec<_> = people.iter().flat_map(keys).collect();
        under.sort_unstable();
        expected.sort_unstable();
        assert!(under == expected, "{} keys, and {} are expected", under.len(), expected.len());
        let unknown = sql!(
            "select count(*) as n from person where not exists (select 1 from full_name where full_name.fold = person.fold)"
        );
        assert_eq!(rows_of(offices, unknown, args![]).await, 0);
        let home = sql!("select count(*) as n from audit_home");
        assert_eq!(rows_of(offices, home, args![]).await, persons(offices).await);
    }

    pub async fn an_export_of_the_quarantine_is_mended_and_imported(offices: &Offices, database: Option<String>) {
        let text =
            format!("{HEADER}\n7,,,\"Đỗ, \"\"Tý\"\"\",12/25/1980,Nam,001,001,01,\n,,,Lê Văn Chín,9,Nam,001,001,01,\n");
        let done = finishes(offices, file(offices, "a.csv", text)).await;
        assert_eq!(done.quarantined, 2);
        let export = |act: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.arg("quarantine").arg("--data").arg(offices.data.path()).args(act).stdin(Stdio::null());
            if let Some(url) = &database {
                command.env("ISSUANCE_DATABASE", url);
            }
            let done = command.output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).unwrap()
        };
        assert!(export(&["list"]).contains("2 rows = 0 accepted + 2 quarantined, of which 2 wait"));
        let exported = export(&["export", &done.batch.to_string()]);
        assert!(exported.contains("R-04 date-impossible birth_date") && exported.contains("birth_date = 25/12/1980"));
        // Mended in a table calculation, and imported as it is.
        let mended = exported.replace(",12/25/1980,", ",25/12/1980,").replace("\"Đỗ, \"\"Tý\"\"\"", "Đỗ Tý");
        let mended = mended.replace(",9,Nam", ",1999,Nam");
        // One of them has another fault still: it waits in the place of the old one.
        let mended = mended.replace(",1999,Nam", ",31/02/1999,Nam");
        let again = finishes(offices, file(offices, "mended.csv", mended)).await;
        assert_eq!((again.accepted, again.quarantined), (1, 1));
        assert_eq!(ids_waiting(offices).await.len(), 1, "the old rows wait no more");
        let replaced = sql!("select count(*) as n from quarantined where state = 'replaced' and batch_id = $1");
        assert_eq!(rows_of(offices, replaced, args![done.batch]).await, 2);
        let person = sql!("select count(*) as n from quarantined where state = 'replaced' and person_id is not null");
        assert_eq!(rows_of(offices, person, args![]).await, 1);
        let trail = sql!("select count(*) as n from audit_entry where reason like 'replaced by line %'");
        assert_eq!(rows_of(offices, trail, args![]).await, 2);
        // The campaign counts the one that waits.
        let counted = sql!("select cast(sum(quarantined) as bigint) as n from entry_tally");
        assert_eq!(rows_of(offices, counted, args![]).await, 1);
    }

    const OF_HOUSEHOLDS: &str = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,\
                                 ethnic_group,permanent_residence.province,permanent_residence.district,\
                                 permanent_residence.commune,relation_to_head,household_book_number,old_id_number";

    pub async fn what_an_import_found_in_the_register_outlives_a_change_of_something_else(
        offices: &Offices,
        _: Option<String>,
    ) {
        let person = |name: &str, relation: &str, old: &str| {
            format!("{name},01/01/1990,Nam,001,001,01,001,001,00001,{relation},C3,{old}\n")
        };
        let rows = [person("Một", "chủ hộ", "012345678"), person("Hai", "chủ hộ", "012345678")];
        finishes(offices, file(offices, "a.csv", format!("{OF_HOUSEHOLDS}\n{}", rows.concat()))).await;
        let of_register = async || {
            let codes = found(offices, 3).await;
            let of_register = |code: &String| code.starts_with("household-") || code.starts_with("old-number-");
            let mut codes: Vec<_> = codes.into_iter().filter(of_register).collect();
            codes.sort();
            codes
        };
        let both = ["household-with-two-heads", "old-number-shared"];
        assert_eq!(of_register().await, both);
        let two = person_on(offices, 3).await;
        changes(offices, two, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        assert_eq!(of_register().await, both);
        changes(offices, two, EventKind::Moved, json!({"relation_to_head": "con"})).await;
        assert_eq!(of_register().await, both[1..]);
        changes(offices, two, EventKind::Corrected, json!({"old_id_number": "012345679"})).await;
        assert_eq!(of_register().await, [""; 0]);
        let register = &offices.state.register;
        let recounted = population::quality::recount(offices.state.deeds().db(), register.reference()).await.unwrap();
        assert_eq!(recounted.differ, [""; 0]);
        nothing_differs(offices, 2).await;
    }

    pub async fn a_record_that_was_merged_is_no_second_person_for_a_file(offices: &Offices, _: Option<String>) {
        let person = |name: &str, relation: &str, old: &str| {
            format!("{name},01/01/1990,Nam,001,001,01,001,001,00001,{relation},C3,{old}\n")
        };
        let rows = [person("Một", "chủ hộ", "012345678"), person("Mốt", "chủ hộ", "012345679")];
        let done = finishes(offices, file(offices, "a.csv", format!("{OF_HOUSEHOLDS}\n{}", rows.concat()))).await;
        let (one, two) = (person_on(offices, 2).await, person_on(offices, 3).await);
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let merge = sql!("insert into merged_person (person_id, survivor_id) values ($1, $2)");
        tx.run(merge, args![two, one]).await.unwrap();
        tx.commit().await.unwrap();
        let deeds = offices.state.deeds();
        let looked = look_for_doubles(deeds, done.batch, &false.into(), |_, _| ()).await.unwrap();
        assert_eq!(looked, (0, true), "of the two one is in force");
        // Another member of the household, and another person with the old card of the merged record.
        let next = [person("Ba", "con", ""), person("Tư", "con", "012345679"), rows[1].clone()].concat();
        let done = finishes(offices, file(offices, "b.csv", format!("{OF_HOUSEHOLDS}\n{next}"))).await;
        assert_eq!((done.accepted, done.by_rule["R-37"]), (2, 1), "what was declared of it stays declared");
        let later = sql!(
            "select count(*) as n from person where fold in ('ba', 'tu')
                          and (cast(findings as text) like '%two-heads%' or cast(findings as text) like '%shared%')"
        );
        assert_eq!(rows_of(offices, later, args![]).await, 0);
    }

    pub async fn the_same_declaration_is_found_among_hundreds_of_one_name_and_year(
        offices: &Offices,
        _: Option<String>,
    ) {
        let person = |number: usize| format!("{number},,,Nguyễn Thị Hoa,1950,Nữ,001,001,01,{:09}\n", 100_000 + number);
        let all: String = (0..260).map(person).collect();
        let done = finishes(offices, file(offices, "a.csv", format!("{HEADER}\n{all}"))).await;
        assert_eq!(done.accepted, 260);
        let again: String = (0..260).rev().map(person).collect();
        let done = finishes(offices, file(offices, "b.csv", format!("{HEADER}\n{again}"))).await;
        assert_eq!((done.accepted, done.by_rule["R-37"]), (0, 260));
    }

    pub async fn a_row_enters_at_the_office_of_its_file_and_as_of_the_day_of_its_form(
        offices: &Offices,
        _: Option<String>,
    ) {
        let register = &offices.state.register;
        let text = format!("{HEADER}\n8,2024-02-05,,Đỗ Văn Tám,12/25/1980,Nam,001,001,01,\n");
        finishes(offices, file(offices, "a.csv", text)).await;
        let ids = ids_waiting(offices).await;
        let deeds = offices.state.deeds();
        let national = moves(deeds, &appoint(deeds, Role::Registrar).await, "national").await;
        let right = [("birth_date".to_owned(), "25/12/1980".to_owned())].into();
        within!(offices, national, deed => quarantine::correct(deed, register, ids[0], &right, None)).unwrap();
        let (person, _) = within!(offices, national, deed => quarantine::replay(deed, register, ids[0], None)).unwrap();
        let read = population::steps::read;
        let there = within!(offices, national, deed => read(deed, person, Occasion::default())).unwrap();
        assert_eq!(there.office, offices.registrar.office);
        let of_form = sql!(
            "select count(*) as n from person where id = $1 and form = '8' and declared_on = $2
                            and quality_month = 24289"
        );
        let day = time::macros::date!(2024 - 02 - 05);
        assert_eq!(rows_of(offices, of_form, args![person, day]).await, 1);
        nothing_differs(offices, 1).await;
    }

    pub async fn a_form_leaves_the_quarantine_of_the_place_where_it_was_counted(offices: &Offices, _: Option<String>) {
        let header = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group,\
                      permanent_residence.province,permanent_residence.district,permanent_residence.commune";
        let row = |name: &str| format!("{name},12/25/1980,Nam,001,001,01,001,001,00001\n");
        let rows = [row("Một"), row("Hai")].concat();
        finishes(offices, file(offices, "a.csv", format!("{header}\n{rows}"))).await;
        // The commune is of another district since.
        let tables = tempfile::tempdir().unwrap();
        let change = "table,code,valid_from,within,name_vi,name_en,successor\n\
                      communes,00001,2026-11-20,002,Phúc Xá,Phuc Xa,\n";
        std::fs::write(tables.path().join("2026.csv"), change).unwrap();
        let settings = population::Settings { reorganisations: Some(tables.path().into()), ..Default::default() };
        let register = &population::Register::open(&settings).unwrap();
        let ids = ids_waiting(offices).await;
        within!(offices, offices.registrar, deed => quarantine::dismiss(deed, register, ids[0], "twice")).unwrap();
        let right = [("birth_date".to_owned(), "25/12/1980".to_owned())].into();
        within!(offices, offices.registrar, deed => quarantine::correct(deed, register, ids[1], &right, None)).unwrap();
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let waiting = sql!(
            "select commune, cast(sum(quarantined) as bigint) as n from entry_tally group by commune
             having sum(quarantined) <> 0"
        );
        let waiting = tx.all(waiting, args![]).await.unwrap();
        let waiting: Vec<(String, i64)> =
            waiting.iter().map(|row| (row.get("commune").unwrap(), row.get("n").unwrap())).collect();
        assert_eq!(waiting, [("001/002/00001".to_owned(), 1)]);
    }

    pub async fn a_row_and_a_declaration_of_one_person_wait_for_each_other_in_one_order(
        offices: &Offices,
        _: Option<String>,
    ) {
        let register = &offices.state.register;
        let text = format!("{HEADER}\n8,,,Đỗ Văn Tám,12/25/1980,Nam,001,001,01,\n");
        finishes(offices, file(offices, "a.csv", text)).await;
        let ids = ids_waiting(offices).await;
        let right = [("birth_date".to_owned(), "25/12/1980".to_owned())].into();
        within!(offices, offices.registrar, deed => quarantine::correct(deed, register, ids[0], &right, None)).unwrap();
        let form = population::model::Declaration {
            full_name: "Đỗ Văn Tám".into(),
            birth_date: "25/12/1980".into(),
            sex: "Nam".into(),
            mother: None,
            ..declaration()
        };
        let person = population::check::examine(&form, register.reference(), offices.clock.today()).unwrap().0;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        population::store::duplicates::hold(&mut tx, &(&person).into()).await.unwrap();
        let replay = async {
            within!(offices, offices.registrar, deed => quarantine::replay(deed, register, ids[0], None)).unwrap()
        };
        let declare = async {
            // The row waits for the keys by now, or comes later.
            tokio::time::sleep(Duration::from_millis(300)).await;
            population::store::hold_likeness(&mut tx, &person).await.unwrap();
            tx.commit().await.unwrap();
        };
        tokio::join!(replay, declare);
        nothing_differs(offices, 1).await;
    }

    /// One registrar proposes, a second one applies.
    async fn changes(offices: &Offices, person: PersonId, kind: EventKind, changed: Value) {
        let evidence = Evidence {
            form: Form::Dc02,
            source: FactSource::CivilStatus,
            document: "Trích lục 12/2026".to_owned().try_into().unwrap(),
            confidence: Confidence::Proved,
        };
        let fields = changed.as_object().unwrap().clone();
        let wanted = Change { kind, valid_from: None, evidence, fields: &fields };
        let register = &offices.state.register;
        let proposal = within!(offices, offices.registrar, deed => change::propose(deed, register, person, wanted));
        let second = appoint(offices.state.deeds(), Role::Registrar).await;
        within!(offices, second, deed => change::apply(deed, register, proposal.unwrap().id)).unwrap();
    }

    pub async fn the_same_pair_gets_the_same_answer_on_every_way_in(offices: &Offices, _: Option<String>) {
        let register = &offices.state.register;
        let codes = ["old-number-shared", "perhaps-declared-before"];
        let about = async |name: &str| {
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            let found = sql!("select id, findings from person where old_id_number = $1 order by id");
            let rows = tx.all(found, args![name]).await.unwrap();
            let told = |row: &issuance::store::Record| {
                let findings: Value = row.get("findings").unwrap();
                let all = findings.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned());
                let mut all: Vec<_> = all.filter(|code| codes.contains(&code.as_str())).collect();
                all.sort();
                all
            };
            rows.iter().map(told).collect::<Vec<_>>()
        };
        for (way, name, old) in [("counter", "Quế", 11), ("file", "Mầm", 22), ("quarantine", "Trâm", 33)] {
            let old = format!("0123456{old}");
            let first = population::model::Declaration {
                full_name: format!("Nguyễn Thị {name}"),
                birth_date: "05/01/1991".into(),
                old_id_number: old.clone(),
                mother: None,
                father: None,
                ..declaration()
            };
            offices.declares(&first).await;
            let again = format!("Nguyễn Thi {name}");
            let place = &first.birth_registration.province;
            match way {
                "counter" => {
                    let again = population::model::Declaration {
                        full_name: again,
                        birth_date: "01/05/1991".into(),
                        ..first.clone()
                    };
                    offices.declares(&again).await;
                }
                _ => {
                    let date = if way == "file" { "01/05/1991" } else { "31/02/1991" };
                    let text = format!("{HEADER}\n,,,{again},{date},Nữ,{place},{place},01,{old}\n");
                    let done = finishes(offices, file(offices, &format!("{way}.csv"), text)).await;
                    if way == "file" {
                        look_for_doubles(offices.state.deeds(), done.batch, &false.into(), |_, _| ()).await.unwrap();
                    } else {
                        let id = ids_waiting(offices).await[0];
                        let right = [("birth_date".to_owned(), "01/05/1991".to_owned())].into();
                        within!(offices, offices.registrar, deed => quarantine::correct(deed, register, id, &right, None))
                            .unwrap();
                        within!(offices, offices.registrar, deed => quarantine::replay(deed, register, id, None))
                            .unwrap();
                    }
                }
            }
            assert_eq!(about(&old).await, [vec![codes[1]], codes.to_vec()], "{way}");
        }
        let recounted = population::quality::recount(offices.state.deeds().db(), register.reference()).await.unwrap();
        assert!(recounted.differ.is_empty(), "{:?}", recounted.differ);
    }

    pub async fn a_file_that_was_edited_is_ended_by_an_officer_and_what_entered_stays(
        offices: &Offices,
        database: Option<String>,
    ) {
        let (text, stop) = (rows(2500), AtomicBool::new(false));
        let path = file(offices, "a.csv", &text);
        let tell = |told: Told| {
            if matches!(told, Told::Entered(done) if done.rows >= 1000) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let wanted = wanted(offices, path.clone());
        let stopped = import(offices.state.deeds(), &offices.state.register, wanted, &stop, tell);
        let (done, _) = Box::pin(stopped).await.unwrap();
        // Edited at its beginning: it is another file now, and the one that was begun is never read to its end.
        file(offices, "a.csv", text.replacen("Nguyễn Bình An An", "Nguyễn Bình An Ân", 1));
        let edited = finishes(offices, path.clone()).await;
        assert_ne!(edited.batch, done.batch);
        let run = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.arg("import").arg("--data").arg(offices.data.path()).args(arguments);
            command.arg("--officer").arg(format!("registrar-{}", offices.registrar.id));
            if let Some(url) = &database {
                command.args(["--database", url]);
            }
            said(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let batch = done.batch.to_string();
        let (code, told) = run(&["--end", &batch]);
        assert!(code == Some(2) && told.contains("--because"), "{told}");
        let (code, told) = run(&["--end", &batch, "--because", "the district sent it anew"]);
        assert!(code == Some(0) && told.contains("1000 rows = 1000 accepted + 0 quarantined"), "{told}");
        let (code, told) = run(&["--end", &batch, "--because", "the district sent it anew"]);
        assert!(code == Some(1) && told.contains("ended already"), "{told}");
        let (code, told) = run(&["--end", &edited.batch.to_string(), "--because", "?"]);
        assert!(code == Some(1) && told.contains("finished already"), "{told}");
        let ended =
            sql!("select count(*) as n from import_batch where state = 'ended' and rows = accepted + quarantined");
        assert_eq!(rows_of(offices, ended, args![]).await, 1);
        let trail =
            sql!("select count(*) as n from audit_entry where reason like 'ended before line 1002: the district%'");
        assert_eq!(rows_of(offices, trail, args![]).await, 1);
        // What entered of it stays, with its history; the file as it was begins nothing anew.
        nothing_differs(offices, u64::try_from(persons(offices).await).unwrap()).await;
        file(offices, "a.csv", &text);
        let again = imports(offices, path).await.unwrap_err();
        assert!(again.to_string().contains("ended this file"), "{again}");
    }

    pub async fn a_file_of_which_nothing_was_read_is_of_the_officer_who_begins_it_then(
        offices: &Offices,
        _: Option<String>,
    ) {
        let begun = finishes(offices, file(offices, "a.csv", rows(0))).await.batch;
        // As it was before the first transaction, when its process was killed.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!(
            "update import_batch set state = 'reading', finished_at = null, read_bytes = 0, lines = 1, read_digest = $1
             where id = $2"
        );
        let nothing = hex::decode("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").unwrap();
        tx.change(&population::IMPORT_BATCH, begun, sql, args![nothing, begun]).await.unwrap();
        tx.commit().await.unwrap();
        // Another file of the same name, of a colleague.
        let colleague = appoint(offices.state.deeds(), Role::Registrar).await;
        let by_colleague = async |text: String| {
            let wanted = Wanted { officer: colleague.id, ..wanted(offices, file(offices, "a.csv", text)) };
            let (deeds, stop) = (offices.state.deeds(), AtomicBool::new(false));
            Box::pin(import(deeds, &offices.state.register, wanted, &stop, |_| ())).await.unwrap().0
        };
        let other = by_colleague(rows(3)).await;
        assert_ne!(other.batch, begun, "a file of its own");
        let of_colleague = sql!("select count(*) as n from person where declared_by = $1");
        assert_eq!(rows_of(offices, of_colleague, args![colleague.id]).await, 3);
        // The same file, too: nothing of it was the other officer's yet.
        assert_eq!(by_colleague(rows(0)).await.batch, begun);
        let begins = sql!("select count(*) as n from import_batch where officer_id = $1");
        assert_eq!(rows_of(offices, begins, args![colleague.id]).await, 2);
        nothing_differs(offices, 3).await;
    }

    pub async fn the_rules_of_all_rows_that_wait_are_counted_and_rows_of_one_rule_are_dropped_at_once(
        offices: &Offices,
        database: Option<String>,
    ) {
        let (impossible, nameless) = (",,,Trần Văn Hai,31/02/1990,Nam,001,001,01,", ",,,,31/02/1990,Nam,001,001,01,");
        let text = format!("{HEADER}\n{impossible}\n{nameless}\n{}{nameless}\n", &rows(1500)[HEADER.len() + 1..]);
        let (path, stop) = (file(offices, "a.csv", text), AtomicBool::new(false));
        let tell = |told: Told| {
            if matches!(told, Told::Entered(done) if done.rows >= 1000) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let stopped =
            import(offices.state.deeds(), &offices.state.register, wanted(offices, path.clone()), &stop, tell);
        let (done, ended) = Box::pin(stopped).await.unwrap();
        assert_eq!((ended, done.by_rule["R-04"], done.by_rule["R-01"]), (Ended::Stopped, 2, 1));
        let done = finishes(offices, path.clone()).await;
        assert_eq!((done.by_rule["R-04"], done.by_rule["R-01"]), (3, 2), "of both runs");
        let run = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.args(["quarantine", "dismiss", "--data"]).arg(offices.data.path()).args(arguments);
            command.arg("--officer").arg(format!("registrar-{}", offices.registrar.id));
            if let Some(url) = &database {
                command.args(["--database", url]);
            }
            said(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let batch = done.batch.to_string();
        let of_rule = ["--batch", &batch, "--rule", "R-01", "--because", "no name on the paper"];
        let (code, told) = run(&of_rule);
        assert!(code == Some(1) && told.contains("--yes"), "{told}");
        let (code, told) = run(&[&of_rule[..], &["--yes"]].concat());
        assert!(code == Some(0) && told.contains("2 rows dropped"), "{told}");
        assert_eq!(ids_waiting(offices).await.len(), 1);
        let trail = sql!(
            "select count(*) as n from audit_entry where action = 'quarantine-dropped' and reason = 'no name on the paper'"
        );
        assert_eq!(rows_of(offices, trail, args![]).await, 2, "a record for each row");
        let (again, _) = imports(offices, path).await.unwrap();
        assert_eq!(again.by_rule.into_iter().collect::<Vec<_>>(), [("R-04".to_owned(), 1)], "of those that wait");
        let (code, told) = run(&["--batch", &batch, "--rule", "R-99", "--because", "?", "--yes"]);
        assert!(code == Some(1) && told.contains("no rule is called"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_a_device_and_a_folder_are_refused_before_they_are_opened() {
    let offices = Offices::open(None).await;
    let pipe = offices.data.path().join("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let folder = offices.data.path().join("folder.csv");
    std::fs::create_dir(&folder).unwrap();
    for path in [pipe, folder, "/dev/null".into()] {
        let wanted = Wanted { format: Format::Csv, ..wanted(&offices, path.clone()) };
        let (deeds, stop) = (offices.state.deeds(), AtomicBool::new(false));
        let refused = Box::pin(import(deeds, &offices.state.register, wanted, &stop, |_| ())).await.unwrap_err();
        assert!(matches!(refused, ImportError::NoFile), "{path:?}: {refused}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        let command = command.args(["duplicates", "--file"]).arg(&path).stdin(Stdio::null());
        let (code, told) = said(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        assert!(code == Some(1) && told.contains("no file: a pipe, a device or a folder"), "{path:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_another_session_ends_the_import_with_the_name_of_that_session() {
    let Some(url) = tables::fresh_database() else { return };
    let offices = Offices::open(Some(url.clone())).await;
    let path = file(&offices, "a.csv", rows(3));
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    let lock = sql!(pg "lock table import_batch in exclusive mode", lite "select 1 as one");
    tx.run(lock, args![]).await.unwrap();
    let pid = sql!(pg "select pg_backend_pid()::bigint as pid", lite "select 1 as pid");
    let pid: i64 = tx.one(pid, args![]).await.unwrap().unwrap().get("pid").unwrap();
    let run = || said(command(&offices, Some(&url), &path).args(["--wait", "1"]).spawn().unwrap());
    let (code, told) = run();
    let named = format!("session {pid} (issuance, idle in transaction) since ");
    assert!(code == Some(1) && told.contains("did not get a lock") && told.contains(&named), "{told}");
    drop(tx);
    let (code, told) = run();
    assert!(code == Some(0) && told.contains("3 rows = 3 accepted"), "{told}");
}

/// Rows of which some are in the file before, each in another way; and households with one head, without and with two.
fn faulty(count: usize) -> [String; 2] {
    let mut a = rows(count);
    let others = [
        // The same declaration, the same likeness, and one number for two.
        row(7),
        ",,,Nguyễn Hà Dung An,08/01/1980,Nam,002,001,01,".to_owned(),
        ",,001080000001,Lê Văn Bảy,01/02/1980,Nam,001,001,01,".to_owned(),
        ",,001080000001,Lê Văn Tám,01/03/1980,Nam,001,001,01,".to_owned(),
        // One old number for two, and no day of birth.
        ",,,Phạm Văn Sáu,01/01/1990,Nam,001,001,01,012345678".to_owned(),
        ",,,Phạm Văn Bảy,01/01/1991,Nam,001,001,01,012345678".to_owned(),
        ",,,Phạm Văn Chín,31/02/1991,Nam,001,001,01,".to_owned(),
    ];
    for (at, other) in others.iter().enumerate() {
        writeln!(a, "{other}").unwrap();
        // In a later transaction than the one before.
        (0..400).for_each(|n| writeln!(a, "{}", row(count + at * 400 + n)).unwrap());
    }
    let head = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group,\
                permanent_residence.province,permanent_residence.district,permanent_residence.commune,\
                head_of_household.full_name,relation_to_head,household_book_number";
    let of = |name: &str, relation: &str, book: &str| {
        format!("{name},01/01/1970,Nữ,001,001,01,001,001,00001,Đỗ Thị Đầu,{relation},{book}")
    };
    let b = [
        head.to_owned(),
        of("Đỗ Thị Đầu", "chủ hộ", "A1"),
        of("Đỗ Thị Hai", "con", "A1"),
        of("Đỗ Thị Ba", "con", "A2"),
        of("Đỗ Thị Tư", "chủ hộ", "A3"),
        of("Đỗ Thị Năm", "chủ hộ", "A3"),
    ];
    [a, format!("{}\n", b.join("\n"))]
}

/// Everything that two registers of the same files have in common.
async fn content(offices: &Offices) -> Vec<String> {
    let told = [
        sql!(
            pg "select md5(string_agg(concat_ws('|', batch_line, office, record, likeness, findings, personal_number, fold, born,
                    birth_year, old_id_number, form, declared_on, household, heads_household, keyed, quality_commune,
                    quality_month, quality_words, encode(declared_digest, 'hex')), '/' order by batch_line, fold)) as n from person",
            lite "select 1"
        ),
        sql!(
            pg "select md5(string_agg(concat_ws('|', batch_line, key), '/' order by batch_line, fold, key)) as n
                from person_key k join person p on p.id = k.person_id",
            lite "select 1"
        ),
        sql!(
            pg "select md5(string_agg(concat_ws('|', line, declaration, findings), '/' order by line)) as n from quarantined",
            lite "select 1"
        ),
        sql!(pg "select md5(string_agg(concat_ws('|', fold, sorted, n), '/' order by fold)) as n from full_name", lite "select 1"),
        sql!(pg "select md5(string_agg(concat_ws('|', word, fold), '/' order by word, fold)) as n from full_name_word", lite "select 1"),
        sql!(pg "select string_agg(word, '/' order by word) as n from name_word", lite "select 1"),
        sql!(pg "select count(*)::text as n from audit_home join person on person.id = person_id", lite "select 1"),
        sql!(pg "select string_agg(indexdef, '/' order by indexname) as n from pg_indexes where schemaname = 'public'", lite "select 1"),
        sql!(
            pg "select string_agg(concat_ws('|', conrelid::regclass, conname, pg_get_constraintdef(oid)), '/'
                    order by conrelid::regclass::text, conname) as n from pg_constraint",
            lite "select 1"
        ),
        sql!(pg "select string_agg(tgname, '/' order by tgname) as n from pg_trigger where not tgisinternal", lite "select 1"),
    ];
    let mut content = vec![];
    for sql in told {
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        content.push(tx.one(sql, args![]).await.unwrap().unwrap().get("n").unwrap());
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_load_that_is_killed_and_goes_on_ends_as_an_import_does() {
    let (Some(one), Some(other)) = (tables::fresh_database(), tables::fresh_database()) else { return };
    let (import, first) = (Offices::open(Some(one.clone())).await, Offices::open(Some(other.clone())).await);
    let [a, b] = faulty(5000);
    let files = |offices: &Offices| [file(offices, "a.csv", &a), file(offices, "b.csv", &b)];
    // By the command too: both by the computer's clock, and with the same settings.
    for path in files(&import) {
        let (code, told) = said(command(&import, Some(&one), &path).spawn().unwrap());
        assert_eq!(code, Some(0), "{told}");
    }
    let [path, second] = files(&first);
    let load = || {
        let mut command = command(&first, Some(&other), &path);
        command.arg(&second).arg("--first");
        command
    };
    let mut before = 0;
    for kill_at in [1, 3000, 7000] {
        let mut child = load().spawn().unwrap();
        while persons(&first).await < kill_at && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        let (code, said) = said(child);
        let there = persons(&first).await;
        assert!(code.is_none_or(|code| code == 0) && there >= before, "{code:?} {there} {said}");
        before = there;
    }
    let (mut code, mut told) = said(load().spawn().unwrap());
    // The last one may have made its indexes before it was killed; then the register is not empty any more.
    if told.contains("the register is not empty") {
        let mut rest = command(&first, Some(&other), &path);
        (code, told) = said(rest.arg(&second).spawn().unwrap());
    }
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(persons(&first).await, persons(&import).await);
    let (loaded, imported) = (content(&first).await, content(&import).await);
    for (loaded, imported) in loaded.iter().zip(&imported) {
        assert_eq!(loaded, imported);
    }
    nothing_differs(&first, u64::try_from(persons(&first).await).unwrap()).await;
    let (deeds, register) = (first.state.deeds(), &first.state.register);
    let recounted = population::quality::recount(deeds.db(), register.reference()).await.unwrap();
    assert_eq!(recounted.differ, Vec::<String>::new());
    // What is declared afterwards finds those who were loaded.
    let again = file(&first, "again.csv", format!("{HEADER}\n{}\n", row(3)));
    assert_eq!(finishes(&first, again).await.by_rule["R-37"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_load_is_refused_where_there_is_none() {
    let refused = |error: ImportError| match error {
        ImportError::First(refused) => refused,
        other => panic!("{other}"),
    };
    let offices = Offices::open(None).await;
    assert_eq!(refused(First::open(offices.state.deeds()).await.unwrap_err()), FirstRefused::Engine);
    let Some(server) = postgres::Server::start() else { return };
    let offices = Offices::open(Some(server.fresh_database())).await;
    let deeds = offices.state.deeds();
    // Returns what the statement says, so that it is run.
    let slot = async |sql: Sql| {
        let mut tx = deeds.db().begin_read().await.unwrap();
        tx.one(sql, args![]).await.unwrap();
        tx.commit().await.unwrap();
    };
    slot(sql!(pg "select pg_create_physical_replication_slot('one') is null as n", lite "select 1")).await;
    assert_eq!(refused(First::open(deeds).await.unwrap_err()), FirstRefused::Slot);
    slot(sql!(pg "select pg_drop_replication_slot('one') is null as n", lite "select 1")).await;
    let mut first = First::open(deeds).await.unwrap();
    let (path, stop) = (file(&offices, "a.csv", rows(100)), AtomicBool::new(false));
    // Nothing else enters the register meanwhile.
    let register = &offices.state.register;
    let declared =
        within!(offices, offices.registrar, deed => population::steps::declare(deed, register, &declaration()));
    assert!(declared.unwrap_err().to_string().contains("a first load of the register is under way"));
    assert_eq!(refused(imports(&offices, path.clone()).await.unwrap_err()), FirstRefused::UnderWay);
    let wanted = wanted(&offices, path.clone());
    let (done, ended) = Box::pin(load_first(deeds, register, wanted, &mut first, &stop, |_| ())).await.unwrap();
    assert_eq!((done.accepted, ended), (100, Ended::Read));
    first.finish(deeds, |_| ()).await.unwrap();
    assert_eq!(finishes(&offices, path).await.accepted, 100);
    offices.declares(&declaration()).await;
    assert_eq!(refused(First::open(deeds).await.unwrap_err()), FirstRefused::People);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_is_killed_in_the_middle_loses_no_row_and_gives_none_twice() {
    let Some(mut server) = postgres::Server::start() else { return };
    let url = server.fresh_database();
    let offices = Offices::open(Some(url)).await;
    let path = file(&offices, "a.csv", rows(6000));
    let stop = AtomicBool::new(false);
    let killed = std::cell::RefCell::new(false);
    let error = {
        let server = std::cell::RefCell::new(&mut server);
        let tell = |told: Told| {
            if matches!(told, Told::Entered(done) if done.rows >= 2000) && !killed.replace(true) {
                tokio::task::block_in_place(|| server.borrow_mut().kill());
            }
        };
        let wanted = wanted(&offices, path.clone());
        Box::pin(import(offices.state.deeds(), &offices.state.register, wanted, &stop, tell)).await.unwrap_err()
    };
    assert!(error.to_string().contains("run the same command again"), "{error}");
    server.restart();
    let done = finishes(&offices, path).await;
    assert_eq!((done.rows, done.accepted, persons(&offices).await), (6000, 6000, 6000));
    nothing_differs(&offices, 6000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_ends_the_import_and_room_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("SKIPPED: no small file system can be mounted (it takes root)");
        return;
    }
    let offices = Offices::open(None).await;
    // The folder moves to the small disk; the file of declarations lies elsewhere.
    let path = file(&offices, "a.csv", rows(20_000));
    offices.state.deeds().db().close().await;
    let all = format!("{}/.", offices.data.path().display());
    assert!(Command::new("cp").arg("-a").arg(all).arg(folder.path()).status().unwrap().success());
    let _ = std::fs::remove_file(folder.path().join("a.csv"));
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("import").arg(&path).arg("--data").arg(folder.path());
        command.arg("--officer").arg(format!("registrar-{}", offices.registrar.id));
        let done = command.stdin(Stdio::null()).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, full) = run();
    let grown = Command::new("mount").args(["-o", "remount,size=200m"]).arg(folder.path()).status().unwrap();
    let (again, whole) = run();
    let unmounted = Command::new("umount").arg("-l").arg(folder.path()).status().unwrap();
    assert!(grown.success() && unmounted.success());
    assert!(code == Some(1) && full.contains("run the same command again"), "{code:?} {full}");
    assert!(again == Some(0) && whole.contains("20000 rows = 20000 accepted + 0 quarantined"), "{again:?} {whole}");
}
