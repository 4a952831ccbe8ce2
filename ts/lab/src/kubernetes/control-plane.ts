import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type KubeClient, openClient } from "@terway/kube";
import { z } from "zod";
import type { LabDirectory } from "../host/lab-directory.ts";
import { logTail } from "../host/log-tail.ts";
import { inNetNamespace } from "../host/netns.ts";
import { isAlive, type ProcessRecord, signal, waitForEnd } from "../host/process.ts";
import { until } from "../node/until.ts";
import { type AuditedRequest, readAudit, writeAuditPolicy } from "./audit.ts";
import { Authority } from "./authority.ts";
import { apiServerFlags, controllerManagerFlags, etcdFlags, schedulerFlags } from "./control-plane-flags.ts";
import { type KubernetesProgram, kubernetesPrograms } from "./programs.ts";

/** Where the API server listens in its network namespace. */
const apiServerPort = 6443;
const serviceNames = ["", ".default", ".default.svc", ".default.svc.cluster.local"].map((suffix) => `kubernetes${suffix}`);

export interface ControlPlaneOptions {
  readonly lab: LabDirectory;
  /** Network namespace of its machine. */
  readonly netns: string;
  /** The machine's address, by which nodes reach the API server. */
  readonly address: string;
  /** The program `lab-agent`, which relays from this machine's loopback. */
  readonly agent: string;
  /** Default {@link defaultServiceCidrs}. */
  readonly serviceCidrs?: readonly [string, ...string[]];
}

/** Of Services: IPv4 and IPv6, as the lab's nodes are configured. */
export const defaultServiceCidrs = ["172.16.0.0/16", "fd00:96::/112"] as const;

/** A user as certificates name it. */
export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
}

/** Who a kubelet, and whatever borrows its identity, is. */
export function nodeIdentity(nodeName: string): Identity {
  return { user: `system:node:${nodeName}`, groups: ["system:nodes"] };
}

/**
 * A real etcd and a real API server, and the controllers and the scheduler when asked for. They outlive this process and belong to the lab's id;
 * `sweep(id)` ends them. Any program of this machine reaches the API server at {@link server}, machines of the lab's VPC at {@link serverInVpc}.
 */
export class ControlPlane {
  /** Kubeconfig of somebody who may do everything, for programs of this machine. */
  readonly admin: string;
  readonly client: KubeClient;
  readonly authority: Authority;
  readonly server: string;
  readonly serverInVpc: string;
  readonly #options: ControlPlaneOptions;
  readonly #program: (name: KubernetesProgram) => string;
  readonly #flags: readonly string[];
  #apiServer: ProcessRecord | undefined;

  private constructor(fields: {
    options: ControlPlaneOptions;
    program: (name: KubernetesProgram) => string;
    authority: Authority;
    port: number;
    admin: string;
    client: KubeClient;
    flags: readonly string[];
  }) {
    this.#options = fields.options;
    this.#program = fields.program;
    this.authority = fields.authority;
    this.server = hereUrl(fields.port);
    this.serverInVpc = `https://${fields.options.address}:${apiServerPort}`;
    this.admin = fields.admin;
    this.client = fields.client;
    this.#flags = fields.flags;
  }

  /** Resolves when the API server is ready, some 4 s later on a quiet machine. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { lab, address, agent, netns, serviceCidrs = defaultServiceCidrs } = options;
    const program = await kubernetesPrograms();
    const data = join(lab.path, "etcd");
    await mkdir(data, { recursive: true, mode: 0o700 });
    const etcd = await lab.start("etcd", inNetNamespace(netns, [program("etcd"), ...etcdFlags(data)]));
    const relay = await lab.start("api-relay", [agent, "relay", "--netns", netns, "--to", `${address}:${apiServerPort}`]);
    const authority = await Authority.create(join(lab.path, "pki"));
    const [serving, kubelets, admin, tokens, port] = await Promise.all([
      authority.issue({
        name: "kube-apiserver",
        user: "kube-apiserver",
        usage: "serverAuth",
        dnsNames: [...serviceNames, "localhost"],
        addresses: ["127.0.0.1", address, ...serviceCidrs.map(firstOf)],
      }),
      authority.issue({ name: "to-kubelets", user: "kube-apiserver", groups: ["system:masters"], usage: "clientAuth" }),
      authority.issue({ name: "admin", user: "admin", groups: ["system:masters"], usage: "clientAuth" }),
      authority.tokenKeys(),
      portOf(lab, relay),
    ]);
    const kubeconfig = await authority.kubeconfig("admin", hereUrl(port), admin);
    const audit = { policy: join(lab.path, "audit-policy.json"), log: auditLog(lab) };
    await writeAuditPolicy(audit.policy);
    const plane = new ControlPlane({
      options,
      program,
      authority,
      port,
      admin: kubeconfig,
      client: await openClient({ kubeconfig }, "terway-lab"),
      flags: apiServerFlags({ address, port: apiServerPort, ca: authority.certificate, serving, kubelets, tokens, serviceCidrs, audit }),
    });
    if (!(await isAlive(etcd))) throw new Error(`etcd ended: ${await logTail(lab.log("etcd"))}`);
    await plane.startApiServer();
    return plane;
  }

  /** Path of an upstream program. */
  get program(): (name: KubernetesProgram) => string {
    return this.#program;
  }

