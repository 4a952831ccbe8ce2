import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../program.ts";

const secret = "s3cr3tV4lueOfNobody";
let directory: string;
let servers: Server[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "terway-bundle-"));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  await rm(directory, { recursive: true });
});

async function serve(socket: string, answer: (url: string) => string): Promise<void> {
  const server = createServer((request, response) => response.end(answer(request.url ?? "")));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(join(directory, socket), resolve));
}

async function bundle(): Promise<(path: string) => string> {
  const out = join(directory, "b.tgz");
  const none = { colour: false, out: () => {}, err: () => {} };
  const sockets = ["--socket", join(directory, "terway.socket"), "--cni-conf-dir", directory, "--kubeconfig", join(directory, "none")];
  expect(await run(["bundle", "--out", out, ...sockets], none)).toBe(0);
  execFileSync("tar", ["-xzf", out, "-C", directory]);
  return (path) => execFileSync("cat", [join(directory, "terway-bundle", path)], { encoding: "utf8" });
}

test("what the daemon, the node and the runtime's folder say, without secrets; what is missing is named", async () => {
  await serve("terway.socket", (url) => JSON.stringify({ url, eni_tags: { owner: "a" }, access_secret: secret }));
  await serve("eni_debug.socket", () => "terway_up 1\n");
  await writeFile(join(directory, "10-terway.conflist"), JSON.stringify({ plugins: [{ type: "terway", token: secret }] }));
  const read = await bundle();
  expect(JSON.parse(read("daemon/mapping.json"))).toEqual({ url: "/v1/admin/mapping", eni_tags: { owner: "a" }, access_secret: "******" });
  expect(JSON.parse(read("daemon/resource_pool.json")).url).toBe("/v1/admin/resources/resource_pool/default");
  expect(read("daemon/metrics.txt")).toBe("terway_up 1\n");
  expect(read("node/kernel.txt")).toContain("Linux version");
  expect(read("missing.txt")).toMatch(/^node\/10-terway\.conf: .*ENOENT.*\ncluster\.json: there is no kubeconfig/);
  const everything = execFileSync("tar", ["-xzOf", join(directory, "b.tgz")], { encoding: "utf8" });
  expect(everything).not.toContain(secret);
});

test("no daemon: the rest is there all the same", async () => {
  const read = await bundle();
  expect(read("missing.txt")).toContain("daemon/mapping.json: cannot reach terwayd");
  expect(read("node/interfaces.txt")).toContain("Receive");
});
