//! The network namespaces of this machine, as far as paths lead to them: those that container runtimes keep mounted, and those that
//! processes live in.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::netns::Netns;

/// Where runtimes mount them.
const MOUNTED: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// Every namespace but `home`, each once.
pub fn others(home: &Netns) -> Vec<Netns> {
    let mounted = MOUNTED.iter().flat_map(|directory| entries(directory));
    let of_processes = entries("/proc").filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let paths = mounted.chain(of_processes.map(|process| process.join("ns/net")));
    let mut seen = HashSet::from([home.identity()]);
    let open = |path: PathBuf| Netns::open(path.to_str()?).ok();
    paths.filter_map(open).filter(|netns| seen.insert(netns.identity())).collect()
}

fn entries(directory: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let read = fs::read_dir(directory).into_iter().flatten();
    read.flatten().map(|entry| entry.path())
}
