//! The four figures of the register, from the country down to the commune, and the campaign that fills it: who is
//! behind the plan, by how much, and when each is done at the present rate. Nothing in them is about one person.

use ::pages::Language;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use crypto::perso::problem::ProblemCode;
use time::Date;

use super::super::Register;
use super::super::campaign::{self, Progress};
use super::super::import::csv_field;
use super::super::quality::{self, Figures, Level, Within, name_of};
use super::charts::{bar, share};
use crate::web::html::{Asked, Dress, Frame, Place, Shown, Texts, Visitor, fill, page, texts};
use crate::web::{Desk, Problem};

/// The four figures.
#[derive(Template)]
#[template(path = "register-figures.html")]
struct FiguresSheet {
    frame: Frame,
    title: String,
    /// The units above: address and name.
    above: Vec<(String, String)>,
    big: Vec<Big>,
    persons: String,
    verified: String,
    living: String,
    rows: Vec<Row>,
    csv: String,
}

/// One of the four figures of the whole.
struct Big {
    word: &'static str,
    says: &'static str,
    share: String,
    count: String,
    bar: String,
}

/// A unit.
struct Row {
    href: Option<String>,
    name: String,
    cells: Vec<(String, String)>,
    count: String,
}

/// The campaign.
#[derive(Template)]
#[template(path = "register-campaign.html")]
struct CampaignSheet {
    frame: Frame,
    title: String,
    above: Vec<(String, String)>,
    total: Option<Unit>,
    rows: Vec<Unit>,
    handed_in: String,
    csv: String,
}

/// A unit of the campaign.
struct Unit {
    href: Option<String>,
    name: String,
    expected: String,
    entered: String,
    share: String,
    bar: String,
    behind: String,
    /// True for one that is behind the plan.
    late: bool,
    quarantined: String,
    done: String,
}

/// What is asked for: within which unit, at which level, and how it is called.
struct Wanted {
    within: Within,
    level: Level,
}

impl Wanted {
    fn of(asked: &Asked) -> Result<Self, Problem> {
        let of = asked.some("of").unwrap_or_default();
        let within: Within = of.parse().map_err(|_| Problem::new(ProblemCode::QueryMalformed))?;
        let level = match of.matches('/').count() {
            _ if of.is_empty() => Level::Province,
            0 => Level::District,
            _ => Level::Commune,
        };
        Ok(Self { within, level })
    }

    /// Returns the units above, from the country on, each with its address below this path; and the name of the last.
    fn above(
        &self,
        path: &str,
        register: &Register,
        today: Date,
        t: &'static Texts,
    ) -> (Vec<(String, String)>, String) {
        let of = self.within.as_str();
        let mut above = vec![(path.to_owned(), t.registry.country.clone())];
        let parts: Vec<&str> = of.split('/').filter(|part| !part.is_empty()).collect();
        for upto in 1..=parts.len() {
            let place = parts[..upto].join("/");
            let level = if upto == 1 { Level::Province } else { Level::District };
            let name = name_of(&place, level, register.reference(), today).unwrap_or_else(|| place.clone());
            above.push((format!("{path}?of={place}"), name));
        }
        let name = above.pop().map(|(_, name)| name).unwrap_or_default();
        (above, name)
    }

    /// The address of a unit below, where there is something below it.
    fn below(&self, path: &str, place: &str) -> Option<String> {
        let known = self.level != Level::Commune && place.split('/').all(|part| !part.is_empty());
        known.then(|| format!("{path}?of={place}"))
    }
}

async fn read_figures(desk: &Desk, register: &Register, wanted: &Wanted) -> Result<(Figures, Vec<Figures>), Problem> {
    let (today, term) = (desk.deeds().source().clock().today(), register.living_months());
    let mut tx = desk.deeds().db().begin_read().await?;
    let within = &wanted.within;
    let whole = quality::figures(&mut tx, register.reference(), (Level::Country, within), (today, term)).await?;
    let mut units = quality::figures(&mut tx, register.reference(), (wanted.level, within), (today, term)).await?;
    // What needs people comes first.
    units.sort_by_key(|one| (one.tenths(one.verified).unwrap_or(1000), one.place.clone()));
    Ok((whole.into_iter().next().unwrap_or_default(), units))
}

