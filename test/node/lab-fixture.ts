import {
  ClusterNode,
  containerRuntime,
  defaultPlan,
  installTerway,
  Lab,
  type LabNode,
  missingFiles,
  type ProcessRecord,
  type RuntimeName,
  startTerwayd,
  sweep,
  terwaydConfig,
  waitForConflist,
} from "@terway/lab";
import { afterAll, beforeAll, expect } from "vitest";

export interface Fixture {
  readonly lab: Lab;
  readonly on: ClusterNode;
}

let count = 0;

function nextId(): string {
  count += 1;
  return `n${process.pid.toString(36)}x${count}`;
}

/** A lab with one machine, which is not booted yet, and a host elsewhere in the VPC. */
async function oneMachine(id: string): Promise<{ lab: Lab; machine: Lab["world"]["nodes"][number] }> {
  const plan = defaultPlan();
  const lab = await Lab.create(id, { ...plan, nodes: plan.nodes.slice(0, 1) });
  const [machine] = lab.world.nodes;
  if (machine === undefined) throw new Error("the lab has no machine");
  return { lab, machine };
}

/** One machine with terwayd and without a container runtime, for tests that play the runtime themselves. */
export function useBareNode(): () => { lab: Lab; node: LabNode; daemon: ProcessRecord } {
  const id = nextId();
  let fixture: { lab: Lab; node: LabNode; daemon: ProcessRecord } | undefined;
  beforeAll(async () => {
    const { lab, machine } = await oneMachine(id);
    const node = await lab.boot(machine);
    await installTerway(node, terwaydConfig(lab.world, machine, { min: 3, max: 6 }));
    const daemon = await startTerwayd(node);
    fixture = { lab, node, daemon };
    await waitForConflist(node, daemon, 30_000);
  });
  afterAll(async () => {
    expect(await sweep(id)).toEqual([]);
  });
  return () => {
    if (fixture === undefined) throw new Error("the lab is not there");
    return fixture;
  };
}

/** Two nodes in two zones, each with containerd and terwayd, and a host elsewhere in the VPC; the nodes carry these labels. */
export function useTwoNodes(labels: Readonly<Record<string, string>>): () => { lab: Lab; nodes: readonly [ClusterNode, ClusterNode] } {
  const id = nextId();
  let fixture: { lab: Lab; nodes: readonly [ClusterNode, ClusterNode] } | undefined;
  beforeAll(async () => {
    const runtime = containerRuntime("debian");
    const missing = await missingFiles(runtime);
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
    const lab = await Lab.create(id, defaultPlan());
    const [first, second] = await Promise.all(lab.world.nodes.map((machine) => ClusterNode.start(lab, machine, runtime)));
    if (first === undefined || second === undefined) throw new Error("the lab has no two machines");
    fixture = { lab, nodes: [first, second] };
    for (const on of fixture.nodes) {
      await on.install(terwaydConfig(lab.world, on.machine, { min: 0, max: 2 }));
      await on.label(labels);
      await on.startDaemon({}, ["--cool-down", "1"]);
      await on.warm(30_000);
      await lab.serve(on.name, on.machine.netns);
    }
  });
  afterAll(async () => {
    for (const on of fixture?.nodes ?? []) on.containerd.cri.close();
    expect(await sweep(id)).toEqual([]);
  });
  return () => {
    if (fixture === undefined) throw new Error("the lab is not there");
    return fixture;
  };
}

/**
 * One node with a container runtime and terwayd in a lab of its own, and a host elsewhere in the VPC; made before the tests of the calling file or
 * block, removed after them, with the proof that nothing is left.
 */
export function useNode(runtime: RuntimeName, prepare: (on: ClusterNode) => Promise<void> = async () => {}): () => Fixture {
  const id = nextId();
  let fixture: Fixture | undefined;
  beforeAll(async () => {
    const missing = await missingFiles(containerRuntime(runtime));
    if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
    const { lab, machine } = await oneMachine(id);
    const on = await ClusterNode.start(lab, machine, containerRuntime(runtime));
    fixture = { lab, on };
    await on.install(terwaydConfig(lab.world, machine, { min: 3, max: 6 }));
    await prepare(on);
    await on.startDaemon();
    await on.warm(30_000);
  });
  afterAll(async () => {
    fixture?.on.containerd.cri.close();
    expect(await sweep(id)).toEqual([]);
  });
  return () => {
    if (fixture === undefined) throw new Error("the lab is not there");
    return fixture;
  };
}
