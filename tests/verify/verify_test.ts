import { crc32c } from "../../lib/base/crc32c.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { asIndex, asOffset, formatPosition, type Index, type Position } from "../../lib/position/position.ts";
import { viewChain } from "../../lib/verify/chain.ts";
import { exitCodeFor } from "../../lib/verify/judgement.ts";
import type { ReplicaReport } from "../../lib/verify/report.ts";
import { pointsOf } from "../../lib/restore/ranges.ts";
import type { SourceLook } from "../../lib/verify/staleness.ts";
import { choosePoints } from "../../lib/verify/sample.ts";
import { takeScratch } from "../../lib/verify/scratch.ts";
import { type LadderOptions, type ReplicaRequest, verifyReplica } from "../../lib/verify/verify.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { offsetAfter } from "../../lib/wal/frame.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { blindStore } from "../support/blind_store.ts";
import { after, someFacts } from "../support/catalog_builder.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { NEWEST_UP_TO_EQUAL } from "../support/ladder_options.ts";
import { restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

interface Stage {
  readonly folder: string;
  readonly root: string;
  readonly built: ReplicaBuilder;
  readonly clock: SystemClock;
  verify(options?: Partial<LadderOptions>, request?: Partial<ReplicaRequest>): Promise<ReplicaReport>;
}

/** A snapshot of two pages, then two indexes with three commits, all with the checksum of the database there. */
async function withReplica(layout: Layout, work: (stage: Stage) => Promise<void>, hasChecksums = true): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const built = new ReplicaBuilder(root, { layout });
    const checksum = (...fills: number[]) =>
      hasChecksums ? { checksum: databaseChecksum(imageOf(4096, ...fills), 4096) } : {};
    const [one, two] = [new WalBuilder(), new WalBuilder({ salt: { salt1: 9, salt2: 8 } })];
    const ends = [one.commit(2, [1, 10]), one.commit(3, [2, 20], [3, 30]), two.commit(3, [3, 31])];
    await built.snapshot(0, 0, imageOf(4096, 1, 2));
    await built.wal(
      0,
      one.bytes(),
      { end: ends[0] ?? 0, databasePages: 2, ...checksum(10, 2) },
      { end: ends[1] ?? 0, databasePages: 3, ...checksum(10, 20, 30) },
    );
    await built.close(0);
    await built.wal(1, two.bytes(), { end: ends[2] ?? 0, databasePages: 3, ...checksum(10, 20, 31) });
    Deno.mkdirSync(`${folder}/scratch`);
    // Nobody waits for the second look.
    const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve() });
    await work({
      folder,
      root,
      built,
      clock,
      verify: async (options = {}, request = {}) => {
        const tools = { ...restoreTools({ clock }), folder: `${folder}/scratch`, keep: false };
        const replica = { name: "file", store: aStore(root, layout) };
        const verified = verifyReplica(
          { replica, url: `file://${root}`, ...request },
          { ...NEWEST_UP_TO_EQUAL, ...options },
          tools,
        );
        return await verified;
      },
    });
    assertEquals([...Deno.readDirSync(`${folder}/scratch`)], []);
  });
}

function outcomes({ rungs }: ReplicaReport): string[] {
  return rungs.map(({ rung, outcome }) => `${rung} ${outcome}`);
}

Deno.test("verifyReplica() says of a replica whose first snapshot was not finished that nothing can be restored yet", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    for (const name of ["snapshots", "wal"]) {
      Deno.mkdirSync(`${root}/generations/00000000000000aa/${name}`, { recursive: true });
    }
    Deno.writeFileSync(`${root}/generations/00000000000000aa/snapshots/snapshot.tmp`, new Uint8Array(4096));
    Deno.mkdirSync(`${folder}/scratch`);
    const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve() });
    const tools = { ...restoreTools({ clock }), folder: `${folder}/scratch`, keep: false };
    const replica = { name: "file", store: aStore(root, "raw") };
    const report = await verifyReplica({ replica, url: `file://${root}` }, NEWEST_UP_TO_EQUAL, tools);
    assertEquals(report.rungs[0]?.says, "1 generation, and no state is complete yet");
    assertEquals(report.findings.map(({ code }) => code).includes("not-found"), true);
    assertEquals(report.newest, undefined);
    assert(report.outcome !== "pass");
  }));

