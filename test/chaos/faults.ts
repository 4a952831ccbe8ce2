import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesCluster } from "@terway/lab";
import type { SeededRandom } from "@terway/model/testing";
import { z } from "zod";

interface Fault {
  readonly fault: string;
  readonly value?: number;
  /** Strikes so often at most while it holds; absent: as the catalogue says. */
  readonly times?: number;
}

/**
 * Every class of the catalogue that touches the calls of centralized IPAM and that a rule of the simulator brings about. Those of the instance metadata
 * (F31, F36, F37) touch the daemons alone; F15, F16, F43 to F45 and F49 are hands that take from running pods what is theirs, after which the pods are
 * rightly not what they were (unit tests of the pool are about them).
 */
const faults: readonly Fault[] = [
  ...["F01", "F03", "F04", "F05", "F06", "F10", "F12", "F13", "F14", "F19", "F21", "F22", "F23", "F24", "F25", "F28", "F29", "F30"],
  ...["F32", "F33", "F34", "F35", "F35b", "F39", "F41", "F42", "F46", "F47", "F52", "F53", "F55"],
]
  .map((fault): Fault => ({ fault }))
  .concat([
    { fault: "F11", times: 1 },
    { fault: "F26", value: 6_000, times: 2 },
    { fault: "F27", value: 6_000, times: 2 },
    { fault: "F38", value: 1 },
    { fault: "F54", value: 3_000 },
  ]);

const rulesSchema = z.array(z.object({ fault: z.string().optional(), seen: z.number(), struck: z.number() }));

/** How many calls each class met and struck. */
export type Struck = Readonly<Record<string, { readonly seen: number; readonly struck: number }>>;

/** A shorter time would end before a call comes. */
const leastMs = 8_000;

/**
 * Sets each fault once in an order by chance, for an equal part of the time, in a short time only so many as have enough of it; each holds half into the
 * next one's time. None is left at the end.
 */
export async function faultsFor(cluster: KubernetesCluster, random: SeededRandom, forMs: number): Promise<Struck> {
  const { cloud } = cluster.lab;
  const order = faults
    .map((fault) => ({ fault, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .slice(0, Math.max(1, Math.floor(forMs / leastMs)));
  const struck: Record<string, { seen: number; struck: number }> = {};
  const note = async (fault?: string) => {
    for (const rule of rulesSchema.parse(await cloud.command("clearFaults", fault === undefined ? {} : { fault }))) {
      const before = struck[rule.fault ?? "?"] ?? { seen: 0, struck: 0 };
      struck[rule.fault ?? "?"] = { seen: before.seen + rule.seen, struck: before.struck + rule.struck };
    }
  };
  const partMs = forMs / order.length;
  let before: string | undefined;
  for (const { fault } of order) {
    const match = fault.times === undefined ? {} : { times: fault.times };
    await cloud.command("setFault", { fault: fault.fault, match, ...(fault.value === undefined ? {} : { value: fault.value }) });
    await sleep(partMs / 2);
    if (before !== undefined) await note(before);
    await sleep(partMs / 2);
    before = fault.fault;
  }
  await note();
  return struck;
}
