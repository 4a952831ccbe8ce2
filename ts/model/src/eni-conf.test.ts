import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIssue } from "./config-issue.ts";
import { keyInfo } from "./config-key.ts";
import { parseEniConf, parseEniConfValue } from "./eni-conf.ts";
import { eniConfFileSchema } from "./eni-conf-keys.ts";
import { mergePatch } from "./merge-patch.ts";

function accepted(value: unknown) {
  const result = parseEniConfValue(value);
  if (!result.ok) throw new Error(result.errors.map(formatIssue).join("\n"));
  return result;
}

function refused(value: unknown) {
  const result = parseEniConfValue(value);
  if (result.ok) throw new Error("was accepted");
  return result;
}

/** The configurations that the documents show to users. */
const documented = {
  basic: {
    version: "1",
    access_key: "your-access-key",
    access_secret: "your-access-secret",
    security_group: "sg-xxxxxxxxx",
    service_cidr: "10.96.0.0/12",
    vswitches: { "cn-hangzhou-a": ["vsw-xxxxxxxxx"], "cn-hangzhou-b": ["vsw-yyyyyyyyy"] },
    max_pool_size: 5,
    min_pool_size: 0,
  },
  ack: {
    version: "1",
    max_pool_size: 25,
    min_pool_size: 10,
    vswitches: { "cn-shanghai-f": ["vsw-AAA", "vsw-BBB"] },
    service_cidr: "172.21.0.0/20",
    security_group: "sg-CCC",
  },
  dualStack: { ip_stack: "dual", ipv6: true },
};

describe("what the documents show is accepted", () => {
  test.each(Object.entries(documented))("%s, without a warning", (_, value) => {
    expect(accepted(value).warnings).toEqual([]);
  });

  test("values arrive", () => {
    const { config } = accepted(documented.basic);
    expect(config.accessKey?.id.reveal()).toBe("your-access-key");
    expect(config).toMatchObject({
      securityGroupIds: ["sg-xxxxxxxxx"],
      serviceCidrs: ["10.96.0.0/12"],
      vSwitches: { "cn-hangzhou-a": ["vsw-xxxxxxxxx"] },
      maxPoolSize: 5,
      minPoolSize: 0,
      ipv4: true,
      ipv6: false,
    });
    expect(accepted(documented.dualStack).config).toMatchObject({ ipv4: true, ipv6: true });
  });

  test("degradation has the documents' thresholds, and only when it is enabled", () => {
    const read = (degradation: object) => accepted({ degradation }).config.degradation;
    expect(read({ enable: true, l0_threshold: 12 })).toEqual({ l1: 5, l0: 12 });
    expect(read({ enable: false })).toBeUndefined();
    expect(refused({ degradation: { enable: true, l0_threshold: 5 } }).errors).toMatchObject([{ path: "degradation.l0_threshold" }]);
  });

  test.each([
    [{ disable_security_policy: true }, "disable_security_policy"],
    [{ ipam_type: "crd", enable_erdma: true }, "enable_erdma"],
  ])("%j: says by name what is not implemented yet", (value, ...names) => {
    const { warnings } = accepted(value);
    expect(warnings.map((issue) => [issue.code, issue.path])).toEqual(names.map((name) => ["not_implemented", name]));
    for (const issue of warnings) expect(issue.message).toContain(`\`${issue.path}`);
  });

  test("a key that asks for nothing needs no warning", () => {
    const quiet = {
      enable_erdma: false,
      ipam_type: "default",
      hot_plug: true,
      ip_warm_up_size: 0,
      eniip_virtual_type: "PolicyRoute",
      enable_ebpf: false,
      trunk_on: true,
      prefix: "",
    };
    expect(accepted(quiet).warnings).toEqual([]);
    expect(accepted({ ...quiet, hot_plug: false }).warnings).toMatchObject([{ code: "ignored", path: "hot_plug" }]);
  });
});

