/**
 * Objects of a replica that stand where others belong: of another index, another generation, another database. Each says so
 * by itself: nothing here has a checksum of the database that would tell it.
 */
import { viewOf } from "../../lib/base/bytes.ts";
import { SKIPPABLE_HEADER_BYTES } from "../../lib/lz4/frame_format.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { runInProcess, type Seen } from "../support/command_in_process.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

const GENERATION = "00000000000000aa";
const LAST_INDEX = 3;
const HOUR_MS = 3_600_000;

/** Four lives of a WAL, all of the same length, with a snapshot before the first and before the third. */
async function aHistory(
  root: string,
  options: { readonly layout: Layout; readonly generation: string; readonly startMs: number },
  fill: number,
  hasChecksums: boolean,
) {
  const replica = new ReplicaBuilder(root, options);
  const pages = [fill, fill];
  for (let index = 0; index <= LAST_INDEX; index++) {
    if (index % 2 === 0) await replica.snapshot(index, 0, imageOf(4096, ...pages));
    const wal = new WalBuilder({ salt: { salt1: fill, salt2: index } });
    const ends = [1, 2].map((page) => {
      pages[page - 1] = fill + 10 * index + page;
      const end = Number(wal.commit(2, [page, fill + 10 * index + page]));
      const checksum = databaseChecksum(imageOf(4096, ...pages), 4096);
      return { end, databasePages: 2, ...(hasChecksums ? { checksum } : {}) };
    });
    for (const end of ends) await replica.wal(index, wal.bytes(), end);
    if (index < LAST_INDEX) await replica.close(index);
  }
  return replica;
}

class Stage {
  readonly root: string;
  readonly folder: string;
  readonly layout: Layout;
  #restores = 0;

  constructor(folder: string, layout: Layout) {
    this.folder = folder;
    this.root = `${folder}/replica`;
    this.layout = layout;
  }

  static async build(folder: string, layout: Layout, hasChecksums: boolean): Promise<Stage> {
    const stage = new Stage(folder, layout);
    const startMs = EPOCH_MS + HOUR_MS;
    await aHistory(stage.root, { layout, generation: "00000000000000bb", startMs: EPOCH_MS }, 60, hasChecksums);
    await aHistory(stage.root, { layout, generation: GENERATION, startMs }, 1, hasChecksums);
    await aHistory(`${folder}/other`, { layout, generation: "00000000000000cc", startMs }, 100, hasChecksums);
    return stage;
  }

  /** The objects of one index, by what stands behind it in their names. */
  objects(
    kind: "wal" | "snapshots",
    index: number,
    place = `${this.root}/generations/${GENERATION}`,
  ): Map<string, string> {
    const digits = index.toString(16).padStart(this.layout === "raw" ? 16 : 8, "0");
    const folder = `${place}/${kind}`;
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.startsWith(digits));
    return new Map(names.map((name) => [name.slice(digits.length), `${folder}/${name}`]));
  }

  exchange(kind: "wal" | "snapshots", one: number, two: number, which = /./): void {
    const others = this.objects(kind, two);
    for (const [suffix, path] of this.objects(kind, one)) {
      const other = others.get(suffix);
      if (other === undefined || !which.test(suffix)) continue;
      Deno.renameSync(path, `${path}.away`);
      Deno.renameSync(other, path);
      Deno.renameSync(`${path}.away`, other);
    }
  }

  replace(kind: "wal" | "snapshots", index: number, by: Map<string, string>): void {
    for (const [suffix, path] of this.objects(kind, index)) Deno.copyFileSync(by.get(suffix) ?? "", path);
  }

  /** Leaves of these objects what Litestream would have written. */
  takeTails(names: RegExp): void {
    for (const kind of ["wal", "snapshots"]) {
      const folder = `${this.root}/generations/${GENERATION}/${kind}`;
      for (const { name } of Deno.readDirSync(folder)) {
        if (!names.test(`${kind}/${name}`)) continue;
        const bytes = Deno.readFileSync(`${folder}/${name}`);
        const payloadBytes = viewOf(bytes).getUint32(bytes.length - 8, true);
        Deno.writeFileSync(
          `${folder}/${name}`,
          bytes.subarray(0, bytes.length - payloadBytes - SKIPPABLE_HEADER_BYTES),
        );
      }
    }
  }

  run(...words: readonly string[]): Promise<Seen> {
    return runInProcess(words, this.folder, { TMPDIR: this.folder });
  }

  /** Undefined: refused as damaged. */
  async restored(position: string | undefined): Promise<string | undefined> {
    const output = `${this.folder}/restored-${this.#restores++}.db`;
    const words = position === undefined ? ["--generation", GENERATION] : ["--position", position];
    const { code, stderr } = await this.run("restore", ...words, "-o", output, `file://${this.root}`);
    assert(code === 0 || code === 4, `${code}: ${stderr}`);
    if (code === 4) {
      assertMatch(stderr, /generations\/00000000000000aa\/(wal|snapshots)\/0/, "the object is named");
      return undefined;
    }
    return Deno.readFileSync(output).reduce((sum, byte, at) => at % 4096 === 1000 ? `${sum} ${byte}` : sum, "");
  }

  async points(): Promise<string[]> {
    const { stdout } = await this.run("points", "--json", "--generation", GENERATION, `file://${this.root}`);
    const { points } = JSON.parse(stdout) as { points: { kind: string; from: { position: string } }[] };
    return points.map(({ from }) => from.position);
  }
}

