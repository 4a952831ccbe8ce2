import type { Lease } from "@terway/model";
import { describe, expect, test } from "vitest";
import { type RuntimeInput, runtimePods } from "./runtime-state.ts";

const pod = (name: string, uid = `u-${name}`) => ({
  containerId: `c-${name}`,
  ifName: "eth0",
  netns: "/n",
  podNamespace: "d",
  podName: name,
  podUid: uid,
});
const lease = (name: string, address: string, more: Partial<Lease> = {}): Lease => ({
  ...{ id: `c-${name}/eth0`, generation: 1, state: "bound", sandbox: pod(name), eniId: "eni-1", eniMac: "", allocatedAtMs: 0 },
  ipv4: { address, prefixLength: 24, gateway: "10.0.0.253" },
  ...more,
});
const bound = (name: string, ipv4: string, podUid = `u-${name}`) => [`d/${name}`, [{ podUid, ipv4 }]] as const;
const state = (input: Partial<RuntimeInput>) => {
  const given: RuntimeInput = {
    said: {},
    leases: [],
    adding: new Set(),
    bindings: new Map(),
    isGone: () => false,
    occupied: new Set(),
    now: "now",
    ...input,
  };
  return Object.fromEntries(Object.entries(runtimePods(given)).map(([uid, { status }]) => [uid, status]));
};
const initial = { initial: { lastUpdateTime: "now" } };
const deleted = { deleted: { lastUpdateTime: "now" } };

describe("what a node says of its pods", () => {
  test("a pod that holds a lease is here, also half released, and whatever the API says of it", () => {
    const leases = [lease("a", "10.0.0.1"), lease("b", "10.0.0.2", { state: "releasing" })];
    expect(state({ leases, isGone: () => true })).toEqual({ "u-a": initial, "u-b": initial });
  });

  test("one whose lease went is not, while its address is still bound; then nothing is said of it", () => {
    const said = { "u-a": { podID: "d/a", status: { initial: { lastUpdateTime: "then" } } } };
    expect(state({ said, bindings: new Map([bound("a", "10.0.0.1")]) })).toEqual({ "u-a": deleted });
    expect(state({ said })).toEqual({});
  });

  test("one that never had a sandbox here is free when it is gone from the cluster, not while its ADD may come or runs", () => {
    const bindings = new Map([bound("a", "10.0.0.1")]);
    expect(state({ bindings })).toEqual({});
    expect(state({ bindings, isGone: () => true })).toEqual({ "u-a": deleted });
    expect(state({ bindings, isGone: () => true, adding: new Set(["u-a"]) })).toEqual({ "u-a": initial });
  });

  test("after a lost journal the kernel's word counts", () => {
    const bindings = new Map([bound("a", "10.0.0.1")]);
    expect(state({ bindings, isGone: () => true, occupied: new Set(["10.0.0.1"]) })).toEqual({ "u-a": initial });
  });

  test("a time stays what it was, and only one of the two stands", () => {
    const said = { "u-a": { podID: "d/a", status: { deleted: { lastUpdateTime: "then" } } } };
    expect(state({ said, bindings: new Map([bound("a", "10.0.0.1")]) })).toEqual({ "u-a": { deleted: { lastUpdateTime: "then" } } });
    expect(state({ said, leases: [lease("a", "10.0.0.1")] })).toEqual({ "u-a": initial });
  });

  test("a runtime that names no uid is understood by what is bound", () => {
    const { podUid: _, ...sandbox } = pod("a");
    expect(state({ leases: [lease("a", "10.0.0.1", { sandbox })], bindings: new Map([bound("a", "10.0.0.1")]) })).toEqual({
      "u-a": initial,
    });
  });
});
