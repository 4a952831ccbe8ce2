import type { AddressPool, Datapath, DegradationLevel, NodeModes } from "@terway/model";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Buckets of Terway's histograms, so that its dashboards keep their shape; two small ones in front, because calls here take milliseconds. */
const rpcBuckets = [
  1, 5, 10, 25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 26_600, 27_600, 29_600, 33_600, 41_600, 57_600, 89_600, 110_000,
  120_000,
];
const openApiBuckets = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 13_800, 14_800, 16_800, 20_800, 28_800, 44_800];
const metadataBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const phaseBuckets = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1000, 10_000];

/** Prometheus metrics, under Terway's names where it has them. */
export class Metrics {
  readonly registry = new Registry();
  readonly #rpc: Histogram<"rpc_api" | "error">;
  readonly #openApi: Histogram<"api" | "error">;
  readonly #metadata: Histogram<"url" | "error">;
  readonly #phase: Histogram<"phase">;
  readonly #repairs: Counter<"trigger" | "outcome">;
  readonly #disposed: Counter<"type" | "ipStack">;
  readonly #tombstones: Counter;
  readonly #journalCommits: Counter;
  readonly #policySteps: Histogram;
  readonly #policyFull: Counter;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
      new Histogram<L>({ name, help, labelNames: [...labelNames], buckets, registers });
    this.#rpc = histogram("terway_rpc_latency", "CNI call latency in ms", ["rpc_api", "error"], rpcBuckets);
    this.#openApi = histogram("aliyun_openapi_latency", "OpenAPI call latency in ms", ["api", "error"], openApiBuckets);
    this.#metadata = histogram("aliyun_metadata_latency", "Instance metadata latency in ms", ["url", "error"], metadataBuckets);
    this.#phase = histogram("terway_add_phase_duration_ms", "Time of one phase of ADD in ms", ["phase"], phaseBuckets);
    this.#repairs = new Counter({
      name: "terway_datapath_repairs_total",
      help: "Differences between kernel and attachments that were found",
      labelNames: ["trigger", "outcome"],
      registers,
    });
    this.#disposed = new Counter({
      name: "terway_resource_pool_disposed_count",
      help: "Addresses given back to the cloud",
      labelNames: ["type", "ipStack"],
      registers,
    });
    this.#tombstones = new Counter({ name: "terway_tombstones_total", help: "DELs found as tombstones", registers });
    this.#policySteps = histogram("terway_policy_apply_duration_ms", "Time of one change of the policy tables in ms", [], phaseBuckets);
    this.#policyFull = new Counter({
      name: "terway_policy_tables_full_total",
      help: "Changes that did not fit into the policy tables; what was in force stayed",
      registers,
    });
    this.#journalCommits = new Counter({ name: "terway_journal_commits_total", help: "Durable writes of the journal", registers });
  }

  /** Asked at each scrape. */
  observeDegradation(level: () => DegradationLevel): void {
    new Gauge({
      name: "terway_degradation",
      help: "0: none, 1: nothing is released, 2: the cloud is not called",
      registers: [this.registry],
      collect() {
        this.set({ none: 0, l1: 1, l0: 2 }[level()]);
      },
    });
  }

  /** Gauges read their objects when they are scraped. */
  observe(pool: () => AddressPool, datapath: Datapath, ipStack: () => string, modes: () => NodeModes | undefined): void {
    const registers = [this.registry];
    const poolGauge = (name: string, help: string, read: (view: ReturnType<AddressPool["view"]>) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ["type", "ipStack"],
        registers,
        collect() {
          const view = pool().view();
          // A node that changes its kind has no numbers of the other one left.
          this.reset();
          this.set({ type: view.exclusive ? "ENI" : "LocalIP", ipStack: ipStack() }, read(view));
        },
      });
    poolGauge("terway_resource_pool_total_count", "Addresses of the pool, or ENIs where pods have whole ones", (view) => view.total);
    poolGauge("terway_resource_pool_idle_count", "What an ADD would get at once", (view) => view.free);
    poolGauge("terway_resource_pool_allocated_count", "Addresses or ENIs in use", (view) => view.used);
    poolGauge("terway_resource_pool_cooling_count", "Released addresses or ENIs that rest", (view) => view.cooling);
    poolGauge("terway_resource_pool_waiting_count", "ADDs that wait", (view) => view.waiting);
    new Gauge({
      name: "terway_eniip_factory_eni_count",
      help: "ENIs of the pool",
      labelNames: ["name", "max_eni"],
      registers,
      collect() {
        this.set(
          { name: "default", max_eni: "" },
          pool()
            .view()
            .enis.filter((eni) => eni.ours).length,
        );
      },
    });
    new Gauge({
      name: "terway_node_modes",
      help: "How this node connects its pods; always 1",
      labelNames: ["node", "shared", "trunk_member", "fast_path", "bandwidth_mode"],
      registers,
      collect() {
        const chosen = modes();
        if (chosen === undefined) return;
        const { node, shared, trunkMember, fastPath, bandwidthMode } = chosen;
        this.set({ node, shared, trunk_member: trunkMember, fast_path: String(fastPath), bandwidth_mode: bandwidthMode }, 1);
      },
    });
    new Gauge({
      name: "terway_datapath_attachments",
      help: "Attachments that are guarded",
      registers,
      collect() {
        this.set(datapath.status().attachments);
      },
    });
    new Gauge({
      name: "terway_datapath_delete_backlog",
      help: "Renamed devices that wait for the batch deleter",
      registers,
      collect() {
        this.set(datapath.status().deleteBacklog);
      },
    });
  }

  /** Whether NetworkPolicy is enforced, and what the programs did with packets; they also run for the fast path. */
  observePolicy(
    datapath: Datapath,
    policy: { readonly isEnforced: boolean; escapable(): readonly string[] },
    isForwarding: () => boolean,
  ): void {
    const registers = [this.registry];
    new Gauge({
      name: "terway_network_policy_enforced",
      help: "1 where NetworkPolicy is enforced on this node",
      registers,
      collect() {
        this.set(policy.isEnforced ? 1 : 0);
      },
    });
    new Gauge({
      name: "terway_policy_escapable_pods",
      help: "Pods with NET_ADMIN on a device of their own: they could take their hooks away until repair puts them back",
      registers,
      collect() {
        this.set(policy.escapable().length);
      },
    });
    new Gauge({
      name: "terway_policy_packets",
      help: "Packets by what the kernel programs did with them and why, since the maps were made",
      labelNames: ["reason"],
      registers,
      async collect() {
        const counts = policy.isEnforced || isForwarding() ? await datapath.policy.counts() : undefined;
        if (counts?.ok) for (const { reason, packets } of counts.value.reasons) this.set({ reason }, packets);
      },
    });
  }

  policyApplied(ms: number): void {
    this.#policySteps.observe(ms);
  }

  policyFull(): void {
    this.#policyFull.inc();
  }

  rpc(api: string, failed: boolean, ms: number): void {
    this.#rpc.observe({ rpc_api: api, error: String(failed) }, ms);
  }

  openApi(api: string, failed: boolean, ms: number): void {
    this.#openApi.observe({ api, error: String(failed) }, ms);
  }

  /** `path` without MAC addresses: an unbounded label is a leak. */
  metadata(path: string, failed: boolean, ms: number): void {
    this.#metadata.observe({ url: path.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/gi, "{mac}"), error: String(failed) }, ms);
  }

  addPhase(phase: "pool" | "kernel", ms: number): void {
    this.#phase.observe({ phase }, ms);
  }

  repaired(trigger: string, failed: boolean): void {
    this.#repairs.inc({ trigger, outcome: failed ? "failed" : "repaired" });
  }

  disposed(family: string, count: number): void {
    this.#disposed.inc({ type: "LocalIP", ipStack: family }, count);
  }

  tombstone(): void {
    this.#tombstones.inc();
  }

  journalCommitted(): void {
    this.#journalCommits.inc();
  }
}
