//! The header of a message by the X-Road message protocol 4.0 for SOAP: who asks, whom, by which identifier. Read
//! strictly: what is missing, doubled, empty or malformed is refused with the name of the block.

use super::super::soap::envelope::{Header, called};
use super::super::soap::xml::Node;
use super::{fits, identifies};
use crate::ground::carried::{Brought, Member, is_identifier};

/// The blocks.
const XROAD: &str = "http://x-road.eu/xsd/xroad.xsd";
/// What identifiers are made of.
const IDENTIFIERS: &str = "http://x-road.eu/xsd/identifiers";
/// The party for which a client asks.
const REPRESENTATION: &str = "http://x-road.eu/xsd/representation.xsd";

/// What the header of a message says.
#[derive(Debug)]
pub(super) struct Said {
    /// Who asks, as the security server has it.
    pub brought: Brought,
    /// Code of the service: the element of the body.
    pub service: String,
}

/// True for a block that is understood here.
pub(super) fn is_known(block: &Node) -> bool {
    block.namespace == XROAD && BLOCKS.contains(&&*block.name)
}

/// Reads a header.
///
/// # Errors
/// What is wrong.
pub(super) fn read(header: &Header) -> Result<Said, String> {
    if header.is_odd {
        return Err("Header: it has blocks, and neither text nor attributes".to_owned());
    }
    for block in &header.blocks {
        if block.namespace == REPRESENTATION {
            return Err("representedParty: no party is represented here; the client asks for itself".to_owned());
        }
        let alike = header.blocks.iter().filter(|other| other.is(&block.namespace, &block.name)).count();
        if is_known(block) && alike > 1 {
            return Err(format!("{}: it stands there twice", block.name));
        }
        // A block of another namespace that looks like one of ours would say to a reader what it does not say here.
        if block.namespace != XROAD && BLOCKS.contains(&&*block.name) {
            return Err(format!("{}: its namespace is {XROAD}", called(block)));
        }
    }
    let text = |name: &str| some(header, name).map(|block| leaf(block, name)).transpose();
    let needed = |name: &str| text(name)?.ok_or_else(|| format!("{name}: it is needed"));
    let version = needed(VERSION)?;
    let minor = version.strip_prefix("4.").unwrap_or_default();
    if minor.is_empty() || minor.len() > 3 || !minor.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{VERSION}: this service speaks 4.0"));
    }
    let (client, service) = (identifier(header, CLIENT)?, identifier(header, SERVICE)?);
    let member = Member::of(&client.member()).map_err(|error| format!("{CLIENT}: {error}"))?;
    if client.get(SERVICE_CODE).is_some() || client.get(SERVICE_VERSION).is_some() {
        return Err(format!("{CLIENT}: it names a member or a subsystem, and no service"));
    }
    let provider = Member::of(&service.member()).map_err(|error| format!("{SERVICE}: {error}"))?;
    if provider.instance() != member.instance() {
        return Err(format!("{SERVICE}: another instance than that of the client"));
    }
    let code = service.get(SERVICE_CODE).ok_or_else(|| format!("{SERVICE}: {SERVICE_CODE} is missing"))?;
    let brought = Brought {
        member,
        message: identifies(ID, &needed(ID)?)?,
        query: None,
        user: text(USER)?.map(|user| fits(USER, &user, super::LONGEST_USER)).transpose()?,
        issue: text(ISSUE)?.map(|issue| fits(ISSUE, &issue, super::LONGEST_ISSUE)).transpose()?,
    };
    Ok(Said { brought, service: code.to_owned() })
}

fn some<'a>(header: &'a Header, name: &str) -> Option<&'a Node> {
    header.blocks.iter().find(|block| block.is(XROAD, name))
}

/// Returns the text of a block that has nothing else.
fn leaf(block: &Node, name: &str) -> Result<String, String> {
    if block.children.is_empty() {
        Ok(block.text.clone())
    } else {
        Err(format!("{name}: it has a text and no elements"))
    }
}

/// An identifier: its parts, in the order of the protocol.
struct Identifier<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Identifier<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Returns the parts that name a member or a subsystem.
    fn member(&self) -> Vec<&'a str> {
        PARTS[..4].iter().filter_map(|name| self.get(name)).collect()
    }
}

