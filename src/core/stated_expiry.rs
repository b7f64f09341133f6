//! stated_expiry
