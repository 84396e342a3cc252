import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { assertEquals } from "../support/assert.ts";

const LIB = new URL("../../lib/", import.meta.url);

function sourcesBelow(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? sourcesBelow(new URL(`${name}/`, folder)) : [new URL(name, folder)]
  );
}

Deno.test("cleanEnvironment() tells what is not set from what is empty", () => {
  const environment = cleanEnvironment((name) => ({ EMPTY: "", QUOTED: '"/x y"\n' })[name]);
  assertEquals(environment("NONE"), undefined);
  assertEquals(environment("EMPTY"), { text: "", removed: undefined });
  assertEquals(environment("QUOTED"), { text: "/x y", removed: "the line feed at its end and the quotes around it" });
});

Deno.test("no variable of the environment is read but by cleanEnvironment()", () => {
  const reads = sourcesBelow(LIB).flatMap((source) =>
    Deno.readTextFileSync(source).split("\n").filter((line) => /\b(Deno|process)\.env\b/.test(line))
  );
  assertEquals(reads, ["const environment = cleanEnvironment((name) => Deno.env.get(name));"]);
});
