/** Percentile of sorted samples by linear interpolation between the nearest ranks; `share` in [0, 1]. */
export function percentile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError("percentile of no samples");
  return below + (above - below) * (position - Math.floor(position));
}

export function sorted(samples: readonly number[]): number[] {
  return samples.toSorted((a, b) => a - b);
}

export function median(samples: readonly number[]): number {
  return percentile(sorted(samples), 0.5);
}

/** Deterministic generator (mulberry32), so that a result's interval can be computed again from its raw samples. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 95 % bootstrap interval of the ratio of one percentile of `ours` to that of `theirs`. */
export function ratioInterval(ours: readonly number[], theirs: readonly number[], share: number, rounds = 1000, seed = 1): Interval {
  const random = generator(seed);
  const resample = (samples: readonly number[]) => sorted(samples.map(() => samples[Math.floor(random() * samples.length)] ?? 0));
  const ratios = sorted(Array.from({ length: rounds }, () => percentile(resample(ours), share) / percentile(resample(theirs), share)));
  return { low: percentile(ratios, 0.025), high: percentile(ratios, 0.975) };
}
