import { type Door, type HostPort, openDoor } from "./door.ts";
import { toHttpRequest } from "./gateway.ts";
import type { CloudSimulator } from "./simulator.ts";

/** The instance metadata service. The source address of the connection tells which instance asks; `?instance=` or `x-sim-instance` override it. */
export function startMetadata(simulator: CloudSimulator, where: HostPort): Promise<Door> {
  return openDoor((incoming, response) => {
    incoming.resume();
    const { method, path, query, headers } = toHttpRequest(incoming, "");
    const named = query.find(([name]) => name === "instance")?.[1];
    const request = {
      method,
      path,
      headers: named === undefined ? headers : { ...headers, "x-sim-instance": named },
      sourceAddress: incoming.socket.remoteAddress ?? "",
    };
    simulator.metadata(request).then(
      ({ status, body, contentType, reset }) => {
        if (reset) response.socket?.resetAndDestroy();
        else response.writeHead(status, { "content-type": contentType, server: "AliyunMetadata" }).end(body);
      },
      (error: unknown) => response.writeHead(599).end(`simulator defect: ${String(error)}`),
    );
  }, where);
}
