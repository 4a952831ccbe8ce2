import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bundleProgram, bundleSdk, writeLauncher } from "../../scripts/bundle-program.ts";

/** Bundles terwayd into dist/: one file for what every daemon needs, one for the cloud's SDK, and a launcher with the memory flags. */
await mkdir(join(import.meta.dirname, "../../dist"), { recursive: true });
await bundleProgram("terwayd", join(import.meta.dirname, "src/main.ts"));
await bundleSdk();
// --max-semi-space-size and one malloc arena keep the process below 120 MiB under load, at no cost in latency (docs/adr). DEP0169: the official SDK
// calls url.parse(), and a warning on standard error is no news to whoever reads the daemon's log.
await writeLauncher("terwayd", ["--max-semi-space-size=1", "--max-old-space-size=96", "--disable-warning=DEP0169"], "MALLOC_ARENA_MAX=1 ");
