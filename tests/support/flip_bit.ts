/** Changes one bit of a file in place: whatever stood there, afterwards it is something else. */
export function flipBit(path: string, at: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(byte);
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of((byte[0] ?? 0) ^ 0x10));
}
