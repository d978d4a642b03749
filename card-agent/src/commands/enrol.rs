//! `card-agent enrol`

use card_agent::address::ServiceAddress;
use card_agent::failure::{Code, Failure};
use card_agent::papers;
use card_agent::station::Folder;
use card_agent::station::enrolment::Settings;
use serde_json::json;

use super::paper;
use crate::arguments::Enrol;
use crate::screen::Screen;

pub fn perform(arguments: &Enrol, screen: &Screen) -> Result<(), Failure> {
    let folder = Folder::new(&arguments.station);
    let station = arguments.station.display();
    if arguments.renew {
        let certificate = folder.renew()?;
        let until = certificate.not_after().date();
        return screen.result(
            json!({ "station": arguments.station, "not_after": until.to_string() }),
            &format!("renewed: {station}, until {until}"),
        );
    }
    // Everything is looked at before anything is written.
    let authority = arguments.service_ca.as_deref().map(|path| paper(path, papers::certificates)).transpose()?;
    let anchor = arguments.anchor.as_deref().map(|path| paper(path, papers::certificate)).transpose()?;
    match (&arguments.certificate, &arguments.name, &arguments.service) {
        (Some(certificate), _, _) => {
            folder.certify(paper(certificate, papers::certificates)?, authority.as_deref())?;
            screen.result(json!({ "station": arguments.station }), &format!("enrolled: {station}"))?;
        }
        (None, Some(name), Some(service)) => {
            let service = service.parse().and_then(ServiceAddress::with_port);
            let service = service.map_err(|e| Failure::new(Code::InputUnusable, format!("--service: {e}")))?;
            let settings = Settings::new(name.clone(), service);
            let request = folder.request(&settings, authority.as_deref())?;
            screen.result(json!({ "request": request }), &request.display().to_string())?;
            let then = format!("card-agent enrol --station {station} --certificate certificate.pem");
            screen.note(&match folder.has_authority() {
                true => format!("have this request registered, then: {then}"),
                false => format!(
                    "have this request registered, and get the service's TLS authority (tls-ca.pem of its data folder) \
                     over a trusted channel, then: {then} --service-ca tls-ca.pem"
                ),
            });
        }
        _ => return Err(Failure::new(Code::InputUnusable, "enrol needs --name and --service, or --certificate")),
    }
    match anchor {
        Some(anchor) => folder.keep_anchor(&anchor),
        None => Ok(()),
    }
}
