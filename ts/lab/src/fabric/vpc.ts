import type { FabricGroup, FabricPort, PluggedEni } from "../cloud/fabric-port.ts";
import { run } from "../host/command.ts";
import { namespacePrefix } from "../host/leftovers.ts";
import { Mutex } from "../host/mutex.ts";
import { createNetNamespace, deleteNetNamespace, inNetNamespace, listNetNamespaces, type NetNamespace, setSysctls } from "../host/netns.ts";
import { isIpv6, metadataAddress, openApiAddress } from "./addresses.ts";
import { createEniLink, createMemberLink, deleteEniLink, ipBatch, listLinks, nextInterfaceName } from "./link.ts";
import { LinkWatch } from "./link-watch.ts";
import { Responder } from "./responder.ts";
import { blackholeLines, neighbourLines, routeLines, type VpcPort } from "./routes.ts";
import { SecurityGroups } from "./security-groups.ts";
import { baseRuleset, sourceElements } from "./source-check.ts";
import { routerSysctls, sessionSysctls } from "./sysctls.ts";
import { TrunkPorts } from "./trunk-ports.ts";

export interface VpcOptions {
  /** The lab's run id; the names of all namespaces start with `tw-<id>-`. */
  readonly id: string;
  /** Name of an instance's namespace below that prefix; asked when its first ENI is plugged. Default: the instance id. */
  readonly hostName?: (instanceId: string) => string;
  /** The program `lab-agent`, whose responder answers ARP and Neighbour Solicitations. */
  readonly agent: string;
  /** Where the responder's output goes. */
  readonly log: string;
  readonly mtu?: number;
  /** Default true. Without, every ENI reaches every other, and no connection is tracked: for measurements of what lies around the VPC. */
  readonly securityGroups?: boolean;
}

interface Port extends VpcPort {
  readonly host: NetNamespace;
  /** The interface in the machine; a member's is its trunk's. */
  readonly ifName: string;
}

interface Plugged extends Port {
  /** As it was plugged; its addresses and groups may have changed since. */
  readonly eni: PluggedEni;
  readonly addresses: Set<string>;
}

export function vpcNamespaceName(id: string): string {
  return `${namespacePrefix(id)}vpc`;
}

/**
 * A VPC out of network namespaces. It behaves like a VPC and not like a switch: one MAC answers for every address, packets are delivered by
 * address only, a source that does not belong to the ENI is dropped, and so is everything that is not unicast or assigned to nobody.
 */
export class VpcFabric implements FabricPort {
  readonly netns: NetNamespace;
  readonly #options: VpcOptions;
  readonly #enis = new Map<string, Plugged>();
  readonly #mutex = new Mutex();
  readonly #responder: Responder;
  readonly #groups = new SecurityGroups();
  readonly #watch: LinkWatch;
  readonly #trunks: TrunkPorts;

  private constructor(options: VpcOptions, netns: NetNamespace) {
    this.#options = options;
    this.netns = netns;
    this.#responder = new Responder({ agent: options.agent, netns: netns.path, log: options.log });
    this.#trunks = new TrunkPorts(options.agent, netns.path);
    this.#watch = new LinkWatch(netns.path, (port) => void this.#mutex.run(() => this.#replug(port)));
  }

  /**
   * Makes the VPC's namespace, unless the caller has made it (the simulator's process lives in it, and so comes after it), gives it its services'
   * addresses and starts the responder.
   */
  static async create(options: VpcOptions): Promise<VpcFabric> {
    const netns = await existingOrNew(vpcNamespaceName(options.id));
    await setSysctls(netns.path, routerSysctls);
    await ipBatch(netns.path, [...blackholeLines, `address add ${metadataAddress}/32 dev lo`, `address add ${openApiAddress}/32 dev lo`]);
    await run(inNetNamespace(netns.path, ["nft", "-f", "-"]), {
      input: baseRuleset() + (options.securityGroups === false ? "" : SecurityGroups.ruleset()),
    });
    if (options.securityGroups !== false) await setSysctls(netns.path, sessionSysctls);
    return new VpcFabric(options, netns);
  }

  plug(eni: PluggedEni): Promise<void> {
    return this.#mutex.run(() => this.#plug(eni));
  }

