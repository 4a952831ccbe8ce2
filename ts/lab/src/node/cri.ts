import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import { patient } from "../host/patience.ts";
import { criProtoFile } from "./runtime.ts";

/** The runtime refused a call. `code` is the gRPC status code; the message is the runtime's. */
class CriError extends Error {
  override readonly name = "CriError";
  readonly call: string;
  readonly code: number;

  constructor(call: string, cause: ServiceError) {
    super(`${call}: ${cause.details || cause.message}`, { cause });
    this.call = call;
    this.code = cause.code;
  }
}

const statusSchema = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.boolean(), reason: z.string(), message: z.string() })) }),
});
const sandboxIdSchema = z.object({ podSandboxId: z.string().min(1) });
const containerIdSchema = z.object({ containerId: z.string().min(1) });
const sandboxStatusSchema = z.object({
  status: z.object({
    state: z.enum(["SANDBOX_READY", "SANDBOX_NOTREADY"]),
    network: z.object({ ip: z.string(), additionalIps: z.array(z.object({ ip: z.string() })) }).nullable(),
  }),
  info: z.record(z.string(), z.string()),
});
/** What containerd tells beyond the CRI, as JSON in the verbose answer. */
const sandboxInfoSchema = z.object({
  pid: z.number(),
  runtimeSpec: z
    .object({ linux: z.object({ namespaces: z.array(z.object({ type: z.string(), path: z.string().optional() })) }) })
    .optional(),
});
const sandboxListSchema = z.object({
  items: z.array(z.object({ id: z.string(), state: z.string(), metadata: z.object({ name: z.string(), namespace: z.string() }) })),
});
const imageStatusSchema = z.object({ image: z.object({ id: z.string() }).nullable() });
const versionSchema = z.object({ runtimeName: z.string(), runtimeVersion: z.string() });

export interface SandboxStatus {
  readonly ready: boolean;
  /** First address and the additional ones. */
  readonly addresses: readonly string[];
  /** The sandbox's network namespace, as a path on the node; undefined when the runtime does not tell. */
  readonly netns: string | undefined;
}

export interface RuntimeCondition {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

/** The part of the Container Runtime Interface (runtime.v1) that a kubelet uses for a pod's life, over the runtime's unix socket. */
export class CriClient {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure(), { "grpc.enable_retries": 0 });
  }

  version(): Promise<z.infer<typeof versionSchema>> {
    return this.#call("RuntimeService", "Version", { version: "v1" }, versionSchema, 2_000);
  }

  /** NetworkReady: false until the runtime has a CNI configuration, and while the plugin's STATUS says no (specification 1.1). */
  async networkReady(): Promise<RuntimeCondition> {
    const { status } = await this.#call("RuntimeService", "Status", {}, statusSchema);
    const found = status.conditions.find((condition) => condition.type === "NetworkReady");
    return { ready: found?.status ?? false, reason: found?.reason ?? "", message: found?.message ?? "" };
  }

  async hasImage(image: string): Promise<boolean> {
    const answer = await this.#call("ImageService", "ImageStatus", { image: { image } }, imageStatusSchema);
    return answer.image !== null;
  }

  /** Makes the sandbox and its network; resolves when the CNI's ADD has succeeded. Answers its id. */
  async runSandbox(config: object): Promise<string> {
    return (await this.#call("RuntimeService", "RunPodSandbox", { config }, sandboxIdSchema, 120_000)).podSandboxId;
  }

  /** Stops it and calls the CNI's DEL. A sandbox that is unknown or stopped already is no error. */
  async stopSandbox(podSandboxId: string): Promise<void> {
    await this.#call("RuntimeService", "StopPodSandbox", { podSandboxId }, z.unknown(), 60_000);
  }

  async removeSandbox(podSandboxId: string): Promise<void> {
    await this.#call("RuntimeService", "RemovePodSandbox", { podSandboxId }, z.unknown(), 60_000);
  }

  async sandboxStatus(podSandboxId: string): Promise<SandboxStatus> {
    const { status, info } = await this.#call("RuntimeService", "PodSandboxStatus", { podSandboxId, verbose: true }, sandboxStatusSchema);
    const first = status.network?.ip ?? "";
    const detail = info.info === undefined ? undefined : sandboxInfoSchema.parse(JSON.parse(info.info));
    const network = detail?.runtimeSpec?.linux.namespaces.find((namespace) => namespace.type === "network");
    return {
      ready: status.state === "SANDBOX_READY",
      addresses: first === "" ? [] : [first, ...(status.network?.additionalIps ?? []).map((additional) => additional.ip)],
      netns: network?.path,
    };
  }

  async listSandboxes(): Promise<{ id: string; ready: boolean; namespace: string; name: string }[]> {
    const { items } = await this.#call("RuntimeService", "ListPodSandbox", {}, sandboxListSchema);
    return items.map((item) => ({ id: item.id, ready: item.state === "SANDBOX_READY", ...item.metadata }));
  }

  async createContainer(podSandboxId: string, config: object, sandboxConfig: object): Promise<string> {
    const request = { podSandboxId, config, sandboxConfig };
    return (await this.#call("RuntimeService", "CreateContainer", request, containerIdSchema)).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#call("RuntimeService", "StartContainer", { containerId }, z.unknown());
  }

  close(): void {
    this.#client.close();
  }

  #call<T>(
    service: "RuntimeService" | "ImageService",
    method: string,
    request: object,
    schema: z.ZodType<T>,
    timeoutMs = 20_000,
  ): Promise<T> {
    const definition = methodOf(service, method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        { deadline: Date.now() + patient(timeoutMs) },
        (error, answer) => {
          if (error !== null) {
            reject(new CriError(method, error));
            return;
          }
          const parsed = schema.safeParse(answer);
          if (parsed.success) resolve(parsed.data);
          else reject(new Error(`${method}: unexpected answer: ${z.prettifyError(parsed.error)}`));
        },
      );
    });
  }
}

let loaded: ReturnType<typeof loadSync> | undefined;

function methodOf(service: string, method: string) {
  loaded ??= loadSync(criProtoFile(), { longs: String, enums: String, defaults: true, arrays: true, objects: true });
  const definition = loaded[`runtime.v1.${service}`];
  // A package definition maps names to services, messages and enums; only services are plain maps of methods.
  const found = definition === undefined || "format" in definition ? undefined : definition[method];
  if (found === undefined) throw new Error(`${criProtoFile()} has no ${service}.${method}`);
  return found;
}
