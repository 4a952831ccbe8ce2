import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ociArchive } from "./image.ts";
import { tar } from "./tar.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tw-image-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const spec = {
  reference: "registry.terway.test/thing:7",
  entrypoint: ["/usr/bin/thing", "serve"],
  files: [{ path: "/usr/bin/thing", data: Buffer.from("#!program") }],
};

test("GNU tar reads what we write: names, modes, contents of any length", () => {
  const contents = [0, 1, 511, 512, 513].map((length) => ({ path: `of-${length}`, mode: 0o640, data: Buffer.alloc(length, "x") }));
  writeFileSync(join(directory, "a.tar"), tar([{ path: "below/", mode: 0o755 }, ...contents]));
  const listing = execFileSync("tar", ["-tvf", join(directory, "a.tar")], { encoding: "utf8" });
  expect(listing).toMatch(/^drwxr-xr-x 0\/0 +0 1970-01-01 00:00 below\/$/m);
  expect(listing).toMatch(/^-rw-r----- 0\/0 +513 1970-01-01 00:00 of-513$/m);
  execFileSync("tar", ["-xf", join(directory, "a.tar"), "-C", directory]);
  for (const entry of contents) expect(readFileSync(join(directory, entry.path))).toEqual(entry.data);
});

test("a path that a tar header cannot hold is refused", () => {
  expect(() => tar([{ path: "x".repeat(101), mode: 0o644 }])).toThrow(RangeError);
});

test("every blob of the layout has the digest and the size that name it", () => {
  writeFileSync(join(directory, "image.tar"), ociArchive(spec));
  execFileSync("tar", ["-xf", join(directory, "image.tar"), "-C", directory]);
  const read = (digest: string) => readFileSync(join(directory, "blobs", ...digest.split(":")));
  const [entry] = JSON.parse(readFileSync(join(directory, "index.json"), "utf8")).manifests;
  expect(entry.annotations["io.containerd.image.name"]).toBe(spec.reference);
  expect(entry.annotations["org.opencontainers.image.ref.name"]).toBe("7");
  const manifest = JSON.parse(read(entry.digest).toString());
  for (const blob of [entry, manifest.config, ...manifest.layers]) {
    const sum = createHash("sha256").update(read(blob.digest)).digest("hex");
    expect(blob).toMatchObject({ digest: `sha256:${sum}`, size: read(blob.digest).length });
  }
  const config = JSON.parse(read(manifest.config.digest).toString());
  expect(config.rootfs.diff_ids).toEqual([manifest.layers[0].digest]);
  const members = execFileSync("tar", ["-t"], { input: read(manifest.layers[0].digest), encoding: "utf8" })
    .trim()
    .split("\n");
  expect(members).toEqual(["usr/", "usr/bin/", "usr/bin/thing"]);
});

test("the same files give the same bytes", () => {
  expect(ociArchive(spec)).toEqual(ociArchive(spec));
});
