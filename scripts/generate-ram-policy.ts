import { type Operation, operations } from "@terway/cloud";
import { code, generatedBy, table } from "./generate-markdown.ts";

const all: readonly Operation[] = Object.values(operations).sort((a, b) => (a.ramAction < b.ramAction ? -1 : 1));

/** The smallest RAM policy with which everything works, as the console takes it. */
export function ramPolicy(): string {
  const policy = { Version: "1", Statement: [{ Effect: "Allow", Action: all.map((operation) => operation.ramAction), Resource: "*" }] };
  return `${JSON.stringify(policy, undefined, 2)}\n`;
}

export function ramPolicyPage(): string {
  const rows = all.map((operation) => [code(operation.ramAction), operation.purpose, String(operation.perMinute)]);
  return `${generatedBy("ts/cloud/src/operations.ts")}

# RAM policy

The operations that the daemon calls, and no other. Attach the policy to the RAM role of the instances, or to the RAM user whose AccessKey
stands in \`eni_conf\`. What is missing in it shows as \`permission_missing\` ([errors](errors.md)), with the operation's name.

\`\`\`json
${ramPolicy().trimEnd()}
\`\`\`

${table(["action", "for", "calls per minute at most, each node"], rows)}

The last column is the built-in limit of one daemon (\`rate_limit\` in [eni_conf](eni-conf.md) overrides it). The cloud counts over the whole
account and region; each daemon slows down when calls are refused as too many.
`;
}
