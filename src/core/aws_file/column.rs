//! The column of a problem in a line.

use super::{Document, is_blank};

impl Document<'_> {
    /// The column of a line's content, from 1, in characters: its first invalid UTF-8 byte, or else its first
    /// character that is not a blank.
    pub fn column(&self, line: u32) -> usize {
        let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(bytes) = self.lines().get(at).and_then(|line| self.bytes().get(line.bytes.clone())) else { return 1 };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => &text[..text.find(|c| !is_blank(c) && c != '\u{feff}').unwrap_or(0)],
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        text.chars().filter(|c| *c != '\u{feff}').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_that_of_the_first_character_or_of_the_first_bad_byte() {
        let document = Document::parse(b"\xef\xbb\xbf[a]\n  x\n\xc2\xa0\ty = 1\n\n\xc3\xa9 = \xff\n");
        let columns: Vec<usize> = (0..8).map(|line| document.column(line)).collect();
        assert_eq!(columns, [1, 1, 3, 3, 1, 5, 1, 1]);
    }
}
