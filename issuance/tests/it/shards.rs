//! Which statements find their machine in a register that is spread over several (PostgreSQL with Citus): those that
//! carry the distribution key of each table that they touch. All others stand in a list, with what they cost.

use std::collections::BTreeMap;

use crate::statements::{Source, Statement, all_statements, statements};

/// A page of a list, by office: every machine gives its first rows, and the limits are merged.
const LIST: &str = "a page of a list, by office: every machine gives its first rows, and the limits are merged";
/// Found by its own id.
const BY_ID: &str = "an address or another row has the id alone: every machine looks into an index, one has the row";
/// A walk over everything.
const WALK: &str = "a check walks every row of every machine";
/// Upkeep.
const UPKEEP: &str = "upkeep: each machine does its part";
/// Found by a name.
const NAME: &str = "a search asks every machine for its first rows, by an index, and merges limits; never a count";
/// Found by a value that has no table of its own yet.
const VALUE: &str = "found by a value beside the key: every machine looks into an index";
/// Ranges or lists of keys.
const KEYS: &str = "many keys at once: each machine looks for those that it has";
/// A ranking of few rows.
const FEW: &str = "few rows, which every machine has at hand, for `issuance status`";

/// Found with its application.
const BATCH: &str = "the items of a batch are on its machine; each of their applications, at most 1,000, is looked up by its id on its own";
/// Of an office that ends.
const ENDS: &str = "an office that is dissolved: every machine says what it has of it, some hundred rows at a time";

/// The page of a factory.
const FLOOR: &str = "the page of a factory: every machine gives the last postings of an account, by an index, and the limits are merged";

/// Left out of the queue.
const QUEUE: &str =
    "a page of a queue, by office; for each application of it, an index of the items says whether a batch has it";

