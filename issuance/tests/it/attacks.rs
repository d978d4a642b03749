//! What a stranger can do to the service, and what others notice of it: over real TLS on the loopback interface; floods
//! against the real program in a process of its own.

mod flood;
mod limits;
mod proxies;
mod sign_in;
mod storage;
mod wire;

pub use wire::Target;
