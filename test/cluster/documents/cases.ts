import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type KubernetesCluster, listPods, repositoryRoot, run, until } from "@terway/lab";
import { parseCniConf, parseEniConf } from "@terway/model";
import { afterAll, describe, expect, test } from "vitest";
import { cniBlocks, commands, confBlocks, edits, manifests, omitted, ramActions, scrapedBy } from "./blocks.ts";

/** Blocks of users' documents on a cluster whose daemons the chart has installed and whose namespace `apps` has pods. */
export function documentCases(cluster: () => KubernetesCluster): void {
  const editor = fileURLToPath(new URL("./edit-conf.ts", import.meta.url));
  const shell = async (script: string, env: Readonly<Record<string, string>> = {}, input?: string) => {
    const path = `${dirname(cluster().wrapper("kubectl"))}:${process.env.PATH}`;
    const options = { env: { PATH: path, KUBECONFIG: cluster().plane.admin, ...env }, timeoutMs: 60_000 };
    return (await run(["bash", "-ec", script], { ...options, ...(input === undefined ? {} : { input }) })).stdout;
  };
  const daemonPods = () => shell("kubectl get pods -n kube-system -l app=terway -o jsonpath='{.items[*].metadata.uid}'");

  describe("users' documents", () => {
    afterAll(() => {
      for (const { document, heading, block, because } of omitted) console.log(`not run: ${document}, ${heading}, "${block}": ${because}`);
    });

    test.each(manifests)("$document, $heading: $object.kind is taken by the server", async ({ object }) => {
      const only = object.kind === "Pod" ? "--dry-run=server" : "";
      const where = object.kind === "Namespace" ? "" : "-n apps";
      await shell(`kubectl apply ${only} ${where} -f -`, {}, JSON.stringify(object));
    });

    test("each command does what it is there for", async () => {
      const { client, nodes } = cluster();
      const [pod] = await listPods(client, "apps");
      const node = nodes.find(({ on }) => on.name === pod?.spec.nodeName);
      if (pod === undefined || node === undefined) throw new Error("namespace apps has no pod");
      const out = await mkdtemp(join(tmpdir(), "terway-documents-"));
      const terwayPod = await shell(`kubectl get pods -n kube-system -l app=terway -o jsonpath='{.items[0].metadata.name}'`);
      const env = { POD: pod.metadata.name, NODE: node.on.name, POLICY: "allow-dns", TERWAY_POD: terwayPod, OUT: out };
      const wrong: string[] = [];
      for (const { document, heading, run: script, shows, on } of commands) {
        const output = await (on === "node"
          ? node.on.node.run(["bash", "-ec", script]).then(({ stdout }) => stdout)
          : shell(script, env)
        ).catch((error: unknown) => `FAILED ${String(error)}`);
        if (output.startsWith("FAILED") || (shows !== undefined && !shows.test(output)))
          wrong.push(`${document}, ${heading}: ${script}\n${output.slice(0, 1000)}`);
      }
      await rm(out, { recursive: true });
      expect(wrong).toEqual([]);
    });

    test("what is edited into eni-config is in force, and no node complains", async () => {
      for (const { conf } of edits) {
        await shell("kubectl edit configmap eni-config -n kube-system", {
          KUBE_EDITOR: `${process.execPath} ${editor}`,
          EDIT: JSON.stringify(conf),
        });
        const stored = JSON.parse(await shell("kubectl get configmap eni-config -n kube-system -o jsonpath='{.data.eni_conf}'"));
        expect(stored).toMatchObject(conf);
      }
      const last = edits.at(-1)?.conf;
      await until("the daemons have the last one", 30_000, async () => {
        const pool = await shell("kubectl exec -n kube-system ds/terway-eniip -- terway-cli show resource_pool");
        return new RegExp(`max_idle\\D+${last?.max_pool_size}\\b`).test(pool);
      });
      expect(await shell("kubectl describe nodes")).not.toContain("ConfigError");
    });

    test.each(confBlocks)("eni_conf of $document, $heading is understood", ({ conf }) => {
      const parsed = parseEniConf(JSON.stringify({ vswitches: { z: ["vsw-a"] }, ...conf }));
      expect(parsed).toMatchObject({ ok: true });
      expect(JSON.stringify(parsed)).not.toMatch(/unknown key/i);
    });

    test.each(cniBlocks)("10-terway.conf of $document, $heading is understood", ({ conf }) => {
      const parsed = parseCniConf(conf);
      expect(parsed).toMatchObject({ ok: true });
      expect(JSON.stringify(parsed)).not.toMatch(/unknown key/i);
    });

    test("the RAM policy of the documents is part of ours, and Prometheus finds the daemons by the label that it keeps", async () => {
      const policy = await readFile(join(repositoryRoot, "docs/reference/ram-policy.json"), "utf8");
      expect(ramActions.filter((action) => !policy.includes(`"${action}"`))).toEqual([]);
      const labels = Object.entries(scrapedBy).map(([key, value]) => `${key}=${value}`);
      expect(await shell(`kubectl get pods -n kube-system -l ${labels.join(",")} -o name`)).toContain("pod/terway-eniip-");
    });

    test("daemons that are deleted by the documents' label come again", async () => {
      const before = await daemonPods();
      await shell("kubectl delete pods -n kube-system -l app=terway");
      await shell("kubectl -n kube-system rollout status ds/terway-eniip --timeout=50s");
      expect(await daemonPods()).not.toBe(before);
    });
  });
}
