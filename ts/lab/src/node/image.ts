import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { tar } from "./tar.ts";

export interface ImageSpec {
  /** For example `registry.terway.test/pause:1`. */
  readonly reference: string;
  readonly entrypoint: readonly string[];
  readonly files: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/**
 * An image of one layer as an OCI layout in a tar archive, which `ctr images import` takes: no container engine and no registry needed.
 * Deterministic. Source: OCI image specification 1.1 (image-layout.md, manifest.md, config.md).
 */
export function ociArchive(spec: ImageSpec): Buffer {
  const directories = new Set(spec.files.flatMap((file) => parents(file.path)));
  const layer = tar([
    ...[...directories].sort().map((path) => ({ path, mode: 0o755 })),
    ...spec.files.map((file) => ({ path: file.path.replace(/^\//, ""), mode: 0o755, data: file.data })),
  ]);
  const config = json({
    architecture: "amd64",
    os: "linux",
    config: { Entrypoint: spec.entrypoint, Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
    rootfs: { type: "layers", diff_ids: [digest(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { architecture: "amd64", os: "linux" },
        // containerd takes the name from the first; the second is the specification's own, a tag only.
        annotations: {
          "io.containerd.image.name": spec.reference,
          "org.opencontainers.image.ref.name": spec.reference.split(":").at(-1) ?? "",
        },
      },
    ],
  });
  return tar([
    { path: "oci-layout", mode: 0o644, data: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, data: index },
    ...[layer, config, manifest].map((blob) => ({ path: `blobs/sha256/${digest(blob).slice("sha256:".length)}`, mode: 0o644, data: blob })),
  ]);
}

/** Writes an image whose only file is a static program. */
export async function writeProgramImage(file: string, reference: string, program: string, args: readonly string[]): Promise<void> {
  const path = `/${program.split("/").at(-1)}`;
  await writeFile(file, ociArchive({ reference, entrypoint: [path, ...args], files: [{ path, data: await readFile(program) }] }));
}

function descriptor(mediaType: string, blob: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digest(blob), size: blob.length };
}

function digest(blob: Buffer): string {
  return `sha256:${createHash("sha256").update(blob).digest("hex")}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** `/usr/bin/x` → `usr/`, `usr/bin/`. */
function parents(path: string): string[] {
  const parts = path.split("/").filter(Boolean).slice(0, -1);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("/")}/`);
}
