import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, WrongConfiguration } from "@terway/model";
import { readConflistSource } from "../conflist.ts";
import type { Logger } from "../log.ts";
import { type ConfigSource, type ConfigTexts, type Configuration, parseConfiguration } from "./configuration.ts";

/** A mounted ConfigMap is swapped under the path; looking is cheaper than following its symbolic links. */
const periodMs = 5_000;

export interface ConfigFilesParts {
  /** `eni_conf`. */
  readonly config: string;
  /** `10-terway.conf`; a conflist beside it wins. */
  readonly cniConf: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Configuration from files, looked at every five seconds. */
export class ConfigFiles implements ConfigSource {
  readonly #parts: ConfigFilesParts;
  #last = "";

  constructor(parts: ConfigFilesParts) {
    this.#parts = parts;
  }

  /** Throws {@link WrongConfiguration}: a wrong file shall stop a start, not a node that serves. */
  async first(): Promise<Configuration> {
    const texts = await this.#read().catch((error: unknown) => {
      throw new WrongConfiguration([`${this.#parts.config}: ${error instanceof Error ? error.message : String(error)}`]);
    });
    this.#last = JSON.stringify(texts);
    const result = parseConfiguration(texts);
    if (!result.ok) throw new WrongConfiguration(result.problems);
    return result.configuration;
  }

  async follow(handlers: Parameters<ConfigSource["follow"]>[0], signal: AbortSignal): Promise<void> {
    const { clock, log, config } = this.#parts;
    while (!signal.aborted) {
      try {
        await clock.sleep(periodMs, signal);
      } catch {
        return;
      }
      const texts = await this.#read().catch((error: unknown) => {
        log.debug({ err: error, path: config }, "configuration cannot be read at the moment");
        return undefined;
      });
      const text = JSON.stringify(texts);
      if (texts === undefined || text === this.#last) continue;
      this.#last = text;
      const result = parseConfiguration(texts);
      if (result.ok) handlers.onChange(result.configuration);
      else handlers.onBroken(result.problems);
    }
  }

  async #read(): Promise<ConfigTexts> {
    const { config, cniConf } = this.#parts;
    const [text, conflist] = [await readFile(config, "utf8"), await readConflistSource(cniConf)];
    // Another key of the same ConfigMap, which is another file of the same folder where it is mounted.
    const disableNetworkPolicy = await readFile(join(dirname(config), "disable_network_policy"), "utf8").catch(() => undefined);
    return {
      eniConf: { where: config, text },
      ...(conflist === undefined ? {} : { conflist }),
      ...(disableNetworkPolicy === undefined ? {} : { disableNetworkPolicy: disableNetworkPolicy.trim() }),
    };
  }
}
