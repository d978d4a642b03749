//! XML of a stranger, read into a small tree: UTF-8, well-formed, namespaces resolved; no DTD, no entity but the five
//! of XML, no processing instruction; size, depth and counts bounded. What is wrong is told without a value.

use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};
use quick_xml::reader::NsReader;

/// A message has at most so many bytes.
const MOST_BYTES: usize = 65_536;
/// Elements lie in each other at most so deep.
const DEEPEST: usize = 16;
/// A message has at most so many elements.
const MOST_ELEMENTS: usize = 256;
/// A message has at most so many attributes and declarations of namespaces.
const MOST_ATTRIBUTES: usize = 128;

/// An element.
#[derive(Default)]
pub(in super::super) struct Node {
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its attributes that are no declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// The elements in it.
    pub children: Vec<Self>,
    /// The text in it, of which that between elements is no part of any.
    pub text: String,
    /// The prefix of its name; empty for none.
    pub prefix: String,
    /// The namespaces that it declares: prefix, empty for the default one, and namespace.
    pub declared: Vec<(String, String)>,
    /// Where in the message lies what is between its tags.
    pub content: Range<usize>,
}

/// An attribute.
pub(in super::super) struct Attribute {
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What is wrong with a text that is to be XML, and where: the byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) struct NotXml {
    /// What would fit.
    pub why: &'static str,
    /// Bytes before the place.
    pub at: u64,
}

impl Node {
    /// True for an element of this name in this namespace.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// True if there is text in it that is more than space.
    pub fn has_text(&self) -> bool {
        !self.text.trim_matches(is_space).is_empty()
    }
}

/// Reads the one element of a text.
///
/// # Errors
/// [`NotXml`]
pub(in super::super) fn read(bytes: &[u8]) -> Result<Node, NotXml> {
    let wrong = |why, at: usize| NotXml { why, at: at as u64 };
    if bytes.len() > MOST_BYTES {
        return Err(wrong("a message has at most 65,536 bytes", MOST_BYTES));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| wrong("a message is UTF-8", error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = bytes.len() - text.len();
    if let Some((at, _)) = text.char_indices().find(|(_, c)| !is_xml(*c)) {
        return Err(wrong("there is a character that XML does not have", at));
    }
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    (config.expand_empty_elements, config.check_comments) = (true, true);
    let mut tree = Tree::default();
    loop {
        let at = reader.buffer_position();
        let place = |position: u64| before + usize::try_from(position).unwrap_or(text.len());
        let wrong = |why| NotXml { why, at };
        let event = reader.read_event().map_err(|_| wrong("the message is not well-formed XML"))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                tree.open(&start, &reader, place(reader.buffer_position())).map_err(wrong)?;
            }
            Event::End(_) => tree.close(place(at)),
            Event::Text(piece) => tree.text(&piece, false).map_err(wrong)?,
            Event::CData(piece) => tree.text(&piece, true).map_err(wrong)?,
            Event::GeneralRef(entity) => tree.text(&meant(&entity).map_err(wrong)?, true).map_err(wrong)?,
            Event::Comment(_) => {}
            Event::Decl(declared) if at == 0 => declaration(&declared).map_err(wrong)?,
            Event::Decl(_) | Event::PI(_) => return Err(wrong("a message has no processing instructions")),
            Event::DocType(_) => return Err(wrong("a message has no document type declaration")),
            Event::Empty(_) => return Err(wrong("the message is not well-formed XML")),
        }
    }
    tree.whole().ok_or(NotXml { why: "the message ends before its last element does", at: text.len() as u64 })
}

/// The elements that were read so far.
#[derive(Default)]
struct Tree {
    open: Vec<Node>,
    whole: Option<Node>,
    elements: usize,
    attributes: usize,
}

