export type * from "./model.ts";
export { plan } from "./planner.ts";