/// Reads the identifier in a block: its parts in their order, each once, and the type that they make.
fn identifier<'a>(header: &'a Header, name: &str) -> Result<Identifier<'a>, String> {
    let block = some(header, name).ok_or_else(|| format!("{name}: it is needed"))?;
    if block.has_text() {
        return Err(format!("{name}: it has elements and no text"));
    }
    let mut parts: Vec<(&'static str, &str)> = Vec::new();
    let mut rest = PARTS.iter();
    for part in &block.children {
        let known = Some(&*part.name).filter(|_| part.namespace == IDENTIFIERS);
        // The order of the protocol: what came before comes no more.
        let Some(&known) = known.and_then(|known| rest.find(|one| **one == known)) else {
            return Err(format!(
                "{name}: {} does not belong there; an identifier has {} of {IDENTIFIERS}, in this order, each once",
                called(part),
                PARTS.join(", ")
            ));
        };
        let value = leaf(part, known).map_err(|why| format!("{name}: {why}"))?;
        if !is_identifier(&value) {
            return Err(format!("{name}: {known} has 1 to 100 of A-Z a-z 0-9 '()+,-.=?"));
        }
        parts.push((known, &part.text));
    }
    // Else a subsystem without the code of its member would read as another member.
    if !parts.iter().map(|(known, _)| *known).take(3).eq(PARTS[..3].iter().copied()) {
        return Err(format!("{name}: {} are needed", PARTS[..3].join(", ")));
    }
    let identifier = Identifier(parts);
    let has = |part: &str| identifier.get(part).is_some();
    let expected = match (has(SERVICE_CODE), has("subsystemCode")) {
        (true, _) => "SERVICE",
        (false, true) => "SUBSYSTEM",
        (false, false) => "MEMBER",
    };
    let mut said = block.attributes.iter().filter(|one| one.namespace == IDENTIFIERS && one.name == "objectType");
    match said.next() {
        Some(said) if said.value == expected => Ok(identifier),
        _ => Err(format!("{name}: objectType of {IDENTIFIERS} is {expected}, by the parts that it has")),
    }
}

const CLIENT: &str = "client";
const ID: &str = "id";
const ISSUE: &str = "issue";
const SERVICE: &str = "service";
const USER: &str = "userId";
const VERSION: &str = "protocolVersion";
/// The blocks that are understood; others are copied back, and say nothing.
const BLOCKS: [&str; 6] = [CLIENT, ID, ISSUE, SERVICE, USER, VERSION];
const SERVICE_CODE: &str = "serviceCode";
const SERVICE_VERSION: &str = "serviceVersion";
/// The parts of an identifier, in the order of the protocol.
const PARTS: [&str; 6] = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode", SERVICE_CODE, SERVICE_VERSION];

#[cfg(test)]
mod tests {
    use super::super::super::soap::SOAP;
    use super::super::super::soap::envelope::Envelope;
    use super::*;

    const GOOD: &str = "<x:client i:objectType='SUBSYSTEM'><i:xRoadInstance>VN</i:xRoadInstance><i:memberClass>GOV\
        </i:memberClass><i:memberCode>G12</i:memberCode><i:subsystemCode>thue</i:subsystemCode></x:client>\
        <x:service i:objectType='SERVICE'><i:xRoadInstance>VN</i:xRoadInstance><i:memberClass>GOV</i:memberClass>\
        <i:memberCode>G01</i:memberCode><i:subsystemCode>npdb</i:subsystemCode><i:serviceCode>XacThuc</i:serviceCode>\
        <i:serviceVersion>v1</i:serviceVersion></x:service><x:userId>VN000190000017</x:userId><x:issue>HS-1</x:issue>\
        <x:id>4894e35d</x:id><x:protocolVersion>4.0</x:protocolVersion>";

    fn said(blocks: &str) -> Result<Said, String> {
        let xml = format!(
            "<s:Envelope xmlns:s='{SOAP}' xmlns:x='{XROAD}' xmlns:i='{IDENTIFIERS}'><s:Header>{blocks}</s:Header>\
             <s:Body><b/></s:Body></s:Envelope>"
        );
        read(&Envelope::read(xml.as_bytes()).ok().unwrap().header)
    }

    #[test]
    fn a_header_says_who_asks_by_which_identifier() {
        let Said { brought, service } = said(GOOD).unwrap();
        assert_eq!((brought.member.as_str(), &*service), ("VN/GOV/G12/thue", "XacThuc"));
        assert_eq!(
            (&*brought.message, brought.officer(), brought.issue.as_deref()),
            ("4894e35d", Some("000190000017"), Some("HS-1"))
        );
        // A member without a subsystem, in any order of the blocks, with blocks of others beside.
        let member =
            GOOD.replacen("<i:subsystemCode>thue</i:subsystemCode>", "", 1).replacen("'SUBSYSTEM'", "'MEMBER'", 1);
        let (first, rest) = member.split_once("</x:client>").unwrap();
        let turned = format!("<o:other xmlns:o='urn:o'/>{rest}{first}</x:client>");
        assert_eq!(said(&turned).unwrap().brought.member.as_str(), "VN/GOV/G12");
        assert!(said(&GOOD.replace("4.0", "4.1")).is_ok());
    }