Deno.test("verifyReplica() reads each index whole in one of the runs of a slice, and what it restores in any", () =>
  withReplica("raw", async ({ verify, built }) => {
    const runs = [await verify({ slice: { part: 1, of: 2 } }), await verify({ slice: { part: 2, of: 2 } })];
    assertEquals(runs.map(({ outcome }) => outcome), ["pass", "pass"]);
    const says = runs.map(({ rungs }) => rungs.find(({ rung }) => rung === "intact")?.says ?? "");
    assertEquals(
      says[0],
      "4120 bytes read: each frame, record and image of part 1 of 2 of the chain is whole" +
        "; 0 of 1 recorded states have the source's checksum",
    );
    assertEquals(
      says[1],
      `${3 * 4120 + 2 * 4096} bytes read: each frame, record and image of part 2 of 2 of the chain is whole` +
        "; 2 recorded states have the source's checksum; 1 image without a checksum to compare with",
    );
    const path = built.path(1, "wal");
    const bytes = Deno.readFileSync(path);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    Deno.writeFileSync(path, bytes);
    const found = async (part: number) => {
      const { rungs } = await verify({ level: "intact", slice: { part, of: 2 } });
      return rungs.at(-1)?.outcome;
    };
    assertEquals([await found(1), await found(2)], ["fail", "pass"]);
    assertEquals((await verify({ slice: { part: 2, of: 2 } })).outcome, "fail");
  }));

Deno.test("verifyReplica() finds every bit that is flipped at either end of what stands behind the data of an object", () =>
  withReplica("litestream", async ({ verify, root }) => {
    const path = `${root}/generations/00000000000000aa/wal/00000000_00000000.wal.lz4`;
    const whole = Deno.readFileSync(path);
    const payload = new DataView(whole.buffer).getUint32(whole.length - 8, true);
    const places = [whole.length - payload - 8, whole.length - 8].flatMap((from) =>
      Array.from({ length: 8 }, (_, i) => from + i)
    );
    for (const at of places) {
      for (let bit = 0; bit < 8; bit++) {
        Deno.writeFileSync(path, whole.with(at, (whole[at] ?? 0) ^ (1 << bit)));
        const { outcome, findings } = await verify();
        assertEquals(outcome, "fail", `bit ${bit} of byte ${at - whole.length}`);
        assertStringIncludes(findings[0]?.problem ?? "", "/wal/00000000_");
      }
    }
  }));

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`verifyReplica() proves a whole ${layout} replica up to "equal"`, () =>
    withReplica(layout, async ({ verify, built }) => {
      const report = await verify();
      assertEquals(outcomes(report), ["reach pass", "chain pass", "intact pass", "restore pass", "equal pass"]);
      assertEquals([report.outcome, report.reached, report.findings, report.suspicions], ["pass", "equal", [], []]);
      assertEquals(report.proven, { position: built.position(1, 4152), capturedAtMs: built.lastMs });
      assertEquals(report.newest, report.proven);
      assert(report.recoveryTimeMs !== undefined);
    }));

  Deno.test(`verifyReplica() passes a ${layout} replica without checksums at the rung below, unless equality is asked for`, () =>
    withReplica(layout, async ({ verify }) => {
      const report = await verify();
      assertEquals([report.outcome, report.reached], ["pass", "restore"]);
      assertEquals(report.rungs.at(-1)?.says, "not available: the writer kept no checksum of this state");
      const asked = await verify({ isLevelExplicit: true });
      assertEquals([asked.outcome, exitCodeFor(asked.findings)], ["fail", 1]);
    }, false));

  Deno.test(`verifyReplica() names a flipped frame of ${layout}, and the newest state before it that is good`, () =>
    withReplica(layout, async ({ verify, root, built }) => {
      const path = layout === "raw"
        ? built.path(1, "wal")
        : `${root}/generations/00000000000000aa/wal/00000001_00000000.wal.lz4`;
      const bytes = Deno.readFileSync(path);
      bytes[60] = (bytes[60] ?? 0) ^ 1;
      Deno.writeFileSync(path, bytes);
      const report = await verify();
      assertEquals([report.outcome, report.reached, exitCodeFor(report.findings)], ["fail", "chain", 4]);
      assertStringIncludes(report.findings.map(({ problem }) => problem).join(), path.slice(root.length + 1));
      assertEquals(report.proven?.position, built.position(0, 12392));
    }));

  Deno.test(`verifyReplica() restores past points of ${layout}, the same ones by the same seed`, () =>
    withReplica(layout, async ({ verify }) => {
      const positions = async () => {
        const { proofs } = await verify({ sample: 2, seed: 5 });
        return proofs.filter(({ why }) => why === "sample").map((
          { position, outcome },
        ) => [formatPosition(position), outcome]);
      };
      const first = await positions();
      assertEquals(first.map(([, outcome]) => outcome), ["pass", "pass"]);
      assertEquals(await positions(), first);
    }));
}

