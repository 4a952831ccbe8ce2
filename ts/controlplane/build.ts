import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bundleProgram, writeLauncher } from "../../scripts/bundle-program.ts";

/** Bundles terway-controlplane into dist/; it shares the SDK's file with terwayd. DEP0169: the official SDK calls url.parse(). */
await mkdir(join(import.meta.dirname, "../../dist"), { recursive: true });
await bundleProgram("terway-controlplane", join(import.meta.dirname, "src/main.ts"));
await writeLauncher("terway-controlplane", ["--disable-warning=DEP0169"]);
