//! Officers as administrators look for them, and the file of one of them: what is read, and by whom.

use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::certificates::{self, CertificateItem};
use super::deputies::{Deputy, DeputyState};
use super::proposals::Proposal;
use super::store::certificates::Whose;
use super::{AccessError, store};
use crate::deed::{Action, Deed, Object, Purpose, last_times};
use crate::ground::ids::OfficerId;
use crate::ground::{Id, OfficeCode, Officer, Role};
use crate::store::{Record, StoreError};

/// How an account stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Another hand changed the row: nothing of it is believed, and it opens no session.
    Changed,
    /// The officer has no access any more.
    Ended,
    /// The officer signs in.
    Open,
    /// The officer signs in, and chooses another password before anything else.
    PasswordDue,
    /// A one-time token that sets the password was given out, and works.
    Token,
    /// There is no password, and no token that sets one: the appointment is not confirmed, or the token ran out.
    Without,
}

/// The account of an officer, as administrators see it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub id: OfficerId,
    pub username: String,
    pub roles: Vec<Role>,
    /// As the row says it; of a row that another hand changed it may be no code.
    pub office: String,
    pub made_at: OffsetDateTime,
    pub disabled_at: Option<OffsetDateTime>,
    pub standing: Standing,
    /// Until when the token works, where it is waited for.
    pub token_until: Option<OffsetDateTime>,
}

impl Account {
    fn of(row: &Record, holds: bool, now: OffsetDateTime) -> Result<Self, StoreError> {
        let disabled_at: Option<OffsetDateTime> = row.get("disabled_at")?;
        let until: Option<OffsetDateTime> = row.get("token_until")?;
        let standing = match (disabled_at, row.get::<String>("password")?.is_empty()) {
            _ if !holds => Standing::Changed,
            (Some(_), _) => Standing::Ended,
            (None, true) if until.is_some_and(|until| until > now) => Standing::Token,
            (None, true) => Standing::Without,
            (None, false) if row.get("password_due")? => Standing::PasswordDue,
            (None, false) => Standing::Open,
        };
        Ok(Self {
            id: Id::of(row, "id")?,
            username: row.get("username")?,
            // What another hand wrote may have no meaning, and is shown all the same.
            roles: if holds { row.json("roles")? } else { row.json("roles").unwrap_or_default() },
            office: row.get("office")?,
            made_at: row.get("made_at")?,
            disabled_at,
            standing,
            token_until: until.filter(|_| standing == Standing::Token),
        })
    }
}

/// Which officers are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// A part of the name, with or without its marks.
    pub name: String,
    /// The office where they work.
    pub office: Option<OfficeCode>,
    /// A role that they have.
    pub role: Option<Role>,
    /// True for those who have no access any more, false for all others; `None` for both.
    pub ended: Option<bool>,
}

impl Wanted {
    fn fits(&self, account: &Account) -> bool {
        bare(&account.username).contains(&bare(self.name.trim()))
            && self.office.as_ref().is_none_or(|office| office.as_str() == account.office)
            && self.role.is_none_or(|role| account.roles.contains(&role))
            && self.ended.is_none_or(|ended| ended == account.disabled_at.is_some())
    }
}

/// Returns a name in lower case and without its marks.
fn bare(name: &str) -> String {
    let letters = name.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    letters.map(|c| if c == 'đ' { 'd' } else { c }).collect()
}

