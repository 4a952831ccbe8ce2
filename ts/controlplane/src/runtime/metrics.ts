import type { DegradationLevel } from "@terway/model";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Terway's own names where it has one. */
export class Metrics {
  readonly registry = new Registry();
  readonly #api = new Histogram({
    name: "aliyun_openapi_latency",
    help: "Calls of the cloud, in milliseconds",
    labelNames: ["api", "error"],
    buckets: [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 13_800, 14_800, 16_800, 20_800, 28_800, 44_800],
    registers: [this.registry],
  });
  readonly #reconcile = new Histogram({
    name: "terway_controlplane_reconcile_seconds",
    help: "One look at one object",
    labelNames: ["controller", "result"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [this.registry],
  });
  readonly #info = new Gauge({
    name: "terway_controlplane_config_info",
    help: "Controllers that run",
    labelNames: ["controller", "max_concurrent"],
    registers: [this.registry],
  });
  readonly #leader = new Gauge({ name: "terway_controlplane_leader", help: "1 where controllers run", registers: [this.registry] });
  readonly #admissions = new Counter({
    name: "terway_controlplane_admissions_total",
    help: "Answers of the webhooks",
    labelNames: ["webhook", "kind", "result"],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.leads(false);
  }

  called(api: string, failed: boolean, durationMs: number): void {
    this.#api.observe({ api, error: String(failed) }, durationMs);
  }

  reconciled(controller: string, result: "success" | "error", durationMs: number): void {
    this.#reconcile.observe({ controller, result }, durationMs / 1000);
  }

  /** Asked for its depth at each scrape. */
  queue(controller: string, depth: () => number, workers: number): void {
    this.#info.set({ controller, max_concurrent: String(workers) }, 1);
    const name = `terway_controlplane_queue_depth_${controller.replaceAll("-", "_")}`;
    this.registry.removeSingleMetric(name);
    new Gauge({
      name,
      help: `Keys that wait for controller ${controller}`,
      registers: [this.registry],
      collect() {
        this.set(depth());
      },
    });
  }

  leads(yes: boolean): void {
    this.#leader.set(Number(yes));
  }

  /** Asked at each scrape. */
  degradation(level: () => DegradationLevel): void {
    new Gauge({
      name: "terway_controlplane_degradation",
      help: "0: none, 1: nothing is released, 2: the cloud is not called",
      registers: [this.registry],
      collect() {
        this.set({ none: 0, l1: 1, l0: 2 }[level()]);
      },
    });
  }

  admitted(webhook: string, kind: string, result: "allowed" | "changed" | "denied" | "failed"): void {
    this.#admissions.inc({ webhook, kind, result });
  }
}
