//! Foreign edits that more than one mode has: of what the node has for all of them, and of pairs.

use terway_datapath::diff::Problem::{Different, Missing, Unexpected};

use super::drift::{Edit, dragging, edit};

/// Of the node; the kernel tells of them.
pub const NODE: &[Edit] = &[
    dragging(
        "sysctl ipv4/conf/all/forwarding 0",
        "sysctl net.ipv4.conf.all.forwarding",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/all/forwarding 0",
        "sysctl net.ipv6.conf.all.forwarding",
        Different,
    ),
];

/// Of the node; the kernel tells nobody of most.
pub const NODE_SILENT: &[Edit] = &[
    edit(
        "sysctl ipv4/conf/all/rp_filter 1",
        "sysctl net.ipv4.conf.all.rp_filter",
        Different,
    ),
    dragging(
        "sysctl ipv4/conf/default/forwarding 0",
        "sysctl net.ipv4.conf.default.forwarding",
        Different,
    ),
    dragging(
        "sysctl ipv4/conf/default/rp_filter 1",
        "sysctl net.ipv4.conf.default.rp_filter",
        Different,
    ),
];

/// Of the link of the host; the kernel tells nobody of most.
pub const LINK_SILENT: &[Edit] = &[
    edit(
        "sysctl ipv4/conf/HOST/forwarding 0",
        "sysctl net.ipv4.conf.HOST.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/HOST/rp_filter 1",
        "sysctl net.ipv4.conf.HOST.rp_filter",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/HOST/accept_ra 1",
        "sysctl net.ipv6.conf.HOST.accept_ra",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/HOST/forwarding 0",
        "sysctl net.ipv6.conf.HOST.forwarding",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/HOST/disable_ipv6 1",
        "sysctl net.ipv6.conf.HOST.disable_ipv6",
        Different,
    ),
];

/// Of the ENI on the node; the kernel tells nobody of most.
pub const ENI_SILENT: &[Edit] = &[
    edit(
        "sysctl ipv4/conf/eth1/forwarding 0",
        "sysctl net.ipv4.conf.eth1.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/accept_dad 1",
        "sysctl net.ipv6.conf.eth1.accept_dad",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/forwarding 0",
        "sysctl net.ipv6.conf.eth1.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/accept_ra 1",
        "sysctl net.ipv6.conf.eth1.accept_ra",
        Different,
    ),
];

/// In a pod with IPv6.
pub const POD_IPV6: &[Edit] = &[
    edit(
        "sysctl ipv6/conf/eth0/accept_dad 1",
        "sysctl net.ipv6.conf.eth0.accept_dad",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/eth0/disable_ipv6 1",
        "sysctl net.ipv6.conf.eth0.disable_ipv6",
        Different,
    ),
];

/// On the node, at the host end of a pair of any mode; the kernel tells of them.
pub const HOST_END: &[Edit] = &[
    edit("link set HOST mtu 1400", "link HOST", Different),
    edit("link set HOST alias nobody", "link HOST", Different),
    edit("route del 10.0.1.23/32 dev HOST", "route 10.0.1.23/32 dev HOST", Missing),
    edit(
        "-6 route del 2001:db8:1::17/128 dev HOST",
        "route 2001:db8:1::17/128 dev HOST",
        Missing,
    ),
    edit(
        "route add 10.9.9.9/32 dev HOST proto 116",
        "route 10.9.9.9/32 dev HOST",
        Unexpected,
    ),
    edit("neigh del 10.0.1.23 dev HOST", "neighbour 10.0.1.23 dev HOST", Missing),
    edit(
        "neigh del 2001:db8:1::17 dev HOST",
        "neighbour 2001:db8:1::17 dev HOST",
        Missing,
    ),
];

