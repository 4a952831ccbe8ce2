use std::path::{Path, PathBuf};

use aya::programs::{ProgramError, SchedClassifier};
use aya::{Ebpf, EbpfLoader};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use terway_abi::map;

use crate::object::{self, BUILD};
use crate::pin::{self, Pins};
use crate::takeover::{self, Takeover};
use crate::{Error, Maps, Program, ProgramName, verifier};

/// The node's programs and maps.
#[derive(Debug)]
pub struct Programs {
    /// The maps that user space writes and reads.
    pub maps: Maps,
    all: [Program; ProgramName::ALL.len()],
    opened: Opened,
    bpffs: PathBuf,
    takeover: Option<Takeover>,
}

/// Where the programs came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// From the pins of an earlier opening by the same build.
    Pinned,
    /// Loaded now: the first opening, or another build. Filters that hold older ones are to be replaced.
    Loaded,
}

impl Programs {
    /// Opens the pinned programs under `bpffs`, or loads them and pins them. Maps keep their contents, also when another build loads its own programs.
    ///
    /// # Errors
    /// See [`Error`]; nothing of an earlier opening is changed then, but maps that were missing may have been made.
    pub fn open(bpffs: &Path) -> Result<Self, Error> {
        let pins = Pins::open(bpffs)?;
        let parsed = object::parse()?;
        let ids = pins.check_shapes(&parsed)?;
        let (programs, opened) = match pins.programs(&ids) {
            Some(programs) => (programs, Opened::Pinned),
            None => {
                load(&pins)?;
                let ids = pins.check_shapes(&parsed)?;
                let missing = || Error::Object("its programs are not where they were pinned".to_owned());
                (pins.programs(&ids).ok_or_else(missing)?, Opened::Loaded)
            }
        };
        let takeover = Takeover::find(&pins)?;
        match &takeover {
            Some(takeover) => takeover.begin(&pins)?,
            None => takeover::alone(&pins)?,
        }
        let all: Vec<Program> = programs
            .into_iter()
            .map(|(name, classifier)| Program::new(classifier, name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            maps: Maps::open(&pins)?,
            all: all.try_into().map_err(|_| Error::Object("a program is missing".to_owned()))?,
            opened,
            bpffs: bpffs.to_owned(),
            takeover,
        })
    }

    /// True while something of another layout is left: its programs stand on hooks, or its pins do. Then pods' records only watch until
    /// [`Self::decide`].
    #[must_use]
    pub const fn is_taking_over(&self) -> bool {
        self.takeover.is_some()
    }

    /// Once these programs stand on every hook behind those of the other layout: takes its flows over, and has the pods' records decide.
    ///
    /// # Errors
    /// See [`Error`]. It may be tried again.
    pub fn decide(&mut self) -> Result<(), Error> {
        match &mut self.takeover {
            Some(takeover) => takeover.decide(&Pins::open(&self.bpffs)?),
            None => Ok(()),
        }
    }

    /// Once these programs stand in the place of the other layout's: removes what is left of it, and lets packets go past the stack again.
    ///
    /// # Errors
    /// A pin that cannot be removed.
    pub fn end_takeover(&mut self) -> Result<(), Error> {
        if let Some(takeover) = &self.takeover {
            takeover.end(&Pins::open(&self.bpffs)?)?;
        }
        self.takeover = None;
        Ok(())
    }

    /// Removes all pins of this layout under `bpffs`, for the removal of the product from a node. Filters that still stand keep what they hold.
    ///
    /// # Errors
    /// A pin that cannot be removed.
    pub fn remove(bpffs: &Path) -> Result<(), Error> {
        pin::remove_all(bpffs)
    }

    /// A program, for its filter.
    #[must_use]
    pub const fn program(&self, name: ProgramName) -> &Program {
        let [eni_in, eni_out, from_pod, to_pod] = &self.all;
        match name {
            ProgramName::EniIn => eni_in,
            ProgramName::EniOut => eni_out,
            ProgramName::FromPod => from_pod,
            ProgramName::ToPod => to_pod,
        }
    }

    /// Where the programs came from.
    #[must_use]
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// Names the build of the programs.
    #[must_use]
    pub const fn build() -> &'static str {
        BUILD
    }
}

/// Has the kernel verify every program before any is pinned, then pins them all.
fn load(pins: &Pins) -> Result<(), Error> {
    raise_locked_memory();
    let mut loader = EbpfLoader::new();
    // Nothing is relocated against the kernel's types: the programs run on kernels without BTF too.
    loader.btf(None);
    for name in map::ALL {
        loader.map_pin_path(name, pins.map_path(name));
    }
    let mut ebpf = loader
        .load(object::BYTES)
        .map_err(|error| Error::from_cause("making the maps of the kernel programs", &error))?;
    for name in ProgramName::ALL {
        verify(classifier(&mut ebpf, name)?).map_err(|error| refused(name, error))?;
    }
    let directory = pins.fresh_programs()?;
    for name in ProgramName::ALL {
        let path = directory.join(name.as_str());
        classifier(&mut ebpf, name)?
            .pin(&path)
            .map_err(|error| Error::from_cause(format!("pinning {}", path.display()), &error))?;
    }
    pins.remove_other_programs()
}

/// The verifier gives up with EAGAIN when a signal is pending for the thread, as in a process that has children; libbpf tries as often.
fn verify(program: &mut SchedClassifier) -> Result<(), ProgramError> {
    const ATTEMPTS: u32 = 5;
    let interrupted = |error: &ProgramError| matches!(error, ProgramError::LoadError { io_error, .. } if io_error.kind() == std::io::ErrorKind::WouldBlock);
    for _ in 1..ATTEMPTS {
        match program.load() {
            Err(error) if interrupted(&error) => {}
            outcome => return outcome,
        }
    }
    program.load()
}

fn classifier(ebpf: &mut Ebpf, name: ProgramName) -> Result<&mut SchedClassifier, Error> {
    let missing = || Error::Object(format!("it has no classifier {}", name.as_str()));
    ebpf.program_mut(name.as_str())
        .ok_or_else(missing)?
        .try_into()
        .map_err(|_| missing())
}

fn refused(name: ProgramName, error: ProgramError) -> Error {
    match error {
        ProgramError::LoadError { io_error, verifier_log }
            if io_error.kind() != std::io::ErrorKind::PermissionDenied || !verifier_log.to_string().trim().is_empty() =>
        {
            Error::Refused {
                program: name.as_str(),
                log: verifier::condense(&verifier_log.to_string()),
                cause: io_error,
            }
        }
        other => Error::from_cause(format!("loading the program {}", name.as_str()), &other),
    }
}

/// Below Linux 5.11 maps count as locked memory of who makes them. A hard limit stays; then the kernel says so.
fn raise_locked_memory() {
    let all = Rlimit {
        current: None,
        maximum: None,
    };
    if setrlimit(Resource::Memlock, all).is_err() {
        let hard = getrlimit(Resource::Memlock).maximum;
        let _ = setrlimit(
            Resource::Memlock,
            Rlimit {
                current: hard,
                maximum: hard,
            },
        );
    }
}
