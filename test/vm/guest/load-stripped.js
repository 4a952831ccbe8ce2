import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

// Preloaded by every Node in a guest. The host has taken the types out of the .ts files of the guest's disk (by the very function that Node
// uses); to have an emulated processor do it would take 15 s a process, because Node's parser is WebAssembly that is compiled first.
registerHooks({
  load(url, context, next) {
    if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
    return { format: "module", source: readFileSync(fileURLToPath(url), "utf8"), shortCircuit: true };
  },
});
