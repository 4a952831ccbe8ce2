export { ModelCloud } from "./model-cloud.ts";
