//! NetworkPolicy said twice: as rules that are gone through one by one, and as the tables that the programs look into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use terway_bpf::{PeerClass, PolicyEntry};

use super::ip::{SCTP, TCP, UDP};

/// SplitMix64: the same numbers for the same seed, everywhere.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub type Cidr = (IpAddr, u8);

#[derive(Clone, Copy)]
pub enum Peer {
    Everybody,
    /// Pods with this label.
    Label(u32),
    /// By its number.
    Block(usize),
}

pub struct Rule {
    pub number: u32,
    pub peers: Vec<Peer>,
    /// Protocol, first and last port; none: everything.
    pub ports: Vec<(u8, u16, u16)>,
}

pub struct Block {
    pub cidr: Cidr,
    pub except: Vec<Cidr>,
}

pub struct World {
    /// Labels of pods.
    pub pods: BTreeMap<IpAddr, BTreeSet<u32>>,
    pub blocks: Vec<Block>,
    pub sets: Vec<Vec<Rule>>,
}

impl World {
    pub fn of(chance: &mut Chance) -> Self {
        let blocks: Vec<Block> = (0..24).map(|_| block(chance)).collect();
        let mut pods = BTreeMap::new();
        for number in 0..80_u8 {
            // Half of them within blocks.
            let address = match number % 4 {
                0 => IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)),
                1 => IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, number.into())),
                _ => within(chance, blocks[usize::from(number) % blocks.len()].cidr),
            };
            let labels = (0..8).filter(|_| chance.below(3) == 0).collect();
            pods.insert(address, labels);
        }
        let mut number = 0;
        let mut rule = |chance: &mut Chance| {
            number += 1;
            let peers = (0..=chance.below(3)).map(|_| match chance.below(8) {
                0 => Peer::Everybody,
                1..=4 => Peer::Label(u32::try_from(chance.below(10)).unwrap()),
                _ => Peer::Block(chance.below(24)),
            });
            let peers = peers.collect();
            let ports = (0..chance.below(4)).map(|_| {
                let from = *chance.pick(&PORTS);
                let to = match chance.below(3) {
                    0 => from.saturating_add(u16::try_from(chance.below(3000)).unwrap()),
                    1 => from,
                    _ => u16::MAX,
                };
                (*chance.pick(&[TCP, UDP, SCTP]), from, to)
            });
            Rule {
                number,
                peers,
                ports: ports.collect(),
            }
        };
        let sets = (0..16).map(|size| (0..size % 6).map(|_| rule(chance)).collect()).collect();
        Self { pods, blocks, sets }
    }

    /// The rules, one by one.
    pub fn allows(&self, set: usize, remote: IpAddr, protocol: u8, port: u16) -> bool {
        self.sets[set].iter().any(|rule| {
            let peer = rule.peers.iter().any(|peer| match peer {
                Peer::Everybody => true,
                Peer::Label(label) => self.pods.get(&remote).is_some_and(|labels| labels.contains(label)),
                Peer::Block(block) => {
                    let Block { cidr, except } = &self.blocks[*block];
                    holds(*cidr, remote) && !except.iter().any(|except| holds(*except, remote))
                }
            });
            let ports = rule.ports.is_empty()
                || rule
                    .ports
                    .iter()
                    .any(|(of, from, to)| *of == protocol && (*from..=*to).contains(&port));
            peer && ports
        })
    }

    /// An address worth trying.
    pub fn remote(&self, chance: &mut Chance) -> IpAddr {
        match chance.below(4) {
            0 | 1 => *self.pods.keys().nth(chance.below(self.pods.len())).unwrap(),
            2 => {
                let number = chance.below(self.blocks.len());
                let block = &self.blocks[number];
                let all: Vec<Cidr> = block.except.iter().copied().chain([block.cidr]).collect();
                let cidr = *chance.pick(&all);
                within(chance, cidr)
            }
            _ if chance.below(2) == 0 => IpAddr::V4(Ipv4Addr::from(chance.next() as u32 | 0x2000_0000)),
            _ => IpAddr::V6(Ipv6Addr::from(u128::from(chance.next()) | 0x2001 << 112)),
        }
    }

    /// What the tables hold: classes of addresses and of CIDRs, and each set's entries.
    pub fn tables(&self) -> Tables {
        let mut classes = Classes::default();
        let peers = self
            .pods
            .keys()
            .map(|address| (*address, classes.number(self.seen_of(*address))))
            .collect();
        let mut cidrs: BTreeSet<Cidr> = BTreeSet::new();
        for block in &self.blocks {
            cidrs.insert(block.cidr);
            cidrs.extend(&block.except);
        }
        // Every address of a prefix, but for those of longer ones, is in the same blocks.
        let blocks = cidrs
            .iter()
            .map(|(address, length)| (*address, *length, classes.number(self.blocks_of(*address, *length))));
        let blocks = blocks.collect();
        let sets = self.sets.iter().map(|rules| entries(rules, &classes)).collect();
        Tables { peers, blocks, sets }
    }

    fn seen_of(&self, address: IpAddr) -> BTreeSet<Seen> {
        let mut seen = self.blocks_of(address, if address.is_ipv4() { 32 } else { 128 });
        seen.extend(self.pods[&address].iter().map(|label| Seen::Label(*label)));
        seen
    }

    fn blocks_of(&self, address: IpAddr, length: u8) -> BTreeSet<Seen> {
        let inside = |cidr: &Cidr| cidr.1 <= length && holds(*cidr, address);
        let holding = |block: &&(usize, &Block)| inside(&block.1.cidr) && !block.1.except.iter().any(inside);
        let numbered: Vec<(usize, &Block)> = self.blocks.iter().enumerate().collect();
        numbered
            .iter()
            .filter(holding)
            .map(|(number, _)| Seen::Block(*number))
            .collect()
    }
}

