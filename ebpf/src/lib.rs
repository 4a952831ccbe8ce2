//! What the programs share: reading a frame.
#![no_std]

pub mod frame;
pub mod packet;
pub mod skb;

/// Reads from memory, whatever was read there before: the verifier knows nothing of the value, and so takes ways through a program that differ
/// in it for one.
#[inline(always)]
#[must_use]
pub fn fresh<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is valid for reading.
    unsafe { core::ptr::read_volatile(place) }
}

/// What every object needs beside its programs: a licence that is compatible to the GPL, since several helpers are for such programs only, and a
/// panic handler, which the verifier lets no program reach.
#[macro_export]
macro_rules! object {
    () => {
        #[cfg(target_arch = "bpf")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            loop {}
        }

        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}
