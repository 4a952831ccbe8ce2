//! The programs over a table of records, with the loopback as ENI: that is where a test run puts a frame.

use std::net::IpAddr;

use terway_bpf::{Address, Endpoint, Eni, EniFlags, ProgramName, Programs, Reason, Run, SkBuff, Verdict};

use super::Bpffs;
use super::packet::Frame;

pub const ENI: u32 = 1;

/// Addresses of the tests, in pairs of both families.
pub const POD: [&str; 2] = ["10.0.0.7", "fd00::7"];
pub const OTHER: [&str; 2] = ["10.0.0.8", "fd00::8"];
pub const NODE: [&str; 2] = ["10.0.0.2", "fd00::2"];
pub const REMOTE: [&str; 2] = ["10.9.9.9", "fd99::9"];

pub struct Stage {
    pub programs: Programs,
    _bpffs: Bpffs,
}

impl Stage {
    /// The ENI is a trunk.
    pub fn trunk() -> Self {
        Self::with(Eni {
            flags: EniFlags::TRUNK,
            ..Eni::default()
        })
    }

    pub fn with(eni: Eni) -> Self {
        let bpffs = Bpffs::mount();
        let mut programs = Programs::open(bpffs.path()).unwrap();
        programs.maps.enis.put(&ENI, &eni).unwrap();
        Self { programs, _bpffs: bpffs }
    }

    /// The record for both addresses of a pair.
    pub fn endpoint(&mut self, pair: [&str; 2], record: Endpoint) {
        for address in pair {
            record_for(&mut self.programs, address, Endpoint { eni: ENI, ..record });
        }
    }

    pub fn come_in(&self, frame: &Frame) -> Run {
        self.run(ProgramName::EniIn, &frame.bytes(), &SkBuff::default())
    }

    pub fn leave(&self, frame: &Frame) -> Run {
        self.run(ProgramName::EniOut, &frame.bytes(), &SkBuff::default())
    }

    pub fn run(&self, name: ProgramName, frame: &[u8], skb: &SkBuff) -> Run {
        self.programs.program(name).run(frame, skb, 1).unwrap()
    }

    pub fn packets(&self, reason: Reason) -> u64 {
        self.programs.maps.counters.get(reason).unwrap().packets
    }

    /// What the run counts, beside the verdict.
    pub fn judged(&self, run: impl FnOnce(&Self) -> Run) -> (Verdict, Vec<Reason>) {
        let before = Reason::ALL.map(|reason| self.packets(reason));
        let run = run(self);
        let counted = Reason::ALL
            .into_iter()
            .zip(before)
            .filter(|(reason, before)| self.packets(*reason) > *before);
        (run.verdict, counted.map(|(reason, _)| reason).collect())
    }
}

/// Writes the record of one address.
pub fn record_for(programs: &mut Programs, address: &str, record: Endpoint) {
    let key = Address::from(address.parse::<IpAddr>().unwrap());
    programs.maps.endpoints.put(&key, &record).unwrap();
}
