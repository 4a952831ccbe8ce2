import { X509Certificate } from "node:crypto";

const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What a PEM text holds; what cannot be read is left out. */
function certificatesOf(text: string): { readonly text: string; readonly certificate: X509Certificate }[] {
  return (text.match(pem) ?? []).flatMap((block) => {
    try {
      return [{ text: `${block}\n`, certificate: new X509Certificate(block) }];
    } catch {
      return [];
    }
  });
}

/** The authorities that are to be trusted from now on: the new one, and the ones before it as long as they are valid. */
export function trusted(before: string, added: string, nowMs: number): string {
  const all = [...certificatesOf(added), ...certificatesOf(before)];
  const valid = all.filter(({ certificate }) => Date.parse(certificate.validTo) > nowMs);
  return [...new Set(valid.map(({ text }) => text))].join("");
}

/** Whether a certificate serves these names, is signed by one of the authorities, and has at least `leastMs` to live. */
export function isGood(
  { certificate, authority }: { readonly certificate: string; readonly authority: string },
  dnsNames: readonly string[],
  nowMs: number,
  leastMs: number,
): boolean {
  const [own] = certificatesOf(certificate);
  if (own === undefined) return false;
  const { validFrom, validTo } = own.certificate;
  const lives = Date.parse(validFrom) <= nowMs && Date.parse(validTo) - nowMs >= leastMs;
  const named = dnsNames.every((name) => own.certificate.checkHost(name) !== undefined);
  return lives && named && certificatesOf(authority).some((one) => own.certificate.verify(one.certificate.publicKey));
}
