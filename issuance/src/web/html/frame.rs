//! The frame around a page: head, ways to the other pages, foot; and how a problem is told on a page.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use crypto::perso::problem::ProblemCode;

use super::HOME;
use super::dress::{Dress, NO_KEYS, Theme};
use super::texts::{Texts, fill, texts};
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::Problem;
use crate::web::problem::catalogued;

/// The officer who looks at a page, as the gate found out.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The officer.
    pub(crate) officer: Officer,
    /// Name of the account.
    pub(crate) name: String,
    /// The word that forms of this session carry.
    pub(crate) token: String,
    /// The word that makes an act of this page the same when it is sent twice.
    pub(crate) key: String,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(ProblemCode::RouteWithoutRight))
    }
}

/// Where a page stands among the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// The administration of officers, offices, stations and keys.
    Administration,
    /// The decisions of the second officer.
    Approvals,
    /// The counter.
    Counter,
    /// The figures of offices and provinces.
    Dashboard,
    /// A page that the head does not name.
    Elsewhere,
    /// Looks in emergencies.
    Emergencies,
    /// The factory.
    Factory,
    /// The hand-over of cards.
    HandOver,
    /// The beginning.
    Home,
    /// What citizens object to.
    Objections,
    /// Other authorities, and what was agreed with them.
    Partners,
    /// People of the register.
    Persons,
    /// Who looked at whom.
    Readings,
    /// The register: declarations, changes, merges, quarantine, figures.
    Register,
}

/// A way in the head of the page.
#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) href: &'static str,
    pub(crate) text: &'static str,
    pub(crate) current: bool,
}

/// What stands around a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) t: &'static Texts,
    pub(crate) lang: &'static str,
    pub(crate) theme: &'static str,
    pub(crate) keys: bool,
    pub(crate) nonce: String,
    pub(crate) here: String,
    pub(crate) visitor: Option<Visitor>,
    pub(crate) roles: String,
    pub(crate) tabs: Vec<Tab>,
    sandbox: bool,
}

impl Frame {
    /// The frame of a page at this place, with the ways that the officer may go.
    pub(crate) fn new(dress: &Dress, visitor: Option<&Visitor>, place: Place) -> Self {
        let t = texts(dress.language);
        let mut tabs = vec![];
        let mut roles = vec![];
        if let Some(visitor) = visitor {
            let mut tab = |at, href, text: &'static str| tabs.push(Tab { href, text, current: at == place });
            tab(Place::Home, HOME, &t.layout.home);
            if visitor.officer.may(Permission::Apply) {
                tab(Place::Counter, COUNTER, &t.counter.tab);
            }
            if visitor.officer.may(Permission::Decide) {
                tab(Place::Approvals, APPROVALS, &t.layout.approvals);
            }
            if visitor.officer.may(Permission::ReadStock) {
                tab(Place::Factory, FACTORY, &t.factory.tab);
            }
            if visitor.officer.may(Permission::HandOver) {
                tab(Place::HandOver, HAND_OVER, &t.handing.tab);
            }
            if visitor.officer.may(Permission::ReadPerson) {
                tab(Place::Persons, PERSONS, &t.persons.tab);
            }
            if visitor.officer.may(Permission::Declare) {
                tab(Place::Register, REGISTER, &t.registry.tab);
            }
            if visitor.officer.may(Permission::AnswerObjections) {
                tab(Place::Objections, OBJECTIONS, &t.objections.tab);
            }
            if visitor.officer.may(Permission::ReadAudit) {
                tab(Place::Readings, READINGS, &t.readings.tab);
            }
            if visitor.officer.may(Permission::ListApplications) {
                tab(Place::Dashboard, DASHBOARD, &t.dashboard.tab);
            }
            // These are of the national office alone.
            let national = visitor.officer.office == OfficeCode::national();
            if national && visitor.officer.may(Permission::Withhold) {
                tab(Place::Emergencies, EMERGENCIES, &t.emergencies.tab);
            }
            if national && visitor.officer.may(Permission::Exchange) {
                tab(Place::Partners, PARTNERS, &t.partners.tab);
            }
            if visitor.officer.may(Permission::Administer) {
                tab(Place::Administration, ADMINISTRATION, &t.administration.tab);
            }
            roles = visitor.officer.roles.iter().map(|role| t.word(&t.role, role.name())).collect();
        }
        Self {
            t,
            lang: dress.language.tag(),
            theme: dress.theme.word(),
            keys: dress.keys,
            nonce: dress.nonce.to_string(),
            here: dress.here.clone(),
            visitor: visitor.cloned(),
            roles: roles.join(", "),
            tabs,
            sandbox: dress.sandbox,
        }
    }

    /// Returns whose page it is; in a sandbox, that its people are invented.
    pub(crate) fn brand(&self) -> String {
        let layout = &self.t.layout;
        if self.sandbox { format!("{}: {}", layout.brand, layout.sandbox) } else { layout.brand.clone() }
    }

