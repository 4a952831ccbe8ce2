export {};
export type { FabricPort, PluggedEni } from "./cloud/fabric-port.ts";
