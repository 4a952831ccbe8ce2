import { type Clock, CloudError, type DegradationLevel, type Eni, type EniFilter, type MemberCloud, type Random } from "@terway/model";
import type { z } from "zod";
import {
  assignIpv6AddressesAnswer,
  assignPrivateIpAddressesAnswer,
  createNetworkInterfaceAnswer,
  describeInstanceTypesAnswer,
  describeNetworkInterfacesAnswer,
  describeVSwitchesAnswer,
  emptyAnswer,
} from "./answers.ts";
import { type Caller, type CallRecord, isAlreadyGone, openCaller } from "./call.ts";
import type { CredentialSource } from "./credentials.ts";
import { cloudEndpoints } from "./endpoints.ts";
import { toCloudError } from "./failure.ts";
import { concurrencyGuard, degradationGuard, gate, outcomeGuard, rateGuard } from "./gate.ts";
import { type Action, type Operation, operations, type Product } from "./operations.ts";
import { RateLimit } from "./rate-limit.ts";
import { openSdk, type Query, type Send } from "./sdk.ts";

export interface CloudOptions {
  /** Absent ones: the endpoints inside the VPC of the region. Plain `http:` is for the simulator. */
  readonly endpoints?: Readonly<Partial<Record<Product, URL>>>;
  readonly regionId: string;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly random: Random;
  /** `rate_limit` of eni_conf, calls per minute for each operation; asked at each call. */
  readonly rateLimits?: () => Readonly<Record<string, number>>;
  /** Asked at each call; absent: never degraded. */
  readonly degradation?: () => DegradationLevel;
  /** How each call that was sent ended. */
  readonly onOutcome?: (error: CloudError | undefined) => void;
  /** Calls under way at once; default 16. */
  readonly callsAtOnce?: number;
  readonly onCall?: (record: CallRecord) => void;
  /** In the place of the SDK, for a cloud inside the same process. */
  readonly send?: Send;
  readonly attemptTimeoutMs?: number;
  readonly callTimeoutMs?: number;
}

/** Tag that carries the client token of a create, so that an ENI whose answer was lost is found again ({@link EniFilter.clientToken}). */
export const clientTokenTag = "terway.alibabacloud.com/client-token";
const maxAddressesPerCall = 10;
const maxIdsPerCall = 100;
const maxPages = 200;
const maxCallsAtOnce = 16;

/** The port over OpenAPI. Opens nothing and loads nothing before the first call. Throws TypeError when an endpoint is no http(s)://host[:port]. */
export function openCloud(options: CloudOptions): MemberCloud {
  const { clock, random, credentials, regionId } = options;
  const attemptTimeoutMs = options.attemptTimeoutMs ?? 20_000;
  const rateLimit = new RateLimit(clock, (action) => options.rateLimits?.()[action] ?? operations[action as Action]?.perMinute ?? 500);
  const call = openCaller({
    clock,
    random,
    credentials,
    onCall: options.onCall,
    attemptTimeoutMs,
    callTimeoutMs: options.callTimeoutMs ?? 60_000,
    send:
      options.send ??
      openSdk({
        endpoints: { ...cloudEndpoints(regionId, {}), ...options.endpoints },
        regionId,
        credentials,
        socketTimeoutMs: attemptTimeoutMs + 1000,
      }),
    gate: gate([
      rateGuard(rateLimit),
      degradationGuard(options.degradation ?? (() => "none")),
      concurrencyGuard(options.callsAtOnce ?? maxCallsAtOnce),
      outcomeGuard(options.onOutcome ?? (() => {})),
    ]),
  });
  return cloudOver(call);
}

