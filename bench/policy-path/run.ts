import { describeMachine, type Machine } from "../machine.ts";
import { type Kind, measurePairs, type PathSamples, type RoundOptions } from "../path/measure.ts";
import type { Family } from "../path/scene.ts";
import { median, ratioInterval } from "../statistics.ts";
import { type Contender, PolicyScene } from "./scene.ts";

export interface PolicyPathOptions extends RoundOptions {
  readonly contenders: readonly Contender[];
  /** ADDs on each node. */
  readonly adds: number;
}

const rules = (by: Contender["by"], count: number, name = `${by}-${count}`): Contender => ({ name, by, rules: count });
const unjudged: Contender[] = [
  { name: "open", by: "nothing", rules: 0 },
  { name: "unhooked", by: "nothing", rules: 0 },
];

export const fullOptions: PolicyPathOptions = {
  rounds: 30,
  ms: 100,
  streamRounds: 3,
  streamMs: 1000,
  kinds: ["rr", "crr", "stream1"],
  contenders: [
    ...unjudged,
    rules("programs", 1),
    // The same again: how far two equal things differ.
    rules("programs", 1, "programs-1-again"),
    rules("programs", 1_000),
    rules("programs", 10_000),
    rules("linear", 1),
    rules("linear", 1_000),
    rules("linear", 10_000),
    rules("map", 1_000),
    rules("map", 10_000),
  ],
  adds: 60,
};
/** Enough to see that everything runs and that the result has its form; its figures say nothing. */
export const smokeOptions: PolicyPathOptions = {
  ...fullOptions,
  rounds: 2,
  ms: 20,
  streamRounds: 1,
  contenders: [
    ...unjudged,
    rules("programs", 1),
    rules("programs", 1, "programs-1-again"),
    rules("programs", 20),
    rules("linear", 20),
    rules("map", 20),
  ],
  adds: 2,
};

/** How fast one contender is beside another of the same rounds. */
export interface PolicyRatio {
  readonly family: Family;
  readonly kind: Kind;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

export interface PolicyPathResult {
  readonly bench: "policy-path";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: PolicyPathOptions;
  readonly samples: readonly PathSamples[];
  readonly ratios: readonly PolicyRatio[];
  /** Milliseconds of an ADD, in turns on both nodes; `addedMs`: what the programs add to its median. */
  readonly adds: { readonly judged: readonly number[]; readonly plain: readonly number[]; readonly addedMs: number };
}

/** Measures everything and removes what it made, also when it fails. */
export async function runPolicyPath(options: PolicyPathOptions, say: (line: string) => void): Promise<PolicyPathResult> {
  say(`two nodes with ${options.contenders.length} servers`);
  const scene = await PolicyScene.create(options.contenders);
  try {
    say(`${options.adds} ADDs on each`);
    const { judged, plain } = await scene.adds(options.adds);
    say(`${options.rounds} rounds of ${options.kinds.join(", ")}`);
    const samples = await measurePairs(scene.pairs, { topology: "one node", podsPresent: options.contenders.length + 5 }, options);
    const adds = { judged, plain, addedMs: median(judged) - median(plain) };
    return {
      bench: "policy-path",
      version: 1,
      machine: describeMachine(),
      options,
      samples,
      ratios: ratiosOf(samples, options.contenders),
      adds,
    };
  } finally {
    await scene.close();
  }
}

/** Ours beside one rule on the same path, beside none, and beside nftables rules that say the same. */
export function ratiosOf(samples: readonly PathSamples[], contenders: readonly Contender[]): PolicyRatio[] {
  const ratios: PolicyRatio[] = [];
  const compare = (ours: string, theirs: string) => {
    for (const above of samples.filter(({ pair }) => pair === ours)) {
      const { family, kind } = above;
      const below = samples.find((one) => one.pair === theirs && one.family === family && one.kind === kind);
      if (below === undefined) continue;
      const [left, right] = [speed(above), speed(below)];
      ratios.push({ family, kind, ours, theirs, ratio: median(left) / median(right), ...ratioInterval(left, right, 0.5) });
    }
  };
  for (const { name, by, rules: count } of contenders) {
    if (by !== "programs") continue;
    if (name !== "programs-1") compare(name, "programs-1");
    for (const other of contenders)
      if ((other.by === "linear" || other.by === "map") && other.rules === count && !name.endsWith("again")) compare(name, other.name);
  }
  compare("open", "programs-1");
  compare("programs-1", "unhooked");
  return ratios;
}

/** Of round trips and connections the inverse of the median time, which a busy neighbour on the machine moves least; of streams the rate. */
function speed({ rate, p50Us }: PathSamples): number[] {
  return p50Us.length > 0 ? p50Us.map((us) => 1e6 / us) : rate;
}
