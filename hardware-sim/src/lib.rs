//! hardware-sim
