import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { withoutUserInfo } from "../base/secret.ts";

/** A place in a config; what a message about it begins with. */
export type ConfigNode = Node | undefined;

export interface Entry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: ConfigNode;
}

export interface ScalarValue {
  /** The text of a string; of anything else how it is written. */
  readonly text: string;
  /** Written without quotes: then what it looks like decides its type. */
  readonly plain: boolean;
  readonly isBoolean: boolean;
}

/**
 * The YAML of a config with the place of everything in it. Aliases are followed and `<<` merged when a map is read, not
 * before, so that a small file cannot become a large tree.
 */
export class ConfigDocument {
  readonly root: ConfigNode;
  readonly #source: string;
  readonly #lines = new LineCounter();
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #offsets = new Map<ReplicationError, number>();
  readonly #found: ReplicationError[] = [];
  readonly #warnings = new Set<string>();
  #targets: ReadonlyMap<Node, Node> | undefined;

  constructor(text: string, source: string) {
    this.#source = source;
    if (!hasFewTokens(text)) {
      const problem = `it has more than ${limits.configTokensMax} parts (have several processes follow its databases)`;
      throw problemAt(source, problem);
    }
    this.#document = this.#parse(text);
    // Errors first: what is a warning to YAML (a tag that nobody knows) is an error in a config.
    const problem = this.#document.errors[0] ?? this.#document.warnings[0];
    if (problem !== undefined) {
      throw problemAt(this.#placeAt(problem.pos[0]), `it is not valid YAML: ${oneLine(problem.message)}`);
    }
    this.root = this.#document.contents ?? undefined;
  }

  /** Nothing but comments and white space. */
  get isEmpty(): boolean {
    return this.root === undefined || (isScalar(this.root) && this.root.value === null && this.root.source === "");
  }

  /** `Cannot use config <file>:<line>:<column>: <problem>`. */
  problem(node: ConfigNode, problem: string): ReplicationError {
    const error = problemAt(this.place(node), problem);
    this.#offsets.set(error, node?.range?.[0] ?? 0);
    return error;
  }

  /** Notes the problem, and lets the reading go on: whoever mends a config wants to know all of them. */
  report(node: ConfigNode, problem: string): void {
    this.#found.push(this.problem(node, problem));
  }

  /** Undefined when the work met a problem, which is noted. */
  attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code !== "config-invalid") throw error;
      this.#found.push(error);
      return undefined;
    }
  }

  /** What was noted, in the order of the file; what is read twice, by an alias or by inheritance, is said once. */
  get problems(): readonly ReplicationError[] {
    const offsetOf = (error: ReplicationError) => this.#offsets.get(error) ?? 0;
    const byMessage = new Map(this.#found.map((error) => [error.message, error]));
    return [...byMessage.values()].sort((a, b) => offsetOf(a) - offsetOf(b));
  }

  /** What is taken otherwise than it stands. */
  warn(node: ConfigNode, warning: string): void {
    this.#warnings.add(`config ${this.place(node)}: ${warning}`);
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** `<file>:<line>:<column>`; the file alone for a node that has no place. */
  place(node: ConfigNode): string {
    const offset = node?.range?.[0];
    return offset === undefined ? this.#source : this.#placeAt(offset);
  }

  /** The pairs of a map in their order, merged ones after its own; undefined when the node is none. */
  entries(node: ConfigNode): Entry[] | undefined {
    const map = this.#follow(node);
    if (!isMap(map)) return undefined;
    const entries = this.#ownEntries(map as YAMLMap<Node, Node>);
    const found = new Map<string, Entry>();
    for (const entry of entries.filter(({ key }) => key !== "<<")) {
      if (found.has(entry.key)) this.report(entry.keyNode, `the key "${entry.key}" is written twice`);
      found.set(entry.key, entry);
    }
    for (const entry of entries.filter(({ key }) => key === "<<")) this.#merge(entry.value, found, new Set());
    return [...found.values()];
  }

  /** The members of a list; undefined when the node is none. */
  items(node: ConfigNode): ConfigNode[] | undefined {
    const list = this.#follow(node);
    return isSeq(list) ? list.items.map((item) => (item ?? undefined) as ConfigNode) : undefined;
  }

  /** Undefined when the node is a map, a list, or nothing. */
  scalar(node: ConfigNode): ScalarValue | undefined {
    const scalar = this.#follow(node);
    if (!isScalar(scalar) || scalar.value === null) return undefined;
    const { value, source, type } = scalar;
    return {
      text: typeof value === "string" ? value : source ?? String(value),
      plain: type === Scalar.PLAIN,
      isBoolean: typeof value === "boolean",
    };
  }

  /** What kind of thing stands there, for messages. */
  describe(node: ConfigNode): string {
    const found = this.#follow(node);
    return isMap(found)
      ? "a map"
      : isSeq(found)
      ? "a list"
      : isScalar(found) && found.value !== null
      ? "a text"
      : "missing";
  }

  #parse(text: string): ReturnType<typeof parseDocument> {
    try {
      return parseDocument(text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        stringKeys: true,
        uniqueKeys: false, // Quadratic there; `entries` looks itself.
        logLevel: "error",
      });
    } catch (error) {
      // A stack overflow, on brackets nested by the thousand, is the one thing that the parser throws.
      throw new ReplicationError(
        "config-invalid",
        `Cannot use config ${this.#source}: it is not valid YAML: nested too deeply`,
        { cause: error },
      );
    }
  }

  #ownEntries(map: YAMLMap<Node, Node>): Entry[] {
    return map.items.map(({ key, value }) => ({
      key: isScalar(key) ? String(key.value) : "",
      keyNode: key,
      value: value ?? undefined,
    }));
  }

  #merge(node: ConfigNode, into: Map<string, Entry>, seen: Set<ConfigNode>): void {
    const target = this.#follow(node);
    const sources = isSeq(target) ? this.items(target) ?? [] : [target];
    for (const source of sources) {
      const map = this.#follow(source);
      if (!isMap(map)) throw this.problem(node, 'the value of "<<" must be a map or a list of maps');
      if (seen.has(map)) continue; // What it has is there already; a map may even merge itself.
      seen.add(map);
      for (const entry of this.#ownEntries(map as YAMLMap<Node, Node>)) {
        if (entry.key === "<<") this.#merge(entry.value, into, seen);
        else if (!into.has(entry.key)) into.set(entry.key, entry);
      }
    }
  }

  #follow(node: ConfigNode): ConfigNode {
    if (!isAlias(node)) return node;
    this.#targets ??= targetsIn(this.#document);
    const target = this.#targets.get(node);
    if (target === undefined) throw this.problem(node, `there is no anchor "&${node.source}" before this`);
    return target;
  }

  #placeAt(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#source}:${line}:${col}`;
  }
}

/** Each becomes some objects of the parser's, a byte long or not; to count them costs a tenth of that. */
function hasFewTokens(text: string): boolean {
  let count = 0;
  for (const _ of new Lexer().lex(text)) if (++count > limits.configTokensMax) return false;
  return true;
}

/** What each alias stands for, in one walk; the parser would walk through the whole document for each of them. */
function targetsIn(document: ReturnType<typeof parseDocument>): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node)) return void (node.anchor !== undefined && anchors.set(node.anchor, node as Node));
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
    },
  });
  return targets;
}

function problemAt(place: string, problem: string): ReplicationError {
  return new ReplicationError("config-invalid", `Cannot use config ${place}: ${withoutUserInfo(problem)}`);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
