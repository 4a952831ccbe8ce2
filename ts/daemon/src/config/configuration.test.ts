import { describe, expect, test } from "vitest";
import { readConfigMaps } from "./config-map.ts";
import { type ConfigTexts, type Configuration, parseConfiguration } from "./configuration.ts";
import { InForce } from "./in-force.ts";
import { wrongVSwitches } from "./v-switch-check.ts";

const texts = (eniConf: unknown, more: Partial<ConfigTexts> = {}): ConfigTexts => ({
  eniConf: { where: "base", text: typeof eniConf === "string" ? eniConf : JSON.stringify(eniConf) },
  ...more,
});
const parse = (...args: Parameters<typeof texts>): Configuration => {
  const result = parseConfiguration(texts(...args));
  if (!result.ok) throw new Error(result.problems.join("\n"));
  return result.configuration;
};
const problems = (...args: Parameters<typeof texts>) => {
  const result = parseConfiguration(texts(...args));
  return result.ok ? [] : result.problems;
};
const override = (value: unknown) => ({ override: { where: "ConfigMap kube-system/gpu, eni_conf", text: JSON.stringify(value) } });
const chain = (value: unknown) => ({
  conflist: { path: "10-terway.conf", text: JSON.stringify({ type: "terway", ...(value as object) }) },
});

describe("texts become configuration", () => {
  test("an override merges objects, replaces lists and deletes with null (RFC 7396)", () => {
    const base = { vswitches: { a: ["vsw-1"], b: ["vsw-2"] }, max_pool_size: 5, eni_tags: { x: "1", y: "2" } };
    const { conf } = parse(base, override({ vswitches: { a: ["vsw-9", "vsw-8"] }, max_pool_size: 7, eni_tags: { x: null } }));
    expect(conf.vSwitches).toEqual({ a: ["vsw-9", "vsw-8"], b: ["vsw-2"] });
    expect(conf).toMatchObject({ maxPoolSize: 7, eniTags: { y: "2" } });
  });

  test("each problem names its place and path", () => {
    expect(problems('{"a":')).toEqual([expect.stringMatching(/^base: line 1, column 6: eni_conf is no JSON/)]);
    expect(problems({ max_pool_size: "many" })).toEqual([expect.stringMatching(/^base: max_pool_size: /)]);
    expect(problems({}, { override: { where: "patch", text: "{" } })).toEqual([expect.stringMatching(/^patch: line 1/)]);
    expect(problems({}, override({ max_pool_size: [] }))).toEqual([
      expect.stringMatching(/^base merged with ConfigMap kube-system\/gpu, eni_conf: max_/),
    ]);
    expect(problems({ min_pool_size: {} }, chain({ mtu: "big" }))).toHaveLength(2);
  });

  test.each([
    [undefined, true],
    ["", true],
    ["false", true],
    ["0", true],
    ["true", false],
    ["no", false],
  ])("disable_network_policy %j: enforced %j", (value, enforced) => {
    expect(parse({}, value === undefined ? {} : { disableNetworkPolicy: value }).networkPolicy).toBe(enforced);
  });
});

describe("ConfigMaps", () => {
  const map = (name: string, data: Record<string, string>) => ({
    metadata: { namespace: "kube-system", name, uid: "u", resourceVersion: "1" },
    data,
  });
  const base = map("eni-config", { eni_conf: "{}", "10-terway.conf": "one", "10-terway.conflist": "list", disable_network_policy: "true" });

  test("the conflist wins over 10-terway.conf; the label's ConfigMap is the override", () => {
    expect(readConfigMaps({ namespace: "kube-system", base, overrideName: "gpu", override: map("gpu", { eni_conf: '{"x":1}' }) })).toEqual({
      eniConf: { where: "ConfigMap kube-system/eni-config, eni_conf", text: "{}" },
      override: { where: "ConfigMap kube-system/gpu, eni_conf", text: '{"x":1}' },
      conflist: { path: "ConfigMap kube-system/eni-config, 10-terway.conflist", text: "list" },
      disableNetworkPolicy: "true",
    });
  });

  test("what is missing is named, and by whom it is wanted", () => {
    expect(readConfigMaps({ namespace: "kube-system", base: undefined })).toEqual({
      problem: "ConfigMap kube-system/eni-config: is missing",
    });
    expect(readConfigMaps({ namespace: "kube-system", base: map("eni-config", {}) })).toMatchObject({
      problem: expect.stringContaining("eni_conf: is missing"),
    });
    expect(readConfigMaps({ namespace: "kube-system", base, overrideName: "gpu", override: undefined })).toEqual({
      problem: "ConfigMap kube-system/gpu: is missing, but the node's label terway-config names it",
    });
    expect(readConfigMaps({ namespace: "kube-system", base, overrideName: "gpu", override: map("gpu", {}) })).toMatchObject({
      problem: expect.stringContaining("ConfigMap kube-system/gpu, eni_conf: is missing"),
    });
  });
});

test("a change counts at once, but for what running pods hang on; each key that waits is told once", () => {
  const inForce = new InForce(parse({ max_pool_size: 5 }));
  const changed = parse({ max_pool_size: 9, ip_stack: "dual", enable_eni_trunking: true }, chain({ symmetric_routing: true, mtu: 1400 }));
  expect(inForce.take(changed)).toEqual(["eni_conf: ip_stack", "eni_conf: enable_eni_trunking", "10-terway.conf: symmetric_routing"]);
  expect(inForce.conf).toMatchObject({ maxPoolSize: 9, ipv6: false, modeKeys: {} });
  expect(inForce.conflist?.text).toContain("1400");
  expect(inForce.take(changed)).toEqual([]);
  expect(inForce.take(parse({ max_pool_size: 9 }))).toEqual([]);
  expect(inForce.pending).toEqual([]);
});

test("vSwitches that a change brings in: unknown ones and those of other zones; the cloud's silence is no verdict", async () => {
  const { signal } = new AbortController();
  const [now, changed] = [parse({ vswitches: { a: ["vsw-1"] } }).conf, parse({ vswitches: { a: ["vsw-1", "vsw-2", "vsw-3"] } }).conf];
  const asked: (readonly string[])[] = [];
  const cloud = {
    describeVSwitches: async (ids: readonly string[]) => {
      asked.push(ids);
      return [{ id: "vsw-3", zoneId: "b", vpcId: "v", cidr: "10.0.0.0/24", availableIpv4: 1 }];
    },
  };
  expect(await wrongVSwitches(cloud, "a", now, changed, signal)).toEqual([
    "eni_conf: vswitches.a[1]: vSwitch vsw-2 does not exist in this region.",
    "eni_conf: vswitches.a[2]: vSwitch vsw-3 is in zone b.",
  ]);
  expect(asked).toEqual([["vsw-2", "vsw-3"]]);
  expect(await wrongVSwitches(cloud, "a", now, now, signal)).toEqual([]);
  const silent = { describeVSwitches: () => Promise.reject(new Error("away")) };
  expect(await wrongVSwitches(silent, "a", now, changed, signal)).toEqual([]);
});