/// `GET /pages/register/figures`
pub(super) async fn figures(
    State(desk): State<Desk>,
    State(register): State<Register>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let (t, language, today) = (texts(dress.language), dress.language, desk.deeds().source().clock().today());
    let wanted = Wanted::of(&asked)?;
    let (whole, units) = read_figures(&desk, &register, &wanted).await?;
    let (above, title) = wanted.above(FIGURES, &register, today, t);
    let words = [
        (&t.registry.right, &t.registry.right_says),
        (&t.registry.enough, &t.registry.enough_says),
        (&t.registry.clean, &t.registry.clean_says),
        (&t.registry.living, &t.registry.living_says),
    ];
    let big = words
        .into_iter()
        .zip(whole.words())
        .map(|((word, says), part)| Big {
            word,
            says,
            share: whole.tenths(part).map_or_else(|| t.file.nothing.clone(), |tenths| share(tenths, language)),
            count: count(part, language),
            bar: bar(whole.tenths(part).unwrap_or(0), None),
        })
        .collect();
    let row = |one: &Figures| Row {
        href: wanted.below(FIGURES, &one.place),
        name: name(one.name.as_ref(), t),
        cells: one
            .words()
            .into_iter()
            .chain([one.verified])
            .map(|part| {
                let tenths = one.tenths(part).unwrap_or(0);
                (share(tenths, language), bar(tenths, None))
            })
            .collect(),
        count: count(one.persons, language),
    };
    page(&FiguresSheet {
        frame: Frame::new(&dress, Some(&visitor), Place::Register),
        title,
        above,
        big,
        persons: count(whole.persons, language),
        verified: whole.tenths(whole.verified).map_or_else(|| t.file.nothing.clone(), |tenths| share(tenths, language)),
        living: fill(&t.registry.living_term, &[("n", &register.living_months().to_string())]),
        rows: units.iter().map(row).collect(),
        csv: format!("{FIGURES}.csv?of={}", wanted.within.as_str()),
    })
}

/// `GET /pages/register/figures.csv`
pub(super) async fn figures_csv(State(desk): State<Desk>, State(register): State<Register>, asked: Asked) -> Shown {
    let wanted = Wanted::of(&asked)?;
    let (_, units) = read_figures(&desk, &register, &wanted).await?;
    let head = ["place", "name", "persons", "right", "enough", "clean", "living", "verified"].map(str::to_owned);
    let row = |one: &Figures| {
        let counts = [one.persons, one.right, one.enough, one.clean, one.living, one.verified];
        [one.place.clone(), one.name.clone().unwrap_or_default()]
            .into_iter()
            .chain(counts.map(|n| n.to_string()))
            .collect()
    };
    let rows: Vec<Vec<String>> = units.iter().map(row).collect();
    Ok(csv("register-figures.csv", &head, &rows))
}

async fn read_campaign(
    desk: &Desk,
    register: &Register,
    wanted: &Wanted,
) -> Result<(campaign::CampaignView, campaign::CampaignView), Problem> {
    let today = desk.deeds().source().clock().today();
    let mut tx = desk.deeds().db().begin_read().await?;
    let (reference, within) = (register.reference(), &wanted.within);
    let whole = campaign::campaign(&mut tx, reference, Level::Country, within, today).await?;
    let mut units = campaign::campaign(&mut tx, reference, wanted.level, within, today).await?;
    units.items.sort_by_key(|one| (-one.behind_days, -one.behind, one.place.clone()));
    Ok((whole, units))
}

