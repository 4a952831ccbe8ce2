import tseslint from "typescript-eslint";

/**
 * Biome formats and lints; here stand only the rules that need types (promises nobody waits for are a daemon's main kind of bug)
 * and the rule that time and chance are handed in where whole days are replayed from a seed.
 */
const injected = "is handed in here (Clock and Random of @terway/model), so that runs can be replayed from a seed";
const globals = ["setTimeout", "setInterval", "setImmediate", "performance"].map((name) => ({ name, message: `${name} ${injected}` }));
const properties = [
  { object: "Date", property: "now", message: `Date.now ${injected}` },
  { object: "Math", property: "random", message: `Math.random ${injected}` },
  { object: "crypto", property: "randomUUID", message: `randomUUID ${injected}` },
];
const imports = [
  { name: "node:timers", message: `time ${injected}` },
  { name: "node:timers/promises", message: `time ${injected}` },
  { name: "node:crypto", importNames: ["randomUUID", "randomBytes", "randomInt"], message: `chance ${injected}` },
  { name: "node:perf_hooks", message: `time ${injected}` },
];

export default tseslint.config(
  { ignores: ["**/node_modules/**", "**/dist/**", "**/generated/**", "target/**", "**/*.d.ts", "**/*.cjs"] },
  {
    files: ["**/*.ts"],
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { arguments: true, attributes: false } }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ["ts/{ipam,cloud,daemon,controlplane}/src/**/*.ts"],
    ignores: ["**/*.test.ts", "**/testing/**"],
    rules: {
      "no-restricted-globals": ["error", ...globals],
      "no-restricted-properties": ["error", ...properties],
      "no-restricted-imports": ["error", { paths: imports }],
      "no-restricted-syntax": [
        "error",
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: `new Date() ${injected}` },
      ],
    },
  },
);
