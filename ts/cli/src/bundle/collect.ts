import { readFile } from "node:fs/promises";
import { adminPrefix } from "@terway/model";
import { exchange } from "../client.ts";
import { redact, redactText } from "./redact.ts";

export interface BundleFile {
  readonly path: string;
  readonly text: string;
}

export interface BundleSources {
  /** The daemon's socket, and the one with its metrics. */
  readonly socket: string;
  readonly metricsSocket: string;
  readonly cniConfDir: string;
  /** Facts of the API server; rejects when there is none. */
  readonly cluster: () => Promise<unknown>;
}

const routes = {
  ...{ mapping: "mapping", metadata: "metadata", events: "events", doctor: "doctor" },
  ...{
    resource_pool: "resources/resource_pool/default",
    factory: "resources/factory/eniip",
    network_service: "resources/network_service/default",
  },
};
const nodeFiles = { kernel: "/proc/version", uptime: "/proc/uptime", memory: "/proc/meminfo", interfaces: "/proc/net/dev" };

/** Everything that somebody who was not there needs, without secrets. What cannot be had becomes a line of `missing.txt`: a broken node is the usual case. */
export async function collectBundle(sources: BundleSources, madeAt: Date): Promise<BundleFile[]> {
  const files: BundleFile[] = [];
  const missing: string[] = [];
  const take = async (path: string, work: () => Promise<string>) => {
    try {
      files.push({ path, text: await work() });
    } catch (error) {
      missing.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const [name, route] of Object.entries(routes))
    await take(`daemon/${name}.json`, async () => {
      const { status, text } = await exchange(sources.socket, `${adminPrefix}/${route}`, undefined);
      if (status !== 200) throw new Error(`terwayd answered ${status}: ${redactText(text)}`);
      return `${redactText(text)}\n`;
    });
  await take("daemon/metrics.txt", async () => redactText((await exchange(sources.metricsSocket, "/metrics", undefined)).text));
  for (const name of ["10-terway.conflist", "10-terway.conf"])
    await take(`node/${name}`, async () => redactText(await readFile(`${sources.cniConfDir}/${name}`, "utf8")));
  for (const [name, file] of Object.entries(nodeFiles)) await take(`node/${name}.txt`, () => readFile(file, "utf8"));
  await take("cluster.json", async () => jsonText(redact(await sources.cluster())));
  files.push({ path: "made.json", text: jsonText({ at: madeAt.toISOString(), node: process.env.NODE_NAME, nodeJs: process.version }) });
  if (missing.length > 0) files.push({ path: "missing.txt", text: `${missing.join("\n")}\n` });
  return files;
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
