//! One table: how each client reads the constructs of the AWS files that clients read differently.
//!
//! The problems of a file, the doctor's findings and `docs/reading-aws-files.md` read this table. Each row has an example, with which
//! it is tested: botocore and JavaScript in `tests/clients/test_reading_files.py`, Rust in `tests/it/reading_in_rust.rs`. Go was tried
//! by hand (1.17.10). Java is as its source reads (`ProfileFileReader.java`).

use super::client::{Reading, labels};
use Reading::{Alike as A, Otherwise as O, Refused as R};

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// Its name in tests and documents.
    pub id: &'static str,
    /// The construct.
    pub what: &'static str,
    /// How evercred reads it.
    pub evercred: &'static str,
    /// An example: a config file and a credentials file.
    pub example: [&'static [u8]; 2],
    /// The readings in the order of [`super::Client::ALL`].
    pub readings: [Reading; 5],
}

macro_rules! constructs {
    ($($name:ident $id:literal: $what:literal, $evercred:literal, $config:literal $credentials:literal, [$($reading:ident)*];)*) => {
        /// A construct of the AWS files that clients read differently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is described in its row")]
        pub enum Construct { $($name),* }

        impl Construct {
            /// All constructs.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its row.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => {
                        const ROW: &Row = &Row {
                            id: $id, what: $what, evercred: $evercred, example: [$config, $credentials],
                            readings: [$($reading),*],
                        };
                        ROW
                    })*
                }
            }
        }
    };
}

