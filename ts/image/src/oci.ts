import { createHash } from "node:crypto";
import { type TarEntry, tar } from "./tar.ts";

export type Architecture = "amd64" | "arm64";

/** What the image says to a runtime. Source: OCI image specification 1.1, config.md. */
export interface ImageConfig {
  readonly Entrypoint: readonly string[];
  /** Arguments where a container names none. */
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface ImageSpec {
  /** For example `registry.terway.test/pause:1`. */
  readonly reference: string;
  readonly architecture: Architecture;
  readonly config: ImageConfig;
  /** From the lowest up: what changes seldom first, so that an upgrade fetches only the rest. */
  readonly layers: readonly (readonly TarEntry[])[];
  /** To gzip; absent: layers stay as they are. */
  readonly compress?: (layer: Buffer) => Buffer;
}

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * An image as an OCI layout in a tar archive, which `ctr images import` takes: no container engine and no registry needed. The same entries give
 * the same bytes. Source: OCI image specification 1.1 (image-layout.md, manifest.md, config.md).
 */
export function ociArchive(spec: ImageSpec): { readonly archive: Buffer; readonly digest: string; readonly layerBytes: readonly number[] } {
  const plain = spec.layers.map((entries) => tar(entries));
  const stored = spec.compress === undefined ? plain : plain.map(spec.compress);
  const { architecture } = spec;
  const config = json({
    architecture,
    os: "linux",
    config: {
      ...spec.config,
      Env: spec.config.Env?.some((line) => line.startsWith("PATH=")) ? spec.config.Env : [searchPath, ...(spec.config.Env ?? [])],
    },
    rootfs: { type: "layers", diff_ids: plain.map(digest) },
  });
  const layerType = `application/vnd.oci.image.layer.v1.tar${spec.compress === undefined ? "" : "+gzip"}`;
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: stored.map((layer) => descriptor(layerType, layer)),
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { architecture, os: "linux" },
        // containerd takes the name from the first; the second is the specification's own, a tag only.
        annotations: {
          "io.containerd.image.name": spec.reference,
          "org.opencontainers.image.ref.name": spec.reference.split(":").at(-1) ?? "",
        },
      },
    ],
  });
  const archive = tar([
    { path: "oci-layout", mode: 0o644, data: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, data: index },
    ...[...stored, config, manifest].map((blob) => ({
      path: `blobs/sha256/${digest(blob).slice("sha256:".length)}`,
      mode: 0o644,
      data: blob,
    })),
  ]);
  return { archive, digest: digest(manifest), layerBytes: stored.map((layer) => layer.length) };
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