  async #plug(eni: PluggedEni): Promise<void> {
    const vpc = this.netns.path;
    const name = portName(eni.eniId);
    if (this.#enis.has(eni.eniId)) {
      if ((await listLinks(vpc)).some((link) => link.name === name)) return;
      // The namespace that the interface was in died and took the pair along: plug in anew, as after a hot plug.
      await this.#unplug(eni.eniId);
    }
    const addresses = [...new Set([eni.primaryIpv4, ...eni.ipv4, ...eni.ipv6])];
    const port = eni.trunk === undefined ? await this.#makePort(eni) : await this.#makeMemberPort(eni, eni.trunk);
    this.#enis.set(eni.eniId, { ...port, eni, addresses: new Set() });
    try {
      await ipBatch(vpc, neighbourLines(port));
      // Before the first address: from then on packets pass the check of the source.
      await this.#nft(this.#judged(this.#groups.plug(port.name, eni.securityGroupIds, [])));
      await this.#assign(eni.eniId, addresses);
    } catch (error) {
      // Half an ENI would pass for a whole one when the plug is tried again.
      await this.#unplug(eni.eniId);
      throw error;
    }
  }

  /** A pair between VPC and machine. */
  async #makePort(eni: PluggedEni): Promise<Port> {
    const host = await this.#hostNamespace(eni.instanceId);
    const links = await listLinks(host.path);
    const ifName = nextInterfaceName(
      eni.type === "Primary",
      links.map((link) => link.name),
    );
    const name = portName(eni.eniId);
    const mtu = this.#options.mtu ?? 1500;
    await createEniLink({ vpcNetns: this.netns.path, port: name, hostNetns: host.path, ifName, mac: eni.mac, mtu });
    return { name, mac: eni.mac, sourceMacs: [eni.mac], primaryIpv4: eni.primaryIpv4, host, ifName };
  }

  /**
   * A port that leads to the trunk's, with the member's tag. What machine and VPC exchange there carries the trunk's MAC, as a VLAN link inherits it; a machine may also
   * write the member's own.
   */
  async #makeMemberPort(eni: PluggedEni, { eniId, vlan }: { eniId: string; vlan: number }): Promise<Port> {
    const trunk = this.#enis.get(eniId);
    if (trunk === undefined) throw new Error(`the trunk ${eniId} of ${eni.eniId} is not plugged`);
    const name = portName(eni.eniId);
    await createMemberLink(this.netns.path, name, this.#options.mtu ?? 1500);
    try {
      await this.#trunks.add({ trunk: trunk.name, port: name, vlan, trunkMac: trunk.mac });
    } catch (error) {
      await deleteEniLink(this.netns.path, name);
      throw error;
    }
    return { name, mac: trunk.mac, sourceMacs: [trunk.mac, eni.mac], primaryIpv4: eni.primaryIpv4, host: trunk.host, ifName: trunk.ifName };
  }

  /**
   * The port vanished by itself: its interface was moved into a namespace that died. A real NIC would fall back to the machine; a pair cannot, so the ENI comes to the
   * machine as a new interface with the same MAC, addresses and groups. Not when the machine itself is gone.
   */
  async #replug(port: string): Promise<void> {
    const plugged = [...this.#enis.values()].find((one) => one.name === port);
    if (plugged === undefined || (await listNetNamespaces(plugged.host.name)).length === 0) return;
    const addresses = [...plugged.addresses];
    await this.#plug({
      ...plugged.eni,
      ipv4: addresses.filter((address) => !isIpv6(address)),
      ipv6: addresses.filter(isIpv6),
      securityGroupIds: this.#groups.groupsOf(port),
    });
    // The members' frames went through the old pair.
    for (const { eni, name } of this.#enis.values()) {
      if (eni.trunk?.eniId !== plugged.eni.eniId) continue;
      await this.#trunks.add({ trunk: port, port: name, vlan: eni.trunk.vlan, trunkMac: plugged.mac });
    }
  }

  unplug(eniId: string): Promise<void> {
    return this.#mutex.run(() => this.#unplug(eniId));
  }

  async #unplug(eniId: string): Promise<void> {
    const plugged = this.#enis.get(eniId);
    if (plugged === undefined) return;
    await this.#responder.forget(plugged.name);
    if (plugged.eni.trunk !== undefined) await this.#trunks.remove(plugged.name);
    // Routes and neighbours of the port go with it; only the set's elements have a life of their own.
    await deleteEniLink(this.netns.path, plugged.name);
    await this.#nft(sourceElements("delete", plugged, [...plugged.addresses]) + this.#judged(this.#groups.unplug(plugged.name)));
    await this.#forgetSessions(plugged.addresses);
    this.#enis.delete(eniId);
  }

  assign(eniId: string, addresses: string[]): Promise<void> {
    return this.#mutex.run(() => this.#assign(eniId, addresses));
  }

  async #assign(eniId: string, addresses: readonly string[]): Promise<void> {
    const plugged = this.#enis.get(eniId);
    // An ENI that is not plugged gets its addresses with the plug.
    if (plugged === undefined) return;
    const added = addresses.filter((address) => !plugged.addresses.has(address));
    await this.#nft(this.#judged(this.#groups.assign(plugged.name, added)) + sourceElements("add", plugged, added));
    await ipBatch(this.netns.path, routeLines("replace", plugged, added));
    for (const address of added) plugged.addresses.add(address);
    await this.#responder.answerOn(plugged.name, ownAddresses(plugged));
  }

  unassign(eniId: string, addresses: string[]): Promise<void> {
    return this.#mutex.run(async () => {
      const plugged = this.#enis.get(eniId);
      if (plugged === undefined) return;
      const removed = addresses.filter((address) => plugged.addresses.has(address));
      await ipBatch(this.netns.path, routeLines("del", plugged, removed), { gone: "allowed" });
      await this.#nft(sourceElements("delete", plugged, removed) + this.#judged(this.#groups.unassign(plugged.name, removed)));
      await this.#forgetSessions(removed);
      for (const address of removed) plugged.addresses.delete(address);
      await this.#responder.answerOn(plugged.name, ownAddresses(plugged));
    });
  }

  /** Connections of the ENI are judged anew, too: the cloud's documentation warns that changing an ENI's groups interrupts them. */
  regroup(eniId: string, securityGroupIds: string[]): Promise<void> {
    return this.#mutex.run(async () => {
      const plugged = this.#enis.get(eniId);
      if (plugged === undefined) return;
      await this.#nft(this.#judged(this.#groups.regroup(plugged.name, securityGroupIds)));
      await this.#forgetSessions(plugged.addresses);
    });
  }

  /** Other rules count for new connections; one that is established goes on, as the groups are stateful. */
  putGroup(group: FabricGroup): Promise<void> {
    return this.#mutex.run(() => this.#nft(this.#judged(this.#groups.put(group))));
  }

  removeGroup(groupId: string): Promise<void> {
    return this.#mutex.run(() => this.#nft(this.#judged(this.#groups.remove(groupId))));
  }

  /** Resolves when all that is under way is done, also what nobody called for: an interface shows in the machine before the VPC delivers to it. */
  settled(): Promise<void> {
    return this.#mutex.run(async () => {});
  }

  /** Where an ENI is plugged in now. */
  interfaceOf(eniId: string): { netns: string; ifName: string } | undefined {
    const plugged = this.#enis.get(eniId);
    return plugged === undefined ? undefined : { netns: plugged.host.path, ifName: plugged.ifName };
  }

  /** The namespace that stands for an instance; made when it is first asked for. */
  async #hostNamespace(instanceId: string): Promise<NetNamespace> {
    return existingOrNew(namespacePrefix(this.#options.id) + (this.#options.hostName?.(instanceId) ?? instanceId));
  }

  /** The instance is released: its interfaces and its namespace go. */
  removeHost(instanceId: string): Promise<void> {
    return this.#mutex.run(async () => {
      const { path, name } = await this.#hostNamespace(instanceId);
      for (const [eniId, plugged] of [...this.#enis]) if (plugged.host.path === path) await this.#unplug(eniId);
      await deleteNetNamespace(name);
    });
  }

  /** Ends the fabric's processes. Namespaces and what is in them stay until they are deleted. */
  stop(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#watch.stop();
      await this.#responder.stop();
    });
  }

  /** Commands for the table of the groups; none when they are not enforced. */
  #judged(commands: string): string {
    return this.#options.securityGroups === false ? "" : commands;
  }

  /** Connections from or to these addresses are new ones again. A delegated prefix stands for all its addresses. */
  async #forgetSessions(addresses: Iterable<string>): Promise<void> {
    const argv = [this.#options.agent, "forget-sessions", ...addresses];
    if (this.#options.securityGroups !== false && argv.length > 2) await run(inNetNamespace(this.netns.path, argv));
  }

  async #nft(commands: string): Promise<void> {
    if (commands !== "") await run(inNetNamespace(this.netns.path, ["nft", "-f", "-"]), { input: commands });
  }
}

/** A delegated prefix is left out: whoever asks for an address of it is a pod of another sandbox, not a duplicate. */
function ownAddresses(plugged: Plugged): string[] {
  return [...plugged.addresses].filter((address) => !address.includes("/"));
}

async function existingOrNew(name: string): Promise<NetNamespace> {
  const existing = (await listNetNamespaces(name)).find((netns) => netns.name === name);
  return existing ?? createNetNamespace(name);
}

/** An interface's name has 15 characters at most; the end of an ENI's id tells more than its start. */
export function portName(eniId: string): string {
  return `p-${eniId.replace(/[^A-Za-z0-9]/g, "").slice(-13)}`;
}
