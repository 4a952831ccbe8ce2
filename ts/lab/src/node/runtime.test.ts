import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { containerdVersion, criApiVersion, runcVersion } from "./runtime.ts";

test("the installer puts into the cache the versions that the lab looks for", () => {
  const script = readFileSync(new URL("install-runtimes.sh", import.meta.url), "utf8");
  const versions = Object.fromEntries([...script.matchAll(/^([A-Z_]+)=(v\S+)$/gm)].map(([, name, version]) => [name, version]));
  expect(versions).toEqual({ CRI_API: criApiVersion, CONTAINERD: containerdVersion, RUNC: runcVersion });
});
