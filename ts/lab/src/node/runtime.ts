import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Versions that `install-runtimes.sh` puts into the cache. */
export const criApiVersion = "v0.36.3";
export const containerdVersion = "v2.3.7";
export const runcVersion = "v1.4.3";

export type RuntimeName = "debian" | "containerd-2";

/** A container runtime that a node can run: where its programs are, and which generation of configuration it reads. */
export interface ContainerRuntime {
  readonly name: RuntimeName;
  readonly generation: 1 | 2;
  readonly containerd: string;
  readonly ctr: string;
  readonly runc: string;
  /** The shim must be found in PATH by containerd. */
  readonly directory: string;
}

export function cacheDirectory(): string {
  return process.env.TERWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "terway");
}

export function criProtoFile(): string {
  return join(cacheDirectory(), "cri-api", criApiVersion, "api.proto");
}

export function containerRuntime(name: RuntimeName): ContainerRuntime {
  const directory = name === "debian" ? "/usr/bin" : join(cacheDirectory(), "containerd", containerdVersion, "bin");
  return {
    name,
    generation: name === "debian" ? 1 : 2,
    containerd: join(directory, "containerd"),
    ctr: join(directory, "ctr"),
    runc: name === "debian" ? "/usr/sbin/runc" : join(directory, "runc"),
    directory,
  };
}

/** The files that this runtime lacks on this machine; empty when it can be used. */
export async function missingFiles(runtime: ContainerRuntime): Promise<string[]> {
  const needed = [runtime.containerd, runtime.ctr, runtime.runc, join(runtime.directory, "containerd-shim-runc-v2"), criProtoFile()];
  const found = await Promise.all(
    needed.map((file) =>
      access(file, constants.R_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return needed.filter((_, index) => !found[index]);
}
