/** One member of an archive. Directories end with a slash and have no data. */
export interface TarEntry {
  readonly path: string;
  readonly mode: number;
  readonly data?: Uint8Array;
  /** Target of a symbolic link. */
  readonly link?: string;
}

const blockSize = 512;

/** A POSIX (ustar) archive; the same entries give the same bytes: no times, no owners. Paths may have 100 bytes at most. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? []);
    blocks.push(header(entry, data.length), data, Buffer.alloc((blockSize - (data.length % blockSize)) % blockSize));
  }
  blocks.push(Buffer.alloc(2 * blockSize));
  return Buffer.concat(blocks);
}

function header(entry: TarEntry, size: number): Buffer {
  for (const name of [entry.path, entry.link ?? ""])
    if (Buffer.byteLength(name) > 100) throw new RangeError(`path too long for a tar header: ${name}`);
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
  block.write(entry.path, 0, "utf8");
  octal(entry.mode, 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time
  block.write(entry.link !== undefined ? "2" : entry.path.endsWith("/") ? "5" : "0", 156, "latin1");
  block.write(entry.link ?? "", 157, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  // The checksum is computed with blanks in its own field.
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
