import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, credentials, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { systemClock } from "@terway/model";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLog } from "../log.ts";
import { devicePluginApi } from "./api.ts";
import { serveDevices } from "./device-plugin.ts";
import { deviceResources } from "./resources.ts";

let directory: string;
let stop: AbortController;
let serving: Promise<void>;
let kubelet: Kubelet | undefined;
let count: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-devices-"));
  stop = new AbortController();
  count = 2;
  const { log } = openLog("fatal", "test");
  serving = serveDevices({ directory, resource: "aliyun/eni", count: () => count, clock: systemClock, log }, stop.signal);
});
afterEach(async () => {
  stop.abort();
  await serving;
  kubelet?.stop();
  expect((await readdir(directory)).filter((name) => name.startsWith("terway"))).toEqual([]);
  await rm(directory, { recursive: true });
});

/** The kubelet's side of the API: a registry, and a client of whoever registers. */
class Kubelet {
  readonly registered: { readonly version: string; readonly endpoint: string; readonly resourceName: string }[] = [];
  readonly #server = new Server();

  static async start(): Promise<Kubelet> {
    const one = new Kubelet();
    const register = ({ request }: ServerUnaryCall<Kubelet["registered"][number], unknown>, answer: sendUnaryData<unknown>) => {
      one.registered.push(request);
      answer(null, {});
    };
    one.#server.addService(devicePluginApi().Registration.service, { Register: register });
    await new Promise<void>((resolve, reject) => {
      const path = `unix:${join(directory, "kubelet.sock")}`;
      one.#server.bindAsync(path, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
    });
    return one;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

type Method = (
  request: object,
  done?: (error: Error | null, answer: unknown) => void,
) => { on(name: string, listener: (value: unknown) => void): void };
/** Calls what registered. */
function plugin(): { client: Client; method(name: string): Method } {
  const client = new (devicePluginApi().DevicePlugin)(
    `unix:${join(directory, kubelet?.registered[0]?.endpoint ?? "")}`,
    credentials.createInsecure(),
  );
  // Methods are made from the definition at run time.
  return { client, method: (name) => (client[name] as Method).bind(client) };
}

test("registers when the kubelet is there, lists as many devices as there are, and again when their number changes", async () => {
  kubelet = await Kubelet.start();
  await vi.waitFor(
    () => expect(kubelet?.registered).toMatchObject([{ version: "v1beta1", resourceName: "aliyun/eni", endpoint: "terway-eni.sock" }]),
    8_000,
  );
  const { client, method } = plugin();
  const lists: unknown[] = [];
  const stream = method("ListAndWatch")({});
  stream.on("data", (value) => lists.push(value));
  stream.on("error", () => {});
  await vi.waitFor(() => expect(lists).toMatchObject([{ devices: [{ ID: "eni-0", health: "Healthy" }, { ID: "eni-1" }] }]), 4_000);
  count = 3;
  await vi.waitFor(() => expect(lists.at(-1)).toMatchObject({ devices: [{}, {}, { ID: "eni-2" }] }), 6_000);
  const answer = await new Promise((resolve) => {
    method("Allocate")({ containerRequests: [{ devicesIds: ["eni-0"] }, { devicesIds: ["eni-1"] }] }, (_, value) => resolve(value));
  });
  expect(answer).toEqual({ containerResponses: [{}, {}] });
  client.close();
});

test("registers again when the kubelet was started again, and all sockets went with it", async () => {
  kubelet = await Kubelet.start();
  await vi.waitFor(() => expect(kubelet?.registered).toHaveLength(1), 8_000);
  kubelet.stop();
  for (const name of await readdir(directory)) await rm(join(directory, name));
  kubelet = await Kubelet.start();
  await vi.waitFor(() => expect(kubelet?.registered).toHaveLength(1), 8_000);
});

test("what is offered: whole ENIs where pods have them, members where a trunk may be", () => {
  const limits = { adapters: 4, totalAdapters: 14, trunkSupported: true };
  expect(deviceResources({ exclusive: false, maxEnis: 3 }, limits, false)).toEqual([]);
  expect(deviceResources({ exclusive: true, maxEnis: 3 }, limits, false)).toEqual([{ name: "aliyun/eni", count: 3 }]);
  expect(deviceResources({ exclusive: false, maxEnis: 3 }, limits, true)).toEqual([{ name: "aliyun/member-eni", count: 10 }]);
  expect(deviceResources({ exclusive: false, maxEnis: 3 }, { ...limits, trunkSupported: false }, true)).toEqual([]);
});
