//! States and organizations that issue documents, by every code that names them: Doc 9303-3 (8th ed.) §5, ISO 3166-1.
//!
//! A certificate names its State by two letters in `countryName`, by the code of the MRZ in the alternative name (Doc
//! 9303-12 (8th ed.) §7.1.1.1 and §7.1.1.2), and now and then by the one where the other belongs: eight anchors of the
//! field write `L=LU` for `L=LUX`. DG1 has the code of the MRZ. This table is the only place where they meet.

use std::fmt;

/// A State or organization, whatever code it was named by. `Display` writes its usual code in the MRZ: `VNM`, `D`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct State(&'static str);

impl State {
    /// Viet Nam.
    pub const VIET_NAM: Self = Self("VNM");

    /// Returns the State of a code of two letters or of a code in the MRZ, in any case and with or without fillers.
    /// `None` for what does not name a State: other text, a code for persons without nationality, a code that ISO
    /// leaves to its users (`ZZ`, under which several organizations have certificates).
    pub fn of_code(code: &str) -> Option<Self> {
        let code = code.trim().trim_end_matches('<').to_ascii_uppercase();
        let listed = ISO_3166.split(' ').filter_map(|pair| pair.split_once('/'));
        let listed = listed.map(|(two, three)| (three, two == code || three == code));
        let others = OTHERS.iter().map(|(mrz, codes)| (*mrz, codes.split(' ').any(|other| other == code)));
        listed.chain(others).find(|(_, named)| *named).map(|(mrz, _)| Self(mrz))
    }

