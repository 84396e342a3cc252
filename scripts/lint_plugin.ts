/**
 * Lint rules of this project. Time, chance, files and the network come in through `lib/platform/` only; the rest of the
 * program receives them, so that a test can stand in for the world.
 */
import { ROOT } from "./project.ts";

/** Where the outside world may be named. */
const DOORS: readonly string[] = ["lib/platform/", "lib/sqlite/", "main.ts", "scripts/", "tests/"];

/** Global names through which the outside world is reached. */
const WORLD: ReadonlySet<string> = new Set([
  "Deno",
  "globalThis",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "fetch",
  "crypto",
  "console",
]);

/** Members of harmless globals that are not harmless. */
const WORLD_MEMBERS: ReadonlySet<string> = new Set(["Date.now", "Math.random", "AbortSignal.timeout"]);

/** Both open and close the files they touch, and a process that closes any descriptor of a database loses its locks on it. */
const LOSE_LOCKS: ReadonlySet<string> = new Set(["watchFs", "copyFile", "copyFileSync"]);

type Named = Deno.lint.Identifier & { readonly parent: Deno.lint.Node };

function projectPath(filename: string): string {
  const path = filename.replaceAll("\\", "/").replace(/^file:\/\//, "");
  return path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : path;
}

/** Whether the name stands for a property of something else, or declares one, and not for the global. */
function isPropertyName(node: Named): boolean {
  const parent = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      return !parent.computed && isSame(parent.property, node);
    case "TSQualifiedName":
      return isSame(parent.right, node);
    case "Property":
      return !parent.computed && isSame(parent.key, node) && !(parent.shorthand && isSame(parent.value, node));
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return !parent.computed && isSame(parent.key, node);
    case "ImportSpecifier":
    case "ExportSpecifier":
      return true;
    default:
      return false;
  }
}

function isSame(a: Deno.lint.Node, b: Deno.lint.Node): boolean {
  return a.range[0] === b.range[0] && a.range[1] === b.range[1];
}

/** Whether the name is a member, a destructured property or an import: not a function of this file. */
function isTakenFromAnother(node: Named): boolean {
  const parent = node.parent;
  return parent.type === "MemberExpression" || parent.type === "ImportSpecifier" ||
    (parent.type === "Property" && (parent as { parent?: Deno.lint.Node }).parent?.type === "ObjectPattern");
}

/** `Date.now` for `Date.now` and `Date["now"]`. */
function memberName(node: Deno.lint.MemberExpression): string | undefined {
  if (node.object.type !== "Identifier") return undefined;
  if (node.property.type === "Identifier" && !node.computed) return `${node.object.name}.${node.property.name}`;
  if (node.property.type === "Literal") return `${node.object.name}.${String(node.property.value)}`;
  return undefined;
}

/** Reports each place once; a shorthand property is visited as key and as value. */
function reporter(context: Deno.lint.RuleContext, say: (name: string) => { message: string; hint: string }) {
  const reported = new Set<number>();
  return (node: Deno.lint.Node, name: string) => {
    if (reported.has(node.range[0])) return;
    reported.add(node.range[0]);
    context.report({ node, ...say(name) });
  };
}

function outsideWorld(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const path = projectPath(context.filename);
  if (DOORS.some((door) => path.startsWith(door))) return {};
  const report = reporter(context, (name) => ({
    message: `${name} reaches around the Platform`,
    hint: "Take it from lib/platform/.",
  }));
  const reportModule = (node: Deno.lint.Node, source: unknown) => {
    if (typeof source === "string" && source.startsWith("node:")) report(node, source);
  };
  return {
    Identifier(node) {
      if (WORLD.has(node.name) && !isPropertyName(node as Named)) report(node, node.name);
    },
    MemberExpression(node) {
      const name = memberName(node);
      if (name !== undefined && WORLD_MEMBERS.has(name)) report(node, name);
    },
    NewExpression(node) {
      if (isDate(node.callee) && node.arguments.length === 0) report(node, "new Date()");
    },
    CallExpression(node) {
      if (isDate(node.callee)) report(node, "Date()");
    },
    ImportDeclaration: (node) => reportModule(node, node.source.value),
    ExportNamedDeclaration: (node) => reportModule(node, node.source?.value),
    ExportAllDeclaration: (node) => reportModule(node, node.source.value),
    ImportExpression: (node) => reportModule(node, node.source.type === "Literal" ? node.source.value : undefined),
  };
}

function isDate(callee: Deno.lint.Node): boolean {
  return callee.type === "Identifier" && callee.name === "Date";
}

function noIterate(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    CallExpression(node) {
      if (node.callee.type !== "MemberExpression" || node.callee.property.type !== "Identifier") return;
      if (node.callee.property.name !== "iterate") return;
      context.report({
        node,
        message: "iterate() of a statement ends quietly on an error, as if there were no more rows",
        hint: "Use all() or get(), large results in portions by rowid.",
      });
    },
  };
}

function noLostLocks(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  if (projectPath(context.filename).startsWith("tests/")) return {};
  const report = reporter(context, (name) => ({
    message: `${name} opens and closes files behind our back, and SQLite's locks on them are lost`,
    hint: "Read and write through an own handle; watch by inotify, or look at intervals.",
  }));
  return {
    Identifier(node) {
      if (LOSE_LOCKS.has(node.name) && isTakenFromAnother(node as Named)) report(node, node.name);
    },
  };
}

/** The first module of Node that is loaded costs each run 20 ms and 7 MB; that of SQLite loads none of the others. */
function noNodeAtStart(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  if (!isInBundle(projectPath(context.filename))) return {};
  return {
    ImportDeclaration(node) {
      const source = node.source.value;
      if (!source.startsWith("node:") || source === "node:sqlite" || node.importKind === "type") return;
      context.report({
        node,
        message: `${source} would be loaded whenever the program starts`,
        hint: "Take it from lib/platform/node_modules.ts, which loads it when it is used.",
      });
    },
  };
}

/** The bundler's minifier puts the value of a `using` where it is used, and what closed it at the end of the block is gone. */
function noUsing(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  if (!isInBundle(projectPath(context.filename))) return {};
  const message = "`using` is lost when the program is bundled, and nothing is closed";
  return {
    VariableDeclaration(node) {
      if (node.kind !== "using" && node.kind !== "await using") return;
      context.report({ node, message, hint: "Close it in a `finally`." });
    },
  };
}

function isInBundle(path: string): boolean {
  return path === "main.ts" || path.startsWith("lib/");
}

const plugin: Deno.lint.Plugin = {
  name: "tailrace",
  rules: {
    "outside-world": { create: outsideWorld },
    "no-iterate": { create: noIterate },
    "no-lost-locks": { create: noLostLocks },
    "no-using": { create: noUsing },
    "no-node-at-start": { create: noNodeAtStart },
  },
};

export default plugin;
