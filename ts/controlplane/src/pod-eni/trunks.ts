import { type KubeClient, mergePatch } from "@terway/kube";
import type { Clock, Eni, MemberCloud } from "@terway/model";
import { nodes } from "../cluster/kinds.ts";
import { trunkOnAnnotation } from "../cluster/marks.ts";
import type { NodeFacts } from "../cluster/node-facts.ts";

/** How long it is believed that a node's trunk is what it was. */
const lifeMs = 60_000;

/** The trunk ENI of each node. */
export class Trunks {
  readonly #parts: { readonly client: KubeClient; readonly cloud: MemberCloud; readonly clock: Clock };
  readonly #known = new Map<string, { readonly eni: Promise<Eni | undefined>; readonly untilMs: number }>();

  constructor(parts: { readonly client: KubeClient; readonly cloud: MemberCloud; readonly clock: Clock }) {
    this.#parts = parts;
  }

  /** Id of the node's trunk, once it is in use; undefined when there is none. What is found is written to the node, where daemons and people look. */
  async of(node: NodeFacts): Promise<string | undefined> {
    const trunk = await this.#find(node);
    if (trunk?.status !== "InUse") {
      this.#known.delete(node.instanceId);
      return undefined;
    }
    if (node.trunkId !== trunk.id) {
      const patch = { metadata: { annotations: { [trunkOnAnnotation]: trunk.id } } };
      await mergePatch(this.#parts.client, { resource: nodes.resource, name: node.name }, patch, "terway-controlplane");
    }
    return trunk.id;
  }

  #find({ instanceId }: NodeFacts): Promise<Eni | undefined> {
    const { cloud, clock } = this.#parts;
    const known = this.#known.get(instanceId);
    if (known !== undefined && known.untilMs > clock.monotonicMs()) return known.eni;
    const eni = cloud.describeEnis({ instanceId }).then((enis) => enis.find(({ type }) => type === "Trunk"));
    eni.catch(() => this.#known.delete(instanceId));
    this.#known.set(instanceId, { eni, untilMs: clock.monotonicMs() + lifeMs });
    return eni;
  }
}
