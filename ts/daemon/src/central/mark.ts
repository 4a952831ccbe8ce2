import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Stands in the state directory of a node whose ENIs the control plane has, until the node has seen them itself again. */
const pathOf = (stateDir: string) => join(stateDir, "central");

export function rememberCentral(stateDir: string): Promise<void> {
  return writeFile(pathOf(stateDir), "");
}

export function wasCentral(stateDir: string): Promise<boolean> {
  return access(pathOf(stateDir)).then(
    () => true,
    () => false,
  );
}

export function forgetCentral(stateDir: string): Promise<void> {
  return rm(pathOf(stateDir), { force: true });
}
