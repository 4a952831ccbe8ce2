import type { Bench } from "../bench.ts";
import { markdown, svg } from "./report.ts";
import { fullOptions, runPolicyPath, smokeOptions } from "./run.ts";

export const policyPath: Bench = {
  name: "policy-path",
  about: "what judging a packet costs by the number of rules, beside nftables, and what it adds to an ADD",
  async run(smoke, say) {
    const result = await runPolicyPath(smoke ? smokeOptions : fullOptions, say);
    return { result, files: { md: markdown(result), svg: svg(result) } };
  },
};
