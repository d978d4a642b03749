//! Partners and their systems over HTTP, for officers of the national office.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use crypto::pki;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::{LONGEST_CSR, Reason};
use super::partners::{self, Comes, Contact, PartnerRow, SystemRow};
use super::{Access, AccessError};
use crate::ground::carried::{MemberMalformed, is_identifier};
use crate::ground::ids::{OfficerId, PartnerId, PartnerSystemId};
use crate::ground::text::SomeWords;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Problem, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let exchanges = Right::Officer(Permission::Exchange);
    Routes::new()
        .add(exchanges, routes!(draft_partner, list_partners))
        .add(exchanges, routes!(read_partner))
        .add(exchanges, routes!(confirm_partner))
        .add(exchanges, routes!(end_partner))
        .add(exchanges, routes!(draft_system))
        .add(exchanges, routes!(confirm_system))
        .add(exchanges, routes!(revoke_system))
}

/// An authority that is to be a partner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "p-finance", "name": "Bộ Tài chính (thử nghiệm)", "unit": "Tổng cục Thuế",
    "contact_name": "Nguyễn Văn Thử", "contact_email": "ket-noi@example.invalid", "contact_phone": "024 0000 0000"}))]
struct NewPartner {
    /// Short code, unique: as that of an office.
    code: OfficeCode,
    /// The authority.
    #[schema(value_type = String)]
    name: SomeWords<200>,
    /// The unit of the authority that is joined.
    #[schema(value_type = String)]
    unit: SomeWords<200>,
    /// The officer of the authority who answers for the connection (Decree 47/2020/NĐ-CP): name, …
    #[schema(value_type = String)]
    contact_name: SomeWords<100>,
    /// … address of electronic mail, …
    #[schema(value_type = String)]
    contact_email: SomeWords<200>,
    /// … and telephone.
    #[schema(value_type = String)]
    contact_phone: SomeWords<40>,
}

/// A partner.
#[derive(Serialize, ToSchema)]
struct PartnerView {
    /// Identifier.
    id: PartnerId,
    /// Short code.
    code: String,
    /// The authority.
    name: String,
    /// The unit of the authority that is joined.
    unit: String,
    /// Who answers for the connection.
    contact_name: String,
    /// Address of electronic mail.
    contact_email: String,
    /// Telephone.
    contact_phone: String,
    /// `drafted`, `joined` or `ended`.
    state: &'static str,
    /// Who proposed it.
    drafted_by: OfficerId,
    /// Who confirmed it.
    confirmed_by: Option<OfficerId>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Why it ended.
    end_reason: Option<String>,
    /// True for a record that was changed by another hand: it opens nothing.
    tampered: bool,
}

/// A partner with its systems.
#[derive(Serialize, ToSchema)]
struct PartnerFile {
    /// The partner.
    partner: PartnerView,
    /// Its systems, in the order in which they were brought.
    systems: Vec<SystemView>,
}

/// A system of a partner.
#[derive(Serialize, ToSchema)]
struct SystemView {
    /// Identifier: common name of the certificate.
    id: PartnerSystemId,
    /// The partner whose system it is.
    partner_id: PartnerId,
    /// What it is called.
    name: String,
    /// `drafted`, `joined`, `ended` or `revoked`.
    state: &'static str,
    /// The member of a data exchange layer that it is: a carrier asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    member: Option<String>,
    /// The instance of a data exchange layer for whose members it asks, as a carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    carries: Option<String>,
    /// Who brought the request.
    drafted_by: OfficerId,
    /// Who confirmed it.
    confirmed_by: Option<OfficerId>,
    /// When the certificate ends.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: it opens nothing.
    tampered: bool,
    /// Client certificate (PEM); in the answer that issues it, and in the partner's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    certificate_pem: Option<String>,
    /// The service's TLS authority (PEM); only in the answer that issues the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ca_pem: Option<String>,
}

