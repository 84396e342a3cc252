import { formatOrder, formatResults, isOrder, parseOrder, parseResults } from "../../lib/daemon/order.ts";
import { parsePosition } from "../../lib/position/position.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("parseOrder() reads what formatOrder() wrote, and nothing else", () => {
  for (const order of [{ replicas: undefined }, { replicas: ["a", "b c"] }]) {
    assertEquals(parseOrder(formatOrder(order)), order);
  }
  for (const text of [undefined, "", "{", "null", '{"order":"halt"}', '{"order":"snapshot","replicas":[1]}']) {
    assertEquals(parseOrder(text), undefined, text);
  }
});

Deno.test("parseResults() reads what formatResults() wrote; a result without a position has a problem", () => {
  const position = parsePosition("59c6b84cb3f732e9/0000000000000003:4152");
  if (position === undefined) throw new Error("it is a position");
  const results = [{ replica: "a", position, mayPass: false }, { replica: "b", problem: "it is full", mayPass: true }];
  assertEquals(parseResults(JSON.stringify(formatResults(results))), results);
  assertEquals(parseResults('{"results":[{"replica":"a","position":"x"}]}')?.[0]?.position, undefined);
  assertEquals(parseResults("torn"), undefined);
});

Deno.test("isOrder() takes no draft, no answer and no question for an order", () => {
  assertEquals(
    ["0123456789abcdef.order", "0123456789abcdef.order.tmp", "0123456789abcdef.order.answer", "0123456789abcdef"]
      .map(isOrder),
    [true, false, false, false],
  );
});
