import { join } from "node:path";
import { fabricGroup } from "../cloud/fabric-object.ts";
import type { FabricGroup } from "../cloud/fabric-port.ts";
import { gatewayOf, knownCidr } from "../cloud/ip.ts";
import type { NetworkInterface, VSwitchRecord } from "../cloud/records.ts";
import { CloudSimulator } from "../cloud/simulator.ts";
import type { Party } from "../fabric/verdict.ts";
import { VpcFabric } from "../fabric/vpc.ts";
import type { Leftover } from "../host/leftovers.ts";
import { sweep } from "../host/sweep.ts";
import { configurePrimaryInterface } from "../node/primary-interface.ts";
import { until } from "../node/until.ts";
import { makeGroups } from "./make-groups.ts";
import type { EniPlan, MemberPlan, SmallVpcPlan, VSwitchPlan } from "./small-vpc-plan.ts";

/** An ENI of the VPC with the names under which the plan asked for it. */
export interface BuiltEni {
  readonly name: string;
  readonly id: string;
  readonly instanceId: string;
  /** Path of the instance's network namespace. */
  readonly netns: string;
  /** Of a member: its trunk's, as it has no interface of its own. */
  readonly ifName: string;
  readonly mac: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** Of a member: its 802.1Q tag on the trunk. */
  readonly vlan?: number;
  readonly gateways: { readonly ipv4: string; readonly ipv6?: string };
}

const defaultVSwitches: Readonly<Record<string, VSwitchPlan>> = {
  a: { zoneId: "cn-hangzhou-h", cidr: "10.0.1.0/24", ipv6Cidr: "fd00:0:0:101::/64" },
};

/**
 * A VPC with instances in this process: simulated cloud and fabric, without daemons, container runtimes or HTTP. Everything that the plan asks for comes to be by the same
 * calls that a client makes, so state and packets agree. `close()` removes it and answers what it could not remove.
 */
export class SmallVpc {
  readonly simulator: CloudSimulator;
  readonly fabric: VpcFabric;
  readonly #id: string;
  readonly #enis = new Map<string, string>();
  readonly #names = new Map<string, string>();

  private constructor(id: string, simulator: CloudSimulator, fabric: VpcFabric, names: Map<string, string>) {
    this.#id = id;
    this.simulator = simulator;
    this.fabric = fabric;
    this.#names = names;
  }

  /** `id`: the run id, of lower-case letters and digits; `agent`: the program `lab-agent`; `directory`: where the responder's log goes. */
  static async build(id: string, plan: SmallVpcPlan, options: { agent: string; directory: string }): Promise<SmallVpc> {
    const names = new Map<string, string>();
    const fabric = await VpcFabric.create({
      id,
      agent: options.agent,
      log: join(options.directory, "responder.log"),
      hostName: (instanceId) => names.get(instanceId) ?? instanceId,
      ...(plan.securityGroups === undefined ? {} : { securityGroups: plan.securityGroups }),
    });
    const simulator = new CloudSimulator({ fabric, settings: { delays: "instant" } });
    const vpc = new SmallVpc(id, simulator, fabric, names);
    try {
      await vpc.#make(plan);
    } catch (error) {
      await vpc.close();
      throw error;
    }
    return vpc;
  }

  async #make(plan: SmallVpcPlan): Promise<void> {
    const { simulator } = this;
    simulator.createVpc({ id: "vpc", cidr: "10.0.0.0/8", ipv6Cidr: "fd00:0:0:100::/56" });
    for (const [id, vSwitch] of Object.entries(plan.vSwitches ?? defaultVSwitches))
      simulator.createVSwitch({ id, vpcId: "vpc", ...vSwitch });
    const groups = plan.groups ?? { default: {} };
    await makeGroups(simulator, "vpc", groups, { named: true });
    const [firstGroup = "default"] = Object.keys(groups);
    const [firstVSwitch = "a"] = Object.keys(plan.vSwitches ?? defaultVSwitches);
    for (const { name, type, vSwitch = firstVSwitch, groups: own = [firstGroup], ipv6Count, enis = [] } of plan.nodes) {
      const instanceId = `i-${name}`;
      this.#names.set(instanceId, name);
      const { primaryEniId } = await simulator.createInstance({
        id: instanceId,
        vSwitchId: vSwitch,
        securityGroupIds: [...own],
        ipv6Count: ipv6Count ?? (this.#vSwitch(vSwitch).ipv6Cidr === undefined ? 0 : 1),
        ...(type === undefined ? {} : { type }),
      });
      this.#enis.set(name, primaryEniId);
      await this.#configurePrimary(name);
      for (const eni of enis) await this.attach(name, eni);
    }
  }

  async #configurePrimary(name: string): Promise<void> {
    const { netns, ipv4, ipv6, gateways } = this.eni(name);
    const [address = ""] = ipv4;
    const [address6] = ipv6;
    const both =
      address6 !== undefined && gateways.ipv6 !== undefined ? { address: address6, prefixLength: 64, gateway: gateways.ipv6 } : undefined;
    await configurePrimaryInterface({
      netns,
      ipv4: address,
      ipv4PrefixLength: knownCidr(this.#vSwitch(this.#record(name).vSwitchId).cidr).prefixLength,
      ipv4Gateway: gateways.ipv4,
      ...(both === undefined ? {} : { ipv6: both }),
    });
  }

