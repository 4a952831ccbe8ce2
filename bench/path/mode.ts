import type { PathMode } from "../add/mode.ts";
import { describeMachine } from "../machine.ts";
import { measurePairs } from "./measure.ts";
import { ModeScene } from "./mode-scene.ts";
import { comparison, type PathOptions, type PathRatio, type PathResult } from "./run.ts";

const pods = 4;

export function modeOptions(mode: PathMode): PathOptions {
  const kinds = ["rr", "crr", "udp", "stream1", "stream8"] as const;
  return { rounds: 12, ms: 150, streamRounds: 3, streamMs: 1000, kinds, fewPods: pods, manyPods: pods, daemonArgs: [], mode };
}

export function modeSmokeOptions(mode: PathMode): PathOptions {
  return { ...modeOptions(mode), rounds: 1, ms: 50, streamRounds: 1, kinds: ["rr", "crr", "udp", "stream1"] };
}

/** Measures pods of one mode beside pods of policy route and beside the nodes themselves, between nodes and on one node. */
export async function runMode(mode: PathMode, options: PathOptions, say: (line: string) => void): Promise<PathResult> {
  say(`starting a VPC with two nodes of mode ${mode} and two of policy route`);
  const scene = await ModeScene.create(mode, pods);
  try {
    say(`${options.rounds} rounds between nodes and on one node, ${pods} pods on each`);
    const across = await measurePairs(await scene.across(), { topology: "across nodes", podsPresent: pods }, options);
    const within = await measurePairs(await scene.within(), { topology: "one node", podsPresent: pods }, options);
    const samples = [...across, ...within];
    return { bench: "path", version: 1, machine: describeMachine(), options, samples, ratios: modeRatios(samples, mode) };
  } finally {
    await scene.close();
  }
}

/** The mode beside each other pair of the same rounds. */
export function modeRatios(samples: PathResult["samples"], mode: PathMode): PathRatio[] {
  return samples
    .filter(({ pair }) => pair === mode)
    .flatMap((ours) =>
      samples
        .filter(
          ({ pair, topology, family, kind }) => pair !== mode && topology === ours.topology && family === ours.family && kind === ours.kind,
        )
        .map((theirs) => comparison(ours, theirs)),
    );
}
