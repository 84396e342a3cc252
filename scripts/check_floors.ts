/**
 * The floors of the house: imports go down only, and sideways only where an arrow is drawn. `docs/architecture.md` shows
 * the picture; this table is the picture that is enforced. Type-only imports count like any other.
 */
import { complain, listFiles, readSource, ROOT, run, say, type SourceFile } from "./project.ts";

const FLOORS: Readonly<Record<string, number>> = {
  "main.ts": 5,
  "lib/cli": 5,
  "lib/daemon": 4,
  "lib/config": 4,
  "lib/database": 3,
  "lib/replica": 3,
  "lib/restore": 3,
  "lib/verify": 3,
  "lib/sqlite": 2,
  "lib/pages": 2,
  "lib/clients": 2,
  "lib/store": 2,
  "lib/wal": 1,
  "lib/position": 1,
  "lib/schedule": 1,
  "lib/lz4": 1,
  "lib/age": 1,
  "lib/base": 0,
  "lib/platform": 0,
};

/** The only imports that stay on their floor: from a room, to a room or to a single file. */
const ARROWS: readonly (readonly [from: string, to: string])[] = [
  ["main.ts", "lib/cli"],
  ["lib/daemon", "lib/config"],
  ["lib/replica", "lib/database/source.ts"],
  ["lib/replica", "lib/restore/reach.ts"],
  ["lib/verify", "lib/restore"],
  ["lib/store", "lib/clients/client.ts"],
  ["lib/wal", "lib/position"],
  ["lib/platform", "lib/base"],
];

/** Rooms of pure functions: of the floor below they never see the outside world. */
const PURE: readonly string[] = ["lib/wal", "lib/position", "lib/schedule", "lib/lz4"];
const OUTSIDE_WORLD = "lib/platform";

/** Packages come in by one door each: what an import begins with, and the rooms or files that may write it. */
const DOORWAYS: readonly (readonly [specifier: string, places: readonly string[]])[] = [
  ["node:", ["lib/platform", "lib/sqlite"]],
  ["@std/path", ["lib/base/path.ts"]],
  ["age-encryption", ["lib/age/library.ts"]],
  ["yaml", ["lib/config"]],
];

export interface Edge {
  readonly from: string;
  /** A path in the project, or the specifier as written when it leads out of it. */
  readonly to: string;
  readonly external: boolean;
  readonly line: number;
}

/** One sentence for each import that is not allowed. */
export function checkEdges(edges: readonly Edge[]): string[] {
  return edges.flatMap((edge) => {
    const problem = edge.external ? problemOfPackage(edge) : problemOfImport(edge);
    return problem === undefined ? [] : [`${edge.from}:${edge.line} imports ${edge.to}: ${problem}`];
  });
}

function problemOfImport(edge: Edge): string | undefined {
  const from = roomOf(edge.from);
  const to = roomOf(edge.to);
  if (from === undefined) return `${edge.from} lies in no room of the house`;
  if (to === undefined) return `${edge.to} lies in no room of the house`;
  if (from === to) return undefined;
  if (PURE.includes(from) && to === OUTSIDE_WORLD) return `${from} is pure and may not see ${OUTSIDE_WORLD}`;
  const [high, low] = [FLOORS[from] ?? 0, FLOORS[to] ?? 0];
  if (low < high) return undefined;
  if (low > high) return `that is up from floor ${high} to floor ${low}`;
  if (ARROWS.some(([source, target]) => source === from && liesIn(edge.to, target))) return undefined;
  return `that is sideways on floor ${low}, where no arrow is drawn`;
}

function problemOfPackage(edge: Edge): string | undefined {
  const doorway = DOORWAYS.find(([specifier]) => edge.to.startsWith(specifier));
  if (doorway === undefined) return "no doorway is known for that package";
  const [, places] = doorway;
  return places.some((place) => liesIn(edge.from, place)) ? undefined : `that belongs in ${places.join(" or ")} only`;
}

function roomOf(path: string): string | undefined {
  return Object.keys(FLOORS).find((room) => liesIn(path, room));
}

function liesIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

/** Every file has its room, and none passes on what other files export, which would hide the edges behind it. */
export function checkFiles(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    if (roomOf(path) === undefined) return [`${path} lies in no room of the house`];
    if (/(^|\/)(mod|index)\.ts$/.test(path)) return [`${path}: lib has no barrels; import the file itself`];
    return /^export\s[^;=(]*\sfrom\s+"\.{1,2}\//m.test(text)
      ? [`${path} passes on the exports of another file (import that file where it is needed)`]
      : [];
  });
}

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly GraphDependency[];
}

interface GraphDependency {
  readonly specifier: string;
  readonly code?: GraphTarget;
  readonly type?: GraphTarget;
}

interface GraphTarget {
  readonly specifier?: string;
  readonly error?: string;
  readonly span: { readonly start: { readonly line: number } };
}

/** The imports of `main.ts` and everything in `lib/`, from what `deno info --json` says. */
export function edgesOf(graph: { readonly modules: readonly GraphModule[] }, root: string): Edge[] {
  const prefix = `file://${root}/`;
  const edges: Edge[] = [];
  for (const { specifier, dependencies } of graph.modules) {
    if (!specifier.startsWith(prefix)) continue;
    for (const dependency of dependencies ?? []) {
      for (const target of [dependency.code, dependency.type]) {
        if (target === undefined) continue;
        const external = target.specifier?.startsWith(prefix) !== true;
        const to = external ? dependency.specifier : target.specifier?.slice(prefix.length) ?? "";
        edges.push({ from: specifier.slice(prefix.length), to, external, line: target.span.start.line + 1 });
        break; // An import with types of its own has two targets and is still one import.
      }
    }
  }
  return edges;
}

/** The graph of all the given files, whether or not one of them imports another. */
export async function readGraph(paths: readonly string[], root = ROOT): Promise<Parameters<typeof edgesOf>[0]> {
  const entry = Deno.makeTempFileSync({ prefix: "tailrace-floors-", suffix: ".ts" });
  try {
    Deno.writeTextFileSync(entry, paths.map((path) => `import "file://${root}/${path}";\n`).join(""));
    const info = await run(Deno.execPath(), ["info", "--json", "--config", `${ROOT}/deno.json`, entry]);
    if (info.code !== 0) throw new Error(`Cannot read the imports: ${info.stderr}`);
    return JSON.parse(info.stdout);
  } finally {
    Deno.removeSync(entry);
  }
}

async function main(): Promise<number> {
  const paths = listFiles(["main.ts", "lib"], ".ts");
  const edges = edgesOf(await readGraph(paths), ROOT);
  const problems = [...checkEdges(edges), ...checkFiles(paths.map((path) => readSource(path)))];
  for (const problem of problems) complain(problem);
  if (problems.length === 0) say(`Floors: ${edges.length} imports of ${paths.length} files go down`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
