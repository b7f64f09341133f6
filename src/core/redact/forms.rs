//! Recognises secrets by their form alone.

/// Whether it has the form of an access key id. AWS logs these ids (CloudTrail), and users identify keys by them.
pub fn is_access_key_id(word: &str) -> bool {
    (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && (16..=32).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// The alphabet of keys and tokens: base64 and base64url.
pub(super) fn is_of_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '=' | '_' | '-' | '%')
}

/// Whether a word contains a secret. Names in an ARN are long too, but have underscores and dashes, unlike keys and
/// tokens.
pub fn holds_secret(word: &str, is_arn: bool) -> bool {
    let separates = |c: char| if is_arn { !(c.is_ascii_alphanumeric() || c == '+') } else { !is_of_secret(c) };
    word.split(separates).any(looks_secret)
}

/// Known prefixes of tokens, each with the minimum length of the rest.
const PREFIXES: [(&str, usize); 44] = [
    // AWS: tokens of STS (today's and older ones), of IAM Identity Center, of Bedrock.
    ("IQoJ", 8),
    ("FwoG", 12),
    ("FQoG", 12),
    ("aoaAAAA", 4),
    ("aorAAAA", 4),
    ("ABSK", 16),
    ("bedrock-api-key-", 4),
    // JSON web tokens, and JSON in base64.
    ("eyJ", 13),
    ("ewog", 16),
    // GitHub.
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    // GitLab.
    ("glpat-", 8),
    ("gldt-", 8),
    ("glrt-", 8),
    ("glptt-", 8),
    ("glcbt-", 8),
    // Slack.
    ("xoxa-", 6),
    ("xoxb-", 6),
    ("xoxc-", 6),
    ("xoxd-", 6),
    ("xoxe-", 6),
    ("xoxp-", 6),
    ("xoxr-", 6),
    ("xoxs-", 6),
    ("xapp-", 6),
    // Stripe, Google, npm, PyPI, DigitalOcean, Shopify, Vault, 1Password, Databricks, Atlassian, age.
    ("sk_live_", 6),
    ("sk_test_", 6),
    ("rk_live_", 6),
    ("AIza", 16),
    ("ya29.", 8),
    ("GOCSPX-", 8),
    ("npm_", 16),
    ("pypi-", 16),
    ("dop_v1_", 8),
    ("shpat_", 8),
    ("hvs.", 8),
    ("hvb.", 8),
    ("ops_ey", 8),
    ("ATATT3x", 8),
    ("AGE-SECRET-KEY-", 8),
];

/// Whether a run of base64 letters is a key or a token. A request id is shorter, or has dashes.
pub(super) fn looks_secret(run: &str) -> bool {
    let mix = Mix::of(run);
    let has_separators = run.trim_end_matches('=').contains(['/', '-', '_', '=', '%']);
    // Paths and names with dashes are words; in a secret the kind of letter changes at random.
    let is_wordy = has_separators && mix.changes * 5 < run.len();
    let is_mixed = mix.has_upper && mix.has_lower;
    run.len() >= 100
        // Other vendors' secrets have 40 or 64 hexadecimal digits. The names of cache files do too, but are part of a
        // path.
        || (run.len() >= 40 && mix.is_hex)
        || (run.len() >= 40 && !has_separators)
        || (run.len() >= 32 && is_mixed && !is_wordy && (mix.has_digit || run.contains('+')))
        || (run.len() >= 20 && is_mixed && mix.has_digit && !run.contains('/') && mix.changes * 5 >= run.len() * 2)
        || (run.len() >= 38 && is_mixed && mix.changes * 3 >= run.len())
        || begins_as_token(run)
}

/// Whether a run of letters without separators is random: many hexadecimal digits, or short runs of small letters between
/// capital letters and digits, unlike the words of a name.
pub(super) fn is_random(run: &str) -> bool {
    let mix = Mix::of(run);
    run.len() >= 40 && mix.is_hex
        || run.len() >= 20 && (mix.has_digit || run.contains('+')) && has_short_runs(run, &mix)
}

/// Whether capital letters interrupt the small ones more often than in words.
pub(super) fn has_short_runs(run: &str, mix: &Mix) -> bool {
    let small_runs = run.split(|c: char| !c.is_ascii_lowercase()).filter(|run| !run.is_empty()).count();
    let small = run.bytes().filter(u8::is_ascii_lowercase).count();
    mix.has_upper && mix.has_lower && small <= small_runs.saturating_mul(3)
}

/// Whether a text has a run of letters that may be part of a key or a token.
pub fn may_be_part_of_secret(text: &str) -> bool {
    const SHORTEST: usize = 8;
    let runs = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+'));
    runs.filter(|run| run.len() >= SHORTEST).any(|run| {
        let mix = Mix::of(run);
        mix.has_upper && mix.has_lower && mix.has_digit || has_short_runs(run, &mix)
    })
}

/// Whether a word begins with a known prefix of a token.
pub(super) fn begins_as_token(word: &str) -> bool {
    let has_prefix = |(prefix, more): &(&str, usize)| {
        word.strip_prefix(prefix)
            .is_some_and(|rest| rest.chars().take_while(|c| is_of_secret(*c) || *c == '.').count() >= *more)
    };
    // "sk-" begins other names too.
    let is_sk = word.strip_prefix("sk-").is_some_and(|rest| {
        rest.len() >= 16 && rest.bytes().any(|byte| byte.is_ascii_digit()) && rest.bytes().all(|b| b.is_ascii_graphic())
    });
    is_sk || PREFIXES.iter().any(has_prefix)
}

/// The kinds of letters in a run.
pub(super) struct Mix {
    pub(super) has_upper: bool,
    pub(super) has_lower: bool,
    pub(super) has_digit: bool,
    is_hex: bool,
    /// How often the kind of letter changes between neighbours.
    pub(super) changes: usize,
}

impl Mix {
    pub(super) fn of(run: &str) -> Self {
        let kind = |byte: u8| match byte {
            b'A'..=b'Z' => 0,
            b'a'..=b'z' => 1,
            b'0'..=b'9' => 2,
            _ => 3,
        };
        let has = |wanted: u8| run.bytes().any(|byte| kind(byte) == wanted);
        let changes = |two: &[u8]| matches!(two, [a, b] if kind(*a) != kind(*b) && kind(*a) != 3 && kind(*b) != 3);
        let changes = run.as_bytes().windows(2).filter(|two| changes(two)).count();
        Self {
            has_upper: has(0),
            has_lower: has(1),
            has_digit: has(2),
            is_hex: run.bytes().all(|byte| byte.is_ascii_hexdigit()),
            changes,
        }
    }
}
