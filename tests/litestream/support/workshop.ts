/** Where replicas are crafted: the histories, recorded once, and a folder for each replica with what is expected of it. */
import { type History, recordHistory } from "./history.ts";
import { GENERATION, type KnownPoint, ReplicaCraft } from "./replica_craft.ts";

const ITEM = "CREATE TABLE item(n INTEGER PRIMARY KEY, payload TEXT)";

/** Rows of a text that compresses, some 400 bytes each. */
function insert(first: number, count: number): string {
  return `WITH RECURSIVE r(n) AS (SELECT ${first} UNION ALL SELECT n + 1 FROM r WHERE n < ${first + count - 1})
    INSERT INTO item SELECT n, printf('%.400c', char(97 + n % 26)) || n FROM r`;
}

function update(divisor: number, rest: number, letter: string, above = 0): string {
  return `UPDATE item SET payload = printf('%.350c', '${letter}') || n WHERE n % ${divisor} = ${rest} AND n > ${above}`;
}

export class Histories {
  readonly #folder: string;
  readonly #recorded = new Map<string, History>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Three lives of several transactions. The first has more than 64 KiB of WAL, and its base more than 64 KiB of pages; the
   * last leaves most pages alone, so that what is lost before it shows.
   */
  get plain(): History {
    return this.#once("plain", () => ({
      before: [ITEM, insert(1, 200)],
      lives: [
        [insert(201, 5), update(9, 1, "u"), insert(206, 60), update(2, 0, "v"), insert(266, 3)],
        [update(5, 3, "w"), insert(269, 40), "DELETE FROM item WHERE n BETWEEN 20 AND 60", update(7, 2, "x")],
        [insert(309, 10), update(3, 1, "y", 150), insert(319, 2), update(11, 4, "z", 200)],
      ],
    }));
  }

  /** One life: small transactions on one table, then one that moves rows of another, and with it the database's size. */
  get growing(): History {
    return this.#once("growing", () => ({ before: MOVED, lives: [[...COUNT_TO_TEN, insert(301, 400)]] }));
  }

  /** The same, but what comes last changes rows in their place, so that no size tells of it. */
  get updating(): History {
    const move = "UPDATE item SET payload = 'moved' || substr(payload, 6) WHERE n <= 100; UPDATE q SET n = n + 100";
    return this.#once("updating", () => ({ before: MOVED, lives: [[...COUNT_TO_TEN, move]] }));
  }

  #once(name: string, options: () => Parameters<typeof recordHistory>[1]): History {
    const known = this.#recorded.get(name);
    if (known !== undefined) return known;
    const history = recordHistory(`${this.#folder}/${name}`, options());
    this.#recorded.set(name, history);
    return history;
  }
}

const MOVED = [ITEM, insert(1, 300), "CREATE TABLE q(n INTEGER)", "INSERT INTO q VALUES(0)"];
const COUNT_TO_TEN = Array.from({ length: 10 }, () => "UPDATE q SET n = n + 1");

/** One replica in the making. */
export class Workshop {
  readonly folder: string;
  readonly histories: Histories;
  #expected = 0;

  /** The folder is the variant's own. */
  constructor(folder: string, histories: Histories) {
    this.folder = folder;
    this.histories = histories;
  }

  get replica(): string {
    return `${this.folder}/replica`;
  }

  get plain(): History {
    return this.histories.plain;
  }

  craft(generation = GENERATION, firstMs?: number): ReplicaCraft {
    return new ReplicaCraft(this.replica, generation, firstMs);
  }

  /** Keeps an image as a file, to compare with; its path. */
  expect(image: Uint8Array): string {
    Deno.mkdirSync(`${this.folder}/expected`, { recursive: true });
    const path = `${this.folder}/expected/${this.#expected++}.db`;
    Deno.writeFileSync(path, image);
    return path;
  }

  /** The database at the end of a transaction; at the end of the life without an offset. */
  at(index: number, offset?: number, history = this.plain): string {
    return this.expect(history.imageAt(index, offset));
  }

  /** The ends of all transactions from one place of the history to another, both included. */
  points(
    [firstIndex, firstOffset]: readonly [number, number],
    [lastIndex, lastOffset]: readonly [number, number],
  ): KnownPoint[] {
    return this.plain.lives.flatMap((life, index) => {
      if (index < firstIndex || index > lastIndex) return [];
      return life.commits
        .filter((end) => (index > firstIndex || end >= firstOffset) && (index < lastIndex || end <= lastOffset))
        .map((offset) => ({ index, offset, expected: this.at(index, offset) }));
    });
  }

  /** Only the ends of indexes, for a replica with one object for each. */
  indexEnds(first: number, last: number, shift = 0): KnownPoint[] {
    const ends: KnownPoint[] = [];
    for (let index = first; index <= last; index++) {
      ends.push({ index: index + shift, offset: this.plain.endOf(index), expected: this.at(index) });
    }
    return ends;
  }

  /** Every state that the database ever had. */
  states(history = this.plain): string[] {
    return history.lives.flatMap((life, index) => [0, ...life.commits].map((end) => this.at(index, end, history)));
  }
}
