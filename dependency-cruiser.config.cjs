/** Imports run one way: programs → ipam, cloud, datapath → model. See docs/architecture.md. */
const from = (path, allowed) => ({
  name: `${path}-imports`,
  severity: "error",
  comment: `ts/${path} may import ${allowed.length > 0 ? allowed.join(", ") : "no other package"} of this repository`,
  from: { path: `^ts/${path}/src/`, pathNot: "(\\.test\\.ts$|/testing/)" },
  to: { path: "^ts/[^/]+/", pathNot: [path, ...allowed].map((name) => `^ts/${name}/`) },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    from("model", []),
    from("image", []),
    from("cloud", ["model"]),
    from("ipam", ["model"]),
    from("datapath", ["model"]),
    from("policy", ["model"]),
    from("kube", ["model"]),
    from("daemon", ["model", "cloud", "ipam", "datapath", "kube", "policy"]),
    from("controlplane", ["model", "cloud", "ipam", "kube", "policy"]),
    from("cli", ["model", "kube", "image"]),
    from("lab", ["model", "image", "kube"]),
    {
      name: "no-circular",
      severity: "error",
      comment: "files that need each other are one file or lack a third",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-test-in-product", severity: "error", from: { pathNot: "(\\.test\\.ts$|/testing/|^test/)" }, to: { path: "\\.test\\.ts$" } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|target|generated)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] },
  },
};
