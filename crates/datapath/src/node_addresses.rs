//! Keeps the programs' list of the node's own addresses: what comes from them or goes to them is never judged.
//!
//! IPVS gives the node every Service address, on a device of its own; those are not the node. Link-local addresses are not listed either: the node has one on
//! each pair, and what is sent from them is neighbour discovery, which passes anyway.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
use crate::kernel::waker::Waker;
use crate::object::{Device, Family};
use crate::policy;

/// Where kube-proxy binds Service addresses in IPVS mode.
const IPVS: &str = "kube-ipvs0";

/// See the module.
#[derive(Default)]
pub struct NodeAddresses(Mutex<Option<Keeper>>);

struct Keeper {
    stopped: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl NodeAddresses {
    /// Lists them now and keeps the list until `stop`; the second call does nothing.
    pub fn keep(&self, inner: &Arc<Inner>) -> Result<()> {
        let mut keeper = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.is_some() {
            return Ok(());
        }
        let open = || Ok((Monitor::open(&[RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR])?, Socket::open()?));
        let (monitor, mut socket) = inner.shared.home.inside(open)?;
        write(inner, &mut socket)?;
        let (stopped, waker) = (Arc::new(AtomicBool::new(false)), Arc::new(Waker::new()?));
        let (run_stopped, run_waker, inner) = (Arc::clone(&stopped), Arc::clone(&waker), Arc::clone(inner));
        let run = move || serve(&inner, &run_stopped, &run_waker, monitor, socket);
        let spawned = thread::Builder::new().name("terway-address".into()).spawn(run);
        let thread = spawned.map_err(|cause| Error::system("spawn", &cause))?;
        *keeper = Some(Keeper { stopped, waker, thread });
        Ok(())
    }

    /// Ends the thread; the list stays.
    pub fn stop(&self) {
        if let Some(keeper) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.stopped.store(true, Ordering::Relaxed);
            keeper.waker.wake();
            drop(keeper.thread.join());
        }
    }
}

fn serve(inner: &Inner, stopped: &AtomicBool, waker: &Waker, mut monitor: Monitor, mut socket: Socket) {
    while !stopped.load(Ordering::Relaxed) {
        waker.sleep(Some(monitor.as_fd()), None);
        let mut changed = false;
        loop {
            match monitor.read(|_| changed = true) {
                Ok(News::Read) => {}
                Ok(News::Lost) => changed = true,
                Ok(News::Empty) | Err(_) => break,
            }
        }
        if changed {
            // What fails now is written with the next change.
            drop(write(inner, &mut socket));
        }
    }
}

fn write(inner: &Inner, socket: &mut Socket) -> Result<()> {
    let addresses = read(socket)?;
    policy::set_node_addresses(&inner.shared.programs, &addresses).map(drop)
}

fn read(socket: &mut Socket) -> Result<HashSet<IpAddr>> {
    let ipvs = observe::link_by_name(socket, IPVS)?.map(|link| Device::Index(link.index));
    let mut found = HashSet::new();
    for family in [Family::V4, Family::V6] {
        let all = observe::addresses(socket, family, 0)?.into_iter();
        let own = all
            .filter(|address| Some(address.device) != ipvs)
            .map(|address| address.prefix.address);
        found.extend(own.filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())));
    }
    Ok(found)
}
