//! What asker and server agree on about datagrams.

/// Payload of a datagram, bytes.
pub const DATAGRAM: usize = 64;
/// First byte of a datagram that asks how many have come; the answer is the count, little endian.
pub const HOW_MANY: u8 = b'?';
