/** Encrypts and decrypts in a program of its own, and prints what came back: see bundle_test.ts. */
import { aKeyPair, decryptBytes, encryptBytes } from "../support/age.ts";

const { identities, recipients } = await aKeyPair();
const sealed = await encryptBytes(new TextEncoder().encode("there and back"), recipients);
console.info(new TextDecoder().decode(await decryptBytes(sealed, identities)));
