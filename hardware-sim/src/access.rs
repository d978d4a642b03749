//! Who may do what when: one table, and nothing is allowed that is not in it.

use crypto::apdu::Status;
use crypto::lds::{DataGroup, File};
use crypto::perso::LifeCycle::{self, Blank, Initialised, Locked, Personalized, Terminated};

/// What somebody wants of the chip.
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
    /// SET STATUS; which state may follow which is said in [`crate::lifecycle`].
    SetStatus,
    /// STORE DATA.
    StoreData,
}

impl Operation {
    /// What reading this file is.
    pub fn reading(file: File) -> Self {
        match file {
            File::AtrInfo | File::Dir => Self::ReadAnnouncement,
            File::CardAccess => Self::ReadCardAccess,
            File::DataGroup(DataGroup::DG3 | DataGroup::DG4) => Self::ReadBiometrics,
            File::CardSecurity | File::Com | File::DataGroup(_) | File::Sod => Self::ReadHolder,
        }
    }
}

/// Who is asking, as far as the chip can tell.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Authority {
    /// Nobody proved anything.
    Anyone,
    /// Somebody who has the card in hand: a session opened by BAC, PACE or chip authentication.
    Bearer,
    /// The issuer: an SCP03 session with encryption and MACs in both directions.
    Issuer,
    /// An inspection system with rights from terminal authentication, which this chip does not offer yet: nobody is one.
    Inspector,
}

/// A row: `who` may do it in these states.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What.
    pub operation: Operation,
    /// Who; [`Authority::Anyone`] includes everybody.
    pub who: Authority,
    /// When.
    pub states: &'static [LifeCycle],
    /// What the chip answers in any other state.
    pub otherwise: Status,
}

/// The table.
#[rustfmt::skip]
pub const TABLE: [Rule; 17] = {
    use Operation as O;
    use Authority as A;
    const LATER: Status = Status::CONDITIONS_NOT_SATISFIED;
    const ABSENT: Status = Status::FILE_NOT_FOUND;
    const ALWAYS: &[LifeCycle] = &[Blank, Initialised, Personalized, Locked, Terminated];
    const LIVING: &[LifeCycle] = &[Blank, Initialised, Personalized, Locked];
    [
        Rule { operation: O::SelectOther,          who: A::Anyone,    states: ALWAYS,          otherwise: ABSENT },
        Rule { operation: O::SelectLds,            who: A::Anyone,    states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadAnnouncement,     who: A::Anyone,    states: ALWAYS,          otherwise: ABSENT },
        Rule { operation: O::ReadCardAccess,       who: A::Anyone,    states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadHolder,           who: A::Bearer,    states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::ReadBiometrics,       who: A::Inspector, states: &[Personalized], otherwise: ABSENT },
        Rule { operation: O::Pace,                 who: A::Anyone,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::BasicAccessControl,   who: A::Anyone,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::ChipAuthentication,   who: A::Bearer,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::ActiveAuthentication, who: A::Bearer,    states: &[Personalized], otherwise: LATER },
        Rule { operation: O::Present,              who: A::Anyone,    states: ALWAYS,          otherwise: LATER },
        Rule { operation: O::OpenIssuerSession,    who: A::Anyone,    states: LIVING,          otherwise: LATER },
        Rule { operation: O::PutKey,               who: A::Issuer,    states: &[Blank],        otherwise: LATER },
        Rule { operation: O::GenerateKeyPair,      who: A::Issuer,    states: &[Blank],        otherwise: LATER },
        Rule { operation: O::StoreData,            who: A::Issuer,    states: &[Initialised],  otherwise: LATER },
        Rule { operation: O::Report,               who: A::Issuer,    states: LIVING,          otherwise: LATER },
        Rule { operation: O::SetStatus,            who: A::Issuer,    states: LIVING,          otherwise: LATER },
    ]
};

/// Whether `who` may do `operation` in `state`.
///
/// Authority is looked at first: a stranger hears `6982` whether or not the thing exists, and learns nothing.
///
/// # Errors
/// The status to answer.
pub fn check(operation: Operation, state: LifeCycle, who: Authority) -> Result<(), Status> {
    let rule = TABLE.iter().find(|rule| rule.operation == operation).ok_or(Status::SECURITY_NOT_SATISFIED)?;
    if rule.who != Authority::Anyone && rule.who != who {
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
    fn a_stranger_reads_nothing_of_the_holder_in_any_state() {
        for state in LifeCycle::ALL {
            for file in File::of_application() {
                for who in [Authority::Anyone, Authority::Issuer] {
                    let answer = check(Operation::reading(file), state, who);
                    assert_eq!(answer, Err(Status::SECURITY_NOT_SATISFIED), "{file} {state:?} {who:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_issuer_writes_and_each_thing_once_in_a_life() {
        use Operation as O;
        for operation in [O::PutKey, O::GenerateKeyPair, O::StoreData] {
            for who in [Authority::Anyone, Authority::Bearer, Authority::Inspector] {
                for state in LifeCycle::ALL {
                    assert_eq!(check(operation, state, who), Err(Status::SECURITY_NOT_SATISFIED));
                }
            }
            let open = LifeCycle::ALL.into_iter().filter(|s| check(operation, *s, Authority::Issuer).is_ok()).count();
            assert_eq!(open, 1, "{operation:?}");
        }
    }
}
