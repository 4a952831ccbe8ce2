import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestNode } from "../daemon/support/test-node.ts";
import { attachMember, attachTrunk, type Eni, memberPodEni } from "../node/trunk-eni.ts";

/** What the control plane does for pods that are members of their node's trunk ENI. */
export class Members {
  readonly #objects: string;
  readonly #trunks = new Map<string, Eni>();

  /** `objects`: the folder of which the nodes read their API objects. */
  constructor(objects: string) {
    this.#objects = objects;
  }

  /** Before the node's daemon starts. */
  async attachTrunk({ name, lab, machine }: TestNode): Promise<void> {
    this.#trunks.set(name, await attachTrunk(lab, machine));
  }

  /** An ENI of the pod's own, in the node's vSwitch, and the PodENI that gives it to the pod. */
  async give(
    { name: nodeName, lab, machine }: TestNode,
    namespace: string,
    name: string,
    isUsed: (address: string) => boolean,
  ): Promise<void> {
    const trunk = this.#trunks.get(nodeName);
    const [vSwitch] = Object.entries(lab.world.vSwitches).find(([, { id }]) => id === machine.vSwitchId) ?? [];
    const [group] = Object.keys(lab.world.groups);
    if (trunk === undefined || vSwitch === undefined || group === undefined) throw new Error(`${nodeName} has no trunk`);
    const object = memberPodEni(namespace, name, await attachMember(lab, machine, trunk, { vSwitch, group }));
    for (const allocation of object.spec.allocations) {
      for (const family of ["ipv4", "ipv6"] as const) if (!isUsed(allocation[family])) allocation[family] = "";
    }
    await writeFile(join(this.#objects, `podeni-${namespace}-${name}.json`), JSON.stringify(object));
  }
}
