import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ImageSpec, ociArchive } from "./oci.ts";
import { tar } from "./tar.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tw-image-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const spec: ImageSpec = {
  reference: "registry.terway.test/thing:7",
  architecture: "amd64",
  config: { Entrypoint: ["/usr/bin/thing", "serve"], Env: ["A=1"] },
  layers: [
    [
      { path: "usr/", mode: 0o755 },
      { path: "usr/bin/", mode: 0o755 },
    ],
    [{ path: "usr/bin/thing", mode: 0o755, data: Buffer.from("#!program") }],
  ],
};

test("GNU tar reads what we write: names, modes, contents of any length", () => {
  const contents = [0, 1, 511, 512, 513].map((length) => ({ path: `of-${length}`, mode: 0o640, data: Buffer.alloc(length, "x") }));
  writeFileSync(join(directory, "a.tar"), tar([{ path: "below/", mode: 0o755 }, ...contents, { path: "also", mode: 0o777, link: "of-1" }]));
  const listing = execFileSync("tar", ["-tvf", join(directory, "a.tar")], { encoding: "utf8" });
  expect(listing).toMatch(/^drwxr-xr-x 0\/0 +0 1970-01-01 00:00 below\/$/m);
  expect(listing).toMatch(/^-rw-r----- 0\/0 +513 1970-01-01 00:00 of-513$/m);
  expect(listing).toMatch(/^lrwxrwxrwx .* also -> of-1$/m);
  execFileSync("tar", ["-xf", join(directory, "a.tar"), "-C", directory]);
  for (const entry of contents) expect(readFileSync(join(directory, entry.path))).toEqual(entry.data);
});

test("a path that a tar header cannot hold is refused", () => {
  expect(() => tar([{ path: "x".repeat(101), mode: 0o644 }])).toThrow(RangeError);
});

test.each([true, false])("every blob of the layout has the digest and the size that name it (compressed: %s)", (compress) => {
  const { archive, digest } = ociArchive({ ...spec, ...(compress ? { compress: (layer: Buffer) => gzipSync(layer) } : {}) });
  writeFileSync(join(directory, "image.tar"), archive);
  execFileSync("tar", ["-xf", join(directory, "image.tar"), "-C", directory]);
  const read = (name: string) => readFileSync(join(directory, "blobs", ...name.split(":")));
  const sha256 = (blob: Buffer) => `sha256:${createHash("sha256").update(blob).digest("hex")}`;
  const [entry] = JSON.parse(readFileSync(join(directory, "index.json"), "utf8")).manifests;
  expect(entry.digest).toBe(digest);
  expect(entry.annotations["io.containerd.image.name"]).toBe(spec.reference);
  expect(entry.annotations["org.opencontainers.image.ref.name"]).toBe("7");
  const manifest = JSON.parse(read(entry.digest).toString());
  for (const blob of [entry, manifest.config, ...manifest.layers])
    expect(blob).toMatchObject({ digest: sha256(read(blob.digest)), size: read(blob.digest).length });
  const layers = manifest.layers.map((layer: { digest: string }) => (compress ? gunzipSync(read(layer.digest)) : read(layer.digest)));
  const config = JSON.parse(read(manifest.config.digest).toString());
  expect(config.rootfs.diff_ids).toEqual(layers.map(sha256));
  expect(config.config.Env).toEqual([expect.stringMatching(/^PATH=/), "A=1"]);
  const members = layers.map((layer: Buffer) => execFileSync("tar", ["-t"], { input: layer, encoding: "utf8" }).trim().split("\n"));
  expect(members).toEqual([["usr/", "usr/bin/"], ["usr/bin/thing"]]);
});

test("the same files give the same bytes", () => {
  expect(ociArchive(spec)).toEqual(ociArchive(spec));
});
