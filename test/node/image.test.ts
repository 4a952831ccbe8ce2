import { access, mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import {
  cniExecutable,
  conflistPath,
  containerRuntime,
  daemonSocket,
  inNetNamespace,
  metadataAddress,
  openApiAddress,
  probe,
  run,
  until,
} from "@terway/lab";
import { beforeAll, describe, expect, test } from "vitest";
import { runDaemonContainer } from "./daemon-container.ts";
import { useNode } from "./lab-fixture.ts";

const archive = "dist/image/terway-amd64.oci.tar";
const staged = "dist/image/amd64";
const scraped = 15_432;

beforeAll(async () => {
  await run(["bash", "scripts/image.sh"]);
});

test("every library that a program or library of the image needs is in the image", async () => {
  const files = (await readdir(staged, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() || entry.isSymbolicLink(),
  );
  const names = new Set(files.map((file) => file.name));
  const missing: string[] = [];
  let looked = 0;
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = await realpath(`${file.parentPath}/${file.name}`);
    const header = (await readFile(path)).subarray(0, 4).toString("latin1");
    if (header !== "\x7fELF") continue;
    looked += 1;
    const { stdout } = await run(["readelf", "-d", path]);
    for (const [, needed = ""] of stdout.matchAll(/\(NEEDED\)\s+Shared library: \[(.+)\]/g))
      if (!names.has(needed)) missing.push(`${file.name} needs ${needed}`);
  }
  expect(missing).toEqual([]);
  expect(looked).toBeGreaterThan(20);
});

describe("the image in a container", () => {
  const fixture = useNode("debian");

  test("installs the CNI executable, and terwayd runs from it without privilege, with a read-only root and /proc/sys", async () => {
    const { lab, on } = fixture();
    await on.stopDaemon();
    for (const file of [cniExecutable, conflistPath]) await rm(on.node.path(file), { force: true });
    for (const made of ["/run/eni", "/var/lib/cni/terway"]) await mkdir(on.node.path(made), { recursive: true });

    const { stdout } = await run(["tar", "-xOf", archive, "index.json"]);
    const image: string = JSON.parse(stdout).manifests[0].annotations["io.containerd.image.name"];
    await on.node.run([containerRuntime("debian").ctr, "-n", "k8s.io", "images", "import", "--no-unpack", `${process.cwd()}/${archive}`]);
    await until("the CRI knows the image", 20_000, () => on.containerd.cri.hasImage(image));

    const log = (name: string) => on.node.path(`/var/log/pods/${name}/${name}.log`);
    const init = await runDaemonContainer(on, { name: "terway-init", image, command: ["/usr/local/bin/terway-cli", "install-cni"] });
    await until("the executable is installed", 20_000, () => readable(on.node.path(cniExecutable)), log("terway-init"));
    expect(await readFile(on.node.path(cniExecutable))).toEqual(await readFile("dist/bin/terway"));
    await on.containerd.cri.stopSandbox(init.sandboxId);
    await on.containerd.cri.removeSandbox(init.sandboxId);

    const endpoints = { TERWAY_ECS_ENDPOINT: `http://${openApiAddress}`, TERWAY_VPC_ENDPOINT: `http://${openApiAddress}` };
    const startedMs = performance.now();
    await runDaemonContainer(on, {
      name: "terway",
      image,
      args: [`--metrics-listen=127.0.0.1:${scraped}`],
      env: { ...endpoints, TERWAY_METADATA_ENDPOINT: `http://${metadataAddress}`, NODE_NAME: on.name },
    });
    await until("the conflist is back", 30_000, () => readable(on.node.path(conflistPath)), log("terway"));
    const readyMs = performance.now() - startedMs;
    console.log(`terwayd from its image, with a journal: conflist ${Math.round(readyMs)} ms after the container was asked for`);

    const pod = await on.runPod({ namespace: "default", name: "web" });
    expect(pod.addresses).toHaveLength(2);
    const [ipv4 = ""] = pod.addresses;
    const elsewhere = lab.world.elsewhere?.primary;
    const [outcome] = await probe(lab.agent, on.node.path(pod.netns), [
      { id: "out", proto: "tcp", addr: elsewhere?.ipv4 ?? "", timeoutMs: 2_000 },
    ]);
    expect(outcome).toMatchObject({ ok: true, server: { client: ipv4 } });
    const { stdout: forwarding } = await run(inNetNamespace(on.machine.netns, ["cat", "/proc/sys/net/ipv4/conf/all/forwarding"]));
    expect(forwarding.trim()).toBe("1");
    expect((await on.mapping()).mismatches).toEqual([]);
    const scrape = "const http = require('http'); http.get(process.argv[1], (answer) => answer.pipe(process.stdout));";
    const { stdout: metrics } = await on.node.run([process.execPath, "-e", scrape, `http://127.0.0.1:${scraped}/metrics`]);
    expect(metrics).toContain("terway_rpc_latency");
    const cli = (...args: string[]) => on.node.run([`${process.cwd()}/dist/terway-cli`, "--socket", daemonSocket, ...args]);
    const findings = JSON.parse((await cli("doctor", "-o", "json")).stdout);
    expect(findings).toContainEqual({ area: "drift", level: "ok", what: "cloud, journal and kernel agree" });
    expect(findings).toContainEqual({ area: "permissions", level: "ok", what: "the cloud has refused no call for lack of permission" });
    const bundle = "/tmp/bundle.tgz";
    await cli("bundle", "--out", bundle, "--kubeconfig", "/none");
    const { stdout: bundled } = await on.node.run(["tar", "-xzOf", bundle]);
    expect(bundled).toContain("terway_rpc_latency");
    expect(bundled).not.toContain(lab.world.accessKeySecret);
    await on.removePod(pod);
  });
});

function readable(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