/// What is asked beside the key: verb, table and the columns that are compared; how many statements do; why that is
/// borne.
const OUTSIDE: &[(&str, usize, &str)] = &[
    ("delete answer by at", 2, UPKEEP),
    ("delete booking by id", 1, BY_ID),
    ("delete closed_application by application_id", 1, BY_ID),
    ("delete document by id, state", 2, BY_ID),
    ("delete exchange_miss by request_id", 1, UPKEEP),
    ("delete person_key by key, person_id", 1, KEYS),
    ("delete sign_in_failure by last_at", 1, UPKEEP),
    ("insert application by day, id, made_at, moves, object", 1, BY_ID),
    ("insert application by id", 1, BY_ID),
    ("insert fee_entry by nothing", 1, UPKEEP),
    ("select answer by at", 1, UPKEEP),
    ("select application by application_id, due_on, id, kind, moves", 1, UPKEEP),
    ("select application by application_id, due_on, kind, moves, owner", 1, FEW),
    ("select application by application_id, id, moves, owner, owner_office, registered_at, until", 1, LIST),
    ("select application by application_id, id, kind, moved_at, moves, stage", 1, UPKEEP),
    ("select application by batch_id, station_id", 1, BATCH),
    ("select application by due_on", 1, FEW),
    ("select application by due_on, id, owner", 1, UPKEEP),
    ("select application by due_on, id, owner, owner_office, registered_at", 1, LIST),
    ("select application by due_on, id, owner, stage", 1, FEW),
    ("select application by due_on, id, stage", 1, UPKEEP),
    ("select application by due_on, owner", 1, FEW),
    ("select application by id", 1, BY_ID),
    ("select application by id, office, registered_at", 1, LIST),
    ("select application by id, office, registered_at, slip, stage", 1, LIST),
    ("select application by id, office, registered_at, stage", 1, LIST),
    ("select application by id, moves, office, officer_id, registered_at, until", 1, LIST),
    ("select application by id, owner, owner_office, registered_at", 1, LIST),
    ("select application by nothing", 3, WALK),
    ("select application by owner", 1, FEW),
    ("select application by owner, owner_office", 2, LIST),
    ("select application by stage", 1, FEW),
    ("select application_claim by application_id, id, moves, owner, owner_office, registered_at, until", 1, LIST),
    ("select application_claim by id, moves, office, officer_id, registered_at, until", 1, LIST),
    ("select application_officer by nothing", 1, WALK),
    ("select application_reminder by application_id, due_on, id, kind, moves", 1, UPKEEP),
    ("select application_reminder by application_id, due_on, kind, moves, owner", 1, FEW),
    ("select application_reminder by application_id, id, kind, moved_at, moves, stage", 1, UPKEEP),
    ("select application_reminder by answered_at, application_id, due_on, ended_at, kind, moves", 2, UPKEEP),
    ("select application_reminder by application_id, due_on, ended_at, kind, moves, papers", 2, UPKEEP),
    ("select archive_request by answered_at, application_id, due_on, ended_at, kind, moves", 2, UPKEEP),
    ("select archive_request by answered_at, ended_at", 1, FEW),
    ("select archive_request by answered_at, ended_at, id, to_office", 1, LIST),
    ("select archive_request by application_id", 2, BY_ID),
    ("select archive_request by id", 1, BY_ID),
    ("select archive_request by nothing", 1, WALK),
    ("select classification by application_id", 1, BY_ID),
    ("select classification by application_id, due_on, ended_at, kind, moves, papers", 2, UPKEEP),
    ("select classification by application_id, ended_at, office, papers", 1, LIST),
    ("select classification by ended_at, papers", 1, FEW),
    ("select classification by nothing", 1, WALK),
    ("update archive_request by id", 4, BY_ID),
    ("update classification by application_id", 4, BY_ID),
    ("select audit_entry by id", 1, FEW),
    ("select audit_entry by action, id, object", 1, FEW),
    ("select audit_entry by id, object", 1, FEW),
    ("select audit_entry by nothing", 1, FEW),
    ("select booking by application_id", 1, BY_ID),
    ("select booking by day, from_minute, office, state, to_minute", 1, LIST),
    ("select booking by day, id, state, to_minute", 1, UPKEEP),
    ("select booking by day, office", 1, LIST),
    ("select booking by day, office, state", 1, LIST),
    ("select booking by id", 1, BY_ID),
    ("select booking by nothing", 1, WALK),
    ("select booking by number", 1, VALUE),
    ("select booking by office, state", 2, LIST),
    ("select booking by state", 1, FEW),
    ("select card by id", 2, BY_ID),
    ("select card by id, office", 1, LIST),
    ("select card by id, office, serial, status", 1, LIST),
    ("select card by id, office, status", 1, LIST),
    ("select card by nothing", 3, WALK),
    ("select card by serial, status", 2, KEYS),
    ("select card by sod_sha256", 1, VALUE),
    ("select card by suspended_until", 1, UPKEEP),
    ("select chip by to_account", 1, FLOOR),
    ("select chip by box_id, custody, office, posting_id, state", 1, WALK),
    ("select chip by box_id, custody, office, state", 2, LIST),
    ("select chip by custody, id, office, state", 1, LIST),
    ("select chip by custody, id, state", 1, LIST),
    ("select chip by custody, state", 2, LIST),
    ("select chip by delivery_id, id, office, state", 1, LIST),
    ("select chip by delivery_id, mac", 1, LIST),
    ("select chip by delivery_id, posting_id", 1, UPKEEP),
    ("select chip by id", 1, LIST),
    ("select chip by id, office", 1, LIST),
    ("select chip by id, office, state", 1, LIST),
    ("select chip by id, state", 1, KEYS),
    ("select chip by nothing", 3, WALK),
    ("select chip by posting_id", 1, UPKEEP),
    ("select chip by serial", 1, LIST),
    ("select chip by state", 2, FEW),
    ("select closed_application by application_id", 1, BY_ID),
    ("select closed_application by application_id, portrait_erased_at", 1, UPKEEP),
    ("select closed_application by closed_at, dossier_erased_at", 1, UPKEEP),
    ("select closed_application by closed_at, portrait_erased_at", 1, UPKEEP),
    ("select contact by nothing", 1, WALK),
    ("select declaration_form by id, office, state", 1, LIST),
    ("select declaration_form by nothing", 1, WALK),
    ("select destruction by id, office", 1, LIST),
    ("select destruction by nothing", 1, WALK),
    ("select document by id, state", 3, BY_ID),
    ("select duplicate_verdict by id", 1, BY_ID),
    ("select duplicate_verdict by nothing", 1, WALK),
    ("select fee_entry by day, id, office", 1, LIST),
    ("select fee_entry by id", 1, BY_ID),
    ("select fee_entry by nothing", 2, WALK),
    ("select fee_till by nothing", 2, WALK),
    ("select finding by id", 1, BY_ID),
    ("select finding by id, office", 1, LIST),
    ("select finding by nothing", 1, WALK),
    ("select full_name by n, sorted", 1, NAME),
    ("select full_name by n, word", 1, NAME),
    ("select legal_hold by id", 2, BY_ID),
    ("select legal_hold by nothing", 1, WALK),
    ("select notice by application_id", 1, BY_ID),
    ("select notice by application_id, id, kind", 1, BY_ID),
    ("select notice by booking_id", 1, BY_ID),
    ("select notice by booking_id, id, kind", 1, BY_ID),
    ("select notice by channel, due_at, state", 1, UPKEEP),
    ("select notice by channel, id, state", 1, UPKEEP),
    ("select notice by channel, state", 2, FEW),
    ("select notice by content, ended_at", 1, UPKEEP),
    ("select notice by id", 1, BY_ID),
    ("select notice by nothing", 1, WALK),
    ("select notice by repeats", 1, FEW),
    ("select notice by state", 2, FEW),
    ("select number_cell by id", 1, LIST),
    ("select number_cell by nothing", 1, FEW),
    ("select number_cell_entered by id", 1, LIST),
    ("select number_cell_entered by nothing", 1, FEW),
    ("select number_lease by birth_year, expires_at, leased_at, office, province, returned_at", 1, LIST),
    ("select number_lease by id", 1, BY_ID),
    ("select number_lease by id, office", 1, LIST),
    ("select number_lease by nothing", 2, KEYS),
    ("select objection by answered_at, due_at", 1, FEW),
    ("select objection by answered_at, due_at, id, office, role", 1, LIST),
    ("select objection by answered_at, id, office, role", 1, LIST),
    ("select objection by id", 1, BY_ID),
    ("select objection by nothing", 1, WALK),
    ("select perso_order by id", 1, BY_ID),
    ("select person by batch_id, batch_line, person_id", 1, UPKEEP),
    ("select person by batch_id, household, person_id", 1, UPKEEP),
    ("select person by born", 1, UPKEEP),
    ("select person by born, fold, person_id", 1, NAME),
    ("select person by declared_digest, likeness", 1, VALUE),
    ("select person by declared_digest, likeness, person_id", 1, VALUE),
    ("select person by born, father_fold, fold, mother_fold, office", 2, NAME),
    ("select person by born, father_fold, fold, mother_fold", 2, NAME),
    ("select person by born, father_fold, mother_fold, office", 1, NAME),
    ("select person by born, father_fold, office", 1, NAME),
    ("select person by born, office, residence_commune", 1, NAME),
    ("select person by household", 1, VALUE),
    ("select person by household, person_id", 2, VALUE),
    ("select person by id", 2, WALK),
    ("select person by old_id_number, person_id", 1, VALUE),
    ("select person by id, likeness, person_id", 2, VALUE),
    ("select person by id, old_id_number, person_id", 2, VALUE),
    ("select person by id, quality_commune", 1, WALK),
    ("select person by keyed", 1, UPKEEP),
    ("select person by old_id_number", 2, VALUE),
    ("select person by personal_number", 3, VALUE),
    ("select person by quality_commune", 1, UPKEEP),
    ("with person by old_id_number", 1, VALUE),
    ("with person by personal_number", 1, VALUE),
    ("select person by nothing", 1, WALK),
    ("select person by quality_words", 1, WALK),
    ("select person_key by nothing", 2, KEYS),
    ("select person_reader by application_id", 1, BY_ID),
    ("select person_reader by nothing", 1, WALK),
    ("select personal_number by lease_id", 1, BY_ID),
    ("select personal_number by merged_into, person_id", 1, VALUE),
    ("select personal_number by person_id", 1, VALUE),
    ("select personal_number by personal_number", 1, KEYS),
    ("select portrait by application_id, name", 1, VALUE),
    ("select portrait by application_id, portrait_erased_at", 1, UPKEEP),
    ("select portrait by name", 1, VALUE),
    ("select portrait by nothing", 1, WALK),
    ("select quarantined by batch_id, line", 1, LIST),
    ("select posting by from_account, what", 1, FLOOR),
    ("select posting by to_account", 1, FLOOR),
    ("select posting by box_id, custody, office, posting_id, state", 1, WALK),
    ("select posting by delivery_id, from_account, id, place, posting_id, serial, to_account", 1, UPKEEP),
    ("select posting by delivery_id, from_account, serial, to_account", 1, BY_ID),
    ("select posting by id", 1, BY_ID),
    ("select posting by id, state, what", 1, UPKEEP),
    ("select posting by nothing", 3, WALK),
    ("select production_batch by closed_at", 1, FEW),
    ("select production_batch by closed_at, station_id", 1, LIST),
    ("select production_batch by id, office", 1, LIST),
    ("select production_batch by nothing", 1, WALK),
    ("select quarantined by batch_id, line, state", 1, LIST),
    ("select quarantined by batch_id, state", 2, LIST),
    ("select quarantined by id, office, state", 1, LIST),
    ("select register_change by id", 1, BY_ID),
    ("select register_change by id, office, state", 1, LIST),
    ("select register_change by nothing", 1, WALK),
    ("select fingerprint_card by application_id", 1, BY_ID),
    ("select fingerprint_card by nothing", 1, WALK),
    ("select register_check by application_id", 1, BY_ID),
    ("select register_check by nothing", 1, WALK),
    ("select register_event by nothing", 1, WALK),
    ("select register_event by person_id", 1, WALK),
    ("select register_merge by id", 1, BY_ID),
    ("select register_merge by id, office, state", 1, LIST),
    ("select register_merge by nothing", 1, WALK),
    ("select revoked_document by nothing", 1, WALK),
    ("select stock_box by ended_at, received_at", 2, FEW),
    ("select stock_box by from_office, id, to_office", 1, LIST),
    ("select stock_box by nothing", 1, WALK),
    ("select stock_case by from_office, id, office, state", 1, LIST),
    ("select stock_case by kind", 1, FEW),
    ("select stock_case by id, state", 1, FEW),
    ("select stock_case by kind, state", 1, FEW),
    ("select stock_case by evidence, kind, state, subject", 1, VALUE),
    ("select stock_case by nothing", 1, WALK),
    ("select stock_case by state", 2, FEW),
    ("select stock_case by state, subject", 1, VALUE),
    ("select stock_count by nothing", 1, WALK),
    ("select stock_count_part by id", 1, BY_ID),
    ("select stock_count_part by nothing", 1, WALK),
    ("select v_audit_entry by actor, at, id, object_office, office, person_office", 1, LIST),
    ("select v_audit_entry by at, id, object_office, office, person_office", 1, LIST),
    ("select withheld_number by personal_number", 1, KEYS),
    ("select write_off by nothing", 1, WALK),
    ("update application by id", 7, BY_ID),
    ("update booking by id", 2, BY_ID),
    ("update card by id", 6, BY_ID),
    ("update closed_application by application_id", 3, BY_ID),
    ("update document by application_id", 1, BY_ID),
    ("update document by id", 1, BY_ID),
    ("update document by id, state", 1, BY_ID),
    ("update duplicate_verdict by id", 1, BY_ID),
    ("update fee_entry by id", 2, BY_ID),
    ("update finding by id", 3, BY_ID),
    ("update legal_hold by id", 2, BY_ID),
    ("update notice by id", 3, BY_ID),
    ("update objection by id", 2, BY_ID),
    ("update perso_order by challenge_used_at, id", 1, BY_ID),
    ("select application by application_id, approved_at, office, outcome, stage", 1, QUEUE),
    ("select application by application_id, batch_id, outcome, stage", 2, BATCH),
    ("select application by application_id, id, office, outcome, slip, stage", 1, QUEUE),
    ("select application by application_id, id, office, outcome, stage", 1, QUEUE),
    ("select application by application_id, office, outcome, stage", 2, QUEUE),
    ("select application by batch_id", 1, BATCH),
    ("select application by batch_id, day, moves, object, outcome, stage", 1, BATCH),
    ("select application by batch_id, lease_until, outcome, place, stage", 1, BATCH),
    ("select application by batch_id, outcome", 1, BATCH),
    ("select application by batch_id, place", 1, BATCH),
    ("select application by id, outcome", 1, BATCH),
    ("select batch_item by application_id", 1, VALUE),
    ("select batch_item by application_id, approved_at, office, outcome, stage", 1, QUEUE),
    ("select batch_item by application_id, id, office, outcome, slip, stage", 1, QUEUE),
    ("select batch_item by application_id, id, office, outcome, stage", 1, QUEUE),
    ("select batch_item by application_id, office, outcome, stage", 2, QUEUE),
    ("select batch_item by application_id, outcome", 1, VALUE),
    ("select batch_item by id", 1, BY_ID),
    ("select batch_item by id, outcome", 1, BATCH),
    ("select batch_item by nothing", 1, WALK),
    ("select made_ahead by application_id, batch_id, outcome, stage", 1, BATCH),
    ("select made_ahead by batch_id, day, moves, object, outcome, stage", 1, BATCH),
    ("select card_batch by id, office", 1, LIST),
    ("select card_batch by nothing", 1, WALK),
    ("select card_batch by office, state", 4, LIST),
    ("select card_batch by state", 1, FEW),
    ("select body_doubt by nothing", 1, WALK),
    ("select print_job by id, state", 2, UPKEEP),
    ("select print_job by made_at, state", 1, FEW),
    ("update batch_item by id", 4, BY_ID),
    ("update stock_count_part by id", 1, BY_ID),
    ("update print_job by application_id, state", 1, BY_ID),
    ("update print_job by id, state", 2, BY_ID),
    ("update posting by id", 1, BY_ID),
    ("update register_change by id", 3, BY_ID),
    ("delete fingerprint_card by application_id", 1, BY_ID),
    ("update fingerprint_card by application_id", 2, BY_ID),
    ("update register_check by application_id", 2, BY_ID),
    ("update register_merge by id", 2, BY_ID),
    ("select application by application_id, closed_at, id, office", 1, ENDS),
    ("select application by application_id, closed_at, office", 1, ENDS),
    ("select chip by box_id, id, office, state", 1, ENDS),
    ("select chip by box_id, office, state", 1, ENDS),
    ("select closed_application by application_id, closed_at, id, office", 1, ENDS),
    ("select closed_application by application_id, closed_at, office", 1, ENDS),
    ("select number_lease by expires_at, office, returned_at", 1, ENDS),
    ("select production_batch by closed_at, office", 1, ENDS),
    ("select stock_box by ended_at, from_office, received_at, to_office", 2, ENDS),
    ("select stock_case by from_office, office, state", 2, ENDS),
    ("select audit_entry by object, person_id", 1, BY_ID),
    ("select citizen_code by nothing", 1, WALK),
    ("select exchange_delay by id", 1, BY_ID),
    ("select exchange_delay by nothing", 1, WALK),
    ("select exchange_report by id", 1, BY_ID),
    ("select exchange_report by id, office, state", 1, LIST),
    ("select exchange_report by nothing", 1, WALK),
    ("select exchange_follow by person_id", 1, KEYS),
    ("select exchange_feed by nothing", 1, UPKEEP),
    ("select exchange_subscription by confirmed_at, due_at, partner_id, place, purpose", 1, UPKEEP),
    ("select exchange_subscription by place, topic", 1, UPKEEP),
    ("select exchange_subscription by place, stopped_at", 1, UPKEEP),
    ("select exchange_request by id", 3, KEYS),
    ("update exchange_delay by id", 2, BY_ID),
    ("update exchange_report by id", 2, BY_ID),
    ("update exchange_request by answer, id, kept_until", 1, UPKEEP),
];

