import type { Bandwidth, NetworkPriority } from "./attachment.ts";

/** What a pod's annotations ask of its network. */
export interface PodNetworkWishes {
  /** From `k8s.aliyun.com/{ingress,egress}-bandwidth`; those of `kubernetes.io` come with the CNI call. */
  readonly bandwidth?: Bandwidth;
  readonly priority?: NetworkPriority;
  /** Complete sentences that name the annotation; the event ParseFailed tells them. What cannot be read is as if it were not there. */
  readonly problems: readonly string[];
}

const prefix = "k8s.aliyun.com/";
const priorities: Readonly<Record<string, NetworkPriority>> = {
  guaranteed: "guaranteed",
  burstable: "burstable",
  "best-effort": "best_effort",
};

/** Reads the annotations that Terway knows. Unknown annotations are for others. */
export function podNetworkWishes(annotations: Readonly<Record<string, string>>): PodNetworkWishes {
  const problems: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined, rule: string): T | undefined => {
    const text = annotations[`${prefix}${name}`];
    if (text === undefined || text === "") return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`annotation ${prefix}${name} is ${JSON.stringify(text)}, but must be ${rule}; it is ignored.`);
    return value;
  };
  const rate = 'a rate in bytes per second such as "10M"';
  const ingress = read("ingress-bandwidth", parseByteRate, rate);
  const egress = read("egress-bandwidth", parseByteRate, rate);
  const priority = read(
    "network-priority",
    (text) => (Object.hasOwn(priorities, text) ? priorities[text] : undefined),
    '"guaranteed", "burstable" or "best-effort"',
  );
  const limited = ingress !== undefined || egress !== undefined;
  return {
    ...(limited ? { bandwidth: { ...(ingress === undefined ? {} : { ingress }), ...(egress === undefined ? {} : { egress }) } } : {}),
    ...(priority === undefined ? {} : { priority }),
    problems,
  };
}

const factors: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** `10M`, `1.5GB`, `512KiB`, any case: bytes per second, factor 1024 as upstream has it. Undefined for anything else, and for 0. */
export function parseByteRate(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*$/i.exec(text) ?? [];
  const rate = Math.round(Number(digits) * (factors[unit.toUpperCase()] ?? Number.NaN));
  return digits !== "" && Number.isSafeInteger(rate) && rate > 0 ? rate : undefined;
}
