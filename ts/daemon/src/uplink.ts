import type { Clock, Datapath } from "@terway/model";
import type { NodeNetwork } from "./attachment.ts";
import type { Logger } from "./log.ts";

/** MTU of pods when nobody says otherwise. Source: Terway. */
const defaultMtu = 1500;
const periodMs = 30_000;

/** What the node's own interface says of it. */
export type UplinkNetwork = Omit<NodeNetwork, "securityGroupIds" | "localDeliveryAcrossSecurityGroups" | "serviceCidrs" | "extraRoutes">;

/** The node's own interface, as far as pods depend on it: read at start and again every 30 s, because addresses change under DHCP. */
export class Uplink {
  readonly #datapath: Datapath;
  readonly #log: Logger;
  readonly #ruleForm: NodeNetwork["ruleForm"];
  #network: UplinkNetwork;
  #said = "";

  constructor(datapath: Datapath, log: Logger, ruleForm: NodeNetwork["ruleForm"]) {
    this.#datapath = datapath;
    this.#log = log;
    this.#ruleForm = ruleForm;
    this.#network = { mtu: defaultMtu, ruleForm };
  }

  network(): UplinkNetwork {
    return this.#network;
  }

  async refresh(): Promise<void> {
    try {
      const { ipv4, ipv6, mtu, ifName } = await this.#datapath.hostAddresses();
      this.#network = {
        mtu: defaultMtu,
        uplinkMtu: mtu,
        ruleForm: this.#ruleForm,
        ...(ipv4 === undefined ? {} : { hostIpv4: ipv4 }),
        ...(ipv6 === undefined ? {} : { hostIpv6: ipv6 }),
      };
      this.#say("info", { ifName, ipv4, ipv6, mtu }, "the node's own interface");
    } catch (error) {
      this.#say(
        "warn",
        { reason: error instanceof Error ? error.message : String(error) },
        "the node has no interface with a default route",
      );
    }
  }

  async watch(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await clock.sleep(periodMs, signal);
      } catch {
        return;
      }
      await this.refresh();
    }
  }

  /** Each state once. */
  #say(level: "info" | "warn", fields: object, message: string): void {
    const line = `${message} ${JSON.stringify(fields)}`;
    if (line === this.#said) return;
    this.#said = line;
    this.#log[level](fields, message);
  }
}
