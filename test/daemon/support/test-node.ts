import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createNetNamespace,
  defaultPlan,
  deleteNetNamespace,
  inNetNamespace,
  Lab,
  type LabPlan,
  repositoryRoot,
  requestJson,
  run,
  sweep,
  until,
} from "@terway/lab";
import { type Mapping, mappingSchema } from "@terway/model";
import { metadataAddress, openApiAddress } from "../../../ts/lab/src/fabric/addresses.ts";
import { type CniAnswer, type CniInput, callCni } from "./cni.ts";
import { daemonGet } from "./daemon-get.ts";

export interface Pod {
  readonly containerId: string;
  readonly name: string;
  readonly netns: string;
  readonly ifName: string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** How long to wait until the pool is warm; default 75 s: what the cloud denies once is believed after 30 s, and replaced then. */
  readonly readyMs?: number;
  /** Before the daemon's own command line: what starts it in a process of some kind. */
  readonly under?: readonly string[];
  /** Resolve as soon as the process runs; the test looks itself. */
  readonly unawaited?: boolean;
  /** An API server instead of files, for objects and configuration. */
  readonly kubeconfig?: string;
}

export interface TestNodeOptions {
  /** A BPF file system of the node's own, so that it can enforce NetworkPolicy. */
  readonly bpffs?: boolean;
  /** Default: that of the demo with one node and nothing outside. */
  readonly plan?: LabPlan;
}

