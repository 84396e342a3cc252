/** What stands at a path. */
export type FileKind = "file" | "folder" | "link" | "pipe" | "socket" | "device";

const TYPE_BITS = 0o170000;

const KINDS: Readonly<Record<number, FileKind>> = {
  0o100000: "file",
  0o040000: "folder",
  0o120000: "link",
  0o010000: "pipe",
  0o140000: "socket",
};

/** By the mode that the system tells of it. */
export function kindOfMode(mode: number): FileKind {
  return KINDS[mode & TYPE_BITS] ?? "device";
}

/** As messages name it, behind "it is". */
export function nameKind(kind: FileKind): string {
  return kind === "link" ? "a symbolic link" : kind === "pipe" ? "a named pipe" : `a ${kind}`;
}
