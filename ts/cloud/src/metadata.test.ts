import { CloudError, type Metadata, systemClock, systemRandom } from "@terway/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CallRecord } from "./call.ts";
import { openMetadata } from "./metadata.ts";
import { type Behaviour, hang, reset, ScriptedServer } from "./testing/scripted-server.ts";
import { names, SimulatedRegion } from "./testing/simulated-region.ts";

const hurried = { ...systemClock, sleep: (delayMs: number, signal?: AbortSignal) => systemClock.sleep(delayMs / 100, signal) };
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("against the simulator", () => {
  let region: SimulatedRegion;
  let metadata: Metadata;
  let records: CallRecord[];

  beforeEach(async () => {
    region = await SimulatedRegion.start();
    records = [];
    metadata = openMetadata({ endpoint: region.metadata, clock: hurried, random: systemRandom, onCall: (record) => records.push(record) });
  });
  afterEach(() => region[Symbol.asyncDispose]());

  test("identity", async () => {
    const [primary] = await region.cloud().describeEnis({ instanceId: names.instance });
    expect(await metadata.identity()).toEqual({
      instanceId: names.instance,
      instanceType: "ecs.g7.xlarge",
      regionId: "cn-hangzhou",
      zoneId: "cn-hangzhou-i",
      vpcId: "vpc-1",
      vSwitchId: names.vSwitch,
      primaryMac: primary?.mac,
    });
  });

  test("ENIs are what OpenAPI says, with gateways", async () => {
    const cloud = region.cloud();
    const created = await cloud.createEni({
      vSwitchId: names.other,
      securityGroupIds: [names.group],
      type: "Secondary",
      secondaryIpv4Count: 1,
      ipv6Count: 0,
      tags: {},
      clientToken: "m",
    });
    await cloud.attachEni(created.id, names.instance);
    await region.simulator.until((state) => state.enis.get(created.id)?.status === "InUse");
    const [wanted, found] = [await cloud.describeEnis({ instanceId: names.instance }), await metadata.enis()];
    expect(new Set(found.map((eni) => eni.eniId))).toEqual(new Set(wanted.map((eni) => eni.id)));
    for (const eni of wanted) {
      const seen = found.find((one) => one.eniId === eni.id);
      expect(seen).toMatchObject({ mac: eni.mac, vSwitchId: eni.vSwitchId, primaryIpv4: eni.primaryIpv4, ipv6: eni.ipv6 });
      expect(new Set(seen?.ipv4)).toEqual(new Set(eni.ipv4));
    }
    expect(found.find((eni) => eni.vSwitchId === names.vSwitch)).toMatchObject({
      gatewayIpv4: "10.0.1.253",
      gatewayIpv6: "2408:4005:3a1:1901:ffff:ffff:ffff:fffd",
      vSwitchCidr: "10.0.1.0/24",
      vSwitchIpv6Cidr: "2408:4005:3a1:1901::/64",
    });
    const v4only = found.find((eni) => eni.vSwitchId === names.other);
    expect(v4only).toMatchObject({ gatewayIpv4: "10.0.2.5", ipv6: [] });
    expect(v4only).not.toHaveProperty("gatewayIpv6");
  });

  test("works where a token is required, with one token for all", async () => {
    region.simulator.admin("setInstance", { id: names.instance, metadataTokenRequired: true });
    expect((await metadata.identity()).instanceId).toBe(names.instance);
    // 7 paths and 1 token.
    expect(records).toHaveLength(8);
    expect(new Set(records.map((record) => record.action))).toContain("meta-data/instance/instance-type");
    expect(records.filter((record) => record.action === "api/token")).toHaveLength(1);
    expect(records.filter((record) => record.errorCode !== undefined)).toEqual([]);
  });

  test("credentials of the role, and none without a role", async () => {
    const credentials = await metadata.roleCredentials();
    expect(credentials).toMatchObject({ accessKeyId: expect.stringMatching(/./), securityToken: expect.stringMatching(/./) });
    expect(credentials?.expiresAtMs).toBeGreaterThan(Date.now());
    region.simulator.admin("setInstance", { id: names.instance, ramRole: null });
    expect(await metadata.roleCredentials()).toBeUndefined();
  });

  test("F37: 429 and 5xx pass unnoticed; when they last, the error says which path", async () => {
    for (const status of [429, 500, 503]) {
      region.simulator.setFault({ match: { action: "metadata", times: 1 }, effect: { type: "metadata-error", status } });
      expect((await metadata.identity()).instanceId).toBe(names.instance);
    }
    region.simulator.setFault({ match: { action: "metadata", path: "zone-id" }, effect: { type: "metadata-error", status: 503 } });
    expect(await failure(metadata.identity())).toMatchObject({ class: "transient", resource: "zone-id", httpStatus: 503 });
  });

  test("F36: an ENI that metadata does not know yet is absent, not an error", async () => {
    region.simulator.setFault({ fault: "F36" });
    expect(await metadata.enis()).toHaveLength(1);
  });
});