/// Where the rows of a table lie.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Place {
    /// Under the value of this column.
    Spread(String),
    /// Whole on every machine, on one, or each machine's own.
    Whole,
}

/// The places of the tables, as `docs/database.md` says them.
fn places() -> BTreeMap<String, Place> {
    let text = include_str!("../../../docs/database.md");
    let section = text.split("\n## ").find(|section| section.starts_with("Tables\n")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let place = |row: &str| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let table = cells[0].trim_matches(['|', ' ', '`']).to_owned();
        let place = match cells[3] {
            "reference" | "one machine" | "each machine its own" => Place::Whole,
            key => match key.strip_prefix('`').and_then(|key| key.split_once('`')) {
                Some((key, _)) => Place::Spread(key.to_owned()),
                None => panic!("`{table}`: `{key}` is neither a column nor a place"),
            },
        };
        (table, place)
    };
    rows.map(place).collect()
}

/// The words, numbers and signs of a statement, in lower case; a text in quotes is one word.
fn tokens(sql: &str) -> Vec<String> {
    let (mut found, mut word, mut in_text) = (vec![], String::new(), false);
    for c in sql.to_lowercase().chars().chain([' ']) {
        if in_text || c.is_alphanumeric() || ['_', '$', '.', '\''].contains(&c) {
            in_text ^= c == '\'';
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        match c {
            '=' | '>' if found.last().is_some_and(|sign| ["<", ">"].contains(&sign.as_str())) => {
                found.last_mut().unwrap().push(c);
            }
            c if c.is_whitespace() => {}
            c => found.push(c.to_string()),
        }
    }
    found
}

/// The tables that a statement touches, each with the name by which its columns are called.
fn touched<'a>(tokens: &'a [String], places: &BTreeMap<String, Place>) -> BTreeMap<&'a str, &'a str> {
    let word = |n: usize| tokens.get(n).map_or("", String::as_str);
    let follows = ["where", "on", "set", "join", "order", "group", "limit", "select", "values", "as"];
    let mut found = BTreeMap::new();
    for n in 0..tokens.len() {
        let table = word(n + 1);
        if !["from", "join", "into", "update"].contains(&word(n)) || !places.contains_key(table) {
            continue;
        }
        let named = word(n + 2);
        let has_name = named.chars().all(char::is_alphanumeric) && !named.is_empty() && !follows.contains(&named);
        found.entry(table).or_insert(if has_name { named } else { table });
    }
    found
}

