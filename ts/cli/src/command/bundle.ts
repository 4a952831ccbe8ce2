import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { tar } from "@terway/image";
import { collectBundle } from "../bundle/collect.ts";
import { openReader } from "../inspect/api.ts";
import { collect } from "./inspect.ts";

/** A tar.gz of the folder `terway-bundle/`. */
export async function bundle(socket: string, options: { readonly kubeconfig?: string; readonly cniConfDir: string }): Promise<Buffer> {
  const { kubeconfig, cniConfDir } = options;
  const nodeName = process.env.NODE_NAME;
  const cluster = async () => {
    const reader = await openReader(kubeconfig);
    const node = nodeName === undefined ? [] : await collect(reader, "node", [nodeName]);
    return { cluster: await collect(reader, "cluster", []), node };
  };
  const metricsSocket = join(dirname(socket), "eni_debug.socket");
  const files = await collectBundle({ socket, metricsSocket, cniConfDir, cluster }, new Date());
  return gzipSync(
    tar([
      { path: "terway-bundle/", mode: 0o755 },
      { path: "terway-bundle/daemon/", mode: 0o755 },
      { path: "terway-bundle/node/", mode: 0o755 },
      ...files.map(({ path, text }) => ({ path: `terway-bundle/${path}`, mode: 0o644, data: Buffer.from(text) })),
    ]),
  );
}
