/**
 * Runs in a pod: asks an echo server over UDP, one request after another without a pause, every second one from a port of its own, so that it is a
 * flow's first packet. Nothing is sent twice: what is lost stays lost. Prints `asking` when it has begun, and at SIGTERM what came of it.
 * Arguments: address, port, and how long an answer is waited for; a short time is for what must never be answered.
 */
import { createSocket, type Socket } from "node:dgram";

const [address = "", port = "", patience = "5000"] = process.argv.slice(2);
const patienceMs = Number(patience);
const family = address.includes(":") ? "udp6" : "udp4";
let [asked, answered, longestMs, over] = [0, 0, 0, false];

/** True when an answer has come in time. */
function ask(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (value: boolean) => {
      clearTimeout(timer);
      socket.removeAllListeners("message");
      resolve(value);
    };
    const timer = setTimeout(() => done(false), patienceMs);
    socket.once("message", () => done(true));
    socket.send("x", Number(port), address);
  });
}

const kept = createSocket(family);
async function askFromNewPort(): Promise<boolean> {
  const socket = createSocket(family);
  socket.on("error", () => {});
  const outcome = await ask(socket);
  socket.close();
  return outcome;
}

process.on("SIGTERM", () => {
  over = true;
});
kept.on("error", () => {});
console.log("asking");
while (!over) {
  const begun = performance.now();
  const outcome = asked % 2 === 0 ? await ask(kept) : await askFromNewPort();
  asked += 1;
  if (outcome) {
    answered += 1;
    longestMs = Math.max(longestMs, performance.now() - begun);
  }
}
console.log(JSON.stringify({ asked, answered, longestMs: Math.round(longestMs) }));
process.exit(0);
