import { percentile, ratioInterval, sorted } from "../statistics.ts";
import type { Contender } from "./contender.ts";

export type Verb = "ADD" | "DEL";

export interface SampleSet {
  readonly contender: Contender["name"];
  readonly verb: Verb;
  readonly parallel: number;
  readonly podsPresent: number;
  readonly ms: readonly number[];
}

/** Samples of one run, gathered round by round. */
export class Samples {
  readonly #sets = new Map<string, { -readonly [Key in keyof SampleSet]: Key extends "ms" ? number[] : SampleSet[Key] }>();

  record(set: SampleSet): void {
    const key = `${set.contender} ${set.verb} ${set.parallel} ${set.podsPresent}`;
    const known = this.#sets.get(key);
    if (known) known.ms.push(...set.ms);
    else this.#sets.set(key, { ...set, ms: [...set.ms] });
  }

  of(contender: Contender["name"], verb: Verb, parallel: number, podsPresent: number): readonly number[] {
    return this.#sets.get(`${contender} ${verb} ${parallel} ${podsPresent}`)?.ms ?? [];
  }

  all(): SampleSet[] {
    return [...this.#sets.values()];
  }
}

export interface Ratio {
  readonly p50: number;
  readonly p99: number;
  readonly p50Interval: { readonly low: number; readonly high: number };
}

export interface SummaryRow {
  readonly verb: Verb;
  readonly parallel: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly ratioToFloor: Ratio;
  readonly ratioToPtp: Ratio;
}

export function ratio(ours: readonly number[], theirs: readonly number[]): Ratio {
  const at = (share: number) => percentile(sorted(ours), share) / percentile(sorted(theirs), share);
  return { p50: at(0.5), p99: at(0.99), p50Interval: ratioInterval(ours, theirs, 0.5) };
}

/** One row a verb and parallelism, at one number of pods already there. */
export function summarize(samples: Samples, parallels: readonly number[], podsPresent: number): SummaryRow[] {
  return parallels.flatMap((parallel) =>
    (["ADD", "DEL"] as const).map((verb) => {
      const ours = samples.of("terway", verb, parallel, podsPresent);
      const ordered = sorted(ours);
      return {
        verb,
        parallel,
        p50Ms: percentile(ordered, 0.5),
        p90Ms: percentile(ordered, 0.9),
        p99Ms: percentile(ordered, 0.99),
        ratioToFloor: ratio(ours, samples.of("floor", verb, parallel, podsPresent)),
        ratioToPtp: ratio(ours, samples.of("ptp", verb, parallel, podsPresent)),
      };
    }),
  );
}

/** Slope of the second half by least squares, in units per step; what a process keeps once it is warm. */
export function slopeOfSecondHalf(values: readonly number[]): number {
  const half = values.slice(Math.floor(values.length / 2));
  const meanX = (half.length - 1) / 2;
  const meanY = half.reduce((sum, value) => sum + value, 0) / half.length;
  const [up, down] = half.reduce<[number, number]>(([a, b], value, x) => [a + (x - meanX) * (value - meanY), b + (x - meanX) ** 2], [0, 0]);
  return down === 0 ? 0 : up / down;
}