interface Exchange {
  readonly what: string;
  readonly layouts?: readonly Layout[];
  /** What says that something is wrong names one of these. */
  readonly named: RegExp;
  /** By a list of points, where that is told in another way. */
  readonly listed?: RegExp;
  /** An older snapshot serves in its place: a list of points has nothing but a note of it. */
  readonly isSpared?: boolean;
  /** The newest state does not depend on it. */
  readonly isRestorable: boolean;
  /** The newest state has a checksum, and is compared with it. */
  readonly isEqual?: boolean;
  readonly do: (stage: Stage) => void;
}

const otherGeneration = (stage: Stage) => `${stage.root}/generations/00000000000000bb`;
const otherDatabase = (stage: Stage) => `${stage.folder}/other/generations/00000000000000cc`;

const EXCHANGES: readonly Exchange[] = [
  {
    what: "the WAL of two old indexes",
    named: /wal\/0+[01]\D.* was written for index 0{15}[01], not for 0{15}[01]/,
    isRestorable: true,
    do: (stage) => stage.exchange("wal", 0, 1),
  },
  {
    what: "the WAL of an old index and of the newest",
    named: /wal\/0+[13]\D.* was written for index 0{15}[13], not for 0{15}[13]/,
    isRestorable: false,
    do: (stage) => stage.exchange("wal", 1, 3),
  },
  {
    what: "the first segments of two old indexes",
    layouts: ["litestream"],
    named: /wal\/0+[01]_0+\..* was written for index 0{15}[01], not for 0{15}[01]/,
    listed: /wal\/0+[01]_\*.* is damaged after 0 records/,
    isRestorable: true,
    do: (stage) => stage.exchange("wal", 0, 1, /^_00000000/),
  },
  {
    what: "the WAL of an old index, for that of another generation",
    named: /wal\/0+0\D.* of generation 00000000000000bb, not of 00000000000000aa/,
    isRestorable: true,
    do: (stage) => stage.replace("wal", 0, stage.objects("wal", 0, otherGeneration(stage))),
  },
  {
    what: "the newest WAL, for that of another database",
    named: /wal\/0+3\D.* of generation 00000000000000cc, not of 00000000000000aa/,
    isRestorable: false,
    do: (stage) => stage.replace("wal", 3, stage.objects("wal", 3, otherDatabase(stage))),
  },
  {
    what: "two snapshots with their records",
    named: /snapshots\/0+[02]\..* was written for index 0{15}[02], not for 0{15}[02]/,
    isRestorable: false,
    do: (stage) => stage.exchange("snapshots", 0, 2),
  },
  {
    what: "a snapshot and its record, for those of an older one",
    named: /snapshots\/0+2\..* was written for index 0{15}0, not for 0{15}2/,
    isSpared: true,
    isRestorable: true,
    do: (stage) => stage.replace("snapshots", 2, stage.objects("snapshots", 0)),
  },
  {
    what: "the first snapshot and its record, for those of another database",
    named: /snapshots\/0+0\..* of generation 00000000000000cc, not of 00000000000000aa/,
    isRestorable: true,
    do: (stage) => stage.replace("snapshots", 0, stage.objects("snapshots", 0, otherDatabase(stage))),
  },
  {
    what: "an old segment, for one without a tail",
    layouts: ["litestream"],
    named: /wal\/0+1_0+\.wal\.lz4 is damaged: it has no tail/,
    listed: /wal\/0+1_\*.* is damaged after 0 records/,
    isRestorable: true,
    isEqual: true,
    do: (stage) => stage.takeTails(/wal\/00000001_00000000/),
  },
  {
    what: "the newest segment, for one without a tail",
    layouts: ["litestream"],
    named: /wal\/0+3_0+1038\.wal\.lz4 is damaged: it has no tail/,
    isRestorable: false,
    do: (stage) => stage.takeTails(/wal\/00000003_00001038/),
  },
  {
    what: "a snapshot, for one without a tail",
    layouts: ["litestream"],
    named: /snapshots\/0+2\.snapshot\.lz4 is damaged: it has no tail/,
    isSpared: true,
    isRestorable: true,
    do: (stage) => stage.takeTails(/snapshots\/00000002/),
  },
  {
    what: "all but one, for objects without a tail",
    layouts: ["litestream"],
    named: /\/0+\d\S+ is damaged: it has no tail/,
    isRestorable: false,
    do: (stage) => stage.takeTails(/snapshots\/|wal\/0000000[1-3]/),
  },
  {
    what: "two segments of one index",
    layouts: ["litestream"],
    named: /wal\/0+1_0+(1038)?\.wal\.lz4 is damaged: it was written for offset (0|4152), not for (0|4152)/,
    listed: /wal\/0+1_\*.* is damaged after 0 records/,
    isRestorable: true,
    do: (stage) => {
      const wal = `${stage.root}/generations/${GENERATION}/wal`;
      Deno.renameSync(`${wal}/00000001_00000000.wal.lz4`, `${wal}/away`);
      Deno.renameSync(`${wal}/00000001_00001038.wal.lz4`, `${wal}/00000001_00000000.wal.lz4`);
      Deno.renameSync(`${wal}/away`, `${wal}/00000001_00001038.wal.lz4`);
    },
  },
  {
    what: "everything, for that of another generation",
    named: /\/0+\d\D.* of generation 00000000000000bb, not of 00000000000000aa/,
    isRestorable: false,
    do: (stage) => {
      const own = `${stage.root}/generations/${GENERATION}`;
      Deno.renameSync(own, `${stage.folder}/away`);
      Deno.renameSync(otherGeneration(stage), own);
    },
  },
];

