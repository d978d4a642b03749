use std::io::BufReader;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::ground::Randomness;

fn opened(identities: &[Identity], file: &[u8]) -> Result<Vec<u8>, AgeError> {
    let mut plain = Vec::new();
    Decryptor::new(identities, BufReader::new(file))?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn sealed(recipients: &[Recipient], plain: &[u8]) -> Vec<u8> {
    let mut encryptor = Encryptor::new(recipients, Vec::new(), &mut Randomness::seeded(3).draw()).unwrap();
    encryptor.write_all(plain).unwrap();
    encryptor.finish().unwrap()
}

#[test]
fn every_vector_of_the_format_is_judged_as_its_authors_say() {
    let text = include_str!("../../../tests/data/age-vectors.txt");
    let mut judged = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [name, expected, payload, identities, file] = line.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let identities: Vec<Identity> =
            identities.split(',').filter(|text| *text != "-").map(|text| text.parse().unwrap()).collect();
        let result = opened(&identities, &hex::decode(file.trim_matches('-')).unwrap());
        let said = match &result {
            Ok(plain) if payload == "-" || hex::encode(Sha256::digest(plain)) == payload => "success",
            Ok(_) => "another payload",
            Err(AgeError::Header) => "header-failure",
            Err(AgeError::NoMatch) => "no-match",
            Err(AgeError::Io(_)) => "payload-failure",
        };
        // Ours does not tell a header with a false MAC, or without its nonce, from other broken ones.
        let expected = if expected == "HMAC-failure" { "header-failure" } else { expected };
        let same = said == expected || (expected == "header-failure" && said == "payload-failure");
        assert!(same, "{name}: {said}, expected {expected}");
        judged += 1;
    }
    assert!(judged > 40, "{judged} vectors");
}

#[test]
fn what_is_sealed_opens_for_each_recipient_and_no_other() {
    let rng = &mut Randomness::seeded(5).draw();
    let [one, two, other] = [(); 3].map(|()| Identity::generate(rng));
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let plain: Vec<u8> = (0..=250).cycle().take(length).collect();
        let file = sealed(&[one.recipient(), two.recipient()], &plain);
        for identity in [&one, &two] {
            assert!(opened(std::slice::from_ref(identity), &file).unwrap() == plain, "{length}");
        }
        assert!(matches!(opened(std::slice::from_ref(&other), &file), Err(AgeError::NoMatch)));
        // Cut anywhere, it does not end well: at the edge of each chunk too.
        for cut in [file.len() - 1, file.len() - TAG, file.len().saturating_sub(CHUNK + TAG), 200, 10] {
            assert!(cut >= file.len() || opened(std::slice::from_ref(&one), &file[..cut]).is_err(), "{length}: {cut}");
        }
    }
}

#[test]
fn keys_have_one_spelling() {
    let rng = &mut Randomness::seeded(5).draw();
    let identity = Identity::generate(rng);
    let recipient = identity.recipient().to_string();
    assert!(recipient.starts_with("age1") && recipient.len() == 62, "{recipient}");
    assert_eq!(recipient.parse::<Recipient>().unwrap(), identity.recipient());
    assert_eq!(identity.reveal().parse::<Identity>().unwrap().recipient(), identity.recipient());
    for at in 0..recipient.len() {
        let mut other = recipient.clone().into_bytes();
        other[at] = if other[at] == b'q' { b'p' } else { b'q' };
        assert!(String::from_utf8(other).unwrap().parse::<Recipient>().is_err(), "digit {at}");
    }
    assert!(recipient.to_uppercase().parse::<Recipient>().is_err());
    assert!(identity.reveal().parse::<Recipient>().is_err() && recipient.parse::<Identity>().is_err());
    let file = format!("# created: today\n# public key: {recipient}\n{}\n", &*identity.reveal());
    assert_eq!(Identity::read_all(&file).unwrap()[0].recipient(), identity.recipient());
    assert!(Identity::read_all("# nothing\n").is_err());
}

/// A file on a full disk: it takes so many bytes and no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(std::io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_written_after_a_full_disk_is_refused() {
    use std::io::Write as _;
    let rng = &mut crate::ground::Randomness::seeded(3).draw();
    let recipient = Identity::generate(rng).recipient();
    let mut encryptor = Encryptor::new(&[recipient], Full(1000), rng).unwrap();
    let failed = encryptor.write_all(&vec![0; 200_000]).unwrap_err();
    assert_eq!(failed.kind(), std::io::ErrorKind::StorageFull);
    // As tar does when it is dropped.
    assert!(encryptor.write_all(&[0; 1024]).is_err() && encryptor.finish().is_err());
}
