/** The files below a folder that a process has open, without the folder's own path, sorted. */
export function openBelow(folder: string, process: number | "self" = "self"): string[] {
  return [...Deno.readDirSync(`/proc/${process}/fd`)].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync(`/proc/${process}/fd/${name}`);
      return path.startsWith(folder) ? [path.slice(folder.length)] : [];
    } catch {
      return []; // The listing's own, or one that was closed meanwhile.
    }
  }).sort();
}