impl PartnerView {
    fn new(row: PartnerRow, tampered: bool) -> Self {
        let state = match (&row.confirmed, &row.ended) {
            (_, Some(_)) => "ended",
            (Some(_), None) => "joined",
            (None, None) => "drafted",
        };
        Self {
            id: row.id,
            code: row.code.to_string(),
            name: row.name,
            unit: row.unit,
            contact_name: row.contact.name,
            contact_email: row.contact.email,
            contact_phone: row.contact.phone,
            state,
            drafted_by: row.drafted.by,
            confirmed_by: row.confirmed.map(|decision| decision.by),
            ended_at: row.ended.map(|decision| decision.at),
            end_reason: row.end_reason,
            tampered,
        }
    }
}

impl SystemView {
    fn new(row: SystemRow, now: OffsetDateTime, tampered: bool) -> Self {
        let state = match (&row.revoked, &row.confirmed, row.expires_at) {
            (Some(_), ..) => "revoked",
            (None, None, _) => "drafted",
            (None, Some(_), Some(ends)) if ends <= now => "ended",
            (None, Some(_), _) => "joined",
        };
        Self {
            id: row.id,
            partner_id: row.partner,
            name: row.name,
            state,
            member: row.member.map(|member| member.as_str().to_owned()),
            carries: row.carries,
            drafted_by: row.drafted.by,
            confirmed_by: row.confirmed.map(|decision| decision.by),
            expires_at: row.expires_at,
            tampered,
            certificate_pem: None,
            ca_pem: None,
        }
    }
}

/// Proposes that an authority is a partner.
#[utoipa::path(post, path = "/api/v1/partners", tag = "partners", request_body = NewPartner,
    responses((status = 200, body = PartnerView)))]
async fn draft_partner(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewPartner>,
) -> Answered {
    let NewPartner { code, name, unit, contact_name, contact_email, contact_phone } = body;
    let contact = Contact {
        name: contact_name.as_str().to_owned(),
        email: contact_email.as_str().to_owned(),
        phone: contact_phone.as_str().to_owned(),
    };
    let named = (name.as_str().to_owned(), unit.as_str().to_owned());
    desk.write(officer, stamp, async |deed| {
        partners::draft(deed, code, named, contact).await.map(|row| PartnerView::new(row, false))
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

/// Lists partners, in the order in which they were proposed.
#[utoipa::path(get, path = "/api/v1/partners", tag = "partners", params(PageAsked),
    responses((status = 200, body = Page<PartnerView>)))]
async fn list_partners(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, PartnerId>,
) -> Looked<Page<PartnerView>> {
    let (after, most, limit) = (listing.after.unwrap_or(Id::nil()), listing.most(), listing.limit);
    desk.look(officer, async |deed| {
        let rows = partners::listed(deed, after, most).await?;
        let rows = rows.into_iter().map(|(row, holds)| (row.id, PartnerView::new(row, !holds))).collect();
        Ok::<_, AccessError>(Page::of(rows, limit))
    })
    .await
}

/// Reads a partner with its systems.
#[utoipa::path(get, path = "/api/v1/partners/{id}", tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = PartnerFile)))]
async fn read_partner(State(desk): State<Desk>, officer: Officer, Named(id): Named<PartnerId>) -> Looked<PartnerFile> {
    desk.look(officer, async |deed| {
        let (row, systems) = partners::file(deed, id).await?;
        let now = deed.at();
        let view = |(mut row, holds): (SystemRow, bool)| {
            let certificate_pem =
                row.certificate.take().map(|certificate| pki::pem::write("CERTIFICATE", &certificate).to_string());
            SystemView { certificate_pem, ..SystemView::new(row, now, !holds) }
        };
        let systems = systems.into_iter().map(view).collect();
        Ok::<_, AccessError>(PartnerFile { partner: PartnerView::new(row, false), systems })
    })
    .await
}

/// Confirms a partner that another officer proposed.
#[utoipa::path(post, path = "/api/v1/partners/{id}/confirmation", request_body = Nothing, tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = PartnerView)))]
async fn confirm_partner(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| partners::confirm(deed, id).await.map(|row| PartnerView::new(row, false)))
        .await
}

