import { inNetNamespace, run } from "@terway/lab";
import { PolicyWorld } from "../../test/daemon/support/policy-world.ts";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { namespacePlace } from "../path/places.ts";
import type { Dual, Pair } from "../path/scene.ts";

/** What judges packets to a pod: nothing, our programs, or nftables rules that say the same. */
export interface Contender {
  /** Of the pod, and of its policy or chain. */
  readonly name: string;
  readonly by: "nothing" | "programs" | "linear" | "map";
  readonly rules: number;
}

/** Ports of the bench's servers, see `path/places.ts`. */
const ports = [7007, 7008] as const;
const podNamed = (name: string): ApiPod => ({
  namespace: "x",
  name,
  labels: { app: name },
  ports: [],
  hostNetwork: false,
  finished: false,
  addresses: [],
});

/** Two nodes alike but for one key: on the one programs judge packets, on the other nothing of ours does, and nftables may. A client and a server for each contender. */
export class PolicyScene {
  readonly #judged: PolicyWorld;
  readonly #plain: PolicyWorld;
  readonly pairs: readonly Pair[];

  private constructor(judged: PolicyWorld, plain: PolicyWorld, pairs: readonly Pair[]) {
    this.#judged = judged;
    this.#plain = plain;
    this.pairs = pairs;
  }

