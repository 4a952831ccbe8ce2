/**
 * The table of NetworkPolicy cases, each measured with real packets between pods: `npm run test:conformance`. Arguments: words that the names of the
 * cases to run contain.
 */
import { cases } from "./cases.ts";
import { PolicyWorld } from "./world.ts";

const words = process.argv.slice(2);
const chosen = cases.filter(({ name }) => words.every((word) => name.includes(word)));
if (chosen.length === 0) {
  console.error(`no case has ${words.join(" and ")} in its name`);
  process.exit(2);
}
// Whoever reads only the first lines (`| head`) must not keep the rest from being cleared away.
process.stdout.on("error", () => {});
const started = performance.now();
const world = await PolicyWorld.create();
const groups = new Map<string, { cases: number; right: number; probes: number; wrong: number }>();
try {
  for (const { name, kind, make } of chosen) {
    const cluster = make(world.cluster);
    await world.settle(cluster);
    const tried = await world.measure(cluster);
    const wrong = tried.filter(({ expected, passed }) => expected !== passed);
    const group = groups.get(kind) ?? { cases: 0, right: 0, probes: 0, wrong: 0 };
    groups.set(kind, {
      cases: group.cases + 1,
      right: group.right + (wrong.length === 0 ? 1 : 0),
      probes: group.probes + tried.length,
      wrong: group.wrong + wrong.length,
    });
    const passed = tried.filter((one) => one.passed).length;
    console.log(`${wrong.length === 0 ? "ok    " : "WRONG "} ${name} (${passed} of ${tried.length} pass)`);
    for (const { path, expected } of wrong) console.log(`         ${path}: must ${expected ? "pass" : "be dropped"}`);
  }
} finally {
  await world.close();
}
console.log(`\nNetworkPolicy, IPv4 and IPv6, TCP and UDP, ${Math.round((performance.now() - started) / 1000)} s`);
console.log(`${"".padEnd(24)}${"cases".padStart(8)}${"right".padStart(8)}${"probes".padStart(9)}${"wrong".padStart(8)}`);
for (const [kind, { cases: all, right, probes, wrong }] of groups) {
  console.log(
    `${kind.padEnd(24)}${String(all).padStart(8)}${String(right).padStart(8)}${String(probes).padStart(9)}${String(wrong).padStart(8)}`,
  );
}
process.exitCode = [...groups.values()].every(({ wrong }) => wrong === 0) ? 0 : 1;
