import type { Keeper } from "@terway/kube";
import type { NodeCompiler } from "@terway/policy";
import type { PolicyPodObject } from "./policy-objects.ts";

/** Hands the cluster's pods on to the compiler, which keeps what it needs of them. */
export class PodKeeper implements Keeper<PolicyPodObject> {
  readonly #compiler: NodeCompiler;
  readonly #onChange: () => void;

  constructor(compiler: NodeCompiler, onChange: () => void) {
    this.#compiler = compiler;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#compiler.size;
  }

  set(object: PolicyPodObject): void {
    if (this.#compiler.setPod(object)) this.#onChange();
  }

  delete(key: string): void {
    const [namespace = "", name = ""] = key.split("/");
    if (this.#compiler.deletePod(namespace, name)) this.#onChange();
  }

  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of [...this.#compiler.keys()]) if (!keys.has(key)) this.delete(key);
  }
}
