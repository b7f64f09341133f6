//! What a line's fault means: its row in the table of constructs, its consequence, and the SDKs' error.

use super::Fault;
use crate::core::clients::Construct;

impl Fault {
    /// The row of the table of constructs.
    pub(super) fn construct(self) -> Construct {
        match self {
            Self::NoSection => Construct::NoSection,
            Self::HeaderWithoutEnd => Construct::HeaderWithoutEnd,
            Self::HeaderWithoutStart => Construct::HeaderWithoutStart,
            Self::NoEquals => Construct::NoEquals,
            Self::NoEqualsButColon => Construct::Colon,
            Self::NoName => Construct::NoName,
            Self::LooseContinuation => Construct::LooseContinuation,
            Self::NestedNoEquals => Construct::NestedNoEquals,
            Self::NestedNoName => Construct::NestedNoName,
            Self::NotUtf8 => Construct::NotUtf8,
            Self::HeaderNotUtf8 => Construct::HeaderNotUtf8,
            Self::CommentNotUtf8 => Construct::CommentNotUtf8,
            Self::HeaderEmpty => Construct::HeaderEmpty,
        }
    }

    /// The problem and its consequence.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::NoSection => "this line is above the first section header and is ignored",
            Self::HeaderWithoutEnd => "this section header has no \"]\", and the lines below it are ignored",
            Self::HeaderWithoutStart => {
                "this section header does not begin with \"[\", and the lines below it are ignored"
            }
            Self::NoEquals | Self::NoEqualsButColon => "this line has no \"=\" and is ignored",
            Self::NoName => "this line has no name before \"=\" and is ignored",
            Self::LooseContinuation => "this indented line has no \"=\" and no setting above it, and is ignored",
            Self::NestedNoEquals => "this nested line has no \"=\" and is ignored",
            Self::NestedNoName => "this nested line has no name before \"=\" and is ignored",
            Self::NotUtf8 => "this line is not UTF-8 text and is ignored: rewrite it, or save the file as UTF-8",
            Self::HeaderNotUtf8 => {
                "this section header is not UTF-8 text, and the lines below it are ignored: save the file as UTF-8"
            }
            Self::CommentNotUtf8 => "this comment is not UTF-8 text: save the file as UTF-8",
            Self::HeaderEmpty => "this section header has no name, and the lines below it are ignored",
        }
    }

    /// The error message of the SDKs that refuse the whole file.
    pub(super) fn specification(self) -> &'static str {
        match self {
            Self::NoSection => "Expected a profile definition",
            Self::HeaderWithoutEnd => "Profile definition must end with ']'",
            Self::NoEquals | Self::NoEqualsButColon | Self::HeaderWithoutStart => {
                "Expected an '=' sign defining a property"
            }
            Self::NoName => "Property did not have a name",
            Self::LooseContinuation => "Expected a property definition, found continuation",
            Self::NestedNoEquals => "Expected an '=' sign defining a sub-property",
            Self::NestedNoName => "Sub-property did not have a name",
            Self::NotUtf8 | Self::HeaderNotUtf8 | Self::CommentNotUtf8 | Self::HeaderEmpty => "",
        }
    }
}
