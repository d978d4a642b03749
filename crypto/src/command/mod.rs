//! Card commands, one file each, both directions: the terminal turns the value into a command, the chip reads it back.

pub mod external_authenticate;
pub mod general_authenticate;
pub mod generate_key_pair;
pub mod get_challenge;
pub mod get_data;
pub mod gp_external_authenticate;
pub mod initialize_update;
pub mod internal_authenticate;
pub mod mse;
pub mod put_key;
pub mod read_binary;
pub mod select;
pub mod set_status;
pub mod store_data;