    /// Returns the address of a file that the page loads.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{ASSETS}{}", ::pages::address(name))
    }

    /// Returns the glyphs, for the beginning of the page.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    pub(crate) fn icons(&self) -> &'static str {
        ::pages::ICONS
    }

    /// True for an officer who changes the register.
    pub(crate) fn declares(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.officer.may(Permission::Declare))
    }

    /// Returns the office of the officer, in words.
    pub(crate) fn unit(&self) -> String {
        let office = self.visitor.as_ref().map_or("", |visitor| visitor.officer.office.as_str());
        fill(&self.t.layout.unit, &[("office", office)])
    }

    /// Returns the ways between the pages of the administration; the one of this word is the present one.
    pub(crate) fn administration(&self, here: &str) -> Vec<Tab> {
        let t = &self.t.administration;
        [
            ("overview", ADMINISTRATION, &*t.overview),
            ("proposals", PROPOSALS, &t.proposals),
            ("officers", OFFICERS, &t.officers),
            ("deputies", DEPUTIES, &t.deputies),
            ("offices", UNITS, &t.offices),
            ("calendar", CALENDAR, &t.calendar),
            ("stations", STATIONS, &t.stations),
            ("tables", TABLES, &t.tables),
            ("keys", KEYS, &t.keys),
        ]
        .map(|(word, href, text)| Tab { href, text, current: word == here })
        .into()
    }

    /// Returns the themes, each with its word, its name and whether it is chosen.
    pub(crate) fn themes(&self) -> Vec<(&'static str, &'static str, bool)> {
        let name = |theme| match theme {
            Theme::Contrast => &*self.t.layout.contrast,
            Theme::Dark => &*self.t.layout.dark,
            Theme::Light => &*self.t.layout.light,
        };
        Theme::ALL.into_iter().map(|theme| (theme.word(), name(theme), theme.word() == self.theme)).collect()
    }

    /// Returns the word that turns the single keys to what they are not.
    pub(crate) fn other_keys(&self) -> &'static str {
        if self.keys { NO_KEYS } else { "keys" }
    }
}

/// The beginning of the administration.
pub(crate) const ADMINISTRATION: &str = "/pages/administration";
/// What waits for a second administrator about officers.
pub(crate) const PROPOSALS: &str = "/pages/administration/proposals";
/// The officers.
pub(crate) const OFFICERS: &str = "/pages/administration/officers";
/// Who stands in for whom.
pub(crate) const DEPUTIES: &str = "/pages/administration/deputies";
/// The offices.
pub(crate) const UNITS: &str = "/pages/administration/offices";
/// The calendar of working days.
pub(crate) const CALENDAR: &str = "/pages/administration/calendar";
/// The stations.
pub(crate) const STATIONS: &str = "/pages/administration/stations";
/// The tables of places.
pub(crate) const TABLES: &str = "/pages/administration/tables";
/// The state of the keys.
pub(crate) const KEYS: &str = "/pages/administration/keys";
/// Where the files of the pages are.
pub(crate) const ASSETS: &str = "/pages/assets/";
/// The page of the counter.
pub(crate) const COUNTER: &str = "/pages/counter";
/// The page of the decisions.
pub(crate) const APPROVALS: &str = "/pages/approvals";
/// The page of the factory.
pub(crate) const FACTORY: &str = "/pages/factory";
/// The page of the figures.
pub(crate) const DASHBOARD: &str = "/pages/dashboard";
/// The page where cards are handed over.
pub(crate) const HAND_OVER: &str = "/pages/hand-over";
/// The page of what citizens object to.
pub(crate) const OBJECTIONS: &str = "/pages/objections";
/// The page of looks in emergencies.
pub(crate) const EMERGENCIES: &str = "/pages/emergency-looks";
/// The page of agreements with other authorities.
pub(crate) const AGREEMENTS: &str = "/pages/agreements";
/// The page of other authorities.
pub(crate) const PARTNERS: &str = "/pages/partners";
/// The page of births that are held.
pub(crate) const HELD_BIRTHS: &str = "/pages/held-births";
/// The page where people are looked for.
pub(crate) const PERSONS: &str = "/pages/persons";
/// The page of the register.
pub(crate) const REGISTER: &str = "/pages/register";
/// The page of who looked at a person.
pub(crate) const READINGS: &str = "/pages/readings";

/// A problem, as a page tells it: what is wrong, what to do, and small below them the code.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) title: String,
    pub(crate) says: String,
    pub(crate) detail: Option<String>,
    pub(crate) code: &'static str,
    pub(crate) signs_in: bool,
    /// The fields that do not fit, by their names.
    fields: Vec<String>,
}

impl Trouble {
    /// A problem in the words of the pages; where they have none for its code, in those of the catalogue.
    pub(crate) fn of(problem: &Problem, t: &'static Texts) -> Self {
        let code = problem.code();
        let (title, says) = match t.problem.get(code.word()) {
            Some(text) => (text.title.clone(), text.says.clone()),
            None => {
                let entry = catalogued(code);
                let said = if t.is_vietnamese() { &entry.vi } else { &entry.en };
                (said.cause.clone(), said.remedy.clone())
            }
        };
        let fields = problem.errors().iter().map(|field| field.pointer.trim_start_matches('/').to_owned()).collect();
        let detail = problem.detail_of().filter(|_| !t.is_vietnamese()).map(str::to_owned);
        Self { title, says, detail, code: code.word(), signs_in: code == ProblemCode::SessionNeeded, fields }
    }

    /// True if this field does not fit.
    pub(crate) fn is_about(&self, field: &str) -> bool {
        self.fields.iter().any(|known| known == field)
    }
}
