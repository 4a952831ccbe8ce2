import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../host/command.ts";

export interface CertificateRequest {
  /** Of the files. */
  readonly name: string;
  /** Common name: for clients the user. */
  readonly user: string;
  /** Organisations: for clients the user's groups. */
  readonly groups?: readonly string[];
  readonly usage: "clientAuth" | "serverAuth" | "serverAuth,clientAuth";
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
}

/** Paths of PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];

/** A certificate authority of a lab's own, in a directory of its files. */
export class Authority {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(directory: string): Promise<Authority> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const authority = new Authority(directory);
    const { certificate, key } = authority.#files("ca");
    const extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    await run(["openssl", "req", "-x509", ...newKey, ...extensions, "-subj", "/CN=terway-lab", "-keyout", key, "-out", certificate]);
    return authority;
  }

  /** The authority's own certificate. */
  get certificate(): string {
    return this.#files("ca").certificate;
  }

  async issue({ name, user, groups = [], usage, dnsNames = [], addresses = [] }: CertificateRequest): Promise<Certificate> {
    const { certificate, key } = this.#files(name);
    const ca = this.#files("ca");
    const subject = [...groups.map((group) => `/O=${group}`), `/CN=${user}`].join("");
    const names = [...dnsNames.map((dnsName) => `DNS:${dnsName}`), ...addresses.map((address) => `IP:${address}`)];
    const extensions = [
      "basicConstraints=critical,CA:FALSE",
      "keyUsage=critical,digitalSignature",
      `extendedKeyUsage=${usage}`,
      ...(names.length === 0 ? [] : [`subjectAltName=${names.join(",")}`]),
    ].flatMap((extension) => ["-addext", extension]);
    const signer = ["-CA", ca.certificate, "-CAkey", ca.key];
    await run(["openssl", "req", "-x509", ...newKey, ...signer, ...extensions, "-subj", subject, "-keyout", key, "-out", certificate]);
    return { certificate, key };
  }

  /** The pair with which the API server signs tokens of service accounts and knows them again. */
  async tokenKeys(): Promise<{ readonly signing: string; readonly verifying: string }> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const [signing, verifying] = [join(this.#directory, "tokens.key"), join(this.#directory, "tokens.pub")];
    await writeFile(signing, privateKey, { mode: 0o600 });
    await writeFile(verifying, publicKey);
    return { signing, verifying };
  }

  /** Writes a kubeconfig with everything in it, so that it can be copied, and answers its path. */
  async kubeconfig(name: string, server: string, identity: Certificate): Promise<string> {
    const [authority, certificate, key] = await Promise.all(
      [this.certificate, identity.certificate, identity.key].map((file) => readFile(file, "base64")),
    );
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "lab", cluster: { server, "certificate-authority-data": authority } }],
      users: [{ name: "lab", user: { "client-certificate-data": certificate, "client-key-data": key } }],
      contexts: [{ name: "lab", context: { cluster: "lab", user: "lab" } }],
      "current-context": "lab",
    };
    const file = join(this.#directory, `${name}.kubeconfig`);
    await writeFile(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
    return file;
  }

  #files(name: string): Certificate {
    return { certificate: join(this.#directory, `${name}.crt`), key: join(this.#directory, `${name}.key`) };
  }
}
