//! Takes the objects with the programs of fabric and floor from where `scripts/build-ebpf.sh` puts it.

use std::path::Path;

fn main() {
    // As it is when this runs, not when it was compiled: two clones may share a folder of what Cargo built.
    let Some(crate_folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        println!("cargo::error=this is a build script of Cargo's");
        return;
    };
    for (name, variable) in [("fabric", "TERWAY_FABRIC_OBJECT"), ("floor", "TERWAY_FLOOR_OBJECT")] {
        let object = Path::new(&crate_folder).join(format!("../../dist/ebpf/{name}.o"));
        println!("cargo::rerun-if-changed={}", object.display());
        match object.try_exists() {
            Ok(true) => println!("cargo::rustc-env={variable}={}", object.display()),
            _ => println!(
                "cargo::error={} is missing; run `npm run build` (or scripts/build-ebpf.sh) first",
                object.display()
            ),
        }
    }
}
