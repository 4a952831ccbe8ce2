import { rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { credentials, Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from "@grpc/grpc-js";
import type { Clock } from "@terway/model";
import type { Logger } from "../log.ts";
import { apiVersion, devicePluginApi } from "./api.ts";

/** How often it is looked whether the kubelet was started again, and whether the number has changed. */
const lookMs = 2_000;
const registerMs = 5_000;

export interface DevicePluginParts {
  /** The kubelet's `device-plugins`. */
  readonly directory: string;
  readonly resource: string;
  /** Devices now. */
  readonly count: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface AllocateRequest {
  readonly containerRequests: readonly unknown[];
}

/**
 * One extended resource at the kubelet: it counts the devices, and the scheduler with it; which ENI a pod gets is decided elsewhere. The kubelet removes all
 * sockets and forgets all plugins when it starts, so ours is made and registered again then. Ends with the signal.
 */
export async function serveDevices(parts: DevicePluginParts, signal: AbortSignal): Promise<void> {
  const { directory, resource, clock, log } = parts;
  const socket = join(directory, `terway-${resource.split("/")[1] ?? resource}.sock`);
  const kubelet = join(directory, "kubelet.sock");
  let trouble = "";
  while (!signal.aborted) {
    const plugin = new Plugin(parts.count);
    try {
      const since = await identityOf(kubelet);
      if (since === undefined) throw new Error(`${kubelet} is not there`);
      await plugin.listen(socket);
      await register(kubelet, basename(socket), resource, clock.wallMs() + registerMs);
      log.info({ resource, devices: parts.count() }, "registered at the kubelet");
      trouble = "";
      const own = await identityOf(socket);
      while (!signal.aborted && (await identityOf(kubelet)) === since && (await identityOf(socket)) === own) {
        plugin.tell();
        await clock.sleep(lookMs, signal).catch(() => {});
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== trouble) log.warn(`${resource} is not known to the kubelet: ${message}`);
      trouble = message;
      await clock.sleep(lookMs, signal).catch(() => {});
    }
    plugin.close();
    await rm(socket, { force: true });
  }
}

class Plugin {
  readonly #count: () => number;
  readonly #server = new Server();
  readonly #listeners = new Map<ServerWritableStream<unknown, unknown>, number>();

  constructor(count: () => number) {
    this.#count = count;
    const empty = (_: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) => answer(null, {});
    this.#server.addService(devicePluginApi().DevicePlugin.service, {
      GetDevicePluginOptions: empty,
      PreStartContainer: empty,
      Allocate: (call: ServerUnaryCall<AllocateRequest, unknown>, answer: sendUnaryData<unknown>) =>
        answer(null, { containerResponses: call.request.containerRequests.map(() => ({})) }),
      ListAndWatch: (stream: ServerWritableStream<unknown, unknown>) => {
        this.#listeners.set(stream, -1);
        stream.on("cancelled", () => this.#listeners.delete(stream));
        stream.on("error", () => this.#listeners.delete(stream));
        this.tell();
      },
    });
  }

  async listen(socket: string): Promise<void> {
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
    });
  }

  /** Tells whoever has not been told this number. */
  tell(): void {
    const count = this.#count();
    for (const [stream, told] of this.#listeners) {
      if (told === count) continue;
      this.#listeners.set(stream, count);
      stream.write({ devices: Array.from({ length: count }, (_, index) => ({ ID: `eni-${index}`, health: "Healthy" })) });
    }
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

/** gRPC counts deadlines by the wall clock. */
async function register(kubelet: string, endpoint: string, resourceName: string, deadlineMs: number): Promise<void> {
  const client = new (devicePluginApi().Registration)(`unix:${kubelet}`, credentials.createInsecure());
  try {
    await new Promise<void>((resolve, reject) => {
      const request = { version: apiVersion, endpoint, resourceName, options: {} };
      const method: unknown = client.Register;
      // The client's methods are made from the definition at run time.
      const send = method as (request: object, options: { deadline: number }, done: (error: Error | null) => void) => void;
      send.call(client, request, { deadline: deadlineMs }, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    client.close();
  }
}

/** Which file stands there; undefined: none. */
async function identityOf(path: string): Promise<string | undefined> {
  return stat(path, { bigint: true }).then(
    ({ ino, ctimeNs }) => `${ino} ${ctimeNs}`,
    () => undefined,
  );
}
