import { ReplicationError } from "../../lib/base/errors.ts";
import { FileShadowReader } from "../../lib/database/shadow_reader.ts";
import type { ShadowWal } from "../../lib/database/shadow_wal.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { capture, GENERATION, offsetOf, ShadowStage } from "./shadow_stage.ts";

function test(name: string, work: (stage: ShadowStage) => Promise<void> | void): void {
  Deno.test(name, () => ShadowStage.with(work));
}

function reader(stage: ShadowStage, shadow: () => ShadowWal, index = 0, offset = 0): FileShadowReader {
  const position = { generation: GENERATION, index: asIndex(index), offset: asOffset(offset) };
  return new FileShadowReader(stage.files, shadow, position);
}

async function readAll(from: FileShadowReader, pieceBytes: number): Promise<Uint8Array> {
  const pieces: number[] = [];
  const buffer = new Uint8Array(pieceBytes);
  for (let read = await from.read(buffer); read > 0; read = await from.read(buffer)) {
    pieces.push(...buffer.subarray(0, read));
  }
  return Uint8Array.from(pieces);
}

test("FileShadowReader.read() gives what is published, in pieces of any size, and 0 at the end", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1, 4);
  capture(shadow, wal, 3, 1_000);
  shadow.writeFrames(3, wal.subarray(offsetOf(3))); // Not published.
  for (const pieceBytes of [1, 7, 536, 100_000]) {
    const from = reader(stage, () => shadow);
    assertEquals(from.end(), { offset: asOffset(offsetOf(3)), closed: false });
    assertEquals(await readAll(from, pieceBytes), wal.slice(0, offsetOf(3)));
    assertEquals(from.position().offset, asOffset(offsetOf(3)));
    from.close();
  }
  shadow.close();
});

test("FileShadowReader sees what is published later only after refresh()", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1);
  capture(shadow, wal, 2, 1_000);
  const from = reader(stage, () => shadow, 0, offsetOf(1));
  capture(shadow, wal, 3, 1_001);
  assertEquals((await readAll(from, 999)).length, offsetOf(2) - offsetOf(1));
  from.refresh();
  assertEquals(await readAll(from, 999), wal.slice(offsetOf(2)));
  from.close();
  shadow.close();
});

test("FileShadowReader.records() are those that speak of the bytes from the start on, the first cut to it", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1, 1, 1);
  [2, 3, 5].forEach((frames) => capture(shadow, wal, frames, 1_000));
  const from = reader(stage, () => shadow);
  const speak = (frames: number) =>
    from.records(asOffset(frames === 0 ? 0 : offsetOf(frames))).map(({ start, end, indexClosed }) => [
      start,
      end,
      indexClosed,
    ]);
  const ends = (start: number, end: number) => [start === 0 ? 0 : offsetOf(start), offsetOf(end), false];
  assertEquals<unknown>(speak(0), [ends(0, 2), ends(2, 3), ends(3, 5)]);
  assertEquals<unknown>(speak(1), [ends(1, 2), ends(2, 3), ends(3, 5)]);
  assertEquals<unknown>(speak(2), [ends(2, 3), ends(3, 5)]);
  assertEquals<unknown>(speak(4), [ends(4, 5)]);
  assertEquals<unknown>(speak(5), []);
  shadow.closeIndex(1_001);
  assertEquals<unknown>(speak(5), []);
  from.refresh();
  assertEquals<unknown>(speak(4), [ends(4, 5), [offsetOf(5), offsetOf(5), true]]);
  assertEquals<unknown>(speak(5), [[offsetOf(5), offsetOf(5), true]]);
  from.close();
  shadow.close();
});

test("FileShadowReader.nextIndex() moves on from an index that is closed and read, and from no other", async (stage) => {
  const shadow = stage.create();
  const [first, second] = [stage.life(1, 1), stage.life(2)];
  capture(shadow, first, 2, 1_000);
  const from = reader(stage, () => shadow);
  await readAll(from, 999);
  assertThrows(() => from.nextIndex(), Error, "an index is left when it is closed and read");
  shadow.closeIndex(1_000);
  from.refresh();
  from.nextIndex();
  assertEquals(from.position(), { generation: GENERATION, index: asIndex(1), offset: asOffset(0) });
  assertEquals(from.end(), { offset: asOffset(0), closed: false });
  assertEquals(await from.read(new Uint8Array(10)), 0);
  capture(shadow, second, 2, 1_001);
  from.refresh();
  assertEquals(await readAll(from, 999), second);
  from.close();
  shadow.close();
});

test("FileShadowReader goes on with the shadow WAL that was taken up again", async (stage) => {
  let shadow = stage.create();
  const wal = stage.life(2, 1);
  capture(shadow, wal, 2, 1_000);
  const from = reader(stage, () => shadow);
  await readAll(from, 999);
  shadow.close();
  shadow = stage.open();
  capture(shadow, wal, 3, 2_000);
  from.refresh();
  assertEquals(await readAll(from, 999), wal.slice(offsetOf(2)));
  from.close();
  shadow.close();
});

test("FileShadowReader keeps reading an index that is removed meanwhile", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2);
  capture(shadow, wal, 2, 1_000);
  shadow.closeIndex(1_000);
  shadow.syncNow();
  const from = reader(stage, () => shadow);
  assertEquals(await from.read(new Uint8Array(10)), 10);
  shadow.removeBefore(asIndex(1));
  assertEquals(await readAll(from, 999), wal.slice(10));
  from.close();
  shadow.close();
});

test("FileShadowReader refuses an index that is not held", (stage) => {
  const shadow = stage.create();
  capture(shadow, stage.life(1), 1, 1_000);
  shadow.closeIndex(1_000);
  shadow.syncNow();
  shadow.removeBefore(asIndex(1));
  const error = assertThrows(() => reader(stage, () => shadow), ReplicationError, "it begins at index 1");
  assertEquals(error.code, "gap");
  assertThrows(() => reader(stage, () => shadow, 2), ReplicationError);
  shadow.close();
});

test("FileShadowReader.read() says so when the file is shorter than what was published", async (stage) => {
  const shadow = stage.create();
  capture(shadow, stage.life(2), 2, 1_000);
  Deno.truncateSync(stage.path("0000000000000000.wal"), offsetOf(1));
  const from = reader(stage, () => shadow);
  const error = await assertRejects(() => readAll(from, 100_000), ReplicationError, "it is cut short");
  assert(error.code === "corrupt");
  from.close();
  shadow.close();
});
