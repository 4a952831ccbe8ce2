import type { Bench } from "../bench.ts";
import { fastOptions, fastSmokeOptions, runFast } from "./fast.ts";
import { markdown, svg } from "./report.ts";
import { fullOptions, runPath, smokeOptions } from "./run.ts";

export const path: Bench = {
  name: "path",
  about: "what a packet costs between pods, beside host to host and beside bare forwarding",
  modes: ["stack", "fast"],
  async run(smoke, say, mode) {
    const result =
      mode === "fast" ? await runFast(smoke ? fastSmokeOptions : fastOptions, say) : await runPath(smoke ? smokeOptions : fullOptions, say);
    const picture = mode === "fast" ? "path.fast.svg" : "path.svg";
    return { result, files: { md: markdown(result, picture), svg: svg(result) } };
  },
};