Deno.test("verifyReplica() goes no further than its level", () =>
  withReplica("raw", async ({ verify }) => {
    const report = await verify({ level: "chain" });
    assertEquals([outcomes(report), report.reached, report.proofs], [["reach pass", "chain pass"], "chain", []]);
  }));

Deno.test("verifyReplica() says whether it is about the newest state, or one that somebody chose", () =>
  withReplica("raw", async ({ verify, built: { generation, lastMs } }) => {
    const position = { generation, index: asIndex(0), offset: offsetAfter(1, 4_096) };
    const rows: readonly (readonly [Partial<LadderOptions>, ReplicaReport["about"]])[] = [
      [{}, "newest state"],
      [{ sample: 1 }, "newest state"],
      [{ isSeedChosen: true }, "newest state"],
      [{ sample: 1, isSeedChosen: true }, "chosen state"],
      [{ target: { kind: "latest", generation } }, "chosen state"],
      [{ target: { kind: "time", atMs: lastMs } }, "chosen state"],
      [{ target: { kind: "position", position, generation } }, "chosen state"],
    ];
    for (const [options, about] of rows) {
      assertEquals((await verify({ ...options, level: "reach" })).about, about, JSON.stringify(options));
    }
  }));

Deno.test("verifyReplica() tries past points again, without a sample too, as far as they are still there", () =>
  withReplica("raw", async ({ verify, built: { generation } }) => {
    const at = (index: number) => ({ generation, index: asIndex(index), offset: offsetAfter(1, 4_096) });
    const tried = async (again: LadderOptions["again"]) =>
      (await verify({ again })).proofs.map(({ position }) => formatPosition(position));
    const [newest, past] = [at(1), at(0)].map(formatPosition);
    assertEquals(await tried([]), [newest]);
    assertEquals(await tried([at(0), at(7)]), [newest, past]);
  }));

Deno.test("verifyReplica() tells what is old from what has not been written to", () =>
  withReplica("raw", async ({ verify, built }) => {
    const stale = await verify({ level: "reach", maxAgeMs: 60_000 });
    assertEquals([stale.outcome, exitCodeFor(stale.findings)], ["fail", 5]);
    assertMatch(
      stale.findings[0]?.problem ?? "",
      /^the newest state, of 2025-06-01T12:00:04\.000Z, is \d+\.\d s old \(at most 60\.0 s\)$/,
    );
    const checksum = () => Promise.resolve(databaseChecksum(imageOf(4096, 10, 20, 31), 4096));
    const changed = (afterMs: number): SourceLook => ({
      changedAtMs: () => built.lastMs + afterMs,
      heard: () => Promise.resolve(undefined),
      checksum: () => Promise.resolve(undefined),
      syncIntervalMs: 1_000,
    });
    for (const maxAgeMs of [60_000, undefined]) {
      const asked = maxAgeMs === undefined ? { level: "reach" as const } : { level: "reach" as const, maxAgeMs };
      const quiet = await verify(asked, { source: changed(-5_000) });
      assertEquals([quiet.outcome, quiet.recoveryPointMs], ["pass", 0]);
      const behind = await verify(asked, { source: changed(61_000) });
      assertEquals([behind.outcome, exitCodeFor(behind.findings), behind.recoveryPointMs], ["fail", 5, 61_000]);
      // A checkpoint at the last close changes the file's time, and nothing else.
      const closed = await verify(asked, { source: { ...changed(61_000), checksum } });
      assertEquals([closed.outcome, closed.recoveryPointMs], ["pass", 0]);
    }
  }));

