export function isSameFile(a: string, b: string): boolean {
  const [bytes, others] = [Deno.readFileSync(a), Deno.readFileSync(b)];
  return bytes.length === others.length && bytes.every((byte, slot) => byte === others[slot]);
}
