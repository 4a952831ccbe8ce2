import { expect, test } from "vitest";
import { focusOf, isWanted, misfits, readOmissions, readSpecs } from "./specs.ts";

/** The list of omissions may only shrink: lower this when it does. */
const mostOmissions = 4;

test("the lists name wanted specs, each once, and every omission has its reason", async () => {
  const specs = await readSpecs();
  const omissions = await readOmissions();
  const names = [...specs, ...omissions.map(({ spec }) => spec)];
  expect(names.filter((name) => !isWanted(name))).toEqual([]);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  expect(specs).toEqual(specs.toSorted());
  expect(omissions.filter(({ reason }) => reason === "")).toEqual([]);
  expect(omissions.length).toBeLessThanOrEqual(mostOmissions);
});

test("a spec that is in neither list, or that the suite does not have, is told", () => {
  const wanted = "[sig-network] Services should serve a basic endpoint from pods [Conformance]";
  const other = "[sig-network] LoadBalancers should work";
  expect(misfits([wanted, other], [], [])).toEqual([`in neither list: ${wanted}`]);
  expect(misfits([wanted, other], [wanted], [])).toEqual([]);
  expect(misfits([other], [], [{ spec: wanted, reason: "none" }])).toEqual([`not in the suite: ${wanted}`]);
});

test("the focus takes the listed specs alone, whatever signs their names have", () => {
  const focus = new RegExp(focusOf(["[sig-network] A (1.5) should", "B"]));
  const matches = (spec: string) => focus.test(`Kubernetes e2e suite ${spec}`);
  expect(["[sig-network] A (1.5) should", "B", "[sig-network] A (1x5) should", "B2", "A B"].map(matches)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
