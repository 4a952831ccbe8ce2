import type { ConfigMap } from "@terway/model";
import { z } from "zod";
import type { Cluster, Watched } from "../cluster/cluster.ts";
import { configMaps } from "../cluster/kinds.ts";
import { DurableFile } from "../durable-file.ts";
import type { Logger } from "../log.ts";
import type { OwnNode } from "../own-node.ts";
import { untilAborted } from "../until-aborted.ts";
import { type ConfigSource, type ConfigTexts, type Configuration, type ConfigurationResult, parseConfiguration } from "./configuration.ts";

const baseName = "eni-config";
export const overrideLabel = "terway-config";

/** What is known of the two ConfigMaps at this moment. */
export interface ConfigMaps {
  readonly namespace: string;
  readonly base: ConfigMap | undefined;
  /** As the node's label names it. */
  readonly overrideName?: string;
  readonly override?: ConfigMap | undefined;
}

/** The texts in ConfigMaps, or what is missing. Pure. */
export function readConfigMaps({ namespace, base, overrideName, override }: ConfigMaps): ConfigTexts | { readonly problem: string } {
  const where = (name: string, key: string) => `ConfigMap ${namespace}/${name}, ${key}`;
  const eniConf = base?.data.eni_conf;
  if (base === undefined) return { problem: `ConfigMap ${namespace}/${baseName}: is missing` };
  if (eniConf === undefined) return { problem: `${where(baseName, "eni_conf")}: is missing` };
  const patch = override?.data.eni_conf;
  if (overrideName !== undefined && patch === undefined) {
    const missing = override === undefined ? `ConfigMap ${namespace}/${overrideName}` : where(overrideName, "eni_conf");
    return { problem: `${missing}: is missing, but the node's label ${overrideLabel} names it` };
  }
  const chainKey = ["10-terway.conflist", "10-terway.conf"].find((key) => base.data[key] !== undefined);
  const policy = base.data.disable_network_policy;
  return {
    eniConf: { where: where(baseName, "eni_conf"), text: eniConf },
    ...(overrideName === undefined || patch === undefined ? {} : { override: { where: where(overrideName, "eni_conf"), text: patch } }),
    ...(chainKey === undefined ? {} : { conflist: { path: where(baseName, chainKey), text: base.data[chainKey] ?? "" } }),
    ...(policy === undefined ? {} : { disableNetworkPolicy: policy }),
  };
}

const textSchema = z.object({ where: z.string(), text: z.string() });
const memorySchema = z.object({
  version: z.literal(1),
  texts: z.object({
    eniConf: textSchema,
    override: textSchema.exactOptional(),
    conflist: z.object({ path: z.string(), text: z.string() }).exactOptional(),
    disableNetworkPolicy: z.string().exactOptional(),
  }),
});

/** How long a start waits for the API server before it goes on with what it knew. */
const firstAnswerMs = 1_000;
/** Several objects that change at once are one change. */
const settleMs = 50;

export interface ConfigMapSourceParts {
  readonly cluster: Cluster;
  readonly ownNode: OwnNode;
  readonly namespace: string;
  readonly stateDir: string;
  readonly log: Logger;
  /** For what is wrong before the first good one. */
  readonly onBroken: (problems: readonly string[]) => void;
}

/** Configuration from ConfigMap `eni-config` and the one that the node's label names. The last good one outlives the process. */
export class ConfigMapSource implements ConfigSource {
  readonly #parts: ConfigMapSourceParts;
  readonly #memory: DurableFile<z.infer<typeof memorySchema>>;
  readonly #base: Watched<ConfigMap>;
  #override: { readonly name: string; readonly watched: Watched<ConfigMap> } | undefined;
  /** The texts, or what was wrong, as last told. */
  #told = "";
  #wake = Promise.withResolvers<void>();

