import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects } from "../support/assert.ts";
import { aKeyPair, identitiesOf, type KeyPair, recipientsOf } from "../support/age.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { loadAge } from "../../lib/age/library.ts";

async function refusal(work: Promise<unknown>): Promise<ReplicationError> {
  const error = await assertRejects(() => work);
  assertInstanceOf(error, ReplicationError);
  assertEquals(error.code, "config-invalid");
  assertEquals(error.cause, undefined);
  return error;
}

Deno.test("AgeIdentities.parse() takes texts as age-keygen writes them: comments, blank lines, several keys", async () => {
  const [one, two, three] = [await aKeyPair(), await aKeyPair(), await aKeyPair()];
  const text = `# created: today\n  \n# public key: ${one.recipient}\n${one.identity}\n\n\r\n${two.identity}\r\n`;
  assertEquals((await identitiesOf(text, three.identity)).count, 3);
  assertEquals((await identitiesOf()).count, 0);
});

Deno.test("AgeRecipients.parse() takes texts with comments, blank lines and several keys", async () => {
  const [one, two, three] = [await aKeyPair(), await aKeyPair(), await aKeyPair()];
  assertEquals((await recipientsOf(`# us\n${one.recipient}\n\n${two.recipient}\n`, three.recipient)).count, 3);
  assertEquals((await recipientsOf()).count, 0);
});

/** Text of an entry after a good one, and what must be said of it. */
function badIdentities({ identity, recipient }: KeyPair, hybrid: string): [text: string, said: string][] {
  const mistyped = identity.slice(0, -1) + (identity.endsWith("Q") ? "P" : "Q");
  return [
    ["", "entry 2 holds none"],
    ["# only a comment\n\n", "entry 2 holds none"],
    [recipient, "line 1 of entry 2 is a recipient (it should be an identity)"],
    [`# a comment\n${mistyped}`, "line 2 of entry 2 is mistyped or not whole"],
    [identity.slice(0, 40), "line 1 of entry 2 is mistyped or not whole"],
    [`${identity}0`, "line 1 of entry 2 is mistyped or not whole"],
    [identity.slice(0, 30) + identity.slice(30).toLowerCase(), "line 1 of entry 2 is mistyped or not whole"],
    [
      identity.toLowerCase(),
      "line 1 of entry 2 is not an identity (it should begin with AGE-SECRET-KEY-1)",
    ],
    ["~/key.txt", "line 1 of entry 2 is not an identity (it should begin with AGE-SECRET-KEY-1)"],
    [hybrid, "line 1 of entry 2 is of a kind that is not supported (X25519 alone is)"],
    [
      "AGE-PLUGIN-YUBIKEY-1QQQQQQQQQQ",
      "line 1 of entry 2 is of a kind that is not supported (X25519 alone is)",
    ],
  ];
}

Deno.test("AgeIdentities.parse() says which line is wrong and how, and never shows it", async () => {
  const pair = await aKeyPair();
  const hybrid = await (await loadAge()).generateHybridIdentity();
  for (const [text, said] of badIdentities(pair, hybrid)) {
    const error = await refusal(identitiesOf(pair.identity, text));
    assertEquals(error.message, `Cannot use the age identities: ${said}`);
    for (const key of [pair.identity, hybrid]) assertHides(Deno.inspect(error), key);
  }
});

Deno.test("AgeRecipients.parse() says which line is wrong and how, and shows no identity that stands there", async () => {
  const { identity, recipient } = await aKeyPair();
  const { generateHybridIdentity, identityToRecipient } = await loadAge();
  const hybrid = await identityToRecipient(await generateHybridIdentity());
  const rows: [text: string, said: string][] = [
    ["#", "the text holds none"],
    [identity, "line 1 is an identity (it should be a recipient)"],
    [`${recipient}\n${recipient.slice(0, -2)}`, "line 2 is mistyped or not whole"],
    [recipient.toUpperCase(), "line 1 is not a recipient (it should begin with age1)"],
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "line 1 is not a recipient (it should begin with age1)"],
    [hybrid, "line 1 is of a kind that is not supported (X25519 alone is)"],
  ];
  for (const [text, said] of rows) {
    const error = await refusal(recipientsOf(text));
    assertEquals(error.message, `Cannot use the age recipients: ${said}`);
    assertHides(Deno.inspect(error), identity);
  }
});

Deno.test("AgeIdentities hides its keys from inspection, text and JSON", async () => {
  const { identity, identities, recipient, recipients } = await aKeyPair();
  for (const [value, key] of [[identities, identity], [recipients, recipient]] as const) {
    const shown = [
      Deno.inspect(value, { depth: 20, showHidden: true, getters: true }),
      Deno.inspect({ nested: [value] }, { depth: 20, showHidden: true, getters: true }),
      JSON.stringify(value),
      `${value}`,
    ];
    for (const text of shown) assertHides(text, key);
  }
});

/** Not even a part of it that would help somebody to guess the rest; its first characters are the same in all. */
function assertHides(text: string, key: string): void {
  assert(key.length > 40);
  assertFalse(text.includes(key.slice(-30)) || text.includes(key.slice(-30).toLowerCase()), text);
  assertFalse(text.includes(key.slice(-55, -30)), text);
  assertFalse(text.includes("Uint8Array"), text);
}
