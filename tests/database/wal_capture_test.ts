/** A capture so long that its device is asked to begin meanwhile. */
import { limits } from "../../lib/base/limits.ts";
import { ShadowWal } from "../../lib/database/shadow_wal.ts";
import { WalCapture } from "../../lib/database/wal_capture.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import type { FileHandle, FileSystem } from "../../lib/platform/file_system.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { WalBuilder } from "../support/wal_builder.ts";
import { GENERATION } from "./shadow_stage.ts";

const PAGE_SIZE = 65_536;
const FRAMES = Math.ceil(1.4 * limits.earlySyncBytes / PAGE_SIZE);

/** Files whose shadow WAL is durable when the test says so. */
function slowFiles(asked: PromiseWithResolvers<void>[]): FileSystem {
  const files: FileSystem = Object.create(unsyncedFiles());
  const open = files.open.bind(files);
  files.open = (path, mode, permissions) => {
    const handle = open(path, mode, permissions);
    if (!path.endsWith(".wal")) return handle;
    const sync = () => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      return answer.promise;
    };
    return Object.assign(handle, { sync });
  };
  return files;
}

function handleOf(bytes: Uint8Array): FileHandle {
  const readAt = (into: Uint8Array, position: number) => {
    const part = bytes.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  };
  return { readAt } as unknown as FileHandle;
}

function aCapture(folder: string, wal: Uint8Array, asked: PromiseWithResolvers<void>[]) {
  const shadow = ShadowWal.create(slowFiles(asked), folder, GENERATION);
  const capture = new WalCapture(handleOf(wal), shadow, new SystemClock(), { late: false });
  const parsed = parseWalHeader(wal);
  assert(parsed.ok);
  const { header } = parsed;
  const scan = scanFrames(wal.subarray(WAL_HEADER_SIZE), header, header.checksum);
  const index = {
    mxFrame: FRAMES,
    databasePages: FRAMES,
    pageSize: PAGE_SIZE,
    checksum: scan.checksum,
    salt: header.salt,
    backfilled: 0,
    changeCounter: 1,
    littleEndianSums: header.littleEndian,
  };
  return { shadow, run: () => capture.capture(index, { mark: FRAMES, salt: header.salt, onSlotZero: false }) };
}

function largeTransaction(): Uint8Array {
  const wal = new WalBuilder({ pageSize: PAGE_SIZE });
  wal.commit(FRAMES, ...Array.from({ length: FRAMES }, (_, slot) => [slot + 1, slot] as const));
  return wal.bytes();
}

Deno.test("WalCapture publishes nothing, and ends not, while a sync that it began is under way", () =>
  withTemporaryFolder(async (folder) => {
    const asked: PromiseWithResolvers<void>[] = [];
    const wal = largeTransaction();
    const { shadow, run } = aCapture(folder, wal, asked);
    let isDone = false;
    const running = run().finally(() => isDone = true);
    await until(() => Deno.statSync(shadow.walPath(shadow.index)).size === wal.length, "all to be written");
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals([asked.length, isDone, Number(shadow.offset)], [1, false, 0]);
    asked[0]?.resolve();
    assertEquals(await running, { kind: "captured", frames: FRAMES });
    assertEquals(Number(shadow.offset), WAL_HEADER_SIZE + FRAMES * frameSize(PAGE_SIZE));
    assertEquals(shadow.isSynced, false);
    const synced = shadow.sync();
    await until(() => asked.length === 2, "the rest to be synced");
    asked[1]?.resolve();
    await synced;
    shadow.close();
  }));

Deno.test("WalCapture publishes nothing when a sync that it began has failed", () =>
  withTemporaryFolder(async (folder) => {
    const asked: PromiseWithResolvers<void>[] = [];
    const { shadow, run } = aCapture(folder, largeTransaction(), asked);
    const refused = assertRejects(run, Error, "the device lost it");
    await until(() => asked.length === 1, "the device to be asked");
    asked[0]?.reject(new Error("the device lost it"));
    await refused;
    assertEquals([Number(shadow.offset), shadow.life?.frames], [0, 0]);
    shadow.close();
  }));
