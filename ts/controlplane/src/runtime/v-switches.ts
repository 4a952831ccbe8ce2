import type { Clock, Cloud, Random, VSwitch } from "@terway/model";

export type SelectionPolicy = "ordered" | "random" | "most";

export interface VSwitchesOptions {
  readonly cloud: Pick<Cloud, "describeVSwitches">;
  readonly clock: Clock;
  readonly random: Random;
  /** How long what the cloud said is believed. */
  readonly lifeMs: number;
  readonly most: number;
}

interface Known {
  readonly vSwitch: VSwitch;
  readonly untilMs: number;
  /** Given out since it was read. */
  taken: number;
  exhausted: boolean;
}

/** vSwitches as far as they are known: their zones, and how many addresses they have left by our own account since they were read. */
export class VSwitches {
  readonly #options: VSwitchesOptions;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(options: VSwitchesOptions) {
    this.#options = options;
  }

  /** Those that exist, in the order of the ids. Rejects with a CloudError. */
  async read(ids: readonly string[]): Promise<VSwitch[]> {
    await Promise.all(ids.map((id) => this.#refresh(id)));
    return ids.flatMap((id) => this.#known.get(id)?.vSwitch ?? []);
  }

  /** Those of the zone with an address left, the one to take first. */
  async candidates(zoneId: string, ids: readonly string[], policy: SelectionPolicy): Promise<VSwitch[]> {
    await this.read(ids);
    const left = ({ vSwitch, taken, exhausted }: Known) => (exhausted ? 0 : vSwitch.availableIpv4 - taken);
    const found = ids.flatMap((id) => this.#known.get(id) ?? []).filter((known) => known.vSwitch.zoneId === zoneId && left(known) > 0);
    if (policy === "most") found.sort((a, b) => left(b) - left(a));
    if (policy === "random") {
      const drawn = new Map(found.map((known) => [known, this.#options.random.next()]));
      found.sort((a, b) => (drawn.get(a) ?? 0) - (drawn.get(b) ?? 0));
    }
    return found.map(({ vSwitch }) => vSwitch);
  }

  /** An address of it is in use now. */
  took(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.taken += 1;
  }

  /** The cloud says that it has none left; believed until it is read again. */
  exhausted(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.exhausted = true;
  }

  async #refresh(id: string): Promise<void> {
    const { clock, cloud, lifeMs, most } = this.#options;
    if ((this.#known.get(id)?.untilMs ?? 0) > clock.monotonicMs()) return;
    let asking = this.#asking.get(id);
    if (asking === undefined) {
      asking = cloud
        .describeVSwitches([id])
        .then((found) => {
          this.#known.delete(id);
          for (const vSwitch of found.filter((one) => one.id === id))
            this.#known.set(id, { vSwitch, untilMs: clock.monotonicMs() + lifeMs, taken: 0, exhausted: false });
          const [oldest] = this.#known.keys();
          if (this.#known.size > most && oldest !== undefined) this.#known.delete(oldest);
        })
        .finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }
}
