import { connect } from "node:net";

/**
 * `node flow-client.ts ADDRESS PORT`: one TCP connection on which a line goes to an echo server every 20 ms and must come back. On SIGTERM it prints
 * `{ sent, received, longestGapMs, error? }` and ends. A program of its own, because it runs in a pod's network namespace.
 */
const [address = "", port = ""] = process.argv.slice(2);
const outcome: { sent: number; received: number; longestGapMs: number; error?: string } = { sent: 0, received: 0, longestGapMs: 0 };
let lastMs = performance.now();
let greeted = false;

const socket = connect({ host: address, port: Number(port) });
socket.setNoDelay(true);
socket.on("connect", () => {
  lastMs = performance.now();
  setInterval(() => {
    socket.write(`${outcome.sent}\n`);
    outcome.sent += 1;
  }, 20);
  process.stdout.write("connected\n");
});
socket.on("data", (chunk) => {
  const now = performance.now();
  outcome.longestGapMs = Math.max(outcome.longestGapMs, now - lastMs);
  lastMs = now;
  const lines = chunk.toString().split("\n").length - 1;
  // The server's greeting is a line of its own.
  outcome.received += lines - (greeted ? 0 : 1);
  greeted = true;
});
socket.on("error", (error) => finish(error.message));
socket.on("close", () => finish("the connection was closed"));
process.on("SIGTERM", () => finish());

function finish(error?: string): void {
  process.stdout.write(`${JSON.stringify({ ...outcome, ...(error === undefined ? {} : { error }) })}\n`);
  process.exit(0);
}
