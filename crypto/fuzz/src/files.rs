//! Bytes and files that a chip returns.

use crypto::apdu::{self, Command, Response};
use crypto::lds::{AtrInfo, CardAccess, Com, Dg1, Dg2, Dg13, Dg14, Dg15, SecurityInfos, dg13};
use crypto::mrz::{MrzZone, Td1};
use crypto::pki::spki;
use crypto::tlv::{self, Reader, Tlv};

pub fn tlv(bytes: &[u8]) {
    fn descend(bytes: &[u8], depth: usize) {
        let mut reader = Reader::new(bytes);
        while let Ok(object) = reader.read() {
            assert!(object.raw.ends_with(object.value));
            let again = tlv::encode(object.tag.0, object.value);
            let read = Tlv::expect(object.tag.0, &again).expect("what was written is read back");
            assert_eq!(read.value, object.value);
            if object.tag.is_constructed() && depth < 32 {
                descend(object.value, depth + 1);
            }
        }
    }
    descend(bytes, 0);
    if let Ok(length) = tlv::announced_length(bytes) {
        assert_eq!(Reader::new(bytes).read().is_ok(), length <= bytes.len());
    }
    for tag in [0x30, 0x5c, 0x5f1f, 0x7f49] {
        let _ = (Tlv::expect(tag, bytes), tlv::find(bytes, tag));
    }
}

pub fn apdu(bytes: &[u8]) {
    if let Ok(command) = Command::parse(bytes) {
        assert_eq!(Command::parse(&command.to_bytes()).as_ref(), Ok(&command));
        assert_eq!(Command::parse(&command.encode(true)).as_ref(), Ok(&command));
        let links = apdu::chain(&command, 255);
        assert_eq!(links.iter().flat_map(|link| link.data.clone()).collect::<Vec<_>>(), command.data);
        commands(&command);
    }
    if let Ok(response) = Response::parse(bytes) {
        assert_eq!(response.to_bytes(), bytes);
        let _ = crypto::command::initialize_update::InitializeUpdateAnswer::parse(&response.data);
        let _ = crypto::command::generate_key_pair::parse_public_key(&response.data);
        let _ = crypto::perso::Report::parse(&response.data);
    }
}

/// Parses a command as every command that a chip knows.
fn commands(command: &Command) {
    use crypto::command::external_authenticate::ExternalAuthenticate;
    use crypto::command::general_authenticate::GeneralAuthenticate;
    use crypto::command::generate_key_pair::GenerateKeyPair;
    use crypto::command::get_challenge::GetChallenge;
    use crypto::command::get_data::GetData;
    use crypto::command::gp_external_authenticate::ExternalAuthenticate as Gp;
    use crypto::command::initialize_update::InitializeUpdate;
    use crypto::command::internal_authenticate::InternalAuthenticate;
    use crypto::command::mse;
    use crypto::command::read_binary::ReadBinary;
    use crypto::command::select::Select;
    use crypto::command::set_status::SetStatus;
    use crypto::command::store_data::StoreData;
    let _ = ExternalAuthenticate::try_from(command);
    let _ = GeneralAuthenticate::try_from(command);
    let _ = GenerateKeyPair::try_from(command);
    let _ = GetChallenge::try_from(command);
    let _ = GetData::try_from(command);
    let _ = Gp::try_from(command);
    let _ = InitializeUpdate::try_from(command);
    let _ = InternalAuthenticate::try_from(command);
    let _ = (
        mse::SetMutual::try_from(command),
        mse::SetInternal::try_from(command),
        mse::SetKeyAgreement::try_from(command),
    );
    let _ = Select::try_from(command);
    let _ = SetStatus::try_from(command);
    let _ = StoreData::try_from(command);
    if let Ok(read) = ReadBinary::try_from(command) {
        assert!((1..=apdu::EXTENDED_NE).contains(&read.length));
    }
}

