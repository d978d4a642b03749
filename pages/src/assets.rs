//! The files that pages load. Each has an address with the hash of its content in it, so that browsers may keep it for
//! ever: another content is another address.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asset {
    /// What is sent.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type, as `Content-Type`.
    pub media_type: &'static str,
}

impl Asset {
    /// How long browsers may keep it, as `Cache-Control`: for ever.
    pub const CACHE_CONTROL: &'static str = "public, max-age=31536000, immutable";
}

/// Returns the file at an address that [`address`] gave; `None` where there is none, also for a name without the hash
/// and for the hash of another content.
#[must_use]
pub fn asset(address: &str) -> Option<&'static Asset> {
    FILES.by_address.get(address)
}

/// Returns the address of the file of this name: the name with the hash of its content before the ending. It is
/// relative; the web server says below which path the files are.
///
/// # Panics
/// If there is no file of this name: names stand in the program and in its templates, and a test asks for them all.
#[must_use]
pub fn address(name: &str) -> &'static str {
    FILES.addresses.get(name).unwrap_or_else(|| panic!("no file of pages is called {name}"))
}

/// The glyphs as one hidden picture, for the beginning of a page's body: `<svg class="ic"><use href="#i-ok"/></svg>`.
///
/// `i-ok` (circle: right), `i-no` (octagon: refused), `i-wait` (triangle: waits, differs), `i-unknown` (diamond: cannot
/// say), `i-none`, `i-info`, `i-clock`, `i-play`, `i-eye`, `i-search`, `i-card`, and `emblem`, which is a placeholder
/// of ours: a sun of bronze drums, not the emblem of a State.
pub const ICONS: &str = include_str!("../assets/icons.svg");

struct Files {
    by_address: BTreeMap<String, Asset>,
    addresses: BTreeMap<&'static str, String>,
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let mut files = Files { by_address: BTreeMap::new(), addresses: BTreeMap::new() };
    for (name, bytes) in PLAIN {
        files.add(name, Cow::Borrowed(bytes));
    }
    // The sheet names the fonts by their addresses, so it comes after them.
    let mut sheet = STYLESHEET.to_owned();
    for (name, address) in &files.addresses {
        sheet = sheet.replace(&format!("url(\"{name}\")"), &format!("url(\"{address}\")"));
    }
    files.add("app.css", Cow::Owned(sheet.into_bytes()));
    files
});

impl Files {
    fn add(&mut self, name: &'static str, bytes: Cow<'static, [u8]>) {
        let (stem, ending) = name.rsplit_once('.').expect("names of files have an ending");
        let address = format!("{stem}.{}.{ending}", hex::encode(&Sha256::digest(&bytes)[..8]));
        let media_type = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        };
        self.addresses.insert(name, address.clone());
        self.by_address.insert(address, Asset { bytes, media_type });
    }
}

const STYLESHEET: &str = include_str!("../assets/app.css");

/// The script of pages that follow, with its extensions in one file: it looks at the page as soon as its own file has
/// run, and what an extension that came later would do is then not done, for as long as the page is open. An extension
/// acts on the pages alone that name it.
const HTMX: &str = concat!(
    include_str!("../assets/htmx/htmx.min.js"),
    "\n;\n",
    include_str!("../assets/htmx/hx-csp.min.js"),
    "\n;\n",
    include_str!("../assets/htmx/hx-sse.min.js"),
);

/// The files that are sent as they are.
const PLAIN: [(&str, &[u8]); 10] = [
    ("be-vietnam-pro-latin-400.woff2", include_bytes!("../assets/fonts/be-vietnam-pro-latin-400.woff2")),
    ("be-vietnam-pro-latin-600.woff2", include_bytes!("../assets/fonts/be-vietnam-pro-latin-600.woff2")),
    ("be-vietnam-pro-vietnamese-400.woff2", include_bytes!("../assets/fonts/be-vietnam-pro-vietnamese-400.woff2")),
    ("be-vietnam-pro-vietnamese-600.woff2", include_bytes!("../assets/fonts/be-vietnam-pro-vietnamese-600.woff2")),
    ("counter.js", include_bytes!("../assets/counter.js")),
    ("htmx.js", HTMX.as_bytes()),
    ("noto-sans-latin-400.woff2", include_bytes!("../assets/fonts/noto-sans-latin-400.woff2")),
    ("noto-sans-latin-600.woff2", include_bytes!("../assets/fonts/noto-sans-latin-600.woff2")),
    ("office.js", include_bytes!("../assets/office.js")),
    ("register.js", include_bytes!("../assets/register.js")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_at_its_address_alone() {
        for (name, bytes) in PLAIN {
            let at = address(name);
            assert_eq!(asset(at).map(|asset| &*asset.bytes), Some(bytes), "{name}");
            assert_eq!(asset(name), None, "{name} without the hash");
            assert_ne!(asset(at).unwrap().media_type, "application/octet-stream", "{name}");
        }
        assert_eq!(asset("app.0000000000000000.css"), None);
        assert_eq!(asset("../Cargo.toml"), None);
    }

    #[test]
    fn the_sheet_names_every_font_by_its_address_and_loads_nothing_else() {
        let sheet = asset(address("app.css")).unwrap();
        let sheet = std::str::from_utf8(&sheet.bytes).unwrap();
        let named: Vec<&str> =
            sheet.split("url(\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        assert_eq!(named.len(), PLAIN.iter().filter(|(name, _)| name.contains(".woff2")).count());
        for at in named {
            assert_eq!(asset(at).map(|asset| asset.media_type), Some("font/woff2"), "{at}");
        }
        assert!(!sheet.contains("@import") && !sheet.contains("//"), "nothing of another house");
    }

    /// The three files are those of htmx.org 4.0.1 on npm: `dist/htmx.min.js`, `dist/ext/hx-csp.min.js` and
    /// `dist/ext/hx-sse.min.js`.
    #[test]
    fn the_scripts_of_htmx_are_those_of_its_release() {
        let sums = include_str!("../assets/htmx/SHA256SUMS");
        let pinned: BTreeMap<&str, &str> =
            sums.lines().filter_map(|line| line.split_once("  ").map(|(sum, name)| (name, sum))).collect();
        assert_eq!(pinned.len(), 3);
        let whole = std::str::from_utf8(&asset(address("htmx.js")).unwrap().bytes).unwrap();
        let parts: Vec<&str> = whole.split("\n;\n").collect();
        assert_eq!(parts.len(), 3, "in one file: an extension that comes later than the first look is never asked");
        for (part, file) in parts.into_iter().zip(["htmx.min.js", "hx-csp.min.js", "hx-sse.min.js"]) {
            assert_eq!(hex::encode(Sha256::digest(part)), pinned[file], "{file}");
        }
    }

    #[test]
    fn every_glyph_that_is_named_is_in_the_picture_and_no_two_have_one_name() {
        let ids: Vec<&str> =
            ICONS.split("id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        for id in ["emblem", "i-ok", "i-no", "i-wait", "i-unknown", "i-none", "i-info", "i-clock", "i-eye", "i-search"]
        {
            assert_eq!(ids.iter().filter(|there| **there == id).count(), 1, "{id}");
        }
    }
}