/// True if the statement names the machine of this table: inserts the key, compares it with an argument, or joins it to
/// the key of another table.
fn carries(
    tokens: &[String],
    table: &str,
    key: &str,
    tables: &BTreeMap<&str, &str>,
    places: &BTreeMap<String, Place>,
) -> bool {
    let word = |n: usize| tokens.get(n).map_or("", String::as_str);
    let name = tables[table];
    let is_key = |text: &str| text.rsplit_once('.').map_or(text == key, |(of, column)| of == name && column == key);
    let is_key_of_another = |text: &str| {
        let Some((of, column)) = text.split_once('.') else { return false };
        let other = tables.iter().find(|(other, name)| **name == of && **other != table);
        other.is_some_and(|(other, _)| places[*other] == Place::Spread(column.to_owned()))
    };
    for n in 0..tokens.len() {
        if word(n) == "into" && word(n + 1) == table && word(n + 2) == "(" {
            let columns = tokens[n + 3..].iter().take_while(|token| *token != ")");
            if columns.into_iter().any(|column| column == key) {
                return true;
            }
        }
        if !is_key(word(n)) {
            continue;
        }
        let compared = match (word(n + 1), word(n + 2)) {
            ("=", other) => {
                other.starts_with('$') || other == "any" || (word(n).contains('.') && is_key_of_another(other))
            }
            ("in", _) => word(n + 3) == "select" && word(n + 4) == "value",
            _ => false,
        };
        if compared {
            return true;
        }
    }
    false
}

