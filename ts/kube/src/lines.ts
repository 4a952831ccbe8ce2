const newline = 10;

/**
 * Lines of a stream of bytes. Cut before they are decoded: a character of several bytes may come in two pieces. What follows the last newline is dropped:
 * the other side has ended in the middle of a line.
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      rest.push(chunk.subarray(start, end));
      yield (rest.length === 1 ? Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start) : Buffer.concat(rest)).toString("utf8");
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
}
