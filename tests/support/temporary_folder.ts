/** Runs the work with an empty folder, given by its real path, and removes it afterwards, whatever happened. */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "tailrace-test-" }));
  try {
    return await work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
