import { readFile } from "node:fs/promises";
import { cniExecutable, conflistPath, type LabNode } from "@terway/lab";
import { z } from "zod";

const conflistSchema = z.object({
  name: z.string(),
  cniVersions: z.array(z.string()),
  plugins: z.array(z.looseObject({ type: z.string() })).min(1),
});
const resultSchema = z.looseObject({ ips: z.array(z.object({ address: z.string() })) });
const failureSchema = z.object({ code: z.number(), msg: z.string() });

export interface Sandbox {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  /** Path on the node. */
  readonly netns: string;
}

export interface Answer {
  readonly ok: boolean;
  readonly stdout: string;
  /** The specification's error code, when it failed. */
  readonly code?: number;
  readonly msg?: string;
}

/**
 * Calls the node's CNI executable as libcni does for CRI-O: configuration from the conflist with the newest version both know, the result of ADD
 * cached and handed to CHECK and DEL. Source: cri-o internal/config/cnimgr and server/sandbox_network.go, containernetworking/cni libcni/api.go.
 */
export class CniRuntime {
  readonly #node: LabNode;
  /** What libcni keeps below /var/lib/cni/results. */
  readonly #results = new Map<string, unknown>();

  constructor(node: LabNode) {
    this.#node = node;
  }

  async add(sandbox: Sandbox): Promise<string[]> {
    const answer = await this.#call("ADD", sandbox);
    if (!answer.ok) throw new Error(`ADD of ${sandbox.name}: code ${answer.code}: ${answer.msg}`);
    const result = resultSchema.parse(JSON.parse(answer.stdout));
    this.#results.set(sandbox.id, result);
    return result.ips.map((ip) => ip.address.replace(/\/\d+$/, ""));
  }

  check(sandbox: Sandbox): Promise<Answer> {
    return this.#call("CHECK", sandbox, { prevResult: this.#results.get(sandbox.id) });
  }

  /** `netns: ""` is what CRI-O hands over when the namespace is gone. After a failure it forgets the result all the same. */
  async del(sandbox: Sandbox, env: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const prevResult = this.#results.get(sandbox.id);
    this.#results.delete(sandbox.id);
    return this.#call("DEL", sandbox, prevResult === undefined ? {} : { prevResult }, env);
  }

  status(): Promise<Answer> {
    return this.#call("STATUS", undefined);
  }

  gc(valid: readonly Sandbox[]): Promise<Answer> {
    const attachments = valid.map(({ id }) => ({ containerID: id, ifname: "eth0" }));
    return this.#call("GC", undefined, { "cni.dev/valid-attachments": attachments, "cni.dev/attachments": attachments });
  }

  async #call(
    command: string,
    sandbox: Sandbox | undefined,
    extra: object = {},
    more: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const conflist = conflistSchema.parse(JSON.parse(await readFile(this.#node.path(conflistPath), "utf8")));
    const cniVersion = conflist.cniVersions.toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true })).at(-1);
    const input = JSON.stringify({ ...conflist.plugins[0], cniVersion, name: conflist.name, ...extra });
    const args =
      sandbox &&
      `IgnoreUnknown=1;K8S_POD_NAMESPACE=${sandbox.namespace};K8S_POD_NAME=${sandbox.name};K8S_POD_INFRA_CONTAINER_ID=${sandbox.id};K8S_POD_UID=${sandbox.id}`;
    const env = {
      CNI_COMMAND: command,
      CNI_PATH: "/opt/cni/bin",
      ...(sandbox === undefined ? {} : { CNI_CONTAINERID: sandbox.id, CNI_NETNS: sandbox.netns, CNI_IFNAME: "eth0", CNI_ARGS: args ?? "" }),
      ...more,
    };
    const { code, stdout } = await this.#node.run([cniExecutable], { input, env, timeoutMs: 60_000, allow: [1] });
    if (code === 0) return { ok: true, stdout };
    return { ok: false, stdout, ...failureSchema.parse(JSON.parse(stdout)) };
  }
}
