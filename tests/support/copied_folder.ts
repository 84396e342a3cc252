/** A folder with all that is in it and below, files with their times. */
export function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else {
      Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
      const { mtime } = Deno.statSync(`${from}/${name}`);
      if (mtime !== null) Deno.utimeSync(`${to}/${name}`, mtime, mtime);
    }
  }
}
