import { run } from "./program.ts";

const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
// A pipe that is closed early (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
});
void run(process.argv.slice(2), {
  colour,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}).then((status) => {
  process.exitCode = status;
});
