import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { CONFIG_KEYS } from "../../lib/config/keys.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { assert, assertFalse } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";

const SEED = 20_250_601;
const SAMPLE = `
logging: {level: info, type: text}
sync-interval: 1s
dbs:
  - &first
    path: /data/app.db
    max-wal-size: 64MiB
    min-checkpoint-page-count: 500
    replicas: [{path: "/backup/$A"}, {name: far, url: 'file:///mnt/\${A}'}]
  - <<: *first
    path: ~/b.db
    replicas:
      - path: |
          /c
`;
const PIECES: readonly string[] = [
  ...CONFIG_KEYS.map(({ key }) => `${key}: `),
  ...[
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "#",
    "&x ",
    "*x",
    "<<: ",
    "!!int ",
    "!t ",
    "? ",
    "| ",
    ">-\n",
  ],
  ...["$", "${", "$A", "$NONE", "~", "null", "true", "1", "-1", "1e999", "0x10", ".nan", "1s", "1GiB", "s3://u:p@b"],
  ...["\0", "\t", "\ufeff", "\u2028", "\ud800", "%YAML 1.1\n", "---\n", "...\n"],
];

/** Either a config or a `ReplicationError` of one line; what else is thrown is a fault. */
function tryParse(text: string, seed: number): void {
  const surroundings = {
    environment: cleanEnvironment((name) => name === "A" ? "a" : name === "HOME" ? "/home/me" : undefined),
    currentFolder: "/work",
    expand: seed % 2 === 0,
  };
  const replay = `seed ${seed}: ${JSON.stringify(text.slice(0, 300))}`;
  try {
    const { config } = parseConfig(text, "t.yml", surroundings);
    for (const { path, statePath, replicas } of config.databases) {
      for (const each of [path, statePath, ...replicas.map((replica) => replica.path)]) {
        assert(each.startsWith("/"), replay);
      }
      assert(replicas.length > 0, replay);
    }
  } catch (error) {
    assert(error instanceof ReplicationError && error.code === "config-invalid", `${error}\n${replay}`);
    assert(error.message.startsWith("Cannot use config t.yml"), `${error.message}\n${replay}`);
    assertFalse(error.message.includes("u:p@"), replay);
  }
}

Deno.test("parseConfig() throws nothing but ReplicationError on random bytes", () => {
  for (let seed = SEED; seed < SEED + 300; seed++) {
    const random = seededRandom(seed);
    tryParse(new TextDecoder().decode(randomBytes(random, randomInteger(random, 200))), seed);
  }
});

Deno.test("parseConfig() throws nothing but ReplicationError on random pieces of YAML", () => {
  for (let seed = SEED; seed < SEED + 500; seed++) {
    const random = seededRandom(seed);
    const count = randomInteger(random, 40);
    let text = "";
    for (let i = 0; i < count; i++) text += PIECES[randomInteger(random, PIECES.length)];
    tryParse(text, seed);
  }
});

Deno.test("parseConfig() throws nothing but ReplicationError on a config that was tampered with", () => {
  for (let seed = SEED; seed < SEED + 500; seed++) {
    const random = seededRandom(seed);
    let text = SAMPLE;
    for (let changes = 1 + randomInteger(random, 4); changes > 0; changes--) {
      const at = randomInteger(random, text.length);
      const piece = randomInteger(random, 2) === 0 ? "" : PIECES[randomInteger(random, PIECES.length)] ?? "";
      text = text.slice(0, at) + piece + text.slice(at + randomInteger(random, 8));
    }
    tryParse(text, seed);
  }
});
