import { chooseLayout, type LayoutFacts, layoutOf } from "../../lib/config/layout.ts";
import { replicaConfigFromArgument } from "../../lib/config/from_arguments.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";

/** Nothing held, nothing written, no reason for anything. */
function choose(facts: Partial<LayoutFacts>) {
  return chooseLayout({ held: undefined, written: undefined, fromLitestreamConfig: false, hasAge: false, ...facts });
}

function layoutFor(facts: Partial<LayoutFacts>): string {
  const choice = choose(facts);
  return choice.kind === "layout" ? choice.layout : `refused: ${choice.problem}`;
}

Deno.test("chooseLayout() takes what is held before all else", () => {
  for (const fromLitestreamConfig of [false, true]) {
    assertEquals(layoutFor({ held: "raw", fromLitestreamConfig }), "raw");
    assertEquals(layoutFor({ held: "litestream", fromLitestreamConfig }), "litestream");
  }
  assertEquals(layoutFor({ held: "raw", written: "raw" }), "raw");
  assertEquals(layoutFor({ held: "litestream", hasAge: true }), "litestream");
});

Deno.test("chooseLayout() takes what is written where nothing is held", () => {
  assertEquals(layoutFor({ written: "litestream" }), "litestream");
  assertEquals(layoutFor({ written: "raw", fromLitestreamConfig: true }), "raw");
});

Deno.test("chooseLayout() is litestream by default with a config of Litestream's or keys of age, else raw", () => {
  assertEquals(layoutFor({}), "raw");
  assertEquals(layoutFor({ fromLitestreamConfig: true }), "litestream");
  assertEquals(layoutFor({ hasAge: true }), "litestream");
});

Deno.test("chooseLayout() refuses what contradicts, and says what to do", () => {
  const refusals: readonly (readonly [facts: Partial<LayoutFacts>, problem: string])[] = [
    [{ written: "raw", hasAge: true }, '"layout: raw" cannot be encrypted'],
    [{ written: "raw", hasAge: true, held: "litestream" }, '"layout: raw" cannot be encrypted'],
    [{ held: "raw", hasAge: true }, "it holds the layout raw, which cannot be encrypted"],
    [{ held: "raw", hasAge: true, written: "litestream" }, "it holds the layout raw, which cannot be encrypted"],
    [{ held: "raw", written: "litestream" }, 'it holds the layout raw, and the config says "layout: litestream"'],
    [{ held: "litestream", written: "raw" }, 'it holds the layout litestream, and the config says "layout: raw"'],
    [{ held: "both" }, "it holds both layouts, raw and litestream"],
  ];
  for (const [facts, problem] of refusals) assertStringIncludes(layoutFor(facts), `refused: ${problem}`);
});

Deno.test("chooseLayout() takes of both layouts the one that is meant", () => {
  assertEquals(layoutFor({ held: "both", written: "raw" }), "raw");
  assertEquals(layoutFor({ held: "both", written: "litestream", hasAge: true }), "litestream");
  assertEquals(layoutFor({ held: "both", hasAge: true }), "litestream");
});

Deno.test("layoutOf() decides by a replica's config", () => {
  const replica = replicaConfigFromArgument("file:///b");
  assertEquals(layoutOf(replica, undefined), { kind: "layout", layout: "raw" });
  assertEquals(layoutOf({ ...replica, defaultLayout: "litestream" }, undefined), {
    kind: "layout",
    layout: "litestream",
  });
  assertEquals(layoutOf({ ...replica, defaultLayout: "litestream" }, "raw"), { kind: "layout", layout: "raw" });
  assertEquals(layoutOf({ ...replica, layout: "raw" }, "litestream").kind, "refused");
  assertEquals(layoutOf({ ...replica, age: { identities: [], recipients: [] } }, "raw").kind, "refused");
});
