/**
 * Writes everything that is generated from TypeScript: `node scripts/generate.ts`. With `--check` nothing is written, and the exit status is 1
 * when a file on disk differs.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { chartReadme, chartValuesJsonSchema } from "./generate-chart.ts";
import { chartRules } from "./generate-chart-rules.ts";
import { ctrlConfigPage } from "./generate-ctrl-config.ts";
import { customResourceDefinitionsTemplate } from "./generate-custom-resources.ts";
import { eniConfPage } from "./generate-eni-conf.ts";
import { errorsPage } from "./generate-errors.ts";
import { eventsPage } from "./generate-events.ts";
import { kernelsPage } from "./generate-kernels.ts";
import { modesPage } from "./generate-modes.ts";
import { podNetworkPage } from "./generate-pod-network.ts";
import { ramPolicy, ramPolicyPage } from "./generate-ram-policy.ts";
import { rbacPage } from "./generate-rbac.ts";
import { simulatorPage } from "./generate-simulator.ts";

const files: Readonly<Record<string, string>> = {
  "docs/reference/errors.md": errorsPage(),
  "docs/reference/events.md": eventsPage(),
  "docs/reference/ctrl-config.md": ctrlConfigPage(),
  "docs/reference/eni-conf.md": eniConfPage(),
  "docs/reference/kernels.md": kernelsPage(),
  "docs/reference/modes.md": modesPage(),
  "docs/reference/pod-network.md": podNetworkPage(),
  "docs/reference/ram-policy.md": ramPolicyPage(),
  "docs/reference/ram-policy.json": ramPolicy(),
  "docs/reference/rbac.md": rbacPage(),
  "docs/reference/simulator.md": simulatorPage(),
  "helm/terway/README.md": chartReadme(),
  "helm/terway/templates/_rules.tpl": chartRules(),
  "helm/terway/values.schema.json": chartValuesJsonSchema(),
  "helm/terway/templates/custom-resource-definitions.yaml": customResourceDefinitionsTemplate(),
};

const root = new URL("../", import.meta.url);
const onDisk = (path: string) => {
  try {
    return readFileSync(new URL(path, root), "utf8");
  } catch {
    return undefined;
  }
};
const stale = Object.entries(files).filter(([path, content]) => onDisk(path) !== content);

if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`${path} is not what is generated now; run \`npm run generate\` and commit it`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [path, content] of stale) {
    const file = new URL(path, root);
    mkdirSync(dirname(file.pathname), { recursive: true });
    writeFileSync(file, content);
    console.log(`wrote ${path}`);
  }
}
