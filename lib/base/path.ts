/**
 * The doorway to `@std/path`, whose npm copy carries no types; the functions used here have the signatures of `node:path`.
 */
// @ts-types="node:path"
export { basename, dirname, isAbsolute, join, relative, resolve } from "@std/path";