/// Verb, table and the columns that are compared.
fn shape(tokens: &[String], table: &str) -> String {
    let from = tokens.iter().position(|token| token == "where").map_or(tokens.len(), |at| at + 1);
    let ends = ["order", "limit", "group", "returning"];
    let signs = ["=", "<", ">", "<=", ">=", "<>", "in", "is", "like"];
    let condition: Vec<&str> =
        tokens[from..].iter().map(String::as_str).take_while(|token| !ends.contains(token)).collect();
    let is_column =
        |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase()) && !["and", "or", "not"].contains(&text);
    let columns = condition.windows(2).filter(|pair| signs.contains(&pair[1]) && is_column(pair[0]));
    let mut columns: Vec<&str> = columns.map(|pair| pair[0].rsplit('.').next().unwrap()).collect();
    columns.sort_unstable();
    columns.dedup();
    let by = if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") };
    format!("{} {table} by {by}", tokens[0])
}

/// The statements outside of a key: their shapes, with file and line.
fn outside(all: &[Statement]) -> BTreeMap<String, Vec<String>> {
    let places = places();
    let mut found = BTreeMap::<String, Vec<String>>::new();
    // The store's own statements touch no table of an office.
    for statement in all.iter().filter(|statement| !statement.path.starts_with("store/")) {
        let tokens = tokens(&statement.pg);
        let tables = touched(&tokens, &places);
        for table in tables.keys() {
            if let Place::Spread(key) = &places[*table]
                && !carries(&tokens, table, key, &tables, &places)
            {
                let at = format!("{}:{}", statement.path, statement.line);
                found.entry(shape(&tokens, table)).or_default().push(at);
            }
        }
    }
    found
}

