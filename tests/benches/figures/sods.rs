//! EF.SODs built and signed per CPU-second.

use std::error::Error;

use crypto::lds::{AtrInfo, DataGroup};
use crypto::perso::PublicKeys;
use crypto::sod::{Draft, Prepared, Profile, Sod};
use crypto::suite::{Curve, Hash, PrivateKey};

use crate::anchor::{self, together};
use crate::issuance_parts::{KeyName, KeyStore, SigningKey};
use crate::subject::{self, Authority, NOW};
use crate::{grouped, rate, row};

pub fn measure() -> Result<String, Box<dyn Error>> {
    let key = || PrivateKey::generate(Curve::P256, &mut subject::rng()).public();
    let keys = PublicKeys { active_auth: key(), chip_auth: key() };
    let composed = subject::composed(&keys, AtrInfo { max_command: 32_767, max_response: 32_767 })?;
    let groups = subject::groups(&composed);
    let files: Vec<&[u8]> = groups.iter().map(|(_, raw)| *raw).collect();
    let total: usize = files.iter().map(|raw| raw.len()).sum();

    let mut table = format!(
        "\n## SODs built and signed per CPU-second\n\n{} data groups of {} bytes in all. One SOD: hash the groups, lint, encode, sign, attach, DER out.\n\n",
        files.len(),
        grouped(total as f64)
    );
    let head = [
        "curve",
        "what",
        "per CPU-second",
        "of openssl sign + hash",
        "of library sign + hash",
        "of library, same checks, + hash",
    ];
    row(&mut table, &head);
    row(&mut table, &["---", "---", "---:", "---:", "---:", "---:"]);
    let root = anchor::library(Curve::P384);
    for curve in [Curve::P256, Curve::P384, Curve::BrainpoolP256r1] {
        let openssl = anchor::openssl(curve);
        let library = anchor::library(curve);
        let hash = anchor::hashing(&files, Hash::Sha256);
        let name = format!("{curve:?}");
        let plain = |table: &mut String, what: &str, rate: f64| row(table, &[&name, what, &grouped(rate), "", "", ""]);
        if let Some(openssl) = openssl {
            plain(&mut table, "anchor: openssl speed, sign", openssl.sign);
        }
        plain(&mut table, "anchor: the signer's library, sign", library.sign);
        plain(&mut table, "anchor: the signer's library, verify", library.verify);
        plain(&mut table, "anchor: hash of the groups (aws-lc-rs, SHA-256)", hash);

        let authority = Authority::found(curve)?;
        let signing = signing_key(&authority)?;
        let raw = anchor::raw_signer(&authority.key);
        let prepare = || prepared(&groups, &authority);
        // A row with the shares of the anchors; `checks` are the verifications that the product makes
        // before an SOD leaves it.
        let mut measured = |what: &str, rate: f64, checks: &[f64]| {
            let ratio = |anchor: f64| format!("{:.0} %", 100.0 * rate / anchor);
            let same: Vec<f64> = [library.sign, hash].iter().chain(checks).copied().collect();
            let with_openssl = openssl.map_or("–".into(), |o| ratio(together(&[o.sign, hash])));
            let with_library = ratio(together(&[library.sign, hash]));
            row(&mut table, &[&name, what, &grouped(rate), &with_openssl, &with_library, &ratio(together(&same))]);
        };
        let bare = rate(|| {
            let prepared = prepare();
            let signature = raw(prepared.to_be_signed());
            std::hint::black_box(prepared.attach_unverified(&signature));
        });
        measured("built and signed", bare, &[]);
        let checked = rate(|| {
            let prepared = prepare();
            let signature = signing.sign(prepared.to_be_signed()).expect("signs");
            std::hint::black_box(prepared.attach_unverified(&signature));
        });
        measured("the same, the signer verifies what it signed", checked, &[library.verify]);
        let issued = rate(|| {
            let prepared = prepare();
            let signature = signing.sign(prepared.to_be_signed()).expect("signs");
            let sod = prepared.attach(&signature).expect("genuine");
            let verified = Sod::parse(sod.raw()).expect("ours").verify(&authority.trust, NOW).expect("genuine");
            for (group, file) in &groups {
                verified.check(*group, file).expect("as hashed");
            }
        });
        let checks = [library.verify, library.verify, library.verify, root.verify, hash];
        measured("as issuance does it: signer, attach and border guard verify", issued, &checks);
    }
    Ok(table)
}

fn prepared(groups: &[(DataGroup, &[u8])], authority: &Authority) -> Prepared {
    Draft::new(groups, Profile::default(), &authority.certificate, NOW).lint().expect("a proper document")
}

/// Returns the service's signer with the key of this authority, opened from a key store as the service opens it.
fn signing_key(authority: &Authority) -> Result<SigningKey, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = KeyStore::init(folder.path(), None, &mut subject::rng())?;
    // The same seed gives the same key as the authority has.
    let key = SigningKey::generate(KeyName::DocumentSigner, authority.key.curve(), &mut subject::rng())?;
    key.keep(&store.locked()?)?;
    Ok(SigningKey::open(&store, KeyName::DocumentSigner, &authority.certificate)?)
}
