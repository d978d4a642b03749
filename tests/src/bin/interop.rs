//! Runs readers that we did not write against our chip, and compares what they saw.
fn main() {}