constructs! {
    // Lines for which some client refuses the whole file.
    NoSection "no-section": "text above the first section", "ignores the line",
        b"region = lost\n[profile a]\nregion = x\n" b"", [R A A R R];
    HeaderWithoutEnd "header-without-end": "`[name` without `]`", "ignores the line and those below it, up to the next header",
        b"[profile b]\nregion = y\n[profile a\nregion = x\n" b"", [R O R R R];
    HeaderWithoutStart "header-without-start": "`profile name]`", "ignores the line and those below it, up to the next header",
        b"[profile b]\nregion = y\nprofile a]\nregion = x\n" b"", [R O R R R];
    HeaderEmpty "header-empty": "`[]`", "ignores the line and those below it, up to the next header",
        b"[profile b]\nregion = y\n[]\nregion = x\n" b"", [R A R A A];
    NoEquals "no-equals": "a line without `=` and `:`", "ignores the line",
        b"[profile a]\noutput\nregion = x\n" b"", [R A A R R];
    NoName "no-name": "nothing before `=`", "ignores the line",
        b"[profile a]\n= y\nregion = x\n" b"", [R A R R R];
    Colon "colon": "`key: value`", "reads it",
        b"[profile a]\nregion: x\n" b"", [A O A R R];
    LooseContinuation "loose-continuation": "an indented line without `=` below a header", "ignores the line",
        b"[profile a]\n  note\nregion = x\n" b"", [R A A R R];
    NestedNoEquals "nested-without-equals": "a nested line without `=`", "ignores the line",
        b"[profile a]\ns3 =\n  note\nregion = x\n" b"", [R A A R R];
    NestedNoName "nested-without-name": "a nested line with nothing before `=`", "ignores the line",
        b"[profile a]\ns3 =\n  = note\nregion = x\n" b"", [O A A R R];
    NotUtf8 "not-utf8": "a setting that is not UTF-8", "ignores the line",
        b"[profile a]\nregion = \xff\n" b"", [R O O O R];
    CommentNotUtf8 "comment-not-utf8": "a comment that is not UTF-8", "reads the other lines",
        b"# \xff\n[profile a]\nregion = x\n" b"", [R A A A R];
    HeaderNotUtf8 "header-not-utf8": "a header that is not UTF-8", "ignores the line and those below it, up to the next header",
        b"[profile b]\nregion = y\n[profile \xff]\nregion = x\n" b"", [R A A A R];
    ByteOrderMark "byte-order-mark": "a byte order mark", "ignores it",
        b"\xef\xbb\xbf[profile a]\nregion = x\n" b"", [R A R R R];
    SectionTwice "section-twice": "a section twice", "merges both; the later value of a setting applies",
        b"[profile a]\nregion = x\n[profile a]\noutput = json\n" b"", [R A A A A];
    SettingTwice "setting-twice": "a setting twice", "uses the later one",
        b"[profile a]\nregion = y\nregion = x\n" b"", [R A A A A];
    TextBehindHeader "text-behind-header": "`[profile b] text`", "ignores the text",
        b"[profile a] note\nregion = x\n" b"", [A O A R R];
    IndentedSetting "indented-setting": "an indented setting directly below a header", "reads it",
        b"[profile a]\n  region = x\n" b"", [A A A R R];
    SameIndent "nested-at-same-indent": "a setting at the same indentation below an empty one", "reads both as settings",
        b"[profile a]\n  s3 =\n  region = x\n" b"", [A O O R R];
    // Lines that some client reads otherwise.
    IndentedComment "indented-comment": "an indented comment below a setting", "a comment",
        b"[profile a]\nregion = x\n  # note\n" b"", [A A A O O];
    CommentBehindValue "inline-comment": "` # comment` after a value", "removes the comment",
        b"[profile a]\nregion = x # note\n" b"", [O A A A A];
    CommentSignInCommand "comment-sign-in-command": "` #` or ` ;` inside quotes of `credential_process`", "part of the command",
        b"[profile a]\ncredential_process = sh -c 'a ; b'\n" b"", [A O O O O];
    CommentBehindHeader "comment-behind-header": "`[profile b];comment`", "removes the comment",
        b"[profile a];note\nregion = x\n" b"", [A O A A A];
    BracketInComment "bracket-in-comment": "`[profile b] # [x]`", "removes the comment",
        b"[profile a] # [b]\nregion = x\n" b"", [O A A A A];
    SettingBelowValue "setting-below-value": "an indented setting below a value", "reads a setting",
        b"[profile a]\noutput = json\n  region = x\n" b"", [O A A O O];
    HeaderBelowValue "header-below-value": "an indented header below a value", "reads a header",
        b"[profile b]\noutput = json\n  [profile a]\nregion = x\n" b"", [O A A O O];
    Continuation "continuation": "an indented line that continues a value", "adds it to the value",
        b"[profile a]\nregion = x\n  y\n" b"", [A O O A A];
    BlankLineInValue "blank-line-in-value": "a blank line in such a value", "ignores the blank line",
        b"[profile a]\nregion = x\n\n  y\n" b"", [O O O A A];
    DefaultTwice "default-twice": "`[profile default]` above `[default]`", "ignores `[default]`",
        b"[profile default]\nregion = x\n[default]\nregion = y\n" b"", [O A A A A];
    Defaults "default-in-capitals": "`[DEFAULT]`", "its settings apply to every section; in the credentials file it is a profile too",
        b"[DEFAULT]\nregion = x\n[profile a]\noutput = json\n" b"", [A O O O O];
    KindInCredentials "kind-in-credentials": "`[profile x]` or `[sso-session x]` in the credentials file", "ignores the section",
        b"" b"[profile a]\nregion = x\n", [O O A A A];
    NameWithBlank "name-with-blank": "`[a b]` in the credentials file", "ignores the section",
        b"" b"[a b]\nregion = x\n", [O A O A A];
    NameWithExclamationMark "name-with-exclamation-mark": "`[profile a!x]` without quotes", "ignores the section",
        b"[profile a!x]\nregion = x\n" b"", [O A O A A];
    QuotedName "quoted-name": "`[profile 'a b']`", "removes the quotes",
        b"[profile 'a b']\nregion = x\n" b"", [A O O O O];
    NonAsciiName "non-ascii-name": "a name with non-ASCII letters", "reads it",
        b"[profile \xc3\xa9]\nregion = x\n" b"", [A O A O O];
    BlankBeforeKind "blank-before-kind": "`[ profile b]`", "reads it",
        b"[ profile a]\nregion = x\n" b"", [O O A A A];
    BlankAroundName "blank-around-name": "`[ x ]` in the credentials file", "removes the blanks",
        b"" b"[ a ]\nregion = x\n", [O O A A A];
    UnicodeBlankInHeader "unicode-blank-in-header": "a no-break space in a header", "a blank",
        b"[profile\xc2\xa0a]\nregion = x\n" b"", [O A O O O];
    UnicodeBlankAroundValue "unicode-blank-around-value": "a no-break space around a value", "a blank",
        b"[profile a]\nregion = x\xc2\xa0\n" b"", [A A O O O];
    SectionSpeltTwice "section-spelt-twice": "`[profile a]` and `[profile  a]`", "merges both",
        b"[profile a]\nregion = x\n[profile  a]\noutput = json\n" b"", [O O A A A];
    CapitalKey "capital-key": "`Region` instead of `region`", "the same setting",
        b"[profile a]\nRegion = x\n" b"", [A O A O A];
    BlankInKey "odd-key": "a setting with a blank in its name", "ignores the line",
        b"[profile a]\nmy key = x\n" b"", [O O A A A];
    LaterEmptyValue "later-empty-value": "a setting in the config file, and without a value in the credentials file", "uses the empty value",
        b"[profile a]\nregion = x\n" b"[a]\nregion =\n", [A O O A A];
}

impl Construct {
    /// The clients with this reading.
    pub fn clients(self, reading: Reading) -> Vec<&'static str> {
        labels(self.row().readings, reading)
    }

    /// Which clients refuse the whole file, as a sentence without its end; `None` if no client does.
    pub fn refusal(self) -> Option<String> {
        let clients = self.clients(R);
        (!clients.is_empty()).then(|| format!("{} refuse the whole file", clients.join(", ")))
    }
}
