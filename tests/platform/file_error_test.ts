import { fileError, isSameTrouble } from "../../lib/platform/file_error.ts";
import { isRetryable } from "../../lib/base/errors.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("fileError() knows too many open files by its name and by its number, and that it passes", () => {
  const errors = [
    Object.assign(new Error("x"), { code: "EMFILE" }),
    new Error("Failed to spawn '/bin/x': Too many open files (os error 24)"),
  ];
  for (const error of errors) {
    const translated = fileError("start", "x", error);
    assertEquals(translated.message, "Cannot start x: too many open files");
    assert(isRetryable(translated));
  }
  const ofSystem = fileError("open", "/a", new Error("Too many open files in system (os error 23)"));
  assertEquals(ofSystem.message, "Cannot open /a: too many open files on the whole system");
  assert(isRetryable(ofSystem));
});

Deno.test("isSameTrouble() takes too many open files for one trouble, whatever was to be opened", () => {
  const [one, other] = ["Cannot open /a: too many open files", "Cannot list /b: too many open files"];
  assert(isSameTrouble(one, other));
  assert(isSameTrouble("Cannot open /a: x", "Cannot open /a: x"));
  assert(!isSameTrouble("Cannot open /a: x", "Cannot open /b: x"));
  assert(!isSameTrouble(one, "Cannot open /a: x"));
  assert(!isSameTrouble("Cannot open /a: x", one));
  assert(!isSameTrouble(one, undefined));
});
