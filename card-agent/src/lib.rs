//! card-agent
