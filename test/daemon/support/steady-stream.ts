/**
 * Runs in a pod: one TCP connection to an echo server, a byte every two milliseconds. Prints `open` when it stands, and at SIGTERM what came back.
 * Arguments: address and port.
 */
import { connect } from "node:net";

const [address = "", port = ""] = process.argv.slice(2);
let [sent, received, greeted] = [0, 0, false];
let problem: string | undefined;
const socket = connect({ host: address, port: Number(port), noDelay: true });
socket.on("error", (error) => {
  problem = error.message;
});
socket.on("close", () => {
  problem ??= "closed";
});
socket.on("data", (data) => {
  if (greeted) {
    received += data.length;
    return;
  }
  // The server's own line comes first.
  const end = data.indexOf(10);
  if (end < 0) return;
  greeted = true;
  received += data.length - end - 1;
  console.log("open");
});
const timer = setInterval(() => {
  if (!greeted || problem !== undefined) return;
  socket.write("x");
  sent += 1;
}, 2);
process.on("SIGTERM", () => {
  clearInterval(timer);
  setTimeout(() => {
    console.log(JSON.stringify({ sent, received, ...(problem === undefined ? {} : { problem }) }));
    process.exit(0);
  }, 500);
});
