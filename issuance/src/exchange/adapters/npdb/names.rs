//! The names of the messages: operations, elements and namespaces, as public clients of today's service write them
//! (docs/soap.md says what is known of them).

use super::super::super::model::{Field, Service};
use super::Settings;

/// Questions.
pub(super) const ASKED: &str = "http://dancuquocgia.bca";
/// The question about kin.
pub(super) const ASKED_OF_KIN: &str = "http://gtel.vn/qldc";
/// Answers: citizens, as QCVN 109:2017/BTTTT calls them.
pub(super) const CITIZENS: &str = "http://www.mic.gov.vn/dancu/1.0";

/// An operation, named by the one element of the body.
#[derive(Debug)]
pub(in super::super) struct Operation {
    /// Its element.
    pub name: &'static str,
    /// The namespace of the element and of all in it.
    pub namespace: &'static str,
    /// The service that answers.
    pub service: Service,
    /// The integration codes that may stand in it; none: any.
    pub integrations: fn(&Settings) -> &[String],
    /// The fields of an agreement that the answer has elements for.
    pub fields: &'static [Field],
}

/// All operations.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "XacThucThongTinCongDan",
        namespace: ASKED,
        service: Service::Confirm,
        integrations: |settings| &settings.confirm,
        fields: &[],
    },
    Operation {
        name: "TraCuuThongTinCongDan",
        namespace: ASKED,
        service: Service::LookUp,
        integrations: |settings| &settings.look_up,
        fields: &[
            Field::BirthDate,
            Field::BirthRegistration,
            Field::BloodGroup,
            Field::CurrentResidence,
            Field::EthnicGroup,
            Field::Father,
            Field::FullName,
            Field::HeadOfHousehold,
            Field::HouseholdBookNumber,
            Field::MaritalStatus,
            Field::Mother,
            Field::Nationality,
            Field::OldIdNumber,
            Field::PermanentResidence,
            Field::PersonalNumber,
            Field::PlaceOfOrigin,
            Field::RelationToHead,
            Field::Religion,
            Field::Representative,
            Field::Sex,
            Field::Spouse,
        ],
    },
    Operation {
        name: "XacMinhThongTinNhanThan",
        namespace: ASKED_OF_KIN,
        service: Service::Kinship,
        integrations: |settings| &settings.kinship,
        fields: &[
            Field::Father,
            Field::FullName,
            Field::Mother,
            Field::Nationality,
            Field::OldIdNumber,
            Field::PersonalNumber,
            Field::Representative,
            Field::Spouse,
        ],
    },
];

/// The request's identifier.
pub(super) const REQUEST: &str = "MaYeuCau";
/// Code of the administrative procedure.
pub(super) const PROCEDURE: &str = "MaDVC";
/// Code of the integration.
pub(super) const INTEGRATION: &str = "MaTichHop";
/// Another name of the same.
pub(super) const INTEGRATION_OR: &str = "MaDichVu";
/// The officer.
pub(super) const OFFICER: &str = "MaCanBo";
/// The officer's unit.
pub(super) const UNIT: &str = "MaDonVi";
/// The officer's account: read, and part of what is signed.
pub(super) const ACCOUNT: &str = "TaiKhoan";
/// Telephone: read, and part of what is signed.
pub(super) const TELEPHONE: &str = "SoDienThoai";
/// The number for life.
pub(super) const NUMBER: &str = "SoDinhDanh";
/// The number of the old card.
pub(super) const OLD_NUMBER: &str = "SoCMND";
/// Full name.
pub(super) const NAME: &str = "HoVaTen";
/// Date of birth; in it a year or a day, or a text that is one of them.
pub(super) const BIRTH: &str = "NgayThangNamSinh";
/// A year.
pub(super) const YEAR: &str = "Nam";
/// A day.
pub(super) const DAY: &str = "NgayThangNam";

/// The elements of a question, in the order in which clients write them; they are read in any.
pub(super) const PARTS: &[&str] = &[
    REQUEST,
    PROCEDURE,
    INTEGRATION,
    INTEGRATION_OR,
    OFFICER,
    UNIT,
    ACCOUNT,
    TELEPHONE,
    NUMBER,
    OLD_NUMBER,
    NAME,
    BIRTH,
];

/// The elements of a synchronisation, which is known and refused.
pub(super) const SYNCHRONISATION: &[&str] = &["TuNgay", "DenNgay", "Loai", "Trang", "SoBanGhi"];

/// The elements of a citizen, in the order in which they are written.
pub(super) const CITIZEN: &[&str] = &[
    NUMBER,
    OLD_NUMBER,
    NAME,
    "GioiTinh",
    "DanToc",
    "TonGiao",
    "TinhTrangHonNhan",
    "NhomMau",
    BIRTH,
    "NoiDangKyKhaiSinh",
    "QuocTich",
    "QueQuan",
    "ThuongTru",
    "NoiOHienTai",
    "Cha",
    "Me",
    "VoChong",
    "NguoiDaiDien",
    "ChuHo",
    "SoSoHoKhau",
];

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    const DESCRIPTION: &str = include_str!("npdb.wsdl");

    /// An element of the description: namespace, the type that it stands in, name.
    fn described() -> Vec<[String; 3]> {
        let mut reader = Reader::from_str(DESCRIPTION);
        let (mut found, mut target, mut kind) = (Vec::new(), String::new(), String::new());
        loop {
            let event = reader.read_event().unwrap();
            let start = match &event {
                Event::Start(start) | Event::Empty(start) => start,
                Event::Eof => return found,
                _ => continue,
            };
            let of = |name: &str| start.try_get_attribute(name).unwrap().map(|one| one.value.into_owned());
            match start.name().as_ref() {
                "xs:schema" => target = of("targetNamespace").unwrap(),
                "xs:complexType" => kind = of("name").unwrap_or_default(),
                "xs:element" => found.push([target.clone(), kind.clone(), of("name").unwrap()]),
                _ => {}
            }
        }
    }

    #[test]
    fn every_element_that_is_read_stands_in_the_description() {
        let described = described();
        let stands = |namespace: &str, name: &str| described.iter().any(|[of, _, one]| of == namespace && one == name);
        for Operation { name, namespace, .. } in OPERATIONS {
            for part in PARTS.iter().chain([name, &YEAR, &DAY]) {
                assert!(stands(namespace, part), "{namespace} {part}");
            }
            assert_eq!(DESCRIPTION.matches(&format!("<wsdl:operation name=\"{name}\">")).count(), 2);
        }
        for name in SYNCHRONISATION {
            assert!(DESCRIPTION.contains(name) && !stands(ASKED, name), "{name}");
        }
        assert!(!stands(ASKED, "GhiChu"));
    }

    #[test]
    fn a_citizen_is_written_in_the_order_of_the_description() {
        let described = described();
        let order: Vec<_> = described
            .iter()
            .filter(|[of, kind, _]| of == CITIZENS && kind == "CongDan")
            .map(|[.., name]| name)
            .collect();
        // What stands behind the type are the roots of answers.
        assert_eq!(order[..CITIZEN.len()], CITIZEN.iter().collect::<Vec<_>>()[..]);
    }
}
