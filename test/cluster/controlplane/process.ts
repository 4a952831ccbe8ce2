import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot, until } from "@terway/lab";
import type { Region } from "./region.ts";

/** `terway-controlplane` as a process of this machine, against an API server and a simulated region. */
export class ControlPlaneProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly healthz: string;
  readonly #config: Readonly<Record<string, unknown>>;
  log = "";

  private constructor(child: ChildProcess, directory: string, healthz: string, config: Readonly<Record<string, unknown>>) {
    this.#child = child;
    this.#config = config;
    this.#directory = directory;
    this.healthz = healthz;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (data: Buffer) => {
        this.log += data.toString();
      });
  }

  static async start(region: Region, kubeconfig: string, config: Readonly<Record<string, unknown>> = {}): Promise<ControlPlaneProcess> {
    const directory = await mkdtemp(join(tmpdir(), "terway-controlplane-"));
    const port = await freePort();
    const file = {
      regionID: "cn-hangzhou",
      clusterID: "c-test",
      vpcID: "vpc-1",
      healthzBindAddress: `127.0.0.1:${port}`,
      metricsBindAddress: `127.0.0.1:${port}`,
      disableWebhook: true,
      ...config,
    };
    // JSON is YAML.
    await writeFile(join(directory, "config.yaml"), JSON.stringify(file));
    await writeFile(join(directory, "secret.yaml"), region.secret, { mode: 0o600 });
    const args = ["--config", join(directory, "config.yaml"), "--credential", join(directory, "secret.yaml"), "--kubeconfig", kubeconfig];
    const env = { ...process.env, TERWAY_ECS_ENDPOINT: region.url, TERWAY_VPC_ENDPOINT: region.url, LOG_LEVEL: "debug" };
    const child = spawn(join(repositoryRoot, "dist/terway-controlplane"), args, { env, stdio: ["ignore", "pipe", "pipe"] });
    return new ControlPlaneProcess(child, directory, `http://127.0.0.1:${port}`, file);
  }

  async ready(): Promise<void> {
    await until("terway-controlplane is ready", 30_000, async () => {
      if (this.#child.exitCode !== null) throw new Error(`terway-controlplane ended: ${this.log}`);
      return fetch(`${this.healthz}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  /** Changes its file while it runs, as a mounted ConfigMap changes. */
  async configure(changes: Readonly<Record<string, unknown>>): Promise<void> {
    await writeFile(join(this.#directory, "config.yaml"), JSON.stringify({ ...this.#config, ...changes }));
  }

  /** Answers the exit status; null after a signal that kills. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true });
    return this.#child.exitCode;
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
