//! Takes the object with the kernel programs from where `scripts/build-ebpf.sh` puts it.

use std::path::Path;

fn main() {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/ebpf/programs.o");
    println!("cargo::rerun-if-changed={}", object.display());
    let bytes = match std::fs::read(&object) {
        Ok(bytes) => bytes,
        Err(error) => {
            println!(
                "cargo::error={}: {error}; run `npm run build` (or scripts/build-ebpf.sh) first",
                object.display()
            );
            return;
        }
    };
    println!("cargo::rustc-env=TERWAY_EBPF_OBJECT={}", object.display());
    println!("cargo::rustc-env=TERWAY_EBPF_BUILD={:016x}", fnv1a(&bytes));
}

/// A label that differs when the object differs; nothing is secured by it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
