import { ReplicationError } from "../../lib/base/errors.ts";
import { parseArguments } from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const SEED = 20_250_601;
const FLAGS = COMMANDS.flatMap((command) => command.flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]));
const ODDITIES = [
  "",
  "-",
  "--",
  "---",
  "-=",
  "--=x",
  "--\n",
  "\0",
  "-10m",
  "\u{1f600}",
  "file:///b",
  "app.db",
  "0",
  "7f",
];

function randomWord(random: () => number): string {
  const flag = FLAGS[randomInteger(random, FLAGS.length)] ?? "";
  const oddity = ODDITIES[randomInteger(random, ODDITIES.length)] ?? "";
  switch (randomInteger(random, 5)) {
    case 0:
      return `--${flag}`;
    case 1:
      return `-${flag}=${oddity}`;
    case 2:
      return `--${flag.slice(0, randomInteger(random, flag.length + 1))}${oddity}`;
    default:
      return oddity;
  }
}

Deno.test("parseArguments() throws nothing but ReplicationError, and never loses a positional", () => {
  let accepted = 0;
  for (let seed = SEED; seed < SEED + 20_000; seed++) {
    const random = seededRandom(seed);
    const command = COMMANDS[randomInteger(random, COMMANDS.length)];
    assert(command !== undefined);
    const words = Array.from({ length: randomInteger(random, 6) }, () => randomWord(random));
    const replay = `seed ${seed}: ${command.name} ${JSON.stringify(words)}`;
    try {
      const { positionals } = parseArguments(command, words);
      accepted++;
      assertEquals(positionals, words.filter((word) => positionals.includes(word)).slice(-positionals.length), replay);
      assert(positionals.length >= command.positionals.min && positionals.length <= command.positionals.max, replay);
    } catch (error) {
      assert(error instanceof ReplicationError && error.code === "usage", `${error}\n${replay}`);
      assert(error.message.startsWith("Cannot "), replay);
    }
  }
  assert(accepted > 500, `Only ${accepted} command lines were accepted`);
});
