import { cniCode } from "@terway/model";
import { CniError } from "../failure.ts";
import type { Node } from "../node.ts";

/**
 * Whether an ADD could be served: a free address, or nothing known that would prevent getting one. A node that is merely full is ready: its
 * runtime would report it as NotReady otherwise, and its pods would be evicted.
 */
export function status(node: Node): void {
  const view = node.pool.view();
  if (view.free > 0) return;
  const unready = node.unready();
  if (unready !== undefined) throw new CniError(cniCode.cannotServeAdd, unready);
  const problem = view.problems.find((one) => one.class !== "full");
  if (problem !== undefined) throw new CniError(cniCode.cannotServeAdd, problem.message, problem.code);
}
