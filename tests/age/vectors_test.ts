import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { decryptBytes, identitiesOf } from "../support/age.ts";
import { ageVectors } from "../support/age_vectors.ts";
import { hex } from "../../lib/base/bytes.ts";
import { ReplicationError } from "../../lib/base/errors.ts";

/** What the vectors call a failure, and the codes that it may have here. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  "no match": ["denied"],
  "HMAC failure": ["corrupt"],
  "header failure": ["corrupt", "unsupported"],
  "payload failure": ["corrupt"],
};

Deno.test("openAge() reads and refuses age's own test vectors as they say", async () => {
  const vectors = await ageVectors();
  assert(vectors.length > 40, `${vectors.length} vectors`);
  for (const { name, expect, payload, identities, object } of vectors) {
    let found = "success";
    try {
      const bytes = await decryptBytes(object, await identitiesOf(...identities));
      assertEquals(hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))), payload, name);
    } catch (error) {
      assertInstanceOf(error, ReplicationError, `${name}: ${error}`);
      found = error.code;
    }
    assert((CODES[expect] ?? ["success"]).includes(found), `${name}: ${expect} is expected, ${found} was found`);
  }
});
