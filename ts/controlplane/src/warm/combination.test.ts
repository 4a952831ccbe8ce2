import { networkInterfaceSchema } from "@terway/model";
import { expect, test } from "vitest";
import type { WantedEni } from "../pod/intent.ts";
import { fits } from "./combination.ts";

const eni = { id: "eni-1", vSwitchID: "vsw-1", securityGroupIDs: ["sg-2", "sg-1"], attachmentOptions: { trunk: true } };
const waiting = (spec: object = {}) =>
  networkInterfaceSchema.parse({ metadata: { name: "eni-1" }, spec: { eni, ipv4: "10.0.0.2", ...spec } });
const wanted: WantedEni = {
  ...{ ifName: "eth0", vSwitchId: "vsw-2", vSwitchIds: ["vsw-2", "vsw-1"], selection: "ordered", securityGroupIds: ["sg-1", "sg-2"] },
  ...{ trunk: true, ipv6: false, extraRoutes: [], allocation: {}, token: "t" },
};

test.each([
  ["of one of its vSwitches, with the same groups in any order", waiting(), wanted, true],
  ["of another vSwitch", waiting(), { ...wanted, vSwitchIds: ["vsw-2"] }, false],
  ["of other groups", waiting(), { ...wanted, securityGroupIds: ["sg-1"] }, false],
  ["of another resource group", waiting(), { ...wanted, resourceGroupId: "rg" }, false],
  ["without the IPv6 address that it shall have", waiting(), { ...wanted, ipv6: true }, false],
  ["with it", waiting({ ipv6: "2001:db8::2" }), { ...wanted, ipv6: true }, true],
  ["for a whole ENI", waiting(), { ...wanted, trunk: false }, false],
  ["for a fixed address", waiting(), { ...wanted, allocation: { type: "Fixed" as const } }, false],
  ["for a given address", waiting(), { ...wanted, primaryIpv4: "10.0.0.9" }, false],
  ["for a traffic mode", waiting(), { ...wanted, trafficMode: "HighPerformance" as const }, false],
])("a warm member %s", (_, one, what, expected) => {
  expect(fits(one, what, (vSwitchId) => vSwitchId === "vsw-1")).toBe(expected);
});