impl Tree {
    /// Opens an element, whose content begins at this place.
    fn open(&mut self, start: &BytesStart<'_>, reader: &NsReader<&[u8]>, begins: usize) -> Result<(), &'static str> {
        if self.whole.is_some() {
            return Err("a message is one element");
        }
        self.elements += 1;
        if self.elements > MOST_ELEMENTS || self.open.len() == DEEPEST {
            return Err("there are too many elements, or they lie too deep in each other");
        }
        let resolver = reader.resolver();
        let (found, name) = resolver.resolve_element(start.name());
        let (namespace, name) = (namespace_of(&found)?, name.into_inner().to_owned());
        let prefix = start.name().prefix().map(|prefix| prefix.into_inner().to_owned()).unwrap_or_default();
        let mut node = Node { namespace, name, prefix, content: begins..begins, ..Node::default() };
        for attribute in start.attributes() {
            self.attributes += 1;
            if self.attributes > MOST_ATTRIBUTES {
                return Err("there are too many attributes and declarations of namespaces");
            }
            let attribute = attribute.map_err(|_| "an attribute is not well-formed, or stands there twice")?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_| "an attribute has an entity that is none of the five of XML")?;
            if let Some(prefix) = attribute.key.as_namespace_binding() {
                let prefix = match prefix {
                    PrefixDeclaration::Default => String::new(),
                    PrefixDeclaration::Named(_) if value.is_empty() => return Err("a prefix is bound to no namespace"),
                    PrefixDeclaration::Named(prefix) => prefix.to_owned(),
                };
                node.declared.push((prefix, value.into_owned()));
                continue;
            }
            let (found, name) = resolver.resolve_attribute(attribute.key);
            let (namespace, name) = (namespace_of(&found)?, name.into_inner().to_owned());
            // Under two prefixes of one namespace it is the same attribute (Namespaces in XML 1.0, §6.3).
            if node.attributes.iter().any(|other| other.namespace == namespace && other.name == name) {
                return Err("an attribute is not well-formed, or stands there twice");
            }
            node.attributes.push(Attribute { namespace, name, value: value.into_owned() });
        }
        self.open.push(node);
        Ok(())
    }

    /// Closes the element that was opened last, whose content ends at this place.
    fn close(&mut self, ends: usize) {
        let Some(mut node) = self.open.pop() else { return };
        node.content.end = ends;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.whole = Some(node),
        }
    }

    /// Takes a piece of text. `counts` is true for one that may not stand outside of the element, even as space.
    fn text(&mut self, piece: &str, counts: bool) -> Result<(), &'static str> {
        match self.open.last_mut() {
            Some(node) => node.text.push_str(piece),
            None if counts || !piece.trim_matches(is_space).is_empty() => {
                return Err("there is text beside the message");
            }
            None => {}
        }
        Ok(())
    }

    fn whole(self) -> Option<Node> {
        self.whole.filter(|_| self.open.is_empty())
    }
}

