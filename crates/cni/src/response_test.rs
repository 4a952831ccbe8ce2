use super::*;

/// Hands out one byte at a time, so that every prefix is parsed.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  5\r\nX: y\r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n";

#[test]
fn both_framings() {
    assert_eq!(
        receive(&mut Trickle(LENGTH)).unwrap(),
        Response {
            status: 200,
            body: b"hello".to_vec()
        }
    );
    assert_eq!(
        receive(&mut Trickle(CHUNKED)).unwrap(),
        Response {
            status: 422,
            body: b"hello".to_vec()
        }
    );
}

#[test]
fn an_answer_cut_at_any_byte_is_lost() {
    for whole in [LENGTH, CHUNKED] {
        for cut in 0..whole.len() {
            let prefix = &whole[..cut];
            assert!(
                matches!(receive(&mut &prefix[..]), Err(Lost::Short(n)) if n == cut),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn what_is_no_complete_response_is_lost() {
    let cases: [&[u8]; 8] = [
        b"garbage\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ];
    for case in cases {
        assert!(
            matches!(receive(&mut &case[..]), Err(Lost::Malformed(_))),
            "{}",
            String::from_utf8_lossy(case)
        );
    }
}
