import {
  adminPrefix,
  type Doctor,
  type EventList,
  type ExecuteRequest,
  type ExecuteResult,
  executeSchema,
  type KernelCapabilities,
  type Mapping,
  type Metadata,
  type MetadataView,
  type PoolConfig,
  type ResourceList,
  type ResourceView,
} from "@terway/model";
import type { FastifyInstance, FastifyReply } from "fastify";
import { readAttachment } from "./attachment.ts";
import { diagnose } from "./doctor.ts";
import type { EventLog } from "./events.ts";
import type { InstanceFacts } from "./instance.ts";
import { compareMapping, observeKernel } from "./mapping.ts";
import type { ModeChoice } from "./mode-choice.ts";
import type { Node } from "./node.ts";

/** What the operator may look at beside the node itself. */
export interface AdminSources {
  readonly node: Node;
  readonly metadata: Metadata;
  readonly events: EventLog;
  readonly nodeName: string;
  poolConfig(): PoolConfig;
  facts(): InstanceFacts | undefined;
  /** Undefined until it is made. */
  choice(): ModeChoice | undefined;
  symmetricRouting(): string;
  /** Undefined until it was probed. */
  kernel(): KernelCapabilities | undefined;
  /** Changed keys that wait for a restart. */
  pending(): readonly string[];
}

type Entries = { key: string; value: string }[];

interface Resource {
  readonly type: string;
  readonly name: string;
  config(): Entries;
  trace(): Entries;
  readonly commands: Readonly<Record<string, (args: readonly string[]) => Promise<ExecuteResult>>>;
}

const metadataTimeoutMs = 3_000;
const entries = (fields: Readonly<Record<string, unknown>>): Entries =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: typeof value === "object" ? JSON.stringify(value) : String(value) }));

/** What the pool's numbers count. */
const unitOf = (exclusive: boolean) => (exclusive ? "ENIs" : "addresses");

