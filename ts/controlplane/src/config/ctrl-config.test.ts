import { describe, expect, test } from "vitest";
import { parseCtrlConfig, parseCtrlSecret } from "./ctrl-config.ts";

const least = "clusterID: c1\nvpcID: vpc-1\n";

test("what is not set has Terway's default", () => {
  const parsed = parseCtrlConfig(least);
  expect(parsed).toMatchObject({
    ok: true,
    warnings: [],
    value: {
      name: "terway-controlplane",
      namespace: "kube-system",
      lease: { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 },
      healthz: { host: "0.0.0.0", port: 80 },
      webhookPort: 4443,
      workers: { pod: 10, podEni: 10, eni: 300, multiIpNode: 500 },
      trunk: true,
      injectResources: true,
      ipv4: true,
      ipv6: false,
      degradation: { level: "none" },
      statefulKinds: ["statefulset"],
    },
  });
  expect(parsed.ok && parsed.value.metrics).toBeUndefined();
});

test("upstream's chart is read: a switched-off listener, kinds in any case, durations", () => {
  const text = `${least}metricsBindAddress: "0"\ncustomStatefulWorkloadKinds: [CloneSet]\nvSwitchCacheTTL: 20m0s\ndisableWebhook: true\n`;
  const parsed = parseCtrlConfig(text);
  expect(parsed.ok && parsed.value).toMatchObject({ statefulKinds: ["statefulset", "cloneset"], vSwitchLifeMs: 1_200_000 });
  expect(parsed.ok && "webhookPort" in parsed.value).toBe(false);
});

describe("wrong values are refused with their key, all at once", () => {
  test.each([
    ["no YAML", "a: [", ["no YAML"]],
    ["nothing", "", ["clusterID: is missing", "vpcID: is missing"]],
    ["types and ranges", `${least}eniMaxConcurrent: 0\nretryPeriod: soon\nipStack: ipv5\n`, ["eniMaxConcurrent", "retryPeriod", "ipStack"]],
    ["an address without port", `${least}healthzBindAddress: localhost\n`, ["healthzBindAddress: must be"]],
    [
      "levels in the wrong order",
      `${least}degradation: { enable: true, l0_threshold: 5 }\n`,
      ["degradation.l0_threshold: is 5 and must be more"],
    ],
    ["a lease that ends before it is renewed", `${least}leaseDuration: 5s\n`, ["renewDeadline: is 10000 ms"]],
  ])("%s", (_, text, words) => {
    const parsed = parseCtrlConfig(text);
    const found = parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
    expect(found).toHaveLength(words.length);
    for (const word of words) expect(found.join("\n")).toContain(word);
  });
});

test("degradation is a level, or the documents' thresholds", () => {
  const read = (text: string) => {
    const parsed = parseCtrlConfig(least + text);
    return parsed.ok ? parsed.value.degradation : parsed.errors;
  };
  expect(read("degradation: l1\n")).toEqual({ level: "l1" });
  expect(read("degradation: { enable: true, l0_threshold: 12 }\n")).toEqual({ level: "none", thresholds: { l1: 5, l0: 12 } });
  expect(read("degradation: { enable: false, l1_threshold: 1 }\n")).toEqual({ level: "none" });
});

test("an unknown key warns and names the near one", () => {
  const parsed = parseCtrlConfig(`${least}enableTrunking: true\n`);
  expect(parsed.ok && parsed.warnings.map(({ path, message }) => `${path} ${message}`)).toEqual([
    "enableTrunking is not a known key and is ignored. Did you mean `enableTrunk`?",
  ]);
});

test("half a key pair is refused, and no secret is shown", () => {
  expect(parseCtrlSecret("accessKey: LTAI\n")).toMatchObject({ ok: false, errors: [{ path: "accessSecret" }] });
  const wrong = parseCtrlSecret("accessKey: a\naccessSecret: [hidden]\n");
  expect(JSON.stringify(wrong)).not.toContain("hidden");
  const good = parseCtrlSecret("accessKey: LTAI\naccessSecret: hidden\n");
  expect(JSON.stringify(good)).not.toContain("hidden");
  expect(good.ok && good.value.accessKey?.secret.reveal()).toBe("hidden");
});
