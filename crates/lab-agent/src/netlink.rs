//! The little of netlink that this program speaks: requests with attributes, and answers taken apart (linux/netlink.h).

/// A request under construction.
pub struct Request(Vec<u8>);

impl Request {
    /// `flags` beside `NLM_F_REQUEST`; `header` is what the subsystem puts before its attributes.
    pub fn new(kind: u16, flags: i32, header: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        // Sequence number and port: one request is under way at a time.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(header);
        Self(bytes)
    }

    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(aligned(self.0.len()), 0);
        self
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.splice(..4, length.to_ne_bytes());
        self.0
    }
}

/// One message of an answer.
pub enum MessageType<'a> {
    /// What follows the netlink header.
    Data(&'a [u8]),
    /// End of a dump, or success.
    Done,
    /// The error number.
    Failed(i32),
}

/// The messages in one read of the socket; ends at the first that is cut off.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = MessageType<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let payload = bytes.get(16..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(match i32::from(kind) {
            libc::NLMSG_DONE => MessageType::Done,
            libc::NLMSG_ERROR => match i32::from_ne_bytes(*payload.first_chunk()?) {
                0 => MessageType::Done,
                error => MessageType::Failed(-error),
            },
            _ => MessageType::Data(payload),
        })
    })
}

/// A row of attributes.
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this kind.
    pub fn find(&self, kind: u16) -> Option<&'a [u8]> {
        let mut rest = self.0;
        loop {
            let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
            let found = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?) & libc::NLA_TYPE_MASK as u16;
            let value = rest.get(4..length)?;
            if found == kind {
                return Some(value);
            }
            rest = rest.get(aligned(length)..)?;
        }
    }
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}
