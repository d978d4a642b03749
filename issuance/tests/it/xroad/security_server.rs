//! A security server of X-Road before the service, after the protocol documents (PR-MESS 4.0, PR-REST r1): what it
//! takes from a member, what it lets through to the provider, and what it demands of the answer. It has no part of the
//! layer between security servers. What the documents forbid is an error that says so.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::routing::{self, get};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha512};

use crate::house::{self, House};
use crate::oauth::Heard;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const XROAD: &str = "http://x-road.eu/xsd/xroad.xsd";
/// Bodies above this are not logged, and the call fails.
const LARGEST: usize = 10_000_000;

/// A security server with its certificate, and the service behind it.
pub struct SecurityServer {
    pub client: reqwest::Client,
    pub address: String,
    /// Its certificate and key, as PEM.
    pub identity: String,
}

impl SecurityServer {
    /// The security server that shows this certificate (with its key, PEM). It follows no redirect.
    pub fn new(house: &House, identity: &str) -> Self {
        let builder = house::builder(&house.folder, Some(identity)).redirect(reqwest::redirect::Policy::none());
        let (client, address) = (builder.build().unwrap(), house.admin.address.clone());
        Self { client, address, identity: identity.to_owned() }
    }

    /// Brings a message of a member, with the headers that its HTTP request had, and returns what the member hears.
    pub async fn soap(&self, message: &str, headers: &[(&str, &str)]) -> Result<String, String> {
        asked(message)?;
        let mut request = self.client.post(format!("{}/xroad/soap", self.address));
        for (name, value) in headers {
            // Of the headers of HTTP these two go through, and no other.
            if ["content-type", "soapaction"].contains(&name.to_lowercase().as_str()) {
                request = request.header(*name, *value);
            }
        }
        let response = request.body(message.to_owned()).send().await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let answer = response.text().await.map_err(|error| error.to_string())?;
        answered(message, status, kind.as_deref(), &answer)
    }

    /// Listens for members' programmes over HTTP, without TLS. Returns its address.
    pub async fn listens(self: Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (own, described) = (Arc::clone(&self), address.clone());
        let wsdl = async move |RawQuery(query): RawQuery| {
            let query = query.unwrap_or_default();
            for name in ["xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode"] {
                assert!(query.split('&').any(|one| one.starts_with(&format!("{name}="))), "{query}");
            }
            let url = format!("{}/xroad/soap?wsdl", own.address);
            let text = own.client.get(url).send().await.unwrap().text().await.unwrap();
            // A security server gives the description with its own address: that of the service is not for members.
            let (before, rest) = text.split_once("<soap:address location=\"").unwrap();
            let (_, after) = rest.split_once('"').unwrap();
            let text = format!("{before}<soap:address location=\"{described}/\"{after}");
            ([("content-type", "text/xml; charset=utf-8")], text)
        };
        let post = async move |headers: HeaderMap, body: String| {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
            let heard = self.soap(&body, &headers).await;
            let status = if heard.as_ref().is_ok_and(|text| !text.contains("Fault>")) { 200 } else { 500 };
            let text = heard.unwrap_or_else(|why| format!("<refused>{why}</refused>"));
            (StatusCode::from_u16(status).unwrap(), [("content-type", "text/xml; charset=utf-8")], text)
        };
        let router = axum::Router::new().route("/wsdl", get(wsdl)).route("/", routing::post(post));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }

    /// Brings a request over REST of a member, with the headers that it had, and returns what the member hears.
    pub async fn rest(
        &self,
        client: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Heard {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let lower = name.to_lowercase();
            let own = ["x-road-client", "x-road-service", "x-road-request-id", "x-road-error", "x-road-request-hash"];
            if DROPPED.contains(&lower.as_str()) || own.contains(&lower.as_str()) {
                continue;
            }
            sent.append(lower.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        sent.insert("x-road-client", client.parse().unwrap());
        sent.insert("x-road-service", "VN/GOV/G01/npdb/dan-cu".parse().unwrap());
        sent.entry("x-road-id").or_insert_with(|| identifier().parse().unwrap());
        sent.insert("x-road-request-id", identifier().parse().unwrap());
        sent.entry("accept").or_insert_with(|| "application/json".parse().unwrap());
        let mut request = self.client.request(method, format!("{}/xroad/r1{path}", self.address)).headers(sent.clone());
        if let Some(body) = &body {
            assert!(body.len() <= LARGEST, "a body above 10 MB is not logged, and fails");
            request = request.body(body.clone());
        }
        let response = request.send().await.unwrap();
        let (status, mut headers) = (response.status().as_u16(), response.headers().clone());
        assert!(!response.status().is_redirection(), "redirects are passed on, and no client follows them");
        let bytes = response.bytes().await.unwrap().to_vec();
        assert!(bytes.len() <= LARGEST, "an answer above 10 MB is not logged, and fails");
        assert!(body.is_none() && bytes.is_empty() || headers.contains_key("content-type"), "{headers:?}");
        for name in headers.keys() {
            assert!(!name.as_str().starts_with("x-road-"), "{name} is the security server's, and overwritten");
        }
        for name in DROPPED {
            headers.remove(*name);
        }
        for name in ["x-road-client", "x-road-service", "x-road-id", "x-road-request-id"] {
            headers.insert(name, sent[name].clone());
        }
        let mut digested = Sha512::digest(format!("{sent:?}")).to_vec();
        if let Some(body) = &body {
            digested.extend(Sha512::digest(body));
            digested = Sha512::digest(&digested).to_vec();
        }
        headers.insert("x-road-request-hash", BASE64_STANDARD.encode(digested).parse().unwrap());
        Heard { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default(), bytes }
    }
}

/// Headers that go no further: hop by hop, or of a host.
const DROPPED: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "user-agent",
    "server",
];

/// A message, as a security server reads it: each block of the header with all that it is but prefixes, and the element
/// of the body.
struct Read {
    blocks: Vec<String>,
    body: (String, String),
    /// What stands in the header under a name of the protocol.
    texts: Vec<(String, String)>,
}

fn read(xml: &str) -> Result<Read, String> {
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut read) =
        (Vec::<(String, String)>::new(), Read { blocks: vec![], body: Default::default(), texts: vec![] });
    let space = |found: &ResolveResult<'_>| match found {
        ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
        _ => String::new(),
    };
    let in_header = |path: &[(String, String)]| path.len() > 2 && path[1].1 == "Header" && path[1].0 == SOAP;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                let (found, name) = reader.resolver().resolve_element(start.name());
                let here = (space(&found), name.into_inner().to_owned());
                path.push(here.clone());
                if in_header(&path) {
                    if path.len() == 3 {
                        read.blocks.push(String::new());
                        read.texts.push((here.1.clone(), String::new()));
                    }
                    let mut attributes: Vec<_> = start
                        .attributes()
                        .map(Result::unwrap)
                        .filter(|one| one.key.as_namespace_binding().is_none())
                        .map(|one| {
                            let (found, name) = reader.resolver().resolve_attribute(one.key);
                            (space(&found), name.into_inner().to_owned(), one.value.into_owned())
                        })
                        .collect();
                    attributes.sort();
                    let _ = write!(read.blocks.last_mut().unwrap(), "<{{{}}}{} {attributes:?}>", here.0, here.1);
                }
                if path.len() == 3 && path[1] == (SOAP.to_owned(), "Body".to_owned()) {
                    if !read.body.1.is_empty() {
                        return Err("a body has one part".to_owned());
                    }
                    read.body = here;
                }
            }
            Event::End(_) => {
                if in_header(&path) {
                    read.blocks.last_mut().unwrap().push_str("</>");
                }
                path.pop();
            }
            Event::Text(text) if in_header(&path) => {
                read.blocks.last_mut().unwrap().push_str(&text);
                read.texts.last_mut().unwrap().1.push_str(&text);
            }
            Event::GeneralRef(entity) if in_header(&path) => {
                let _ = write!(read.blocks.last_mut().unwrap(), "&{};", &*entity);
            }
            _ => {}
        }
    }
    Ok(read)
}

/// Judges what a member sends.
fn asked(message: &str) -> Result<(), String> {
    if message.len() > LARGEST {
        return Err("a body above 10 MB is not logged, and fails".to_owned());
    }
    let read = read(message)?;
    for name in ["client", "service", "id", "protocolVersion"] {
        let there = read.blocks.iter().filter(|block| block.starts_with(&format!("<{{{XROAD}}}{name} "))).count();
        if there != 1 {
            return Err(format!("a request has {name} once"));
        }
    }
    if read.texts.iter().find(|(name, _)| name == "protocolVersion").is_none_or(|(_, version)| version != "4.0") {
        return Err("protocolVersion is 4.0".to_owned());
    }
    let service = read.blocks.iter().find(|block| block.starts_with(&format!("<{{{XROAD}}}service "))).unwrap();
    if !service.contains(&format!("serviceCode []>{}</>", read.body.1)) {
        return Err("the wrapper of the request is called as serviceCode says".to_owned());
    }
    Ok(())
}

