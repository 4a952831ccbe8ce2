import { startControl } from "./control.ts";
import type { Door, HostPort } from "./door.ts";
import { startGateway } from "./gateway.ts";
import { startMetadata } from "./metadata-server.ts";
import type { CloudSimulator } from "./simulator.ts";

export interface ListenOptions {
  /** ECS and VPC, told apart by the API version of the request. */
  readonly openapi?: HostPort;
  readonly metadata?: HostPort;
  /** Path of a unix socket, or a loopback address. */
  readonly control?: string | HostPort;
}

export interface Listening {
  readonly openapi?: HostPort;
  readonly metadata?: HostPort;
  readonly control?: string | HostPort;
  close(): Promise<void>;
}

/** Opens the doors that are asked for, until the simulator is closed. Port 0 takes a free one; the answer says which. */
export async function listen(simulator: CloudSimulator, options: ListenOptions): Promise<Listening> {
  const doors: Door[] = [];
  const close = async () => {
    await Promise.all(doors.map((door) => door.close()));
  };
  const open = async (door: Promise<Door>) => {
    const opened = await door;
    doors.push(opened);
    return opened;
  };
  try {
    const { openapi, metadata, control } = options;
    const addresses = {
      ...(openapi === undefined ? {} : { openapi: addressOf(await open(startGateway(simulator, openapi))) }),
      ...(metadata === undefined ? {} : { metadata: addressOf(await open(startMetadata(simulator, metadata))) }),
      ...(control === undefined ? {} : { control: await openControl(simulator, control, open) }),
    };
    simulator.opened({ close });
    return { ...addresses, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openControl(
  simulator: CloudSimulator,
  where: string | HostPort,
  open: (door: Promise<Door>) => Promise<Door>,
): Promise<string | HostPort> {
  const door = await open(startControl(simulator, where));
  return typeof where === "string" ? where : addressOf(door);
}

function addressOf({ server }: Door): HostPort {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { host: address.address, port: address.port };
}
