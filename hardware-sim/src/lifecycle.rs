//! The steps from one life cycle state to the next. They lead forward only.
//!
//! ```text
//! blank ──► initialised ──► personalized ──► locked ──► terminated
//! ```
//!
//! Every state but the last may also go to `terminated`, so that a spoiled chip has an exit. [`LifeCycle::may_become`]
//! says which steps there are; it is in `crypto` because the issuer must know them too.

use crypto::apdu::Status;
use crypto::perso::LifeCycle;

use crate::state::Persistent;

/// Moves `state` to the life cycle state `to`, in memory; the caller commits it. Termination erases files,
/// passwords and private keys.
///
/// # Errors
/// [`Status::CONDITIONS_NOT_SATISFIED`] for a step that does not exist, or that lacks what the next state
/// needs: an initialised chip has left its transport keys and has both key pairs, a personalized one has its
/// files and both passwords.
pub fn advance(state: &mut Persistent, to: LifeCycle) -> Result<(), Status> {
    let ready = match to {
        LifeCycle::Initialised => !state.transport_keys && state.active_auth.is_some() && state.chip_auth.is_some(),
        LifeCycle::Personalized => state.can.is_some() && state.mrz.is_some() && state.files.size() > 0,
        LifeCycle::Blank | LifeCycle::Locked | LifeCycle::Terminated => true,
    };
    if !ready || !state.life_cycle.may_become(to) {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    if to == LifeCycle::Terminated {
        state.erase();
    }
    state.life_cycle = to;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_leads_back_and_every_state_has_an_exit() {
        for (i, from) in LifeCycle::ALL.into_iter().enumerate() {
            for (j, to) in LifeCycle::ALL.into_iter().enumerate() {
                assert!(j > i || !from.may_become(to), "{from:?} -> {to:?}");
            }
            assert_eq!(from.may_become(LifeCycle::Terminated), from != LifeCycle::Terminated);
        }
    }
}
