use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use aya::maps::{Map, MapData, RingBuf};
use terway_abi::{Address, Sample, map};

use crate::Error;

/// Packets that were dropped, at most [`Sample::BURST`] of each processor in a second. One reader gets each.
pub struct Samples(RingBuf<MapData>);

impl Samples {
    pub(crate) fn new(data: MapData) -> Result<Self, Error> {
        RingBuf::try_from(Map::RingBuf(data))
            .map(Self)
            .map_err(|error| Error::from_cause(format!("opening the map {}", map::SAMPLES), &error))
    }

    /// Takes out those that have come.
    pub fn drain(&mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        while let Some(item) = self.0.next() {
            samples.extend(read(&item));
        }
        samples
    }
}

impl AsFd for Samples {
    /// Readable when samples have come (`epoll`).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Fields at their offsets in [`Sample`].
fn read(bytes: &[u8]) -> Option<Sample> {
    let bytes: &[u8; size_of::<Sample>()] = bytes.try_into().ok()?;
    let field = |offset: usize, length: usize| bytes.get(offset..offset + length);
    let half = |offset| field(offset, 2)?.try_into().ok().map(u16::from_ne_bytes);
    let word = |offset| field(offset, 4)?.try_into().ok().map(u32::from_ne_bytes);
    let address = |offset| field(offset, 16)?.try_into().ok().map(Address);
    let byte = |offset: usize| bytes.get(offset).copied();
    Some(Sample {
        time: field(0, 8)?.try_into().ok().map(u64::from_ne_bytes)?,
        endpoint: word(8)?,
        reason: word(12)?,
        source: address(16)?,
        destination: address(32)?,
        source_port: half(48)?,
        destination_port: half(50)?,
        protocol: byte(52)?,
        direction: byte(53)?,
        tcp_flags: byte(54)?,
        reserved: 0,
        length: word(56)?,
        spare: 0,
    })
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Samples").field(&self.0.as_raw_fd()).finish()
    }
}
