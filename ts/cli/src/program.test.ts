import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mapping } from "@terway/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "./program.ts";

let directory: string;
let socket: string;
let server: Server;
let answers: Record<string, { status: number; body: unknown }>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-cli-"));
  socket = join(directory, "terway.socket");
  answers = {};
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ""] ?? { status: 404, body: { error: `nothing at ${request.url}` } };
    response
      .writeHead(answer.status, { "content-type": "application/json" })
      .end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

async function cli(...args: string[]) {
  let out = "";
  let err = "";
  const status = await run(args, { colour: false, out: (text) => (out += text), err: (text) => (err += text) });
  return { status, out, err };
}
const at = (...args: string[]) => cli("--socket", socket, ...args);

const mapping: Mapping = {
  enis: [
    {
      id: "eni-1",
      mac: "00:16:3e:00:00:01",
      type: "Secondary",
      status: "InUse",
      vSwitchId: "vsw-1",
      ours: true,
      addresses: [
        {
          address: "10.0.1.23",
          family: "ipv4",
          state: "used",
          pod: "default/web-0",
          leaseId: "c/eth0",
          cloud: "present",
          kernel: "ok",
          problems: [],
        },
        { address: "10.0.1.24", family: "ipv4", state: "free", cloud: "present", kernel: "none", problems: [] },
      ],
    },
  ],
  leases: [{ id: "c/eth0", pod: "default/web-0", state: "bound", eniId: "eni-1", addresses: ["10.0.1.23"], netns: "/run/netns/a" }],
  mismatches: [],
};

describe("mapping", () => {
  test("agreement: a table for people, exit status 0", async () => {
    answers["/v1/admin/mapping"] = { status: 200, body: mapping };
    const { status, out } = await at("mapping");
    expect(status).toBe(0);
    expect(out).toMatch(/10\.0\.1\.23 +used +default\/web-0 +present +ok\n/);
    expect(out).toContain("cloud, journal and kernel agree");
    expect(out).not.toContain("\u001b");
  });

  test("mismatch: named, exit status 1, also as JSON", async () => {
    const mismatches = [{ object: "10.0.1.23", problem: "host route is missing" }];
    answers["/v1/admin/mapping"] = { status: 200, body: { ...mapping, mismatches } };
    const people = await at("mapping");
    expect(people).toMatchObject({ status: 1, out: expect.stringContaining("MISMATCH 10.0.1.23: host route is missing") });
    const program = await at("mapping", "-o", "json");
    expect(program.status).toBe(1);
    expect(JSON.parse(program.out)).toEqual({ ...mapping, mismatches });
  });
});

test("show takes a name, or shows every resource of the type", async () => {
  const view = {
    type: "resource_pool",
    name: "default",
    config: [{ key: "max_idle", value: "5" }],
    trace: [{ key: "free", value: "2" }],
    commands: ["sync"],
  };
  answers["/v1/admin/resources/resource_pool"] = { status: 200, body: { resources: [{ type: "resource_pool", name: "default" }] } };
  answers["/v1/admin/resources/resource_pool/default"] = { status: 200, body: view };
  const named = await at("show", "resource_pool", "default");
  expect(named).toMatchObject({ status: 0, out: expect.stringMatching(/max_idle +5/) });
  expect((await at("show", "resource_pool")).out).toBe(named.out);
  expect(JSON.parse((await at("-o", "json", "show", "resource_pool", "default")).out)).toEqual(view);
});

describe("failures", () => {
  test("no daemon: status 3 and what to do", async () => {
    const { status, err } = await cli("--socket", join(directory, "none"), "list");
    expect({ status, err }).toEqual({ status: 3, err: expect.stringContaining("is terwayd running on this node?") });
  });

  test("the daemon's own words: status 4", async () => {
    answers["/v1/admin/resources/pool"] = { status: 404, body: { error: "no resource type pool; there are resource_pool" } };
    expect(await at("list", "pool")).toMatchObject({ status: 4, err: "terway-cli: no resource type pool; there are resource_pool\n" });
  });

  test.each([
    ["what is no JSON", "<html>"],
    ["another shape", { foo: 1 }],
  ])("an answer that is %s: status 4", async (_, body) => {
    answers["/v1/admin/mapping"] = { status: 200, body };
    expect(await at("mapping")).toMatchObject({ status: 4, out: "" });
  });

  test.each([["nonsense"], ["show"], ["list", "-o", "yaml"], ["execute", "resource_pool"]])("wrong usage: status 2", async (...args) => {
    expect(await at(...args)).toMatchObject({ status: 2, out: "" });
  });
});
