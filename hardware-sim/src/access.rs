//! The access table: which operation is allowed to which authority in which life cycle state. What
//! is not in it is refused.

use crypto::apdu::Status;
use crypto::lds::{DataGroup, File};
use crypto::perso::LifeCycle::{self, Blank, Initialised, Locked, Personalized, Terminated};

/// What a command asks of the chip, as far as its permission is concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// INTERNAL AUTHENTICATE: sign a challenge.
    ActiveAuthentication,
    /// GET CHALLENGE and EXTERNAL AUTHENTICATE of the LDS application.
    BasicAccessControl,
    /// MSE:Set KAT, or MSE:Set AT and GENERAL AUTHENTICATE, in a session.
    ChipAuthentication,
    /// GENERATE ASYMMETRIC KEY PAIR.
    GenerateKeyPair,
    /// INITIALIZE UPDATE and EXTERNAL AUTHENTICATE of the issuer domain.
    OpenIssuerSession,
    /// MSE:Set AT and GENERAL AUTHENTICATE without a session.
    Pace,
    /// GET DATA of serial, key information, sequence counter and life cycle.
    Present,
    /// PUT KEY.
    PutKey,
    /// SELECT and READ BINARY of EF.ATR/INFO and EF.DIR.
    ReadAnnouncement,
    /// SELECT and READ BINARY of DG3 and DG4.
    ReadBiometrics,
    /// SELECT and READ BINARY of EF.CardAccess.
    ReadCardAccess,
    /// SELECT and READ BINARY of EF.COM, EF.SOD, EF.CardSecurity and the other data groups.
    ReadHolder,
    /// GET DATA of the report.
    Report,
    /// SELECT of the LDS application.
    SelectLds,
    /// SELECT of the master file or the issuer domain.
    SelectOther,
    /// SET STATUS. [`crate::lifecycle`] says which state may follow which.
    SetStatus,
    /// STORE DATA.
    StoreData,
}

impl Operation {
    /// Returns the operation that selecting or reading `file` is.
    pub fn reading(file: File) -> Self {
        match file {
            File::AtrInfo | File::Dir => Self::ReadAnnouncement,
            File::CardAccess => Self::ReadCardAccess,
            File::DataGroup(DataGroup::DG3 | DataGroup::DG4) => Self::ReadBiometrics,
            File::CardSecurity | File::Com | File::DataGroup(_) | File::Sod => Self::ReadHolder,
        }
    }
}

/// What the other end has proved to the chip.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Authority {
    /// Nothing: there is no session, or one without full protection.
    None,
    /// Access to the card itself: a session opened by BAC, PACE or chip authentication.
    Bearer,
    /// The issuer: an SCP03 session with encryption and MACs in both directions.
    Issuer,
    /// Rights from terminal authentication. This chip does not offer it yet, so no terminal has this authority.
    Inspector,
}

/// A row of [`TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The operation that the row is about.
    pub operation: Operation,
    /// The authority that is required; [`Authority::None`] requires none.
    pub authority: Authority,
    /// The life cycle states in which it is allowed.
    pub states: &'static [LifeCycle],
    /// The status that the chip answers in any other state.
    pub otherwise: Status,
}

/// One row for each operation.
#[rustfmt::skip]
pub const TABLE: [Rule; 17] = {
    use Operation as O;
    use Authority as A;
    const LATER: Status = Status::CONDITIONS_NOT_SATISFIED;
    const ABSENT: Status = Status::FILE_NOT_FOUND;
    const ALWAYS: &[LifeCycle] = &[Blank, Initialised, Personalized, Locked, Terminated];
    const LIVING: &[LifeCycle] = &[Blank, Initialised, Personalized, Locked];
    [
        Rule { operation: O::SelectOther,          authority: A::None,      states: ALWAYS,          otherwise: ABSENT },
        Rule { operation: O::SelectLds,            authority: A::None,      states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadAnnouncement,     authority: A::None,      states: ALWAYS,          otherwise: ABSENT },
        Rule { operation: O::ReadCardAccess,       authority: A::None,      states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadHolder,           authority: A::Bearer,    states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadBiometrics,       authority: A::Inspector, states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::Pace,                 authority: A::None,      states: &[Personalized], otherwise: LATER },
        Rule { operation: O::BasicAccessControl,   authority: A::None,      states: &[Personalized], otherwise: LATER },
        Rule { operation: O::ChipAuthentication,   authority: A::Bearer,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::ActiveAuthentication, authority: A::Bearer,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::Present,              authority: A::None,      states: ALWAYS,          otherwise: LATER },
        Rule { operation: O::OpenIssuerSession,    authority: A::None,      states: LIVING,          otherwise: LATER },
        Rule { operation: O::PutKey,               authority: A::Issuer,    states: &[Blank],        otherwise: LATER },
        Rule { operation: O::GenerateKeyPair,      authority: A::Issuer,    states: &[Blank],        otherwise: LATER },
        Rule { operation: O::StoreData,            authority: A::Issuer,    states: &[Initialised],  otherwise: LATER },
        Rule { operation: O::Report,               authority: A::Issuer,    states: LIVING,          otherwise: LATER },
        Rule { operation: O::SetStatus,            authority: A::Issuer,    states: LIVING,          otherwise: LATER },
    ]
};

/// Checks that a terminal with authority `authority` may do `operation` in `state`.
///
/// # Errors
/// The status to answer. Authority is checked before the state: without it the answer is `6982` whether or not the file
/// exists, so that an unauthenticated terminal learns nothing.
pub fn check(operation: Operation, state: LifeCycle, authority: Authority) -> Result<(), Status> {
    let rule = TABLE.iter().find(|rule| rule.operation == operation).ok_or(Status::SECURITY_NOT_SATISFIED)?;
    if rule.authority != Authority::None && rule.authority != authority {
        return Err(Status::SECURITY_NOT_SATISFIED);
    }
    if rule.states.contains(&state) { Ok(()) } else { Err(rule.otherwise) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_exactly_one_row() {
        for (at, rule) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|earlier| earlier.operation != rule.operation), "{:?}", rule.operation);
        }
    }

    #[test]
    fn nothing_of_the_holder_is_read_without_access_to_the_card_in_any_state() {
        for state in LifeCycle::ALL {
            for file in File::of_application() {
                for authority in [Authority::None, Authority::Issuer] {
                    let answer = check(Operation::reading(file), state, authority);
                    assert_eq!(answer, Err(Status::SECURITY_NOT_SATISFIED), "{file} {state:?} {authority:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_issuer_writes_and_each_operation_in_one_state_only() {
        use Operation as O;
        for operation in [O::PutKey, O::GenerateKeyPair, O::StoreData] {
            for authority in [Authority::None, Authority::Bearer, Authority::Inspector] {
                for state in LifeCycle::ALL {
                    assert_eq!(check(operation, state, authority), Err(Status::SECURITY_NOT_SATISFIED));
                }
            }
            let open = LifeCycle::ALL.into_iter().filter(|s| check(operation, *s, Authority::Issuer).is_ok()).count();
            assert_eq!(open, 1, "{operation:?}");
        }
    }
}
