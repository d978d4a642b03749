//! `card-agent kiosk`

use std::sync::Arc;
use std::time::Duration;

use card_agent::config::Kiosk;
use card_agent::failure::{Failure, Language};
use card_agent::kiosk::NewestBundles;
use card_agent::kiosk::page::{Page, Reports, Settings, Source};
use card_agent::session::Stop;
use card_agent::transport::pcsc::{self, Patience};
use card_agent::{papers, private};
use serde_json::json;

use super::{inspect, paper};
use crate::arguments::KioskPage;
use crate::screen::Screen;

pub fn perform(arguments: &KioskPage, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let anchor = settings.anchor.as_deref().ok_or_else(|| inspect::missing("the CSCA certificate", "--anchor"))?;
    let service = inspect::connection(&settings)?.map(Arc::new);
    let source = match (&settings.bundle, &service) {
        (Some(path), _) => Source::File(path.clone()),
        (None, Some(service)) => Source::Service(Arc::clone(service)),
        (None, None) => {
            return Err(inspect::missing("a trust bundle", "--bundle, or `bundle` or `online` in kiosk.toml"));
        }
    };
    let reader = settings.reader.as_deref().map(|wanted| pcsc::find(wanted, Patience::default())).transpose()?;
    let page = Page::open(Settings {
        anchor: paper(anchor, papers::certificate)?,
        source,
        newest: NewestBundles::at(inspect::state(&settings)?),
        demands: inspect::demands(&settings),
        service,
        reader,
        offset: settings.utc_offset,
        limit: Duration::from_secs(settings.limit.get()),
        port: settings.port,
        over: settings.over,
        idle: Duration::from_secs(settings.idle.get()),
        keeps_cards: settings.keep_cards,
        duty: settings.duty.clone(),
        reports: settings.reports.as_deref().map(Reports::open).transpose()?,
        language: Language::Vietnamese,
    })?;
    match &settings.address_file {
        // Not on standard output too: that may go into a journal.
        Some(path) => private::write(path, page.address().as_bytes())?,
        None => screen.result(json!({ "address": page.address() }), page.address())?,
    }
    page.serve(stop)
}

/// Returns the settings: of kiosk.toml, of the environment, and of the command line over both.
fn settings(arguments: &KioskPage) -> Result<Kiosk, Failure> {
    let mut kiosk = super::config::kiosk(arguments.config.as_deref())?;
    for (own, set) in [
        (&arguments.anchor, &mut kiosk.anchor),
        (&arguments.bundle, &mut kiosk.bundle),
        (&arguments.state, &mut kiosk.state),
        (&arguments.reports, &mut kiosk.reports),
        (&arguments.address_file, &mut kiosk.address_file),
    ] {
        *set = own.clone().or(set.take());
    }
    kiosk.reader = arguments.reader.clone().or(kiosk.reader);
    kiosk.port = arguments.port.unwrap_or(kiosk.port);
    kiosk.over = arguments.over.or(kiosk.over);
    Ok(kiosk)
}
