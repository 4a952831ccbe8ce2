import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Clocks of API servers may be behind ours. */
const skewMs = 5 * 60_000;

export interface IssuedCertificate {
  /** PEM, as are the others. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** A certificate for servers of these DNS names, by an authority of its own whose key nobody keeps. */
export async function issueCertificate(dnsNames: readonly string[], nowMs: number, lifeMs: number): Promise<IssuedCertificate> {
  const validity = { notBefore: new Date(nowMs - skewMs), notAfter: new Date(nowMs + lifeMs), signingAlgorithm: algorithm };
  const [authorityKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    // The name says which one it is, because two are trusted while one follows the other.
    name: `CN=terway-controlplane-ca-${nowMs}`,
    keys: authorityKeys,
    extensions: [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
  });
  const certificate = await X509CertificateGenerator.create({
    ...validity,
    subject: "CN=terway-controlplane",
    issuer: authority.subject,
    signingKey: authorityKeys.privateKey,
    publicKey: keys.publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: "dns", value }))),
    ],
  });
  const key = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { authority: `${authority.toString("pem")}\n`, certificate: `${certificate.toString("pem")}\n`, key: `${key}\n` };
}

function newKeys() {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}
