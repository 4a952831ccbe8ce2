import {
  containerRuntime,
  createPod,
  deletePod,
  metadataAddress,
  openApiAddress,
  podsGone,
  podsReady,
  repositoryRoot,
  run,
  terwaydConfig,
} from "@terway/lab";
import { beforeAll, expect, test } from "vitest";
import { remains } from "../agreement.ts";
import { centralDisagreements } from "../central.ts";
import { useCluster } from "../cluster-fixture.ts";
import { addressesOf, createNamespace } from "../objects.ts";
import { chart, withValues } from "./helm.ts";

/** `eniConf.ipam_type: crd` by the chart, with the rights that it gives: the control plane has the credential, and no node has one. */
const cluster = useCluster({ nodes: 2 });
const archive = "dist/image/terway-amd64.oci.tar";

const kubectl = async (...args: string[]) => (await run([cluster().wrapper("kubectl"), ...args], { timeoutMs: 120_000 })).stdout;

function values(): object {
  const { lab, nodes } = cluster();
  const configs = nodes.map(({ on }) => terwaydConfig(lab.world, on.machine, { min: 2, max: 6 }));
  const [first] = configs;
  if (first === undefined) throw new Error("no nodes");
  const env = (hosts: object) => Object.entries(hosts).map(([name, host]) => ({ name, value: `http://${host}` }));
  const openApi = env({ TERWAY_ECS_ENDPOINT: openApiAddress, TERWAY_VPC_ENDPOINT: openApiAddress });
  return {
    credentials: { accessKeyId: first.accessKeyId, accessKeySecret: first.accessKeySecret },
    eniConf: {
      ...{ ipam_type: "crd", ip_stack: "dual", service_cidr: first.serviceCidr, security_groups: [first.securityGroupId] },
      vswitches: Object.fromEntries(configs.map((config) => [config.zoneId, config.vSwitchIds])),
      ...{ min_pool_size: 2, max_pool_size: 6 },
    },
    controlPlane: {
      enabled: true,
      config: { clusterID: "lab", vpcID: lab.world.vpcId, regionID: lab.world.regionId, ipStack: "dual" },
      extraEnv: openApi,
    },
    coolDownSeconds: 1,
    // Of the OpenAPI the daemons know nothing: a call would go to the real one, which is not to be reached from here.
    extraEnv: env({ TERWAY_METADATA_ENDPOINT: metadataAddress }),
  };
}

beforeAll(async () => {
  await run(["bash", "scripts/image.sh"], { timeoutMs: 300_000 });
  const { ctr } = containerRuntime("debian");
  for (const { on } of cluster().nodes)
    await on.node.run([ctr, "-n", "k8s.io", "images", "import", "--no-unpack", `${repositoryRoot}/${archive}`], { timeoutMs: 120_000 });
  const install = (file: string) =>
    run([cluster().wrapper("helm"), "install", "terway", chart, "-f", file, "-n", "kube-system", "--wait", "--timeout", "240s"], {
      timeoutMs: 300_000,
    });
  await withValues(values(), install);
  await cluster().ready();
});

test("pods of both nodes run with addresses of the control plane, no daemon has a credential, and nothing is left of the pods", {
  tags: ["long"],
}, async () => {
  const { client, nodes } = cluster();
  const volumes = await kubectl("-n", "kube-system", "get", "pods", "-l", "app=terway", "-o", "jsonpath={.items[*].spec.volumes[*].name}");
  expect(volumes).toContain("state");
  expect(volumes).not.toContain("credentials");
  const namespace = await createNamespace(cluster(), "chart-central");
  const names = nodes.flatMap(({ on }) => Array.from({ length: 5 }, (_, index) => ({ name: `p-${on.name}-${index}`, nodeName: on.name })));
  for (const one of names) await createPod(client, { namespace, ...one });
  const pods = await podsReady(client, namespace, names.length, 180_000);
  await expect.poll(() => centralDisagreements(cluster(), [namespace]), { timeout: 30_000, interval: 1000 }).toEqual([]);
  for (const { name } of names) await deletePod(client, namespace, name, 0);
  await podsGone(client, namespace, 120_000);
  await expect.poll(() => remains(cluster(), addressesOf(pods)), { timeout: 60_000, interval: 1000 }).toEqual([]);
});
