import { operations } from "@terway/cloud";
import {
  cloudErrorEntry,
  type Doctor,
  type DoctorFinding,
  type KernelCapabilities,
  kernelFeatures,
  type Mapping,
  type PoolProblem,
} from "@terway/model";
import type { RecordedEvent } from "./events.ts";
import type { ModeChoice } from "./mode-choice.ts";

/** Everything that the findings are made of. */
export interface DoctorSources {
  readonly unready: string | undefined;
  readonly problems: readonly PoolProblem[];
  readonly mapping: Mapping;
  readonly choice: ModeChoice | undefined;
  readonly kernel: KernelCapabilities | undefined;
  /** Changed keys that wait for a restart. */
  readonly pending: readonly string[];
  readonly events: readonly RecordedEvent[];
}

/** Without these pods do not get their network, whatever the mode. */
const needed: readonly (typeof kernelFeatures)[number][] = ["veth", "clsact", "bpf", "clsBpf"];
/** What a refused call lacked, as RAM names it; undefined for every other refusal. */
function missingAction({ code, message }: PoolProblem): string | undefined {
  if (cloudErrorEntry(code)?.id !== "permission_missing") return undefined;
  const action = /^(\w+):/.exec(message)?.[1];
  return Object.values(operations).find((operation) => operation.action === action)?.ramAction ?? action ?? "a permission";
}

/** What is wrong on this node, and what to do; each area says when nothing is. Pure. */
export function diagnose(sources: DoctorSources): Doctor {
  return { findings: [...configuration(sources), ...permissions(sources), ...pool(sources), ...kernel(sources), ...drift(sources)] };
}

function configuration({ choice, pending, events }: DoctorSources): DoctorFinding[] {
  const area = "configuration" as const;
  const broken = events.filter((event) => event.reason === "ConfigError").at(-1);
  const found: DoctorFinding[] = [
    ...(broken === undefined
      ? []
      : [
          {
            area,
            level: "fail" as const,
            what: broken.message,
            next: "Correct eni-config; until then the last good configuration is in force.",
          },
        ]),
    ...(choice?.errors ?? []).map((issue) => ({ area, level: "fail" as const, what: `${issue.path}: ${issue.message}` })),
    ...(choice?.fallbacks ?? []).map(({ wanted, used, reason }) => ({
      area,
      level: "warn" as const,
      what: `${wanted} is configured, ${used} is used: ${reason}`,
    })),
    ...(pending.length === 0
      ? []
      : [
          {
            area,
            level: "warn" as const,
            what: `changed, and waits for a restart: ${pending.join(", ")}`,
            next: "Delete this node's Terway pod when it suits.",
          },
        ]),
  ];
  return orFine(found, area, "the configuration is in force as it stands");
}

function permissions({ problems }: DoctorSources): DoctorFinding[] {
  const area = "permissions" as const;
  const found = problems.flatMap((problem): DoctorFinding[] => {
    const action = missingAction(problem);
    if (action === undefined) return [];
    return [{ area, level: "fail", what: `${action} is missing: ${problem.message}` }];
  });
  return orFine(found, area, "the cloud has refused no call for lack of permission");
}

function pool({ unready, problems }: DoctorSources): DoctorFinding[] {
  const area = "pool" as const;
  const found: DoctorFinding[] = [
    ...(unready === undefined ? [] : [{ area, level: "fail" as const, what: `pods cannot be served: ${unready}` }]),
    ...problems
      .filter((problem) => missingAction(problem) === undefined)
      .map((problem) => ({ area, level: "warn" as const, what: problem.message })),
  ];
  return orFine(found, area, "pods can be served");
}

function kernel({ kernel }: DoctorSources): DoctorFinding[] {
  const area = "kernel" as const;
  if (kernel === undefined) return [{ area, level: "warn", what: "the kernel has not been probed yet" }];
  const lacking = kernelFeatures.filter((feature) => !kernel[feature].available);
  const found = lacking.map((feature) => ({
    area,
    level: needed.includes(feature) ? ("fail" as const) : ("info" as const),
    what: `${kernel.release} has no ${feature}: ${kernel[feature].reason ?? "no reason given"}`,
  }));
  return orFine(found, area, `${kernel.release} has everything that is asked for`);
}

function drift({ mapping }: DoctorSources): DoctorFinding[] {
  const area = "drift" as const;
  const unknown = mapping.cloudUnknown === undefined ? [] : [{ area, level: "warn" as const, what: mapping.cloudUnknown }];
  const found = mapping.mismatches.map(({ object, problem }) => ({
    area,
    level: "fail" as const,
    what: `${object}: ${problem}`,
    next: "It is repaired by itself within 30 s where it can be; terwayd's log says why not.",
  }));
  return [...unknown, ...orFine(found, area, "cloud, journal and kernel agree")];
}

function orFine(found: DoctorFinding[], area: DoctorFinding["area"], what: string): DoctorFinding[] {
  return found.length > 0 ? found : [{ area, level: "ok", what }];
}
