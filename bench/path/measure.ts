import { ask, Server, stream } from "./places.ts";
import { type Family, families, type Pair } from "./scene.ts";

export const kinds = ["rr", "crr", "udp", "stream1", "stream8"] as const;
export type Kind = (typeof kinds)[number];

/** All rounds of one measurement: rates in operations or bits per second, latencies in microseconds, one a round. */
export interface PathSamples {
  readonly topology: string;
  readonly pair: string;
  readonly family: Family;
  readonly kind: Kind;
  readonly podsPresent: number;
  readonly rate: number[];
  readonly p50Us: number[];
  readonly p99Us: number[];
}

export interface RoundOptions {
  readonly rounds: number;
  readonly ms: number;
  /** Streams take a second at least (iperf3 counts in whole ones), and vary little: fewer rounds of them. */
  readonly streamRounds: number;
  readonly streamMs: number;
  readonly kinds: readonly Kind[];
}

/** Measures all pairs in turns, round by round, so that whatever else the machine does falls on all of them. */
export async function measurePairs(
  pairs: readonly Pair[],
  where: { topology: string; podsPresent: number },
  options: RoundOptions,
): Promise<PathSamples[]> {
  const samples: PathSamples[] = [];
  for (const family of families) {
    const servers: Server[] = [];
    try {
      for (const pair of pairs) servers.push(await Server.start(pair.to[family]));
      const tracks = pairs.flatMap((pair, index) => options.kinds.map((kind) => ({ pair, kind, server: at(servers, index) })));
      const sets = tracks.map(
        ({ pair, kind }): PathSamples => ({ ...where, pair: pair.name, family, kind, rate: [], p50Us: [], p99Us: [] }),
      );
      for (let round = 0; round < options.rounds; round += 1) {
        for (const kind of options.kinds) {
          if (kind.startsWith("stream") && round >= options.streamRounds) continue;
          // The order turns with the rounds: whoever comes first after a pause would always find the caches cold.
          for (const index of rotate(indicesOf(tracks, kind), round)) {
            const { pair, server } = at(tracks, index);
            const from = pair.from[family];
            const connections = kind === "stream8" ? 8 : 1;
            const answer =
              kind === "stream1" || kind === "stream8"
                ? await stream(from, server, connections, options.streamMs)
                : await ask(from, server, kind, options.ms);
            const set = at(sets, index);
            set.rate.push(answer.rate);
            if (answer.latencyUs) {
              set.p50Us.push(answer.latencyUs.p50);
              set.p99Us.push(answer.latencyUs.p99);
            }
          }
        }
      }
      samples.push(...sets);
    } finally {
      for (const server of servers) server.close();
    }
  }
  return samples;
}

function indicesOf(tracks: readonly { readonly kind: Kind }[], kind: Kind): number[] {
  return tracks.flatMap((track, index) => (track.kind === kind ? [index] : []));
}

function rotate(indices: readonly number[], by: number): number[] {
  const cut = by % indices.length;
  return [...indices.slice(cut), ...indices.slice(0, cut)];
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`no item ${index}`);
  return item;
}
