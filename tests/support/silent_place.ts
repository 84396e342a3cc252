import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { CallsUnderWay } from "./calls_under_way.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";

/** What the rest of each device was asked, and has not answered yet. */
const underWay = new WeakMap<FileSystem, CallsUnderWay>();

/** Resolves when nothing is under way any more: who gives up what is silent may give up what is asked beside it. */
export async function restAnswered(files: FileSystem): Promise<void> {
  await underWay.get(files)?.ended();
}

/**
 * The real files, but the device below the folder answers nothing, ever. Whoever calls it on the event loop would make the
 * whole process wait: it is told so by an error, and noted. `asked`: is told of each call.
 */
export function silentBelow(folder: string, calledOnLoop: string[] = [], asked: () => void = () => {}): FileSystem {
  const real = new DenoFileSystem();
  const calls = new CallsUnderWay();
  const files = new Proxy(real, {
    get: (_, name) => {
      const method = Reflect.get(real, name);
      if (typeof method !== "function") return method;
      return (...given: unknown[]) => {
        const isBelow = given.some((one) => typeof one === "string" && `${one}/`.startsWith(`${folder}/`));
        if (!isBelow) {
          const result = method.apply(real, given);
          return result instanceof Promise ? calls.note(result) : result;
        }
        queueMicrotask(asked);
        if (String(name).endsWith("Later")) return new Promise(() => {});
        calledOnLoop.push(String(name));
        throw new Error(`${String(name)} is called on the event loop`);
      };
    },
  });
  underWay.set(files, calls);
  return files;
}
