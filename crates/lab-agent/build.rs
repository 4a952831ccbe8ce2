//! Takes the object with the fabric's programs from where `scripts/build-ebpf.sh` puts it.

use std::path::Path;

fn main() {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/ebpf/fabric.o");
    println!("cargo::rerun-if-changed={}", object.display());
    match object.try_exists() {
        Ok(true) => println!("cargo::rustc-env=TERWAY_FABRIC_OBJECT={}", object.display()),
        _ => println!(
            "cargo::error={} is missing; run `npm run build` (or scripts/build-ebpf.sh) first",
            object.display()
        ),
    }
}
