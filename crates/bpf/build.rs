//! Takes the object with the kernel programs from where `scripts/build-ebpf.sh` puts it.

use std::path::Path;

fn main() {
    // As it is when this runs, not when it was compiled: two clones may share a folder of what Cargo built.
    let Some(crate_folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        println!("cargo::error=this is a build script of Cargo's");
        return;
    };
    let folder = match std::env::var_os("CARGO_FEATURE_OTHER_LAYOUT") {
        Some(_) => "other-layout",
        None => "ebpf",
    };
    let object = Path::new(&crate_folder).join("../../dist").join(folder).join("programs.o");
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
