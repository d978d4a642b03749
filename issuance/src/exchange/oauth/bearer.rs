//! Who asks, and by what right: the partner whom the gate knows by the certificate, and the access token that is shown.

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use crypto::perso::problem::ProblemCode;

use super::super::model::Service;
use super::super::{Exchange, oauth};
use super::scopes;
use super::tokens::{TokenUnfit, Wanted};
use crate::ground::actor::Partner;
use crate::web::{Desk, Peer, Problem};

/// A partner that asks. A token that is shown is judged, also where none is needed: what it does not cover is refused.
pub(in crate::exchange) struct Asking {
    partner: Partner,
    scope: Option<String>,
}

impl Asking {
    /// Returns the partner, if the token that was shown covers this service. Without a token, the certificate alone
    /// counts.
    ///
    /// # Errors
    /// `exchange-scope-missing`
    pub fn of(self, service: Service) -> Result<Partner, Problem> {
        self.covers(&[service])?;
        Ok(self.partner)
    }

    /// Returns the partner, whatever the token covers: for what tells a partner of itself.
    pub fn itself(self) -> Partner {
        self.partner
    }

    /// As [`itself`](Self::itself), to find out which service it is about.
    pub const fn partner(&self) -> &Partner {
        &self.partner
    }

    /// Refuses a token that covers none of these services.
    ///
    /// # Errors
    /// `exchange-scope-missing`
    pub fn covers(&self, services: &[Service]) -> Result<(), Problem> {
        match &self.scope {
            None => Ok(()),
            Some(scope) if services.iter().any(|service| holds(scope, &scopes::of(*service))) => Ok(()),
            Some(_) => {
                let wanted: Vec<_> = services.iter().map(|service| scopes::of(*service)).collect();
                Err(Problem::new(ProblemCode::ExchangeScopeMissing).detail(wanted.join(" or ")))
            }
        }
    }

    /// Returns the partner, if a token was shown that has this scope.
    ///
    /// # Errors
    /// `exchange-token-unfit`, `exchange-scope-missing`
    pub fn with_token(self, scope: &str) -> Result<Partner, Problem> {
        match self.scope {
            None => Err(unfit(TokenUnfit::Missing)),
            Some(given) if holds(&given, scope) => Ok(self.partner),
            Some(_) => Err(Problem::new(ProblemCode::ExchangeScopeMissing).detail(scope)),
        }
    }
}

fn holds(given: &str, scope: &str) -> bool {
    given.split(' ').any(|one| one == scope)
}

fn unfit(why: TokenUnfit) -> Problem {
    Problem::new(ProblemCode::ExchangeTokenUnfit).detail(why)
}

impl<S> FromRequestParts<S> for Asking
where
    S: Send + Sync,
    Desk: FromRef<S>,
    Exchange: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let partner = Partner::from_request_parts(parts, state).await?;
        let mut shown = parts.headers.get_all(header::AUTHORIZATION).iter();
        let Some(first) = shown.next() else { return Ok(Self { partner, scope: None }) };
        // A token is bound to the certificate of a system, which a carrier does not have; what gateways before it want
        // of their callers is not for this service.
        if partner.carried.is_some() {
            let mut all = parts.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
            let is_token = |value: &[u8]| value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer"));
            return if all.any(is_token) {
                Err(unfit(TokenUnfit::Certificate))
            } else {
                Ok(Self { partner, scope: None })
            };
        }
        if shown.next().is_some() {
            return Err(unfit(TokenUnfit::Form));
        }
        // The scheme is read whatever its case (RFC 9110, section 11.1).
        let token = first.to_str().ok().and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, token)| token.trim());
        let token = token.ok_or_else(|| unfit(TokenUnfit::Form))?;
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|info| info.0.certificate);
        let certificate = peer.ok_or_else(|| unfit(TokenUnfit::Certificate))?;
        let exchange = Exchange::from_ref(state);
        let wanted = Wanted {
            issuer: &exchange.settings.issuer,
            audience: &oauth::audience(&exchange.settings.issuer),
            system: &partner.system.to_string(),
            certificate: &certificate,
            now: Desk::from_ref(state).deeds().source().now(),
        };
        let claims = exchange.tokens.verify(token, &wanted).map_err(unfit)?;
        Ok(Self { partner, scope: Some(claims.scope) })
    }
}
