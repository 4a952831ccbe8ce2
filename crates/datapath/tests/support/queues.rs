//! Qdiscs of an ENI as `tc` shows them, and whether the kernel has a kind of them at all.

use std::collections::BTreeMap;

use super::namespace::Namespace;

/// True, with the reason printed, where the kernel has no qdisc of this kind.
pub fn lacks(test: &str, kind: &str) -> bool {
    let tried = try_qdisc(kind);
    if let Err(error) = &tried {
        println!("SKIP {test}: this kernel has no qdisc {kind} ({})", error.trim());
    }
    tried.is_err()
}

/// Makes one on a link of its own.
pub fn try_qdisc(kind: &str) -> Result<(), String> {
    let probe = Namespace::new();
    probe.ip("link add probe0 type veth peer name probe1");
    probe.try_tc(&format!("qdisc add dev probe0 root {kind}")).map(drop)
}

/// Kind, handle (`7472:`) and place (`root`, `parent 7472:1`) of each qdisc of ours on `eth1`, in order.
pub fn ours(host: &Namespace) -> Vec<(String, String, String)> {
    let all = host.tc("qdisc show dev eth1");
    let mut found: Vec<_> = all
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (kind, handle) = (words.get(1)?, words.get(2)?);
            let major = u32::from_str_radix(handle.trim_end_matches(':'), 16).ok()?;
            if !(0x7400..0x8000).contains(&major) {
                return None;
            }
            let place = match words.get(3..)? {
                ["root", ..] => "root".to_owned(),
                ["parent", class, ..] => format!("parent {class}"),
                _ => return None,
            };
            Some(((*kind).to_owned(), (*handle).to_owned(), place))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Packets that each band of `prio` on `eth1` has sent so far, all queues of the ENI together.
pub fn bands(host: &Namespace) -> BTreeMap<String, u64> {
    let mut sent = BTreeMap::new();
    let mut band = None;
    for line in host.tc("-s class show dev eth1").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["class", "prio", id, ..] => band = id.split(':').nth(1).map(str::to_owned),
            ["class", ..] => band = None,
            ["Sent", _, "bytes", packets, "pkt", ..] => {
                if let Some(band) = band.take() {
                    *sent.entry(band).or_default() += packets.parse::<u64>().unwrap();
                }
            }
            _ => {}
        }
    }
    sent
}
