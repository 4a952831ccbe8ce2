export { type CtrlConfig, parseCtrlConfig } from "./config/ctrl-config.ts";
export { ctrlConfigFileSchema, ctrlSecretFileSchema } from "./config/ctrl-config-keys.ts";