describe("defaults", () => {
  test("of an empty file", () => {
    const { config, warnings } = accepted({});
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      serviceCidrs: [],
      networkPolicyEnforcingMode: "standard",
      patchPodIps: true,
      centralizedIpam: false,
      eniTagFilter: {},
      eniTagBlockList: [],
      devicePlugin: true,
      statefulKinds: ["statefulset"],
      vSwitches: {},
      vSwitchSelectionPolicy: "random",
      securityGroupIds: [],
      eniTags: {},
      maxPoolSize: 5,
      minPoolSize: 0,
      minEni: 0,
      ipWarmUpSize: 0,
      eniCapRatio: 1,
      eniCapShift: 0,
      eniSelectionPolicy: "most_ips",
      ipv4: true,
      ipv6: false,
      ipPoolSyncPeriodMs: 120_000,
      rateLimits: {},
      localDeliveryAcrossSecurityGroups: false,
      modeKeys: {},
      extraRoutes: [],
    });
  });

  test("how pods are connected, in any spelling", () => {
    const modeKeys = { virtualType: "veth", ebpf: true, trunking: true };
    expect(accepted({ eniip_virtual_type: "PolicyRoute", enable_ebpf: true, trunk_on: true }).config).toMatchObject({ modeKeys });
    expect(accepted({ extra_routes: [{ dst: "192.168.0.7/16" }] }).config.extraRoutes).toEqual(["192.168.0.0/16"]);
  });

  test("of the reclaim of idle addresses, which is on when its quiet time is given", () => {
    expect(accepted({ idle_ip_reclaim_interval: "1m", idle_ip_reclaim_batch_size: 3 }).config).not.toHaveProperty("idleIpReclaim");
    expect(accepted({ idle_ip_reclaim_after: "" }).config).not.toHaveProperty("idleIpReclaim");
    expect(accepted({ idle_ip_reclaim_after: "30m" }).config.idleIpReclaim).toEqual({
      ...{ afterMs: 1_800_000, intervalMs: 600_000, batchSize: 5, jitterFactor: 0.1 },
    });
    const all = { idle_ip_reclaim_interval: "90s", idle_ip_reclaim_batch_size: 2, idle_ip_reclaim_jitter_factor: "0.5" };
    expect(accepted({ idle_ip_reclaim_after: "0s", ...all }).config.idleIpReclaim).toEqual({
      ...{ afterMs: 0, intervalMs: 90_000, batchSize: 2, jitterFactor: 0.5 },
    });
  });

  test("a large minimum raises the default maximum", () => {
    expect(accepted({ min_pool_size: 20 }).config.maxPoolSize).toBe(20);
  });

  test("Go's zero values count as not set: null and empty text", () => {
    const zero = {
      vswitches: null,
      access_key: "",
      access_secret: "",
      ip_stack: "",
      eniip_virtual_type: "",
      eni_cap_ratio: 0,
      ip_pool_sync_period: "",
    };
    expect(accepted(zero).config).toEqual(accepted({}).config);
  });

  test("security groups are united, sorted, each once", () => {
    expect(accepted({ security_group: "sg-b", security_groups: ["sg-c", "sg-b", "sg-a"] }).config.securityGroupIds).toEqual([
      "sg-a",
      "sg-b",
      "sg-c",
    ]);
  });
});

describe("what is wrong stops the start", () => {
  test("all problems at once, each with its path", () => {
    const { errors, warnings } = refused({
      max_pool_size: "5",
      min_pool_size: -1,
      vswitches: { "cn-hangzhou-a": "vsw-a", "cn-hangzhou-b": ["vsw-b", 7] },
      ip_stack: "ipv5",
      service_cidr: "10.96.0.0/12, fd00::/108, nonsense",
      ip_pool_sync_period: "10",
      eni_tags: { "acs:mine": "x" },
      degradation: { l0_treshold: 1 },
      max_pol_size: 5,
      access_key: "LTAI",
    });
    expect(new Set(errors.map((issue) => issue.path))).toEqual(
      new Set([
        "max_pool_size",
        "min_pool_size",
        "vswitches.cn-hangzhou-a",
        "vswitches.cn-hangzhou-b[1]",
        "ip_stack",
        "service_cidr",
        "ip_pool_sync_period",
        'eni_tags["acs:mine"]',
        "access_secret",
      ]),
    );
    expect(warnings.map((issue) => issue.path)).toEqual(["degradation.l0_treshold", "max_pol_size"]);
  });

  test.each([
    [{ max_pool_size: "5" }, "max_pool_size: must be a number, but is a string."],
    [{ max_pool_size: 1.5 }, "max_pool_size: must be an integer, but is a number."],
    [{ min_pool_size: -1 }, "min_pool_size: must be at least 0, but is -1."],
    [{ ip_stack: "ipv5" }, 'ip_stack: must be one of "ipv4", "dual", "ipv6", but is "ipv5".'],
    [{ ip_pool_sync_period: "10" }, 'ip_pool_sync_period: must be a Go duration such as "90s" or "10m", but is "10".'],
    [{ ip_pool_sync_period: "10ms" }, 'ip_pool_sync_period: must be at least 1s, but is "10ms".'],
    [{ vswitches: { z: "vsw-a" } }, "vswitches.z: must be a list, but is a string."],
    [{ vswitches: ["vsw-a"] }, "vswitches: must be an object, but is a list."],
    [{ rate_limit: { AssignPrivateIpAddresses: 0 } }, "rate_limit.AssignPrivateIpAddresses: must be at least 1, but is 0."],
    [{ min_pool_size: 6, max_pool_size: 5 }, "min_pool_size: is 6, which is more than `max_pool_size` (5)."],
    [
      { trunk_on: true, enable_eni_trunking: false },
      "trunk_on: is true, which contradicts `enable_eni_trunking: false`; remove `trunk_on`.",
    ],
    [{ ipv6: true, ip_stack: "ipv4" }, "ipv6: is true, which contradicts `ip_stack: ipv4`; remove `ipv6`."],
    [{ access_secret: "s" }, "access_key: is missing: `access_key` and `access_secret` belong together."],
    [
      { security_group: "sg-0", security_groups: Array.from({ length: 10 }, (_, index) => `sg-${index + 1}`) },
      "security_groups: names 11 groups together with `security_group`; an ENI takes at most 10.",
    ],
    [[], "must be an object, but is a list."],
  ])("%j", (value, line) => {
    expect(refused(value).errors.map(formatIssue)).toEqual([line]);
  });
});

