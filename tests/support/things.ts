/** What may stand in the place of a file that somebody relies on. */
import { equalBytes } from "../../lib/base/bytes.ts";
import { makeNode } from "./no_files.ts";

const HUGE_BYTES = 2 ** 40;

/** False where the thing cannot stand there. */
type Thing = (path: string, aside: string) => unknown;

function whereFile(change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): Thing {
  return (path, aside) => {
    if (!Deno.statSync(aside).isFile) return false;
    const bytes = Deno.readFileSync(aside);
    const changed = change(bytes.slice());
    if (equalBytes(changed, bytes)) return false;
    Deno.writeFileSync(path, changed);
    return true;
  };
}

export const THINGS: Readonly<Record<string, Thing>> = {
  "nothing": () => {},
  "an empty file": (path) => Deno.writeTextFileSync(path, ""),
  "half of it": whereFile((bytes) => bytes.subarray(0, bytes.length >> 1)),
  "it with a bit flipped": whereFile((bytes) => bytes.map((byte, at) => at === bytes.length >> 1 ? byte ^ 0x10 : byte)),
  "garbage": (path) => Deno.writeFileSync(path, new Uint8Array(5_000).map((_, at) => at * at + 7)),
  "a folder": (path) => Deno.mkdirSync(path),
  "a full folder": (path) => Deno.mkdirSync(`${path}/something`, { recursive: true }),
  "a pipe": (path) => void makeNode("pipe", path),
  "a link to nowhere": (path) => Deno.symlinkSync("/nowhere/at/all", path),
  "an endless link": (path) => Deno.symlinkSync("/dev/zero", path),
  "a link to what was there": (path, aside) => Deno.symlinkSync(aside, path),
  "a sparse file": (path) => {
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, HUGE_BYTES);
  },
};
