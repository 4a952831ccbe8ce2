import type { Bench } from "../bench.ts";
import { markdown, svg } from "./report.ts";
import { fullOptions, runPath, smokeOptions } from "./run.ts";

export const path: Bench = {
  name: "path",
  about: "what a packet costs between pods, beside host to host and beside bare forwarding",
  async run(smoke, say) {
    const result = await runPath(smoke ? smokeOptions : fullOptions, say);
    return { result, files: { md: markdown(result), svg: svg(result) } };
  },
};
