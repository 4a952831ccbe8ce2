import type { Bench } from "../bench.ts";
import { addModes } from "./mode.ts";
import { markdown } from "./report.ts";
import { optionsOf, runAdd } from "./run.ts";

export const add: Bench = {
  name: "add",
  about: "ADD and DEL through the real executable and daemon, beside a floor and beside ptp",
  modes: addModes,
  async run(smoke, say, mode) {
    const known = addModes.find((name) => name === mode) ?? addModes[0];
    const result = await runAdd(optionsOf(known, smoke), say);
    return { result, files: { md: markdown(result) } };
  },
};
