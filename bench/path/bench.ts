import { sweep } from "@terway/lab";
import { pathModes } from "../add/mode.ts";
import type { Bench } from "../bench.ts";
import { fastOptions, fastSmokeOptions, runFast } from "./fast.ts";
import { modeOptions, modeSmokeOptions, runMode } from "./mode.ts";
import { markdown, svg } from "./report.ts";
import { fullOptions, type PathResult, runPath, smokeOptions } from "./run.ts";
import { labId } from "./scene.ts";

export const path: Bench = {
  name: "path",
  about: "what a packet costs between pods, beside host to host and beside bare forwarding",
  modes: ["stack", "fast", ...pathModes],
  async run(smoke, say, mode = "stack") {
    // A scene that could not be made has nobody who removes it.
    const result = await measure(smoke, say, mode).finally(() => sweep(labId));
    return { result, files: { md: markdown(result, mode === "stack" ? "path.svg" : `path.${mode}.svg`), svg: svg(result) } };
  },
};

function measure(smoke: boolean, say: (line: string) => void, mode: string): Promise<PathResult> {
  const own = pathModes.find((each) => each === mode);
  if (own !== undefined) return runMode(own, smoke ? modeSmokeOptions(own) : modeOptions(own), say);
  return mode === "fast" ? runFast(smoke ? fastSmokeOptions : fastOptions, say) : runPath(smoke ? smokeOptions : fullOptions, say);
}
