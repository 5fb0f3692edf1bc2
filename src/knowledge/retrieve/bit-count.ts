/** @file In how many bits each row differs from a question. The innermost loop of a search by vectors. */

/** Rows are `question.length` words of 32 bits, a multiple of three. The result is `room` where that is large enough. */
export function countDifferences(bits: Int32Array, question: Int32Array, rows: number, room: Uint16Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const words = question.length;
  const distances = room.length >= rows ? room : new Uint16Array(Math.ceil(rows * 1.5));
  for (let row = 0, at = 0; row < rows; row++) {
    let bytes = 0;
    // Three words' counts fit four bits (at most 12): they are added before being spread.
    for (let word = 0; word < words; word += 3, at += 3) {
      let x = (bits[at] as number) ^ (question[word] as number);
      let y = (bits[at + 1] as number) ^ (question[word + 1] as number);
      let z = (bits[at + 2] as number) ^ (question[word + 2] as number);
      x -= (x >>> 1) & 0x55555555;
      y -= (y >>> 1) & 0x55555555;
      z -= (z >>> 1) & 0x55555555;
      x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
      y = (y & 0x33333333) + ((y >>> 2) & 0x33333333);
      z = (z & 0x33333333) + ((z >>> 2) & 0x33333333);
      const sum = (x + y + z) | 0;
      const spread = (sum & 0x0f0f0f0f) + ((sum >>> 4) & 0x0f0f0f0f);
      bytes += (spread & 0x00ff00ff) + ((spread >>> 8) & 0x00ff00ff); // two sums of 16 bits
    }
    distances[row] = (bytes & 0xffff) + (bytes >>> 16);
  }
  return distances;
}
