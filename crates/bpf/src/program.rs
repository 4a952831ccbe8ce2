use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};

use crate::Error;

/// A program by its hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramName {
    /// Ingress of an ENI: `eni_in`.
    EniIn,
    /// Egress of an ENI: `eni_out`.
    EniOut,
    /// What comes out of a pod: `from_pod`.
    FromPod,
    /// What goes into a pod: `to_pod`.
    ToPod,
}

impl ProgramName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EniIn, Self::EniOut, Self::FromPod, Self::ToPod];

    /// The name in the object, in the pin directory and in `tc` and `bpftool`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EniIn => "eni_in",
            Self::EniOut => "eni_out",
            Self::FromPod => "from_pod",
            Self::ToPod => "to_pod",
        }
    }
}

/// A loaded program, of type `BPF_PROG_TYPE_SCHED_CLS`, for a `cls_bpf` filter with direct action.
pub struct Program {
    classifier: SchedClassifier,
    id: u32,
    tag: [u8; 8],
}

impl Program {
    pub(crate) fn new(classifier: SchedClassifier, name: ProgramName) -> Result<Self, Error> {
        let action = || format!("reading the program {}", name.as_str());
        let info = classifier.info().map_err(|error| Error::from_cause(action(), &error))?;
        let (id, tag) = (info.id(), info.tag().to_be_bytes());
        classifier.fd().map_err(|error| Error::from_cause(action(), &error))?;
        Ok(Self { classifier, id, tag })
    }

    /// For `TCA_BPF_FD`. The filter holds the program by itself afterwards.
    ///
    /// # Errors
    /// None once the program was opened.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.classifier
            .fd()
            .map(AsFd::as_fd)
            .map_err(|error| Error::from_cause("using the program", &error))
    }

    /// As a dump of the filter shows it (`TCA_BPF_ID`). Another build has another one: then the filter is to be replaced.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// As a dump of the filter shows it (`TCA_BPF_TAG`): a hash of the instructions, the same on every node.
    #[must_use]
    pub const fn tag(&self) -> [u8; 8] {
        self.tag
    }

    /// Runs the program over a frame without sending anything (`BPF_PROG_TEST_RUN`); maps change as by a real one.
    ///
    /// # Errors
    /// A frame shorter than a link header, a context that this kernel does not take.
    pub fn run(&self, frame: &[u8], skb: &SkBuff, repeat: u32) -> Result<Run, Error> {
        // Room for a tag more, and for what the kernel adds.
        let mut data = vec![0; frame.len() + 64];
        let context_in = skb.to_bytes();
        let mut context = [0; SkBuff::ROOM];
        let result = self
            .classifier
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut data),
                ctx_in: Some(&context_in),
                ctx_out: Some(&mut context),
                repeat,
                ..TestRunOptions::new()
            })
            .map_err(|error| Error::from_cause("a test run", &error))?;
        data.truncate(usize::try_from(result.data_size_out).unwrap_or(0));
        Ok(Run {
            verdict: Verdict(result.return_value.cast_signed()),
            frame: data,
            skb: SkBuff::from_bytes(&context),
            nanoseconds: u64::try_from(result.duration.as_nanos()).unwrap_or(u64::MAX),
        })
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("id", &self.id)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// What a program returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict(pub i32);

impl Verdict {
    /// `TC_ACT_UNSPEC`: the next filter decides; without one the packet passes.
    pub const CONTINUE: Self = Self(-1);
    /// `TC_ACT_SHOT`.
    pub const DROP: Self = Self(2);
    /// `TC_ACT_REDIRECT`.
    pub const REDIRECT: Self = Self(7);
}

/// What a test run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The verdict of the last repetition.
    pub verdict: Verdict,
    /// The frame afterwards; a tag that stands beside it is not shown.
    pub frame: Vec<u8>,
    /// The fields afterwards.
    pub skb: SkBuff,
    /// Mean time of one repetition.
    pub nanoseconds: u64,
}

/// Fields of `struct __sk_buff` that a test run may set and shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SkBuff {
    /// Interface on whose hook the program runs, in the caller's network namespace; 0 is the loopback.
    pub ifindex: u32,
    /// `skb->priority`.
    pub priority: u32,
    /// Departure time, ns of the monotonic clock.
    pub tstamp: u64,
    /// Bytes on the wire; 0 is the frame's length.
    pub wire_len: u32,
    /// Packets in a large segment.
    pub gso_segs: u32,
    /// Payload bytes of each.
    pub gso_size: u32,
}

impl SkBuff {
    /// Up to and with `gso_size`, which 5.10 knows; the kernel takes a shorter context than its own.
    const SIZE: usize = 180;
    /// For the kernel's own, 192 bytes in 6.18: a shorter room is an error.
    const ROOM: usize = 512;

    // Offsets in struct __sk_buff, include/uapi/linux/bpf.h.
    const PRIORITY: usize = 32;
    const IFINDEX: usize = 40;
    const TSTAMP: usize = 152;
    const WIRE_LEN: usize = 160;
    const GSO_SEGS: usize = 164;
    const GSO_SIZE: usize = 176;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let mut put = |offset: usize, value: &[u8]| {
            if let Some(room) = bytes.get_mut(offset..offset + value.len()) {
                room.copy_from_slice(value);
            }
        };
        put(Self::IFINDEX, &self.ifindex.to_ne_bytes());
        put(Self::PRIORITY, &self.priority.to_ne_bytes());
        put(Self::TSTAMP, &self.tstamp.to_ne_bytes());
        put(Self::WIRE_LEN, &self.wire_len.to_ne_bytes());
        put(Self::GSO_SEGS, &self.gso_segs.to_ne_bytes());
        put(Self::GSO_SIZE, &self.gso_size.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |offset: usize| -> u32 {
            let four = bytes.get(offset..offset + 4).and_then(|four| four.try_into().ok());
            four.map_or(0, u32::from_ne_bytes)
        };
        let eight = bytes
            .get(Self::TSTAMP..Self::TSTAMP + 8)
            .and_then(|eight| eight.try_into().ok());
        Self {
            ifindex: word(Self::IFINDEX),
            priority: word(Self::PRIORITY),
            tstamp: eight.map_or(0, u64::from_ne_bytes),
            wire_len: word(Self::WIRE_LEN),
            gso_segs: word(Self::GSO_SEGS),
            gso_size: word(Self::GSO_SIZE),
        }
    }
}
