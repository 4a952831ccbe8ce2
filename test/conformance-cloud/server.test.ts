import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import EcsPackage, { DescribeNetworkInterfacesRequest } from "@alicloud/ecs20140526";
import { $OpenApiUtil } from "@alicloud/openapi-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { regionId } from "./lab.ts";

let directory: string;
let control: string;
let program: ChildProcess;
let ready: { openapi: { host: string; port: number }; metadata: { host: string; port: number } };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-cloud-server-"));
  control = join(directory, "control.sock");
  const file = new URL("../../ts/lab/src/cloud-server.ts", import.meta.url).pathname;
  const doors = ["--openapi", "127.0.0.1:0", "--metadata", "127.0.0.1:0", "--control", control];
  program = spawn(process.execPath, [file, ...doors, "--seed", "5", "--scripted-clock"], { stdio: ["ignore", "pipe", "inherit"] });
  if (program.stdout === null) throw new Error("no standard output");
  const [line] = await once(createInterface(program.stdout), "line");
  ready = JSON.parse(String(line));
});
afterAll(async () => {
  program.kill("SIGTERM");
  const [status] = await once(program, "exit");
  await rm(directory, { recursive: true });
  expect(status).toBe(0);
});

/** The control port, as any HTTP client would use it. */
function ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: control, method, path, headers: body === undefined ? {} : { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as never }));
      },
    );
    outgoing.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}
const post = async (name: string, body: unknown = {}) => (await ask("POST", `/v1/${name}`, body)).body;

it("runs as a program that is driven through its control port alone", async () => {
  await post("createVpc", { id: "vpc", cidr: "10.0.0.0/8" });
  await post("createVSwitch", { id: "vsw", vpcId: "vpc", cidr: "10.1.0.0/24" });
  await post("createSecurityGroup", { id: "sg", vpcId: "vpc" });
  await post("createInstance", { id: "i-1", vSwitchId: "vsw", securityGroupIds: ["sg"] });
  await post("putAccessKey", { id: "LTAIx", secret: "s" });
  await post("setSettings", {
    delays: { attach: { min: 5000, max: 5000 }, create: { min: 0, max: 0 }, other: { min: 0, max: 0 }, describe: { min: 0, max: 0 } },
  });

  // The second actor makes an ENI; the scripted clock decides when it is attached.
  const created: { NetworkInterfaceId: string } = await post("call", {
    action: "CreateNetworkInterface",
    parameters: { VSwitchId: "vsw", SecurityGroupId: "sg" },
  });
  await post("call", {
    action: "AttachNetworkInterface",
    parameters: { NetworkInterfaceId: created.NetworkInterfaceId, InstanceId: "i-1" },
  });
  const config = { accessKeyId: "LTAIx", accessKeySecret: "s", endpoint: `127.0.0.1:${ready.openapi.port}`, protocol: "http" };
  const client = new EcsPackage.default(new $OpenApiUtil.Config(config));
  const status = async () => {
    const { body } = await client.describeNetworkInterfaces(
      new DescribeNetworkInterfacesRequest({ regionId, networkInterfaceId: [created.NetworkInterfaceId] }),
    );
    return body?.networkInterfaceSets?.networkInterfaceSet?.[0]?.status;
  };
  expect(await status()).toBe("Attaching");
  await post("advance", { ms: 4999 });
  expect(await status()).toBe("Attaching");
  await post("advance", { ms: 1 });
  expect(await status()).toBe("InUse");

  await post("setFault", { id: "f", fault: "empty-describe" });
  expect(await status()).toBeUndefined();
  expect((await ask("GET", "/v1/faults")).body).toMatchObject([{ id: "f", fault: "empty-describe", struck: 1 }]);
  await post("clearFaults");

  expect((await ask("GET", "/v1/counters")).body).toEqual({ DescribeNetworkInterfaces: { calls: 4, failures: 0, byCode: {} } });
  const history: { sequence: number; kind: string }[] = (await ask("GET", "/v1/history?kind=call")).body;
  expect(history).toHaveLength(4);
  expect((await ask("GET", `/v1/history?since=${history[2]?.sequence}&kind=call`)).body).toHaveLength(1);
  expect((await ask("GET", "/v1/invariants")).body).toEqual([]);
  expect((await ask("GET", "/v1/state")).body).toMatchObject({ vpcs: [{ id: "vpc" }], instances: [{ id: "i-1" }] });
  await ask("DELETE", "/v1/history");
  expect((await ask("GET", "/v1/history")).body).toEqual([]);

  const url = `http://127.0.0.1:${ready.metadata.port}/latest/meta-data/private-ipv4?instance=i-1`;
  expect(await (await fetch(url)).text()).toBe("10.1.0.1");

  expect(await post("reset")).toEqual({ enis: 2 });
  expect((await ask("GET", "/v1/state")).body).toMatchObject({ vpcs: [], enis: [], instances: [] });
});

it.each([
  ["an unknown command", "nothing", {}, 404],
  ["a vSwitch of no VPC", "createVSwitch", { vpcId: "none", cidr: "10.0.0.0/24" }, 400],
  ["a misspelled field", "createVpc", { cdir: "10.0.0.0/8" }, 400],
  ["an unknown fault", "setFault", { fault: "F99" }, 400],
  ["a refused call", "call", { action: "DeleteNetworkInterface", parameters: { NetworkInterfaceId: "eni-none" } }, 400],
])("answers %s with a reason", async (_, name, body, expected) => {
  const answer = await ask("POST", `/v1/${name}`, body);
  expect(answer.status).toBe(expected);
  expect(answer.body).toMatchObject({ error: expect.any(String) });
});
