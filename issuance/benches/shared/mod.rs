//! For benches: a million people put in by hand, and officers with sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crypto::identity::folded_name;
use issuance::access::{OFFICER, SESSION};
use issuance::ground::Role;
use issuance::ground::ids::{OfficerId, SessionId};
use issuance::population::names;
use issuance::store::{Argument, Db, Sql};
use issuance::{Service, args, sql};
use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub mod told;

/// Offices among which people are spread.
const OFFICES: u64 = 100;

/// What of a made-up person is asked for.
pub struct Invented {
    /// As declared.
    pub number: u64,
    /// As declared.
    pub office: u64,
    /// As declared.
    pub name: String,
    /// As declared.
    pub mother: String,
    /// As declared.
    pub birth: String,
    /// As declared.
    pub commune: String,
}

/// Makes people one after the other, the same ones each time.
pub struct People {
    rng: ChaCha8Rng,
    given: Vec<String>,
    communes: Vec<[String; 3]>,
    next: u64,
}

impl People {
    fn new() -> Self {
        // Syllables as the language makes them.
        let begins = [
            "", "b", "c", "ch", "d", "đ", "g", "h", "kh", "l", "m", "n", "ng", "nh", "ph", "qu", "s", "t", "th", "tr",
            "v", "x",
        ];
        let ends = [
            "a", "ai", "an", "anh", "ang", "ao", "âm", "ân", "en", "ê", "iên", "iêm", "ing", "oa", "oan", "oi", "ong",
            "ô", "ôn", "ơn", "u", "ung", "uy", "uyên", "ương", "ưu", "y", "ích", "ác", "úc",
        ];
        let given = begins.iter().flat_map(|begin| ends.iter().map(move |end| format!("{begin}{end}"))).collect();
        let communes = include_str!("../../data/vn_communes_2021.csv").lines().skip(1).map(|line| {
            let mut columns = line.split(',');
            let (commune, district) = (columns.next().expect("a code"), columns.next().expect("a district"));
            ["001", district, commune].map(str::to_owned)
        });
        Self { rng: ChaCha8Rng::seed_from_u64(12), given, communes: communes.collect(), next: 0 }
    }

    /// A syllable; the first ones far more often.
    fn syllable(&mut self) -> String {
        let at: f64 = self.rng.random::<f64>().powi(3) * f64::from(u32::try_from(self.given.len()).expect("few"));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
        self.given[at as usize].clone()
    }

    fn name(&mut self, woman: bool) -> String {
        const FAMILIES: [(&str, u32); 10] = [
            ("Nguyễn", 38),
            ("Trần", 49),
            ("Lê", 59),
            ("Phạm", 66),
            ("Hoàng", 71),
            ("Phan", 76),
            ("Vũ", 80),
            ("Đặng", 83),
            ("Bùi", 85),
            ("Đỗ", 87),
        ];
        let drawn = self.rng.random_range(0..100);
        let family = FAMILIES.iter().find(|(_, below)| drawn < *below).map(|(name, _)| (*name).to_owned());
        let family = family.unwrap_or_else(|| self.syllable());
        let middle = if self.rng.random_range(0..3) > 0 {
            if woman { "Thị".to_owned() } else { "Văn".to_owned() }
        } else {
            self.syllable()
        };
        let mut name = format!("{family} {middle} {}", self.syllable());
        if self.rng.random_range(0..3) == 0 {
            write!(name, " {}", self.syllable()).expect("a text grows");
        }
        name
    }

    /// The next person, and the row of the register: id, office, number, name, folded names, day, place, record.
    fn next(&mut self) -> (Invented, Value) {
        let number = self.next;
        self.next += 1;
        let woman = self.rng.random_range(0..2) == 0;
        let (name, mother, father) = (self.name(woman), self.name(true), self.name(false));
        let (year, month, day) =
            (self.rng.random_range(1936..2026), self.rng.random_range(1..=12), self.rng.random_range(1..=28));
        let at = self.rng.random_range(0..self.communes.len());
        let [province, district, commune] = self.communes[at].clone();
        let office = self.rng.random_range(0..OFFICES);
        let birth = format!("{day:02}/{month:02}/{year}");
        let place = json!({"province": province, "district": district, "commune": commune, "detail": "Số 1 Phố Mẫu"});
        let relative = |name: &str| json!({"full_name": name, "personal_number": null, "old_id_number": null, "nationality": "VNM"});
        let sex = if woman { "F" } else { "M" };
        let record = json!({"full_name": name, "birth_date": birth, "sex": sex, "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "religion": null, "nationality": "VNM", "marital_status": null,
            "permanent_residence": place, "temporary_residence": null, "current_residence": null, "blood_group": null,
            "father": relative(&father), "mother": relative(&mother), "spouse": null, "representative": null,
            "head_of_household": null, "relation_to_head": null, "died": null, "old_id_number": null,
            "household_book_number": null});
        let born = format!("{year}{month:02}{day:02}");
        let row = json!([
            person(number),
            format!("o-{office}"),
            format!("003300{number:06}"),
            folded_name(&name),
            born,
            folded_name(&father),
            folded_name(&mother),
            province,
            district,
            commune,
            record.to_string()
        ]);
        (Invented { number, office, name, mother, birth, commune }, row)
    }
}

