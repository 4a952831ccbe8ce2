import type { Bench } from "../bench.ts";
import { markdown, svg } from "./report.ts";
import { kernelVersions, runInstructions } from "./run.ts";

export const instructions: Bench = {
  name: "instructions",
  about: "instructions of a round trip in every mode, in guests",
  async run(smoke, say) {
    const result = await runInstructions(smoke ? kernelVersions.slice(-1) : kernelVersions, say);
    return { result, files: { md: markdown(result), svg: svg(result) } };
  },
};