/// Finds officers of the administrator's office, for the national office of all, by name. Returns at most so many, and
/// whether there are more.
///
/// # Errors
/// [`AccessError::Store`]
pub(super) async fn found(
    deed: &mut Deed<Officer>,
    wanted: &Wanted,
    most: usize,
) -> Result<(Vec<Account>, bool), AccessError> {
    let (office, now) = (deed.actor().office.clone(), deed.at());
    let (mut after, mut all) = (OfficerId::nil(), vec![]);
    loop {
        let rows = store::lists::officers(deed.tx(), &office, after, AT_ONCE).await?;
        let Some((last, _)) = rows.last() else { break };
        after = Id::of(last, "id")?;
        for (row, holds) in &rows {
            match Account::of(row, *holds, now) {
                Ok(account) => all.extend(wanted.fits(&account).then_some(account)),
                Err(error) if *holds => return Err(error.into()),
                // A row that another hand made unreadable opens nothing, and hides no other.
                Err(_) => {}
            }
        }
    }
    let object = Object::Unit(office.to_string());
    deed.record(Action::OfficersListed, object, None, Purpose::Administration).await?;
    all.sort_by(|one, other| one.username.cmp(&other.username));
    let more = all.len() > most;
    all.truncate(most);
    Ok((all, more))
}

/// An officer's last session.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastSession {
    pub opened_at: OffsetDateTime,
    /// True if the officer showed a certificate.
    pub certificate: bool,
}

/// All that administrators see of an officer.
pub(super) struct OfficerFile {
    pub account: Account,
    /// The last session that is kept; sessions that ended are forgotten after a while.
    pub last: Option<LastSession>,
    /// Sign-ins that were refused under this name in the last day, the newest first: moment, and what the trail says.
    pub refused: Vec<(OffsetDateTime, String)>,
    /// Open proposals about the officer, oldest first.
    pub proposals: Vec<Proposal>,
    /// Client certificates and grants, oldest first.
    pub certificates: Vec<CertificateItem>,
    /// Standings in of either kind that are not over, each with the name of the other officer.
    pub deputies: Vec<(Deputy, String)>,
}

/// Returns the file of an officer; of one whose row another hand changed, to the national office.
///
/// # Errors
/// [`AccessError::OfficerUnknown`], [`AccessError::OtherOffice`]
pub(super) async fn read(deed: &mut Deed<Officer>, id: OfficerId) -> Result<OfficerFile, AccessError> {
    let now = deed.at();
    let (row, holds) = store::lists::officer(deed.tx(), id).await?.ok_or(AccessError::OfficerUnknown)?;
    let office = if holds { row.parsed("office")? } else { OfficeCode::national() };
    deed.actor().may_act_for(&office)?;
    let account = Account::of(&row, holds, now)?;
    let name: [u8; 32] = Sha256::digest(&account.username).into();
    let typed = Object::SignIn(name[..8].try_into().expect("a hash is longer than eight bytes")).to_string();
    let since = now - Duration::days(1);
    let refused = last_times(deed.tx(), &typed, Action::SignInRefused, since, REFUSALS).await?;
    let (mut proposals, _) = store::proposals::all_open(deed.tx(), now).await?;
    proposals.retain(|proposal| proposal.officer == id);
    let rows = store::certificates::list(deed.tx(), Whose::Officer(id), Id::nil(), CERTIFICATES).await?;
    let certificates = rows.iter().filter_map(|judged| certificates::item(judged).ok()).map(|(_, item)| item).collect();
    let mut deputies = vec![];
    for (deputy, _) in store::deputies::of_officer(deed.tx(), id, now).await? {
        if deputy.state(now) == DeputyState::Over {
            continue;
        }
        let other = if deputy.officer == id { deputy.stands_for } else { deputy.officer };
        let name = super::steps::called(deed.tx(), other).await?;
        deputies.push((deputy, name));
    }
    let last = store::lists::last_session(deed.tx(), id).await?;
    deed.record(Action::OfficersListed, Object::Officer(id), None, Purpose::Administration).await?;
    Ok(OfficerFile { account, last, refused, proposals, certificates, deputies })
}

/// Rows that are read at once.
const AT_ONCE: i64 = 500;
/// Refused sign-ins that a file shows.
const REFUSALS: i64 = 5;
/// Certificates that a file shows.
const CERTIFICATES: i64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_without_its_marks() {
        assert_eq!(bare("Đỗ.Thị-Ẩn@1"), "do.thi-an@1");
        assert_eq!(bare(""), "");
    }
}
