import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "../support/assert.ts";
import { GOLDEN_WALS, readGoldenWal } from "../golden/read.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../../lib/wal/header.ts";
import { type Scan, scanFrames } from "../../lib/wal/scanner.ts";

function headerOf(wal: Uint8Array): WalHeader {
  const parsed = parseWalHeader(wal);
  assert(parsed.ok);
  return parsed.header;
}

function scan(wal: Uint8Array, header: WalHeader): Scan {
  return scanFrames(wal.subarray(WAL_HEADER_SIZE), header, header.checksum);
}

Deno.test("scanFrames() ends exactly before the frame in which one bit is flipped", () => {
  const { bytes, expected } = readGoldenWal("page_512");
  const header = headerOf(bytes);
  const size = frameSize(header.pageSize);
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const at = WAL_HEADER_SIZE + randomInteger(random, expected.frames * size);
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ (1 << randomInteger(random, 8));
    const found = scan(changed, header);
    const frame = Math.floor((at - WAL_HEADER_SIZE) / size);
    assertEquals(found.frames, frame, `seed ${seed}`);
    assert(found.stoppedBy === "checksum-broken" || found.stoppedBy === "salt-changed", `seed ${seed}`);
  }
});

Deno.test("scanFrames() finds nothing that cannot be there in random bytes, and never throws", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const random = seededRandom(seed);
    const { bytes } = readGoldenWalOnce(random);
    const header = headerOf(bytes);
    const noise = randomBytes(random, randomInteger(random, 3000));
    // Frames that carry the right salts get as far as the sums.
    if (noise.length >= 24 && random() < 0.5) noise.set(bytes.subarray(16, 24), 8);
    const found = scanFrames(noise, header, header.checksum);
    assertEquals([found.frames, found.commits, found.committedFrames], [0, 0, 0], `seed ${seed}`);
  }
});

const goldens = GOLDEN_WALS.map((name) => readGoldenWal(name)).filter(({ bytes }) => bytes.length < 30_000);

function readGoldenWalOnce(random: () => number) {
  const golden = goldens[randomInteger(random, goldens.length)];
  assert(golden !== undefined);
  return golden;
}

/** A WAL of real transactions of random size, some rolled back, some behind a restart; and its database. */
function writeRandomPair(folder: string, random: () => number): { database: Uint8Array; wal: Uint8Array<ArrayBuffer> } {
  const database = new DatabaseSync(`${folder}/source.db`);
  try {
    database.exec(`PRAGMA page_size=${512 << randomInteger(random, 3)}; PRAGMA journal_mode=WAL`);
    database.exec(
      "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=3; CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)",
    );
    const insert = database.prepare("INSERT INTO t(body) VALUES (?)");
    for (let transaction = 0; transaction < 8; transaction++) {
      database.exec("BEGIN");
      for (let row = randomInteger(random, 8); row >= 0; row--) {
        insert.run(randomBytes(random, randomInteger(random, 900)));
      }
      database.exec(random() < 0.3 ? "ROLLBACK" : "COMMIT");
      if (random() < 0.15) database.prepare("PRAGMA wal_checkpoint(RESTART)").get();
    }
    insert.run(randomBytes(random, 10));
    const pair = {
      database: Deno.readFileSync(`${folder}/source.db`),
      wal: Deno.readFileSync(`${folder}/source.db-wal`),
    };
    return pair;
  } finally {
    database.close();
    Deno.removeSync(`${folder}/source.db`);
  }
}

/** How many frames and pages SQLite recovers; it removes what it has recovered when it closes. */
function recoverBySqlite(folder: string, database: Uint8Array, wal: Uint8Array): { frames: number; pages: number } {
  Deno.writeFileSync(`${folder}/copy.db`, database);
  Deno.writeFileSync(`${folder}/copy.db-wal`, wal);
  const connection = new DatabaseSync(`${folder}/copy.db`);
  try {
    connection.prepare("PRAGMA user_version").get(); // Any reading runs the recovery.
    const shm = new DataView(Deno.readFileSync(`${folder}/copy.db-shm`).buffer);
    return { frames: shm.getUint32(16, true), pages: shm.getUint32(20, true) };
  } finally {
    connection.close();
  }
}

Deno.test({
  name: "scanFrames() finds the same committed frames as SQLite's own recovery, whatever happened to the WAL",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder((folder) => {
      for (let seed = 0; seed < 25; seed++) {
        const random = seededRandom(seed);
        const { database, wal } = writeRandomPair(folder, random);
        const header = headerOf(wal);
        for (let round = 0; round < 8; round++) {
          const changed = round === 0 ? wal : damage(wal, random);
          const found = scan(changed, header);
          const recovered = recoverBySqlite(folder, database, changed);
          const message = `seed ${seed}, round ${round}`;
          assertEquals(found.committedFrames, recovered.frames, message);
          if (recovered.frames > 0) assertEquals(found.databasePages, recovered.pages, message);
        }
      }
    }),
});

/** Cuts the WAL, flips a bit, zeroes a stretch, or writes one frame over another; its header stays. */
function damage(wal: Uint8Array<ArrayBuffer>, random: () => number): Uint8Array<ArrayBuffer> {
  const bytes = wal.slice();
  const within = () => WAL_HEADER_SIZE + randomInteger(random, bytes.length - WAL_HEADER_SIZE);
  const at = within();
  switch (randomInteger(random, 4)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInteger(random, 8));
      return bytes;
    case 2:
      return bytes.fill(0, at, at + randomInteger(random, 2000));
    default: {
      const size = frameSize(headerOf(wal).pageSize);
      const frames = Math.floor((bytes.length - WAL_HEADER_SIZE) / size);
      const [from, to] = [randomInteger(random, frames), randomInteger(random, frames)].map((frame) =>
        WAL_HEADER_SIZE + frame * size
      );
      bytes.copyWithin(to ?? 0, from ?? 0, (from ?? 0) + size);
      return bytes;
    }
  }
}
