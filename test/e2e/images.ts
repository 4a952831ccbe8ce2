import { readFile } from "node:fs/promises";
import { type ImageConfig, ociArchive, type TarEntry } from "@terway/image";
import { run } from "@terway/lab";
import type { SuiteProgram } from "./programs.ts";

/** An image, the first of its names inside the archive, the others to be given after the import. */
export interface SuiteImage {
  readonly names: readonly [string, ...string[]];
  readonly archive: Buffer;
}

export const nameServiceImage = "registry.terway.test/coredns:1";

/** The name that specs give to what only waits; the lab's own serves them. */
export const pauseName = "registry.k8s.io/pause:3.10.2";

const registry = "registry.k8s.io/e2e-test-images";

/** Programs that specs call in agnhost and its like, beside agnhost itself; Debian's, with the libraries that they are linked to. */
const tools = ["bash", "curl", "dig", "getent", "ip", "nc.openbsd", "ss"];

/**
 * The images that the specs name (test/utils/image/manifest.go of Kubernetes), made from files of this machine. One image stands for agnhost in both
 * its versions and for the one with glibc's resolver.
 */
export async function suiteImages(program: (name: SuiteProgram) => string): Promise<SuiteImage[]> {
  const busybox = await busyboxEntries();
  const agnhost = [
    ...directories,
    ...accounts,
    await file("agnhost", program("agnhost")),
    { path: "agnhost-2", mode: 0o777, link: "agnhost" },
    { path: "localhost.crt", mode: 0o644, data: await readFile(program("localhost.crt")) },
    { path: "localhost.key", mode: 0o644, data: await readFile(program("localhost.key")) },
    // Busybox's own shell would prefer its own nc to the one that the specs mean.
    ...busybox.filter(({ path }) => path !== "bin/sh"),
    { path: "bin/sh", mode: 0o777, link: "/usr/bin/bash" },
    ...(await toolEntries()),
  ];
  const image = (names: SuiteImage["names"], entries: readonly TarEntry[], config: ImageConfig): SuiteImage => {
    const { archive } = ociArchive({ reference: names[0], architecture: "amd64", config, layers: [entries] });
    return { names, archive };
  };
  return [
    image([`${registry}/agnhost:2.63.0`, `${registry}/agnhost:2.55`, `${registry}/glibc-dns-testing:2.0.0`], agnhost, {
      Entrypoint: ["/agnhost"],
      Cmd: ["pause"],
    }),
    image([`${registry}/busybox:1.37.0-1`], [...directories, ...accounts, ...busybox], { Entrypoint: ["/bin/sh"] }),
    image([nameServiceImage], [await file("coredns", program("coredns"))], { Entrypoint: ["/coredns"] }),
  ];
}

const directories: readonly TarEntry[] = [
  { path: "tmp/", mode: 0o1777 },
  { path: "uploads/", mode: 0o777 },
];

const accounts: readonly TarEntry[] = Object.entries({
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
}).map(([path, text]) => ({ path, mode: 0o644, data: Buffer.from(text) }));

async function file(path: string, source: string): Promise<TarEntry> {
  return { path, mode: 0o755, data: await readFile(source) };
}

/** Busybox with a link for each of its commands; what else is there comes first in the path. */
async function busyboxEntries(): Promise<TarEntry[]> {
  const { stdout } = await run(["/bin/busybox", "--list"]);
  const names = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  return [await file("bin/busybox", "/bin/busybox"), ...names.map((name) => ({ path: `bin/${name}`, mode: 0o777, link: "busybox" }))];
}

async function toolEntries(): Promise<TarEntry[]> {
  const libraries = new Set<string>();
  const entries: TarEntry[] = [];
  for (const tool of tools) {
    const path = (await run(["sh", "-c", `command -v ${tool}`])).stdout.trim();
    entries.push(await file(`usr/bin/${tool === "nc.openbsd" ? "nc" : tool}`, path));
    // Statically linked programs have none, and ldd says so by its exit status.
    const { stdout } = await run(["ldd", path], { allow: [1] });
    for (const [library] of stdout.matchAll(/\/\S+/g)) libraries.add(library);
  }
  return [...entries, ...(await Promise.all([...libraries].map((library) => file(library.slice(1), library))))];
}