/// On the node, for a pod at the end of a pair on a shared ENI, beside those of the host end; the kernel tells of them.
pub const PAIR: &[Edit] = &[
    edit(
        "-6 route replace 2001:db8:1::17/128 dev HOST proto 116",
        "route 2001:db8:1::17/128 dev HOST",
        Different,
    ),
    edit("route replace 10.0.1.23/32 dev eth0", "route 10.0.1.23/32 dev HOST", Missing),
    edit(
        "rule add from 10.0.1.23 pref 2048 lookup 4711 proto 116",
        "rule 2048: from 10.0.1.23/32 lookup 4711",
        Unexpected,
    ),
    edit(
        "route del default table ENI dev eth1",
        "route default via 10.0.1.253 dev eth1 onlink table ENI",
        Missing,
    ),
    edit(
        "route del unreachable default table ENI",
        "route unreachable default table ENI",
        Missing,
    ),
    edit(
        "route replace default via 10.0.1.1 dev eth1 onlink table ENI",
        "route default via 10.0.1.253 dev eth1 onlink table ENI",
        Different,
    ),
    dragging("addr del 10.0.0.10/32 dev eth1", "address 10.0.0.10/32 dev eth1", Missing),
    edit(
        "-6 addr del 2001:db8::10/128 dev eth1",
        "address 2001:db8::10/128 dev eth1",
        Missing,
    ),
    edit("link set eth1 mtu 1400", "link eth1", Different),
    edit(
        "sysctl ipv4/conf/eth1/rp_filter 1",
        "sysctl net.ipv4.conf.eth1.rp_filter",
        Different,
    ),
];

/// The same in the compact form of the rules.
pub const COMPACT: &[Edit] = &[
    edit(
        "rule del from 10.0.1.23 pref 2358",
        "rule 2358: from 10.0.1.23/32 lookup ENI",
        Missing,
    ),
    edit("rule del pref 2178", "rule 2178: from 10.0.1.16/29 goto 2358", Missing),
    edit("rule del pref 2102", "rule 2102: from 10.0.1.0/27 goto 2178", Missing),
    edit("rule del pref 2066", "rule 2066: from 10.0.1.0/25 goto 2102", Missing),
    edit("rule del pref 2050", "rule 2050: from 10.0.0.0/23 goto 2066", Missing),
    edit("rule del pref 2048", "rule 2048: from 10.0.0.0/20 goto 2050", Missing),
    edit("rule del pref 2051", "rule 2051: from all goto 2546", Missing),
    edit("rule del pref 2067", "rule 2067: from all goto 2546", Missing),
    edit("rule del pref 2103", "rule 2103: from all goto 2546", Missing),
    edit("rule del pref 2179", "rule 2179: from all goto 2546", Missing),
    edit("rule del pref 2359", "rule 2359: from all goto 2546", Missing),
    edit("rule del pref 2049", "rule 2049: from all goto 2546", Missing),
    edit("rule del pref 2546", "rule 2546: from all nop", Missing),
    edit("-6 rule del pref 2048", "rule 2048: from all lookup 1000 (ipv6)", Missing),
    edit(
        "rule del pref 512",
        "rule 512: from all lookup main suppress_prefixlength 31",
        Missing,
    ),
    edit(
        "-6 rule del pref 512",
        "rule 512: from all lookup main suppress_prefixlength 127 (ipv6)",
        Missing,
    ),
    edit(
        "-6 route del default from 2001:db8:1::17 table 1000 dev eth1",
        "route default from 2001:db8:1::17/128 via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1000",
        Missing,
    ),
    edit(
        "-6 route del unreachable default from 2001:db8:1::17 metric 4278198272 table 1000",
        "route unreachable default from 2001:db8:1::17/128 table 1000",
        Missing,
    ),
    edit(
        "-6 route replace default from 2001:db8:1::17 via 2001:db8:1::1 dev eth1 onlink table 1000",
        "route default from 2001:db8:1::17/128 via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1000",
        Different,
    ),
    edit(
        "-6 route add default from 2001:db8:1::17 dev eth1 metric 7 table 1000 proto 116",
        "route default from 2001:db8:1::17/128 dev eth1 table 1000",
        Unexpected,
    ),
];

