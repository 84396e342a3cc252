/** Every row of the matrix that must be proven. One that nobody reports is a failure of `deno task test:litestream`. */
import type { Row } from "./matrix.ts";
import { VARIANTS } from "./variants.ts";

export const EXPECTED_ROWS: readonly Row[] = [
  { writer: "litestream", reader: "litestream", feature: "replicate, list, restore" },
  { writer: "litestream", reader: "litestream", feature: "several databases and replicas" },
  { writer: "litestream", reader: "litestream", feature: "age" },
  { writer: "litestream", reader: "litestream", feature: "going on after a restart" },
  { writer: "litestream", reader: "tailrace", feature: "restore, by URL and by its config" },
  { writer: "litestream", reader: "tailrace", feature: "the end of each index" },
  { writer: "litestream", reader: "tailrace", feature: "lists of generations, snapshots and WAL" },
  { writer: "litestream", reader: "tailrace", feature: "several generations" },
  { writer: "litestream", reader: "tailrace", feature: "snapshots at intervals" },
  { writer: "tailrace", reader: "litestream", feature: "replicate, list, restore" },
  { writer: "tailrace", reader: "litestream", feature: "points in time" },
  { writer: "tailrace", reader: "litestream", feature: "age" },
  { writer: "tailrace", reader: "litestream", feature: "a snapshot while the application writes" },
  { writer: "tailrace", reader: "litestream", feature: "a resync: written and closed last while we were away" },
  { writer: "tailrace", reader: "litestream", feature: "a replica that was brought forward by the pages that changed" },
  { writer: "litestream", reader: "tailrace", feature: "replicate, list, restore" },
  { writer: "litestream", reader: "tailrace", feature: "points in time" },
  { writer: "litestream", reader: "tailrace", feature: "age" },
  {
    writer: "both in turns",
    reader: "both",
    feature: "we take over a replica that Litestream began, and Litestream takes it back",
  },
  ...["left", "removed"].map((what): Row => ({
    writer: "both in turns",
    reader: "both",
    feature: `Litestream goes on after us, its generation ${what}, the application open`,
  })),
  {
    writer: "both in turns",
    reader: "both",
    feature: "Litestream takes over a replica that we began, and we take it back",
  },
  ...VARIANTS.flatMap(({ name }): Row[] => [
    { writer: "by hand", reader: "litestream", feature: name },
    { writer: "by hand", reader: "tailrace", feature: name },
  ]),
];