/** Routes of `terway-cli`; see `ts/model/src/admin.ts`. */
export function adminRoutes(app: FastifyInstance, sources: AdminSources): void {
  const resources = resourcesOf(sources);
  const list = (type?: string): ResourceList => ({
    resources: resources.filter((one) => type === undefined || one.type === type).map(({ type, name }) => ({ type, name })),
  });
  const find = (type: string, name: string) => resources.find((one) => one.type === type && (name === "" || one.name === name));
  const types = () => [...new Set(resources.map((one) => one.type))].join(", ");

  app.get(`${adminPrefix}/resources`, async () => list());
  app.get<{ Params: { type: string } }>(`${adminPrefix}/resources/:type`, async (request, reply) => {
    const found = list(request.params.type);
    return found.resources.length > 0
      ? found
      : reply.code(404).send({ error: `no resource type ${request.params.type}; there are ${types()}` });
  });
  app.get<{ Params: { type: string; name: string } }>(`${adminPrefix}/resources/:type/:name`, async (request, reply) => {
    const { type, name } = request.params;
    const found = find(type, name);
    if (found === undefined) return reply.code(404).send({ error: `no resource ${type}/${name}; types are ${types()}` });
    const view: ResourceView = {
      type,
      name: found.name,
      config: found.config(),
      trace: found.trace(),
      commands: Object.keys(found.commands),
    };
    return view;
  });
  app.get(`${adminPrefix}/mapping`, () => mapping(sources));
  app.get(`${adminPrefix}/metadata`, async (_request, reply): Promise<MetadataView> => {
    const signal = AbortSignal.timeout(metadataTimeoutMs);
    try {
      const [identity, enis] = await Promise.all([sources.metadata.identity(signal), sources.metadata.enis(signal)]);
      return { identity, enis: enis.map((eni) => ({ ...eni, ipv4: [...eni.ipv4], ipv6: [...eni.ipv6] })) };
    } catch (error) {
      return reply
        .code(502)
        .send({ error: `the instance metadata cannot be read: ${error instanceof Error ? error.message : String(error)}` });
    }
  });
  app.get(`${adminPrefix}/policy`, async (_request, reply) =>
    sources.node.policy.view().catch((error: unknown) => kernelFailure(reply, error)),
  );
  app.get<{ Querystring: { after?: string } }>(`${adminPrefix}/policy/drops`, async (request, reply) =>
    sources.node.policy.drops(Number(request.query.after ?? 0) || 0).catch((error: unknown) => kernelFailure(reply, error)),
  );
  app.get(
    `${adminPrefix}/events`,
    async (): Promise<EventList> => ({
      events: sources.events.recent().map(({ subject, ...event }) => ({
        ...event,
        subject: subject.kind === "Node" ? `Node ${sources.nodeName}` : `Pod ${subject.namespace}/${subject.name}`,
      })),
    }),
  );
  app.get(`${adminPrefix}/doctor`, async (): Promise<Doctor> => {
    const { node, events } = sources;
    const { problems } = node.pool.view();
    const known = { unready: node.unready(), problems, choice: sources.choice(), kernel: sources.kernel(), pending: sources.pending() };
    return diagnose({ ...known, mapping: await mapping(sources), events: events.recent() });
  });
  app.post(`${adminPrefix}/execute`, async (request, reply) => {
    const parsed = executeSchema.safeParse(request.body);
    if (!parsed.success)
      return reply.code(400).send({ error: parsed.error.issues.map((one) => `${one.path.join(".")}: ${one.message}`).join("; ") });
    const { type, resource, command, args }: ExecuteRequest = parsed.data;
    const found = find(type, resource);
    if (found === undefined) return reply.code(404).send({ error: `no resource ${type}/${resource}; types are ${types()}` });
    const run = Object.hasOwn(found.commands, command) ? found.commands[command] : undefined;
    if (run === undefined) {
      const known = Object.keys(found.commands).join(", ");
      return reply.code(404).send({ error: `${type}/${found.name} knows no command ${command}; it knows ${known}` });
    }
    return run(args);
  });
}

function kernelFailure(reply: FastifyReply, error: unknown) {
  return reply.code(502).send({ error: `the policy tables cannot be read: ${error instanceof Error ? error.message : String(error)}` });
}

async function mapping(sources: AdminSources): Promise<Mapping> {
  const view = sources.node.pool.view();
  const cloud = sources.metadata.enis(AbortSignal.timeout(metadataTimeoutMs)).catch((error: unknown) => ({
    unknown: `the instance metadata cannot be read: ${error instanceof Error ? error.message : String(error)}`,
  }));
  const kernel = await observeKernel(sources.node, view.leases);
  return compareMapping(view, kernel, await cloud, sources.facts()?.identity.primaryMac);
}

