/** Runs in a pod: sends datagrams to all these addresses, port 9, as fast as it can, until it is ended. Prints `shooting` when it has begun. */
import { createSocket } from "node:dgram";

const addresses = process.argv.slice(2);
const sockets = { udp4: createSocket("udp4"), udp6: createSocket("udp6") };
// What is not there yet answers with errors.
for (const socket of Object.values(sockets)) socket.on("error", () => {});
function shoot(): void {
  for (const address of addresses) sockets[address.includes(":") ? "udp6" : "udp4"].send("x", 9, address, () => {});
  setImmediate(shoot);
}
shoot();
console.log("shooting");
