import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { parseDockerfile } from "./dockerfile.ts";
import { entriesOf } from "./entries.ts";
import { ociArchive } from "./oci.ts";

/** `main.ts --arch amd64 --context DIR --dockerfile FILE --reference NAME:TAG --out FILE`: an OCI archive from staged files. */
const { values } = parseArgs({
  options: Object.fromEntries(["arch", "context", "dockerfile", "reference", "out"].map((name) => [name, { type: "string" as const }])),
});
const need = (name: string): string => {
  const value = values[name];
  if (typeof value !== "string") throw new Error(`--${name} is missing`);
  return value;
};

/** Half a minute for the lower layer; it stays the same from build to build. */
function compress(layer: Buffer): Buffer {
  const folder = join(need("context"), "compressed");
  const file = join(folder, createHash("sha256").update(layer).digest("hex"));
  if (existsSync(file)) return readFileSync(file);
  const small = gzipSync(layer, { level: 9 });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, small);
  return small;
}

const arch = need("arch");
if (arch !== "amd64" && arch !== "arm64") throw new Error(`--arch: ${arch} is neither amd64 nor arm64`);
const { config, copies } = parseDockerfile(await readFile(need("dockerfile"), "utf8"), { TARGETARCH: arch });
const layers = await Promise.all(copies.map((folder) => entriesOf(join(need("context"), folder))));
const { archive, digest, layerBytes } = ociArchive({ reference: need("reference"), architecture: arch, config, layers, compress });
const out = need("out");
await mkdir(dirname(out), { recursive: true });
await writeFile(out, archive);
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
console.log(`${out}: ${need("reference")} ${digest}, ${mib(archive.length)} (layers ${layerBytes.map(mib).join(" + ")})`);