describe("against a script", () => {
  let server: ScriptedServer;
  let metadata: Metadata;
  const text =
    (status: number, body = ""): Behaviour =>
    (response) => {
      response.writeHead(status).end(body);
    };

  beforeEach(async () => {
    server = await ScriptedServer.start();
    metadata = openMetadata({ endpoint: server.url, clock: hurried, random: systemRandom, timeoutMs: 200 });
  });
  afterEach(() => server[Symbol.asyncDispose]());

  test("a token that was revoked is fetched anew, once", async () => {
    let issued = 0;
    server.always((response, { method, headers }) => {
      if (method === "PUT") text(200, `token-${++issued}`)(response, server.received[0] as (typeof server.received)[0]);
      else
        text(headers["x-aliyun-ecs-metadata-token"] === "token-2" ? 404 : 401)(response, server.received[0] as (typeof server.received)[0]);
    });
    expect(await metadata.roleCredentials()).toBeUndefined();
    expect(issued).toBe(2);
    expect(server.received[0]).toMatchObject({
      method: "PUT",
      path: "/latest/api/token",
      headers: { "x-aliyun-ecs-metadata-token-ttl-seconds": "21600" },
    });
  });

  test("401 for ever is a denial, not a loop", async () => {
    server.always((response, { method }) =>
      text(method === "PUT" ? 200 : 401, "token")(response, server.received[0] as (typeof server.received)[0]),
    );
    expect(await failure(metadata.roleCredentials())).toMatchObject({ class: "denied" });
    expect(server.received).toHaveLength(4);
  });

  test("a service without token mode is asked without", async () => {
    server.always((response, { method }) =>
      text(method === "PUT" ? 405 : 404)(response, server.received[0] as (typeof server.received)[0]),
    );
    expect(await metadata.roleCredentials()).toBeUndefined();
    await metadata.roleCredentials();
    expect(server.received.filter((one) => one.method === "PUT")).toHaveLength(1);
    expect(server.received.every((one) => one.headers["x-aliyun-ecs-metadata-token"] === undefined)).toBe(true);
  });

  test.each([
    ["reset", reset],
    ["silence", hang],
  ])("%s: tried four times, then a CloudError", async (_, behaviour) => {
    server.always(behaviour);
    const error = await failure(metadata.roleCredentials());
    expect(error).toBeInstanceOf(CloudError);
    expect(error).toMatchObject({ class: "transient", action: "metadata" });
    expect(server.received).toHaveLength(4);
  });

  test("the signal ends it at once", async () => {
    server.always(hang);
    const startedAt = performance.now();
    expect(await failure(metadata.identity(AbortSignal.timeout(30)))).toBeInstanceOf(CloudError);
    expect(performance.now() - startedAt).toBeLessThan(150);
  });

  test("credentials that are not usable are refused without showing them", async () => {
    for (const body of [
      '{"Code":"Failed"}',
      '{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"S3cret","SecurityToken":"t","Expiration":"soon"}',
      "S3cret{",
    ]) {
      server.received.length = 0;
      server.always((response, { method, path }) => {
        const answer = method === "PUT" ? "token" : path.endsWith("/security-credentials/") ? "role\n" : body;
        text(200, answer)(response, server.received[0] as (typeof server.received)[0]);
      });
      const error = await failure(metadata.roleCredentials());
      expect(error).toMatchObject({ class: "denied", code: "CredentialsUnavailable" });
      expect(String(error)).not.toContain("S3cret");
    }
  });
});
