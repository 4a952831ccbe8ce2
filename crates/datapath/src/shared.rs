//! What the threads of one datapath share.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::arrival::Arrivals;
use crate::error::Result;
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::ledger::Ledger;
use crate::mark::is_eni;
use crate::masquerade::Masquerade;
use crate::object::{Mac, Record};
use crate::observed::ObservedLink;
use crate::pool::Worker;
use crate::programs::{ProgramIds, ProgramStore};
use crate::reaper::Reaper;
use crate::registry::Registry;
use crate::symmetric::Symmetric;

/// The device of the node's IPv6 default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Interface index.
    pub index: u32,
    /// The route came from a router advertisement.
    pub advertised: bool,
    /// It has a global IPv6 address.
    pub addressed: bool,
}

/// See the module.
pub struct Shared {
    /// The host namespace.
    pub home: Arc<Netns>,
    /// Guarded attachments.
    pub registry: Mutex<Registry>,
    /// Where ENIs were seen last.
    enis: Mutex<HashMap<Mac, u32>>,
    /// The device of the node's IPv6 default route, if there is one; nothing until somebody has looked.
    uplink: Mutex<Option<Option<Uplink>>>,
    /// The batch deleter.
    pub reaper: Reaper,
    /// Calls that wait for an ENI.
    pub arrivals: Arrivals,
    /// The host's rules.
    pub ledger: Ledger,
    /// Pods that leave with the node's address.
    pub masquerade: Masquerade,
    /// ENIs with our marks may be in namespaces that no attachment names.
    pub strays: AtomicBool,
    /// The kernel programs.
    pub programs: ProgramStore,
    /// Collection must not remove what an attach has just found to be there.
    making: RwLock<()>,
    /// Symmetric routing.
    symmetric: Mutex<Symmetric>,
    /// Port ids of our sockets: notifications that carry one are of our own making.
    pub own_ports: Mutex<HashSet<u32>>,
}

/// What a verb works with: the thread it runs on and what all threads share.
pub struct Context<'a> {
    /// The thread's own socket and namespace.
    pub worker: &'a mut Worker,
    /// Shared state.
    pub shared: &'a Shared,
}

impl Shared {
    /// Nothing guarded yet.
    pub fn new(home: &Arc<Netns>, bpffs: PathBuf) -> Result<Self> {
        let reaper = Reaper::start(home)?;
        let own_ports = Mutex::new(HashSet::from([reaper.port]));
        let arrivals = Arrivals::new(home)?;
        Ok(Self {
            home: Arc::clone(home),
            registry: Mutex::default(),
            enis: Mutex::default(),
            uplink: Mutex::default(),
            reaper,
            arrivals,
            ledger: Ledger::open(home)?,
            masquerade: Masquerade::default(),
            strays: AtomicBool::new(true),
            programs: ProgramStore::new(bpffs),
            making: RwLock::default(),
            symmetric: Mutex::default(),
            own_ports,
        })
    }

    /// Remembers ports of our sockets.
    pub fn add_own_ports(&self, ports: impl IntoIterator<Item = u32>) {
        self.own_ports.lock().unwrap_or_else(PoisonError::into_inner).extend(ports);
    }

    /// True if a notification with this port id is of our own making.
    pub fn is_own_port(&self, port: u32) -> bool {
        port != 0 && self.own_ports.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
    }

    /// The registry, locked; never hold it over a call into the kernel.
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Symmetric routing; held while it is made.
    pub fn symmetric(&self) -> MutexGuard<'_, Symmetric> {
        self.symmetric.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while an attachment is made or repaired.
    pub fn making(&self) -> RwLockReadGuard<'_, ()> {
        self.making.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while nobody makes or repairs.
    pub fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.making.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found the last time somebody looked for the IPv6 default route.
    pub fn uplink(&self) -> Option<Option<Uplink>> {
        *self.uplink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers it.
    pub fn set_uplink(&self, uplink: Option<Uplink>) {
        *self.uplink.lock().unwrap_or_else(PoisonError::into_inner) = Some(uplink);
    }

    /// The ENI with this MAC, if it is in the host namespace: where it was seen last, or among all links.
    pub fn find_eni(&self, socket: &mut Socket, mac: Mac) -> Result<Option<ObservedLink>> {
        let known = self.lock_enis().get(&mac).copied();
        if let Some(index) = known
            && let Some(link) = observe::link_by_index(socket, index)?.filter(|link| is_eni(link, mac))
        {
            return Ok(Some(link));
        }
        let found = pick_eni(&observe::links(socket)?, mac).cloned();
        match &found {
            Some(link) => self.lock_enis().insert(mac, link.index),
            None => self.lock_enis().remove(&mac),
        };
        Ok(found)
    }

    /// The programs' numbers for who needs them. A kernel that has none gives zeros, which no filter has; attaching says why.
    pub fn program_ids(&self, needed: bool) -> ProgramIds {
        if needed {
            self.programs.open().unwrap_or_default()
        } else {
            ProgramIds::default()
        }
    }

    /// The wanted records as they are now; none where there are no programs.
    pub fn see_records(&self, wanted: &[Record]) -> Vec<Record> {
        self.programs.records(wanted.iter().map(Record::key)).unwrap_or_default()
    }

    fn lock_enis(&self) -> MutexGuard<'_, HashMap<Mac, u32>> {
        self.enis.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hardware first, then the oldest: a link stacked on the ENI may copy its MAC.
pub fn pick_eni(links: &[ObservedLink], mac: Mac) -> Option<&ObservedLink> {
    links
        .iter()
        .filter(|link| is_eni(link, mac))
        .min_by_key(|link| (link.kind.is_some(), link.index))
}
