import { z } from "zod";
import type { AdminCommandName, AdminInput } from "../cloud/admin/index.ts";
import { requestJson } from "../host/unix-http.ts";

const eniSchema = z.object({
  id: z.string(),
  mac: z.string(),
  type: z.string(),
  status: z.string(),
  instanceId: z.string().optional(),
  trunkId: z.string().optional(),
  /** Of a member: its 802.1Q tag on the trunk. */
  deviceIndex: z.number().optional(),
  ipv4: z.array(z.string()),
  ipv6: z.array(z.string()),
});
const stateSchema = z.object({ enis: z.array(eniSchema), instances: z.array(z.object({ id: z.string() })) });
const countersSchema = z.record(z.string(), z.object({ calls: z.number(), failures: z.number() }));
const violationsSchema = z.array(z.unknown());

/** The simulated cloud's control port, as the lab uses it. */
export class CloudControl {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Runs one of the simulator's admin commands. */
  command<N extends AdminCommandName>(name: N, input: AdminInput<N>): Promise<unknown> {
    return requestJson(this.#socket, "POST", `/v1/${name}`, input);
  }

  /** A call of the OpenAPI by a second actor: no key, policy, throttling or faults. */
  call(action: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    return requestJson(this.#socket, "POST", "/v1/call", { action, parameters });
  }

  async state(): Promise<z.infer<typeof stateSchema>> {
    return stateSchema.parse(await requestJson(this.#socket, "GET", "/v1/state"));
  }

  /** Calls of the OpenAPI so far, by operation. */
  async counters(): Promise<z.infer<typeof countersSchema>> {
    return countersSchema.parse(await requestJson(this.#socket, "GET", "/v1/counters"));
  }

  /** What the simulator itself finds wrong with its state; empty when all is well. */
  async violations(): Promise<unknown[]> {
    return violationsSchema.parse(await requestJson(this.#socket, "GET", "/v1/invariants"));
  }
}
