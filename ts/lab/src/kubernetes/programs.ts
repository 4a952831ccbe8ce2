import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../node/node.ts";
import { cacheDirectory } from "../node/runtime.ts";

/** What `test/kubernetes/build.sh` builds: upstream's own programs in the versions of `test/kubernetes/go.mod`. */
export type KubernetesProgram =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "kubectl"
  | "helm";

/** Where they are on this machine. Throws with what to do when they have not been built. */
export async function kubernetesPrograms(): Promise<(name: KubernetesProgram) => string> {
  const module = join(repositoryRoot, "test/kubernetes");
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(await readFile(join(module, file)));
  const directory = join(cacheDirectory(), "kubernetes", hash.digest("hex").slice(0, 16), "bin");
  await access(join(directory, "complete")).catch(() => {
    throw new Error(`${directory} does not hold the Kubernetes programs; bash test/kubernetes/build.sh builds them`);
  });
  return (name) => join(directory, name);
}
