//! `floor`: the hops of a fast path between one pod and its ENI, by programs that know both beforehand.

use std::net::{Ipv4Addr, Ipv6Addr};

use aya::Ebpf;
use aya::maps::Array;
use terway_abi::FabricFloor;

use crate::arguments::Arguments;
use crate::fabric_trunk::{attach, interface, text};
use crate::tc::Hook;

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TERWAY_FLOOR_OBJECT"));

/// Prints nothing. The filters hold the programs, and go with their interfaces.
///
/// # Errors
/// Options that are missing or wrong, interfaces that do not exist, what the kernel says.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["eni", "pod", "ipv4-gateway", "ipv6-gateway"])?;
    let (eni, pod) = (interface(arguments, "eni")?, interface(arguments, "pod")?);
    let mut floor = FabricFloor {
        eni,
        pod,
        ipv4_gateway: u32::from_ne_bytes(arguments.need::<Ipv4Addr>("ipv4-gateway")?.octets()),
        ipv6_gateway: [0; 4],
    };
    let octets = arguments.need::<Ipv6Addr>("ipv6-gateway")?.octets();
    for (word, four) in floor.ipv6_gateway.iter_mut().zip(octets.as_chunks::<4>().0) {
        *word = u32::from_ne_bytes(*four);
    }
    let mut ebpf = Ebpf::load(OBJECT).map_err(|error| format!("loading the floor's programs: {error}"))?;
    let map = ebpf.map_mut("FLOOR").ok_or("the object has no map FLOOR")?;
    Array::<_, FabricFloor>::try_from(map)
        .and_then(|mut map| map.set(0, floor, 0))
        .map_err(text)?;
    attach(&mut ebpf, "floor_out", pod, Hook::Ingress, true)?;
    attach(&mut ebpf, "floor_in", eni, Hook::Ingress, true)?;
    Ok(())
}
