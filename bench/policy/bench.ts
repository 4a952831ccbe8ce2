import type { Bench } from "../bench.ts";
import { markdown } from "./report.ts";
import { fullOptions, runPolicy, smokeOptions } from "./run.ts";

export const policy: Bench = {
  name: "policy",
  about: "compiling NetworkPolicy of a whole cluster, and one change in it",
  async run(smoke, say) {
    const result = await runPolicy(smoke ? smokeOptions : fullOptions, say);
    return { result, files: { md: markdown(result) } };
  },
};
