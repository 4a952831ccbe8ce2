import { afterEach, expect, it, vi } from "vitest";
import { openDatapath } from "./index.ts";

afterEach(() => vi.unstubAllEnvs());

it("says what to do when the addon is not built", () => {
  vi.stubEnv("TERWAY_DATAPATH_ADDON", "/no/such/addon.node");
  expect(() => openDatapath()).toThrow(/native datapath is not built; run npm run build \(looked for \/no\/such\/addon\.node\)/);
});
