import { describe } from "vitest";
import { useCluster } from "./cluster-fixture.ts";
import { Scene } from "./scene.ts";
import { serviceCases } from "./service-cases.ts";

const paths = { stack: {}, fast: { eniip_virtual_type: "datapathv2" } } as const;

for (const proxy of ["nftables", "iptables"] as const) {
  for (const path of ["stack", "fast"] as const) {
    const name = `kube-proxy by ${proxy}, pods by the ${path === "fast" ? "fast path" : "stack"}`;
    describe(name, { tags: ["long"] }, () => {
      const keys = { eniConf: paths[path], cniConf: { symmetric_routing: true } };
      serviceCases(new Scene(useCluster({ nodes: 2, pool: { min: 4, max: 8 }, proxy, keys })), path);
    });
  }
}
