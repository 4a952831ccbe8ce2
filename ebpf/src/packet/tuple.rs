//! Whose packet it is, to whom, and what it says about its connection.

use core::ptr;

use terway_abi::{Address, FlowKey};

use super::protocol::{ICMP, ICMPV6};

/// Where it goes from whom, in the words of its sender.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tuple {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// In the processor's order; 0 where the protocol has none. Of an ICMP echo the identifier.
    pub source_port: u16,
    /// Likewise.
    pub destination_port: u16,
    /// IP protocol behind all headers.
    pub protocol: u8,
    /// Type of an ICMP message.
    pub icmp: u8,
    /// [`Signal`].
    pub signal: u8,
    /// Flags of TCP.
    pub tcp_flags: u8,
}

const _: () = assert!(core::mem::offset_of!(Tuple, destination) == 16 && size_of::<Tuple>() == 40 && align_of::<Tuple>() == 4);

/// What a packet says about its connection; bits of [`Tuple::signal`].
pub struct Signal;

impl Signal {
    /// Opens one: TCP SYN, SCTP INIT, a request for an echo.
    pub const OPEN: u8 = 1 << 0;
    /// Answers that: TCP SYN ACK, SCTP INIT ACK, an echo.
    pub const ACCEPT: u8 = 1 << 1;
    /// The sender has no more to say: FIN, SHUTDOWN.
    pub const FINISH: u8 = 1 << 2;
    /// There is none any more: RST, ABORT.
    pub const RESET: u8 = 1 << 3;
}

impl Tuple {
    /// Nothing is read yet. Word by word: as a whole it would be a call of `memset`, which goes byte by byte.
    #[inline(always)]
    pub fn clear(&mut self) {
        let words: *mut [u32; 10] = ptr::from_mut(self).cast();
        for index in 0..10 {
            // SAFETY: the type is as large, and aligned for it.
            unsafe { ptr::write_volatile(words.cast::<u32>().add(index), 0) };
        }
    }

    /// Writes the key of the flow of the pod that sent it. What is reserved in it is zero already.
    #[inline(always)]
    pub fn of_sender(&self, endpoint: u32, key: &mut FlowKey) {
        key.local = self.source;
        key.remote = self.destination;
        key.local_port = self.source_port;
        key.remote_port = self.destination_port;
        self.finish(endpoint, key);
    }

    /// Writes the key of the flow of the pod that it is for.
    #[inline(always)]
    pub fn of_receiver(&self, endpoint: u32, key: &mut FlowKey) {
        key.local = self.destination;
        key.remote = self.source;
        key.local_port = self.destination_port;
        key.remote_port = self.source_port;
        self.finish(endpoint, key);
    }

    /// An echo's identifier stands on the pod's side, whoever asks.
    #[inline(always)]
    fn finish(&self, endpoint: u32, key: &mut FlowKey) {
        key.endpoint = endpoint;
        key.protocol = self.protocol;
        if matches!(self.protocol, ICMP | ICMPV6) {
            key.local_port = self.source_port;
            key.remote_port = 0;
        }
    }
}
