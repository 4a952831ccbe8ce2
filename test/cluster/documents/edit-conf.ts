import { readFile, writeFile } from "node:fs/promises";
import { dump, load } from "js-yaml";
import { z } from "zod";

/** An editor for `kubectl edit configmap eni-config`: merges the JSON in $EDIT into `eni_conf` of the file that it is given. */
const mapSchema = z.looseObject({ data: z.looseObject({ eni_conf: z.string() }) });
const [file = ""] = process.argv.slice(2);
const map = mapSchema.parse(load(await readFile(file, "utf8")));
const conf = { ...(JSON.parse(map.data.eni_conf) as object), ...(JSON.parse(process.env.EDIT ?? "{}") as object) };
await writeFile(file, dump({ ...map, data: { ...map.data, eni_conf: JSON.stringify(conf) } }));
