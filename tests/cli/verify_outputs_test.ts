/** What `verify` writes, in every form, of every damage at every level: nothing of it reads as well where something is not. */
import { RUNGS } from "../../lib/verify/report.ts";
import { crc32c } from "../../lib/base/crc32c.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { makeNode } from "../support/no_files.ts";
import { changeByte, EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

const PAGE = 4096;

interface Damage {
  readonly name: string;
  /** The lowest level at which it is seen; absent: never. */
  readonly from?: typeof RUNGS[number];
  readonly code: number;
  readonly words?: readonly string[];
  readonly do: (replica: ReplicaBuilder) => void;
  /** Of the last point. */
  readonly checksum?: Uint8Array;
}

const newestImage = imageOf(PAGE, 12, 2);

const DAMAGES: readonly Damage[] = [
  { name: "none", code: 0, do: () => {} },
  {
    name: "an index is gone before a snapshot",
    from: "chain",
    code: 4,
    do: (replica) => {
      Deno.removeSync(replica.path(1, "wal"));
      Deno.removeSync(replica.path(1, "commits"));
    },
  },
  {
    name: "a bit of the last WAL",
    from: "intact",
    code: 4,
    do: (replica) => changeByte(replica.path(2, "wal"), 3_000, (byte) => byte ^ 1),
  },
  {
    name: "a bit of the last snapshot, whose record has no checksum",
    from: "intact",
    code: 4,
    do: (replica) => changeByte(replica.path(2, "snapshot"), 5_000, (byte) => byte ^ 1),
  },
  {
    name: "whole bytes of another database",
    from: "intact",
    code: 4,
    checksum: databaseChecksum(imageOf(PAGE, 13, 2), PAGE),
    do: () => {},
  },
  {
    name: "no backup",
    from: "reach",
    code: 3,
    do: ({ root }) => Deno.removeSync(`${root}/generations`, { recursive: true }),
  },
  { name: "too old", from: "reach", code: 5, words: ["--max-age", "1h"], do: () => {} },
  {
    name: "records of a later version",
    from: "reach",
    code: 75,
    do: (replica) => recordOfLaterVersion(replica.path(2, "commits")),
  },
];

function recordOfLaterVersion(path: string): void {
  const bytes = Deno.readFileSync(path);
  const record = bytes.subarray(-64);
  record[0] = 9;
  new DataView(record.buffer, record.byteOffset).setUint32(60, crc32c(record.subarray(0, 60)), true);
  Deno.writeFileSync(path, bytes);
}

async function build(root: string, checksum: Uint8Array | undefined): Promise<ReplicaBuilder> {
  const replica = new ReplicaBuilder(root, { startMs: EPOCH_MS });
  await replica.snapshot(0, 0, imageOf(PAGE, 1, 2));
  for (const index of [0, 1, 2]) {
    const wal = new WalBuilder({ salt: { salt1: index + 1, salt2: 7 } });
    const end = wal.commit(2, [1, 10 + index]);
    const sum = databaseChecksum(imageOf(PAGE, 10 + index, 2), PAGE);
    await replica.wal(index, wal.bytes(), { end, databasePages: 2, checksum: (index === 2 && checksum) || sum });
    if (index < 2) await replica.close(index);
    if (index === 1) await replica.snapshot(2, 0, imageOf(PAGE, 11, 2));
  }
  return replica;
}

/** Of two runs one after the other. */
function untimed(text: string): string {
  return text.replaceAll(/\d+\.\d s old/g, "");
}

interface Told {
  readonly rung: string;
  readonly outcome: string;
  readonly says: string;
}

for (const { name, from, code, words = [], checksum, do: damage } of DAMAGES) {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      damage(await build(`${folder}/r`, checksum));
      Deno.mkdirSync(`${folder}/tmp`);
      const url = `file://${folder}/r`;
      const run = (...more: string[]) =>
        runInProcess(["verify", ...words, ...more, url], folder, { TMPDIR: `${folder}/tmp` });
      for (const level of RUNGS) {
        const said = `${name}, --level ${level}`;
        const isSeen = from !== undefined && RUNGS.indexOf(level) >= RUNGS.indexOf(from);
        const text = await run("--level", level, "--report", "out.json", "--metrics-textfile", "out.prom");
        assertEquals(text.code, isSeen ? code : 0, `${said}\n${text.stdout}${text.stderr}`);
        const { outcome, replicas: [replica] } = JSON.parse(Deno.readTextFileSync(`${folder}/out.json`));
        const rungs: Told[] = replica.rungs;
        const wrong = rungs.filter(({ outcome }) => outcome === "fail" || outcome === "inconclusive");
        assertEquals(outcome, isSeen ? (code === 75 ? "inconclusive" : "fail") : "pass", said);
        assertEquals(wrong.some((rung) => rung.outcome === outcome), isSeen, said);

        const [title = "", ...lines] = text.stdout.split("\n");
        if (isSeen) {
          assert(wrong.some(({ says }) => title.endsWith(`: ${says}`)), `${said}\n${text.stdout}`);
          assertMatch(title, code === 5 ? /^STALE / : code === 75 ? /^INCONCLUSIVE / : /^FAILED /, said);
          if (code !== 5) assert(!/restored in|would have lost/.test(text.stdout), text.stdout);
        } else {
          assertMatch(
            title,
            RUNGS.indexOf(level) < RUNGS.indexOf("restore") ? /^PASSED .*nothing was restored$/ : /^PROVEN /,
          );
        }
        for (const { rung, outcome, says } of rungs) {
          assert(lines.some((line) => line === `  ${rung.padEnd(9)} ${outcome.padEnd(13)} ${says}`), text.stdout);
        }
        const isChainWrong = wrong.some(({ rung }) => rung === "chain" || rung === "reach" && code !== 5);
        if (isChainWrong) assert(!rungs.some(({ says }) => / is whole| none missing/.test(says)), text.stdout);

        const nagios = await run("--level", level, "--format", "nagios");
        assertEquals(nagios.code, isSeen ? (code === 75 ? 3 : 2) : 0, said);
        if (isSeen) {
          assert(wrong.some(({ says }) => untimed(nagios.stdout).includes(`: ${untimed(says)}`)), nagios.stdout);
        } else assertEquals(/ proven /.test(nagios.stdout), title.startsWith("PROVEN"), nagios.stdout);

        const { stdout: junit } = await run("--level", level, "--format", "junit");
        const count = (kind: string) => wrong.filter((rung) => rung.outcome === kind).length;
        assertEquals(junit.match(/<failure /g)?.length ?? 0, count("fail"), said);
        assertEquals(junit.match(/<error /g)?.length ?? 0, count("inconclusive"), said);
        assertMatch(junit, new RegExp(`failures="${count("fail")}" errors="${count("inconclusive")}"`));

        const metrics = Deno.readTextFileSync(`${folder}/out.prom`);
        const isProven = /last_success_timestamp_seconds\{[^}]*\} [1-9]/.test(metrics);
        assertEquals(isProven, !isSeen && RUNGS.indexOf(level) >= RUNGS.indexOf("equal"), `${said}\n${metrics}`);
        assertEquals(/_rung\{[^}]*\} 0$/m.test(metrics), count("fail") > 0, said);
        if (metrics.includes("restored_bytes{")) {
          assertMatch(metrics, new RegExp(`restored_bytes\\{[^}]*\\} ${newestImage.length}$`, "m"));
          assert(rungs.some(({ rung, outcome }) => rung === "restore" && outcome === "pass"), said);
        }
        Deno.removeSync(`${folder}/out.prom`);
      }
      const restored = await runInProcess(["restore", "-o", "out.db", url], folder, {});
      const isRefused = from === "restore" || checksum !== undefined || name.startsWith("a bit") || code === 3 ||
        code === 75;
      assertEquals(restored.code === 0, !isRefused, restored.stderr);
    });
  Deno.test({ name: `verify says in every form, at every level, what is wrong: ${name}`, timeout: 60_000, fn });
}

Deno.test("verify takes the place of nothing but a file with its reports, and says so before it begins", () =>
  withTemporaryFolder(async (folder) => {
    makeNode("pipe", `${folder}/pipe`);
    for (const flag of ["--report", "--metrics-textfile"]) {
      const words = ["verify", flag, "pipe", `file://${folder}/none`];
      const { code, stderr } = await runInProcess(words, folder, { TMPDIR: folder });
      assertEquals([code, stderr.split("\n")[0]], [2, `Cannot use ${flag} pipe: it is a named pipe, not a file`]);
      assert(Deno.lstatSync(`${folder}/pipe`).isFifo);
    }
  }));