/// Ports at the edges of prefixes.
const PORTS: [u16; 12] = [1, 53, 79, 80, 443, 1023, 1024, 8000, 8080, 30_000, 32_767, 65_535];

/// A port worth trying.
pub fn port(chance: &mut Chance) -> u16 {
    match chance.below(3) {
        0 => chance.next() as u16,
        _ => chance.pick(&PORTS).wrapping_add(*chance.pick(&[0, 0, 1, u16::MAX])),
    }
}

pub struct Tables {
    pub peers: Vec<(IpAddr, u64)>,
    pub blocks: Vec<(IpAddr, u8, u64)>,
    pub sets: Vec<Vec<PolicyEntry>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Seen {
    Label(u32),
    Block(usize),
}

#[derive(Default)]
struct Classes(HashMap<Vec<Seen>, u64>);

impl Classes {
    fn number(&mut self, seen: BTreeSet<Seen>) -> u64 {
        let next = 0xc1a5_0000_0000_0000 + self.0.len() as u64;
        *self.0.entry(seen.into_iter().collect()).or_insert(next)
    }
}

fn entries(rules: &[Rule], classes: &Classes) -> Vec<PolicyEntry> {
    let mut entries = Vec::new();
    for rule in rules {
        let mut named: Vec<u64> = Vec::new();
        for peer in &rule.peers {
            let wanted = match peer {
                Peer::Everybody => {
                    named.push(PeerClass::EVERYBODY);
                    continue;
                }
                Peer::Label(label) => Seen::Label(*label),
                Peer::Block(block) => Seen::Block(*block),
            };
            named.extend(
                classes
                    .0
                    .iter()
                    .filter(|(seen, _)| seen.contains(&wanted))
                    .map(|(_, class)| *class),
            );
        }
        let everything = [(0, 0, u16::MAX)];
        let ports = if rule.ports.is_empty() {
            everything.as_slice()
        } else {
            &rule.ports
        };
        for class in named {
            entries.extend(ports.iter().map(|(protocol, from, to)| PolicyEntry {
                class,
                protocol: *protocol,
                from: *from,
                to: *to,
                rule: rule.number,
            }));
        }
    }
    entries
}

fn block(chance: &mut Chance) -> Block {
    let cidr = if chance.below(2) == 0 {
        let base = Ipv4Addr::new(
            10,
            u8::try_from(chance.below(4)).unwrap(),
            chance.next() as u8,
            chance.next() as u8,
        );
        narrow(chance, (IpAddr::V4(base), 0), 8)
    } else {
        let base = u128::from(chance.next()) << 40 | 0xfd01 << 112;
        narrow(chance, (IpAddr::V6(Ipv6Addr::from(base)), 0), 16)
    };
    let except = (0..chance.below(3)).map(|_| {
        let inner = within(chance, cidr);
        narrow(chance, (inner, cidr.1), cidr.1)
    });
    Block {
        cidr,
        except: except.collect(),
    }
}

/// A CIDR around the address, longer than `least`.
fn narrow(chance: &mut Chance, (address, _): Cidr, least: u8) -> Cidr {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = least + u8::try_from(chance.below(usize::from(bits - least) + 1)).unwrap();
    (masked(address, length), length)
}

fn within(chance: &mut Chance, (address, length): Cidr) -> IpAddr {
    match address {
        IpAddr::V4(base) => {
            let hosts = u32::MAX.checked_shr(length.into()).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(base) | chance.next() as u32 & hosts))
        }
        IpAddr::V6(base) => {
            let hosts = u128::MAX.checked_shr(length.into()).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(base) | u128::from(chance.next()) & hosts))
        }
    }
}

fn holds((base, length): Cidr, address: IpAddr) -> bool {
    base.is_ipv4() == address.is_ipv4() && masked(address, length) == base
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
        }
    }
}