Deno.test("verifyReplica() asks the daemon again before a second look: a generation may have begun since the first", () =>
  withReplica("raw", async ({ verify, built }) => {
    const { newest } = await verify({ level: "reach" });
    assert(newest !== undefined);
    const { generation: _, ...place } = newest.position;
    const before = { ...place, generation: "00000000000000bb" as Generation };
    const asking = (...positions: Position[]): SourceLook => ({
      changedAtMs: () => built.lastMs + 3_600_000,
      heard: () => Promise.resolve({ position: positions.length > 1 ? positions.shift() : positions[0], lagMs: 0 }),
      checksum: () => Promise.resolve(undefined),
      syncIntervalMs: 1_000,
    });
    const begun = await verify({ level: "reach" }, { source: asking(before, newest.position) });
    assertEquals([begun.outcome, begun.recoveryPointMs], ["pass", 0]);
    const lost = await verify({ level: "reach" }, { source: asking(before) });
    assertEquals([lost.outcome, exitCodeFor(lost.findings)], ["fail", 5]);
    assertMatch(lost.findings[0]?.problem ?? "", /, and the daemon has written 00000000000000bb\//);
  }));

Deno.test("verifyReplica() takes a newest state from the future for as old as may be, and says so", () =>
  withReplica("raw", async ({ verify, built, clock }) => {
    const nowMs = built.lastMs - 30 * 24 * 3_600_000;
    Object.assign(clock, { now: () => new Date(nowMs) });
    const stale = await verify({ level: "reach", maxAgeMs: 60_000 });
    assertEquals([stale.outcome, exitCodeFor(stale.findings), stale.recoveryPointMs], ["fail", 5, undefined]);
    assertMatch(stale.findings[0]?.problem ?? "", /^the newest state is dated .* in the future/);
  }));

Deno.test("verifyReplica() is inconclusive where a store cannot be reached, and fails where nothing is there", () =>
  withReplica("raw", async ({ verify, folder }) => {
    const away = Object.assign(aStore(folder), {
      generations: () => Promise.reject(new ReplicationError("unavailable", "Cannot list it: no such device")),
    });
    const report = await verify({}, { replica: { name: "file", store: away } });
    assertEquals([report.outcome, exitCodeFor(report.findings)], ["inconclusive", 75]);
    assertEquals(outcomes(report).slice(1), ["chain not-run", "intact not-run", "restore not-run", "equal not-run"]);
    const none = await verify({}, { replica: { name: "file", store: aStore(`${folder}/none`) } });
    assertEquals([none.outcome, exitCodeFor(none.findings)], ["fail", 3]);
  }));

Deno.test("verifyReplica() is inconclusive about records of a later version", () =>
  withReplica("raw", async ({ verify, built }) => {
    const path = built.path(1, "commits");
    const bytes = Deno.readFileSync(path);
    const record = bytes.subarray(-64);
    record[0] = 3;
    new DataView(record.buffer, record.byteOffset).setUint32(60, crc32c(record.subarray(0, 60)), true);
    Deno.writeFileSync(path, bytes);
    const report = await verify();
    assertEquals([report.outcome, exitCodeFor(report.findings)], ["inconclusive", 75]);
  }));

Deno.test("verifyReplica() is inconclusive about an encrypted replica that this host can only write", () =>
  withReplica("raw", async ({ verify, root }) => {
    const report = await verify({}, { replica: { name: "file", store: blindStore(aStore(root)) } });
    assertEquals([report.outcome, exitCodeFor(report.findings)], ["inconclusive", 75]);
    assertMatch(report.findings[0]?.problem ?? "", /it is encrypted, and no identity is configured$/);
  }));

Deno.test("verifyReplica() takes nothing for damage that a second look no longer finds", () =>
  withReplica("raw", async ({ verify, root }) => {
    const store = aStore(root);
    let looks = 0;
    const catalogOf = store.catalog.bind(store);
    const racing = Object.assign(store, {
      catalog: async (generation: Generation) => {
        const catalog = await catalogOf(generation);
        return looks++ === 1 ? { ...catalog, wals: catalog.wals.slice(1) } : catalog;
      },
    });
    const report = await verify({}, { replica: { name: "file", store: racing } });
    assertEquals([report.outcome, report.findings], ["pass", []]);
    assert(looks > 4);
  }));

Deno.test("verifyReplica() takes nothing for damage that each of two looks finds elsewhere", () =>
  withReplica("raw", async ({ verify, root }) => {
    const store = aStore(root);
    const recordsOf = store.records.bind(store);
    const calls: number[] = [];
    const racing = Object.assign(store, {
      records: async (generation: Generation, index: Index) => {
        calls.push(index);
        // Retention was quicker: at index 0 in the first look, at index 1 in the second.
        return calls.length === 1 || calls.length === 4 ? [] : await recordsOf(generation, index);
      },
    });
    const report = await verify({ level: "intact" }, { replica: { name: "file", store: racing } });
    assertEquals([report.outcome, report.findings, calls], ["pass", [], [0, 1, 0, 1]]);
  }));

Deno.test("viewChain() finds an index that is missing between two snapshots", () => {
  const snapshots = [{ index: 0, atMs: 100 }, { index: 2, atMs: 200 }];
  const wal = (index: number) => ({ index, records: [[1, 110 + index]] as const, closedMs: 120 + index });
  const problems = (...wals: number[]) =>
    viewChain(someFacts({ snapshots, wals: wals.map(wal) })).findings.map(({ problem }) => problem);
  assertEquals(problems(0, 1, 2), []);
  assertMatch(problems(0, 2).join(), /wal\/0000000000000001\.wal is missing/);
  assertMatch(problems().join(), /wal\/0000000000000000\.wal is missing/);
});

Deno.test("viewChain() finds WAL that was cut off before a snapshot that makes the newest state restorable all the same", () => {
  const entry = { promisedEnd: asOffset(after(4)), recordProblem: "its WAL has 200 bytes" };
  const wals = [{ index: 0, records: [[2, 100], [4, 110]] as const, readable: 0, entry }];
  const problems = (frames: number) => {
    const snapshots = [{ index: 0, atMs: 90 }, { index: 0, frames, atMs: 115 }];
    return viewChain(someFacts({ snapshots, wals })).findings.map(({ problem }) => problem);
  };
  assertEquals(problems(4), ["its WAL has 200 bytes"]);
});

Deno.test("viewChain() suspects WAL that no snapshot leads to", () => {
  const wals = [0, 1, 2].map((index) => ({ index, records: [[1, 110 + index]] as const, closedMs: 120 + index }));
  const { findings, suspicions } = viewChain(someFacts({ snapshots: [{ index: 1, atMs: 115 }], wals }));
  assertEquals(findings, []);
  assertMatch(suspicions.join(), /the WAL of index 0000000000000000 stands before the first whole snapshot/);
});

Deno.test("choosePoints() takes boundaries first, each point once, and no more than there are", () => {
  const facts = someFacts({
    snapshots: [{ index: 0, atMs: 100 }],
    wals: [{ index: 0, records: [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]], closedMs: 6 }, {
      index: 1,
      records: [[1, 7], [2, 8]],
    }],
  });
  const records = new Map(facts.catalog.wals.map(({ index }, slot) => {
    const last = facts.catalog.wals[slot]?.lastRecord;
    return [index, last === undefined ? [] : [last]];
  }));
  const { generation } = facts.catalog;
  const points = pointsOf(facts, records).map(({ index, offset, capturedAtMs, isBoundary }) => ({
    position: { generation, index, offset },
    capturedAtMs,
    isBoundary,
  }));
  assertEquals(points.map(({ isBoundary }) => isBoundary), [true, true, true]);
  const inner = points.map((point) => ({ ...point, isBoundary: false }));
  const chosen = choosePoints([...inner, ...points], 4, 3);
  assertEquals(chosen.slice(0, 2).map(({ isBoundary }) => isBoundary), [true, true]);
  assertEquals(new Set(chosen).size, 4);
  assertEquals(choosePoints(points, 99, 3).length, 3);
});