    #[test]
    fn what_is_no_header_of_the_protocol_is_refused_with_the_name_of_the_block() {
        let without = |name: &str| {
            let (before, rest) = GOOD.split_once(&format!("<x:{name}")).unwrap();
            format!("{before}{}", rest.split_once(&format!("</x:{name}>")).unwrap().1)
        };
        for name in ["client", "service", "id", "protocolVersion"] {
            assert_eq!(said(&without(name)).unwrap_err(), format!("{name}: it is needed"));
        }
        assert!(said(&without("userId")).is_ok() && said(&without("issue")).is_ok());
        for name in BLOCKS {
            let (_, rest) = GOOD.split_once(&format!("<x:{name}")).unwrap();
            let one = rest.split_once(&format!("</x:{name}>")).unwrap().0;
            let doubled = format!("{GOOD}<x:{name}{one}</x:{name}>");
            assert_eq!(said(&doubled).unwrap_err(), format!("{name}: it stands there twice"));
            let foreign = GOOD.replace(&format!("x:{name}"), &format!("o:{name}"));
            let foreign = foreign.replacen(&format!("<o:{name}"), &format!("<o:{name} xmlns:o='{XROAD}/'"), 1);
            assert!(said(&foreign).unwrap_err().starts_with(&format!("{name}: its namespace")), "{name}");
            let unnamed = GOOD.replace(&format!("x:{name}"), name);
            assert!(said(&unnamed).unwrap_err().contains("without a namespace"), "{name}");
        }
        let with = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            said(&GOOD.replacen(from, to, 1)).unwrap_err()
        };
        for (from, to, why) in [
            ("4.0", "3.1", "protocolVersion"),
            ("4.0", "4", "protocolVersion"),
            ("4.0", "4.x", "protocolVersion"),
            ("4.0", " 4.0", "protocolVersion"),
            ("4894e35d", "", "id: "),
            ("4894e35d", "a b", "id: "),
            ("4894e35d", "a&#10;b", "id: "),
            ("4894e35d", "<x:id/>", "id: "),
            ("VN000190000017", "", "userId: "),
            ("HS-1", "", "issue: "),
            ("HS-1", "a&#9;b", "issue: "),
            (
                "<i:memberClass>GOV</i:memberClass><i:memberCode>G12</i:memberCode>",
                "<i:memberCode>G12</i:memberCode><i:memberClass>GOV</i:memberClass>",
                "client: memberClass",
            ),
            (
                "<i:memberCode>G12</i:memberCode>",
                "<i:memberCode>G12</i:memberCode><i:memberCode>G13</i:memberCode>",
                "client: memberCode",
            ),
            ("<i:memberCode>G12</i:memberCode>", "", "client: xRoadInstance"),
            ("<i:memberCode>G12</i:memberCode>", "<x:memberCode>G12</x:memberCode>", "client: memberCode"),
            (">G12<", ">G12/thue<", "client: memberCode"),
            (">G12<", "> G12<", "client: memberCode"),
            (">G12<", ">ưu<", "client: memberCode"),
            ("'SUBSYSTEM'", "'MEMBER'", "client: objectType"),
            ("i:objectType='SUBSYSTEM'", "objectType='SUBSYSTEM'", "client: objectType"),
            ("i:objectType='SUBSYSTEM'", "", "client: objectType"),
            ("'SERVICE'", "'SUBSYSTEM'", "service: objectType"),
            (
                "<i:serviceCode>XacThuc</i:serviceCode><i:serviceVersion>v1</i:serviceVersion>",
                "",
                "service: objectType",
            ),
            (
                "<i:xRoadInstance>VN</i:xRoadInstance><i:memberClass>GOV</i:memberClass><i:memberCode>G01",
                "<i:xRoadInstance>EE</i:xRoadInstance><i:memberClass>GOV</i:memberClass><i:memberCode>G01",
                "service: another instance",
            ),
            ("<x:userId>", "text<x:userId>", "Header: "),
            (
                "<x:userId>",
                "<r:representedParty xmlns:r='http://x-road.eu/xsd/representation.xsd'/><x:userId>",
                "representedParty",
            ),
        ] {
            let said = with(from, to);
            assert!(said.starts_with(why), "{from} -> {to}: {said}");
        }
    }
}