/// The same with rules for each pod.
pub const PER_POD: &[Edit] = &[
    edit(
        "rule del to 10.0.1.23 pref 512",
        "rule 512: from all to 10.0.1.23/32 lookup main",
        Missing,
    ),
    edit(
        "-6 rule del to 2001:db8:1::17 pref 512",
        "rule 512: from all to 2001:db8:1::17/128 lookup main",
        Missing,
    ),
    edit(
        "rule del from 10.0.1.23 pref 2048",
        "rule 2048: from 10.0.1.23/32 lookup ENI",
        Missing,
    ),
    edit(
        "-6 rule del from 2001:db8:1::17 pref 2048",
        "rule 2048: from 2001:db8:1::17/128 lookup ENI",
        Missing,
    ),
    edit("-6 route del G6/128 dev eth1", "route G6/128 dev eth1", Missing),
    edit(
        "-6 route del default table ENI dev eth1",
        "route default via G6 dev eth1 onlink table ENI",
        Missing,
    ),
    edit(
        "-6 route replace default via 2001:db8:1::1 dev eth1 onlink table ENI",
        "route default via G6 dev eth1 onlink table ENI",
        Different,
    ),
    edit(
        "-6 route del unreachable default metric 4278198272 table ENI",
        "route unreachable default table ENI",
        Missing,
    ),
];

/// On the node, for a member of a trunk by tag filter; the kernel tells of them.
pub const TAG_FILTER: &[Edit] = &[
    edit(
        "tc filter del dev eth1 ingress pref 29810",
        "filter dev eth1 ingress pref 29810 bpf handle 0x1 terway_eni_in",
        Missing,
    ),
    edit(
        "tc filter del dev eth1 egress pref 29810",
        "filter dev eth1 egress pref 29810 bpf handle 0x1 terway_eni_out",
        Missing,
    ),
    dragging(
        "tc qdisc del dev eth1 clsact",
        "qdisc clsact ffff: dev eth1 parent ffff:fff1",
        Missing,
    ),
];

/// The same; maps tell nobody of a change.
pub const TAG_FILTER_SILENT: &[Edit] = &[
    edit("record del endpoint A4", "record endpoint A4", Missing),
    edit("record del endpoint A6", "record endpoint A6", Missing),
    edit("record vlan A4 7", "record endpoint A4", Different),
    edit("record vlan A6 7", "record endpoint A6", Different),
    edit("record del eni", "record eni eth1", Missing),
    edit("record plain eni", "record eni eth1", Different),
];

/// The same where ends have MACs.
pub const PAIR_MACS: &[Edit] = &[
    edit(
        "neigh replace 10.0.1.23 dev HOST lladdr 02:00:00:00:00:09 nud permanent",
        "neighbour 10.0.1.23 dev HOST",
        Different,
    ),
    edit(
        "neigh replace 2001:db8:1::17 dev HOST lladdr 02:00:00:00:00:09 nud reachable",
        "neighbour 2001:db8:1::17 dev HOST",
        Different,
    ),
];

/// The same; downing a link takes more with it than the link.
pub const PAIR_DOWN: &[Edit] = &[
    edit("link set HOST down", "link HOST", Different),
    edit("link set eth1 down", "link eth1", Different),
];

/// The same; the kernel tells nobody of most.
pub const PAIR_SILENT: &[Edit] = &[
    edit(
        "sysctl ipv4/conf/eth1/accept_local 0",
        "sysctl net.ipv4.conf.eth1.accept_local",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/use_oif_addrs_only 0",
        "sysctl net.ipv6.conf.eth0.use_oif_addrs_only",
        Different,
    ),
];

/// In such a pod.
pub const PAIR_POD: &[Edit] = &[
    edit("link set eth0 mtu 1400", "link eth0", Different),
    dragging("addr del 10.0.1.23/32 dev eth0", "address 10.0.1.23/32 dev eth0", Missing),
    edit(
        "-6 addr del 2001:db8:1::17/128 dev eth0",
        "address 2001:db8:1::17/128 dev eth0",
        Missing,
    ),
    edit("route del default", "route default via 169.254.1.1 dev eth0 onlink", Missing),
    edit("-6 route del default", "route default via fe80::1 dev eth0 onlink", Missing),
    edit("neigh del 169.254.1.1 dev eth0", "neighbour 169.254.1.1 dev eth0", Missing),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
    edit("neigh del fe80::1 dev eth0", "neighbour fe80::1 dev eth0", Missing),
];

/// The same where ends have MACs.
pub const PAIR_POD_MACS: &[Edit] = &[edit(
    "neigh replace fe80::1 dev eth0 lladdr 02:00:00:00:00:09 nud permanent",
    "neighbour fe80::1 dev eth0",
    Different,
)];
