//! What outlives a restart and an upgrade, and what is refused.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapInfo};
use aya::programs::ProgramInfo;
use support::Bpffs;
use terway_bpf::{Address, Endpoint, Error, LAYOUT, Opened, ProgramName, Programs};

mod support;

fn layout(bpffs: &Path) -> PathBuf {
    bpffs.join(format!("terway/v{LAYOUT}"))
}

fn build_directory(bpffs: &Path) -> PathBuf {
    layout(bpffs).join(format!("programs-{}", Programs::build()))
}

#[test]
fn a_second_opening_finds_the_same_programs_and_records() {
    let bpffs = Bpffs::mount();
    let address = Address::from(Ipv4Addr::new(10, 0, 0, 7));
    let record = Endpoint {
        eni: 3,
        vlan: 100,
        ..Endpoint::default()
    };
    let mut first = Programs::open(bpffs.path()).unwrap();
    assert_eq!(first.opened(), Opened::Loaded);
    first.maps.endpoints.put(&address, &record).unwrap();
    let ids = ProgramName::ALL.map(|name| first.program(name).id());
    drop(first);

    let second = Programs::open(bpffs.path()).unwrap();
    assert_eq!(second.opened(), Opened::Pinned);
    assert_eq!(ProgramName::ALL.map(|name| second.program(name).id()), ids);
    assert_eq!(second.maps.endpoints.get(&address).unwrap(), Some(record));
}

#[test]
fn another_build_replaces_the_programs_and_keeps_the_records() {
    let bpffs = Bpffs::mount();
    let address = Address::from(Ipv4Addr::new(10, 0, 0, 7));
    let record = Endpoint {
        eni: 4,
        ..Endpoint::default()
    };
    let mut first = Programs::open(bpffs.path()).unwrap();
    first.maps.endpoints.put(&address, &record).unwrap();
    let old = first.program(ProgramName::EniIn).id();
    drop(first);
    // As another build would have left it.
    let other = layout(bpffs.path()).join("programs-0000000000000000");
    fs::rename(build_directory(bpffs.path()), &other).unwrap();
    // A filter holds the old program.
    let held = ProgramInfo::from_pin(other.join("eni_in")).unwrap().fd().unwrap();

    let second = Programs::open(bpffs.path()).unwrap();
    assert_eq!(second.opened(), Opened::Loaded);
    assert_ne!(second.program(ProgramName::EniIn).id(), old);
    assert_eq!(second.maps.endpoints.get(&address).unwrap(), Some(record));
    assert!(!other.exists(), "the other build's pins are gone");
    drop(held);
}

#[test]
fn half_a_set_of_pins_is_loaded_again() {
    let bpffs = Bpffs::mount();
    drop(Programs::open(bpffs.path()).unwrap());
    fs::remove_file(build_directory(bpffs.path()).join("eni_out")).unwrap();
    assert_eq!(Programs::open(bpffs.path()).unwrap().opened(), Opened::Loaded);
    // Programs whose maps were unpinned would write into maps that nobody reads.
    fs::remove_file(layout(bpffs.path()).join("maps/COUNTERS")).unwrap();
    assert_eq!(Programs::open(bpffs.path()).unwrap().opened(), Opened::Loaded);
    assert_eq!(Programs::open(bpffs.path()).unwrap().opened(), Opened::Pinned);
}

#[test]
fn a_map_of_another_shape_is_refused_and_left() {
    let bpffs = Bpffs::mount();
    drop(Programs::open(bpffs.path()).unwrap());
    let maps = layout(bpffs.path()).join("maps");
    let enis = MapInfo::from_pin(maps.join("ENIS")).unwrap().id();
    fs::remove_file(maps.join("ENDPOINTS")).unwrap();
    fs::hard_link(maps.join("ENIS"), maps.join("ENDPOINTS"))
        .or_else(|_| {
            MapData::from_pin(maps.join("ENIS"))
                .unwrap()
                .pin(maps.join("ENDPOINTS"))
                .map_err(std::io::Error::other)
        })
        .unwrap();

    let error = Programs::open(bpffs.path()).unwrap_err();
    match &error {
        Error::ForeignShape { path, expected, found } => {
            assert_eq!(path, &maps.join("ENDPOINTS"));
            assert_eq!((expected.key, found.key), (16, 4));
        }
        other => panic!("{other}"),
    }
    assert!(
        error.to_string().contains("maps/ENDPOINTS is of type 1, 4 to 64 bytes"),
        "{error}"
    );
    assert_eq!(
        MapInfo::from_pin(maps.join("ENDPOINTS")).unwrap().id(),
        enis,
        "nothing is changed"
    );
}