function resourcesOf(sources: AdminSources): Resource[] {
  const { node } = sources;
  const pool: Resource = {
    type: "resource_pool",
    name: "default",
    config: () => {
      const { exclusive, minIdle, maxIdle, ipv4, ipv6, coolDownMs, syncPeriodMs } = sources.poolConfig();
      return entries({
        unit: unitOf(exclusive),
        min_idle: minIdle,
        max_idle: maxIdle,
        ipv4,
        ipv6,
        cool_down_ms: coolDownMs,
        sync_period_ms: syncPeriodMs,
      });
    },
    trace: () => {
      const { exclusive, total, used, free, cooling, waiting, capacity, problems } = node.pool.view();
      const stated = Object.fromEntries(problems.map((one) => [`problem ${one.code}`, one.message]));
      return entries({ unit: unitOf(exclusive), capacity, total, used, free, cooling, waiting, unready: node.unready(), ...stated });
    },
    commands: {
      sync: async () => {
        await node.pool.sync();
        const { exclusive, total, used, free } = node.pool.view();
        return { ok: true, lines: [`compared with the cloud: ${total} ${unitOf(exclusive)}, ${used} used, ${free} free`] };
      },
      audit: async () => {
        const { mismatches } = await mapping(sources);
        return { ok: mismatches.length === 0, lines: mismatches.map(({ object, problem }) => `${object}: ${problem}`) };
      },
    },
  };
  const factory: Resource = {
    type: "factory",
    name: "eniip",
    config: () => {
      const { maxEnis, ipv4PerEni, ipv6PerEni, vSwitchIds, vSwitchPolicy, eniPolicy, securityGroupIds, eniTags } = sources.poolConfig();
      const { identity, limits } = sources.facts() ?? {};
      return entries({
        instance: identity?.instanceId,
        instance_type: limits?.instanceType,
        max_eni: maxEnis,
        ipv4_per_eni: ipv4PerEni,
        ipv6_per_eni: ipv6PerEni,
        vswitches: vSwitchIds.join(","),
        vswitch_selection_policy: vSwitchPolicy,
        eni_selection_policy: eniPolicy,
        security_groups: securityGroupIds.join(","),
        eni_tags: eniTags,
      });
    },
    trace: () => {
      const { enis } = node.pool.view();
      const line = (eni: (typeof enis)[number]) => {
        const count = (state: string) => eni.addresses.filter((one) => one.state === state).length;
        return `${eni.mac} ${eni.type} ${eni.status} ${eni.vSwitchId}${eni.ours ? "" : " foreign"}: ${eni.addresses.length} addresses, ${count("used")} used, ${count("free")} free`;
      };
      return [...entries({ eni_count: enis.filter((eni) => eni.ours).length }), ...enis.map((eni) => ({ key: eni.id, value: line(eni) }))];
    },
    commands: {},
  };
  const service: Resource = {
    type: "network_service",
    name: "default",
    config: () => {
      const { localDeliveryAcrossSecurityGroups, ...network } = node.network();
      const { node: kind, shared, trunkMember, fastPath, trunk, bandwidthMode, networkPriority } = sources.choice()?.modes ?? {};
      return entries({
        node: sources.nodeName,
        kernel: node.datapath.status().kernelRelease,
        ...network,
        local_delivery_across_security_groups: localDeliveryAcrossSecurityGroups,
        node_mode: kind,
        shared_mode: shared,
        trunk_member_mode: trunkMember,
        fast_path: fastPath,
        trunk,
        bandwidth_mode: bandwidthMode,
        network_priority: networkPriority,
        symmetric_routing: sources.symmetricRouting(),
        network_policy: node.policy.state(),
      });
    },
    trace: () => {
      const { fallbacks = [], errors = [] } = sources.choice() ?? {};
      return [
        ...entries({
          ...node.datapath.status(),
          leases: node.pool.leases().length,
          own_security_groups: node.pool.leases().filter((lease) => readAttachment(lease)?.ownGroups === true).length,
          under_way: node.flight.size,
          pending_restart: sources.pending().length === 0 ? undefined : sources.pending().join(", "),
        }),
        ...fallbacks.map(({ wanted, used, reason }) => ({ key: `fallback ${wanted}`, value: `${used}: ${reason}` })),
        ...errors.map((issue) => ({ key: `configuration ${issue.path}`, value: issue.message })),
      ];
    },
    commands: {
      mapping: async () => {
        const { enis } = await mapping(sources);
        return {
          ok: true,
          lines: enis.flatMap((eni) => eni.addresses.map((one) => `${eni.id} ${one.address} ${one.state} ${one.pod ?? ""}`.trimEnd())),
        };
      },
      resdb: async () => ({
        ok: true,
        lines: node.pool.leases().map(({ sandbox, eniId, ipv4, ipv6, state }) => {
          const addresses = [ipv4?.address, ipv6?.address].filter((one) => one !== undefined).join(",");
          return `${sandbox.podNamespace}/${sandbox.podName} -> ${eniId} ${addresses} ${state}`;
        }),
      }),
    },
  };
  return [pool, factory, service];
}
