//! The words of other interfaces: an adapter is a folder that reads them as the one internal question, and writes the
//! one internal answer in them. This file is the one place that knows which there are.

mod npdb;
mod osia;
mod soap;
mod xroad;

use std::sync::Arc;

use axum::extract::{FromRef, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

pub use self::npdb::Settings as NpdbSettings;
pub(crate) use self::xroad::carried;
use super::oauth::scopes::Scope;
use super::{Exchange, oauth};
use crate::web::{Desk, InTheirWords, Problem, Routes};

/// The routes of the adapters, and those of the tokens that they want.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    Routes::new().merge(oauth::routes()).merge(npdb::routes()).merge(osia::routes()).merge(xroad::routes())
}

/// The scopes of the adapters.
pub(super) fn scopes() -> impl Iterator<Item = Scope> {
    osia::scopes()
}

/// Tells a refusal in the words of the interface that was asked, also one of the gate.
pub(crate) async fn in_their_words(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let words = path.map(|path| match path.as_str() {
        path if path.starts_with(npdb::AT) || path.starts_with(xroad::AT) => npdb::in_words as fn(&Problem) -> Response,
        path if path.starts_with(osia::AT) => osia::in_words,
        _ => oauth::in_words,
    });
    let mut response = next.run(request).await;
    if let Some(words) = words
        && response.extensions().get::<Problem>().is_some()
        && response.extensions().get::<InTheirWords>().is_none()
    {
        response.extensions_mut().insert(InTheirWords(Arc::new(words)));
    }
    response
}
