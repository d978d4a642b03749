//! The routes of the pages, which carry their right as those of the API do. They stand in no document: a page may
//! change whenever it becomes better.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::handler::Handler;
use axum::routing::{get, post};

use crate::web::Right;

/// Routes of pages, over the state `S` of the whole service.
pub(crate) struct PageRoutes<S> {
    router: Router<S>,
    rights: BTreeMap<(String, String), Right>,
    uploads: BTreeSet<String>,
}

/// The right of each method and path.
type Rights = BTreeMap<(String, String), Right>;

impl<S: Clone + Send + Sync + 'static> PageRoutes<S> {
    /// No routes.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), rights: BTreeMap::new(), uploads: BTreeSet::new() }
    }

    /// Adds a page that is read.
    pub(crate) fn get<H: Handler<T, S>, T: 'static>(mut self, right: Right, path: &str, handler: H) -> Self {
        self.note("GET", path, right);
        self.router = self.router.route(path, get(handler));
        self
    }

    /// Adds an act that a form sends.
    pub(crate) fn post<H: Handler<T, S>, T: 'static>(mut self, right: Right, path: &str, handler: H) -> Self {
        self.note("POST", path, right);
        self.router = self.router.route(path, post(handler));
        self
    }

    /// Adds an act that a form sends with files: its body may have up to `web.upload_limit` bytes.
    pub(crate) fn upload<H: Handler<T, S>, T: 'static>(mut self, right: Right, path: &str, handler: H) -> Self {
        self.uploads.insert(path.to_owned());
        self.post(right, path, handler)
    }

    fn note(&mut self, method: &str, path: &str, right: Right) {
        let twice = self.rights.insert((method.to_owned(), path.to_owned()), right);
        assert!(twice.is_none(), "{method} {path} stands twice among the pages");
    }

    /// Adds the pages of another office.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.rights.extend(other.rights);
        self.uploads.extend(other.uploads);
        self
    }

    /// Returns router, the right of each method and path, and the paths that take files.
    pub(crate) fn split(self) -> (Router<S>, Rights, BTreeSet<String>) {
        (self.router, self.rights, self.uploads)
    }
}
