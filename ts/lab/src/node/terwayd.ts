import { access, chmod, copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { metadataAddress, openApiAddress } from "../fabric/addresses.ts";
import { logTail } from "../host/log-tail.ts";
import { isAlive, type ProcessRecord, signal, waitForEnd } from "../host/process.ts";
import { type LabNode, repositoryRoot } from "./node.ts";
import { until } from "./until.ts";

/** What the lab needs to know to write a node's `eni_conf`; names and meaning are Terway's. */
export interface TerwaydConfig {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly zoneId: string;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId: string;
  readonly serviceCidr: string;
  readonly ipStack: "ipv4" | "dual";
  readonly minPoolSize: number;
  readonly maxPoolSize: number;
  /** Anything else of `eni_conf`, by its own key. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const eniConfPath = "/etc/eni/eni_conf";
export const conflistPath = "/etc/cni/net.d/10-terway.conflist";
export const cniExecutable = "/opt/cni/bin/terway";

function eniConf(config: TerwaydConfig): string {
  const file = {
    version: "1",
    access_key: config.accessKeyId,
    access_secret: config.accessKeySecret,
    service_cidr: config.serviceCidr,
    vswitches: { [config.zoneId]: config.vSwitchIds },
    security_group: config.securityGroupId,
    ip_stack: config.ipStack,
    min_pool_size: config.minPoolSize,
    max_pool_size: config.maxPoolSize,
    ...config.extra,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Puts the CNI executable and the configuration where an installation has them. The runtime may be running the executable. */
export async function installTerway(node: LabNode, config: TerwaydConfig): Promise<void> {
  const fresh = node.path(`${cniExecutable}.new`);
  await copyFile(join(repositoryRoot, "dist/bin/terway"), fresh);
  await chmod(fresh, 0o755);
  await rename(fresh, node.path(cniExecutable));
  await mkdir(node.path("/etc/eni"), { recursive: true });
  await writeFile(node.path(eniConfPath), eniConf(config), { mode: 0o600 });
}

/** Starts terwayd on the node. It listens, and the node is warm, some time after that: {@link waitForConflist}. */
export function startTerwayd(
  node: LabNode,
  { env = {}, args = [] }: { env?: Readonly<Record<string, string>>; args?: readonly string[] } = {},
): Promise<ProcessRecord> {
  return node.start("terwayd", [join(repositoryRoot, "dist/terwayd"), "--config", eniConfPath, ...args], {
    TERWAY_ECS_ENDPOINT: `http://${openApiAddress}`,
    TERWAY_VPC_ENDPOINT: `http://${openApiAddress}`,
    TERWAY_METADATA_ENDPOINT: `http://${metadataAddress}`,
    NODE_NAME: node.name,
    LOG_LEVEL: "info",
    ...env,
  });
}

/** The daemon writes the conflist when the pool holds its minimum; from then on a node that says Ready is ready. */
export async function waitForConflist(node: LabNode, daemon: ProcessRecord, timeoutMs: number): Promise<void> {
  await until(
    `terwayd on ${node.name} wrote ${conflistPath}`,
    timeoutMs,
    async () => {
      if (!(await isAlive(daemon))) throw new Error(`terwayd on ${node.name} ended: ${await logTail(node.log("terwayd"))}`);
      return access(node.path(conflistPath)).then(
        () => true,
        () => false,
      );
    },
    node.log("terwayd"),
  );
}

/** SIGTERM, and a clean end within 10 s. */
export async function stopTerwayd(node: LabNode, daemon: ProcessRecord): Promise<void> {
  await signal(daemon, "SIGTERM");
  if (!(await waitForEnd(daemon, 10_000))) throw new Error(`terwayd on ${node.name} still runs 10 s after SIGTERM`);
}

const attachedSchema = z.object({ verb: z.literal("ADD"), pod: z.string(), addresses: z.string(), hostIfName: z.string(), ms: z.number() });
export type AttachedLine = z.infer<typeof attachedSchema>;

/** What the daemon says in its log of each ADD it has served, oldest first. */
export async function attachedLines(node: LabNode): Promise<AttachedLine[]> {
  const text = await readFile(node.log("terwayd"), "utf8");
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const parsed = attachedSchema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  });
}