#[test]
fn a_statement_that_does_not_name_its_machine_stands_in_the_list_with_its_reason() {
    let all = all_statements();
    let found = outside(&all);
    let listed: BTreeMap<&str, usize> = OUTSIDE.iter().map(|(shape, count, _)| (*shape, *count)).collect();
    assert_eq!(listed.len(), OUTSIDE.len(), "a shape is listed twice");
    let mut wrong = vec![];
    for (shape, at) in &found {
        match listed.get(shape.as_str()) {
            Some(count) if *count == at.len() => {}
            Some(count) => wrong.push(format!("{count} are listed of `{shape}`, and there are {}: {at:?}", at.len())),
            None => wrong.push(format!("not listed: `{shape}` {at:?}")),
        }
    }
    let gone =
        listed.keys().filter(|shape| !found.contains_key(**shape)).map(|shape| format!("no statement: `{shape}`"));
    wrong.extend(gone);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(OUTSIDE.iter().all(|(_, _, reason)| reason.len() > 20));
    let touching = all.iter().filter(|statement| !touched(&tokens(&statement.pg), &places()).is_empty()).count();
    assert!(touching > 250, "only {touching} statements touch a table that is known");
}

/// The second table of `docs/database.md`: what lies under another value than the person, and is written with it.
#[test]
fn what_is_written_on_a_second_machine_stands_in_the_documentation() {
    let text = include_str!("../../../docs/database.md");
    let section = text.split("\n## ").find(|section| section.starts_with("Transactions that write two machines\n"));
    let rows = section.unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<String> = rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    let beside = places().into_iter().filter(|(table, place)| match place {
        Place::Spread(key) => key != "person_id" && table != "person",
        Place::Whole => false,
    });
    let mut sorted = documented.clone();
    sorted.sort();
    assert_eq!(sorted, beside.map(|(table, _)| table).collect::<Vec<_>>());
}

