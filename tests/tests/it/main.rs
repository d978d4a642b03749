//! The tests that need everybody. Each module reads like a procedure.

mod architecture;