#[test]
fn without_a_bpf_file_system_the_error_says_what_to_do() {
    let directory = std::env::temp_dir().join(format!("terway-bpf-{}-none", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let error = Programs::open(&directory).unwrap_err();
    fs::remove_dir(&directory).unwrap();
    assert!(matches!(error, Error::NoBpffs { cause: None, .. }), "{error}");
    assert!(error.to_string().contains("mount -t bpf bpf /"), "{error}");
    assert!(matches!(
        Programs::open(&directory),
        Err(Error::NoBpffs { cause: Some(_), .. })
    ));
}

#[test]
fn a_full_map_is_named_with_its_limit() {
    let bpffs = Bpffs::mount();
    let mut programs = Programs::open(bpffs.path()).unwrap();
    let enis = &mut programs.maps.enis;
    let error = (1..)
        .find_map(|ifindex| enis.put(&ifindex, &terway_bpf::Eni::default()).err())
        .unwrap();
    assert!(matches!(error, Error::Full { map: "ENIS", limit: 256 }), "{error}");
    assert_eq!(enis.list().unwrap().len(), 256);
    assert!(enis.remove(&1).unwrap());
    assert!(!enis.remove(&1).unwrap());
    enis.put(&1000, &terway_bpf::Eni::default()).unwrap();
}

#[test]
fn host_stack_prefixes_come_back() {
    let bpffs = Bpffs::mount();
    let stack = &mut Programs::open(bpffs.path()).unwrap().maps.host_stack;
    let holds = |stack: &terway_bpf::Prefixes<u32>, text: &str| stack.holds(text.parse().unwrap()).unwrap();
    stack.put("172.16.0.5".parse().unwrap(), 12).unwrap();
    stack.put("fd00:1::".parse().unwrap(), 108).unwrap();
    assert!(holds(stack, "172.31.255.255") && !holds(stack, "172.32.0.0"));
    assert!(holds(stack, "fd00:1::1") && !holds(stack, "fd00:2::1"));
    let mut listed = stack.cidrs().unwrap();
    listed.sort();
    assert_eq!(
        listed,
        [("172.16.0.0".parse().unwrap(), 12), ("fd00:1::".parse().unwrap(), 108)]
    );
    // All of IPv6 holds no IPv4.
    stack.put("::".parse().unwrap(), 0).unwrap();
    assert!(holds(stack, "2001:db8::1") && !holds(stack, "10.0.0.1"));
    assert!(stack.remove("172.16.0.0".parse().unwrap(), 12).unwrap());
    assert!(!stack.remove("172.16.0.0".parse().unwrap(), 12).unwrap());
    assert!(!holds(stack, "172.16.0.1"));
    assert!(matches!(
        stack.put("10.0.0.0".parse().unwrap(), 33),
        Err(Error::Invalid { .. })
    ));
}

#[test]
fn removal_leaves_nothing() {
    let bpffs = Bpffs::mount();
    drop(Programs::open(bpffs.path()).unwrap());
    Programs::remove(bpffs.path()).unwrap();
    // The kernel puts files of its own there.
    assert!(!bpffs.path().join("terway").exists());
    Programs::remove(bpffs.path()).unwrap();
}

/// 5.10 follows a million instructions and no more; a newer kernel's number is near enough.
#[test]
fn the_verifier_follows_far_fewer_instructions_than_it_may() {
    let bpffs = Bpffs::mount();
    drop(Programs::open(bpffs.path()).unwrap());
    for name in ProgramName::ALL {
        let info = ProgramInfo::from_pin(build_directory(bpffs.path()).join(name.as_str())).unwrap();
        let Some(count) = info.verified_instruction_count() else {
            println!("SKIP: this kernel does not say what the verifier did (Linux 5.16)");
            return;
        };
        println!("{}: {count}", name.as_str());
        assert!(count < 100_000, "{}: {count}", name.as_str());
    }
}
