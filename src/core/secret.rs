//! A string that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A secret: its bytes are zeroed when it is dropped, and neither `Debug` nor `Display` shows them.
///
/// There is no `Serialize`: where a secret has to leave the program, the code says [`Secret::expose`], so that every
/// such place can be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a string into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The bytes themselves, for the places whose job is to hand them on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_show_the_secret() {
        assert!(!format!("{:?}", Secret::new("wJalrXUtnFEMI")).contains("wJal"));
    }
}
