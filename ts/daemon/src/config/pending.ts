import { type EniConf, type ModeKeys, modeKeyNames } from "@terway/model";
import type { Configuration } from "./configuration.ts";

/** What of a changed configuration counts at once: everything but what running pods or the start of the daemon hang on. Pure. */
export function effectiveConf(started: Configuration, changed: Configuration): EniConf {
  const { ipv4, ipv6, modeKeys, centralizedIpam } = started.conf;
  return { ...changed.conf, ipv4, ipv6, modeKeys, centralizedIpam };
}

/** Keys that differ from those of the start and wait for a restart of the daemon, by the names people wrote. Pure. */
export function pendingKeys(started: Configuration, changed: Configuration): string[] {
  const [a, b] = [started.conf, changed.conf];
  const [c, d] = [started.cniConf, changed.cniConf];
  const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);
  return [
    ...(a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6 ? [] : ["eni_conf: ip_stack"]),
    ...(a.centralizedIpam === b.centralizedIpam ? [] : ["eni_conf: ipam_type"]),
    ...changedModeKeys(a.modeKeys, b.modeKeys).map((key) => `eni_conf: ${key}`),
    ...changedModeKeys(c.modeKeys, d.modeKeys).map((key) => `10-terway.conf: ${key}`),
    ...(c.vlanStripType === d.vlanStripType ? [] : ["10-terway.conf: vlan_strip_type"]),
    ...(c.bandwidthMode === d.bandwidthMode ? [] : ["10-terway.conf: bandwidth_mode"]),
    ...(c.enableNetworkPriority === d.enableNetworkPriority ? [] : ["10-terway.conf: enable_network_priority"]),
    ...(differs(c.symmetricRouting, d.symmetricRouting) ? ["10-terway.conf: symmetric_routing"] : []),
  ];
}

function changedModeKeys(before: ModeKeys, after: ModeKeys): string[] {
  // Object.entries forgets the type of the names.
  return Object.entries(modeKeyNames).flatMap(([field, name]) =>
    before[field as keyof ModeKeys] === after[field as keyof ModeKeys] ? [] : name,
  );
}
