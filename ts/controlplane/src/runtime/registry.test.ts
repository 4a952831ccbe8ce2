import { expect, test } from "vitest";
import { selectControllers } from "./registry.ts";

const entries = [
  { name: "pod", byDefault: true },
  { name: "eni", byDefault: true },
  { name: "node", byDefault: false },
] as const;
const names = (tokens: string[]) => selectControllers(entries, tokens).map(({ name }) => name);

test.each([
  [[], ["pod", "eni"]],
  [["node"], ["pod", "eni", "node"]],
  [["-eni"], ["pod"]],
  [["*"], ["pod", "eni", "node"]],
  [
    ["-pod", "*"],
    ["eni", "node"],
  ],
  [
    ["pod", "-pod"],
    ["pod", "eni"],
  ],
  [["multi-ip-pod"], ["pod", "eni"]],
])("%j selects %j", (tokens, expected) => {
  expect(names(tokens)).toEqual(expected);
});

test("what no controller is called is refused, with the near name", () => {
  expect(() => names(["pod-enis"])).toThrow('"pod-enis" is no controller; did you mean pod-eni?');
});
