import { deleteAccessKey, putAccessKey, putRole } from "./access.ts";
import { clearFaults, setFault, setSettings } from "./conditions.ts";
import { createInstance, releaseInstance, setInstance, vanishEni } from "./instances.ts";
import { reset } from "./reset.ts";
import { createSecurityGroup, createVpc, createVSwitch, setSecurityGroup, setVSwitch } from "./topology.ts";

/** Every command of the control port, by name. */
export const adminCommands = {
  createVpc,
  createVSwitch,
  setVSwitch,
  createSecurityGroup,
  setSecurityGroup,
  createInstance,
  setInstance,
  releaseInstance,
  vanishEni,
  putAccessKey,
  deleteAccessKey,
  putRole,
  setSettings,
  setFault,
  clearFaults,
  reset,
};
export type AdminCommandName = keyof typeof adminCommands;
export type AdminInput<N extends AdminCommandName> = Parameters<(typeof adminCommands)[N]["run"]>[1];
export type AdminResult<N extends AdminCommandName> = ReturnType<(typeof adminCommands)[N]["run"]>;
