import { type KubeClient, mergePatch } from "@terway/kube";
import type { Clock, Eni, EniConf, MemberCloud, Random } from "@terway/model";
import { z } from "zod";
import { type ClusterNode, nodes } from "../cluster/kinds.ts";
import { eniTags, trunkIntentAnnotation, trunkOnAnnotation } from "../cluster/marks.ts";
import type { NodeFacts } from "../cluster/node-facts.ts";
import { networkDefaults } from "../network/defaults.ts";
import type { VSwitches } from "../runtime/v-switches.ts";

export interface TrunkParts {
  readonly client: KubeClient;
  readonly cloud: MemberCloud;
  readonly vSwitches: VSwitches;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: { readonly clusterId: string };
}

/** How long it is believed that a node's trunk is what it was. */
const lifeMs = 60_000;

const intentSchema = z.object({ vSwitchId: z.string(), token: z.string() });

export type TrunkState =
  | { readonly kind: "ready"; readonly id: string }
  /** On its way; ask again. */
  | { readonly kind: "waits" }
  /** There is none, and why. */
  | { readonly kind: "none"; readonly problem: string };

/** The trunk ENI of each node: found, or made where `eni_conf` wants one. */
export class Trunks {
  readonly #parts: TrunkParts;
  readonly #known = new Map<string, { readonly id: string; readonly untilMs: number }>();
  readonly #asking = new Map<string, Promise<TrunkState>>();

  constructor(parts: TrunkParts) {
    this.#parts = parts;
  }

  /** `conf` is the node's `eni_conf`, or why there is none. What is found is written to the node, where daemons and people look. */
  of(facts: NodeFacts, node: ClusterNode, conf: EniConf | string): Promise<TrunkState> {
    const known = this.#known.get(facts.instanceId);
    if (known !== undefined && known.untilMs > this.#parts.clock.monotonicMs()) return Promise.resolve({ kind: "ready", id: known.id });
    // Many pods of a node ask at once, and one trunk is made.
    let asking = this.#asking.get(facts.instanceId);
    if (asking === undefined) {
      asking = this.#look(facts, node, conf).finally(() => this.#asking.delete(facts.instanceId));
      this.#asking.set(facts.instanceId, asking);
    }
    return asking;
  }

  async #look(facts: NodeFacts, node: ClusterNode, conf: EniConf | string): Promise<TrunkState> {
    const { cloud, clock } = this.#parts;
    const enis = await cloud.describeEnis({ instanceId: facts.instanceId });
    const trunk = enis.find(({ type }) => type === "Trunk");
    if (trunk === undefined) return this.#make(facts, node, conf);
    if (trunk.status !== "InUse") return { kind: "waits" };
    if (facts.trunkId !== trunk.id || node.metadata.annotations[trunkIntentAnnotation] !== undefined)
      await this.#annotate(facts.name, { [trunkOnAnnotation]: trunk.id, [trunkIntentAnnotation]: null });
    this.#known.set(facts.instanceId, { id: trunk.id, untilMs: clock.monotonicMs() + lifeMs });
    return { kind: "ready", id: trunk.id };
  }

  /** The intent is on the node before the cloud is called, so that whoever comes next finds the same ENI. */
  async #make(facts: NodeFacts, node: ClusterNode, conf: EniConf | string): Promise<TrunkState> {
    const problem = await this.#whyNot(node, conf);
    if (problem !== undefined || typeof conf === "string")
      return { kind: "none", problem: `node ${facts.name} has no trunk ENI: ${problem}` };
    const { cloud, vSwitches, random, config } = this.#parts;
    const { securityGroupIds, selection, resourceGroupId } = networkDefaults(conf);
    let intent = readIntent(node.metadata.annotations[trunkIntentAnnotation]);
    if (intent === undefined) {
      const [vSwitch] = await vSwitches.candidates(facts.zoneId, conf.vSwitches[facts.zoneId] ?? [], selection);
      if (vSwitch === undefined)
        return {
          kind: "none",
          problem: `node ${facts.name} has no trunk ENI: no vSwitch of eni_conf in zone ${facts.zoneId} has an address left`,
        };
      intent = { vSwitchId: vSwitch.id, token: random.uuid() };
      await this.#annotate(facts.name, { [trunkIntentAnnotation]: JSON.stringify(intent) });
    }
    const made: Eni = await cloud.createEni({
      ...{ vSwitchId: intent.vSwitchId, securityGroupIds, type: "Trunk", secondaryIpv4Count: 0, ipv6Count: 0 },
      ...(resourceGroupId === undefined ? {} : { resourceGroupId }),
      tags: eniTags(config.clusterId),
      clientToken: intent.token,
    });
    await cloud.attachEni(made.id, facts.instanceId);
    return { kind: "waits" };
  }

  async #whyNot(node: ClusterNode, conf: EniConf | string): Promise<string | undefined> {
    if (typeof conf === "string") return conf;
    if (conf.modeKeys.trunking !== true) return "set enable_eni_trunking in eni_conf";
    if (conf.securityGroupIds.length === 0) return "eni_conf names no security group for it";
    const type = node.metadata.labels["node.kubernetes.io/instance-type"];
    if (type === undefined) return undefined;
    const { trunkSupported } = await this.#parts.cloud.describeInstanceType(type);
    return trunkSupported ? undefined : `instance type ${type} has no trunks`;
  }

  async #annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    await mergePatch(this.#parts.client, { resource: nodes.resource, name }, { metadata: { annotations } }, "terway-controlplane");
  }
}

/** What the annotations of a node name: its trunk, and the token of one that is being made. */
export function trunkReferences(annotations: Readonly<Record<string, string>>): { readonly id?: string; readonly token?: string } {
  const id = annotations[trunkOnAnnotation];
  const token = readIntent(annotations[trunkIntentAnnotation])?.token;
  return { ...(id ? { id } : {}), ...(token === undefined ? {} : { token }) };
}

function readIntent(text: string | undefined): z.infer<typeof intentSchema> | undefined {
  try {
    return intentSchema.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}
