//! `card-agent inspect`

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use card_agent::client::{Connection, HttpService};
use card_agent::config::Kiosk;
use card_agent::failure::{Code, Failure};
use card_agent::kiosk::{Demands, NewestBundles, mrz_name};
use card_agent::session::Stop;
use card_agent::{ambient, kiosk, papers, private};
use crypto::inspection::{Finding, Holder, Judgement, Password, Request, Verdict};
use crypto::mrz::MrzDate;
use crypto::pki::pem;
use serde_json::{Value, json};
use time::Date;
use zeroize::Zeroizing;

use super::{paper, read, without_separators};
use crate::arguments::Inspect;
use crate::prompt;
use crate::screen::{self, Screen};

pub fn perform(arguments: &Inspect, screen: &Screen, stop: &Stop) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let at = ambient::now().to_offset(settings.utc_offset);
    let newest = NewestBundles::at(state(&settings)?);
    let service = service(&settings, stop)?;
    let bundle = match (&settings.bundle, &service) {
        (Some(path), _) => read(path)?,
        (None, Some(service)) => service.trust_bundle()?,
        (None, None) => return Err(missing("a trust bundle", "--bundle (or `bundle` in kiosk.toml), or --online")),
    };
    let anchor = settings.anchor.as_deref().ok_or_else(|| missing("the CSCA certificate", "--anchor"))?;
    let trust = kiosk::open_trust(&bundle, &paper(anchor, papers::certificate)?, at, &newest)?;
    let request = Request { password: password(arguments)?, challenge: ambient::challenge(), groups: None };
    let place = arguments.at.or(settings.reader.as_ref(), settings.log.as_ref());
    let reader = place.find()?;
    let card = place.card(&reader, screen, stop)?;
    tracing::info!("reading the card in {reader}");
    let mut session = place.session(card, Instant::now(), settings.limit.get(), screen, stop)?;
    let (evidence, Judgement { mut verdict, holder }) = kiosk::inspect(&mut session, &request, &trust, at)?;
    drop(session);
    if let Some(service) = &service {
        kiosk::ask_online(&mut verdict, &evidence, service, at.offset());
    }
    let demands = demands(&settings);
    demands.apply(&mut verdict);
    if let Some(folder) = &arguments.out {
        kiosk::write_files(folder, &evidence, holder.as_ref())?;
    }
    if let Some(path) = &arguments.portrait {
        match holder.as_ref().and_then(Holder::portrait) {
            Some(portrait) => private::write(path, &portrait.image)?,
            None => tracing::warn!("no portrait was proved, so none is written"),
        }
    }
    if arguments.show_portrait
        && !screen.is_json()
        && let Some(portrait) = holder.as_ref().and_then(Holder::portrait)
    {
        screen::picture(&portrait.image);
    }
    let particulars = holder.map(|holder| particulars(&holder, at.date())).unwrap_or_default();
    let mut value = serde_json::to_value(&verdict).expect("a verdict is JSON");
    value["holder"] = match particulars.is_empty() {
        true => Value::Null,
        false => particulars.iter().map(|(_, name, content)| (name.to_owned().to_owned(), json!(content))).collect(),
    };
    let shown = particulars.iter().map(|(label, _, content)| format!("{:<15} {content}\n", screen.label(label)));
    let text = shown.chain([told(&verdict, screen)]).collect::<String>();
    match demands.conclude(&evidence, &verdict) {
        Ok(()) => screen.result(value, &text),
        Err(failure) => {
            screen.result_and(value, &text, &failure)?;
            Err(failure)
        }
    }
}

/// Returns a line per check, and the conclusion, in the language of the screen. Names and reasons of
/// checks stay as they are.
fn told(verdict: &Verdict, screen: &Screen) -> String {
    let mut text = String::new();
    for Finding { name, outcome, reason, required } in verdict.findings() {
        let (mark, outcome) = (if *required { ' ' } else { '-' }, screen.label(outcome.name()));
        writeln!(text, "{outcome:<13} {mark} {:<22} {reason}", name.to_string()).expect("a String takes all");
    }
    let conclusion = screen.label(verdict.conclusion().name());
    write!(text, "{}: {conclusion}", screen.label("verdict")).expect("a String takes all");
    text
}

/// Returns the settings: of kiosk.toml, of the environment, and of the command line over both.
fn settings(arguments: &Inspect) -> Result<Kiosk, Failure> {
    let mut kiosk = super::config::kiosk(arguments.config.as_deref())?;
    for (own, set) in [
        (&arguments.anchor, &mut kiosk.anchor),
        (&arguments.bundle, &mut kiosk.bundle),
        (&arguments.service_ca, &mut kiosk.service_ca),
        (&arguments.state, &mut kiosk.state),
    ] {
        *set = own.clone().or(set.take());
    }
    kiosk.online = arguments.online.clone().or(kiosk.online);
    kiosk.utc_offset = arguments.utc_offset.unwrap_or(kiosk.utc_offset);
    kiosk.limit = arguments.limit.and_then(NonZeroU64::new).unwrap_or(kiosk.limit);
    kiosk.require.extend(&arguments.require);
    kiosk.tolerate.extend(&arguments.tolerate);
    kiosk.require_pace |= arguments.require_pace;
    Ok(kiosk)
}

