import { expect, test } from "vitest";
import { SingleFlight } from "./single-flight.ts";

function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("the same call joins the one under way and shares its outcome (I8)", async () => {
  const flight = new SingleFlight();
  const first = gate();
  let runs = 0;
  const task = async () => {
    runs++;
    await first.opened;
    return {};
  };
  const calls = [flight.run("a", "ADD", task), flight.run("a", "ADD", task)];
  first.open();
  const [one, two] = await Promise.all(calls);
  expect(one).toBe(two);
  expect(runs).toBe(1);
  expect(flight.busy("a")).toBe(false);
});

test("other calls of the key come one after the other, in order, also after a failure; other keys do not wait", async () => {
  const flight = new SingleFlight();
  const first = gate();
  const seen: string[] = [];
  const add = flight.run("a", "ADD", async () => {
    await first.opened;
    seen.push("add");
    throw new Error("no address");
  });
  const del = flight.run("a", "DEL", async () => void seen.push("del"));
  const again = flight.run("a", "ADD", async () => void seen.push("add again"));
  await flight.run("b", "ADD", async () => void seen.push("other"));
  expect(seen).toEqual(["other"]);
  first.open();
  await expect(add).rejects.toThrow("no address");
  await Promise.all([del, again]);
  expect(seen).toEqual(["other", "add", "del", "add again"]);
});

test("idle waits for what is under way and for what arrives meanwhile", async () => {
  const flight = new SingleFlight();
  const first = gate();
  let done = 0;
  void flight.run("a", "ADD", () => first.opened).then(() => flight.run("b", "ADD", async () => void done++));
  const idle = flight.idle();
  first.open();
  await idle;
  await flight.idle();
  expect(done).toBe(1);
  expect(flight.size).toBe(0);
});
