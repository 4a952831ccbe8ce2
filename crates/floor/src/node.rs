//! What all pods of an ENI share, made once: the node's sysctls, the ENI's table and the shared rule. No call is timed with it
//! but the first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::family::Family;
use crate::message::{FRA_SUPPRESS_PREFIXLEN, link_message, route_message, rule_message};
use crate::netlink::{Batch, CREATE, Socket};
use crate::pair::Pair;
use crate::sys;

/// Tables of the ENIs that are ready.
#[derive(Default)]
pub struct Node(Mutex<HashMap<(String, bool), u32>>);

impl Node {
    /// The number of the ENI's table, 1000 + its index; makes what is missing.
    ///
    /// # Errors
    /// An ENI that does not exist, a request that the kernel refuses.
    pub fn ensure(&self, pair: &Pair, host: &mut Socket) -> Result<u32, String> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (pair.eni.clone(), pair.families.iter().any(|family| family.address.is_ipv6()));
        if let Some(table) = ready.get(&key) {
            return Ok(*table);
        }
        let eni = sys::interface_index(&pair.eni).map_err(|error| format!("ENI {}: {error}", pair.eni))?;
        let table = 1000 + eni;
        for (path, value) in [
            ("ipv4/conf/all/forwarding", "1"),
            ("ipv4/conf/default/forwarding", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/conf/default/forwarding", "1"),
            ("ipv6/conf/default/accept_ra", "0"),
        ] {
            if path.starts_with("ipv4") || key.1 {
                sys::set_sysctl(path, value).map_err(|error| format!("sysctl {path}: {error}"))?;
            }
        }
        let mut batch = Batch::default();
        batch.push("ENI up", libc::RTM_NEWLINK, 0, |message| {
            link_message(message, eni, Some(true))
        });
        for family in &pair.families {
            shared(&mut batch, family, eni, table);
        }
        // An earlier run, or the product in the same namespace, may have made them.
        host.send(&batch, &[libc::EEXIST])?;
        ready.insert(key, table);
        Ok(table)
    }
}

fn shared(batch: &mut Batch, family: &Family, eni: u32, table: u32) {
    let default = family.unspecified();
    batch.push("default route of the ENI", libc::RTM_NEWROUTE, CREATE, |message| {
        route_message(message, table, (default, 0), Some(family.gateway), eni);
    });
    // 512 looks at host routes of main only, so that pods of this node are found and nothing else is captured.
    batch.push("shared rule", libc::RTM_NEWRULE, CREATE, |message| {
        rule_message(message, 512, None, default.is_ipv6(), libc::RT_TABLE_MAIN.into());
        message.number(FRA_SUPPRESS_PREFIXLEN, u32::from(family.bits()) - 1);
    });
}
