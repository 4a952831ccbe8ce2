//! The few nf_tables messages that masquerading takes: one table of our own with two sets of pod addresses and one rule for each.

mod message;

use std::io;
use std::net::IpAddr;

use netlink_sys::{Socket as RawSocket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::uapi::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};
use super::wire::{frames, i32_of_array};
use crate::error::{Error, Result};
use message::{Body, FAMILIES, TABLE, by_family, chain, elements, in_chain, in_set, in_table, keys, rule, set};

const RECEIVE_BUFFER: usize = 64 * 1024;
const MSG_DONTWAIT: i32 = 0x40;
const ENOENT: i32 = 2;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const GET_ELEMENT: u16 = 13;
const DELETE_ELEMENT: u16 = 14;
const FAMILY_INET: u8 = 1;

/// A netfilter netlink socket of the namespace in which it was opened.
pub struct Nftables {
    socket: RawSocket,
    sequence: u32,
}

impl Nftables {
    /// Opens a socket in the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let open = || -> io::Result<RawSocket> {
            let mut socket = RawSocket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = open().map_err(|cause| Error::system("socket(NETLINK_NETFILTER)", &cause))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// The addresses in both sets.
    pub fn addresses(&mut self) -> Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        for family in FAMILIES {
            let body = in_set(family);
            for payload in self.dump(GET_ELEMENT, body)? {
                found.extend(keys(&payload));
            }
        }
        Ok(found)
    }

    /// How many rules the chain has.
    pub fn rules(&mut self) -> Result<usize> {
        Ok(self.dump(GET_RULE, in_chain())?.len())
    }

    /// Makes the table anew, with these addresses; whatever was in it goes in the same moment.
    pub fn make(&mut self, addresses: &[IpAddr]) -> Result<()> {
        let mut requests = vec![
            // Deleting asks that there be one.
            (NEW_TABLE, NLM_F_CREATE, in_table()),
            (DELETE_TABLE, 0, in_table()),
            (NEW_TABLE, NLM_F_CREATE, in_table()),
            (NEW_CHAIN, NLM_F_CREATE, chain()),
        ];
        for family in FAMILIES {
            requests.push((NEW_SET, NLM_F_CREATE, set(family)));
            requests.push((NEW_RULE, NLM_F_CREATE, rule(family)));
        }
        requests.extend(by_family(addresses).map(|(family, own)| (NEW_ELEMENT, NLM_F_CREATE, elements(family, &own))));
        self.batch(requests)
    }

    /// Adds addresses; those that are there stay.
    pub fn add(&mut self, addresses: &[IpAddr]) -> Result<()> {
        let requests = by_family(addresses).map(|(family, own)| (NEW_ELEMENT, NLM_F_CREATE, elements(family, &own)));
        self.batch(requests.collect())
    }

    /// Takes addresses out, all of which must be there.
    pub fn remove(&mut self, addresses: &[IpAddr]) -> Result<()> {
        let requests = by_family(addresses).map(|(family, own)| (DELETE_ELEMENT, 0, elements(family, &own)));
        self.batch(requests.collect())
    }

    /// Removes the table and all that is in it.
    pub fn destroy(&mut self) -> Result<()> {
        self.batch(vec![(DELETE_TABLE, 0, in_table())])
    }

    fn message(&mut self, kind: u16, flags: u16, (family, resource): (u8, u16), body: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = Vec::with_capacity(20 + body.len());
        message.extend((20 + body.len() as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0u32.to_ne_bytes());
        message.extend([family, 0]);
        message.extend(resource.to_be_bytes());
        message.extend(body);
        message
    }

    fn command(&mut self, command: u16, flags: u16, body: &Body) -> Vec<u8> {
        self.message(SUBSYSTEM << 8 | command, flags, (FAMILY_INET, 0), &body.0)
    }

    /// All or nothing.
    fn batch(&mut self, requests: Vec<(u16, u16, Body)>) -> Result<()> {
        let mut data = self.message(BATCH_BEGIN, 0, (0, SUBSYSTEM), &[]);
        let mut open = requests.len();
        for (command, flags, body) in requests {
            data.extend(self.command(command, flags | NLM_F_ACK, &body));
        }
        data.extend(self.message(BATCH_END, 0, (0, SUBSYSTEM), &[]));
        self.send(&data)?;
        let mut refusal = None;
        while open > 0 {
            for frame in frames(&self.receive()?) {
                if frame.kind == NLMSG_ERROR {
                    open = open.saturating_sub(1);
                    let errno = -i32_of_array(frame.payload, 0).unwrap_or(0);
                    if errno != 0 && refusal.is_none() {
                        // A batch that is refused as a whole, for want of the module for instance, has one answer.
                        open = if frame.payload.get(8..10) == Some(&BATCH_BEGIN.to_ne_bytes()) {
                            0
                        } else {
                            open
                        };
                        refusal = Some(errno);
                    }
                }
            }
        }
        match refusal {
            None => Ok(()),
            Some(errno) => Err(failed(errno)),
        }
    }

    /// The entries of a list; none where the table is not there.
    fn dump(&mut self, command: u16, body: Body) -> Result<Vec<Vec<u8>>> {
        let data = self.command(command, NLM_F_DUMP, &body);
        self.send(&data)?;
        let mut entries = Vec::new();
        loop {
            for frame in frames(&self.receive()?) {
                match frame.kind {
                    NLMSG_DONE => return Ok(entries),
                    NLMSG_ERROR => {
                        return match -i32_of_array(frame.payload, 0).unwrap_or(0) {
                            0 | ENOENT => Ok(entries),
                            errno => Err(failed(errno)),
                        };
                    }
                    _ => entries.push(frame.payload.to_vec()),
                }
            }
        }
    }

    /// The kernel has answered when this returns.
    fn send(&self, data: &[u8]) -> Result<()> {
        let sent = self.socket.send(data, 0);
        sent.map(|_| ())
            .map_err(|cause| Error::system("send(NETLINK_NETFILTER)", &cause))
    }

    fn receive(&self) -> Result<Vec<u8>> {
        let mut buffer = Vec::with_capacity(RECEIVE_BUFFER);
        loop {
            match self.socket.recv(&mut buffer, MSG_DONTWAIT) {
                Ok(_) => return Ok(buffer),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::system("recv(NETLINK_NETFILTER)", &cause)),
            }
        }
    }
}

fn failed(errno: i32) -> Error {
    Error::system("nf_tables", &io::Error::from_raw_os_error(errno)).about(format!("table inet {TABLE}"))
}

impl std::fmt::Debug for Nftables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nftables")
    }
}