fn namespace_of(found: &ResolveResult<'_>) -> Result<String, &'static str> {
    match found {
        ResolveResult::Bound(namespace) => Ok(namespace.into_inner().to_owned()),
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(_) => Err("a prefix is not declared"),
    }
}

/// Returns what a reference stands for: a character by its number, or one of the five entities of XML.
fn meant(entity: &BytesRef<'_>) -> Result<String, &'static str> {
    let named = match &**entity {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => entity.resolve_char_ref().ok().flatten().filter(|c| is_xml(*c)),
    };
    named.map(String::from).ok_or("there is an entity that is none of the five of XML")
}

/// Judges the declaration at the beginning.
fn declaration(declared: &BytesDecl<'_>) -> Result<(), &'static str> {
    let version = declared.version().is_ok_and(|version| version == "1.0");
    let encoding = match declared.encoding() {
        None => true,
        Some(encoding) => encoding.is_ok_and(|encoding| encoding.eq_ignore_ascii_case("utf-8")),
    };
    if version && encoding { Ok(()) } else { Err("a message is XML 1.0 in UTF-8") }
}

/// True for a character that XML 1.0 has.
const fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// True for what is space in XML.
pub(in super::super) const fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> NotXml {
        match read(text.as_bytes()) {
            Ok(_) => panic!("read: {}", text.chars().take(200).collect::<String>()),
            Err(why) => why,
        }
    }

    #[test]
    fn names_are_known_by_their_namespaces_whatever_the_prefixes() {
        let one =
            read(b"<a:x xmlns:a='urn:1'><b:y xmlns:b='urn:2' b:k='v' k='w'>t</b:y> <y xmlns='urn:3'/></a:x>").unwrap();
        assert!(one.is("urn:1", "x") && one.children[0].is("urn:2", "y") && one.children[1].is("urn:3", "y"));
        let attributes = &one.children[0].attributes;
        let of = |at: usize| {
            (attributes[at].namespace.as_str(), attributes[at].name.as_str(), attributes[at].value.as_str())
        };
        assert_eq!((of(0), of(1)), (("urn:2", "k", "v"), ("", "k", "w")));
        assert_eq!((one.children[0].text.as_str(), one.has_text()), ("t", false));
        assert_eq!(
            read("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a --><x/>\n".as_bytes()).unwrap().name,
            "x"
        );
    }

    #[test]
    fn text_is_what_is_meant() {
        let text = |xml: &str| read(xml.as_bytes()).unwrap().text;
        assert_eq!(text("<x>a &amp; b &lt;&gt;&quot;&apos; &#x1B0;&#432;</x>"), "a & b <>\"' ưư");
        assert_eq!(text("<x><![CDATA[<a> & ]]>b</x>"), "<a> & b");
    }

    #[test]
    fn what_is_no_message_is_refused_with_what_and_where() {
        let long = format!("<x>{}</x>", "a".repeat(MOST_BYTES));
        let deep = format!("{}{}", "<x>".repeat(DEEPEST + 1), "</x>".repeat(DEEPEST + 1));
        let wide = format!("<x>{}</x>", "<y/>".repeat(MOST_ELEMENTS));
        let each = |of: fn(usize) -> String| (0..=MOST_ATTRIBUTES).map(of).collect::<Vec<_>>().concat();
        let spaces = each(|n| format!(" xmlns:n{n}='urn:{n}'"));
        let many = each(|n| format!("<y k{n}=''/>"));
        for (text, why) in [
            (long.as_str(), "65,536"),
            (&deep, "too deep"),
            (&wide, "too many elements"),
            (&format!("<x{spaces}/>"), ""),
            (&format!("<x>{many}</x>"), "too many attributes"),
            ("", "ends before"),
            ("text", "beside"),
            ("&amp;", "beside"),
            ("<x/>text", "beside"),
            ("<x/><x/>", "one element"),
            ("<x>", "ends before"),
            ("<x></y>", "not well-formed"),
            ("<x", "not well-formed"),
            ("<x><!-- a -- b --></x>", "not well-formed"),
            ("<x>a & b</x>", "not well-formed"),
            ("<x>a &amp b</x>", "not well-formed"),
            ("<x>a < b</x>", ""),
            ("<x k='1' k='2'/>", "twice"),
            ("<x xmlns:a='urn:1' xmlns:b='urn:1' a:k='1' b:k='2'/>", "twice"),
            ("<x xmlns:a=''/>", "bound to no namespace"),
            ("<x k=1/>", "attribute"),
            ("<a:x/>", "prefix"),
            ("<x a:k=''/>", "prefix"),
            ("<x>&bomb;</x>", "entity"),
            ("<x k='&bomb;'/>", "entity"),
            ("<x>&#0;</x>", "entity"),
            ("<x>&#xFFFF;</x>", "entity"),
            ("<x>\u{1}</x>", "character"),
            ("<!DOCTYPE x><x/>", "document type"),
            ("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "document type"),
            ("<?php x?><x/>", "processing"),
            ("<x><?xml version='1.0'?></x>", "processing"),
            (" <?xml version='1.0'?><x/>", "processing"),
            ("<?xml version='1.1'?><x/>", "XML 1.0"),
            ("<?xml version='1.0' encoding='iso-8859-1'?><x/>", "UTF-8"),
            ("<?xml version='1.0' encoding='utf-16'?><x/>", "UTF-8"),
        ] {
            let said = refused(text);
            assert!(said.why.contains(why), "{}: {said:?}", text.chars().take(100).collect::<String>());
        }
        for bytes in [&b"<x>\xff</x>"[..], b"\xff\xfe<\0x\0/\0>\0", b"<x>\xed\xa0\x80</x>"] {
            assert_eq!(read(bytes).err().unwrap().why, "a message is UTF-8");
        }
        assert_eq!(refused("<x>&bomb;</x>").at, 3);
    }

    #[test]
    fn no_text_makes_it_panic() {
        let good = "<?xml version='1.0'?><a:x xmlns:a='urn:1' k='&amp;'>t&#65;<![CDATA[c]]><!-- d --><y/></a:x>";
        for end in 0..good.len() {
            assert!(read(&good.as_bytes()[..end]).is_err(), "{end}");
        }
        for at in 0..good.len() {
            for byte in [b'<', b'>', b'&', b';', b'"', b'\'', b'/', b'!', b'?', b'[', b'-', 0, 0x80, 0xff] {
                let mut other = good.as_bytes().to_vec();
                other[at] = byte;
                drop(read(&other));
            }
        }
    }
}
