import type { Bench } from "../bench.ts";
import { markdown } from "./report.ts";
import { fullOptions, runIpam, smallOptions, smokeOptions } from "./run.ts";

export const ipam: Bench = {
  name: "ipam",
  about: "centralized IPAM of a whole cluster, in simulation",
  modes: ["full", "small"],
  async run(smoke, say, mode) {
    const result = await runIpam(smoke ? smokeOptions : mode === "small" ? smallOptions : fullOptions, say);
    return { result, files: { md: markdown(result) } };
  },
};
