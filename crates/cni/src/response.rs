//! An HTTP/1.1 response, accepted only when it is complete: a short answer is a lost answer.

use std::io::{self, Read};

/// Longest response accepted, in bytes.
const MAX_RESPONSE: usize = 4 << 20;

/// A complete response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Body with the transfer coding removed.
    pub body: Vec<u8>,
}

/// Why no complete response came.
#[derive(Debug)]
pub enum Lost {
    /// The connection failed.
    Io(io::Error),
    /// The connection ended after this many bytes of an incomplete response.
    Short(usize),
    /// The bytes are no response that this program understands.
    Malformed(&'static str),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Short(0) => f.write_str("connection closed without an answer"),
            Self::Short(bytes) => write!(f, "connection closed in the middle of the answer, after {bytes} bytes"),
            Self::Malformed(what) => write!(f, "unreadable answer: {what}"),
        }
    }
}

/// Reads from `source` until one response is complete.
///
/// # Errors
/// [`Lost`] for everything else, also for a body whose end only the end of the connection would tell: such a body cannot be
/// told from a short one.
pub fn receive(source: &mut dyn Read) -> Result<Response, Lost> {
    let mut bytes = Vec::with_capacity(4096);
    let mut block = [0_u8; 4096];
    loop {
        if let Some(response) = parse(&bytes)? {
            return Ok(response);
        }
        if bytes.len() > MAX_RESPONSE {
            return Err(Lost::Malformed("too long"));
        }
        match source.read(&mut block) {
            Ok(0) => return Err(Lost::Short(bytes.len())),
            Ok(count) => bytes.extend_from_slice(block.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Lost::Io(error)),
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// `None`: what is there is a legal beginning.
fn parse(bytes: &[u8]) -> Result<Option<Response>, Lost> {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, rest) = bytes.split_at(head_end);
    let head = std::str::from_utf8(head).map_err(|_| Lost::Malformed("headers are not UTF-8"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3)?.parse::<u16>().ok())
        .ok_or(Lost::Malformed("no HTTP/1.1 status line"))?;
    let body = rest.get(4..).unwrap_or_default();
    let body = match framing(lines)? {
        Framing::Length(length) => body.get(..length).map(<[u8]>::to_vec),
        Framing::Chunked => unchunk(body)?,
    };
    Ok(body.map(|body| Response { status, body }))
}

fn framing<'a>(headers: impl Iterator<Item = &'a str>) -> Result<Framing, Lost> {
    let mut length = None;
    for header in headers {
        let (name, value) = header.split_once(':').ok_or(Lost::Malformed("a header without a colon"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return match value.eq_ignore_ascii_case("chunked") {
                true => Ok(Framing::Chunked),
                false => Err(Lost::Malformed("an unknown transfer coding")),
            };
        }
        if name.eq_ignore_ascii_case("content-length") {
            let value = value
                .parse::<usize>()
                .map_err(|_| Lost::Malformed("Content-Length is no number"))?;
            if value > MAX_RESPONSE || length.is_some_and(|earlier| earlier != value) {
                return Err(Lost::Malformed("Content-Length is impossible"));
            }
            length = Some(value);
        }
    }
    length.map(Framing::Length).ok_or(Lost::Malformed(
        "neither Content-Length nor chunks, so its end cannot be known",
    ))
}

fn unchunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
    let mut body = Vec::new();
    loop {
        let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let (line, after) = rest.split_at(line_end);
        let size = std::str::from_utf8(line)
            .ok()
            .and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok())
            .filter(|size| *size <= MAX_RESPONSE)
            .ok_or(Lost::Malformed("a chunk without a size"))?;
        let after = after.get(2..).unwrap_or_default();
        // The last chunk is empty; trailers after it are of no interest, but the blank line must have come.
        if size == 0 {
            let ended = after.starts_with(b"\r\n") || after.windows(4).any(|window| window == b"\r\n\r\n");
            return Ok(ended.then_some(body));
        }
        let (Some(chunk), Some(end)) = (after.get(..size), after.get(size..size + 2)) else {
            return Ok(None);
        };
        if end != b"\r\n" {
            return Err(Lost::Malformed("a chunk longer than its size"));
        }
        body.extend_from_slice(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
}

#[cfg(test)]
#[path = "response_test.rs"]
mod tests;
