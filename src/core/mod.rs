//! The pure core: decides, and touches nothing. No files, no sockets, no clock, no randomness that is not handed in.

pub mod aws_error;
pub mod aws_file;
pub mod clock;
pub mod credential;
pub mod http_date;
pub mod inputs;
pub mod keeper;
pub mod location;
pub mod nearest;
pub mod notices;
pub mod ntp;
pub mod plan;
pub mod process_output;
pub mod profile;
pub mod profiles_document;
pub mod saved;
pub mod secret;
pub mod service;
pub mod session;
pub mod settings;
pub mod stated_expiry;
pub mod time;
pub mod timekeeping;
pub mod web_identity;
