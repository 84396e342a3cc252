import type { FileSystem } from "./file_system.ts";

const MOUNT_INFO_PATH = "/proc/self/mountinfo";
const MOUNT_POINT_FIELD = 4;

/** Whether something is mounted at exactly that real path, as containers mount single files; false where nobody tells. */
export function isMountPoint(files: Pick<FileSystem, "readText">, path: string): boolean {
  const lines = (files.readText(MOUNT_INFO_PATH) ?? "").split("\n");
  return lines.some((line) => unescaped(line.split(" ")[MOUNT_POINT_FIELD] ?? "") === path);
}

/** The kernel writes space, tab, line feed and backslash as three octal digits. */
function unescaped(field: string): string {
  const bytes = new TextEncoder().encode(field);
  if (!field.includes("\\")) return field;
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const octal = /^\\([0-7]{3})/.exec(String.fromCharCode(...bytes.subarray(at, at + 4)))?.[1];
    if (octal === undefined) found.push(bytes[at] ?? 0);
    else {
      found.push(parseInt(octal, 8));
      at += 3;
    }
  }
  return new TextDecoder().decode(new Uint8Array(found));
}
