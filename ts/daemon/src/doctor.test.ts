import type { KernelCapabilities } from "@terway/model";
import { kernelFeatures } from "@terway/model";
import { expect, test } from "vitest";
import { type DoctorSources, diagnose } from "./doctor.ts";

const able = Object.fromEntries(kernelFeatures.map((feature) => [feature, { available: true }]));
// Every feature is in it; fromEntries cannot know that.
const kernel = { release: "6.1", ...able } as KernelCapabilities;
const healthy: DoctorSources = {
  ...{ unready: undefined, problems: [], choice: undefined, kernel, pending: [], events: [] },
  mapping: { enis: [], leases: [], mismatches: [] },
};
const failing = (sources: Partial<DoctorSources>) => diagnose({ ...healthy, ...sources }).findings.filter(({ level }) => level !== "ok");

test("a healthy node: every area says so", () => {
  const { findings } = diagnose(healthy);
  expect(findings.map(({ area, level }) => `${area} ${level}`)).toEqual([
    "configuration ok",
    "permissions ok",
    "pool ok",
    "kernel ok",
    "drift ok",
  ]);
});

test("a permission that is missing is named, and is no trouble of the pool's", () => {
  const message = "AssignPrivateIpAddresses: the RAM policy does not allow this operation [Forbidden.RAM]. Attach the policy.";
  const found = failing({ problems: [{ class: "denied", code: "Forbidden.RAM", message, sinceMs: 0 }] });
  expect(found).toEqual([{ area: "permissions", level: "fail", what: `ecs:AssignPrivateIpAddresses is missing: ${message}` }]);
});

test("the last refused configuration, and keys that wait for a restart", () => {
  const event = (message: string) => ({
    atMs: 0,
    reason: "ConfigError" as const,
    type: "Warning" as const,
    subject: { kind: "Node" as const },
    message,
    count: 1,
  });
  const found = failing({ events: [event("first"), event("eni_conf: max_pool_size: must be a number")], pending: ["ip_stack"] });
  expect(found.map(({ level, what }) => `${level} ${what}`)).toEqual([
    "fail eni_conf: max_pool_size: must be a number",
    "warn changed, and waits for a restart: ip_stack",
  ]);
});

test("a kernel without BPF fails, one without netkit is told of", () => {
  const lacking = { ...kernel, bpf: { available: false, reason: "EPERM" }, netkit: { available: false } };
  expect(failing({ kernel: lacking }).map(({ level, what }) => `${level} ${what}`)).toEqual([
    "info 6.1 has no netkit: no reason given",
    "fail 6.1 has no bpf: EPERM",
  ]);
});

test("drift is a failure, an unknown cloud a warning", () => {
  const mapping = {
    enis: [],
    leases: [],
    mismatches: [{ object: "10.0.0.1", problem: "host route is missing" }],
    cloudUnknown: "no metadata",
  };
  expect(failing({ mapping }).map(({ level, what }) => `${level} ${what}`)).toEqual([
    "warn no metadata",
    "fail 10.0.0.1: host route is missing",
  ]);
});
