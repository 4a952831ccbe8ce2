import { access } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@terway/lab";

/** What `programs/build.sh` has built. */
export type SuiteProgram = "agnhost" | "coredns" | "e2e.test" | "ginkgo" | "localhost.crt" | "localhost.key";

/** Where they are on this machine. Throws with what to do when they have not been built. */
export async function suitePrograms(): Promise<(name: SuiteProgram) => string> {
  const build = fileURLToPath(new URL("programs/build.sh", import.meta.url));
  const directory = (await run(["bash", build, "--print"])).stdout.trim();
  await access(join(directory, "complete")).catch(() => {
    throw new Error(`${directory} does not hold the end-to-end suite; bash test/e2e/programs/build.sh builds it`);
  });
  return (name) => join(directory, name);
}

/** The full name of every spec of the suite. */
export async function specsOf(suite: string): Promise<string[]> {
  const { stdout } = await run([suite, "--list-tests"], { timeoutMs: 120_000 });
  return [...stdout.matchAll(/^ {4}\S+: (.*)$/gm)].map(([, name = ""]) => name.trim());
}