/// Judges what the provider answered, and returns what the member hears.
pub fn answered(message: &str, status: u16, kind: Option<&str>, answer: &str) -> Result<String, String> {
    if kind.is_none_or(|kind| !kind.to_lowercase().starts_with("text/xml")) {
        return Err(format!("an answer is text/xml, and not {kind:?}"));
    }
    if answer.len() > LARGEST {
        return Err("an answer above 10 MB is not logged, and fails".to_owned());
    }
    let (was, is) = (read(message)?, read(answer)?);
    if is.body == (SOAP.to_owned(), "Fault".to_owned()) {
        // A fault may have the headers; then they are those of the request.
        let right = status == 500 && (is.blocks.is_empty() || is.blocks == was.blocks);
        return if right {
            Ok(answer.to_owned())
        } else {
            Err("a fault has status 500, and no other headers".to_owned())
        };
    }
    if status != 200 {
        return Err(format!("status {status} for what is no fault"));
    }
    if is.blocks != was.blocks {
        return Err(format!("the headers are those of the request, in their order: {:?} {:?}", was.blocks, is.blocks));
    }
    if is.body.1 != format!("{}Response", was.body.1) || is.body.0 != was.body.0 {
        return Err(format!("the wrapper of the answer is called as the request's with Response: {:?}", is.body));
    }
    let hash = BASE64_STANDARD.encode(Sha512::digest(message));
    let added = format!(
        "<xrd:requestHash xmlns:xrd=\"{XROAD}\" algorithmId=\"http://www.w3.org/2001/04/xmlenc#sha512\">{hash}</xrd:requestHash>"
    );
    let end = answer.find("Header>").and_then(|_| {
        answer.match_indices("</").find(|(at, _)| {
            answer[at + 2..].split('>').next().is_some_and(|name| name == "Header" || name.ends_with(":Header"))
        })
    });
    let (at, _) = end.ok_or("an answer has a header")?;
    Ok(format!("{}{added}{}", &answer[..at], &answer[at..]))
}

#[test]
fn it_demands_what_the_documents_demand() {
    let header = "<x:id>1</x:id><x:issue>2</x:issue>";
    let message = |header: &str, body: &str| {
        format!(
            "<s:Envelope xmlns:s='{SOAP}' xmlns:x='{XROAD}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
    };
    let question = message(header, "<d:Ask xmlns:d='urn:d'/>");
    let judged = |status, kind: &str, answer: &str| answered(&question, status, Some(kind), answer);
    let good = message(header, "<q:AskResponse xmlns:q='urn:d'/>");
    let heard = judged(200, "text/xml; charset=utf-8", &good).unwrap();
    assert!(heard.contains("requestHash") && read(&heard).unwrap().blocks.len() == 3);
    // Other prefixes are the same.
    assert!(judged(200, "text/xml", &good.replace("x:", "y:").replace("xmlns:x", "xmlns:y")).is_ok());
    for (from, to) in [
        ("<x:id>1</x:id><x:issue>2</x:issue>", "<x:issue>2</x:issue><x:id>1</x:id>"),
        ("<x:id>1</x:id>", ""),
        ("<x:id>1</x:id>", "<x:id>1 </x:id>"),
        ("<x:id>1</x:id>", "<x:id k='1'>1</x:id>"),
        ("<x:issue>", "<x:more/><x:issue>"),
        ("AskResponse", "Answer"),
        ("urn:d", "urn:e"),
        ("xroad.xsd", "xroad"),
    ] {
        assert!(judged(200, "text/xml", &good.replace(from, to)).is_err(), "{from} -> {to}");
    }
    assert!(judged(500, "text/xml", &good).is_err() && judged(200, "application/json", &good).is_err());
    let fault = |header: &str| message(header, "<s:Fault/>");
    assert!(judged(500, "text/xml", &fault("")).is_ok() && judged(500, "text/xml", &fault(header)).is_ok());
    assert!(judged(200, "text/xml", &fault("")).is_err() && judged(500, "text/xml", &fault("<x:id>2</x:id>")).is_err());
}

/// Returns an identifier that no other message or query of this run has.
fn identifier() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
