import { createServer, type RequestListener, type Server } from "node:http";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A server that can be closed, with all its connections. */
export interface Door {
  readonly server: Server;
  close(): Promise<void>;
}

/** An HTTP server that listens, and whose closing does not wait for idle connections. */
export async function openDoor(listener: RequestListener, where: string | HostPort): Promise<Door> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  await listenOn(server, where);
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        if (!server.listening) {
          resolve();
          return;
        }
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function listenOn(server: Server, where: string | HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const done = () => {
      server.off("error", reject);
      resolve();
    };
    if (typeof where === "string") server.listen(where, done);
    else server.listen(where.port, where.host, done);
  });
}
