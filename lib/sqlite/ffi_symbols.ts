/** The functions of SQLite's C interface that the FFI driver calls, and how a library that has them is opened. */
import { messageOf, ReplicationError } from "../base/errors.ts";

/** Every handle and every C string is a pointer; strings that go in are buffers that end with a zero byte. */
const SYMBOLS = {
  sqlite3_libversion: { parameters: [], result: "pointer" },
  sqlite3_open_v2: { parameters: ["buffer", "buffer", "i32", "pointer"], result: "i32" },
  sqlite3_close: { parameters: ["pointer"], result: "i32" },
  sqlite3_extended_result_codes: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_extended_errcode: { parameters: ["pointer"], result: "i32" },
  sqlite3_errmsg: { parameters: ["pointer"], result: "pointer" },
  sqlite3_busy_timeout: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_file_control: { parameters: ["pointer", "buffer", "i32", "buffer"], result: "i32" },
  sqlite3_prepare_v2: { parameters: ["pointer", "buffer", "i32", "buffer", "pointer"], result: "i32" },
  sqlite3_step: { parameters: ["pointer"], result: "i32" },
  /** On another thread. Until it has ended, no other call is made with that connection: it would wait for it. */
  step_later: { name: "sqlite3_step", parameters: ["pointer"], result: "i32", nonblocking: true },
  prepare_later: {
    name: "sqlite3_prepare_v2",
    parameters: ["pointer", "buffer", "i32", "buffer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  close_later: { name: "sqlite3_close", parameters: ["pointer"], result: "i32", nonblocking: true },
  sqlite3_reset: { parameters: ["pointer"], result: "i32" },
  sqlite3_finalize: { parameters: ["pointer"], result: "i32" },
  sqlite3_column_count: { parameters: ["pointer"], result: "i32" },
  sqlite3_column_type: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_column_int64: { parameters: ["pointer", "i32"], result: "i64" },
  sqlite3_column_double: { parameters: ["pointer", "i32"], result: "f64" },
  sqlite3_column_text: { parameters: ["pointer", "i32"], result: "pointer" },
  sqlite3_column_blob: { parameters: ["pointer", "i32"], result: "pointer" },
  sqlite3_column_bytes: { parameters: ["pointer", "i32"], result: "i32" },
} as const;

export type SqliteLibrary = Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;

const SYSTEM_LIBRARY: Readonly<Partial<Record<typeof Deno.build.os, string>>> = {
  darwin: "/usr/lib/libsqlite3.dylib",
  windows: "winsqlite3.dll",
};
const ADVICE = "apt-get install libsqlite3-0, or leave sqlite-library out for the built-in SQLite";

/** `library` is `system` or a path. The library stays open to the end of the process: closing it would pull it away from under its connections. */
export function openLibrary(library: string): SqliteLibrary {
  const path = library === "system" ? SYSTEM_LIBRARY[Deno.build.os] ?? "libsqlite3.so.0" : library;
  requireLoadable(path);
  try {
    return Deno.dlopen(path, SYMBOLS).symbols;
  } catch (error) {
    const message = `Cannot use the SQLite library ${path}: ${messageOf(error)} (a build of SQLite 3.7 or newer)`;
    throw new ReplicationError("config-invalid", message, { cause: error, advice: ADVICE });
  }
}

/** Tells "no such library" from "not SQLite", which one call cannot. */
function requireLoadable(path: string): void {
  try {
    Deno.dlopen(path, {}).close();
  } catch (error) {
    const reason = messageOf(error).replace(/^(?:Could not open library: )+/, "");
    throw new ReplicationError("config-invalid", `Cannot load the SQLite library ${path}: ${reason}`, {
      cause: error,
      advice: ADVICE,
    });
  }
}
