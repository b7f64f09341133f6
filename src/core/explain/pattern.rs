//! A code or a sentence that `explain` recognises.

/// A pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The words in the text; a blank matches any white space.
    pub(super) text: &'static str,
    /// The code that is shown.
    pub(super) code: &'static str,
    /// The code of `core::aws_error` with its meaning.
    pub(super) means: &'static str,
    /// How it is read.
    pub(super) kind: Kind,
    /// The pattern counts only near one of these words; if there are none, it counts anywhere.
    pub(super) beside: &'static [&'static str],
}

/// How a place in a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A code that only AWS uses.
    Code,
    /// A code that others use too: it counts beside words that only AWS and its SDKs use.
    CommonCode,
    /// AWS's message: counts if there is no code near it.
    Message,
    /// A sentence or an exception of an SDK that names the exact problem.
    Exact,
    /// The same in words that others use too: it counts beside words that only AWS and its SDKs use.
    Common,
    /// A sentence that only says that nothing was found or that something failed.
    General,
}

impl Kind {
    /// Whether it is AWS's own answer, not the error of an SDK.
    pub(super) fn is_of_aws(self) -> bool {
        matches!(self, Self::Code | Self::CommonCode | Self::Message)
    }
}
