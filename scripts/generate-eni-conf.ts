import { type ConfigKey, cniConfFileSchema, eniConfFileSchema, keyInfo } from "@terway/model";
import { z } from "zod";
import { code, generatedBy, table } from "./generate-markdown.ts";

const states: Readonly<Record<ConfigKey["status"], string>> = {
  active: "yes",
  planned: "not yet; warns",
  ignored: "has no effect; warns",
  synonym: "synonym",
};

export function keyTable(schema: z.ZodObject): string {
  const rows = Object.entries(schema.shape).map(([name, value]) => {
    const info = value instanceof z.ZodType ? keyInfo(value) : undefined;
    if (info === undefined) throw new Error(`${name} has no description`);
    return [code(name), info.type, `${info.meaning}${info.secret === true ? " Never shown." : ""}`, states[info.status]];
  });
  return table(["key", "type", "meaning", "implemented"], rows);
}

export function eniConfPage(): string {
  return `${generatedBy("ts/model/src/eni-conf-keys.ts and cni-conf.ts")}

# Configuration

## \`eni_conf\`

JSON, key \`eni_conf\` of ConfigMap \`kube-system/eni-config\`, mounted as \`/etc/eni/eni_conf\`. All problems are reported at once with their
paths. A wrong type or an impossible value stops the start; while the daemon runs, the last good configuration stays in use. An unknown key
warns and names the nearest known one; so does a key that stands twice. \`null\` and empty text count as not set. Values of secret keys are
never printed.

${keyTable(eniConfFileSchema)}

Rules between keys: \`min_pool_size\` ≤ \`max_pool_size\`; \`access_key\` and \`access_secret\` together or not at all; at most 10 security groups;
\`ipv6\` must not contradict \`ip_stack\`; at most 16 \`eni_tags\`.

## \`10-terway.conf\`

JSON, key \`10-terway.conf\` of the same ConfigMap; also what a plugin of type \`terway\` finds in a list of \`10-terway.conflist\`. A wrong type or
an impossible value fails the CNI call with code 7, with all paths.

${keyTable(cniConfFileSchema)}
`;
}