  /**
   * Creates an ENI and attaches it to the instance; a trunk gets its members. What the plan leaves out is as on the primary ENI. The instance's stack does not know
   * the addresses.
   */
  async attach(instance: string, plan: EniPlan): Promise<BuiltEni> {
    const primary = this.#record(instance);
    const { name, kind = "secondary", vSwitch = primary.vSwitchId, groups = primary.securityGroupIds, ipv4Count = 1, members = [] } = plan;
    const ipv6Count = plan.ipv6Count ?? (this.#vSwitch(vSwitch).ipv6Cidr === undefined ? 0 : 1);
    const eniId = await this.#createEni(vSwitch, groups, ipv4Count, ipv6Count, kind === "trunk" ? "Trunk" : "Secondary");
    this.#enis.set(name, eniId);
    await this.#attach(eniId, { InstanceId: `i-${instance}` });
    for (const member of members) await this.#attachMember(instance, eniId, { vSwitch, groups, ...member });
    return this.eni(name);
  }

  async #attachMember(
    instance: string,
    trunkId: string,
    { name, vSwitch, groups, ipv4Count = 1, ...plan }: MemberPlan & Required<Pick<MemberPlan, "vSwitch" | "groups">>,
  ): Promise<void> {
    const ipv6Count = plan.ipv6Count ?? (this.#vSwitch(vSwitch).ipv6Cidr === undefined ? 0 : 1);
    const eniId = await this.#createEni(vSwitch, groups, ipv4Count, ipv6Count, "Secondary");
    this.#enis.set(name, eniId);
    await this.#attach(eniId, { InstanceId: `i-${instance}`, TrunkNetworkInstanceId: trunkId });
  }

  async #createEni(vSwitchId: string, groups: readonly string[], ipv4: number, ipv6: number, type: string): Promise<string> {
    const body = await this.call("CreateNetworkInterface", {
      VSwitchId: vSwitchId,
      ...Object.fromEntries(groups.map((id, index) => [`SecurityGroupIds.${index + 1}`, id])),
      InstanceType: type,
      SecondaryPrivateIpAddressCount: String(ipv4 - 1),
      Ipv6AddressCount: String(ipv6),
    });
    return String(body.NetworkInterfaceId);
  }

  async #attach(eniId: string, where: Readonly<Record<string, string>>): Promise<void> {
    await this.call("AttachNetworkInterface", { NetworkInterfaceId: eniId, ...where });
    await until(`${eniId} is in use`, 10_000, async () => {
      const failed = this.simulator.history().find((entry) => entry.kind === "fabric" && entry.resource === eniId);
      if (failed !== undefined) throw new Error(`the fabric could not plug ${eniId}: ${failed.message}`);
      return this.simulator.state().enis.get(eniId)?.status === "InUse";
    });
  }

  /** Detaches the ENI; it keeps its name and can be attached again by {@link call}. */
  async detach(name: string): Promise<void> {
    const { id, instanceId, trunkId } = this.#record(name);
    const trunk = trunkId === undefined ? {} : { TrunkNetworkInstanceId: trunkId };
    await this.call("DetachNetworkInterface", { NetworkInterfaceId: id, InstanceId: instanceId ?? "", ...trunk });
    await until(`${name} is detached`, 10_000, async () => this.#record(name).status === "Available");
  }

  /** A call of the OpenAPI as somebody who may do everything; throws ApiError. */
  call(action: string, parameters: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
    return this.simulator.call(action, parameters);
  }

  /** The ENI by the plan's name; an instance's own name is that of its primary ENI. */
  eni(name: string): BuiltEni {
    const record = this.#record(name);
    const { id, mac, ipv4, ipv6, instanceId } = record;
    const at = this.fabric.interfaceOf(record.trunkId ?? id);
    if (instanceId === undefined || at === undefined) throw new Error(`${name} is attached to nothing`);
    const { cidr, ipv6Cidr } = this.#vSwitch(record.vSwitchId);
    return {
      name,
      id,
      instanceId,
      ...at,
      mac,
      ipv4,
      ipv6,
      ...(record.trunkId === undefined || record.deviceIndex === undefined ? {} : { vlan: record.deviceIndex }),
      gateways: { ipv4: gatewayOf(knownCidr(cidr)), ...(ipv6Cidr === undefined ? {} : { ipv6: gatewayOf(knownCidr(ipv6Cidr)) }) },
    };
  }

  /** All security groups as they are now, for `verdict`. */
  groups(): ReadonlyMap<string, FabricGroup> {
    return new Map([...this.simulator.state().table("securityGroups").values()].map((group) => [group.id, fabricGroup(group)]));
  }

  /** The ENI as security groups see it. */
  party(name: string): Party {
    const { securityGroupIds, ipv4, ipv6, ipv4Prefixes, ipv6Prefixes } = this.#record(name);
    return { groupIds: securityGroupIds, addresses: [...ipv4, ...ipv6, ...ipv4Prefixes, ...ipv6Prefixes] };
  }

  async close(): Promise<Leftover[]> {
    await this.simulator.close();
    await this.fabric.stop();
    return sweep(this.#id);
  }

  #record(name: string): NetworkInterface {
    const record = this.simulator.state().enis.get(this.#enis.get(name) ?? "");
    if (record === undefined) throw new Error(`the VPC has no ENI ${name}`);
    return record;
  }

  #vSwitch(id: string): VSwitchRecord {
    const found = this.simulator.state().vSwitches.get(id);
    if (found === undefined) throw new Error(`the VPC has no vSwitch ${id}`);
    return found;
  }
}
