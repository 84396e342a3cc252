import { ReplicationError } from "../../lib/base/errors.ts";
import { FileShadowReader } from "../../lib/database/shadow_reader.ts";
import type { ShadowWal } from "../../lib/database/shadow_wal.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { WalTransfer } from "../../lib/replica/wal_transfer.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { capture, FRAME, GENERATION, offsetOf, ShadowStage } from "../database/shadow_stage.ts";

const WAL_0 = "0000000000000000.wal";

function test(name: string, work: (stage: ShadowStage) => Promise<void>): void {
  Deno.test(name, () => ShadowStage.with(work));
}

function readerAt(stage: ShadowStage, shadow: ShadowWal, offset: number): FileShadowReader {
  const position = { generation: GENERATION, index: asIndex(0), offset: asOffset(offset) };
  return new FileShadowReader(stage.files, () => shadow, position);
}

async function transferred(transfer: WalTransfer): Promise<Uint8Array> {
  const bytes: number[] = [];
  for (let piece = await transfer.next(); piece.length > 0; piece = await transfer.next()) bytes.push(...piece);
  return Uint8Array.from(bytes);
}

test("WalTransfer passes on all bytes and records, piece by piece, also beginning in the middle", async (stage) => {
  const wal = stage.life(2, 1, 3);
  for (const bufferBytes of [FRAME, 2 * FRAME + 5, 100_000]) {
    const shadow = stage.create();
    capture(shadow, wal, 3, 1_000);
    const reader = readerAt(stage, shadow, 0);
    const whole = new WalTransfer(reader, new Uint8Array(bufferBytes), undefined);
    assertEquals(await transferred(whole), wal.slice(0, offsetOf(3)));
    assertEquals(whole.records().map(({ end }) => end), [asOffset(offsetOf(3))]);
    capture(shadow, wal, 6, 1_001);
    reader.refresh();
    const rest = new WalTransfer(reader, new Uint8Array(bufferBytes), whole.known);
    assertEquals(await transferred(rest), wal.slice(offsetOf(3)));
    const [record, ...others] = rest.records();
    assertEquals([record?.start, record?.end, others.length], [asOffset(offsetOf(3)), asOffset(offsetOf(6)), 0]);
    assertEquals(rest.known?.chain, shadow.life?.checksum);
    reader.close();
    shadow.close();
  }
});

test("WalTransfer refuses every flipped bit of a frame, wherever it stands", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1);
  capture(shadow, wal, 3, 1_000);
  const page = [offsetOf(0) + 24, offsetOf(1) + 24 + 511, offsetOf(3) - 1];
  const header = [
    offsetOf(0),
    offsetOf(0) + 5,
    offsetOf(1) + 8,
    offsetOf(2) + 15,
    offsetOf(2) + 16,
    offsetOf(3) - FRAME + 23,
  ];
  for (const at of [...page, ...header]) {
    const damaged = wal.slice();
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    Deno.writeFileSync(stage.path(WAL_0), damaged);
    const reader = readerAt(stage, shadow, 0);
    const transfer = new WalTransfer(reader, new Uint8Array(1 << 16), undefined);
    const error = await assertRejects(
      () => transferred(transfer),
      ReplicationError,
      "a frame of the shadow WAL is damaged",
    );
    assertEquals(error.code, "corrupt", `byte ${at}`);
    reader.close();
  }
  shadow.close();
});

test("WalTransfer refuses every flipped bit of the WAL header", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2);
  capture(shadow, wal, 2, 1_000);
  for (let at = 0; at < 32; at++) {
    const damaged = wal.slice();
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    Deno.writeFileSync(stage.path(WAL_0), damaged);
    const reader = readerAt(stage, shadow, 0);
    const transfer = new WalTransfer(reader, new Uint8Array(1 << 16), undefined);
    const error = await assertRejects(() => transferred(transfer), ReplicationError);
    assertEquals(error.code, "corrupt", `byte ${at}`);
    reader.close();
  }
  shadow.close();
});

test("WalTransfer passes on the closing record of an index that has no more bytes", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2);
  capture(shadow, wal, 2, 1_000);
  shadow.closeIndex(1_001);
  const reader = readerAt(stage, shadow, offsetOf(2));
  const transfer = new WalTransfer(reader, new Uint8Array(1 << 16), undefined);
  assertEquals((await transferred(transfer)).length, 0);
  const [closing, ...others] = transfer.records();
  assert(closing?.indexClosed);
  assertEquals(others, []);
  reader.close();
  shadow.close();
});

test("WalTransfer does not go on in the middle of an index without the chain before", async (stage) => {
  const shadow = stage.create();
  capture(shadow, stage.life(2, 1), 3, 1_000);
  const reader = readerAt(stage, shadow, offsetOf(2));
  const transfer = new WalTransfer(reader, new Uint8Array(1 << 16), undefined);
  await assertRejects(() => transferred(transfer), ReplicationError, "the chain before the position is not known");
  reader.close();
  shadow.close();
});
