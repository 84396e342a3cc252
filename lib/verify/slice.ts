/** Part of a whole that is read over several runs, `2/7`. */
export interface Slice {
  readonly part: number;
  readonly of: number;
}

export function parseSlice(text: string): Slice | undefined {
  const [, part, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const slice = { part: Number(part), of: Number(of) };
  return slice.part >= 1 && slice.part <= slice.of ? slice : undefined;
}