  /** Requests of Terway's daemons so far. */
  daemonRequests(): Promise<AuditedRequest[]> {
    return readAudit(auditLog(this.#options.lab));
  }

  /** Starts an upstream program of this machine's own, which belongs to the lab as everything does. */
  startProgram(name: KubernetesProgram, flags: readonly string[]): Promise<ProcessRecord> {
    return this.#options.lab.start(name, [this.#program(name), ...flags]);
  }

  /** A kubeconfig of this user for programs of this machine (`here`) or of the VPC's machines (`vpc`). Answers its path. */
  async kubeconfig(name: string, identity: Identity, from: "here" | "vpc"): Promise<string> {
    const certificate = await this.authority.issue({ name, usage: "clientAuth", ...identity });
    return this.authority.kubeconfig(name, from === "here" ? this.server : this.serverInVpc, certificate);
  }

  /** Also after {@link stopApiServer}; resolves when it is ready. */
  async startApiServer(): Promise<void> {
    const { lab, netns } = this.#options;
    const started = await lab.start("kube-apiserver", inNetNamespace(netns, [this.#program("kube-apiserver"), ...this.#flags]));
    this.#apiServer = started;
    await until(
      "the API server is ready",
      60_000,
      async () => {
        if (!(await isAlive(started))) throw new Error(`kube-apiserver ended: ${await logTail(lab.log("kube-apiserver"))}`);
        return isReady(this.client);
      },
      lab.log("kube-apiserver"),
    );
  }

  /** Ends the API server without a farewell, as a machine that fails does; etcd stays. */
  async stopApiServer(): Promise<void> {
    if (this.#apiServer === undefined) return;
    await signal(this.#apiServer, "SIGKILL");
    if (!(await waitForEnd(this.#apiServer, 10_000))) throw new Error("kube-apiserver still runs 10 s after SIGKILL");
    this.#apiServer = undefined;
  }

  /** The controller manager and the scheduler. Resolves when pods can be created in namespace `default`. */
  async startControllers(): Promise<void> {
    const { lab, netns, address, serviceCidrs = defaultServiceCidrs } = this.#options;
    const [controllers, scheduler] = await Promise.all([
      this.kubeconfig("kube-controller-manager", { user: "system:kube-controller-manager" }, "vpc"),
      this.kubeconfig("kube-scheduler", { user: "system:kube-scheduler" }, "vpc"),
    ]);
    const common = { pki: join(lab.path, "pki"), address, serviceCidrs };
    const start = (name: "kube-controller-manager" | "kube-scheduler", flags: readonly string[]) =>
      lab.start(name, inNetNamespace(netns, [this.#program(name), ...flags]));
    const manager = await start("kube-controller-manager", controllerManagerFlags({ ...common, kubeconfig: controllers }));
    await start("kube-scheduler", schedulerFlags(scheduler));
    await this.serviceAccount("default", manager);
  }

  /** Until pods can be created in the namespace: the controller manager makes its service account when it has seen it. */
  async serviceAccount(namespace: string, manager?: ProcessRecord): Promise<void> {
    const log = this.#options.lab.log("kube-controller-manager");
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
    await until(
      `service account ${namespace}/default is there`,
      60_000,
      async () => {
        if (manager !== undefined && !(await isAlive(manager))) throw new Error(`kube-controller-manager ended: ${await logTail(log)}`);
        return succeeds(() => this.client.call({ method: "GET", path }));
      },
      log,
    );
  }
}

function auditLog(lab: LabDirectory): string {
  return lab.log("audit");
}

function hereUrl(port: number): string {
  return `https://127.0.0.1:${port}`;
}

/** `/readyz` answers a word, not an object; every check behind it is done when its status is good. */
function isReady(client: KubeClient): Promise<boolean> {
  return succeeds(async () => {
    const { body } = await client.open({ method: "GET", path: "/readyz", signal: AbortSignal.timeout(5000) });
    for await (const _ of body);
  });
}

function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  return work().then(
    () => true,
    () => false,
  );
}

const listeningSchema = z.object({ listening: z.number() });

async function portOf(lab: LabDirectory, relay: ProcessRecord): Promise<number> {
  let port = 0;
  await until("the relay to the API server listens", 10_000, async () => {
    if (!(await isAlive(relay))) throw new Error(`the relay ended: ${await logTail(lab.log("api-relay"))}`);
    const [line] = (await readFile(lab.log("api-relay"), "utf8")).split("\n", 1);
    if (line === undefined || line === "") return false;
    port = listeningSchema.parse(JSON.parse(line)).listening;
    return true;
  });
  return port;
}

/** The address that the Service `kubernetes` gets: the network's first. */
function firstOf(cidr: string): string {
  const [network = ""] = cidr.split("/");
  return network.includes("::") ? `${network}1` : network.replace(/\.0$/, ".1");
}
