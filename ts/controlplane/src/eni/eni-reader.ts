import type { Clock, Cloud, Eni } from "@terway/model";

/** Questions of so long are one call. */
const windowMs = 50;

/** What the cloud says of single ENIs, many questions in one call. */
export class EniReader {
  readonly #cloud: Pick<Cloud, "describeEnis">;
  readonly #clock: Clock;
  #waiting: { readonly ids: Set<string>; readonly answer: Promise<ReadonlyMap<string, Eni>> } | undefined;

  constructor(cloud: Pick<Cloud, "describeEnis">, clock: Clock) {
    this.#cloud = cloud;
    this.#clock = clock;
  }

  /** Undefined when there is no such ENI. Rejects with a CloudError. */
  async read(id: string): Promise<Eni | undefined> {
    this.#waiting ??= this.#open();
    this.#waiting.ids.add(id);
    return (await this.#waiting.answer).get(id);
  }

  #open() {
    const ids = new Set<string>();
    const ask = async () => {
      await this.#clock.sleep(windowMs);
      this.#waiting = undefined;
      const enis = await this.#cloud.describeEnis({ eniIds: [...ids] });
      return new Map(enis.map((eni) => [eni.id, eni]));
    };
    return { ids, answer: ask() };
  }
}
