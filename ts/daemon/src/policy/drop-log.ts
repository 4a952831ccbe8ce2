import type { Clock, Datapath, PolicyDrops, PolicySample } from "@terway/model";

type Drop = PolicyDrops["drops"][number];

/** So many are kept for who asks next. */
const keep = 512;

/** Packets that the kernel programs dropped. The kernel gives each sample to one reader: this one, so that several people can look on at once. */
export class DropLog {
  readonly #datapath: Datapath;
  readonly #clock: Clock;
  #last = 0;
  #drops: Drop[] = [];

  constructor(datapath: Datapath, clock: Clock) {
    this.#datapath = datapath;
    this.#clock = clock;
  }

  /** Those with a higher number than `after`, of the last few hundred; `nameOf` an interface. Throws when the kernel cannot be asked. */
  async after(after: number, nameOf: (endpoint: number) => string): Promise<PolicyDrops> {
    const samples = await this.#datapath.policy.samples();
    if (!samples.ok) throw new Error(samples.error.message);
    const [now, wallMs] = [this.#clock.monotonicMs(), this.#clock.wallMs()];
    for (const sample of samples.value) {
      this.#drops.push(dropOf(sample, wallMs - (now - sample.timeNs / 1e6), nameOf(sample.endpoint)));
      this.#last += 1;
    }
    this.#drops = this.#drops.slice(-keep);
    const news = Math.min(this.#drops.length, Math.max(0, this.#last - after));
    return { last: this.#last, drops: news === 0 ? [] : this.#drops.slice(-news) };
  }
}

function dropOf({ timeNs: _, endpoint: __, ...sample }: PolicySample, atMs: number, pod: string): Drop {
  return { ...sample, atMs: Math.round(atMs), pod };
}
