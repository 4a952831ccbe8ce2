import { runWithLab } from "../demo/lab-run.ts";
import type { Output } from "../demo/progress.ts";
import { LabDirectory } from "../host/lab-directory.ts";
import { startControlPlane } from "./standalone.ts";

/** Leaves an API server with its etcd running, or removes it. Answers the exit status. */
export function runControlPlane({ id, down }: { id: string; down: boolean }, output: Output): Promise<number> {
  const downCommand = `node ts/lab/src/main.ts control-plane --down --id ${id}`;
  return runWithLab(
    { id, mode: down ? "down" : "keep" },
    {
      what: "control plane",
      downCommand,
      used: [],
      run: async (progress) => {
        const plane = await progress.step("etcd and kube-apiserver", () => startControlPlane(id));
        await new LabDirectory(id).keep();
        progress.say(`\n  export KUBECONFIG=${plane.admin}\n  ${plane.program("kubectl")} get namespaces\n\nRemove it: ${downCommand}`);
        return true;
      },
    },
    output,
  );
}
