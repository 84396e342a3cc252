import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";

/**
 * The real files, but the device below the folder answers nothing, ever. Whoever calls it on the event loop would make the
 * whole process wait: it is told so by an error, and noted.
 */
export function silentBelow(folder: string, calledOnLoop: string[] = []): FileSystem {
  const real = new DenoFileSystem();
  return new Proxy(real, {
    get: (_, name) => {
      const method = Reflect.get(real, name);
      if (typeof method !== "function") return method;
      return (...given: unknown[]) => {
        const isBelow = given.some((one) => typeof one === "string" && `${one}/`.startsWith(`${folder}/`));
        if (!isBelow) return method.apply(real, given);
        if (String(name).endsWith("Later")) return new Promise(() => {});
        calledOnLoop.push(String(name));
        throw new Error(`${String(name)} is called on the event loop`);
      };
    },
  });
}
