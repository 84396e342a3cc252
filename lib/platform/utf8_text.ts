import { ReplicationError } from "../base/errors.ts";

const LINE_FEED = 0x0a;

/** Line by line when the whole is none, to name the line: what is no UTF-8 has no place in a text. Throws `corrupt`. */
export function decodeUtf8(bytes: Uint8Array, path: string): string {
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(LINE_FEED, from);
    const to = end === -1 ? bytes.length : end;
    if (!isUtf8(bytes.subarray(from, to))) break;
    from = to + 1;
  }
  throw new ReplicationError("corrupt", `Cannot read ${path}: line ${line} is not UTF-8 (it must be a text in UTF-8)`, {
    advice: "save it as UTF-8, as an editor or iconv does",
  });
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
