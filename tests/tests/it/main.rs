//! The tests that need several crates at once. Each module reads like a procedure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod bad_input;
mod bench;
mod by_hand;
mod citizen_log_in;
mod command_lines;
mod crashes;
mod day;
mod documents;
mod factory;
mod golden_house;
mod hostile_station;
mod inspection_bench;
mod inspection_reading;
mod inspection_station;
mod interruptions;
mod issuing;
mod junit;
mod kiosk_page;
mod openssl;
mod orders;
mod pictures;
mod power_cuts;
mod readers;
mod reconcile;
mod reload;
mod renewal;
mod roll_over;
mod station_and_kiosk;
mod test_cards;
