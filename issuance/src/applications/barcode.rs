//! A text as a barcode that every scanner of a counter reads: Code 128 (ISO/IEC 15417), code set B; pure.

/// Returns the widths of bars and spaces in modules, a bar first, or nothing for a text that has other signs than
/// printable ASCII.
pub(super) fn code_128(text: &str) -> Option<Vec<u8>> {
    let mut values = vec![START_B];
    for byte in text.bytes() {
        values.push(usize::from(byte.checked_sub(b' ').filter(|value| *value < 95)?));
    }
    let check = values.iter().enumerate().map(|(at, value)| at.max(1) * value).sum::<usize>() % 103;
    values.extend([check, STOP]);
    Some(values.into_iter().flat_map(|value| SYMBOLS[value].bytes().map(|width| width - b'0')).collect())
}

const START_B: usize = 104;
const STOP: usize = 106;

/// Bars and spaces of each value, as the standard lists them.
const SYMBOLS: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213", "221312",
    "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132", "221231", "213212",
    "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321", "232121",
    "111323", "131123", "131321", "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331",
    "132131", "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131", "311123",
    "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111", "111224", "111422", "121124",
    "121421", "141122", "141221", "112214", "112412", "122114", "122411", "142112", "142211", "241211", "221114",
    "413111", "241112", "134111", "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Reads a barcode as a scanner does, by the rules of the standard: bars of each sign add up to an even number of
    /// modules, the check sign is right.
    fn read(widths: &[u8]) -> String {
        let stop = &widths[widths.len() - 7..];
        assert_eq!(stop, [2, 3, 3, 1, 1, 1, 2]);
        let signs: Vec<usize> = widths[..widths.len() - 7]
            .chunks(6)
            .map(|sign| {
                let text: String = sign.iter().map(|width| char::from(b'0' + width)).collect();
                SYMBOLS.iter().position(|known| **known == text).unwrap()
            })
            .collect();
        let (check, signs) = signs.split_last().unwrap();
        let sum: usize = signs.iter().enumerate().map(|(at, value)| at.max(1) * value).sum();
        assert_eq!((sum % 103, signs[0]), (*check, 104));
        signs[1..].iter().map(|value| char::from(u8::try_from(value + 32).unwrap())).collect()
    }

    #[test]
    fn each_sign_is_eleven_modules_wide_its_bars_are_even_and_no_two_are_alike() {
        for (value, symbol) in SYMBOLS.iter().enumerate() {
            let widths: Vec<u32> = symbol.bytes().map(|width| u32::from(width - b'0')).collect();
            assert_eq!(widths.iter().sum::<u32>(), if value == STOP { 13 } else { 11 }, "{value}");
            let bars: u32 = widths.iter().step_by(2).sum();
            assert!(value == STOP || bars.is_multiple_of(2), "{value}");
        }
        assert_eq!(SYMBOLS.iter().collect::<BTreeSet<_>>().len(), 107);
    }

    #[test]
    fn a_slip_is_read_back_and_other_signs_are_refused() {
        for text in ["0Z0Z456789", "K7QW12BD9X", "~ a"] {
            let widths = code_128(text).unwrap();
            assert_eq!(widths.iter().map(|width| usize::from(*width)).sum::<usize>(), 11 * (text.len() + 2) + 13);
            assert_eq!(read(&widths), text);
        }
        // 104 + 48 + 2 * 42 + 3 * 42 + 4 * 17 + 5 * 18 + 6 * 19 + 7 * 35 = 879 = 8 * 103 + 55
        let widths = code_128("PJJ123C").unwrap();
        let check: String = widths[48..54].iter().map(|width| char::from(b'0' + width)).collect();
        assert_eq!(check, SYMBOLS[55]);
        assert!(code_128("Đ").is_none() && code_128("a\n").is_none());
    }
}