  static async create(contenders: readonly Contender[]): Promise<PolicyScene> {
    const [ours, theirs] = [contenders.filter(isOurs), contenders.filter((one) => !isOurs(one))];
    const judged = await world(ours, false);
    const plain = await world(theirs, true).catch(async (error: unknown) => {
      await judged.close();
      throw error;
    });
    const scene = new PolicyScene(judged, plain, [...pairsOf(judged, ours), ...pairsOf(plain, theirs)]);
    try {
      await judged.settle({ ...judged.cluster, policies: ours.filter(({ rules }) => rules > 0).map(policyOf) });
      await run(inNetNamespace(plain.node.machine.netns, ["nft", "-f", "-"]), { input: rulesOf(plain, theirs), timeoutMs: 120_000 });
      await scene.#prove(contenders);
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  /** How long an ADD takes on either node, in turns: milliseconds of the executable's process. */
  async adds(rounds: number): Promise<{ judged: number[]; plain: number[] }> {
    const taken = { judged: [] as number[], plain: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, { node }] of [
        ["judged", this.#judged],
        ["plain", this.#plain],
      ] as const) {
        const pod = await node.pod(`added-${round}`);
        const started = performance.now();
        await node.add(pod);
        taken[name].push(performance.now() - started);
        await node.end(pod);
      }
    }
    return taken;
  }

  async close(): Promise<void> {
    await this.#judged.close();
    await this.#plain.close();
  }

  /** Every rule set is really asked: what is allowed last passes, and what nobody allows does not. */
  async #prove(contenders: readonly Contender[]): Promise<void> {
    for (const { name, rules } of contenders) {
      const pair = this.pairs.find((one) => one.name === name);
      if (pair === undefined) throw new Error(`no pair ${name}`);
      const argv = pair.from.ipv4.enter(["timeout", "1", "bash", "-c", `echo > /dev/tcp/${pair.to.ipv4.address}/81`]);
      const { code } = await run([...argv], { allow: [0, 1, 124] });
      // Port 81 is served, and no rule names it.
      if ((code === 0) !== (rules === 0)) throw new Error(`${name}: port 81 ${code === 0 ? "is open" : "is closed"}`);
    }
  }
}

function isOurs({ by, name }: Contender): boolean {
  return by === "programs" || name === "open";
}

async function world(contenders: readonly Contender[], disabled: boolean): Promise<PolicyWorld> {
  const conf = { max_pool_size: 20, min_pool_size: 4 };
  const made = await PolicyWorld.create(conf, { disabled, instanceType: "ecs.g7.8xlarge" });
  try {
    await made.write({
      ...made.cluster,
      pods: [...made.cluster.pods, podNamed("client"), ...contenders.map(({ name }) => podNamed(name))],
    });
    for (const name of ["client", ...contenders.map((one) => one.name)]) await made.add(podNamed(name));
    return made;
  } catch (error) {
    await made.close();
    throw error;
  }
}

function dual({ pods: sandboxes, cluster }: PolicyWorld, name: string): Dual {
  const netns = sandboxes.get(`x/${name}`)?.netns ?? "";
  const place = (isIpv6: boolean) => namespacePlace(netns, addressOf(cluster, name, isIpv6));
  return { ipv4: place(false), ipv6: place(true) };
}

function addressOf(cluster: ApiCluster, name: string, isIpv6: boolean): string {
  const pod = cluster.pods.find((one) => one.name === name && one.namespace === "x");
  return pod?.addresses.find((address) => address.includes(":") === isIpv6) ?? "";
}

function pairsOf(made: PolicyWorld, contenders: readonly Contender[]): Pair[] {
  const from = dual(made, "client");
  return contenders.map(({ name }) => ({ name, from, to: dual(made, name) }));
}

/** Somebody else, on a port of their own, for all rules but the last. */
function stranger(number: number): { readonly address: string; readonly port: number } {
  return { address: `198.18.${number >> 8}.${number & 255}`, port: 10_000 + (number % 40_000) };
}

function policyOf({ name, rules }: Contender): ApiCluster["policies"][number] {
  const others = Array.from({ length: rules - 1 }, (_, number) => {
    const { address, port } = stranger(number);
    return { from: [{ ipBlock: { cidr: `${address}/32` } }], ports: [{ port }] };
  });
  const last = { from: [{ podSelector: { matchLabels: { app: "client" } } }], ports: ports.map((port) => ({ port })) };
  return { metadata: { namespace: "x", name }, spec: { podSelector: { matchLabels: { app: name } }, ingress: [...others, last] } };
}

/** Connections that stand pass first, as everybody writes it; new ones go to the chain of their pod. */
function rulesOf({ cluster }: PolicyWorld, contenders: readonly Contender[]): string {
  const judged = contenders.filter(({ rules }) => rules > 0);
  const chains = judged.map(({ name, by, rules }) => (by === "map" ? mapChain(cluster, name, rules) : linearChain(cluster, name, rules)));
  const jumps = (isIpv6: boolean) => judged.map(({ name }) => `${addressOf(cluster, name, isIpv6)} : jump ${chainName(name)}`).join(", ");
  return `table inet bench {
${chains.join("\n")}
chain forward {
  type filter hook forward priority 0; policy accept;
  ct state established,related accept
  ip daddr vmap { ${jumps(false)} }
  ip6 daddr vmap { ${jumps(true)} }
}
}
`;
}

const chainName = (name: string) => `to_${name.replaceAll(/\W/g, "_")}`;

function linearChain(cluster: ApiCluster, name: string, rules: number): string {
  const others = Array.from({ length: rules - 1 }, (_, number) => {
    const { address, port } = stranger(number);
    return `  ip saddr ${address} tcp dport ${port} accept`;
  });
  const last = `tcp dport { ${ports.join(", ")} } accept`;
  return `chain ${chainName(name)} {
${others.join("\n")}
  ip saddr ${addressOf(cluster, "client", false)} ${last}
  ip6 saddr ${addressOf(cluster, "client", true)} ${last}
  drop
}`;
}

function mapChain(cluster: ApiCluster, name: string, rules: number): string {
  const others = Array.from({ length: rules - 1 }, (_, number) => {
    const { address, port } = stranger(number);
    return `${address} . ${port} : accept`;
  });
  const last = (isIpv6: boolean) => ports.map((port) => `${addressOf(cluster, "client", isIpv6)} . ${port} : accept`);
  return `map ${chainName(name)}_4 { type ipv4_addr . inet_service : verdict; elements = { ${[...others, ...last(false)].join(", ")} } }
map ${chainName(name)}_6 { type ipv6_addr . inet_service : verdict; elements = { ${last(true).join(", ")} } }
chain ${chainName(name)} {
  ip saddr . tcp dport vmap @${chainName(name)}_4
  ip6 saddr . tcp dport vmap @${chainName(name)}_6
  drop
}`;
}
