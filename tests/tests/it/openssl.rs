//! OpenSSL, a verifier that we did not write, accepts what we sign, as far as each form of curve parameters allows.

use std::path::Path;
use std::process::Command;

use tests::citizen::Citizen;
use tests::road;
use tests::world::{Options, World, scratch};

fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let said = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("tests/setup.sh test installs openssl");
    (
        said.status.success(),
        format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr)),
    )
}

/// Returns the value field of EF.SOD: the CMS SignedData.
fn content_info(sod: &[u8]) -> &[u8] {
    let mut start = 2;
    if sod[1] > 0x80 {
        start += usize::from(sod[1] & 0x7f);
    }
    &sod[start..]
}

fn issued(named_curves: bool) -> tempfile::TempDir {
    let scratch = scratch();
    let world = World::begin(&scratch.path().join("world"), &Options { named_curves, ..Options::default() }).unwrap();
    let issued = road::issue(&world, 0, &Citizen::invented(0)).unwrap();
    let read = scratch.path().join("read");
    let said = road::inspect(&world, 0, &["--can", &issued.number[6..], "--out", &read.to_string_lossy()]).unwrap();
    assert!(said.status.success());
    let sod = std::fs::read(read.join("sod.bin")).unwrap();
    std::fs::write(read.join("sod.cms"), content_info(&sod)).unwrap();
    std::fs::copy(world.csca(), read.join("csca.der")).unwrap();
    for name in ["csca", "ds"] {
        let (ok, said) =
            openssl(&read, &["x509", "-inform", "DER", "-in", &format!("{name}.der"), "-out", &format!("{name}.pem")]);
        assert!(ok, "{said}");
    }
    scratch
}

#[test]
fn with_named_curves_it_accepts_the_sod_and_the_whole_chain() {
    let scratch = issued(true);
    let read = scratch.path().join("read");
    let (ok, said) = openssl(&read, &["verify", "-x509_strict", "-purpose", "any", "-CAfile", "csca.pem", "ds.pem"]);
    assert!(ok, "{said}");
    let cms = [
        "cms", "-verify", "-inform", "DER", "-in", "sod.cms", "-CAfile", "csca.pem", "-purpose", "any", "-binary",
        "-out", "lds.der",
    ];
    let (ok, said) = openssl(&read, &cms);
    assert!(ok, "{said}");
    let mut forged = std::fs::read(read.join("sod.cms")).unwrap();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    std::fs::write(read.join("sod.cms"), forged).unwrap();
    assert!(!openssl(&read, &cms).0, "a flipped bit in the signature was accepted");
}

#[test]
fn with_explicit_parameters_it_accepts_the_sod_and_the_signature_of_the_signer() {
    let scratch = issued(false);
    let read = scratch.path().join("read");
    let (ok, said) = openssl(
        &read,
        &["cms", "-verify", "-inform", "DER", "-in", "sod.cms", "-noverify", "-binary", "-out", "lds.der"],
    );
    assert!(ok, "{said}");
    // OpenSSL refuses explicit parameters below the anchor by design, so the certificate's
    // signature is checked by hand.
    let ds = std::fs::read(read.join("ds.der")).unwrap();
    let outer = crypto::tlv::Tlv::expect(0x30, &ds).unwrap();
    let mut parts = outer.children();
    let (body, _, signature) = (parts.read().unwrap(), parts.read().unwrap(), parts.read().unwrap());
    std::fs::write(read.join("body.der"), body.raw).unwrap();
    std::fs::write(read.join("signature.der"), &signature.value[1..]).unwrap();
    let (ok, said) = openssl(&read, &["x509", "-in", "csca.pem", "-pubkey", "-noout", "-out", "csca-key.pem"]);
    assert!(ok, "{said}");
    let (ok, said) =
        openssl(&read, &["dgst", "-sha384", "-verify", "csca-key.pem", "-signature", "signature.der", "body.der"]);
    assert!(ok, "{said}");
}
