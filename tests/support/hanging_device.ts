import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { CallsUnderWay } from "./calls_under_way.ts";
import type { FileHandle, FileSystem } from "../../lib/platform/file_system.ts";

/**
 * The real files on a device that can be made to hang: then whoever calls off the event loop waits until it answers again.
 * A call on the event loop would make the whole process wait, and is an error here at any time.
 */
export class HangingDevice {
  readonly files: FileSystem = this.#slow(new DenoFileSystem());
  #answers: PromiseWithResolvers<void> | undefined;
  readonly #underWay = new CallsUnderWay();

  hang(): void {
    this.#answers = Promise.withResolvers();
  }

  answerAgain(): void {
    this.#answers?.resolve();
    this.#answers = undefined;
  }

  /** Nothing is asked of it any more, not by those either whom nobody waits for. */
  idle(): Promise<void> {
    return this.#underWay.ended();
  }

  #slow<T extends FileSystem | FileHandle>(real: T): T {
    return new Proxy(real, {
      get: (_, name) => {
        if (name === "then") return undefined; // A promise asks whether what it resolves with is another one.
        if (typeof name !== "string" || (!name.endsWith("Later") && name !== "sync")) {
          throw new Error(`${String(name)} is called on the event loop`);
        }
        const answer = async (given: unknown[]) => {
          await this.#answers?.promise;
          const method = Reflect.get(real, name) as (...given: unknown[]) => Promise<unknown>;
          const result = await method.apply(real, given);
          return name === "openLater" ? this.#slow(result as FileHandle) : result;
        };
        return (...given: unknown[]) => this.#underWay.note(answer(given));
      },
    });
  }
}
