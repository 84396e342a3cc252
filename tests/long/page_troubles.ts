/** What may happen to a database, its replica and what the program keeps, while nobody looks. */
import type { Layout } from "../../lib/position/object_names.ts";
import { sleep, startReplicate } from "../support/daemon.ts";
import { randomInteger } from "../support/random.ts";

export interface Place {
  readonly folder: string;
  readonly database: string;
  readonly replica: string;
  readonly layout: Layout;
}

/** The longest that a daemon lives before it is killed, in milliseconds. */
const LIFE_MAX_MS = 120;

/** The real program, killed at a moment of which nobody knows what it is doing then. */
export async function killDaemon(random: () => number, { folder, database, replica, layout }: Place): Promise<void> {
  const config = `${folder}/tailrace.yml`;
  const [state, meta] = [`${folder}/state`, `${folder}/meta`];
  Deno.mkdirSync(meta, { recursive: true });
  Deno.renameSync(state, `${meta}/tailrace`);
  const replicas = [{ "path": replica, "layout": layout, "sync-interval": "0s" }];
  Deno.writeTextFileSync(config, JSON.stringify({ dbs: [{ "path": database, "meta-path": meta, replicas }] }));
  const daemon = startReplicate(["--config", config]);
  try {
    await daemon.line("databases=1");
    await sleep(random() * LIFE_MAX_MS);
    await daemon.stop("SIGKILL");
  } finally {
    await daemon[Symbol.asyncDispose]();
    Deno.renameSync(`${meta}/tailrace`, state);
  }
}

export function harmReplica(kind: string, random: () => number, { replica, layout }: Place): void {
  const generation = `${replica}/generations/${namesIn(`${replica}/generations`)[0]}`;
  if (kind === "replica's snapshot lost") return Deno.removeSync(`${generation}/snapshots`, { recursive: true });
  const last = `${generation}/wal/${namesIn(`${generation}/wal`).filter((name) => !/\.commits$/.test(name)).at(-1)}`;
  const { size } = Deno.statSync(last);
  if (kind === "replica's last object lost") {
    Deno.removeSync(last);
    if (layout === "raw") Deno.removeSync(last.replace(/wal$/, "commits"));
  } else if (kind === "replica's last object cut") Deno.truncateSync(last, randomInteger(random, size));
  else {
    const bytes = Deno.readFileSync(last);
    const at = randomInteger(random, size);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInteger(random, 8));
    Deno.writeFileSync(last, bytes);
  }
}

/** The shadow WAL holds its newest index only, as it does once everything was replicated long ago. */
export function forgetShadowWal({ folder }: Place): void {
  for (const generation of namesIn(`${folder}/state/shadow`)) {
    const shadow = `${folder}/state/shadow/${generation}`;
    const names = namesIn(shadow).filter((name) => /\.(wal|commits)$/.test(name));
    for (const name of names.slice(0, -2)) Deno.removeSync(`${shadow}/${name}`);
  }
}

/**
 * One bit of a database at rest, and the time of the file put back as it was. By other processes: a descriptor of the
 * database that this one closes would drop its locks.
 */
export async function flipByte(folder: string, database: string, at: number): Promise<void> {
  const [reference, byte] = [`${folder}/reference`, `${folder}/byte`];
  await shell(`touch -r '${database}' '${reference}' && dd if='${database}' of='${byte}' bs=1 skip=${at} count=1`);
  Deno.writeFileSync(byte, Deno.readFileSync(byte).map((value) => value ^ 8));
  await shell(`dd if='${byte}' of='${database}' bs=1 seek=${at} conv=notrunc && touch -r '${reference}' '${database}'`);
}

/** Every file below a folder, by its path in it. */
export function contentOf(folder: string, prefix = ""): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${prefix}`)) {
    const path = `${prefix}${name}`;
    if (!isDirectory) files.set(path, Deno.readFileSync(`${folder}/${path}`));
    else for (const [inner, bytes] of contentOf(folder, `${path}/`)) files.set(inner, bytes);
  }
  return files;
}

/** What was written between two looks: of each file, all that stands behind the first byte that differs. */
export function bytesWritten(before: ReadonlyMap<string, Uint8Array>, after: ReadonlyMap<string, Uint8Array>): number {
  let written = 0;
  for (const [path, bytes] of after) {
    const old = before.get(path) ?? new Uint8Array();
    let same = 0;
    while (same < bytes.length && same < old.length && bytes[same] === old[same]) same++;
    written += bytes.length - same;
  }
  return written;
}

export async function shell(script: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", { args: ["-c", script], stderr: "piped" }).output();
  if (code !== 0) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
