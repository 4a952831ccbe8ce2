//! Which pods leave the node with its own address: those whose ENI stands in the pod, for what they send through the node (Services).
//! Their backend's answer has to come back the same way, or nobody translates it back; with the pod's address it would come in through
//! the ENI. One nf_tables table of our own; it is there as long as one address is in it, and nothing else is touched.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::kernel::netns::Netns;
use crate::kernel::nftables::Nftables;

/// One for each family.
const RULES: usize = 2;
/// The subsystem is not there: nfnetlink without nf_tables, or no nfnetlink at all.
const EINVAL: i32 = 22;
const EPROTONOSUPPORT: i32 = 93;
const EOPNOTSUPP: i32 = 95;

/// See the module.
#[derive(Debug, Default)]
pub struct Masquerade(Mutex<Option<Nftables>>);

impl Masquerade {
    /// The addresses that are masqueraded now; none if the table's rules are not complete.
    pub fn addresses(&self, home: &Netns) -> Result<Vec<IpAddr>> {
        let read = self.with(home, |nftables| {
            if nftables.rules()? == RULES {
                nftables.addresses()
            } else {
                Ok(Vec::new())
            }
        });
        none_without_nf_tables(read)
    }

    /// Masquerades these addresses too. A table that somebody has damaged is made anew, with what was in it.
    pub fn add(&self, home: &Netns, addresses: &[IpAddr]) -> Result<()> {
        self.with(home, |nftables| {
            if nftables.rules()? == RULES {
                return nftables.add(addresses);
            }
            let mut all = nftables.addresses()?;
            all.extend(addresses);
            all.sort_unstable();
            all.dedup();
            nftables.make(&all)
        })
    }

    /// Takes out those for which `goes` is true, and the table with the last. Returns what was taken out.
    pub fn remove(&self, home: &Netns, goes: impl Fn(&IpAddr) -> bool) -> Result<Vec<IpAddr>> {
        let removed = self.with(home, |nftables| {
            let (gone, kept): (Vec<IpAddr>, Vec<IpAddr>) = nftables.addresses()?.into_iter().partition(goes);
            if gone.is_empty() {
                return Ok(gone);
            }
            if kept.is_empty() {
                nftables.destroy()?;
            } else {
                nftables.remove(&gone)?;
            }
            Ok(gone)
        });
        none_without_nf_tables(removed)
    }

    /// One at a time: whether the table goes with an address is decided here.
    fn with<T>(&self, home: &Netns, work: impl FnOnce(&mut Nftables) -> Result<T>) -> Result<T> {
        let mut open: MutexGuard<'_, Option<Nftables>> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut nftables = match open.take() {
            Some(nftables) => nftables,
            None => home.inside(Nftables::open)?,
        };
        let result = work(&mut nftables);
        // After a failure answers may be left unread: the next call starts with a new socket.
        if result.is_ok() {
            *open = Some(nftables);
        }
        result
    }
}

/// A kernel without nf_tables masquerades nobody; only the wish to do so is an error there.
fn none_without_nf_tables(result: Result<Vec<IpAddr>>) -> Result<Vec<IpAddr>> {
    match result {
        Err(error) if matches!(error.errno, Some(EINVAL | EPROTONOSUPPORT | EOPNOTSUPP)) => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