Deno.test("takeScratch() keeps runs over the same replicas apart, and removes what a killed one has left", () =>
  withTemporaryFolder((parent) => {
    const platform = { files: unsyncedFiles(), random: new SystemRandom() };
    const take = (subject: string) => takeScratch(platform, { parent, userId: Deno.uid() ?? undefined }, subject);
    const first = take("a");
    Deno.writeTextFileSync(`${first.folder}/restored.db`, "left");
    assertThrows(() => take("a"), ReplicationError, "another run");
    take("b").release(false);
    first.release(true);
    const second = take("a");
    assertThrows(() => Deno.statSync(first.folder), Deno.errors.NotFound);
    assertEquals((Deno.statSync(second.folder).mode ?? 0) & 0o777, 0o700);
    second.release(false);
    assertThrows(() => Deno.statSync(second.folder), Deno.errors.NotFound);
  }));

Deno.test("takeScratch() refuses a folder that others may enter", () =>
  withTemporaryFolder((parent) => {
    const userId = Deno.uid() ?? undefined;
    Deno.mkdirSync(`${parent}/tailrace-verify-${userId ?? "user"}`);
    Deno.chmodSync(`${parent}/tailrace-verify-${userId ?? "user"}`, 0o777);
    const platform = { files: unsyncedFiles(), random: new SystemRandom() };
    assertThrows(() => takeScratch(platform, { parent, userId }, "a"), ReplicationError, "is not ours");
  }));
