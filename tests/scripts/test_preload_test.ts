import { withPatience } from "../../scripts/test_preload.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("withPatience() gives every test time enough for a slow machine, however it is declared, and takes none away", () => {
  const fn = () => {};
  const rows: readonly (readonly unknown[])[] = [
    [fn],
    ["name", fn],
    [{ name: "name", fn }],
    [{ name: "name", timeout: 10, fn }],
    ["name", { timeout: 10 }, fn],
  ];
  for (const words of rows) {
    const given = withPatience(words);
    const options = given.find((word): word is { timeout?: number } => typeof word === "object");
    assert((options?.timeout ?? 0) >= 60_000, JSON.stringify(words));
    const others = (all: readonly unknown[]) => all.filter((word) => typeof word !== "object");
    assertEquals(others(given), others(words));
  }
  const long = { name: "name", timeout: 3_600_000, fn };
  assertEquals(withPatience([long]), [long]);
});
