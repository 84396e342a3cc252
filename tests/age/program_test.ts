/** Both directions against the real `age`, which Litestream's own objects are made by: the same library in Go. */
import { assert, assertEquals } from "../support/assert.ts";
import { ageProgram, aKeyPair, decryptBytes, encryptBytes, identitiesOf, recipientsOf } from "../support/age.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { CHUNK_BYTES } from "../../lib/age/payload.ts";

const SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 4 * CHUNK_BYTES, (5 << 20) + 123];

/** What it wrote to stdout: a file it makes only when there is something to write. */
async function age(folder: string, ...parameters: string[]): Promise<Uint8Array<ArrayBuffer>> {
  const command = new Deno.Command(ageProgram(), { args: parameters, cwd: folder, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new Uint8Array(stdout);
}

Deno.test({
  name: "encrypt() writes what the program age decrypts, for each of several recipients",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const [one, two] = [await aKeyPair(), await aKeyPair()];
      const recipients = await recipientsOf(one.recipient, two.recipient);
      for (const [seed, size] of SIZES.entries()) {
        const bytes = randomBytes(seededRandom(seed), size);
        Deno.writeFileSync(`${folder}/sealed`, await encryptBytes(bytes, recipients));
        for (const { identity } of [one, two]) {
          Deno.writeTextFileSync(`${folder}/key`, `# a comment\n\n${identity}\n`);
          assertEquals(await age(folder, "--decrypt", "--identity", "key", "sealed"), bytes, `${size} bytes`);
        }
      }
    }),
});

Deno.test({
  name: "openAge() reads what the program age encrypts, to one recipient and to several",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const [one, two] = [await aKeyPair(), await aKeyPair()];
      for (const [seed, size] of SIZES.entries()) {
        const bytes = randomBytes(seededRandom(50 + seed), size);
        Deno.writeFileSync(`${folder}/plain`, bytes);
        const toOne = await age(folder, "--recipient", one.recipient, "plain");
        assertEquals(await decryptBytes(toOne, one.identities), bytes, `${size} bytes`);
        const toBoth = await age(folder, "-r", two.recipient, "-r", one.recipient, "plain");
        for (const { identities } of [one, two]) assertEquals(await decryptBytes(toBoth, identities), bytes);
      }
    }),
});

Deno.test({
  name: "AgeIdentities.parse() takes the file that age-keygen writes, and AgeRecipients.parse() the recipient it names",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const keygen = ageProgram().replace(/age$/, "age-keygen");
      const made = await new Deno.Command(keygen, { args: ["-o", "key"], cwd: folder, stdin: "null" }).output();
      assertEquals(made.code, 0);
      const text = Deno.readTextFileSync(`${folder}/key`);
      const recipient = /^# public key: (age1\w+)$/m.exec(text)?.[1];
      assert(recipient !== undefined);
      const bytes = randomBytes(seededRandom(9), 1_000);
      const sealed = await encryptBytes(bytes, await recipientsOf(recipient));
      assertEquals(await decryptBytes(sealed, await identitiesOf(text)), bytes);
    }),
});
