/**
 * Removes a folder that another process may still write into, as `rm -r` given again would: a file that is made between
 * the last look into the folder and its removal makes it "not empty".
 */
export function removeInUse(folder: string): void {
  for (;;) {
    try {
      return Deno.removeSync(folder, { recursive: true });
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("Directory not empty")) throw error;
    }
  }
}
