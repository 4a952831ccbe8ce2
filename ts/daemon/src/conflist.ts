import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CniConf, type CniConfResult, type ConfigIssue, cniVersions, formatIssue, parseCniConf, parseJsonText } from "@terway/model";
import { z } from "zod";

const conflistName = "10-terway.conflist";
const staleName = "10-terway.conf";
/** The chain's name in Terway; Cilium selects its chaining mode by it. */
const chainName = "terway-chainer";
const pluginType = "terway";

export type ConflistSource = { readonly path: string; readonly text: string };

export type Conflist =
  | {
      readonly ok: true;
      readonly text: string;
      /** Our own plugin's part. */
      readonly config: CniConf;
      readonly warnings: readonly ConfigIssue[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const pluginSchema = z.looseObject({ type: z.string().min(1) });
const chainSchema = z.looseObject({ plugins: z.array(pluginSchema).min(1) });

/** What stands without any file: one plugin that lets the runtime hand over bandwidth. */
const builtIn = { type: pluginType, capabilities: { bandwidth: true } };

/**
 * The list that the runtime reads. `cniVersion` 0.4.0 is understood by every runtime in use; `cniVersions` lets new ones choose 1.1.0, and with it
 * STATUS and GC. The source is the operator's `10-terway.conflist` (its other plugins stay) or the single plugin of `10-terway.conf`; `virtualType` is
 * what the node makes of its keys.
 */
export function renderConflist(source: ConflistSource | undefined, virtualType = "veth"): Conflist {
  if (source === undefined) return finish({}, [builtIn], virtualType, parseCniConf(builtIn), "");
  const json = parseJsonText(source.text);
  if (!json.ok) return { ok: false, problems: [`${source.path}: line ${json.line}, column ${json.column}: ${json.message}.`] };
  const isChain = typeof json.value === "object" && json.value !== null && "plugins" in json.value;
  const chain = isChain
    ? chainSchema.safeParse(json.value)
    : pluginSchema.transform((plugin) => ({ plugins: [plugin] })).safeParse(json.value);
  if (!chain.success) {
    return {
      ok: false,
      problems: chain.error.issues.map((issue) => `${source.path}: ${issue.path.join(".") || "file"}: ${issue.message}.`),
    };
  }
  const { plugins, ...list } = chain.data;
  const ours = plugins.filter((plugin) => plugin.type === pluginType);
  if (ours.length !== 1)
    return { ok: false, problems: [`${source.path}: plugins: ${ours.length} are of type ${pluginType}, exactly one must be.`] };
  return finish(list, plugins, virtualType, parseCniConf(ours[0]), `${source.path}: `);
}

function finish(
  list: Readonly<Record<string, unknown>>,
  plugins: readonly z.infer<typeof pluginSchema>[],
  virtualType: string,
  parsed: CniConfResult,
  where: string,
): Conflist {
  if (!parsed.ok) return { ok: false, problems: parsed.errors.map((issue) => `${where}${formatIssue(issue)}`) };
  const { cniVersion: _, cniVersions: __, name: ___, ...rest } = list;
  const clean = plugins.map((plugin) => {
    // Name and version belong to the list; the runtime puts them into each plugin's configuration.
    const { cniVersion, name, ...own } = plugin;
    return own.type === pluginType ? { ...own, eniip_virtual_type: virtualType } : own;
  });
  return {
    ok: true,
    text: `${JSON.stringify({ cniVersion: "0.4.0", cniVersions, name: chainName, ...rest, plugins: clean }, null, 2)}\n`,
    config: parsed.config,
    warnings: parsed.warnings,
  };
}

/** The operator's conflist beside the given `10-terway.conf` wins over it; neither there is undefined. */
export async function readConflistSource(confPath: string): Promise<ConflistSource | undefined> {
  const candidates = confPath.endsWith(".conflist") ? [confPath] : [`${confPath}list`, confPath];
  for (const path of candidates) {
    try {
      return { path, text: await readFile(path, "utf8") };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return undefined;
}

/**
 * Writes the list so that the runtime sees all of it or nothing, and only when it differs: containerd reloads on every write, and holds ADDs off
 * meanwhile. A `10-terway.conf` of an older installation would be read beside it and is removed. True when something was written.
 */
export async function publishConflist(directory: string, text: string): Promise<boolean> {
  const path = join(directory, conflistName);
  const present = await readFile(path, "utf8").catch(() => undefined);
  if (present !== text) {
    // The runtime reads .conf, .conflist and .json only.
    const temporary = join(directory, `.${conflistName}.new`);
    await rm(temporary, { force: true });
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }
  await rm(join(directory, staleName), { force: true });
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return present !== text;
}
