import { expect, test } from "vitest";
import { ConsoleReader } from "./console.ts";

function read(...pieces: string[]) {
  const lines: string[] = [];
  const reader = new ConsoleReader((line) => lines.push(line));
  for (const piece of pieces) reader.write(piece);
  reader.end();
  return { lines, progress: reader.progress };
}

test("what the command says is handed on line by line, however it arrives", () => {
  expect(read("one\r\ntw", "o\nthr", "ee").lines).toEqual(["one", "two", "three"]);
});

test("the end is recognized behind a last line without an end, which is kept", () => {
  const { lines, progress } = read("@guest up 3.21 6.12.1\nhalf@guest ex", "it 3 7.5\n");
  expect(lines).toEqual(["half"]);
  expect(progress).toEqual({ up: { uptime: 3.21, release: "6.12.1" }, ended: { kind: "exit", code: 3, uptime: 7.5 } });
});

test("a start script that dies is no exit status", () => {
  expect(read("@guest up 1 5.10\n@guest died\n").progress.ended).toEqual({ kind: "died" });
});

test("a guest that finds itself stuck says why", () => {
  const { lines, progress } = read("@guest up 1 5.10\nhalf\n@guest stuck no link can be made\n");
  expect(progress.stuck).toBe("no link can be made");
  expect(lines).toEqual(["half"]);
});

test("a guest that says nothing has not come up", () => {
  expect(read("Kernel panic\n").progress).toEqual({});
});