#[test]
fn a_key_is_seen_where_it_is_and_missed_where_it_is_not() {
    let shapes = |sql: &str| {
        let text = format!("fn f() {{ sql!(\"{sql}\"); }}");
        let source = Source { path: "office/store.rs".into(), text };
        outside(&statements(&source)).into_keys().collect::<Vec<_>>()
    };
    for carried in [
        "select id from person where id = $1",
        "select kind from register_event where person_id = $1 and ordinal = $2",
        "insert into person_reader (person_id, office) values ($1, $2)",
        "update person set record = $1 where id = $2",
        "select name from unit where parent = $1",
        "select p.id from person p join register_event e on e.person_id = p.id where p.id = $1",
        "select fold from full_name where fold = any($1)",
    ] {
        assert_eq!(shapes(carried), [""; 0], "{carried}");
    }
    for (sql, shape) in [
        ("select id from person where fold = $1", "select person by fold"),
        ("update card set status = $1 where id = $2", "update card by id"),
        ("insert into register_event (ordinal) values ($1)", "insert register_event by nothing"),
        ("select id from person where id > $1 order by id limit $2", "select person by id"),
        ("delete from answer where at < $1", "delete answer by at"),
    ] {
        assert_eq!(shapes(sql), [shape], "{sql}");
    }
}
