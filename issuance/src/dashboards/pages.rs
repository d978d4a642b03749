//! The page of the figures: of the officer's office; at the national office of the country, of
//! a province, of an office.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::pages::{Language, written};
use askama::Template;
use axum::extract::{FromRef, State};
use crypto::identity::ProvinceCode;
use crypto::perso::problem::ProblemCode;
use time::Date;

use super::figures::{self, Country, Dashboards, Figures};
use super::map::{ARCHIPELAGOS, TILE, TILES, corner};
use super::pictures::{Bar, Days, bars, days, level};
use crate::applications::model::StageName;
use crate::applications::store::tally::{LONG, SOON};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::population::Register;
use crate::population::reference::Reference;
use crate::web::html::{Asked, DASHBOARD, Dress, Frame, PageRoutes, Place, Shown, Texts, Visitor, fill, page, texts};
use crate::web::{Desk, Problem, Right};

/// The page of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Dashboards: FromRef<S>,
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    PageRoutes::new().get(Right::Officer(Permission::ListApplications), DASHBOARD, show)
}

/// The figures.
#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    frame: Frame,
    title: String,
    at: String,
    back: Option<(String, &'static str)>,
    total: Vec<(String, String, &'static str)>,
    stages: Vec<Bar>,
    ages: Vec<Bar>,
    days: Days,
    map: Option<Map>,
    rows: Option<Rows>,
}

/// The provinces as tiles.
#[derive(Debug)]
struct Map {
    says: String,
    width: u32,
    height: u32,
    tiles: Vec<Tile>,
    islands: Vec<Tile>,
    levels: Vec<(&'static str, String)>,
    measures: Vec<(&'static str, &'static str, bool)>,
    beside: Option<String>,
}

/// A tile.
#[derive(Debug)]
struct Tile {
    href: String,
    name: String,
    number: String,
    class: &'static str,
    x: u32,
    y: u32,
}

/// Provinces or offices, the one that needs help most first.
#[derive(Debug)]
struct Rows {
    title: &'static str,
    head: &'static str,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A province or an office.
#[derive(Debug)]
struct Row {
    name: String,
    href: Option<String>,
    open: String,
    late: String,
    share: String,
    cards: String,
    class: Option<(&'static str, &'static str, &'static str)>,
}

/// What is measured on the map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Measure {
    Share,
    Late,
    Open,
    Cards,
}

impl Measure {
    const ALL: [Self; 4] = [Self::Share, Self::Late, Self::Open, Self::Cards];

    const fn word(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Late => "late",
            Self::Open => "open",
            Self::Cards => "cards",
        }
    }

    fn of(self, figures: &Figures) -> u64 {
        match self {
            Self::Share => share(figures),
            Self::Late => figures.ages.overdue(),
            Self::Open => figures.ages.all(),
            Self::Cards => figures.made(),
        }
    }

    fn name(self, t: &'static Texts) -> &'static str {
        match self {
            Self::Share => &t.dashboard.share,
            Self::Late => &t.dashboard.late,
            Self::Open => &t.dashboard.open,
            Self::Cards => &t.dashboard.cards,
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
enum Scope {
    Country,
    Province(ProvinceCode),
    Office(OfficeCode),
}

impl Scope {
    /// Reads what is asked for. The country and other offices are for the national one, as in the lists of the API.
    ///
    /// # Errors
    /// `other-office`, `office-code-malformed`, `query-malformed`
    fn of(asked: &Asked, officer: &Officer) -> Result<Self, Problem> {
        let national = OfficeCode::national();
        let asks = |name| asked.some(name).map(str::trim).filter(|text| !text.is_empty());
        if let Some(office) = asks("office") {
            let office: OfficeCode = office.to_ascii_lowercase().parse()?;
            officer.may_act_for(&office)?;
            return Ok(Self::Office(office));
        }
        if let Some(province) = asks("province") {
            officer.may_act_for(&national)?;
            let province =
                province.parse().map_err(|_| Problem::new(ProblemCode::QueryMalformed).detail("`province`"))?;
            return Ok(Self::Province(province));
        }
        Ok(if officer.office == national { Self::Country } else { Self::Office(officer.office.clone()) })
    }
}

/// Late ones of all that wait, in percent.
fn share(figures: &Figures) -> u64 {
    (figures.ages.overdue() * 100).checked_div(figures.ages.all()).unwrap_or(0)
}

/// Returns how the queues of an officer's office stand, in words, for the beginning.
pub(crate) async fn summary(desk: &Desk, officer: &Officer, language: Language) -> Result<String, Problem> {
    let t = texts(language);
    let country = figures::look(desk.deeds(), Some(&officer.office)).await?;
    let ages = country.of(|_| true).ages;
    let [open, late] = [ages.all(), ages.overdue()].map(|n| written::count(n, language));
    Ok(fill(&t.dashboard.home, &[("open", &open), ("late", &late)]))
}

/// `GET /pages/dashboard`
async fn show(
    State(desk): State<Desk>,
    State(dashboards): State<Dashboards>,
    State(register): State<Register>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let officer = &visitor.officer;
    let scope = Scope::of(&asked, officer)?;
    let deeds = desk.deeds();
    let national = officer.office == OfficeCode::national();
    let country = match &scope {
        Scope::Office(office) => Arc::new(figures::look(deeds, Some(office)).await?),
        Scope::Country | Scope::Province(_) => dashboards.country(deeds).await?,
    };
    let today = deeds.source().clock().today();
    let measure = Measure::ALL.into_iter().find(|measure| asked.some("measure") == Some(measure.word()));
    let sheet = Sheet {
        t: texts(dress.language),
        language: dress.language,
        reference: register.reference(),
        country: &country,
        today,
        measure: measure.unwrap_or(Measure::Share),
    };
    let at = written::moment(country.at, deeds.source().clock().offset());
    page(&sheet.page(Frame::new(&dress, Some(&visitor), Place::Dashboard), &scope, &at, national))
}

/// What the page is made with.
struct Sheet<'a> {
    t: &'static Texts,
    language: Language,
    reference: &'a Reference,
    country: &'a Country,
    today: Date,
    measure: Measure,
}

impl Sheet<'_> {
    fn count(&self, n: u64) -> String {
        written::count(n, self.language)
    }

    /// The name of a province today; of one that is no more, the one that it had.
    fn province(&self, code: &str) -> String {
        let name = code.parse().ok().and_then(|code: ProvinceCode| {
            self.reference.province(code, self.today).or_else(|| self.reference.province(code, BEFORE_REORGANISATIONS))
        });
        name.unwrap_or(code).replace(" - ", "\u{a0}- ")
    }

    fn office(&self, code: &str) -> String {
        match self.country.units.get(code) {
            Some(unit) => format!("{} ({code})", unit.name.as_str()),
            None => fill(&self.t.dashboard.office, &[("office", code)]),
        }
    }

    fn page(&self, frame: Frame, scope: &Scope, at: &str, national: bool) -> Dashboard {
        let t = &self.t.dashboard;
        let (figures, title) = match scope {
            Scope::Country => (self.country.of(|_| true), t.country.clone()),
            Scope::Province(code) => {
                let code = code.to_string();
                let of_province = |office: &str| self.country.province(office).as_ref() == Some(&code);
                (self.country.of(of_province), self.province(&code))
            }
            Scope::Office(office) => (self.country.of(|_| true), self.office(office.as_str())),
        };
        let back = match scope {
            Scope::Office(office) if national => Some(match self.country.province(office.as_str()) {
                Some(province) => (format!("{DASHBOARD}?province={province}"), &*t.back_province),
                None => (DASHBOARD.to_owned(), &*t.back_country),
            }),
            Scope::Country | Scope::Office(_) => None,
            Scope::Province(_) => Some((DASHBOARD.to_owned(), &*t.back_country)),
        };
        Dashboard {
            frame,
            title,
            at: fill(if matches!(scope, Scope::Office(_)) { &t.at } else { &t.at_kept }, &[("at", at)]),
            back,
            total: self.total(&figures),
            stages: self.stages(&figures),
            ages: self.ages(&figures),
            days: days(&figures, self.today, self.language),
            map: matches!(scope, Scope::Country).then(|| self.map()),
            rows: match scope {
                Scope::Country => Some(self.provinces()),
                Scope::Province(code) => Some(self.offices(&code.to_string())),
                Scope::Office(_) => None,
            },
        }
    }

    fn total(&self, figures: &Figures) -> Vec<(String, String, &'static str)> {
        let t = &self.t.dashboard;
        let (open, late) = (figures.ages.all(), figures.ages.overdue());
        let today = figures.cards.get(&self.today).copied().unwrap_or(0);
        vec![
            (t.open.clone(), self.count(open), ""),
            (t.late.clone(), self.count(late), if late > 0 { "c-bad" } else { "c-good" }),
            (t.share.clone(), format!("{} %", share(figures)), ""),
            (t.cards_today.clone(), self.count(today), ""),
            (t.cards.clone(), self.count(figures.made()), ""),
        ]
    }

    fn stages(&self, figures: &Figures) -> Vec<Bar> {
        let all = StageName::ALL.iter().enumerate().map(|(place, stage)| {
            let n = figures.stages.get(&place).copied().unwrap_or(0);
            let class = if stage.is_open() { "bar-act" } else { "bar-end" };
            (self.t.word(&self.t.stage, stage.word()).to_owned(), n, class)
        });
        bars(all.collect(), self.language)
    }

    fn ages(&self, figures: &Figures) -> Vec<Bar> {
        let (t, ages) = (&self.t.dashboard, figures.ages);
        let (long, soon) = (LONG.to_string(), SOON.to_string());
        let all = vec![
            (fill(&t.long_late, &[("n", &long)]), ages.long_late, "bar-bad"),
            (fill(&t.just_late, &[("n", &long)]), ages.late, "bar-bad"),
            (t.due_today.clone(), ages.today, "bar-wait"),
            (fill(&t.due_soon, &[("n", &soon)]), ages.soon, "bar-act"),
            (fill(&t.due_later, &[("n", &soon)]), ages.later, "bar-act"),
        ];
        bars(all, self.language)
    }

    /// The figures of each province that has an office with any, by its code.
    fn by_province(&self) -> BTreeMap<String, Figures> {
        let mut all: BTreeMap<String, Figures> = BTreeMap::new();
        for (office, figures) in &self.country.offices {
            if let Some(province) = self.country.province(office) {
                all.entry(province).or_default().add(figures);
            }
        }
        all
    }

    fn map(&self) -> Map {
        let t = &self.t.dashboard;
        let (of_province, measure) = (self.by_province(), self.measure);
        let number = |code: &str| of_province.get(code).map_or(0, |figures| measure.of(figures));
        let most = TILES.iter().map(|(code, ..)| number(code)).max().unwrap_or(0);
        let unit = if measure == Measure::Share { " %" } else { "" };
        let link = |code: &str| format!("{DASHBOARD}?province={code}");
        let tiles = TILES.iter().map(|(code, column, row)| {
            let (n, (x, y)) = (number(code), corner(*column, *row));
            let (name, number) = (self.province(code), format!("{}{unit}", self.count(n)));
            Tile { href: link(code), name, number, class: LEVELS[level(n, most)], x, y }
        });
        let islands = ARCHIPELAGOS.iter().map(|(name, code, column, row)| {
            let (x, y) = corner(*column, *row);
            let number = fill(&t.island, &[("province", &self.province(code))]);
            Tile { href: link(code), name: (*name).to_owned(), number, class: "sea", x, y }
        });
        let bound = |level: u64| (most * level).div_ceil(4);
        let levels = (0..LEVELS.len() as u64).zip(LEVELS).filter_map(|(level, class)| match level {
            0 => Some((class, format!("0{unit}"))),
            _ => {
                let (from, to) = (if level == 1 { 1 } else { bound(level - 1) + 1 }, bound(level));
                (from <= to).then(|| (class, format!("{}–{}{unit}", self.count(from), self.count(to))))
            }
        });
        let beside =
            self.country.offices.keys().filter(|office| self.country.province(office).is_none()).count() as u64;
        let (width, height) = corner(7, 23);
        Map {
            says: fill(&t.map_says, &[("measure", measure.name(self.t))]),
            width: width - TILE.2,
            height: height - TILE.2,
            tiles: tiles.collect(),
            islands: islands.collect(),
            levels: levels.collect(),
            measures: Measure::ALL.iter().map(|one| (one.word(), one.name(self.t), *one == measure)).collect(),
            beside: (beside > 0).then(|| fill(&t.beside, &[("n", &self.count(beside))])),
        }
    }

    fn row(&self, name: String, href: Option<String>, figures: &Figures) -> Row {
        let (t, share) = (&self.t.dashboard, share(figures));
        Row {
            name,
            href,
            open: self.count(figures.ages.all()),
            late: self.count(figures.ages.overdue()),
            share: format!("{share} %"),
            cards: self.count(figures.made()),
            class: match (figures.ages.all(), share) {
                (0, _) => None,
                (_, 0) => Some(("good", "i-ok", &*t.in_time)),
                (_, 1..=9) => Some(("wait", "i-wait", &*t.watch)),
                _ => Some(("bad-t", "i-no", &*t.needs_help)),
            },
        }
    }

    /// Provinces, and beside them the offices that belong to none.
    fn provinces(&self) -> Rows {
        let mut all: Vec<(String, Option<String>, Figures)> = self
            .by_province()
            .into_iter()
            .map(|(code, figures)| (self.province(&code), Some(format!("{DASHBOARD}?province={code}")), figures))
            .collect();
        all.extend(self.country.offices.iter().filter(|(office, _)| self.country.province(office).is_none()).map(
            |(office, figures)| (self.office(office), Some(format!("{DASHBOARD}?office={office}")), figures.clone()),
        ));
        self.rows(&self.t.dashboard.provinces, &self.t.dashboard.province, all)
    }

    fn offices(&self, code: &str) -> Rows {
        let of_province =
            self.country.offices.iter().filter(|(office, _)| self.country.province(office).as_deref() == Some(code));
        let all = of_province.map(|(office, figures)| {
            (self.office(office), Some(format!("{DASHBOARD}?office={office}")), figures.clone())
        });
        self.rows(&self.t.dashboard.offices, &self.t.dashboard.office_head, all.collect())
    }

    fn rows(&self, title: &'static str, head: &'static str, mut all: Vec<(String, Option<String>, Figures)>) -> Rows {
        let rank = |figures: &Figures| (share(figures), figures.ages.overdue(), figures.ages.all());
        all.sort_by(|one, other| rank(&other.2).cmp(&rank(&one.2)).then_with(|| one.0.cmp(&other.0)));
        let left = all.len().saturating_sub(MOST_ROWS) as u64;
        all.truncate(MOST_ROWS);
        Rows {
            title,
            head,
            rows: all.into_iter().map(|(name, href, figures)| self.row(name, href, &figures)).collect(),
            more: (left > 0).then(|| fill(&self.t.dashboard.more, &[("n", &self.count(left))])),
        }
    }
}

/// The classes of the tiles, the lightest first.
const LEVELS: [&str; 5] = ["q0", "q1", "q2", "q3", "q4"];
/// So many provinces or offices are told at once.
const MOST_ROWS: usize = 200;
/// A day on which there were the provinces of the tables.
const BEFORE_REORGANISATIONS: Date = time::macros::date!(2022 - 01 - 01);
