//! The word of the service that issues the cards, asked at the moment of an inspection.

use crypto::identity::civil_time::to_the_minute;
use crypto::inspection::{Check, Evidence, Outcome, Verdict};
use crypto::lds::File;
use crypto::sod::Sod;
use time::UtcOffset;

use crate::client::{CardStatus, HttpService};

/// Asks the service whether it has this card as active, and adds its word to the verdict. Only the fingerprint of the
/// EF.SOD is sent, and only of one whose signature holds.
pub fn ask_online(verdict: &mut Verdict, evidence: &Evidence, service: &HttpService, offset: UtcOffset) {
    let is_signed = verdict.finding(Check::SodSignature).is_some_and(|finding| finding.outcome == Outcome::Proved);
    let sod = evidence.file(File::Sod).map(Sod::parse).filter(|_| is_signed);
    let (outcome, reason) = match sod {
        Some(Ok(sod)) => match service.card_status(&sod.fingerprint()) {
            Ok(status) => judged(&status, offset),
            Err(error) => (Outcome::NotChecked, error.to_string()),
        },
        _ => (Outcome::NotChecked, "there is no sound signature to ask about".to_owned()),
    };
    verdict.learn_online_status(outcome, reason);
}

/// Returns what the service's word means. A word that is not known here proves nothing and refutes nothing.
fn judged(status: &CardStatus, offset: UtcOffset) -> (Outcome, String) {
    let (outcome, words) = match status.status.as_str() {
        "active" => (Outcome::Proved, "the service has it as active"),
        "revoked" => (Outcome::Refuted, "the service has it as revoked"),
        "suspended" => (Outcome::Refuted, "the service has it as suspended: it was reported lost"),
        "personalized" => (Outcome::Refuted, "the service has it as made, and not handed over to its holder"),
        "unknown" => (Outcome::NotChecked, "the service does not know it"),
        _ => (Outcome::NotChecked, "the service has a word for it that this program does not know"),
    };
    (outcome, format!("{words}, as of {}", to_the_minute(status.as_of.to_offset(offset))))
}

#[cfg(test)]
mod tests {
    use crypto::identity::civil_time::VIET_NAM;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn only_an_active_card_is_confirmed_and_an_unknown_word_says_nothing() {
        let told = |word: &str| {
            let status = CardStatus { status: word.to_owned(), as_of: datetime!(2026-11-26 03:00 UTC) };
            judged(&status, VIET_NAM)
        };
        assert_eq!(
            told("active"),
            (Outcome::Proved, "the service has it as active, as of 2026-11-26 10:00 +07:00".into())
        );
        for word in ["revoked", "suspended", "personalized"] {
            assert_eq!(told(word).0, Outcome::Refuted, "{word}");
        }
        for word in ["unknown", "", "ACTIVE", "renewed"] {
            assert_eq!(told(word).0, Outcome::NotChecked, "{word}");
        }
    }
}
