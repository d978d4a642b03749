//! The papers of an application as PDF, for the printer of the counter. Each printing is a
//! reading, and recorded as one.

use ::pages::Language;
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use super::super::super::api::prints_slip;
use super::super::super::fingerprints::{Print, PrintState, TenPrintCard};
use super::super::super::papers::{self, Cc02, SlipPaper};
use super::super::super::{CounterError, drafts, reading, steps};
use super::super::file::{fields, kind_word, reference};
use super::{Act, capture, dong, prints};
use crate::access::AccessError;
use crate::ground::Permission;
use crate::web::Problem;
use crate::web::html::{Shown, Texts, fill, texts};

/// Form CC02, filled in, for citizen and officer to sign. It is in Vietnamese, as the circular has it.
pub(super) async fn cc02(act: Act) -> Shown {
    let (officer, id) = (act.visitor.officer.clone(), act.id);
    let Json((application, registered, draft)) = act
        .desk
        .look(officer, async |deed| {
            let application = steps::read(deed, id, capture(id)).await?;
            let registered = reading::person(deed, application.person, capture(id)).await?;
            let draft = drafts::of_application(deed, &application).await?;
            Ok::<_, CounterError>((application, registered, draft))
        })
        .await?;
    let t = texts(Language::Vi);
    let today = act.desk.deeds().source().clock().today();
    let portrait = act.portrait_of(&draft).await?.map(|portrait| portrait.to_vec());
    let number = registered.personal_number.as_ref();
    let number = number.map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str()));
    let mut items: Vec<(String, String)> = vec![];
    for (field, value) in fields(&registered.person, act.counter.register.reference(), today, t) {
        items.push((t.word(&t.field, &field.name()).to_owned(), value.unwrap_or_else(|| "-".to_owned())));
    }
    // The number stands after the sex, and the features last, as on the form.
    items.insert(3, (t.counter.number.clone(), number));
    items.push((t.file.features.clone(), draft.features));
    items.push((t.prints.title.clone(), prints_in_words(&draft.fingerprints, t)));
    let form = Cc02 {
        office: application.office.to_string(),
        reference: reference(id),
        code: id.uuid().simple().to_string().to_uppercase(),
        kind: t.word(&t.kind, &kind_word(application.kind)).to_owned(),
        items,
        portrait,
        officer: act.visitor.name.clone(),
        day: ::pages::written::date(today),
    };
    file(papers::cc02(&form), &format!("CC02-{}.pdf", reference(id)))
}

/// Returns what was taken of the fingers, in one sentence: how many images, and the state of each finger without one.
fn prints_in_words(card: &TenPrintCard, t: &'static Texts) -> String {
    let none = |print: &Print| match &print.state {
        PrintState::None { because } => {
            let finger = t.word(&t.finger, print.finger.word());
            Some(format!("{finger}: {}", t.word(&t.no_print, because.word())))
        }
        PrintState::Image { .. } => None,
    };
    let mut says = vec![prints::state_of(card, t)];
    says.extend(card.prints().iter().filter_map(none));
    says.join("; ")
}

/// The slip with which the citizen fetches the card, for the officer who may see it.
pub(super) async fn slip(act: Act) -> Shown {
    let (officer, id) = (act.visitor.officer.clone(), act.id);
    let Json((application, registered)) = act
        .desk
        .look(officer.clone(), async |deed| {
            let application = steps::read(deed, id, capture(id)).await?;
            let registered = reading::person(deed, application.person, capture(id)).await?;
            Ok::<_, CounterError>((application, registered))
        })
        .await?;
    if !prints_slip(&officer, &application) {
        return Err(Problem::from(AccessError::Permission(Permission::Apply)));
    }
    let t = texts(Language::Vi);
    let paper = SlipPaper {
        slip: application.slip.0.clone(),
        name: registered.person.full_name.as_str().to_owned(),
        reference: reference(id),
        kind: t.word(&t.kind, &kind_word(application.kind)).to_owned(),
        office: application.office.to_string(),
        promised: application.progress.promised,
        fee: match application.fee {
            0 => t.file.fee_free.clone(),
            amount => fill(&t.file.fee_due, &[("dong", &dong(amount, t))]),
        },
        day: ::pages::written::date(act.desk.deeds().source().clock().today()),
    };
    file(papers::slip(&paper), &format!("slip-{}.pdf", reference(id)))
}

fn file(pdf: Vec<u8>, name: &str) -> Shown {
    let shown = HeaderValue::try_from(format!("inline; filename=\"{name}\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CONTENT_DISPOSITION, shown.map_err(|error| Problem::internal(&error))?),
    ];
    Ok((headers, pdf).into_response())
}
