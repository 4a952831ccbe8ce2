export * from "./address.ts";
export * from "./attachment.ts";
export * from "./cloud.ts";
export * from "./cni.ts";
export * from "./events.ts";
export * from "./lease.ts";
export * from "./system.ts";
export * from "./time.ts";