for (const layout of ["raw", "litestream"] as const) {
  for (
    const { what, layouts = [layout], named, listed = named, isSpared, isRestorable, isEqual = false, do: exchange }
      of EXCHANGES
  ) {
    if (!layouts.includes(layout)) continue;
    Deno.test(`trouble: exchanged in a ${layout} replica: ${what}`, () =>
      withTemporaryFolder(async (folder) => {
        const stage = await Stage.build(folder, layout, isEqual);
        const before = new Map<string, string | undefined>();
        for (const position of await stage.points()) before.set(position, await stage.restored(position));
        const newest = await stage.restored(undefined);
        assert(newest !== undefined && before.size > 0);
        exchange(stage);
        for (const [words, told] of [[["verify", "--level", "equal"], named], [["points"], listed]] as const) {
          const { code, stdout, stderr } = await stage.run(...words, `file://${stage.root}`);
          assertEquals(code, words[0] === "points" && isSpared === true ? 0 : 4, `${words}: ${stdout}${stderr}`);
          assertMatch(stdout + stderr, told, words[0]);
          if (isEqual && words[0] === "verify") assertMatch(stdout, /^ +equal +pass /m);
        }
        const after = await stage.restored(undefined);
        assertEquals(after, isRestorable ? newest : undefined, "the newest state");
        for (const [position, content] of before) {
          const now = await stage.restored(position);
          assert(now === undefined || now === content, `${position} is ${now} (expected ${content})`);
        }
      }));
  }
}
