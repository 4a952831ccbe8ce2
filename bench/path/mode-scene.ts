import { Lab, type LabNode, sweep } from "@terway/lab";
import { labelNode, modeKeys, type PathMode, requireMode } from "../add/mode.ts";
import { hostPlace, labId, machineOf, type Pair, PodNode, planOf } from "./scene.ts";

/** Two nodes of a mode, and two of policy route. */
export class ModeScene {
  readonly #lab: Lab;
  readonly #mode: PathMode;
  readonly #ours: readonly [PodNode, PodNode];
  readonly #plain: readonly [PodNode, PodNode];

  private constructor(lab: Lab, mode: PathMode, ours: readonly [PodNode, PodNode], plain: readonly [PodNode, PodNode]) {
    this.#lab = lab;
    this.#mode = mode;
    this.#ours = ours;
    this.#plain = plain;
  }

  /** Throws, with the daemon's reason, when the kernel has not the mode. */
  static async create(mode: PathMode, pods: number): Promise<ModeScene> {
    await sweep(labId);
    const lab = await Lab.create(labId, planOf(["mode-a", "mode-b", "plain-a", "plain-b"]));
    const start = async (name: string, of: PathMode | "policy_route") => {
      let booted: LabNode | undefined;
      const prepare = (node: LabNode) => {
        booted = node;
        return labelNode(node, of);
      };
      const node = await PodNode.start(lab, machineOf(lab, name), pods, { args: [], keys: modeKeys[of] }, prepare);
      if (booted !== undefined) await requireMode(booted, of);
      await node.fill(pods);
      return node;
    };
    const ours = [await start("mode-a", mode), await start("mode-b", mode)] as const;
    const plain = [await start("plain-a", "policy_route"), await start("plain-b", "policy_route")] as const;
    return new ModeScene(lab, mode, ours, plain);
  }

  async across(): Promise<Pair[]> {
    const [a, b] = this.#ours;
    const [plainA, plainB] = this.#plain;
    return [
      { name: "host", from: hostPlace(plainA.machine), to: hostPlace(plainB.machine) },
      { name: "policy route", from: await plainA.pod(0), to: await plainB.pod(0) },
      { name: this.#mode, from: await a.pod(0), to: await b.pod(0) },
    ];
  }

  /** Two pods of a node; the nodes beside them, in the same rounds. */
  async within(): Promise<Pair[]> {
    const [a] = this.#ours;
    const [plainA, plainB] = this.#plain;
    return [
      { name: "host", from: hostPlace(plainA.machine), to: hostPlace(plainB.machine) },
      { name: "policy route", from: await plainA.pod(0), to: await plainA.pod(1) },
      { name: this.#mode, from: await a.pod(0), to: await a.pod(1) },
    ];
  }

  async close(): Promise<void> {
    for (const node of [...this.#ours, ...this.#plain]) node.close();
    const left = await sweep(this.#lab.directory.id);
    if (left.length > 0) throw new Error(`the bench left behind: ${JSON.stringify(left)}`);
  }
}
