/** What is no file in the place of one, what lies beside the generations, and times that have not come. */
import type { Damage } from "./damage.ts";
import { keep } from "./damage.ts";
import type { ReplicaView } from "./replica_view.ts";

const YEAR_2100 = new Date(Date.UTC(2100, 0, 1));
const NO_GENERATION = "generations/0123456789abcdef";

type Put = (path: string) => void;

const ODD: Readonly<Record<string, Put>> = {
  "a pipe": putPipe,
  "a socket": putSocket,
  "a directory": (path) => Deno.mkdirSync(path),
  "a link to nothing": (path) => Deno.symlinkSync(`${path}.nothing`, path),
};

export function oddObjects({ objects }: ReplicaView): Damage[] {
  return objects.flatMap((object) => [
    ...Object.entries(ODD).map(([what, putOdd]) => ({
      kind: `${what} in the place of an object`,
      object,
      detail: "",
      apply: (root: string) => {
        Deno.removeSync(`${root}/${object}`);
        putOdd(`${root}/${object}`);
      },
    })),
    { kind: "a link to the object", object, detail: "", apply: (root: string) => linked(root, object) },
  ]);
}

export function besideGenerations(): Damage[] {
  const beside = (kind: string, putOdd: Put): Damage => ({
    kind,
    detail: "",
    apply: (root) => putOdd(`${root}/${NO_GENERATION}`),
  });
  return [
    ...Object.entries(ODD).filter(([what]) => what !== "a directory").map(([what, putOdd]) =>
      beside(`${what} beside the generations`, putOdd)
    ),
    { ...beside("an empty generation beside the others", (path) => Deno.mkdirSync(path)), isValid: true },
    {
      ...beside("a generation of empty folders beside the others", (path) => {
        for (const folder of ["snapshots", "wal"]) Deno.mkdirSync(`${path}/${folder}`, { recursive: true });
      }),
      isValid: true,
    },
  ];
}

/** An object stored in 2100; of ours, records tell the time. */
export function futureFiles({ objects, isOurs }: ReplicaView): Damage[] {
  const put = (root: string, object: string) => Deno.utimeSync(`${root}/${object}`, YEAR_2100, YEAR_2100);
  const valid = isOurs ? { isValid: true } as const : {};
  return [
    ...objects.map((object) => ({
      kind: "an object stored in 2100",
      object,
      detail: "",
      ...valid,
      apply: (root: string) => put(root, object),
    })),
    {
      kind: "all objects stored in 2100",
      detail: "",
      ...valid,
      apply: (root) => objects.forEach((object) => put(root, object)),
    },
  ];
}

function linked(root: string, object: string): void {
  const [file] = keep(root, [object]);
  if (file === undefined) return;
  Deno.renameSync(`${root}/${object}`, `${root}/linked`);
  Deno.symlinkSync(`${root}/linked`, `${root}/${object}`);
}

function putPipe(path: string): void {
  const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
  if (!success) throw new Error(`Cannot make a pipe at ${path}`);
}

/** By its short name: the address of a socket has at most 107 bytes. */
function putSocket(path: string): void {
  const short = Deno.makeTempFileSync({ prefix: "tailrace-socket-" });
  Deno.removeSync(short);
  using _ = Deno.listen({ transport: "unix", path: short });
  Deno.renameSync(short, path); // What is closed under its first name is removed.
}
