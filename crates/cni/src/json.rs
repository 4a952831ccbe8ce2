//! A JSON reader that checks the whole text (RFC 8259) and keeps only the members of the outermost object.
//!
//! The configuration travels to the daemon byte for byte, so nothing here builds a tree. What passes this reader also passes
//! `JSON.parse` in the daemon: a difference would turn a decoding error into a lost answer that is sent again for ten seconds.

use std::borrow::Cow;

/// Deepest nesting accepted; a plugin configuration with a `prevResult` needs about six levels.
pub const MAX_DEPTH: usize = 128;

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte offset into the text.
    pub offset: usize,
    /// What the reader wanted there.
    pub expected: &'static str,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.offset)
    }
}

/// A value, as far as this program cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string with its escapes resolved.
    String(Cow<'a, str>),
    /// `null`.
    Null,
    /// Any object.
    Object,
    /// Any array.
    Array,
    /// A number, `true` or `false`.
    Scalar,
}

/// Members of the outermost object in their order; `None` if the text is valid JSON but no object.
pub type Members<'a> = Option<Vec<(Cow<'a, str>, Value<'a>)>>;

/// Reads one JSON text that fills `text` but for white space around it.
pub fn read(text: &str) -> Result<Members<'_>, SyntaxError> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let members = if reader.peek() == Some(b'{') {
        let mut members = Vec::new();
        reader.object(1, &mut |key, value| members.push((key, value)))?;
        Some(members)
    } else {
        reader.value(1)?;
        None
    };
    reader.space();
    if reader.at == text.len() {
        Ok(members)
    } else {
        Err(reader.error("end of text"))
    }
}

/// Appends `value` to `out` as a JSON string.
pub fn push_string(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError {
            offset: self.at,
            expected,
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Recursion is bounded by [`MAX_DEPTH`], so a text of a million brackets cannot exhaust the stack.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error("at most 128 levels of nesting"));
        }
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.object(depth, &mut |_, _| ()).map(|()| Value::Object),
            Some(b'[') => self.array(depth).map(|()| Value::Array),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            Some(b't') => self.word("true").map(|()| Value::Scalar),
            Some(b'f') => self.word("false").map(|()| Value::Scalar),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Value::Scalar),
            _ => Err(self.error("a value")),
        }
    }

    fn object(&mut self, depth: usize, member: &mut dyn FnMut(Cow<'a, str>, Value<'a>)) -> Result<(), SyntaxError> {
        self.want(b'{', "an object")?;
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.want(b':', "a colon")?;
            self.space();
            let value = self.value(depth + 1)?;
            member(key, value);
            self.space();
            if self.take(b'}') {
                return Ok(());
            }
            self.want(b',', "a comma or the object's end")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.want(b'[', "an array")?;
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth + 1)?;
            self.space();
            if self.take(b']') {
                return Ok(());
            }
            self.want(b',', "a comma or the array's end")?;
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), SyntaxError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error(word));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.error("a digit")) }
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        self.want(b'"', "a string")?;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut plain = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let tail = self.text.get(plain..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(tail),
                        Some(mut text) => {
                            text.push_str(tail);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(self.text.get(plain..self.at).unwrap_or_default());
                    self.at += 1;
                    let c = self.escape()?;
                    owned.get_or_insert_default().push(c);
                    plain = self.at;
                }
                Some(0..=0x1f) => return Err(self.error("no raw control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("the string's end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error("an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    /// A lone surrogate becomes U+FFFD: `JSON.parse` lets it pass, so refusing it here would only make the two differ.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let high = self.hex4()?;
        let follows = self.text.as_bytes().get(self.at..self.at + 2) == Some(b"\\u");
        if (0xd800..0xdc00).contains(&high) && follows {
            let back = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|c| char::from(c).to_digit(16))
                .ok_or(self.error("four hexadecimal digits"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
#[path = "json_test.rs"]
mod tests;
