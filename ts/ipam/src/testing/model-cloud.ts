import type { Clock, Cloud, CloudErrorClass, CreateEniSpec, Eni, EniFilter, InstanceLimits, VSwitch } from "@terway/model";
import { CloudError, formatAddress, parseCidr } from "@terway/model";
import type { SeededRandom } from "@terway/model/testing";

/**
 * A small deterministic cloud for property tests: states, delays, quotas, client tokens, lagging describes. It answers the port directly; the real
 * code in between (SDK, classification, gate) is tested against the full simulator elsewhere. Behaviour after reference/alicloud-api.md, 7 to 10.
 */
export interface ModelVSwitch {
  readonly id: string;
  readonly zoneId: string;
  readonly cidr: string;
  readonly ipv6Cidr?: string;
  /** Addresses it can still give, to make it run out early. */
  left: number;
}

export type Fault =
  /** Refused without effect. */
  | { readonly kind: "refused"; readonly class: CloudErrorClass; readonly code: string; readonly retryAfterMs?: number }
  /** Done, and the answer is lost. */
  | { readonly kind: "lost" }
  /** Not done, and no answer. */
  | { readonly kind: "swallowed" }
  /** For describes: 200 with an empty list (F53). */
  | { readonly kind: "empty" }
  /** For assigns: fewer addresses than asked for (F38). */
  | { readonly kind: "partial" };

interface ModelEni {
  eni: Eni;
  gone: boolean;
  /** Calls may not know it before. */
  knownMs: number;
}

export interface ModelCloudOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly instanceId: string;
  readonly vSwitches: ModelVSwitch[];
  /** ENIs the instance takes beside its primary one. */
  readonly maxEnis: number;
  readonly ipv4PerEni: number;
  readonly ipv6PerEni: number;
}

export class ModelCloud {
  readonly options: ModelCloudOptions;
  readonly calls: { atMs: number; action: string }[] = [];
  /** Asked before each call; undefined: no fault. */
  faultFor: (action: string) => Fault | undefined = () => undefined;
  /** Told before an effect; tests check I3 and I4 here. */
  onEffect: (action: string, eniId: string, addresses: readonly string[]) => void = () => {};
  /** The most a describe may lag behind. */
  maxLagMs = 0;
  private readonly enis = new Map<string, ModelEni>();
  private readonly tokens = new Map<string, { fingerprint: string; eniId: string; addresses: string[] }>();
  private history: { atMs: number; enis: Eni[] }[] = [];
  private readonly freed: string[] = [];
  private next = 1;

  constructor(options: ModelCloudOptions) {
    this.options = options;
  }

  /** The truth, without lag. */
  truth(): Eni[] {
    return [...this.enis.values()].filter(({ gone }) => !gone).map(({ eni }) => eni);
  }

  /** Does the address lie on an ENI that is attached to the instance now (I2)? */
  isAttached(address: string): boolean {
    return this.truth().some((eni) => eni.status === "InUse" && [...eni.ipv4, ...eni.ipv6].includes(address));
  }

  /** Somebody's hand: puts an ENI there or changes one behind our back. */
  put(eni: Eni): void {
    this.enis.set(eni.id, { eni, gone: false, knownMs: 0 });
    this.remember();
  }

  change(eniId: string, change: (eni: Eni) => Eni): void {
    const entry = this.enis.get(eniId);
    if (!entry) throw new Error(`no ${eniId}`);
    entry.eni = change(entry.eni);
    this.remember();
  }

  remove(eniId: string): void {
    this.enis.delete(eniId);
    this.remember();
  }

