//! ARP for IPv4 over Ethernet (RFC 826).

use std::net::Ipv4Addr;

use super::header::{ETHERTYPE_ARP, ethernet, payload};
use super::mac::Mac;

/// Hardware type Ethernet, protocol type IPv4, and their address lengths.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// What an ARP message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender address is at the sender's hardware address.
    Reply,
}

/// An ARP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// Hardware address of the sender.
    pub sender_mac: Mac,
    /// Address of the sender; zero in a probe.
    pub sender: Ipv4Addr,
    /// Hardware address of the target; zero in a request.
    pub target_mac: Mac,
    /// Address asked for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// A request for `target`.
    pub const fn request(sender_mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac,
            sender,
            target_mac: Mac([0; 6]),
            target,
        }
    }

    /// The reply to this request: its target is at `mac`.
    pub const fn reply(&self, mac: Mac) -> Self {
        Self {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// The message in `frame`, if it is a whole and legal one.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (_, message) = payload(frame, ETHERTYPE_ARP)?;
        let message = message.get(..28)?.strip_prefix(&ETHERNET_IPV4)?;
        let (operation, addresses) = message.split_first_chunk::<2>()?;
        let operation = match u16::from_be_bytes(*operation) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        let (sender_mac, rest) = addresses.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let (target, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            operation,
            sender_mac: Mac(*sender_mac),
            sender: (*sender).into(),
            target_mac: Mac(*target_mac),
            target: (*target).into(),
        })
    }

    /// The frame that carries this message.
    pub fn to_frame(self, destination: Mac, source: Mac) -> Vec<u8> {
        let mut frame = ethernet(destination, source, ETHERTYPE_ARP);
        frame.extend_from_slice(&ETHERNET_IPV4);
        frame.extend_from_slice(&[0, if self.operation == Operation::Request { 1 } else { 2 }]);
        frame.extend_from_slice(&self.sender_mac.0);
        frame.extend_from_slice(&self.sender.octets());
        frame.extend_from_slice(&self.target_mac.0);
        frame.extend_from_slice(&self.target.octets());
        frame
    }
}
