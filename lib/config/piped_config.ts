/** A config that comes through a pipe, as shells hand over what a program makes: it is read once, to its end. */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Platform } from "../platform/platform.ts";
import { decodeUtf8 } from "../platform/utf8_text.ts";

/** So often it is asked for more: the time in which a person notices nothing. */
const LOOK_AGAIN_MS = 20;

/** Undefined when it is larger than any config. Throws `cancelled` once the signal is aborted. */
export async function readPipedConfig(
  { files, clock }: Pick<Platform, "files" | "clock">,
  path: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const pipe = files.openPipe(path);
  const bytes = new Uint8Array(limits.configMaxBytes + 1);
  const untilMs = clock.monotonicMs() + limits.pipedConfigMs;
  let size = 0;
  try {
    for (;;) {
      const got = pipe.read(bytes.subarray(size));
      if (got === 0 && size > 0) return decodeUtf8(bytes.subarray(0, size), path);
      size += got ?? 0;
      if (size === bytes.length) return undefined;
      if (signal?.aborted) throw new ReplicationError("cancelled", `Cannot read config ${path}: it was interrupted`);
      if (clock.monotonicMs() >= untilMs) throw neverEnds(path);
      // Nobody may have opened the other end yet.
      if (!got) await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  } finally {
    pipe.close();
  }
}

function neverEnds(path: string): ReplicationError {
  const problem = `it is a pipe, which did not end within ${limits.pipedConfigMs / 1_000} s`;
  return new ReplicationError("config-invalid", `Cannot read config ${path}: ${problem} (it should be a YAML file)`);
}