pub fn person(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
}

/// An officer with a session, put in by hand. Returns the token.
///
/// `hashed` makes the name by which the token is stored.
pub async fn officer(
    service: &Service,
    (name, office): (&str, &str),
    roles: &[Role],
    hashed: fn(&str) -> Sha256,
) -> String {
    let source = service.offices().deeds().source();
    let (id, session, at): (OfficerId, SessionId, _) = (source.id(), source.id(), source.now());
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let make =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, $2, '', $3, $4, $5)");
    let token = name.to_owned();
    let made = args![id, &token, Argument::json(&roles), office, at];
    tx.run(make, made).await.expect("an officer");
    tx.seal(&OFFICER, id).await.expect("sealed");
    let open = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)"
    );
    let hash: [u8; 32] = hashed(&token).finalize().into();
    tx.run(open, args![session, hash, id, at, at + time::Duration::days(1)]).await.expect("a session");
    tx.seal(&SESSION, session).await.expect("sealed");
    tx.commit().await.expect("kept");
    token
}

/// Makes people and the dictionary of their names by multi-row inserts. Returns those who are asked for, and how many
/// names there are.
pub async fn fill(service: &Service, rows: u64) -> (Vec<Invented>, usize) {
    const PERSONS: Sql = sql!(
        pg "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                birth_year, father_fold, mother_fold, residence_province, residence_district,
                                residence_commune)
            select (r ->> 0)::uuid, r ->> 1, r ->> 2, (r ->> 10)::jsonb, r ->> 2, '[]'::jsonb,
                   (select id from officer where username = 'bench'), now(), r ->> 3, (r ->> 4)::bigint,
                   (r ->> 4)::bigint / 10000, r ->> 5, r ->> 6, r ->> 7, r ->> 8, r ->> 9
            from jsonb_array_elements($1) as r",
        lite "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                  birth_year, father_fold, mother_fold, residence_province, residence_district,
                                  residence_commune)
              select value ->> 0, value ->> 1, value ->> 2, value ->> 10, value ->> 2, '[]',
                     (select id from officer where username = 'bench'), 0, value ->> 3, cast(value ->> 4 as integer),
                     cast(value ->> 4 as integer) / 10000, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9
              from json_each($1)"
    );
    const NAMES: Sql = sql!(
        pg "insert into full_name (fold, sorted, n) select r ->> 0, r ->> 1, (r ->> 2)::bigint
            from jsonb_array_elements($1) as r",
        lite "insert into full_name (fold, sorted, n) select value ->> 0, value ->> 1, cast(value ->> 2 as integer)
              from json_each($1)"
    );
    const POSTINGS: Sql = sql!(
        pg "insert into full_name_word (word, fold) select r ->> 0, r ->> 1 from jsonb_array_elements($1) as r",
        lite "insert into full_name_word (word, fold) select value ->> 0, value ->> 1 from json_each($1)"
    );
    const WORDS: Sql = sql!(
        pg "insert into name_word (word, n) select r ->> 0, (r ->> 1)::bigint from jsonb_array_elements($1) as r",
        lite "insert into name_word (word, n) select value ->> 0, cast(value ->> 1 as integer) from json_each($1)"
    );
    let db = service.offices().deeds().db();
    let (mut people, mut asked_for, mut bearers) = (People::new(), vec![], BTreeMap::<String, u64>::new());
    let mut draws = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..rows.div_ceil(2000) {
        let mut batch = vec![];
        for _ in 0..2000 {
            let (who, row) = people.next();
            *bearers.entry(row[3].as_str().expect("a name").to_owned()).or_default() += 1;
            batch.push(row);
            if draws.next_u32() % 1000 == 0 {
                asked_for.push(who);
            }
        }
        put(db, PERSONS, vec![batch]).await;
    }
    let names: Vec<Value> = bearers.iter().map(|(fold, n)| json!([fold, names::sorted(fold), n])).collect();
    put(db, NAMES, names.chunks(5000).map(<[Value]>::to_vec).collect()).await;
    let (mut postings, mut words) = (vec![], BTreeMap::<&str, u64>::new());
    for fold in bearers.keys() {
        let of_name: BTreeSet<&str> = fold.split(' ').collect();
        for word in of_name {
            postings.push(json!([word, fold]));
            *words.entry(word).or_default() += 1;
        }
    }
    put(db, POSTINGS, postings.chunks(5000).map(<[Value]>::to_vec).collect()).await;
    put(db, WORDS, vec![words.iter().map(|(word, n)| json!([word, n])).collect()]).await;
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
    (asked_for, bearers.len())
}

/// Runs a statement for each batch of rows.
async fn put(db: &Db, statement: Sql, batches: Vec<Vec<Value>>) {
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    for batch in batches {
        tx.run(statement, vec![Argument::json(&batch)]).await.expect("rows");
    }
    tx.commit().await.expect("kept");
}
