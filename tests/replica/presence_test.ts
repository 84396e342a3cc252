import { ReplicationError } from "../../lib/base/errors.ts";
import { expectReplica } from "../../lib/replica/presence.ts";
import { assertEquals } from "../support/assert.ts";

/** How it ends where something was written before, or was not, and the store finds that. */
async function endOf(wasReplicatedTo: boolean, found: boolean | ReplicationError["code"]): Promise<string> {
  const store = {
    description: "/replica",
    exists: () =>
      typeof found === "boolean"
        ? Promise.resolve(found)
        : Promise.reject(new ReplicationError(found, "Cannot use the replica")),
  };
  return await expectReplica({ wasReplicatedTo: () => wasReplicatedTo }, store, "/replica").then(
    () => "goes on",
    (error: ReplicationError) => error.code,
  );
}

Deno.test("expectReplica() makes nothing anew where this host has written, nor begins beside what is not understood", async () => {
  const rows: readonly (readonly [found: boolean | ReplicationError["code"], before: string, never: string])[] = [
    [true, "goes on", "goes on"],
    [false, "unavailable", "goes on"],
    ["config-invalid", "unavailable", "config-invalid"], // The device of another stands there, or a person's folder.
    ["foreign", "foreign", "foreign"],
    ["unavailable", "unavailable", "unavailable"],
  ];
  for (const [found, before, never] of rows) {
    assertEquals([await endOf(true, found), await endOf(false, found)], [before, never], String(found));
  }
});
