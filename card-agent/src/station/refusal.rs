//! What a refusal of the service means for the work on a chip. Decided by what the problem is about, and by its code.

use crypto::perso::problem::{About, Code, Problem, ProblemCode};

/// What follows when the service refuses an order or a receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Consequence {
    /// The service has judged the chip or its application: repeating the request will not help.
    Judged,
    /// The service has said nothing of chip and application: the journal keeps the work as it is, for a later attempt.
    Open,
}

/// Returns what follows when the service refuses an order or a receipt.
pub(super) fn consequence(problem: &Problem) -> Consequence {
    match problem.about {
        About::Chip | About::Request if !is_about_the_form(&problem.code) => Consequence::Judged,
        About::Chip | About::Request | About::Service | About::Station => Consequence::Open,
    }
}

/// What follows when the service refuses to account for a spoiled chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Accounting {
    /// The chip is accounted for already: another report of it came first.
    Done,
    /// The service does not account for this chip on a station's word, and never will.
    Impossible,
    /// The chip is still to be accounted for.
    Later,
}

/// Returns what follows when the service refuses to account for a spoiled chip.
pub(super) fn accounting(problem: &Problem) -> Accounting {
    match problem.about {
        _ if problem.code == ProblemCode::ChipSpoiled => Accounting::Done,
        About::Chip => Accounting::Impossible,
        About::Request | About::Service | About::Station => Accounting::Later,
    }
}

/// Whether the request itself was malformed: station and service are of different versions, and chip and
/// application were not looked at.
fn is_about_the_form(code: &Code) -> bool {
    use ProblemCode as C;
    let Code::Known(code) = code else { return false };
    matches!(
        code,
        C::BodyCut
            | C::BodyInvalid
            | C::BodyMalformed
            | C::BodyTooLarge
            | C::IdempotencyKeyMalformed
            | C::IdempotencyKeyMissing
            | C::IdentifierMalformed
            | C::MethodNotAllowed
            | C::NoSuchPath
            | C::QueryMalformed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str, about: Option<About>) -> Problem {
        let json = match about {
            Some(about) => format!(r#"{{"code":"{code}","about":"{about}","status":409}}"#),
            None => format!(r#"{{"code":"{code}","status":409}}"#),
        };
        serde_json::from_str(&json).expect("a problem")
    }

    #[test]
    fn the_status_decides_nothing() {
        for code in ProblemCode::ALL {
            for status in [400, 403, 404, 409, 422, 500, 503] {
                let problem = Problem::new(*code, status, "");
                assert_eq!(consequence(&problem), consequence(&Problem::new(*code, 418, "")), "{code}");
                assert_eq!(accounting(&problem), accounting(&Problem::new(*code, 418, "")), "{code}");
            }
        }
    }

    #[test]
    fn a_problem_of_chip_or_application_is_judged() {
        for code in ["chip-in-other-custody", "chip-unknown", "receipt-forged", "active-authentication-failed"] {
            assert_eq!(consequence(&problem(code, None)), Consequence::Judged, "{code}");
        }
        for code in ["nothing-to-personalize", "application-cancelled", "application-held", "order-unknown"] {
            assert_eq!(consequence(&problem(code, None)), Consequence::Judged, "{code}");
        }
    }

    #[test]
    fn a_problem_of_station_service_or_form_leaves_the_work_open() {
        for code in
            ["station-revoked", "station-unknown", "signing-key-exhausted", "idempotency-key-in-use", "internal"]
        {
            assert_eq!(consequence(&problem(code, None)), Consequence::Open, "{code}");
        }
        for code in ["body-invalid", "no-such-path", "identifier-malformed", "body-too-large"] {
            assert_eq!(consequence(&problem(code, None)), Consequence::Open, "{code}");
        }
    }

    #[test]
    fn a_code_of_a_newer_service_is_judged_by_what_it_is_about() {
        for (about, expected) in [
            (Some(About::Chip), Consequence::Judged),
            (Some(About::Request), Consequence::Judged),
            (Some(About::Service), Consequence::Open),
            (Some(About::Station), Consequence::Open),
            (None, Consequence::Open),
        ] {
            assert_eq!(consequence(&problem("of-a-newer-service", about)), expected, "{about:?}");
        }
    }

    #[test]
    fn a_spoiled_chip_counts_as_accounted_for_only_if_the_service_knows_it_as_spoiled() {
        for code in ProblemCode::ALL {
            let expected = match (code, code.about()) {
                (ProblemCode::ChipSpoiled, _) => Accounting::Done,
                (_, About::Chip) => Accounting::Impossible,
                _ => Accounting::Later,
            };
            assert_eq!(accounting(&Problem::new(*code, 409, "")), expected, "{code}");
        }
    }
}
