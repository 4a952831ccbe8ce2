import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type * as Addon from "../generated/index.d.ts";

/** The file name napi gives the addon of this platform. */
const fileName = `datapath.linux-${process.arch}-gnu.node`;

/** In the source tree, beside a bundle, and for a bundle in `dist/` of the source tree. */
const places = [`../generated/${fileName}`, `./${fileName}`, `../ts/datapath/generated/${fileName}`];

/** Loads the addon; `TERWAY_DATAPATH_ADDON` names another file. */
export function loadAddon(): typeof Addon {
  const candidates = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const path = process.env.TERWAY_DATAPATH_ADDON ?? candidates.find((candidate) => existsSync(candidate));
  if (path === undefined || !existsSync(path)) {
    throw new Error(`native datapath is not built; run npm run build (looked for ${path ?? candidates.join(", ")})`);
  }
  // The addon's exports are described by generated/index.d.ts, which is made from the same source; require cannot know that.
  return createRequire(import.meta.url)(path) as typeof Addon;
}
