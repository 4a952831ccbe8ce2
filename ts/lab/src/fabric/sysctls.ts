/** A router that says nothing itself. */
export const routerSysctls = {
  "net/ipv4/ip_forward": 1,
  "net/ipv6/conf/all/forwarding": 1,
  "net/ipv6/conf/default/forwarding": 1,
  // The responder answers, and only the responder.
  "net/ipv4/conf/default/arp_ignore": 8,
  "net/ipv6/conf/default/addr_gen_mode": 1,
  "net/ipv6/conf/default/accept_ra": 0,
  "net/ipv4/conf/all/rp_filter": 0,
  "net/ipv4/conf/default/rp_filter": 0,
  "net/ipv4/conf/all/send_redirects": 0,
  "net/ipv4/conf/default/send_redirects": 0,
  "net/ipv4/conf/all/accept_redirects": 0,
} as const;

/** Known to the kernel once a rule asks for the state of connections. */
export const sessionSysctls = {
  // How long a security group remembers an established connection. Source: alicloud-api.md 15.
  "net/netfilter/nf_conntrack_tcp_timeout_established": 910,
  // A closed connection is remembered only as long as its last packets may be under way: a bench makes more of them than the table has room for.
  "net/netfilter/nf_conntrack_tcp_timeout_time_wait": 1,
  "net/netfilter/nf_conntrack_tcp_timeout_close": 1,
  // Packets of a connection that began before its addresses were here are judged, not called invalid.
  "net/netfilter/nf_conntrack_tcp_be_liberal": 1,
} as const;
