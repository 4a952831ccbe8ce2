export { exitStatus, run, type Streams } from "./program.ts";