function cloudOver(call: Caller): MemberCloud {
  async function describePages(
    query: Query,
    subject: { eni?: string | undefined; instance?: string | undefined },
    signal?: AbortSignal,
  ): Promise<Eni[]> {
    // By id: a page may repeat an ENI while the list changes (reference: fault F35); the later one is newer.
    const found = new Map<string, Eni>();
    let nextToken: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const { enis, nextToken: next } = await call({
        operation: operations.DescribeNetworkInterfaces,
        query: { ...query, MaxResults: 500, NextToken: nextToken },
        subject,
        answer: describeNetworkInterfacesAnswer,
        signal,
      });
      for (const eni of enis) found.set(eni.id, eni);
      if (next === undefined || next === nextToken) return [...found.values()];
      nextToken = next;
    }
    throw refuse(operations.DescribeNetworkInterfaces, "UnexpectedAnswer", `more than ${maxPages} pages`);
  }

  async function assign(
    operation: Operation,
    eniId: string,
    count: number,
    query: Query,
    answer: z.ZodType<string[]>,
    signal?: AbortSignal,
  ) {
    if (!Number.isInteger(count) || count < 0 || count > maxAddressesPerCall) {
      throw refuse(operation, "InvalidParameter", `${count} addresses; a call takes 0 to ${maxAddressesPerCall}`);
    }
    if (count === 0) return [];
    return call({ operation, query: { NetworkInterfaceId: eniId, ...query }, subject: { eni: eniId }, answer, signal });
  }

  async function attach(eniId: string, instanceId: string, trunkId: string | undefined, signal?: AbortSignal): Promise<void> {
    const operation = operations.AttachNetworkInterface;
    const query = { NetworkInterfaceId: eniId, InstanceId: instanceId, TrunkNetworkInstanceId: trunkId };
    await call({ operation, query, subject: { eni: eniId, instance: instanceId }, answer: emptyAnswer, signal });
  }

  async function detach(eniId: string, instanceId: string, trunkId: string | undefined, signal?: AbortSignal): Promise<void> {
    const operation = operations.DetachNetworkInterface;
    const query = { NetworkInterfaceId: eniId, InstanceId: instanceId, TrunkNetworkInstanceId: trunkId };
    await call({ operation, query, subject: { eni: eniId, instance: instanceId }, answer: emptyAnswer, signal }).catch(ignoreGone);
  }

  async function unassign(
    operation: Operation,
    parameter: string,
    eniId: string,
    addresses: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    const send = (part: readonly string[]) =>
      call({
        operation,
        query: { NetworkInterfaceId: eniId, ...numbered(parameter, part) },
        subject: { eni: eniId, address: part.join(", ") },
        answer: emptyAnswer,
        signal,
      });
    for (const part of chunks(addresses, maxAddressesPerCall)) {
      try {
        await send(part);
      } catch (error) {
        if (!isAlreadyGone(error)) throw error;
        // The call is all or nothing: one address that is gone already keeps the others. One by one, each is either removed or gone.
        if (part.length > 1) for (const address of part) await send([address]).catch(ignoreGone);
      }
    }
  }

  return {
    async describeInstanceType(instanceType, signal) {
      const operation = operations.DescribeInstanceTypes;
      const subject = { instance: instanceType };
      const found = await call({
        operation,
        query: { "InstanceTypes.1": instanceType },
        subject,
        answer: describeInstanceTypesAnswer,
        signal,
      });
      const limits = found.find((one) => one.instanceType === instanceType);
      if (limits === undefined) throw toCloudError(operation, { code: "InvalidInstanceType.NotFound" }, subject);
      return limits;
    },

    async describeVSwitches(ids, signal) {
      const operation = operations.DescribeVSwitches;
      const answers = await Promise.all(
        [...new Set(ids)].map((id) =>
          call({ operation, query: { VSwitchId: id, PageSize: 50 }, subject: { vSwitch: id }, answer: describeVSwitchesAnswer, signal }),
        ),
      );
      return answers.flat();
    },

    async describeEnis(filter, signal) {
      const query = filterQuery(filter);
      if (filter.eniIds === undefined) return describePages(query, { instance: filter.instanceId }, signal);
      const found: Eni[] = [];
      for (const ids of chunks(filter.eniIds, maxIdsPerCall)) {
        found.push(
          ...(await describePages(
            { ...query, ...numbered("NetworkInterfaceId", ids) },
            { eni: ids[0], instance: filter.instanceId },
            signal,
          )),
        );
      }
      return found;
    },

    createEni(spec, signal) {
      return call({
        operation: operations.CreateNetworkInterface,
        query: {
          VSwitchId: spec.vSwitchId,
          ...numbered("SecurityGroupIds", spec.securityGroupIds),
          InstanceType: spec.type,
          SecondaryPrivateIpAddressCount: spec.secondaryIpv4Count || undefined,
          Ipv6AddressCount: spec.ipv6Count || undefined,
          ResourceGroupId: spec.resourceGroupId,
          PrimaryIpAddress: spec.primaryIpv4,
          NetworkInterfaceTrafficMode: spec.trafficMode,
          Description: "Created by Terway",
          DeleteOnRelease: spec.deleteOnRelease ?? true,
          ClientToken: spec.clientToken,
          ...tagQuery({ ...spec.tags, [clientTokenTag]: spec.clientToken }),
        },
        subject: { vSwitch: spec.vSwitchId, address: spec.primaryIpv4, securityGroup: spec.securityGroupIds.join(", ") },
        answer: createNetworkInterfaceAnswer,
        signal,
      });
    },

    attachEni: (eniId, instanceId, signal) => attach(eniId, instanceId, undefined, signal),
    detachEni: (eniId, instanceId, signal) => detach(eniId, instanceId, undefined, signal),
    attachMember: attach,
    detachMember: detach,

    async deleteEni(eniId, signal) {
      const operation = operations.DeleteNetworkInterface;
      await call({ operation, query: { NetworkInterfaceId: eniId }, subject: { eni: eniId }, answer: emptyAnswer, signal }).catch(
        ignoreGone,
      );
    },

    assignIpv4(eniId, count, clientToken, signal) {
      const query = { SecondaryPrivateIpAddressCount: count, ClientToken: clientToken };
      return assign(operations.AssignPrivateIpAddresses, eniId, count, query, assignPrivateIpAddressesAnswer, signal);
    },

    assignIpv6(eniId, count, clientToken, signal) {
      const query = { Ipv6AddressCount: count, ClientToken: clientToken };
      return assign(operations.AssignIpv6Addresses, eniId, count, query, assignIpv6AddressesAnswer, signal);
    },

    unassignIpv4: (eniId, addresses, signal) =>
      unassign(operations.UnassignPrivateIpAddresses, "PrivateIpAddress", eniId, addresses, signal),
    unassignIpv6: (eniId, addresses, signal) => unassign(operations.UnassignIpv6Addresses, "Ipv6Address", eniId, addresses, signal),
  };
}

