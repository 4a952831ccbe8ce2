import { type Datapath, type KernelCapabilities, kernelFeatures } from "@terway/model";
import { z } from "zod";
import { DurableFile } from "./durable-file.ts";

const stateSchema = z.object({ available: z.boolean(), reason: z.string().exactOptional() });
const cacheSchema = z.object({
  version: z.literal(1),
  bootId: z.string(),
  release: z.string(),
  features: z.record(z.enum(kernelFeatures), stateSchema),
});

/**
 * What this kernel can do: probed once for each boot, because a probe loads modules and makes links. A release of the daemon that knows more features
 * finds the cache incomplete and probes again.
 */
export async function probeOnce(datapath: Datapath, stateDir: string, bootId: string): Promise<KernelCapabilities> {
  const cache = new DurableFile(stateDir, "kernel.json", cacheSchema);
  const known = await cache.read();
  if (known?.bootId === bootId) return { release: known.release, ...known.features };
  const capabilities = await datapath.probe();
  const { release, ...features } = capabilities;
  await cache.write({ version: 1, bootId, release, features });
  return capabilities;
}
