import type { CredentialSource } from "./credentials.ts";
import { type Operation, type Product, products } from "./operations.ts";

/** Query parameters of a call, on-the-wire names (`NetworkInterfaceId.1`); undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Sends one call and answers the raw JSON text of the body. Rejects with whatever the SDK throws. */
export type Send = (operation: Operation, query: Query) => Promise<string>;

export interface SdkOptions {
  readonly endpoints: Readonly<Record<Product, URL>>;
  readonly regionId: string;
  readonly credentials: CredentialSource;
  /**
   * The SDK closes a silent socket after this long; our own deadline is what callers see. It also keeps each finished request (about 6 KB) until
   * then, because it does not clear its timer: keep it short.
   */
  readonly socketTimeoutMs: number;
}

/** host:port without path: the SDK puts the endpoint into the URL and into the signed Host header as it is. */
function hostOf(product: Product, endpoint: URL): string {
  if (
    (endpoint.protocol !== "http:" && endpoint.protocol !== "https:") ||
    endpoint.pathname !== "/" ||
    endpoint.search !== "" ||
    endpoint.username !== ""
  ) {
    throw new TypeError(`endpoint of ${products[product].name} must be http(s)://host[:port], but is ${endpoint.href}`);
  }
  return endpoint.host;
}

/**
 * The generic call of `@alicloud/openapi-client`, signature ACS3-HMAC-SHA256. The package (about 30 MB of memory) is loaded at the first call,
 * never before: a daemon whose addresses come from the control plane never pays for it.
 */
export function openSdk(options: SdkOptions): Send {
  const hosts = { ecs: hostOf("ecs", options.endpoints.ecs), vpc: hostOf("vpc", options.endpoints.vpc) };
  let loaded: ReturnType<typeof load> | undefined;

  async function load() {
    const sdk = await import("@alicloud/openapi-client");
    // CommonJS with exports.default: the class is one level deeper under Node's own loader, but not under every bundler and test runner.
    const Client = typeof sdk.default === "function" ? (sdk.default as unknown as typeof sdk.default.default) : sdk.default.default;
    const credential = {
      async getCredential() {
        const { accessKeyId, accessKeySecret, securityToken, provider } = await options.credentials.current();
        return {
          accessKeyId,
          accessKeySecret,
          securityToken,
          type: securityToken === undefined ? "access_key" : "sts",
          providerName: provider,
        };
      },
    };
    const client = (product: Product) =>
      new Client(
        new sdk.Config({
          regionId: options.regionId,
          endpoint: hosts[product],
          protocol: options.endpoints[product].protocol.slice(0, -1),
          // The smaller one wins, and "connect" is a limit on silence (reference: section 5).
          readTimeout: options.socketTimeoutMs,
          connectTimeout: options.socketTimeoutMs,
          // biome-ignore lint/suspicious/noExplicitAny: the core calls getCredential() only; the declared class has private fields.
          credential: credential as any,
        }),
      );
    return { sdk, clients: { ecs: client("ecs"), vpc: client("vpc") } };
  }

  return async (operation, query) => {
    loaded ??= load();
    const { sdk, clients } = await loaded;
    const text: Record<string, string> = { RegionId: options.regionId };
    for (const [name, value] of Object.entries(query)) if (value !== undefined) text[name] = String(value);
    const params = new sdk.Params({
      action: operation.action,
      version: products[operation.product].version,
      protocol: options.endpoints[operation.product].protocol.slice(0, -1).toUpperCase(),
      pathname: "/",
      method: "POST",
      authType: "AK",
      style: "RPC",
      reqBodyType: "formData",
      // As text: the decoder is ours, and a cut body must not look like a parser's bug.
      bodyType: "string",
    });
    const client = clients[operation.product];
    // The declared class lives in a package that is not ours to import; the call only reads properties. Repeating is our own layer's work.
    const runtime = { autoretry: false } as Parameters<typeof client.callApi>[2];
    const answer = await client.callApi(params, new sdk.OpenApiRequest({ query: text }), runtime);
    return String(answer.body);
  };
}