/// `GET /pages/register/campaign`
pub(super) async fn campaign(
    State(desk): State<Desk>,
    State(register): State<Register>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let (t, language, today) = (texts(dress.language), dress.language, desk.deeds().source().clock().today());
    let wanted = Wanted::of(&asked)?;
    let (whole, units) = read_campaign(&desk, &register, &wanted).await?;
    let (above, title) = wanted.above(CAMPAIGN, &register, today, t);
    let unit = |one: &Progress| {
        let tenths = one.entered_tenths.unwrap_or(0);
        let planned = (one.expected > 0).then(|| one.planned * 1000 / one.expected);
        let behind = [("n", count(one.behind, language)), ("days", count(one.behind_days, language))];
        let behind: Vec<(&str, &str)> = behind.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let all_there = one.expected > 0 && one.entered >= one.expected;
        Unit {
            href: wanted.below(CAMPAIGN, &one.place),
            name: name(one.name.as_ref(), t),
            expected: count(one.expected, language),
            entered: count(one.entered, language),
            share: one.entered_tenths.map_or_else(|| t.file.nothing.clone(), |tenths| share(tenths, language)),
            bar: bar(tenths, planned),
            behind: if one.behind > 0 { fill(&t.registry.behind_by, &behind) } else { t.registry.on_time.clone() },
            late: one.behind > 0,
            quarantined: count(one.quarantined, language),
            done: match &one.done_on {
                _ if all_there => t.registry.all_entered.clone(),
                Some(day) => day_in_words(day),
                None if one.expected > 0 => t.registry.never_at_this_rate.clone(),
                None => t.file.nothing.clone(),
            },
        }
    };
    let handed_in = [("n", whole.provinces_handed_in.to_string()), ("of", whole.provinces.to_string())];
    let handed_in: Vec<(&str, &str)> = handed_in.iter().map(|(name, value)| (*name, value.as_str())).collect();
    page(&CampaignSheet {
        frame: Frame::new(&dress, Some(&visitor), Place::Register),
        title,
        above,
        total: whole.items.first().map(unit),
        rows: units.items.iter().map(unit).collect(),
        handed_in: fill(&t.registry.handed_in, &handed_in),
        csv: format!("{CAMPAIGN}.csv?of={}", wanted.within.as_str()),
    })
}

/// `GET /pages/register/campaign.csv`
pub(super) async fn campaign_csv(State(desk): State<Desk>, State(register): State<Register>, asked: Asked) -> Shown {
    let wanted = Wanted::of(&asked)?;
    let (_, units) = read_campaign(&desk, &register, &wanted).await?;
    let head = [
        "place",
        "name",
        "expected",
        "collected",
        "entered",
        "verified",
        "quarantined",
        "planned",
        "behind",
        "behind_days",
        "due",
        "done_on",
    ]
    .map(str::to_owned);
    let row = |one: &Progress| {
        let counts = [
            one.expected,
            one.collected,
            one.entered,
            one.verified,
            one.quarantined,
            one.planned,
            one.behind,
            one.behind_days,
        ];
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let days = [text(&one.due), text(&one.done_on)];
        [one.place.clone(), text(&one.name)].into_iter().chain(counts.map(|n| n.to_string())).chain(days).collect()
    };
    let rows: Vec<Vec<String>> = units.items.iter().map(row).collect();
    Ok(csv("register-campaign.csv", &head, &rows))
}

/// Writes a table as a file: UTF-8 with a mark, which table calculations need to read it as such.
fn csv(name: &'static str, head: &[String], rows: &[Vec<String>]) -> axum::response::Response {
    let line = |row: &[String]| row.iter().map(|field| csv_field(field).into_owned()).collect::<Vec<_>>().join(",");
    let mut text = format!("\u{feff}{}\r\n", line(head));
    for row in rows {
        text.push_str(&line(row));
        text.push_str("\r\n");
    }
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let file = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).expect("our own ASCII");
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)], text).into_response()
}

fn count(number: i64, language: Language) -> String {
    ::pages::written::count(u64::try_from(number).unwrap_or(0), language)
}

fn name(name: Option<&String>, t: &'static Texts) -> String {
    name.cloned().unwrap_or_else(|| t.registry.place_unknown.clone())
}

/// Writes a day that the verb wrote as `yyyy-MM-dd`.
fn day_in_words(day: &str) -> String {
    match day.split('-').collect::<Vec<_>>()[..] {
        [year, month, of_month] => format!("{of_month}/{month}/{year}"),
        _ => day.to_owned(),
    }
}

const FIGURES: &str = "/pages/register/figures";
const CAMPAIGN: &str = "/pages/register/campaign";