function filterQuery(filter: EniFilter): Query {
  const tags = { ...filter.tags, ...(filter.clientToken === undefined ? {} : { [clientTokenTag]: filter.clientToken }) };
  if (filter.eniIds === undefined && filter.instanceId === undefined && Object.keys(tags).length === 0) {
    // Would list every ENI of the account; whoever asks that has lost an argument.
    throw refuse(operations.DescribeNetworkInterfaces, "InvalidParameter", "an empty filter");
  }
  return { InstanceId: filter.instanceId, ...tagQuery(tags) };
}

/** A request that our own code must not make; never sent. */
function refuse(operation: Operation, code: string, detail: string): CloudError {
  return new CloudError(`${operation.action}: ${detail}`, { class: "invalid", code, action: operation.action });
}

function ignoreGone(error: unknown): void {
  if (!isAlreadyGone(error)) throw error;
}

/** `Name.1`, `Name.2`, …: how RPC queries write lists. */
function numbered(name: string, values: readonly string[]): Query {
  return Object.fromEntries(values.map((value, index) => [`${name}.${index + 1}`, value]));
}

/** Sorted, so that the same tags with the same client token are the same request. */
function tagQuery(tags: Readonly<Record<string, string>>): Query {
  const sorted = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    sorted.flatMap(([key, value], index) => [
      [`Tag.${index + 1}.Key`, key],
      [`Tag.${index + 1}.Value`, value],
    ]),
  );
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