describe("unknown keys warn", () => {
  test.each([
    ["max_pool_sise", "max_pool_size"],
    ["maxPoolSize", "max_pool_size"],
    ["vswitchs", "vswitches"],
    ["security-group", "security_group"],
    ["utterly_different", undefined],
  ])("%s → %s", (name, meant) => {
    const { warnings } = accepted({ [name]: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ path: name, code: "unknown_key" });
    if (meant === undefined) expect(warnings[0]?.message).not.toContain("Did you mean");
    else expect(warnings[0]?.message).toContain(`Did you mean \`${meant}\`?`);
  });

  test("names of Object.prototype are ordinary unknown keys", () => {
    const result = parseEniConf('{"__proto__": {"max_pool_size": 3}, "constructor": 1, "toString": 2}');
    expect(result.warnings.map((issue) => issue.path).sort()).toEqual(["__proto__", "constructor", "toString"]);
    expect(result.ok && result.config.maxPoolSize).toBe(5);
  });
});

describe("text", () => {
  test.each([
    ['{"max_pool_size": 5,}', 1, 21],
    ['{\n  "max_pool_size": 5\n  "min_pool_size": 1\n}', 3, 3],
    ["", 1, 1],
    ['{"a": tru}', 1, 7],
    ['{"a": "x\n"}', 1, 7],
    ["{} {}", 1, 4],
    ["{'a': 1}", 1, 2],
    ['{"a": 01}', 1, 8],
  ])("%j is broken at line %i, column %i", (text, line, column) => {
    const result = parseEniConf(text);
    expect(result).toMatchObject({ ok: false, errors: [{ code: "syntax", line, column }] });
  });

  test("a key that stands twice warns", () => {
    const result = parseEniConf('{"max_pool_size": 1, "vswitches": {"z": [], "z": ["vsw-a"]}, "max_pool_size": 2}');
    expect(result.warnings.map((issue) => [issue.code, issue.path])).toEqual([
      ["duplicate_key", "vswitches.z"],
      ["duplicate_key", "max_pool_size"],
    ]);
  });

  test("breaks exactly where the platform's parser refuses", () => {
    const piece = fc.constantFrom(
      '{"max_pool_size":',
      "1",
      "}",
      "[",
      "]",
      ",",
      '"a"',
      ":",
      "tru",
      "null",
      " ",
      "\n",
      "-",
      "0.5e3",
      '"\\u00g0"',
      '{"vswitches":{}}',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join("");
        let legal = true;
        try {
          JSON.parse(text);
        } catch {
          legal = false;
        }
        const result = parseEniConf(text);
        expect(!result.ok && result.errors.some((issue) => issue.code === "syntax")).toBe(!legal);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("secrets are never shown", () => {
  const secret = "S3cretS3cret";

  test("not by the parsed configuration", () => {
    const { config } = accepted({ access_key: secret, access_secret: secret });
    expect(`${inspect(config, { depth: 9 })}${JSON.stringify(config)}${config.accessKey?.secret}`).not.toContain(secret);
    expect(config.accessKey?.secret.reveal()).toBe(secret);
  });

  test("not by any message, whatever is wrong around them", () => {
    const texts = [
      `{"access_key": "${secret}", "access_secret": ["${secret}"]}`,
      `{"access_key": {"x": "${secret}"}, "access_secret": "${secret}"}`,
      `{"access_secret": "${secret}" "access_key": 1}`,
      `{"access_secret": "${secret}`,
      `{"access_secret": ${secret}}`,
      `"${secret}"`,
    ];
    for (const text of texts) {
      const result = parseEniConf(text);
      expect(result.ok).toBe(false);
      expect(JSON.stringify(result), text).not.toContain(secret);
    }
  });
});

test("any JSON value gets an answer, and an accepted one is accepted again", () => {
  const names = fc.constantFrom(...Object.keys(eniConfFileSchema.shape), "other");
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue(), { maxKeys: 6 }), (value) => {
      const result = parseEniConf(JSON.stringify(value));
      if (result.ok) expect(result.config.minPoolSize).toBeLessThanOrEqual(result.config.maxPoolSize);
      else expect(result.errors.length).toBeGreaterThan(0);
    }),
  );
});

test("every key says what it means", () => {
  for (const [name, schema] of Object.entries(eniConfFileSchema.shape)) {
    const info = keyInfo(schema);
    expect(info?.meaning, name).toMatch(/\.$/);
  }
});

describe("per-node override (RFC 7396)", () => {
  // The examples of the RFC's appendix A.
  test.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j + %j = %j", (target, patch, merged) => {
    const before = structuredClone(target);
    expect(mergePatch(target, patch)).toEqual(merged);
    expect(target).toEqual(before);
  });

  test("a patch cannot reach a prototype", () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});
