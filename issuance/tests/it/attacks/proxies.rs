//! Behind a proxy: the caller's address is the one that a trusted proxy names, and no other's word counts.

use issuance::server::Network;

use super::wire::Target;
use crate::house::House;

async fn house(trusted: &str) -> (House, Target) {
    let trusted: Network = trusted.parse().unwrap();
    let house = House::open_with(|settings| settings.trusted_proxies = vec![trusted]).await;
    let target = Target::new(house.service.address(), &house.folder.path().join("data"));
    (house, target)
}

/// Locks the name for the callers of `before` and `more`. Returns the status of a guess by the callers of `other`.
async fn after_a_lock(target: &Target, from: &str, one: (&[u8], &str), other: (&[u8], &str), name: &str) -> u16 {
    let mut last = 0;
    for _ in 0..6 {
        last = target.guesses(from, one.0, one.1, name).await.0;
    }
    assert_eq!(last, 429, "the sixth guess from one place");
    target.guesses(from, other.0, other.1, name).await.0
}

#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_told_apart_by_the_proxy_protocol() {
    let (house, target) = house("127.0.0.1").await;
    let one = b"PROXY TCP4 192.0.2.1 198.51.100.1 1 443\r\n";
    let other = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x02\xc6\x33\x64\x01\0\x01\x01\xbb";
    assert_eq!(after_a_lock(&target, "127.0.0.1", (one, ""), (other, ""), "a").await, 401);
    // What the caller itself says in Forwarded counts for nothing on such a connection.
    let lies = "\r\nForwarded: for=203.0.113.9";
    assert_eq!(target.guesses("127.0.0.1", one, lies, "a").await.0, 429);
    assert!(target.connect("127.0.0.1", b"PROXY TCP4 nonsense\r\n", b"http/1.1").await.is_err());
    assert!(target.connect("127.0.0.2", one, b"http/1.1").await.is_err(), "an untrusted address announces nothing");
    house.service.stop().await;
}

#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_told_apart_by_forwarded() {
    let (house, target) = house("127.0.0.1").await;
    let (one, other) = ("\r\nForwarded: for=192.0.2.1", "\r\nForwarded: for=192.0.2.2");
    assert_eq!(after_a_lock(&target, "127.0.0.1", (b"", one), (b"", other), "a").await, 401);
    let invented = "\r\nForwarded: for=203.0.113.9, for=192.0.2.1";
    assert_eq!(target.guesses("127.0.0.1", b"", invented, "a").await.0, 429, "the proxy's own word stands last");
    assert_eq!(after_a_lock(&target, "127.0.0.2", (b"", one), (b"", other), "b").await, 429, "an untrusted address");
    house.service.stop().await;
}
