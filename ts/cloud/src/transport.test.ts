import { type Cloud, systemClock, systemRandom } from "@terway/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCloud } from "./cloud.ts";
import { cut, hang, html502, json, refusal, reset, ScriptedServer, stall } from "./testing/scripted-server.ts";
import { staticCredentials } from "./testing/simulated-region.ts";

/** Far from what an answer takes, also on a busy machine. */
const limitMs = 1_500;

/** What the real SDK makes of faults below the API, at a server on loopback. The limit of one request is `limitMs`. */
let server: ScriptedServer;
let cloud: Cloud;

beforeEach(async () => {
  server = await ScriptedServer.start();
  cloud = openCloud({
    endpoints: { ecs: server.url, vpc: server.url },
    regionId: "cn-hangzhou",
    credentials: staticCredentials(),
    clock: { ...systemClock, sleep: (delayMs, signal) => systemClock.sleep(delayMs / 100, signal) },
    random: systemRandom,
    attemptTimeoutMs: limitMs,
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const body = { RequestId: "R", padding: "x".repeat(1000) };

describe("a write without an answer is unknown, a read is tried again", () => {
  test.each([
    ["reset", reset, "ConnectionReset"],
    ["HTML 502", html502, "UnreadableAnswer"],
    ["cut body", cut(body), "ConnectionReset"],
    ["stalled body", stall(body), "Timeout"],
    ["no answer at all", hang, "Timeout"],
    ["empty body", ((response) => response.end()) as typeof reset, "UnreadableAnswer"],
    ["a list in place of an object", json(200, []), "UnexpectedAnswer"],
    ["error without code", json(500, {}), "UnreadableAnswer"],
  ])("%s", async (_, behaviour, code) => {
    server.script(behaviour);
    expect(await failure(cloud.attachEni("eni-1", "i-1"))).toMatchObject({
      class: "unknown",
      code,
      action: "AttachNetworkInterface",
      resource: "eni-1",
    });
    expect(server.actions).toHaveLength(1);
    server.script(behaviour, json(200, { VSwitches: { VSwitch: [] } }));
    expect(await cloud.describeVSwitches(["vsw-1"])).toEqual([]);
    expect(server.actions).toHaveLength(3);
  });

  test("nobody listens: surely without effect", async () => {
    await server[Symbol.asyncDispose]();
    expect(await failure(cloud.attachEni("eni-1", "i-1"))).toMatchObject({ class: "transient", code: "ConnectionRefused" });
  });
});

describe("the deadline holds", () => {
  test("where the SDK's own timer was cleared by another call on the same socket", async () => {
    // The trap: call A ends, its stale timer clears that of call B, which reuses the socket and then stalls.
    server.script(json(200, { RequestId: "R" }), (response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(drip));
    });
    await cloud.attachEni("eni-1", "i-1");
    await new Promise((resolve) => setTimeout(resolve, limitMs / 2));
    const startedAt = performance.now();
    expect(await failure(cloud.attachEni("eni-1", "i-1"))).toMatchObject({ code: "Timeout" });
    expect(performance.now() - startedAt).toBeLessThan(2 * limitMs);
  });

  test("the caller's signal ends a request at once", async () => {
    server.always(hang);
    const startedAt = performance.now();
    expect(
      await failure(
        cloud.createEni(
          { vSwitchId: "vsw-1", securityGroupIds: [], type: "Secondary", secondaryIpv4Count: 0, ipv6Count: 0, tags: {}, clientToken: "t" },
          AbortSignal.timeout(50),
        ),
      ),
    ).toMatchObject({
      class: "unknown",
      code: "Aborted",
    });
    expect(performance.now() - startedAt).toBeLessThan(limitMs - 100);
  });
});

test("what goes over the wire: parameters of each operation", async () => {
  server.always((response, { action }) => {
    const eni = {
      NetworkInterfaceId: "eni-1",
      MacAddress: "00:16:3E:00:00:01",
      Status: "Available",
      Type: "Secondary",
      ZoneId: "z",
      VSwitchId: "vsw-1",
      PrivateIpAddress: "10.0.0.1",
    };
    const answers: Readonly<Record<string, unknown>> = {
      CreateNetworkInterface: eni,
      AssignPrivateIpAddresses: { AssignedPrivateIpAddressesSet: { PrivateIpSet: { PrivateIpAddress: ["10.0.0.2"] } } },
      AssignIpv6Addresses: { Ipv6Sets: { Ipv6Address: ["2408:4005:03A1::000A"] } },
    };
    json(200, answers[action] ?? {})(response, server.received[0] as (typeof server.received)[0]);
  });
  const created = await cloud.createEni({
    vSwitchId: "vsw-1",
    securityGroupIds: ["sg-1", "sg-2"],
    type: "Trunk",
    secondaryIpv4Count: 9,
    ipv6Count: 2,
    resourceGroupId: "rg-1",
    tags: { b: "2", a: "1" },
    clientToken: "token-1",
  });
  expect(created).toMatchObject({ mac: "00:16:3e:00:00:01", primaryIpv4: "10.0.0.1", ipv4: ["10.0.0.1"], ipv6: [] });
  expect(await cloud.assignIpv6("eni-1", 1, "token-2")).toEqual(["2408:4005:3a1::a"]);
  await cloud.unassignIpv4("eni-1", ["10.0.0.2", "10.0.0.3"]);
  await cloud.describeEnis({ instanceId: "i-1", tags: { a: "1" } });
  expect(server.received.map(({ action, query }) => [action, query])).toEqual([
    [
      "CreateNetworkInterface",
      {
        RegionId: "cn-hangzhou",
        VSwitchId: "vsw-1",
        "SecurityGroupIds.1": "sg-1",
        "SecurityGroupIds.2": "sg-2",
        InstanceType: "Trunk",
        SecondaryPrivateIpAddressCount: "9",
        Ipv6AddressCount: "2",
        ResourceGroupId: "rg-1",
        Description: "Created by Terway",
        DeleteOnRelease: "true",
        ClientToken: "token-1",
        "Tag.1.Key": "a",
        "Tag.1.Value": "1",
        "Tag.2.Key": "b",
        "Tag.2.Value": "2",
        "Tag.3.Key": "terway.alibabacloud.com/client-token",
        "Tag.3.Value": "token-1",
      },
    ],
    ["AssignIpv6Addresses", { RegionId: "cn-hangzhou", NetworkInterfaceId: "eni-1", Ipv6AddressCount: "1", ClientToken: "token-2" }],
    [
      "UnassignPrivateIpAddresses",
      { RegionId: "cn-hangzhou", NetworkInterfaceId: "eni-1", "PrivateIpAddress.1": "10.0.0.2", "PrivateIpAddress.2": "10.0.0.3" },
    ],
    ["DescribeNetworkInterfaces", { RegionId: "cn-hangzhou", InstanceId: "i-1", MaxResults: "500", "Tag.1.Key": "a", "Tag.1.Value": "1" }],
  ]);
});

test("an error answer keeps the cloud's words for the log", async () => {
  server.always(refusal(403, "Forbidden.RAM", "User not authorized to operate on the specified resource."));
  const error = await failure(cloud.deleteEni("eni-1"));
  expect(error).toMatchObject({ class: "denied", httpStatus: 403, requestId: "7B48A9C1-0000-4000-8000-000000000001" });
  expect(error instanceof Error && String(error.cause)).toContain("User not authorized");
});
