//! `forget-sessions`: removes the tracked connections of addresses from this network namespace.
//!
//! The fabric asks for it when an address leaves its ENI or an ENI changes its security groups: what was accepted for the old
//! state must be judged by the new one. `conntrack -D` takes one address at a time and knows no prefixes.

use std::io::{self, Read};
use std::net::IpAddr;

use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};

use crate::arguments::Arguments;
use crate::netlink::{Attributes, MessageType, Request, messages};

/// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h.
const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
/// Of the connection: the tuple of its first packet; in it the addresses; in those source and destination by family.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_IP: u16 = 1;
const ADDRESSES_V4: [u16; 2] = [1, 2];
const ADDRESSES_V6: [u16; 2] = [3, 4];

/// An address with its prefix length.
#[derive(Debug, Clone, Copy)]
struct Prefix(IpAddr, u32);

impl Prefix {
    fn parse(word: &str) -> Result<Self, String> {
        let (address, length) = word
            .split_once('/')
            .map_or((word, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|error| format!("{word:?}: {error}"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length
            .map_or(Ok(bits), str::parse)
            .map_err(|error| format!("{word:?}: {error}"))?;
        (length <= bits)
            .then_some(Self(address, length))
            .ok_or_else(|| format!("{word:?}: no prefix length"))
    }

    fn contains(self, address: &[u8]) -> bool {
        let wanted = match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let same = |(index, (a, b)): (usize, (&u8, &u8))| {
            let bits = self.1.saturating_sub(index as u32 * 8).min(8);
            u32::from(a ^ b) >> (8 - bits) == 0
        };
        wanted.len() == address.len() && wanted.iter().zip(address).enumerate().all(same)
    }
}

/// Prints `{forgotten}`. The words are addresses and prefixes; a connection goes when its first packet came from or went to one.
///
/// # Errors
/// A word that is no address, or a kernel without connection tracking over netlink.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&[])?;
    let prefixes = arguments
        .words
        .iter()
        .map(|word| Prefix::parse(word))
        .collect::<Result<Vec<_>, _>>()?;
    let mut forgotten = 0;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let chosen: Vec<Prefix> = prefixes
            .iter()
            .copied()
            .filter(|prefix| prefix.0.is_ipv4() == (family == libc::AF_INET))
            .collect();
        if !chosen.is_empty() {
            forgotten += forget(family as u8, &chosen).map_err(|error| format!("connection tracking: {error}"))?;
        }
    }
    println!("{}", json!({ "forgotten": forgotten }));
    Ok(())
}

fn forget(family: u8, prefixes: &[Prefix]) -> io::Result<usize> {
    let socket = Socket::new(
        Domain::from(libc::AF_NETLINK),
        Type::RAW,
        Some(Protocol::from(libc::NETLINK_NETFILTER)),
    )?;
    let mut forgotten = 0;
    for tuple in tuples(&socket, family, prefixes)? {
        let request =
            Request::new(DELETE, libc::NLM_F_ACK, &header(family)).attribute(TUPLE_ORIGINAL | libc::NLA_F_NESTED as u16, &tuple);
        socket.send(&request.bytes())?;
        match read(&socket, |_| {}) {
            Ok(()) => forgotten += 1,
            // Ended by itself meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

/// The original tuples, as the kernel writes them, of all connections that one of the prefixes has a part in.
fn tuples(socket: &Socket, family: u8, prefixes: &[Prefix]) -> io::Result<Vec<Vec<u8>>> {
    let kinds = if i32::from(family) == libc::AF_INET {
        ADDRESSES_V4
    } else {
        ADDRESSES_V6
    };
    socket.send(&Request::new(GET, libc::NLM_F_DUMP, &header(family)).bytes())?;
    let mut found = Vec::new();
    read(socket, |payload| {
        let Some(tuple) = Attributes(payload.get(4..).unwrap_or_default()).find(TUPLE_ORIGINAL) else {
            return;
        };
        let Some(addresses) = Attributes(tuple).find(TUPLE_IP) else {
            return;
        };
        let concerned = kinds.iter().filter_map(|kind| Attributes(addresses).find(*kind));
        if concerned
            .into_iter()
            .any(|address| prefixes.iter().any(|prefix| prefix.contains(address)))
        {
            found.push(tuple.to_vec());
        }
    })?;
    Ok(found)
}

/// `struct nfgenmsg`: family, version 0, resource 0.
const fn header(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

/// Gives each message's payload to `take` until the answer is complete.
fn read(mut socket: &Socket, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = socket.read(&mut buffer)?;
        for message in messages(buffer.get(..count).unwrap_or_default()) {
            match message {
                MessageType::Data(payload) => take(payload),
                MessageType::Done => return Ok(()),
                MessageType::Failed(error) => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::Prefix;

    #[test]
    fn a_prefix_holds_its_addresses_and_no_others() {
        let holds = |prefix: &str, address: [u8; 4]| Prefix::parse(prefix).unwrap().contains(&address);
        assert!(holds("10.0.1.16/28", [10, 0, 1, 31]) && !holds("10.0.1.16/28", [10, 0, 1, 32]));
        assert!(holds("10.0.1.7", [10, 0, 1, 7]) && !holds("10.0.1.7", [10, 0, 1, 6]));
        assert!(!Prefix::parse("fd00::/80").unwrap().contains(&[10, 0, 1, 7]));
        assert!(Prefix::parse("10.0.0.1/33").is_err() && Prefix::parse("here").is_err());
    }
}
