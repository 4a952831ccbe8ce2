import type { KernelVersion } from "../guest/artifacts.ts";

/** How much of suite a runs: all of it; what differs from kernel to kernel; one test of each thing that the development machine's kernel may lack. */
export type Extent = "whole" | "brief" | "least";

/** What a run takes of suite a under one kernel. */
export interface Selection {
  /** Arguments for the test program of that name, absent where it is left out. */
  readonly argumentsOf: (program: string) => readonly string[] | undefined;
  /** One test program may take this long in a guest; then it counts as failed and the next one runs. On a quiet machine none takes a tenth. */
  readonly programSeconds: number;
  readonly guestMinutes: number;
}

/** What a brief run has: the modes, the programs under each verifier, real NICs, queues. */
const briefPrograms = new Set(
  ["probe", "mode_ipvlan", "mode_netkit", "mode_policy_route", "mode_vlan", "exclusive_nic", "eni_queues", "tag_filter"].concat([
    "classid",
    "eni_in",
    "eni_out",
    "policy_hooks",
    "policy_packets",
    "ipvlan",
    "pins",
    "wire",
  ]),
);
/** Parts of names of tests that it leaves out. */
const briefSkips = ["_crashes", "_drift", "_dual_", "stopped_at", "two_interfaces"];

/**
 * The least: under the oldest kernel, whose verifier takes least, each mode carries packets, each program is loaded and judges one, and a real NIC
 * comes back; under the newest, netkit. Parts of names of tests, by program; nothing for all of its tests.
 */
const leastTests: Partial<Record<KernelVersion, Readonly<Record<string, readonly string[]>>>> = {
  "5.10": {
    probe: [],
    mode_policy_route: ["policy_route_v4_traffic"],
    mode_ipvlan: ["ipvlan_v4_traffic", "ipvlan_v6_lifecycle"],
    mode_vlan: ["vlan_v4_traffic", "vlan_v6_lifecycle"],
    exclusive_nic: ["exclusive_v4_hardware_sends_and_comes_back"],
    tag_filter: ["tag_filter_v4_traffic"],
    fast_path: ["policy_route_dual_fast_path_forwards"],
    policy_hooks: ["policy_hooks_decide_ipvlan", "policy_hooks_decide_vlan"],
    policy_packets: ["later_fragments_follow_the_first"],
    eni_in: ["the_members_tag_comes_off"],
    eni_out: ["a_members_packets_are_tagged_in_both_families"],
    pins: ["the_verifier_follows_far_fewer_instructions_than_it_may"],
  },
  "6.12": {
    probe: [],
    mode_netkit: ["netkit_v4_traffic", "netkit_v6_lifecycle"],
    policy_hooks: ["policy_hooks_decide_netkit"],
  },
};

/** Everything, what is otherwise ignored for being long, too. */
export const whole: Selection = { argumentsOf: () => ["--include-ignored"], programSeconds: 900, guestMinutes: 90 };

/** Everything of these programs; what the kernel can do is asked in every run. */
export function wholeOf(programs: readonly string[]): Selection {
  return { ...whole, argumentsOf: (program) => (program === "probe" || programs.includes(program) ? ["--include-ignored"] : undefined) };
}

/** Absent where nothing of the suite runs under that kernel. */
export function selectionOf(extent: Extent, kernel: KernelVersion): Selection | undefined {
  if (extent === "whole") return whole;
  const limits = { programSeconds: 300, guestMinutes: 20 };
  if (extent === "brief") {
    const skips = briefSkips.flatMap((part) => ["--skip", part]);
    return { argumentsOf: (program) => (briefPrograms.has(program) ? skips : undefined), ...limits };
  }
  const least = leastTests[kernel];
  return least === undefined ? undefined : { argumentsOf: (program) => least[program], ...limits };
}
