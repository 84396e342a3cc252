/**
 * Replicas that the version before records had a home has written (`tests/golden/replicas`): they are read for ever, and
 * gone on with. What must come of each point was said by that version.
 */
import { createHash } from "node:crypto";
import { viewOf } from "../../lib/base/bytes.ts";
import { asIndex, asOffset, formatPosition, parsePosition } from "../../lib/position/position.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { parseGeneration } from "../../lib/position/generation.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { frameSize, storedChecksum } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { SyntheticWal } from "../../lib/wal/synthetic_wal.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { versionsIn } from "../support/older_records.ts";
import { aStore } from "../support/replica_builder.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { walBytes } from "../support/rewritten_wal.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

const GOLDEN = new URL("../golden/replicas", import.meta.url).pathname;

interface Expected {
  readonly generation: string;
  /** By position, the SHA-256 of the database there. */
  readonly points: Readonly<Record<string, string>>;
}

class Stage {
  readonly folder: string;
  readonly root: string;
  readonly store: GenerationStore;
  readonly expected: Expected;
  readonly #generation;
  #restores = 0;

  constructor(folder: string, layout: Layout) {
    this.folder = folder;
    this.root = `${folder}/replica`;
    copy(`${GOLDEN}/${layout}`, this.root);
    this.store = aStore(this.root, layout);
    this.expected = JSON.parse(Deno.readTextFileSync(`${GOLDEN}/${layout}.json`));
    this.#generation = parseGeneration(this.expected.generation);
  }

  get generation() {
    assert(this.#generation !== undefined);
    return this.#generation;
  }

  async image(text?: string): Promise<Uint8Array> {
    const output = `${this.folder}/${this.#restores++}.db`;
    const position = text === undefined ? undefined : parsePosition(text);
    await restoreFrom(this.store, output, position && { kind: "position", position, generation: position.generation });
    return Deno.readFileSync(output);
  }

  async expectPoints(from = 0): Promise<void> {
    for (const [position, hash] of Object.entries(this.expected.points)) {
      if ((parsePosition(position)?.index ?? 0) < from) continue;
      assertEquals(createHash("sha256").update(await this.image(position)).digest("hex"), hash, position);
    }
  }

  async expectProven(): Promise<void> {
    const { code, stdout, stderr } = await runInProcess(
      ["verify", "--level", "equal", "--sample", "20", `file://${this.root}`],
      this.folder,
      { TMPDIR: this.folder },
    );
    assertEquals(code, 0, stdout + stderr);
  }

  /** One more transaction at the end, with the checksum of the database there; closes the index as well. */
  async goOn(fill: number, closes: boolean): Promise<string> {
    const end = await this.store.end(this.generation);
    assert(end !== undefined);
    const last = (await this.store.records(this.generation, end.index)).at(-1);
    const wal = await walBytes(this.store, this.generation, end.index);
    const parsed = parseWalHeader(wal.subarray(0, WAL_HEADER_SIZE));
    assert(last !== undefined && parsed.ok);
    const { pageSize, databasePages } = last;
    const image = await this.image();
    const content = new Uint8Array(pageSize).fill(fill);
    image.set(content, pageSize);
    const pieces: Uint8Array[] = [];
    const chain = storedChecksum(viewOf(wal), wal.length - frameSize(pageSize));
    const transaction = new SyntheticWal(parsed.header, chain, (_, frames) => pieces.push(frames.slice()));
    transaction.add(2, content);
    transaction.finish(databasePages);
    const record: CommitRecord = {
      kind: "sync",
      pageSize,
      start: end.offset,
      end: asOffset(end.offset + frameSize(pageSize)),
      capturedAtMs: last.capturedAtMs + 1_000,
      databasePages,
      checksum: databaseChecksum(image, pageSize),
      capturedLate: false,
      indexClosed: false,
    };
    await this.store.appendWal(this.generation, end.index, end.offset, {
      next: () => Promise.resolve(pieces.shift() ?? new Uint8Array()),
      records: () => closes ? [record, { ...record, start: record.end, indexClosed: true }] : [record],
    });
    await this.store.rest?.();
    return formatPosition({ generation: this.generation, index: end.index, offset: record.end });
  }
}

function copy(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(`${from}/${name}`, `${to}/${name}`);
    else Deno.writeFileSync(`${to}/${name}`, Deno.readFileSync(`${from}/${name}`));
  }
}

for (const layout of ["raw", "litestream"] as const) {
  const test = (name: string, work: (stage: Stage) => Promise<void>) =>
    Deno.test(`A ${layout} replica of an older version ${name}`, () =>
      withTemporaryFolder((folder) => work(new Stage(folder, layout))));

  test("is proven, and each of its points restored", async (stage) => {
    await stage.expectProven();
    await stage.expectPoints();
  });

  test("is gone on with: an index that has records of both versions", async (stage) => {
    const first = await stage.goOn(7, false);
    assertEquals((await stage.image(first)).subarray(512, 1024), new Uint8Array(512).fill(7));
    await stage.goOn(8, true);
    await stage.expectProven();
    await stage.expectPoints();
    if (layout !== "raw") return;
    const wal = `${stage.root}/generations/${stage.generation}/wal`;
    assertEquals(versionsIn(`${wal}/0000000000000001.commits`), [1, 1, 1, 1], "nothing that stands there is changed");
    assertEquals(versionsIn(`${wal}/0000000000000002.commits`), [1, 2, 2, 2]);
  });

  test("is cut back where its end is damaged, whichever version the records are of", async (stage) => {
    const last = await stage.goOn(7, false);
    const before = Object.keys(stage.expected.points).at(-1);
    assert(before !== undefined);
    const index = parsePosition(last)?.index ?? asIndex(0);
    if (layout === "raw") {
      await stage.store.cutWal(stage.generation, index, asOffset(parsePosition(before)?.offset ?? 0));
    } else await stage.store.cutWal(stage.generation, index, asOffset((parsePosition(last)?.offset ?? 0) - 1));
    await stage.expectProven();
    await stage.expectPoints();
    assertEquals(await stage.goOn(9, true), last);
    await stage.expectProven();
  });

  test("loses its oldest part by retention", async (stage) => {
    await stage.goOn(7, false);
    await stage.store.removeSnapshot(stage.generation, asIndex(0));
    await stage.store.removeWal(stage.generation, asIndex(0));
    await stage.expectProven();
    await stage.expectPoints(1);
  });
}