  /** The cloud as one process reaches it. After `isAlive` has turned false its calls still take effect, and their answers reach nobody. */
  connect(isAlive: () => boolean): Cloud {
    const call = async <T>(action: string, effect: (fault: Fault | undefined) => T): Promise<T> => {
      const { clock, random } = this.options;
      this.calls.push({ atMs: clock.monotonicMs(), action });
      const fault = this.faultFor(action);
      await clock.sleep(20 + random.next() * 700);
      const run = (): { value: T } | { error: CloudError } => {
        if (fault?.kind === "refused") {
          const { retryAfterMs } = fault;
          return {
            error: new CloudError(`refused: ${fault.code}`, { ...fault, action, ...(retryAfterMs !== undefined && { retryAfterMs }) }),
          };
        }
        if (fault?.kind === "swallowed") return { error: new CloudError("no answer", { class: "unknown", code: "Timeout", action }) };
        try {
          const value = effect(fault);
          this.remember();
          return fault?.kind === "lost"
            ? { error: new CloudError("the answer was lost", { class: "unknown", code: "ECONNRESET", action }) }
            : { value };
        } catch (error) {
          if (error instanceof CloudError) return { error };
          throw error;
        }
      };
      const outcome = run();
      await clock.sleep(5 + random.next() * 300);
      if (!isAlive()) await new Promise(() => {});
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    };
    return {
      describeInstanceType: (instanceType) => call("DescribeInstanceTypes", () => this.limits(instanceType)),
      describeVSwitches: (ids) =>
        call("DescribeVSwitches", () => this.options.vSwitches.filter(({ id }) => ids.includes(id)).map((v) => this.vSwitch(v))),
      describeEnis: (filter) => call("DescribeNetworkInterfaces", (fault) => (fault?.kind === "empty" ? [] : this.describe(filter))),
      createEni: (spec) => call("CreateNetworkInterface", () => this.create(spec)),
      attachEni: (id, instanceId) => call("AttachNetworkInterface", () => this.attach(id, instanceId)),
      detachEni: (id, instanceId) => call("DetachNetworkInterface", () => this.detach(id, instanceId)),
      deleteEni: (id) => call("DeleteNetworkInterface", () => this.delete(id)),
      assignIpv4: (id, count, token) =>
        call("AssignPrivateIpAddresses", (fault) => this.assign(id, "ipv4", partially(fault, count), token)),
      assignIpv6: (id, count, token) => call("AssignIpv6Addresses", (fault) => this.assign(id, "ipv6", partially(fault, count), token)),
      unassignIpv4: (id, addresses) => call("UnassignPrivateIpAddresses", () => this.unassign(id, "ipv4", addresses)),
      unassignIpv6: (id, addresses) => call("UnassignIpv6Addresses", () => this.unassign(id, "ipv6", addresses)),
    };
  }

  private limits(instanceType: string): InstanceLimits {
    const { maxEnis, ipv4PerEni, ipv6PerEni } = this.options;
    const adapters = maxEnis + 1;
    return {
      instanceType,
      adapters,
      totalAdapters: adapters,
      ipv4PerAdapter: ipv4PerEni,
      ipv6PerAdapter: ipv6PerEni,
      trunkSupported: false,
      erdmaAdapters: 0,
    };
  }

  private vSwitch({ id, zoneId, cidr, ipv6Cidr, left }: ModelVSwitch): VSwitch {
    return { id, zoneId, vpcId: "vpc-1", cidr, availableIpv4: left, ...(ipv6Cidr !== undefined && { ipv6Cidr }) };
  }

  private describe(filter: EniFilter): Eni[] {
    const { clock, random } = this.options;
    const asOfMs = clock.monotonicMs() - random.next() * this.maxLagMs;
    const snapshot = this.maxLagMs === 0 ? this.truth() : (this.history.findLast(({ atMs }) => atMs <= asOfMs)?.enis ?? []);
    const token = filter.clientToken === undefined ? undefined : (this.tokens.get(filter.clientToken)?.eniId ?? "none");
    return snapshot.filter(
      (eni) =>
        (filter.instanceId === undefined || eni.instanceId === filter.instanceId) &&
        (filter.eniIds === undefined || filter.eniIds.includes(eni.id)) &&
        (token === undefined || eni.id === token) &&
        Object.entries(filter.tags ?? {}).every(([key, value]) => eni.tags[key] === value),
    );
  }

  private remember(): void {
    const atMs = this.options.clock.monotonicMs();
    if (this.maxLagMs === 0 && this.history.length > 0) this.history = [];
    this.history.push({ atMs, enis: this.truth() });
    if (this.history.length > 60) this.history.splice(0, 30);
  }

