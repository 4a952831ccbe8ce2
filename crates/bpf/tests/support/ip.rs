//! Hand-built IP packets, whole or wrong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

/// A packet from the inside out.
#[derive(Clone, Debug)]
pub struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub hops: u8,
    pub id: u32,
    /// Offset in units of eight bytes, and whether more follow.
    pub fragment: Option<(u16, bool)>,
    /// IPv4 options; a multiple of four.
    pub options: Vec<u8>,
    /// IPv6 extension headers before the fragment header: type and bytes without the first one, which names the next.
    pub headers: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Ip {
    pub fn of(source: &str, destination: &str, protocol: u8, payload: Vec<u8>) -> Self {
        let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
        assert_eq!(source.is_ipv4(), destination.is_ipv4(), "two families");
        Self {
            source,
            destination,
            protocol,
            hops: 64,
            id: 7,
            fragment: None,
            options: Vec::new(),
            headers: Vec::new(),
            payload,
        }
    }

    pub fn tcp(source: (&str, u16), destination: (&str, u16), flags: u8) -> Self {
        let mut payload = ports(source.1, destination.1);
        payload.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        Self::of(source.0, destination.0, TCP, payload)
    }

    pub fn udp(source: (&str, u16), destination: (&str, u16)) -> Self {
        let mut payload = ports(source.1, destination.1);
        payload.extend([0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        Self::of(source.0, destination.0, UDP, payload)
    }

    pub fn sctp(source: (&str, u16), destination: (&str, u16), chunk: u8) -> Self {
        let mut payload = ports(source.1, destination.1);
        payload.extend([0, 0, 0, 9, 1, 2, 3, 4, chunk, 0, 0, 4]);
        Self::of(source.0, destination.0, SCTP, payload)
    }

    /// Of either transport protocol, by its number; TCP opens.
    pub fn opening(protocol: u8, source: (&str, u16), destination: (&str, u16)) -> Self {
        match protocol {
            TCP => Self::tcp(source, destination, SYN),
            UDP => Self::udp(source, destination),
            SCTP => Self::sctp(source, destination, 1),
            _ => Self::of(source.0, destination.0, protocol, vec![0; 16]),
        }
    }

    pub fn echo(source: &str, destination: &str, id: u16, request: bool) -> Self {
        let (protocol, kind) = match (source.contains(':'), request) {
            (false, true) => (ICMP, 8),
            (false, false) => (ICMP, 0),
            (true, true) => (ICMPV6, 128),
            (true, false) => (ICMPV6, 129),
        };
        let [a, b] = id.to_be_bytes();
        Self::of(source, destination, protocol, vec![kind, 0, 0, 0, a, b, 0, 1])
    }

    /// "Port unreachable", about `quoted`, of which `kept` bytes come with it.
    pub fn error(source: &str, destination: &str, quoted: &Self, kept: usize) -> Self {
        let (protocol, kind, code) = if source.contains(':') { (ICMPV6, 1, 4) } else { (ICMP, 3, 3) };
        let mut payload = vec![kind, code, 0, 0, 0, 0, 0, 0];
        let inner = quoted.packet();
        payload.extend(inner.get(..kept.min(inner.len())).unwrap());
        Self::of(source, destination, protocol, payload)
    }

    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// Two fragments, cut after `at` bytes of the payload.
    pub fn cut(&self, at: usize) -> [Self; 2] {
        assert!(at.is_multiple_of(8));
        let (head, rest) = self.payload.split_at(at);
        let [mut first, mut later] = [self.clone(), self.clone()];
        first.payload = head.to_vec();
        first.fragment = Some((0, true));
        later.payload = rest.to_vec();
        later.fragment = Some((u16::try_from(at / 8).unwrap(), false));
        [first, later]
    }

    /// With an IPv6 header of this type, eight bytes long.
    pub fn header(mut self, kind: u8) -> Self {
        self.headers
            .push((kind, if kind == 51 { vec![0; 7] } else { vec![0, 1, 4, 0, 0, 0, 0] }));
        self
    }

    /// The IP packet.
    pub fn packet(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4(source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.ipv6(source, destination),
            _ => panic!("two families"),
        }
    }

    /// In an Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9];
        bytes.extend(if self.source.is_ipv4() { [8, 0] } else { [0x86, 0xdd] });
        bytes.extend(self.packet());
        bytes
    }

    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut bytes = vec![0x40 | u8::try_from(header / 4).unwrap(), 0];
        bytes.extend(u16::try_from(header + self.payload.len()).unwrap().to_be_bytes());
        bytes.extend((self.id as u16).to_be_bytes());
        let (offset, more) = self.fragment.unwrap_or_default();
        bytes.extend((offset | u16::from(more) << 13).to_be_bytes());
        bytes.extend([self.hops, self.protocol, 0, 0]);
        bytes.extend(source.octets());
        bytes.extend(destination.octets());
        bytes.extend(&self.options);
        bytes.extend(&self.payload);
        bytes
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut chain = self.headers.clone();
        if let Some((offset, more)) = self.fragment {
            let mut bytes = vec![0];
            bytes.extend((offset << 3 | u16::from(more)).to_be_bytes());
            bytes.extend(self.id.to_be_bytes());
            chain.push((44, bytes));
        }
        let kinds: Vec<u8> = chain.iter().map(|(kind, _)| *kind).chain([self.protocol]).collect();
        let mut body = Vec::new();
        for ((_, bytes), next) in chain.iter().zip(kinds.iter().skip(1)) {
            body.push(*next);
            body.extend(bytes);
        }
        body.extend(&self.payload);
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend([*kinds.first().unwrap(), self.hops]);
        bytes.extend(source.octets());
        bytes.extend(destination.octets());
        bytes.extend(body);
        bytes
    }
}

fn ports(source: u16, destination: u16) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes()].concat()
}
