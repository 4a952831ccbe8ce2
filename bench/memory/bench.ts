import type { Bench } from "../bench.ts";
import { markdown } from "./report.ts";
import { fullOptions, runMemory, smokeOptions } from "./run.ts";

export const memory: Bench = {
  name: "memory",
  about: "memory of terwayd on a full node, before clusters of growing size",
  async run(smoke, say) {
    const result = await runMemory(smoke ? smokeOptions : fullOptions, say);
    return { result, files: { md: markdown(result) } };
  },
};
