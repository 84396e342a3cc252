/** A folder with all that is in it and below, files with their times, but for what is left out by its name. */
export function copyFolder(from: string, to: string, isLeftOut: (name: string) => boolean = () => false): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isLeftOut(name)) continue;
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`, isLeftOut);
    else {
      Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
      const { mtime } = Deno.statSync(`${from}/${name}`);
      if (mtime !== null) Deno.utimeSync(`${to}/${name}`, mtime, mtime);
    }
  }
}
