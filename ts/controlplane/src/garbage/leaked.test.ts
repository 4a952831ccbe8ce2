import { clientTokenTag } from "@terway/cloud";
import type { Eni } from "@terway/model";
import { describe, expect, test } from "vitest";
import { leakedEnis, Observations, youngMs } from "./leaked.ts";

const nowMs = 1_000_000_000;

function eni(id: string, more: Partial<Eni> = {}): Eni {
  return {
    ...{ id, mac: "00:16:3e:00:00:01", status: "Available", type: "Secondary", zoneId: "z", vSwitchId: "v", securityGroupIds: [] },
    ...{ primaryIpv4: "10.0.0.2", ipv4: ["10.0.0.2"], ipv6: [], tags: {}, createdAtMs: nowMs - youngMs },
    ...more,
  };
}
const nothing = { ids: new Set<string>(), tokens: new Set<string>() };
const ids = (enis: readonly Eni[], references = nothing) => leakedEnis(enis, references, nowMs).map(({ id }) => id);

describe("what nothing refers to", () => {
  test.each([
    ["free and old", {}, true],
    ["a member that nobody uses", { type: "Member", status: "InUse" }, true],
    ["young", { createdAtMs: nowMs - youngMs + 1 }, false],
    ["of an age that the cloud does not say", { createdAtMs: undefined }, false],
    ["on its way", { status: "Attaching" }, false],
    ["a whole ENI on a node", { status: "InUse" }, false],
    ["a trunk", { type: "Trunk", status: "InUse" }, false],
    ["a trunk that is not attached", { type: "Trunk" }, true],
  ] as const)("%s", (_, more, leaked) => {
    const { createdAtMs, ...rest } = eni("eni-1", more as Partial<Eni>);
    expect(ids([createdAtMs === undefined ? rest : { ...rest, createdAtMs }])).toEqual(leaked ? ["eni-1"] : []);
  });

  test("an id that an object names, or a token that an intent names, is a reference", () => {
    const all = [eni("eni-1"), eni("eni-2", { tags: { [clientTokenTag]: "t" } }), eni("eni-3")];
    expect(ids(all, { ids: new Set(["eni-1"]), tokens: new Set(["t"]) })).toEqual(["eni-3"]);
  });
});

test("only what was seen twice in a row is confirmed", () => {
  const seen = new Observations();
  expect(seen.confirm(["a", "b"])).toEqual([]);
  expect(seen.confirm(["b", "c"])).toEqual(["b"]);
  expect(seen.confirm(["a", "c"])).toEqual(["c"]);
  seen.forget();
  expect(seen.confirm(["a", "c"])).toEqual([]);
});
