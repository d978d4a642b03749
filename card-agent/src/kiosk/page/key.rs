//! The password of a chip as a person types it or a scanner reads it.

use crypto::inspection::Password;

/// Why a text opens no chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unreadable {
    /// Digits, and neither the six of a CAN nor the twelve of a personal number; holds how many.
    Digits(usize),
    /// An MRZ that is not whole or whose check digits do not fit.
    Mrz,
    /// A code without a personal number at its beginning.
    Qr,
}

/// Reads a CAN, a personal number, the QR code of a citizen card or an MRZ.
///
/// The QR code (`number|old number|name|…`) is not signed, so nothing of it is believed: the end of its number is tried
/// as the CAN, and the chip says whether it fits.
pub(super) fn password(typed: &str) -> Result<Password, Unreadable> {
    let typed = typed.trim();
    if let Some((number, _)) = typed.split_once('|') {
        return can(number.trim()).ok_or(Unreadable::Qr);
    }
    let plain: String = typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-' | '.')).collect();
    if plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return match plain.len() {
            6 => plain.parse().map(Password::Can).map_err(|_| Unreadable::Digits(6)),
            count => can(&plain).ok_or(Unreadable::Digits(count)),
        };
    }
    typed.parse().map(Password::Zone).map_err(|_| Unreadable::Mrz)
}

/// Returns the CAN of a personal number: its last six digits.
fn can(number: &str) -> Option<Password> {
    let is_number = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number[6..].parse().ok().map(Password::Can)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_of(typed: &str) -> Option<String> {
        match password(typed) {
            Ok(Password::Can(can)) => Some(can.to_string()),
            _ => None,
        }
    }

    #[test]
    fn six_digits_twelve_digits_and_the_code_of_a_card_give_the_can() {
        for typed in ["220911", " 220 911 ", "22-09-11", "003078220911", "003 078 220 911"] {
            assert_eq!(can_of(typed).as_deref(), Some("220911"), "{typed}");
        }
        let code = "003078220911||Trần Thị Hoài An|17091995|Nữ|Số 1, Xã Thử|15012026";
        assert_eq!(can_of(code).as_deref(), Some("220911"));
    }

    #[test]
    fn an_mrz_is_read_with_its_lines_in_one_or_apart() {
        // The specimen of Doc 9303-5 (8th edition), Appendix B.
        let lines =
            ["I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"];
        for zone in [lines.join("\n"), lines.concat(), lines.join("\r\n")] {
            assert!(matches!(password(&zone), Ok(Password::Zone(_))), "{zone}");
        }
        assert_eq!(password(&lines.concat().replace("740812", "740813")).err(), Some(Unreadable::Mrz));
        assert_eq!(password("IDVNM195006214").err(), Some(Unreadable::Mrz));
    }

    #[test]
    fn what_opens_no_chip_is_called_by_its_kind() {
        assert_eq!(password("22091").err(), Some(Unreadable::Digits(5)));
        assert_eq!(password("").err(), Some(Unreadable::Digits(0)));
        assert_eq!(password("https://example.invalid/|x").err(), Some(Unreadable::Qr));
        assert_eq!(password("<script>alert(1)</script>").err(), Some(Unreadable::Mrz));
    }
}
