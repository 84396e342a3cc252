import { ReplicationError } from "../../lib/base/errors.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { PatientClient } from "../../lib/clients/patient_client.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { openBelow } from "../support/open_below.ts";
import { HangingDevice } from "../support/hanging_device.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const PATIENCE_MS = 60_000;

Deno.test("PatientClient gives a device up that hangs, and uses it again when it answers", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "one");
    const [device, clock] = [new HangingDevice(), new SimulatedClock(0)];
    const client = new PatientClient(new FileReplicaClient(device.files, folder), clock, PATIENCE_MS);
    const into = new Uint8Array(3);
    assertEquals(await client.read("a", 0, into), 3);
    device.hang();
    const given = into.slice();
    const calls = [client.list(""), client.status("a"), client.read("a", 0, into), client.open("a")];
    const ended = calls.map((call) => assertRejects(() => call, ReplicationError, "has not answered for 60 s"));
    clock.advance(PATIENCE_MS);
    assertEquals((await Promise.all(ended)).map(({ code }) => code), calls.map(() => "unavailable"));
    // Nothing is waited for once more, of a device that is known to hang.
    await assertRejects(() => client.status("a"), ReplicationError, "has not answered");
    assertEquals(clock.sleeping, 0);

    into.fill(7); // Who has given up uses it for something else.
    device.answerAgain();
    while (!await client.status("a").then(() => true, () => false)) await clock.yield();
    assertEquals([given, into], [new TextEncoder().encode("one"), new Uint8Array(3).fill(7)]);
    const open = await client.open("a");
    assertEquals([await open.read(0, into), new TextDecoder().decode(into)], [3, "one"]);
    await open.close();
    await device.idle();
    assertEquals(clock.sleeping, 0);
  }));

Deno.test("PatientClient closes an object of a device that hung, when it answers again", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "one");
    const [device, clock] = [new HangingDevice(), new SimulatedClock(0)];
    const client = new PatientClient(new FileReplicaClient(device.files, folder), clock, PATIENCE_MS);
    const open = await client.open("a");
    device.hang();
    const reading = assertRejects(() => open.read(0, new Uint8Array(3)), ReplicationError, "has not answered");
    clock.advance(PATIENCE_MS);
    await reading;
    await assertRejects(() => open.close(), ReplicationError, "has not answered");
    assertEquals(openBelow(folder), ["/a"]);
    device.answerAgain();
    for (let turn = 0; turn < 10_000 && openBelow(folder).length > 0; turn++) await clock.yield();
    assertEquals(openBelow(folder), []);
    await device.idle();
  }));

Deno.test("PatientClient waits no longer once nobody does, and calls nothing any more", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "one");
    const [device, clock, until] = [new HangingDevice(), new SimulatedClock(0), new AbortController()];
    const client = new PatientClient(new FileReplicaClient(device.files, folder), clock, PATIENCE_MS, until.signal);
    const open = await client.open("a");
    device.hang();
    const calls = [client.list(""), client.status("a"), open.read(0, new Uint8Array(3)), client.open("a")];
    const ended = calls.map((call) => assertRejects(() => call, ReplicationError, "it was interrupted"));
    until.abort();
    assertEquals((await Promise.all(ended)).map(({ code }) => code), calls.map(() => "cancelled"));
    assertEquals((await assertRejects(() => client.status("a"), ReplicationError)).code, "cancelled");
    assertEquals(clock.sleeping, 0);
    device.answerAgain();
    await device.idle();
  }));