/// Ends a partner for good: its systems are refused from now on.
#[utoipa::path(post, path = "/api/v1/partners/{id}/end", tag = "partners", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = PartnerView)))]
async fn end_partner(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        partners::end(deed, id, body.reason.as_str()).await.map(|row| PartnerView::new(row, false))
    })
    .await
}

/// A system that is to be joined.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSystem {
    /// What it is called; unique within the partner.
    #[schema(value_type = String)]
    name: SomeWords<64>,
    /// PKCS#10 request in PEM. Its key is certified; name and wishes in it are not. Not for a member.
    #[serde(default)]
    #[schema(nullable = false)]
    csr_pem: Option<String>,
    /// The member of a data exchange layer that the system is, `instance/class/code/subsystem`: a carrier asks for it.
    #[serde(default)]
    #[schema(nullable = false, value_type = Option<String>)]
    member: Option<SomeWords<403>>,
    /// The instance of a data exchange layer for whose members the system asks, as a carrier.
    #[serde(default)]
    #[schema(nullable = false, value_type = Option<String>)]
    carries: Option<SomeWords<100>>,
}

impl NewSystem {
    /// Returns its name, and the one way in which it comes.
    fn parted(self) -> Result<(String, Comes), AccessError> {
        let unfit = |why| Err(AccessError::PartnerSystem(why));
        let comes = match (self.csr_pem, self.member, self.carries) {
            (Some(request), None, None) => Comes::ByItself(request),
            (Some(request), None, Some(instance)) if is_identifier(instance.as_str()) => {
                Comes::AsCarrier(instance.as_str().to_owned(), request)
            }
            (Some(_), None, Some(_)) => return unfit("carries: an instance is 1 to 100 of A-Z a-z 0-9 '()+,-.=?"),
            (None, Some(member), None) => match member.as_str().parse() {
                Ok(member) => Comes::AsMember(member),
                Err(MemberMalformed) => return unfit("member: instance/class/code or instance/class/code/subsystem"),
            },
            _ => return unfit("a system has csr_pem, or csr_pem and carries, or member alone"),
        };
        Ok((self.name.as_str().to_owned(), comes))
    }
}

/// Brings a partner's system: its certification request, or the member of a data exchange layer that it is. Another
/// officer confirms it.
#[utoipa::path(post, path = "/api/v1/partners/{id}/systems", tag = "partners", request_body = NewSystem,
    params(("id" = String, Path)), responses((status = 200, body = SystemView)))]
async fn draft_system(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerId>,
    Write { stamp, body }: Write<NewSystem>,
) -> Answered {
    if body.csr_pem.as_ref().is_some_and(|request| request.len() > LONGEST_CSR) {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(officer, stamp, async |deed| {
        let (authority, (name, comes)) = (access.authority(), body.parted()?);
        let row = partners::draft_system(deed, &authority, id, name, comes).await?;
        Ok::<_, AccessError>(SystemView::new(row, deed.at(), false))
    })
    .await
}

/// Confirms a system that another officer brought, and issues its client certificate for a year; a member has none.
#[utoipa::path(post, path = "/api/v1/partner-systems/{id}/confirmation", request_body = Nothing, tag = "partners",
    params(("id" = String, Path)), responses((status = 200, body = SystemView)))]
async fn confirm_system(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerSystemId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let authority = access.authority();
        let (row, certificate) = partners::confirm_system(deed, &authority, id).await?;
        let view = SystemView::new(row, deed.at(), false);
        let ca_pem = certificate.is_some().then(|| authority.all_pem().to_owned());
        Ok::<_, AccessError>(SystemView { certificate_pem: certificate.map(|issued| issued.pem), ca_pem, ..view })
    })
    .await
}

/// Revokes a system: its next request is refused, also on a connection that is open.
#[utoipa::path(post, path = "/api/v1/partner-systems/{id}/revocation", tag = "partners", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = SystemView)))]
async fn revoke_system(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PartnerSystemId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let row = partners::revoke_system(deed, id, body.reason.as_str()).await?;
        Ok::<_, AccessError>(SystemView::new(row, deed.at(), false))
    })
    .await
}
