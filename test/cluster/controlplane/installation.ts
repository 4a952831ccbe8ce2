import type { KubeClient } from "@terway/kube";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { useControlPlane } from "../control-plane-fixture.ts";
import { createNamespace } from "../kube/objects.ts";
import { createNode, prepareCluster } from "./objects.ts";
import { ControlPlaneProcess } from "./process.ts";
import { Region } from "./region.ts";

export interface Installation {
  readonly client: KubeClient;
  readonly region: Region;
  /** Stopped after the tests; who puts another one here has stopped this one. */
  controlPlane: ControlPlaneProcess;
  /** Another replica, which may not be ready yet. */
  readonly start: (config?: Readonly<Record<string, unknown>>) => Promise<ControlPlaneProcess>;
}

/**
 * terway-controlplane beside a real API server with three nodes and namespace `apps`, and a simulated region with their machines, for the tests of the
 * calling file; pods are objects that nobody runs. A test that fails shows the control plane's last lines.
 */
export function useInstallation(
  config: Readonly<Record<string, unknown>> = {},
  /** Numbers of nodes beside the first three, each with its instance. */
  moreNodes: readonly number[] = [],
): () => Installation {
  const plane = useControlPlane();
  let region: Region | undefined;
  let installation: Installation | undefined;
  beforeAll(async () => {
    const { client, admin } = plane();
    const made = await Region.start();
    region = made;
    await prepareCluster(client);
    for (const number of moreNodes) {
      await made.addInstance(`i-${number}`);
      await createNode(client, number);
    }
    await createNamespace(client, "apps");
    const start: Installation["start"] = (more) => ControlPlaneProcess.start(made, admin, more);
    installation = { client, region: made, start, controlPlane: await start(config) };
    await installation.controlPlane.ready();
  }, 120_000);
  afterAll(async () => {
    if (installation !== undefined) expect(await installation.controlPlane.stop()).toBe(0);
    await region?.simulator.close();
  });
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => console.log(installation?.controlPlane.log.split("\n").slice(-40).join("\n")));
  });
  return () => {
    if (installation === undefined) throw new Error("terway-controlplane is not there");
    return installation;
  };
}