  private create(spec: CreateEniSpec): Eni {
    const fingerprint = JSON.stringify(spec);
    const before = this.repeated(spec.clientToken, fingerprint, "CreateNetworkInterface");
    if (before) return this.find(before.eniId, "CreateNetworkInterface").eni;
    const vSwitch = this.options.vSwitches.find(({ id }) => id === spec.vSwitchId);
    if (!vSwitch) throw refused("invalid", "InvalidVSwitchId.NotFound", "CreateNetworkInterface", spec.vSwitchId);
    const ipv4 = this.take(vSwitch, "ipv4", 1 + spec.secondaryIpv4Count, "CreateNetworkInterface");
    const ipv6 = this.take(vSwitch, "ipv6", spec.ipv6Count, "CreateNetworkInterface");
    const number = this.next++;
    const eni: Eni = {
      id: `eni-${number}`,
      mac: `00:16:3e:00:00:${number.toString(16).padStart(2, "0")}`,
      status: "Available",
      type: "Secondary",
      zoneId: vSwitch.zoneId,
      vSwitchId: vSwitch.id,
      securityGroupIds: spec.securityGroupIds,
      primaryIpv4: ipv4[0] ?? "",
      ipv4,
      ipv6,
      tags: spec.tags,
    };
    const knownMs = this.options.clock.monotonicMs() + this.options.random.next() * this.maxLagMs;
    this.enis.set(eni.id, { eni, gone: false, knownMs });
    this.tokens.set(spec.clientToken, { fingerprint, eniId: eni.id, addresses: [] });
    return eni;
  }

  private attach(id: string, instanceId: string): void {
    const entry = this.find(id, "AttachNetworkInterface");
    const { eni } = entry;
    if (eni.instanceId === instanceId && (eni.status === "InUse" || eni.status === "Attaching")) return;
    if (eni.status !== "Available") throw refused("conflict", "InvalidOperation.InvalidEniState", "AttachNetworkInterface", id);
    const attached = this.truth().filter((other) => other.instanceId === instanceId && other.type !== "Primary").length;
    if (attached >= this.options.maxEnis) throw refused("quota", "EniPerInstanceLimitExceeded", "AttachNetworkInterface", id);
    entry.eni = { ...eni, status: "Attaching", instanceId };
    this.later(entry, 2_000, 6_000, "Attaching", (now) => ({ ...now, status: "InUse" }));
  }

  private detach(id: string, instanceId: string): void {
    this.onEffect("DetachNetworkInterface", id, []);
    const entry = this.find(id, "DetachNetworkInterface");
    const { eni } = entry;
    if (eni.status === "Available" || eni.status === "Detaching") return;
    if (eni.status !== "InUse" || eni.instanceId !== instanceId)
      throw refused("conflict", "InvalidOperation.InvalidEniState", "DetachNetworkInterface", id);
    entry.eni = { ...eni, status: "Detaching" };
    this.later(entry, 2_000, 8_000, "Detaching", ({ instanceId: _, ...now }) => ({ ...now, status: "Available" }));
  }

  private delete(id: string): void {
    this.onEffect("DeleteNetworkInterface", id, []);
    const entry = this.find(id, "DeleteNetworkInterface");
    if (entry.eni.status === "Deleting") return;
    if (entry.eni.status !== "Available") throw refused("conflict", "InvalidOperation.InvalidEniState", "DeleteNetworkInterface", id);
    entry.eni = { ...entry.eni, status: "Deleting" };
    const { clock, random } = this.options;
    clock.after(1_000 + random.next() * 3_000, () => {
      entry.gone = true;
      this.giveBack(entry.eni, [...entry.eni.ipv4, ...entry.eni.ipv6]);
      this.remember();
    });
  }

  private assign(id: string, family: "ipv4" | "ipv6", count: number, token: string): string[] {
    const action = family === "ipv4" ? "AssignPrivateIpAddresses" : "AssignIpv6Addresses";
    if (count > 10) throw refused("invalid", "InvalidParameter", action, id);
    const before = this.repeated(token, `${id} ${family}`, action);
    if (before) return before.addresses;
    const entry = this.find(id, action);
    const { eni } = entry;
    if (eni.status !== "InUse" && eni.status !== "Available") throw refused("conflict", "InvalidOperation.InvalidEniState", action, id);
    const limit = family === "ipv4" ? this.options.ipv4PerEni : this.options.ipv6PerEni;
    if (eni[family].length + count > limit)
      throw refused("quota", `InvalidOperation.${family === "ipv4" ? "Ipv4" : "Ipv6"}CountExceeded`, action, id);
    const vSwitch = this.options.vSwitches.find((v) => v.id === eni.vSwitchId);
    const addresses = vSwitch ? this.take(vSwitch, family, count, action) : [];
    entry.eni = { ...eni, [family]: [...eni[family], ...addresses] };
    this.tokens.set(token, { fingerprint: `${id} ${family}`, eniId: id, addresses });
    return addresses;
  }