    /// Returns the usual code in the MRZ.
    pub fn in_mrz(self) -> &'static str {
        self.0
    }

    /// Returns whether one authority issues for both: the same State, or a State and a region of it that has a code of
    /// its own. Two regions are not the same.
    pub fn agrees(self, other: Self) -> bool {
        let region = |part: Self, whole: Self| REGIONS.contains(&(part.0, whole.0));
        self == other || region(self, other) || region(other, self)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Usual code in the MRZ, and every code beside those of ISO 3166-1 that names the same State or organization.
const OTHERS: [(&str, &str); 20] = [
    ("D", "DE D DEU"),
    // Citizens of five kinds under one authority (Doc 9303-3 §5, part A); UK is reserved for the United Kingdom.
    ("GBR", "GB GBR GBD GBN GBO GBP GBS UK"),
    ("GRC", "EL"),
    ("HKG", "HK HKG"),
    ("MAC", "MO MAC"),
    // KS and RKS are in use (part A), XK is what others write for Kosovo.
    ("RKS", "KS RKS XK XKX"),
    ("EUE", "EU EUE"),
    // The organization, its agencies, and its mission in Kosovo (part C).
    ("UNO", "UN UNO UNA UNK"),
    // Organizations without a code of two letters (part D).
    ("XBA", "XBA"),
    ("XIM", "XIM"),
    ("XCC", "XCC"),
    ("XCE", "XCE"),
    ("XCO", "XCO"),
    ("XEC", "XEC"),
    ("XPO", "XPO"),
    ("XES", "XES"),
    ("XMP", "XMP"),
    ("XOM", "XOM"),
    ("XDC", "XDC"),
    // Specimens (part G).
    ("UTO", "UT UTO"),
];

/// Regions with codes of their own whose documents the authority of the whole issues. Certificates of Hong Kong and
/// Macao carry `C=CN`, and the region as `ST` beside `L=CHN`; their passports have `CHN` in the MRZ.
const REGIONS: [(&str, &str); 2] = [("HKG", "CHN"), ("MAC", "CHN")];

/// ISO 3166-1, two and three letters, without the four that stand above.
const ISO_3166: &str = "\
    AD/AND AE/ARE AF/AFG AG/ATG AI/AIA AL/ALB AM/ARM AO/AGO AQ/ATA AR/ARG AS/ASM AT/AUT AU/AUS AW/ABW AX/ALA AZ/AZE \
    BA/BIH BB/BRB BD/BGD BE/BEL BF/BFA BG/BGR BH/BHR BI/BDI BJ/BEN BL/BLM BM/BMU BN/BRN BO/BOL BQ/BES BR/BRA BS/BHS \
    BT/BTN BV/BVT BW/BWA BY/BLR BZ/BLZ CA/CAN CC/CCK CD/COD CF/CAF CG/COG CH/CHE CI/CIV CK/COK CL/CHL CM/CMR CN/CHN \
    CO/COL CR/CRI CU/CUB CV/CPV CW/CUW CX/CXR CY/CYP CZ/CZE DJ/DJI DK/DNK DM/DMA DO/DOM DZ/DZA EC/ECU EE/EST EG/EGY \
    EH/ESH ER/ERI ES/ESP ET/ETH FI/FIN FJ/FJI FK/FLK FM/FSM FO/FRO FR/FRA GA/GAB GD/GRD GE/GEO GF/GUF GG/GGY GH/GHA \
    GI/GIB GL/GRL GM/GMB GN/GIN GP/GLP GQ/GNQ GR/GRC GS/SGS GT/GTM GU/GUM GW/GNB GY/GUY HM/HMD HN/HND HR/HRV HT/HTI \
    HU/HUN ID/IDN IE/IRL IL/ISR IM/IMN IN/IND IO/IOT IQ/IRQ IR/IRN IS/ISL IT/ITA JE/JEY JM/JAM JO/JOR JP/JPN KE/KEN \
    KG/KGZ KH/KHM KI/KIR KM/COM KN/KNA KP/PRK KR/KOR KW/KWT KY/CYM KZ/KAZ LA/LAO LB/LBN LC/LCA LI/LIE LK/LKA LR/LBR \
    LS/LSO LT/LTU LU/LUX LV/LVA LY/LBY MA/MAR MC/MCO MD/MDA ME/MNE MF/MAF MG/MDG MH/MHL MK/MKD ML/MLI MM/MMR MN/MNG \
    MP/MNP MQ/MTQ MR/MRT MS/MSR MT/MLT MU/MUS MV/MDV MW/MWI MX/MEX MY/MYS MZ/MOZ NA/NAM NC/NCL NE/NER NF/NFK NG/NGA \
    NI/NIC NL/NLD NO/NOR NP/NPL NR/NRU NU/NIU NZ/NZL OM/OMN PA/PAN PE/PER PF/PYF PG/PNG PH/PHL PK/PAK PL/POL PM/SPM \
    PN/PCN PR/PRI PS/PSE PT/PRT PW/PLW PY/PRY QA/QAT RE/REU RO/ROU RS/SRB RU/RUS RW/RWA SA/SAU SB/SLB SC/SYC SD/SDN \
    SE/SWE SG/SGP SH/SHN SI/SVN SJ/SJM SK/SVK SL/SLE SM/SMR SN/SEN SO/SOM SR/SUR SS/SSD ST/STP SV/SLV SX/SXM SY/SYR \
    SZ/SWZ TC/TCA TD/TCD TF/ATF TG/TGO TH/THA TJ/TJK TK/TKL TL/TLS TM/TKM TN/TUN TO/TON TR/TUR TT/TTO TV/TUV TW/TWN \
    TZ/TZA UA/UKR UG/UGA UM/UMI US/USA UY/URY UZ/UZB VA/VAT VC/VCT VE/VEN VG/VGB VI/VIR VN/VNM VU/VUT WF/WLF WS/WSM \
    YE/YEM YT/MYT ZA/ZAF ZM/ZMB ZW/ZWE";

#[cfg(test)]
mod tests {
    use super::*;

    fn named(code: &str) -> Option<&'static str> {
        State::of_code(code).map(State::in_mrz)
    }

    #[test]
    fn two_and_three_letters_name_the_same_state_in_any_case() {
        for (two, mrz) in [("VN", "VNM"), ("DE", "D"), ("GB", "GBR"), ("KS", "RKS"), ("EU", "EUE"), ("UN", "UNO")] {
            assert_eq!((named(two), named(mrz)), (Some(mrz), Some(mrz)));
            assert_eq!(named(&two.to_lowercase()), Some(mrz));
        }
        assert_eq!(State::VIET_NAM.to_string(), "VNM");
        assert_eq!((named("D<<"), named("XK"), named("XPO")), (Some("D"), Some("RKS"), Some("XPO")));
        for british in ["GBD", "GBN", "GBO", "GBP", "GBS"] {
            assert_eq!(named(british), Some("GBR"));
        }
        assert_eq!((named("UNA"), named("UNK")), (Some("UNO"), Some("UNO")));
        // Anchors of the field write two letters where three belong.
        for (two, three) in [("LU", "LUX"), ("NO", "NOR"), ("GR", "GRC"), ("UA", "UKR"), ("LT", "LTU"), ("DM", "DMA")] {
            assert_eq!(named(two), Some(three));
        }
    }

    #[test]
    fn what_names_no_state_is_none() {
        for code in ["", "<", "Z", "ZZ", "XX", "XXA", "XXB", "XXC", "XXX", "Hà Nội", "V", "VN/VNM", "VN VNM"] {
            assert_eq!(named(code), None, "{code}");
        }
    }

    #[test]
    fn no_code_names_two_states() {
        let listed = ISO_3166.split(' ').map(|pair| pair.split_once('/').unwrap());
        let mut codes: Vec<&str> = listed.flat_map(|(two, three)| [two, three]).collect();
        assert_eq!(codes.len(), 2 * 245);
        codes.extend(OTHERS.iter().flat_map(|(_, codes)| codes.split(' ')));
        let before = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), before);
    }

    #[test]
    fn a_region_agrees_with_its_state_and_not_with_another_region() {
        let [china, hong_kong, macao, taiwan] = ["CHN", "HKG", "MAC", "TWN"].map(|code| State::of_code(code).unwrap());
        assert!(china.agrees(hong_kong) && hong_kong.agrees(china) && macao.agrees(china));
        assert!(!hong_kong.agrees(macao) && !china.agrees(taiwan) && !State::VIET_NAM.agrees(china));
    }
}
