//! `fabric-trunk`: the tags of a VPC's trunk ports, put on and taken off by programs, since not every kernel has 802.1Q.
//!
//! A filter holds its program, the program its maps: nothing is pinned and nothing runs on. Each member's port has a program and maps of its own;
//! the trunk port's program is found again through its filter.

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData, MapInfo, PerCpuArray};
use aya::programs::{SchedClassifier, loaded_programs};
use serde_json::{Map as Object, Value};
use terway_abi::{Count, FabricMember, FabricReason, FabricTrunkKey};

use crate::arguments::Arguments;
use crate::frame::Mac;
use crate::sys::{self, PacketSocket};
use crate::tc::{self, Hook};

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TERWAY_FABRIC_OBJECT"));

const TRUNK_VLANS: &str = "TRUNK_VLANS";
const MEMBER_PORTS: &str = "MEMBER_PORTS";
/// The kernel keeps 15 bytes of a name.
const FABRIC_COUNTS: &str = "FABRIC_COUNTS";

type Vlans = HashMap<MapData, FabricTrunkKey, FabricMember>;
type Ports = HashMap<MapData, u32, FabricMember>;

/// `add` and `remove` print nothing, `counts` a JSON object of packets by what happened to them. `remove` of what is not there is no error.
///
/// # Errors
/// Options that are missing or wrong, interfaces that do not exist, a VLAN id that another port has, what the kernel says.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    match arguments.words.first().map_or("", String::as_str) {
        "add" => add(arguments),
        "remove" => remove(arguments),
        "counts" => counts(arguments),
        _ => Err("one of add, remove, counts is missing".into()),
    }
}

fn add(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["trunk", "port", "vlan", "mac"])?;
    let trunk = interface(arguments, "trunk")?;
    let port = interface(arguments, "port")?;
    let vlan = arguments.need::<u16>("vlan")?;
    if !(1..=4094).contains(&vlan) {
        return Err(format!("--vlan {vlan} is none of 1 to 4094"));
    }
    let Mac(trunk_mac) = arguments.need::<Mac>("mac")?;
    let Mac(port_mac) = PacketSocket::open(0, port)
        .and_then(|socket| socket.hardware_address())
        .map_err(|error| format!("--port: {error}"))?;
    let key = FabricTrunkKey {
        trunk,
        vlan,
        reserved: 0,
    };
    let member = FabricMember {
        trunk,
        port,
        vlan,
        port_mac,
        trunk_mac,
        reserved: [0; 2],
    };

    let mut ebpf = Ebpf::load(OBJECT).map_err(|error| format!("loading the fabric's programs: {error}"))?;
    let mut ports: Ports = typed(ebpf.take_map(MEMBER_PORTS).ok_or("the object has no map of ports")?)?;
    ports.insert(port, member, 0).map_err(text)?;
    attach(&mut ebpf, "member_out", port, Hook::Egress, true)?;

    // Should another call be faster, its program is the trunk's.
    let mut vlans: Vlans = typed(ebpf.take_map(TRUNK_VLANS).ok_or("the object has no map of tags")?)?;
    let mut first = tc::program_id(trunk, Hook::Ingress).is_none();
    if first {
        vlans.insert(key, member, 0).map_err(text)?;
        first = attach(&mut ebpf, "trunk_in", trunk, Hook::Ingress, false)?;
    }
    if !first {
        let mut vlans = trunk_vlans(trunk)?.ok_or("the trunk port's filter went away meanwhile")?;
        if let Ok(other) = vlans.get(&key, 0)
            && other.port != port
            && tc::program_id(other.port, Hook::Egress).is_some()
        {
            return Err(format!(
                "--vlan {vlan} belongs to the port with index {}; remove that first",
                other.port
            ));
        }
        vlans.insert(key, member, 0).map_err(text)?;
    }
    Ok(())
}

fn remove(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["port"])?;
    let Ok(port) = interface(arguments, "port") else {
        return Ok(());
    };
    let Some(map) = map_of(port, Hook::Egress, MEMBER_PORTS)? else {
        return Ok(());
    };
    let ports: Ports = typed(Map::HashMap(map))?;
    if let Ok(member) = ports.get(&port, 0)
        && let Some(mut vlans) = trunk_vlans(member.trunk)?
    {
        let key = FabricTrunkKey {
            trunk: member.trunk,
            vlan: member.vlan,
            reserved: 0,
        };
        // The tag may have another port by now.
        if vlans.get(&key, 0).is_ok_and(|now| now.port == port) {
            vlans.remove(&key).map_err(text)?;
        }
    }
    tc::remove(port, Hook::Egress).map_err(text)
}

fn counts(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["interface"])?;
    let index = interface(arguments, "interface")?;
    let mut sums = [0_u64; FabricReason::ALL.len()];
    let mut any = false;
    for hook in [Hook::Ingress, Hook::Egress] {
        let Some(map) = map_of(index, hook, FABRIC_COUNTS)? else {
            continue;
        };
        any = true;
        let counts: PerCpuArray<MapData, Count> = Map::PerCpuArray(map).try_into().map_err(text)?;
        for (sum, (reason, _)) in sums.iter_mut().zip(FabricReason::ALL) {
            let each = counts.get(&(reason as u32), 0).map_err(text)?;
            *sum += each.iter().map(|count| count.packets).sum::<u64>();
        }
    }
    if !any {
        return Err("the interface is no trunk's and no member's port".into());
    }
    let named = FabricReason::ALL
        .iter()
        .zip(sums)
        .map(|((_, name), sum)| ((*name).to_owned(), Value::from(sum)));
    println!("{}", Value::Object(named.collect::<Object<_, _>>()));
    Ok(())
}

/// Was the program attached? Not if one stands there and `replace` is not wanted.
pub fn attach(ebpf: &mut Ebpf, name: &str, interface: u32, hook: Hook, replace: bool) -> Result<bool, String> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("the object has no program {name}"))?;
    let classifier: &mut SchedClassifier = program.try_into().map_err(text)?;
    classifier.load().map_err(|error| format!("loading {name}: {error}"))?;
    let fd = classifier.fd().map_err(text)?;
    match tc::add(interface, hook, std::os::fd::AsFd::as_fd(fd), name, replace) {
        Ok(()) => Ok(true),
        Err(error) if !replace && error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(format!("filter {name} on the interface with index {interface}: {error}")),
    }
}

fn trunk_vlans(trunk: u32) -> Result<Option<Vlans>, String> {
    map_of(trunk, Hook::Ingress, TRUNK_VLANS)?
        .map(|map| typed(Map::HashMap(map)))
        .transpose()
}

/// A map of the program behind the filter on this hook.
fn map_of(interface: u32, hook: Hook, name: &str) -> Result<Option<MapData>, String> {
    let Some(id) = tc::program_id(interface, hook) else {
        return Ok(None);
    };
    let Some(program) = loaded_programs().flatten().find(|program| program.id() == id) else {
        return Ok(None);
    };
    for map in program.map_ids().map_err(text)?.unwrap_or_default() {
        if MapInfo::from_id(map).map_err(text)?.name() == name.as_bytes() {
            return MapData::from_id(map).map(Some).map_err(text);
        }
    }
    Ok(None)
}

fn typed<T: TryFrom<Map, Error: std::fmt::Display>>(map: Map) -> Result<T, String> {
    map.try_into().map_err(text)
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub fn interface(arguments: &Arguments, key: &str) -> Result<u32, String> {
    let name = arguments.need::<String>(key)?;
    sys::interface_index(&name).map_err(|error| format!("--{key} {name}: {error}"))
}