pub fn td1_mrz(bytes: &[u8]) {
    if let Ok(td1) = Td1::parse(bytes) {
        let _ = (td1.personal_number(), td1.key().information(), td1.birth.birth(time::Date::MAX), td1.expiry.expiry());
        if let Ok(composed) = td1.compose() {
            assert_eq!(Td1::parse(&composed).as_ref(), Ok(&td1), "what was written is read back");
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(zone) = text.parse::<MrzZone>() {
            assert!(zone.key().information().is_ascii());
            assert_eq!(zone.differences(zone.characters().as_bytes()), Some(vec![]));
        }
        if let Ok(letters) = crypto::mrz::transliterate(text) {
            assert!(letters.bytes().all(|b| b.is_ascii_uppercase() || b == b'<'), "{letters}");
        }
        if let Ok(name) = text.parse::<crypto::identity::FullName>() {
            assert_eq!(name.as_str().parse().as_ref(), Ok(&name), "a name is its own canonical form");
            let mrz = crypto::mrz::MrzName::of_citizen(&name).expect("a full name can be transliterated");
            assert_eq!(mrz.field(30).len(), 30);
        }
        if let Ok(date) = text.parse::<crypto::identity::Date>() {
            assert_eq!(date.to_string().parse(), Ok(date));
        }
        let _ = text.parse::<crypto::identity::PersonalNumber>();
    }
}

pub fn atr_info(bytes: &[u8]) {
    if let Ok(Some(info)) = AtrInfo::parse(bytes) {
        assert_eq!(AtrInfo::parse(&info.encode()), Ok(Some(info)));
    }
}

pub fn com(bytes: &[u8]) {
    if let Ok(com) = Com::parse(bytes)
        && let Ok(written) = com.encode()
    {
        assert_eq!(Com::parse(&written), Ok(com));
    }
}

pub fn dg1(bytes: &[u8]) {
    if let Ok(dg1) = Dg1::parse(bytes) {
        let _ = dg1.key();
        if let Ok(written) = dg1.encode() {
            assert_eq!(Dg1::parse(&written), Ok(dg1));
        }
    }
}

pub fn dg2(bytes: &[u8]) {
    if let Ok(dg2) = Dg2::parse(bytes) {
        assert!(dg2.image.len() < bytes.len());
        if let Ok(again) = Dg2::new(dg2.image.clone(), dg2.width, dg2.height) {
            assert_eq!(Dg2::parse(&again.encode()), Ok(dg2));
        }
    }
}

pub fn dg13(bytes: &[u8]) {
    if let Ok(dg13) = Dg13::parse(bytes) {
        let again = Dg13::parse(&dg13.encode()).expect("what was written is read back");
        let _ = dg13::NO_EXPIRY;
        assert_eq!(Dg13::parse(&again.encode()), Ok(again));
    }
}

pub fn security_infos(bytes: &[u8]) {
    for infos in [
        CardAccess::parse(bytes).map(|file| file.0).ok(),
        Dg14::parse(bytes).map(|file| file.0).ok(),
        SecurityInfos::parse(bytes).ok(),
    ]
    .into_iter()
    .flatten()
    {
        let written = infos.encode();
        assert_eq!(SecurityInfos::parse(&written).map(|infos| infos.encode()), Ok(written));
        let _ = (crypto::pace::choose(&infos), infos.active_authentication());
        for info in infos.chip_authentication() {
            let _ = infos.key_of(info);
        }
        for key in infos.chip_authentication_keys() {
            let _ = spki::parse(&key.spki);
        }
    }
    if let Ok(dg15) = Dg15::parse(bytes) {
        assert_eq!(Dg15::parse(&dg15.encode()).as_ref(), Ok(&dg15));
        let _ = spki::parse(&dg15.spki);
    }
    if let Ok(key) = spki::parse(bytes) {
        for form in [crypto::pki::CurveForm::Explicit, crypto::pki::CurveForm::Named] {
            assert_eq!(spki::parse(&spki::encode(&key, form)).as_ref(), Ok(&key));
        }
    }
}
