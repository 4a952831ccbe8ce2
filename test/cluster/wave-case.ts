import { deletePod, listPods, podsGone } from "@terway/lab";
import { expect, test } from "vitest";
import { runWaves } from "../scale/run.ts";
import type { Scene } from "./scene.ts";

/** A slice of `npm run test:scale`; the last test of its cluster, because it wants it empty. */
export function waveCase(scene: Scene): void {
  test("120 pods in two waves leave nothing on the nodes and in the cloud", { tags: ["long"], timeout: 600_000 }, async () => {
    const { client } = scene.cluster;
    for (const before of scene.namespaces) {
      for (const { metadata } of await listPods(client, before)) await deletePod(client, before, metadata.name);
      await podsGone(client, before, 90_000);
    }
    const said: string[] = [];
    const { wrong, failedSandboxes, requestsPerPod } = await runWaves(scene.cluster, { pods: 120, perWave: 60, quietMs: 0 }, (line) =>
      said.push(line),
    );
    console.log([...said, ...failedSandboxes].join("\n"));
    expect(wrong).toEqual([]);
    expect(requestsPerPod).toBeLessThanOrEqual(3);
  });
}