/** One terwayd process. */
export class Daemon {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  log = "";

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.log += text;
      });
    }
  }

  lines(): Record<string, unknown>[] {
    return this.log
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A machine of a simulated VPC with terwayd on it; pods are bare network namespaces. */
export class TestNode {
  readonly lab: Lab;
  readonly id: string;
  readonly directory: string;
  /** Which machine of the lab's plan. */
  readonly #place: number;
  readonly #beside: TestNode[] = [];
  #daemons: Daemon[] = [];
  #pods = 0;

  private constructor(lab: Lab, id: string, place: number, directory: string) {
    this.lab = lab;
    this.id = id;
    this.#place = place;
    this.directory = directory;
  }

  static async create(conf: Record<string, unknown> = {}, options: TestNodeOptions = {}): Promise<TestNode> {
    const id = `d${randomBytes(4).toString("hex")}`;
    const plan = defaultPlan();
    const { elsewhere: _, ...rest } = plan;
    const lab = await Lab.create(id, options.plan ?? { ...rest, nodes: plan.nodes.slice(0, 1), delays: "fast" });
    return TestNode.#on(lab, id, 0, conf, options);
  }

  static async #on(lab: Lab, id: string, place: number, conf: Record<string, unknown>, options: TestNodeOptions): Promise<TestNode> {
    const node = new TestNode(lab, id, place, await mkdtemp(join(tmpdir(), `terway-${id}-`)));
    for (const name of ["run", "state", "net.d", "eni", "objects"]) await mkdir(join(node.directory, name));
    if (options.bpffs === true) {
      await mkdir(node.#bpffs);
      await run(["mount", "-t", "bpf", "bpf", node.#bpffs]);
    }
    await node.writeConf(conf);
    return node;
  }

  /** The next machine of the plan, with daemons of its own; it ends with this one. */
  async beside(conf: Record<string, unknown> = {}, options: Omit<TestNodeOptions, "plan"> = {}): Promise<TestNode> {
    const node = await TestNode.#on(this.lab, this.id, this.#place + this.#beside.length + 1, conf, options);
    this.#beside.push(node);
    return node;
  }

  /** Of the node's Kubernetes object. */
  get name(): string {
    return this.#place === 0 ? this.id : `${this.id}-${this.#place}`;
  }

  get #bpffs(): string {
    return join(this.directory, "bpf");
  }

  get machine() {
    const machine = this.lab.world.nodes[this.#place];
    if (machine === undefined) throw new Error(`the lab has no node ${this.#place}`);
    return machine;
  }

  get socket(): string {
    return join(this.directory, "run/terway.socket");
  }

  get conflist(): string {
    return join(this.directory, "net.d/10-terway.conflist");
  }

  async writeConf(more: Record<string, unknown> = {}): Promise<void> {
    const { world } = this.lab;
    const conf = {
      version: "1",
      access_key: world.accessKeyId,
      access_secret: world.accessKeySecret,
      vswitches: { [this.machine.zoneId]: [this.machine.vSwitchId] },
      security_group: world.securityGroupId,
      min_pool_size: 2,
      max_pool_size: 5,
      ip_pool_sync_period: "2s",
      ...more,
    };
    await writeFile(join(this.directory, "eni/eni_conf"), JSON.stringify(conf));
  }

  /** Labels of the node's Kubernetes object, which the daemon reads when it starts. */
  async label(labels: Readonly<Record<string, string>>): Promise<void> {
    const object = { apiVersion: "v1", kind: "Node", metadata: { name: this.name, labels } };
    await writeFile(join(this.directory, "objects/node.json"), JSON.stringify(object));
  }

  /** Starts a daemon; by default resolves when the pool is warm and the conflist is written. */
  async start(options: StartOptions = {}): Promise<Daemon> {
    const { directory } = this;
    const argv = inNetNamespace(this.machine.netns, [
      ...(options.under ?? []),
      join(repositoryRoot, "dist/terwayd"),
      ...(options.kubeconfig === undefined
        ? [
            "--config",
            join(directory, "eni/eni_conf"),
            "--cni-conf",
            join(directory, "eni/10-terway.conf"),
            "--objects",
            join(directory, "objects"),
          ]
        : ["--kubeconfig", options.kubeconfig]),
      ...["--cni-conf-dir", join(directory, "net.d"), "--run-dir", join(directory, "run"), "--state-dir", join(directory, "state")],
      ...["--bpffs", this.#bpffs],
      ...["--node-name", this.name, "--cool-down", "1", ...(options.args ?? [])],
    ]);
    const env = {
      ...process.env,
      TERWAY_LAB_ID: this.id,
      TERWAY_ECS_ENDPOINT: `http://${openApiAddress}`,
      TERWAY_VPC_ENDPOINT: `http://${openApiAddress}`,
      TERWAY_METADATA_ENDPOINT: `http://${metadataAddress}`,
      LOG_LEVEL: "info",
      ...options.env,
    };
    const [file = "", ...args] = argv;
    const daemon = new Daemon(spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] }));
    this.#daemons.push(daemon);
    if (options.unawaited !== true) await this.ready(daemon, options.readyMs);
    return daemon;
  }

  /** What the daemon of the last start has said so far. */
  log(): Record<string, unknown>[] {
    return this.#daemons.at(-1)?.lines() ?? [];
  }

  /** Ends the daemon of the last start and starts another one. */
  async restart(signal: NodeJS.Signals, options: StartOptions = {}): Promise<Daemon> {
    await this.#daemons.at(-1)?.stop(signal);
    return this.start(options);
  }

  /** The daemon answers `/readyz` with 200. */
  async ready(daemon: Daemon, timeoutMs = 75_000): Promise<void> {
    let ended: unknown;
    void daemon.ended.then((how) => {
      ended = how;
    });
    await until("terwayd is ready", timeoutMs, async () => {
      if (ended !== undefined) throw new Error(`terwayd ended: ${JSON.stringify(ended)}\n${daemon.log}`);
      return (await this.get("/readyz")).status === 200;
    }).catch(async (error: unknown) => {
      const [readiness, pool, mapping] = [await this.get("/readyz"), await this.cli("show", "resource_pool"), await this.cli("mapping")];
      throw new Error([String(error), daemon.log, readiness.text, pool.stdout, mapping.stdout].join("\n"));
    });
  }

  /** One GET over the daemon's socket; status 0 when nobody answers. */
  get(path: string): Promise<{ status: number; text: string }> {
    return daemonGet(this.socket, path);
  }

  /** As the daemon tells it once nothing is half released: the last record of a DEL is written after its answer. */
  async mapping(): Promise<Mapping> {
    for (let left = 100; ; left--) {
      const mapping = mappingSchema.parse(await requestJson(this.socket, "GET", "/v1/admin/mapping"));
      if (left === 0 || mapping.leases.every((lease) => lease.state !== "releasing")) return mapping;
      await sleep(20);
    }
  }

  cli(...args: string[]) {
    return run([join(repositoryRoot, "dist/terway-cli"), "--socket", this.socket, ...args], { allow: [1, 2, 3, 4] });
  }

  async pod(name?: string): Promise<Pod> {
    this.#pods++;
    const number = this.#pods;
    const netns = await createNetNamespace(`tw-${this.name}-pod${number}`);
    return { containerId: randomBytes(16).toString("hex"), name: name ?? `pod-${number}`, netns: netns.path, ifName: "eth0" };
  }

  async removeNetns(pod: Pod): Promise<void> {
    await deleteNetNamespace(pod.netns.slice("/run/netns/".length));
  }

  cni(verb: CniInput["verb"], pod?: Pod, more: Partial<CniInput> = {}): Promise<CniAnswer> {
    return callCni({
      verb,
      socket: this.socket,
      ...(pod === undefined
        ? {}
        : {
            containerId: pod.containerId,
            netns: pod.netns,
            ifName: pod.ifName,
            args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=test;K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId};K8S_POD_UID=u-${pod.containerId.slice(0, 8)}`,
          }),
      ...more,
    });
  }

  /** ADD that must succeed; answers the pod's IPv4 address. */
  async add(pod: Pod): Promise<string> {
    const answer = await this.cni("ADD", pod);
    if (answer.exitCode !== 0) throw new Error(`ADD failed: ${JSON.stringify(answer.output)}\n${this.#daemons.at(-1)?.log ?? ""}`);
    return addressOf(answer);
  }

  /** What a runtime does when a sandbox ends: DEL, which must succeed, then its namespace goes. */
  async end(pod: Pod): Promise<void> {
    const answer = await this.cni("DEL", pod);
    if (answer.exitCode !== 0) throw new Error(`DEL failed: ${JSON.stringify(answer.output)}`);
    await this.removeNetns(pod);
  }

  /** Something in the pod answers to, and reaches, the VPC's gateway side: its address is really carried. */
  async pings(pod: Pod, target: string): Promise<boolean> {
    const { code } = await run(inNetNamespace(pod.netns, ["ping", "-c", "1", "-W", "2", target]), { allow: [1, 2] });
    return code === 0;
  }

  async exists(path: string): Promise<boolean> {
    return access(path).then(
      () => true,
      () => false,
    );
  }

  async conflistText(): Promise<Record<string, unknown>> {
    return JSON.parse(await readFile(this.conflist, "utf8")) as Record<string, unknown>;
  }

  /** Ends every daemon, removes every object that carries the id; throws when something is left. */
  async destroy(): Promise<void> {
    const nodes = [...this.#beside, this];
    for (const node of nodes) await node.#stop();
    const left = await sweep(this.id);
    for (const node of nodes) await node.#remove();
    if (left.length > 0) throw new Error(`left behind: ${JSON.stringify(left)}`);
  }

  async #stop(): Promise<void> {
    for (const daemon of this.#daemons)
      if (daemon.child.exitCode === null && daemon.child.signalCode === null) await daemon.stop("SIGKILL");
  }

  async #remove(): Promise<void> {
    await run(["umount", this.#bpffs], { allow: [1, 32] });
    await rm(this.directory, { recursive: true, force: true });
  }
}

export function addressOf(answer: CniAnswer): string {
  const ips = answer.output?.ips;
  const first: unknown = Array.isArray(ips) ? ips[0] : undefined;
  const address = typeof first === "object" && first !== null && "address" in first ? String(first.address) : "";
  return address.split("/")[0] ?? "";
}