  private unassign(id: string, family: "ipv4" | "ipv6", addresses: readonly string[]): void {
    const action = family === "ipv4" ? "UnassignPrivateIpAddresses" : "UnassignIpv6Addresses";
    this.onEffect(action, id, addresses);
    const entry = this.find(id, action);
    const { eni } = entry;
    if (addresses.some((address) => !eni[family].includes(address) || address === eni.primaryIpv4)) {
      throw refused("gone", "InvalidIp.IpUnassigned", action, id);
    }
    entry.eni = { ...eni, [family]: eni[family].filter((address) => !addresses.includes(address)) };
    this.giveBack(eni, addresses);
  }

  private find(id: string, action: string): ModelEni {
    const entry = this.enis.get(id);
    if (!entry || entry.gone || (action.startsWith("Attach") && entry.knownMs > this.options.clock.monotonicMs()))
      throw refused("gone", "InvalidEniId.NotFound", action, id);
    return entry;
  }

  private repeated(token: string, fingerprint: string, action: string) {
    const before = this.tokens.get(token);
    if (before && before.fingerprint !== fingerprint) throw refused("conflict", "IdempotentParameterMismatch", action, token);
    return before;
  }

  /** The last one given back comes first: the hardest order for whoever holds on to an address too long. */
  private take(vSwitch: ModelVSwitch, family: "ipv4" | "ipv6", count: number, action: string): string[] {
    if (count === 0) return [];
    if (family === "ipv4" && vSwitch.left < count) throw refused("exhausted", "InvalidVSwitchId.IpNotEnough", action, vSwitch.id);
    const cidr = parseCidr(family === "ipv4" ? vSwitch.cidr : (vSwitch.ipv6Cidr ?? ""));
    if (!cidr) throw refused("invalid", "InvalidVSwitch.Ipv6NotTurnOn", action, vSwitch.id);
    const used = new Set(this.truth().flatMap((eni) => [...eni.ipv4, ...eni.ipv6]));
    const inside = (address: string) => address.startsWith(formatAddress({ family, value: cidr.first }).replace(/[^.:]*$/, ""));
    const taken: string[] = [];
    for (let at = this.freed.length - 1; at >= 0 && taken.length < count; at -= 1) {
      const address = this.freed[at];
      if (address !== undefined && address.includes(":") === (family === "ipv6") && inside(address) && !used.has(address)) {
        taken.push(address);
        this.freed.splice(at, 1);
      }
    }
    for (let value = cidr.first + 1n; taken.length < count && value < cidr.last - 3n; value += 1n) {
      const address = formatAddress({ family, value });
      if (!used.has(address) && !taken.includes(address)) taken.push(address);
    }
    if (family === "ipv4") vSwitch.left -= count;
    return taken;
  }

  private giveBack(eni: Eni, addresses: readonly string[]): void {
    this.freed.push(...addresses);
    const vSwitch = this.options.vSwitches.find(({ id }) => id === eni.vSwitchId);
    if (vSwitch) vSwitch.left += addresses.filter((address) => !address.includes(":")).length;
  }

  private later(entry: ModelEni, minMs: number, maxMs: number, from: Eni["status"], change: (eni: Eni) => Eni): void {
    const { clock, random } = this.options;
    clock.after(minMs + random.next() * (maxMs - minMs), () => {
      if (entry.eni.status !== from) return;
      entry.eni = change(entry.eni);
      this.remember();
    });
  }
}

function partially(fault: Fault | undefined, count: number): number {
  return fault?.kind === "partial" ? Math.max(1, Math.floor(count / 2)) : count;
}

function refused(errorClass: CloudErrorClass, code: string, action: string, resource: string): CloudError {
  return new CloudError(`${action} of ${resource} was refused`, { class: errorClass, code, action, resource });
}
