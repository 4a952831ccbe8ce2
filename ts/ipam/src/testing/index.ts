export { type Fault, ModelCloud } from "./model-cloud.ts";
