//! Hand-built frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const VLAN: u16 = 0x8100;
pub const PROVIDER_VLAN: u16 = 0x88a8;
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;

/// A frame from the inside out.
#[derive(Clone)]
pub struct Frame {
    tags: Vec<(u16, u16)>,
    ethertype: u16,
    payload: Vec<u8>,
}

impl Frame {
    /// A UDP packet with `length` bytes of payload.
    pub fn udp(source: &str, destination: &str, length: usize) -> Self {
        let udp = udp(length);
        match (source.parse().unwrap(), destination.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Self::of(IPV4, ipv4(source, destination, &[], &udp)),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Self::of(IPV6, ipv6(source, destination, 17, &udp)),
            _ => panic!("two families"),
        }
    }

    /// The same with 40 bytes of IPv4 options, or with a hop-by-hop, a routing and a destination header.
    pub fn udp_with_options(source: &str, destination: &str) -> Self {
        match (source.parse().unwrap(), destination.parse().unwrap()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Self::of(IPV4, ipv4(source, destination, &[1; 40], &udp(8))),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
                let headers = [header(43), header(60), header(17)].concat();
                Self::of(IPV6, ipv6(source, destination, 0, &[headers, udp(8)].concat()))
            }
            _ => panic!("two families"),
        }
    }

    /// A later fragment: no transport header in it.
    pub fn fragment(source: &str, destination: &str) -> Self {
        let mut frame = Self::udp(source, destination, 8);
        match frame.ethertype {
            // Offset 8 × 100.
            IPV4 => frame.payload[6..8].copy_from_slice(&100_u16.to_be_bytes()),
            _ => {
                frame.payload[6] = 44;
                frame.payload.splice(40..40, [17, 0, 3, 0x20, 0, 0, 0, 1]);
            }
        }
        frame
    }

    pub fn arp(sender: &str, target: &str) -> Self {
        let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 1];
        payload.extend([2, 0, 0, 0, 0, 9]);
        payload.extend(sender.parse::<Ipv4Addr>().unwrap().octets());
        payload.extend([0; 6]);
        payload.extend(target.parse::<Ipv4Addr>().unwrap().octets());
        Self::of(ARP, payload)
    }

    pub fn solicitation(source: &str, target: &str) -> Self {
        let target: Ipv6Addr = target.parse().unwrap();
        let [.., a, b, c] = target.octets();
        let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
        let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[1, 1, 2, 0, 0, 0, 0, 9]].concat();
        Self::of(IPV6, ipv6(source.parse().unwrap(), group, 58, &message))
    }

    pub fn of(ethertype: u16, payload: Vec<u8>) -> Self {
        Self {
            tags: Vec::new(),
            ethertype,
            payload,
        }
    }

    /// Puts a tag around; the last one is the outer one.
    pub fn tag(mut self, vlan: u16) -> Self {
        self.tags.insert(0, (VLAN, vlan));
        self
    }

    pub fn tag_with(mut self, ethertype: u16, tci: u16) -> Self {
        self.tags.insert(0, (ethertype, tci));
        self
    }

    /// ECN bits.
    pub fn ecn(mut self, bits: u8) -> Self {
        match self.ethertype {
            IPV4 => {
                self.payload[1] |= bits;
                checksum(&mut self.payload);
            }
            _ => self.payload[1] |= bits << 4,
        }
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9];
        for (ethertype, tci) in &self.tags {
            bytes.extend(ethertype.to_be_bytes());
            bytes.extend(tci.to_be_bytes());
        }
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// ECN bits of an untagged IP frame; an IPv4 header's checksum must hold.
pub fn ecn_of(frame: &[u8]) -> u8 {
    match frame[12..14] {
        [8, 0] => {
            let mut header = frame[14..34].to_vec();
            checksum(&mut header);
            assert_eq!(header, frame[14..34], "checksum");
            frame[15] & 3
        }
        _ => frame[15] >> 4 & 3,
    }
}

fn udp(length: usize) -> Vec<u8> {
    let total = u16::try_from(8 + length).unwrap();
    let mut bytes = vec![0x30, 0x39, 0, 80];
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.resize(8 + length, 0xa5);
    bytes
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let total = u16::try_from(header + payload.len()).unwrap();
    let mut bytes = vec![0x40 | u8::try_from(header / 4).unwrap(), 0];
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 7, 0, 0, 64, 17, 0, 0]);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(options);
    checksum(&mut bytes);
    bytes.extend(payload);
    bytes
}

fn checksum(header: &mut [u8]) {
    let length = usize::from(header[0] & 15) * 4;
    header[10..12].fill(0);
    let sum: u32 = header[..length]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend([next, 64]);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(payload);
    bytes
}