/// Returns what this kiosk demands of a card.
pub(super) fn demands(settings: &Kiosk) -> Demands {
    let (require, tolerate, require_pace) =
        (settings.require.clone(), settings.tolerate.clone(), settings.require_pace);
    Demands { require, tolerate, require_pace }
}

/// Returns the connection to the service that is to be asked, if one is.
pub(super) fn connection(settings: &Kiosk) -> Result<Option<Connection>, Failure> {
    let Some(service) = settings.online.clone() else { return Ok(None) };
    let authority = settings.service_ca.as_deref().ok_or_else(|| missing("its TLS authority", "--service-ca"))?;
    let authority = papers::to_pem(&paper(authority, papers::certificates)?);
    Ok(Some(Connection { service, authority, identity: None }))
}

/// Returns the service that is to be asked, if one is.
fn service(settings: &Kiosk, stop: &Stop) -> Result<Option<HttpService>, Failure> {
    let Some(connection) = connection(settings)? else { return Ok(None) };
    let service = HttpService::new(&connection)?;
    service.work_within(Instant::now(), Duration::from_secs(settings.limit.get()), stop);
    Ok(Some(service))
}

pub(super) fn missing(what: &str, how: &str) -> Failure {
    Failure::new(Code::InputUnusable, format!("{what} is missing: name it with {how}"))
}

/// Returns label, name in JSON and content of what the proved groups say of the holder. The name is that of DG13 where
/// it is proved, because the MRZ has no accents and may cut it.
fn particulars(holder: &Holder, today: Date) -> Vec<(&'static str, &'static str, String)> {
    let with_accents = holder.particulars().and_then(|dg13| dg13.name.clone());
    let day = |date: Option<Date>, raw: MrzDate| date.map_or_else(|| raw.to_string(), |date| date.to_string());
    let expiry = |date: MrzDate| match date {
        MrzDate::NO_EXPIRY => "never".to_owned(),
        date => day(date.expiry(), date),
    };
    let all = [
        ("name", "name", with_accents.or_else(|| holder.name().map(mrz_name))),
        ("number", "personal_number", holder.personal_number().map(|number| number.to_string())),
        ("birth", "birth_date", holder.birth().map(|date| day(date.birth(today), date))),
        ("sex", "sex", holder.sex().map(|sex| sex.letter().to_string())),
        ("nationality", "nationality", holder.nationality().map(str::to_owned)),
        ("document", "document_number", holder.document_number().map(ToString::to_string)),
        ("expiry", "expiry_date", holder.expiry().map(expiry)),
    ];
    all.into_iter().filter_map(|(label, name, content)| Some((label, name, content?))).collect()
}

/// Reads the password from the arguments, the environment, the terminal or standard input. `ps` shows it only if the
/// operator chose --can.
fn password(arguments: &Inspect) -> Result<Password, Failure> {
    let unusable = |what: &str, e: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{what}: {e}"));
    let can = |typed: &str| -> Result<Password, Failure> {
        let can = Zeroizing::new(without_separators(typed));
        Ok(Password::Can(can.parse().map_err(|e| unusable("the CAN", &e))?))
    };
    let mrz = match (&arguments.mrz_file, &arguments.can) {
        (Some(path), _) if path.as_os_str() != "-" => pem::text(&Zeroizing::new(read(path)?)),
        (None, Some(typed)) => return can(typed),
        _ => match std::env::var("CITIZEN_CARD_MRZ") {
            Ok(mrz) if arguments.mrz_file.is_none() => Zeroizing::new(mrz),
            _ if arguments.mrz_file.is_none() && prompt::can_ask() => {
                let question = "Card access number, the six digits of the front (not shown):";
                return can(&prompt::ask_hidden(question).map_err(|e| unusable("the terminal", &e))?);
            }
            _ => {
                let mut bytes = Zeroizing::new(Vec::new());
                io::stdin().read_to_end(&mut bytes).map_err(|e| unusable("standard input", &e))?;
                pem::text(&bytes)
            }
        },
    };
    Ok(Password::Zone(mrz.parse().map_err(|e| unusable("the MRZ", &e))?))
}

/// Returns the file that remembers the newest bundles.
pub(super) fn state(settings: &Kiosk) -> Result<PathBuf, Failure> {
    if let Some(path) = &settings.state {
        return Ok(path.clone());
    }
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let below = below.ok_or_else(|| Failure::new(Code::InputUnusable, "no home folder: name a file with --state"))?;
    Ok(below.join("citizen-card").join(NewestBundles::FILE))
}
