import type { Bench } from "../bench.ts";
import { markdown } from "./report.ts";
import { fullOptions, runAdd, smokeOptions } from "./run.ts";

export const add: Bench = {
  name: "add",
  about: "ADD and DEL through the real executable and daemon, beside a floor and beside ptp",
  async run(smoke, say) {
    const result = await runAdd(smoke ? smokeOptions : fullOptions, say);
    return { result, files: { md: markdown(result) } };
  },
};
