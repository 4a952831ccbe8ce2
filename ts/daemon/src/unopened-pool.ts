import type { AddressPool, PoolProblem } from "@terway/model";

/**
 * Stands for the pool while the instance does not know who it is: the metadata service has never answered on this node, so there is no journal and
 * no lease. DEL succeeds, ADD and STATUS say why not.
 */
export class UnopenedPool implements AddressPool {
  readonly #problem: () => PoolProblem;

  constructor(problem: () => PoolProblem) {
    this.#problem = problem;
  }

  async allocate() {
    const problem = this.#problem();
    return { ok: false as const, failure: { reason: "exhausted" as const, message: problem.message, problem } };
  }

  async bound() {}

  async beginRelease() {
    return undefined;
  }

  async finishRelease() {}

  lease() {
    return undefined;
  }

  leases() {
    return [];
  }

  securityGroups() {
    return undefined;
  }

  view() {
    const none = { total: 0, used: 0, free: 0, cooling: 0, waiting: 0, capacity: 0 };
    return { exclusive: false, enis: [], leases: [], ...none, problems: [this.#problem()] };
  }

  expect() {}

  async warm() {
    return { limited: this.#problem() };
  }

  async sync() {}

  reconfigure() {}

  async close() {}
}
