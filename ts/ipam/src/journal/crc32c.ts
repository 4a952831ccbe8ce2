/**
 * CRC-32C (Castagnoli), the checksum of iSCSI (RFC 3720, appendix B.4) and ext4: it finds all burst errors up to 32 bits. Node's `zlib.crc32`
 * is the other polynomial.
 */
const table = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  table[byte] = value >>> 0;
}

/** The checksum of `bytes`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let state = 0xffffffff;
  for (const byte of bytes) state = (state >>> 8) ^ (table[(state ^ byte) & 0xff] ?? 0);
  return (state ^ 0xffffffff) >>> 0;
}
