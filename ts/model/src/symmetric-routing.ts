/**
 * Symmetric routing: connections that come in through the node's own interface and go on to a pod are answered there. The keys of
 * `symmetric_routing_config`; what is absent or 0 has Terway's default.
 */
export interface SymmetricRouting {
  /** Absent: the interface with the node's default route. */
  readonly interface?: string;
  /** Bits that connections and packets get, all of them in `mask`; 0x10. */
  readonly mark?: number;
  readonly mask?: number;
  /** Routing table with the interface's gateway, 1 to 999 and not 253 to 255; 100. */
  readonly tableId?: number;
  /** Priority of the rule, between those to pods (512) and from pods (2048); 600. */
  readonly rulePriority?: number;
  /** Comment of the netfilter rules; `terway-symmetric`, which is added where it is missing. */
  readonly comment?: string;
  /** Who marks; `iptables`. */
  readonly backend?: "iptables" | "nftables";
}

/** Where connections come in, and for which families there is a way back. */
export interface SymmetricRoutingEntrance {
  readonly interface: string;
  readonly families: readonly ("ipv4" | "ipv6")[];
}
