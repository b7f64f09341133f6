//! Decodes a text that a log, a form, a mail or a page encoded: each decoding is one more reading of the text.

/// Every decoding; each returns `None` if the text has no sign of it.
const DECODINGS: [fn(&str) -> Option<String>; 5] = [percent, quoted_printable, entities, escapes, without_prefixes];
/// Logs encode the JSON of other logs.
const MOST_LEVELS: usize = 3;

/// The decoded texts: with one decoding, and with others on top of it.
pub(super) fn decoded(text: &str) -> Vec<String> {
    let mut all: Vec<String> = DECODINGS.iter().filter_map(|decoding| decoding(text)).collect();
    let mut from = 0;
    for _ in 1..MOST_LEVELS {
        let more: Vec<String> = all
            .get(from..)
            .unwrap_or_default()
            .iter()
            .flat_map(|text| DECODINGS.iter().filter_map(move |decoding| decoding(text)))
            .filter(|text| !all.contains(text))
            .collect();
        from = all.len();
        all.extend(more);
    }
    all
}

/// Two hexadecimal digits at the beginning.
fn byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

/// Replaces `sign` with two digits behind it by a byte.
fn bytes(text: &str, sign: u8, blank: Option<u8>) -> String {
    let (mut bytes, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        match byte(rest).filter(|_| *first == sign) {
            Some(byte) => {
                out.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            None => out.push(if blank == Some(*first) { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encoding (RFC 3986, section 2.1), if the blanks are encoded: in forms, a blank is a plus sign.
fn percent(text: &str) -> Option<String> {
    const FEWEST: usize = 2;
    let has_blanks = text.matches("%20").take(FEWEST).count() == FEWEST;
    let plus = text.matches('+').count();
    let has_plus = || plus >= FEWEST && plus > text.matches(' ').count();
    (has_blanks || has_plus()).then(|| bytes(text, b'%', (!has_blanks).then_some(b'+')))
}

/// Quoted-printable (RFC 2045, section 6.7), if it encodes its sign or breaks a line.
fn quoted_printable(text: &str) -> Option<String> {
    (text.contains("=3D") || has_soft_break(text)).then(|| bytes(&text.replace("=\n", ""), b'=', None))
}

/// The text of a mail without the line breaks of quoted-printable: no other reading keeps them.
pub(super) fn without_soft_breaks(text: &str) -> Option<String> {
    if has_soft_break(text) { quoted_printable(text) } else { None }
}

/// A base64 text may end with the sign too, but no mail has lines of more than 76 characters.
fn has_soft_break(text: &str) -> bool {
    let is_broken = |line: &str| (70..=76).contains(&line.len()) && line.ends_with('=') && !line.ends_with("==");
    text.lines().any(is_broken) && text.lines().all(|line| line.len() <= 76)
}

/// The characters that a page can't have.
fn entities(text: &str) -> Option<String> {
    const ENTITIES: [(&str, &str); 10] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#x22;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let has_any = ENTITIES.iter().any(|(entity, _)| text.contains(entity));
    has_any.then(|| ENTITIES.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c)))
}

/// The escapes of strings in JSON, Python, YAML and logfmt.
fn escapes(text: &str) -> Option<String> {
    if !["\\\"", "\\'", "\\n", "\\t", "\\u00", "\\\\"].iter().any(|escape| text.contains(escape)) {
        return None;
    }
    let (mut rest, mut out) = (text, String::with_capacity(text.len()));
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.strip_prefix("u00").and_then(|digits| byte(digits.as_bytes()));
        let (c, length) = match (after.chars().next(), code) {
            (_, Some(code)) => (char::from(code), 5),
            (Some('n' | 'r'), _) => ('\n', 1),
            (Some('t'), _) => ('\t', 1),
            (Some(c @ ('"' | '\'' | '\\' | '/')), _) => (c, 1),
            _ => ('\\', 0),
        };
        out.push(c);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Some(out)
}

/// The lines of a log without the time, host and stream before them.
fn without_prefixes(text: &str) -> Option<String> {
    let mut lines: Vec<&str> = Vec::new();
    let mut are_cut = 0;
    for line in text.lines() {
        let rest = without_prefix(line);
        are_cut += usize::from(rest.len() < line.len());
        lines.push(rest);
    }
    (are_cut > 1).then(|| lines.join("\n"))
}

/// `2026-11-30T12:00:00.1Z stdout F `, `[2026-11-30 12:00:00,1] `, `Nov 30 12:00:00 host unit[7]: `.
fn without_prefix(line: &str) -> &str {
    let is_time = |word: &str| {
        let word = word.trim_matches(['[', ']', ',']);
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        digits >= 4
            && word.contains([':', '-'])
            && word.bytes().all(|byte| byte.is_ascii_digit() || b":-.,TZ+/".contains(&byte))
    };
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    if is_time(first) {
        let rest = rest.split_once(' ').filter(|(second, _)| is_time(second)).map_or(rest, |(_, rest)| rest);
        let streams = ["stdout F ", "stderr F ", "stdout P ", "stderr P "];
        return streams.iter().find_map(|stream| rest.strip_prefix(stream)).unwrap_or(rest);
    }
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let of_journal = || {
        let rest = rest.trim_start().split_once(' ')?.1;
        let (time, rest) = rest.split_once(' ').filter(|(time, _)| is_time(time))?;
        let (unit, rest) = rest.split_once(": ")?;
        (!time.is_empty() && unit.len() < 80).then_some(rest)
    };
    MONTHS.contains(&first).then(of_journal).flatten().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_undone() {
        let said = "Error: \"a b\"\nc";
        let long = "x".repeat(70);
        let soft = format!("{long}=\n{said}");
        for (encoded, expected) in [
            ("Error%3A%20%22a%20b%22%0Ac%20", format!("{said} ")),
            ("Error%3A+%22a+b%22%0Ac+", format!("{said} ")),
            ("Error: =22a b=22=0Ac=3D", format!("{said}=")),
            (soft.as_str(), format!("{long}{said}")),
            ("Error: &quot;a b&quot;\nc", said.to_owned()),
            ("Error: \\u0022a b\\\"\\nc", said.to_owned()),
            ("2026-11-30T12:00:00Z stderr F Error: \"a b\"\n2026-11-30T12:00:00Z stderr F c", said.to_owned()),
            ("[2026-11-30 12:00:00,123] Error: \"a b\"\n[2026-11-30 12:00:00,124] c", said.to_owned()),
            ("Nov 30 12:00:00 host app[12]: Error: \"a b\"\nNov  1 12:00:00 host app[12]: c", said.to_owned()),
        ] {
            assert!(decoded(encoded).contains(&expected), "{encoded}: {:?}", decoded(encoded));
        }
        let twice = serde_json::json!(serde_json::json!(said).to_string()).to_string();
        assert!(decoded(&twice).iter().any(|text| text.contains(said)), "{twice}");
        for plain in ["1 + 1 = 2", "a\nb", "C:\\Users\\me"] {
            let other = decoded(plain).into_iter().filter(|text| text != &plain.replace("\\\\", "\\"));
            assert_eq!(other.collect::<Vec<_>>(), Vec::<String>::new());
        }
    }
}