  constructor(parts: ConfigMapSourceParts) {
    this.#parts = parts;
    this.#memory = new DurableFile(parts.stateDir, "config.json", memorySchema);
    this.#base = this.#watch(baseName);
    parts.ownNode.objects.listen(() => this.#wake.resolve());
  }

  async first(signal: AbortSignal): Promise<Configuration | undefined> {
    const { clock } = this.#parts.ownNode;
    const answered = this.#answered().then(() => true);
    const inTime = await Promise.race([
      answered,
      clock.sleep(firstAnswerMs, signal).then(
        () => false,
        () => false,
      ),
    ]);
    if (inTime) {
      const now = await this.#take(this.#parts.onBroken);
      if (now !== undefined) return now;
    }
    const remembered = await this.#memory.read();
    if (remembered !== undefined) {
      const result = parseConfiguration(remembered.texts);
      if (result.ok) {
        this.#parts.log.warn("the configuration is the last good one that this node has seen");
        return result.configuration;
      }
    }
    if (!inTime) this.#parts.log.warn(`waiting for ConfigMap ${this.#parts.namespace}/${baseName}: the API server has not answered yet`);
    await Promise.race([answered, untilAborted(signal)]);
    while (!signal.aborted) {
      const now = await this.#take(this.#parts.onBroken);
      if (now !== undefined) return now;
      await this.#changed(signal);
    }
    return undefined;
  }

  async follow(handlers: Parameters<ConfigSource["follow"]>[0], signal: AbortSignal): Promise<void> {
    await Promise.race([this.#answered(), untilAborted(signal)]);
    while (!signal.aborted) {
      const now = await this.#take(handlers.onBroken);
      if (now !== undefined) handlers.onChange(now);
      await this.#changed(signal);
    }
  }

  /** Everything that configuration is made of has been told once. */
  async #answered(): Promise<void> {
    await Promise.all([this.#base.synced, this.#parts.ownNode.synced]);
    await this.#overrideOf(this.#parts.ownNode.object?.metadata.labels[overrideLabel])?.synced;
  }

  /** What is in force now; undefined when it was told before, or is wrong, which is told once. */
  async #take(onBroken: (problems: readonly string[]) => void): Promise<Configuration | undefined> {
    const overrideName = this.#parts.ownNode.object?.metadata.labels[overrideLabel] || undefined;
    const override = this.#overrideOf(overrideName);
    await override?.synced;
    const { namespace } = this.#parts;
    const texts = readConfigMaps({
      namespace,
      base: this.#base.objects.get(`${namespace}/${baseName}`),
      ...(overrideName === undefined ? {} : { overrideName, override: override?.objects.get(`${namespace}/${overrideName}`) }),
    });
    const key = JSON.stringify(texts);
    if (key === this.#told) return undefined;
    this.#told = key;
    const result: ConfigurationResult = "problem" in texts ? { ok: false, problems: [texts.problem] } : parseConfiguration(texts);
    if (!result.ok) {
      onBroken(result.problems);
      return undefined;
    }
    await this.#memory.write({ version: 1, texts: result.configuration.texts }).catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, "the configuration cannot be kept for the next start");
    });
    return result.configuration;
  }

  async #changed(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#wake.promise, untilAborted(signal)]);
    this.#wake = Promise.withResolvers();
    await this.#parts.ownNode.clock.sleep(settleMs, signal).catch(() => {});
  }

  #overrideOf(name: string | undefined): Watched<ConfigMap> | undefined {
    if (this.#override !== undefined && this.#override.name !== name) {
      void this.#override.watched.stop();
      this.#override = undefined;
    }
    if (!name) return undefined;
    this.#override ??= { name, watched: this.#watch(name) };
    return this.#override.watched;
  }

  #watch(name: string): Watched<ConfigMap> {
    const watched = this.#parts.cluster.watch(configMaps, { namespace: this.#parts.namespace, fields: { "metadata.name": name } });
    watched.objects.listen(() => this.#wake.resolve());
    return watched;
  }
}
