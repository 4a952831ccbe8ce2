import { ctrlConfigFileSchema, ctrlSecretFileSchema } from "@terway/controlplane";
import { keyTable } from "./generate-eni-conf.ts";
import { generatedBy } from "./generate-markdown.ts";

export function ctrlConfigPage(): string {
  return `${generatedBy("ts/controlplane/src/config/ctrl-config-keys.ts")}

# Configuration of the control plane

## \`ctrl-config.yaml\`

YAML, key \`ctrl-config.yaml\` of ConfigMap \`kube-system/terway-controlplane\`, mounted as \`/etc/config/ctrl-config.yaml\`. All problems are reported at once
with their keys and stop the start (exit status 2); an unknown key warns and names the nearest known one. What stands in brackets is the default.

${keyTable(ctrlConfigFileSchema)}

## \`ctrl-secret.yaml\`

YAML, of Secret \`kube-system/terway-controlplane-credential\`, mounted as \`/etc/credential/ctrl-secret.yaml\`. It may be missing: then the files of the add-on's
secret count, and without those the RAM role of the instance.

${keyTable(ctrlSecretFileSchema)}
`;
}
