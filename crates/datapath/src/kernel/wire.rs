//! Frames and attributes of received netlink data. Lengths come from the kernel and are checked all the same.

/// One netlink message.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub port: u32,
    pub payload: &'a [u8],
}

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const TYPE_MASK: u16 = 0x3fff;

/// The messages of one datagram.
pub fn frames(mut data: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(data, 0)? as usize;
        let payload = data.get(HEADER..length)?;
        let frame = Frame {
            kind: u16_at(data, 4)?,
            flags: u16_at(data, 6)?,
            sequence: u32_at(data, 8)?,
            port: u32_at(data, 12)?,
            payload,
        };
        data = data.get(align(length)..).unwrap_or(&[]);
        Some(frame)
    })
}

/// The attributes behind a fixed header of `skip` bytes, as (type, value).
pub fn attributes(payload: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut data = payload.get(align(skip)..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(data, 0)?);
        let kind = u16_at(data, 2)? & TYPE_MASK;
        let value = data.get(ATTRIBUTE_HEADER..length)?;
        data = data.get(align(length)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// Rounded up to the four bytes netlink aligns to.
pub fn align(length: usize) -> usize {
    (length + 3) & !3
}

pub fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

pub fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

pub fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

/// The `n`th number of an array of `i32`.
pub fn i32_of_array(data: &[u8], n: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(data.get(n * 4..n * 4 + 4)?.try_into().ok()?))
}

/// A string attribute without its final zero.
pub fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_data_ends_the_walk() {
        let mut message = vec![0u8; 24];
        message[0..4].copy_from_slice(&24u32.to_ne_bytes());
        message[16..18].copy_from_slice(&8u16.to_ne_bytes());
        for cut in 0..message.len() {
            assert_eq!(frames(&message[..cut]).count(), 0, "cut at {cut}");
        }
        assert_eq!(frames(&message).count(), 1);
        for length in [0u32, 1, 15, 25, u32::MAX] {
            message[0..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(frames(&message).count(), 0, "length {length}");
        }
        let mut attribute = vec![0u8; 8];
        for length in [0u16, 3, 9, u16::MAX] {
            attribute[0..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&attribute, 0).count(), 0, "length {length}");
        }
    }
}
