/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), for records and what few of them stand in; not for bulk data. */
const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78;
  TABLE[byte] = value;
}

/** A short name for a text that may be long, or no file's name: 8 hex digits. */
export function checksumName(text: string): string {
  return crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}

/** `before`: of the bytes that these follow. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (let at = 0; at < bytes.length; at++) value = (value >>> 8) ^ (TABLE[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~value >>> 0;
}
