import {
  type CniConf,
  type ConfigIssue,
  datapathModes,
  decideNodeMode,
  type EniConf,
  type EventSink,
  exclusiveModeLabel,
  formatIssue,
  type KernelCapabilities,
  type Lease,
  type ModeFallback,
  type NodeModes,
  type Outcome,
  type RunningModes,
} from "@terway/model";
import { z } from "zod";
import { readAttachment } from "./attachment.ts";
import { DurableFile } from "./durable-file.ts";
import type { Logger } from "./log.ts";

export interface ModeChoice {
  readonly modes: NodeModes;
  readonly fallbacks: readonly ModeFallback[];
  readonly errors: readonly ConfigIssue[];
}

const memorySchema = z.object({
  version: z.literal(1),
  modes: z.object({
    node: z.enum(["shared", "exclusive"]),
    shared: z.enum(datapathModes),
    trunkMember: z.enum(datapathModes),
    fastPath: z.boolean(),
  }),
});

const memoryOf = (stateDir: string) => new DurableFile(stateDir, "modes.json", memorySchema);

/** What the last run of this node decided; undefined when there was none that says. */
export async function rememberedModes(stateDir: string): Promise<RunningModes | undefined> {
  return (await memoryOf(stateDir).read())?.modes;
}

export interface ModeParts {
  readonly stateDir: string;
  readonly eniConf: EniConf;
  readonly cniConf: CniConf;
  readonly labels: Readonly<Record<string, string>>;
  readonly kernel: KernelCapabilities;
  /** Those that have survived recovery. */
  readonly leases: readonly Lease[];
  readonly log: Logger;
  readonly events: EventSink;
  /** Loads the kernel programs and begins to keep what they must know of the node. */
  readonly openPrograms: () => Promise<Outcome<undefined>>;
}

/** Decides the node's modes for this run, remembers them, and tells what was not to be had. Throws when the kernel is too old. */
export async function chooseModes(parts: ModeParts): Promise<ModeChoice> {
  const { stateDir, eniConf, cniConf, kernel, log, events } = parts;
  const living = parts.leases.filter((lease) => lease.state !== "releasing");
  const label = parts.labels[exclusiveModeLabel];
  const decision = decideNodeMode({
    eniConf: eniConf.modeKeys,
    cniConf: cniConf.modeKeys,
    vlanStripType: cniConf.vlanStripType,
    ...(cniConf.bandwidthMode === undefined ? {} : { bandwidthMode: cniConf.bandwidthMode }),
    networkPriority: cniConf.enableNetworkPriority,
    ...(label === undefined ? {} : { label }),
    kernel,
    ...(living.length === 0 ? {} : { live: (await rememberedModes(stateDir)) ?? modesOf(living) }),
  });
  if (!decision.ok) throw new Error(decision.reason);
  const choice = await withFastPath(decision, parts);
  const { node, shared, trunkMember, fastPath } = choice.modes;
  await memoryOf(stateDir).write({ version: 1, modes: { node, shared, trunkMember, fastPath } });
  log.info({ ...choice.modes }, "modes of the node");
  for (const { wanted, used, reason } of choice.fallbacks) {
    events.emit("VirtualModeChanged", { kind: "Node" }, `${wanted} is not available, ${used} is used instead: ${reason}`);
  }
  for (const issue of choice.errors) events.emit("ConfigError", { kind: "Node" }, formatIssue(issue));
  return choice;
}

/** What the probe cannot tell: whether the kernel takes the programs, and whether it is known what must not go past the node's stack. */
async function withFastPath(choice: ModeChoice, { eniConf, openPrograms }: ModeParts): Promise<ModeChoice> {
  if (!choice.modes.fastPath) return choice;
  const missing = "`service_cidr` of eni_conf is empty, and what pods send to Services would leave the node untranslated; set it";
  const reason =
    eniConf.serviceCidrs.length === 0 ? missing : await openPrograms().then((opened) => (opened.ok ? undefined : opened.error.message));
  if (reason === undefined) return choice;
  const used = choice.modes.shared === "netkit" ? "netkit" : "veth";
  return {
    ...choice,
    modes: { ...choice.modes, fastPath: false },
    fallbacks: [...choice.fallbacks, { wanted: "datapathv2", used, reason }],
  };
}

/** What pods of a release that remembered nothing run: their attachments say it. */
export function modesOf(leases: readonly Lease[]): RunningModes {
  const attachments = leases.flatMap((lease) => readAttachment(lease) ?? []);
  const exclusive = attachments.some((one) => one.mode === "exclusive");
  const shared = attachments.find((one) => one.mode !== "exclusive" && one.vlanId === undefined)?.mode ?? "policy_route";
  const trunkMember = attachments.find((one) => one.vlanId !== undefined)?.mode ?? shared;
  return { node: exclusive ? "exclusive" : "shared", shared, trunkMember, fastPath: false };
}

/** As `eniip_virtual_type` would name it; written into the conflist, where people look. */
export function virtualTypeName({ shared, fastPath }: NodeModes): "veth" | "ipvlan" | "datapathv2" {
  if (shared === "ipvlan") return "ipvlan";
  return fastPath ? "datapathv2" : "veth";
}
