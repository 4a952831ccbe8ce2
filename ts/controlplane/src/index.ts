export { CertificateKeeper } from "./certificate/keeper.ts";
export { controlPlaneAccess } from "./cluster/access.ts";
export { type CtrlConfig, parseCtrlConfig } from "./config/ctrl-config.ts";
export { ctrlConfigFileSchema, ctrlSecretFileSchema } from "./config/ctrl-config-keys.ts";
export { choiceColumns, choiceTable } from "./network/choice-table.ts";
export { fallbackColumns, fallbackTable } from "./network/fallback.ts";
