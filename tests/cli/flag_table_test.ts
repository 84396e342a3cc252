/** Command x flag: a run with the flag differs from the run without it in what the flag is for, or the flag is refused. */
import { crc32c } from "../../lib/base/crc32c.ts";
import { parseArguments } from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { RUNGS } from "../../lib/verify/report.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { buildFlagScene, copyFlagScene, filesBelow, NEW, OLD } from "../support/flag_scene.ts";
import { tailraceCommand } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** `SCENE` stands for the folder of the run. */
interface FlagRow {
  /** The flag as it is typed, with its value. */
  readonly flag: string;
  readonly without: string;
  /** Both words together unless this is given. */
  readonly with?: string;
  /** What is seen with the flag alone; of two, the second is what is seen without it alone. */
  readonly shows: RegExp;
  /** The pattern is seen without the flag instead. */
  readonly isGone?: boolean;
  /** The flag as it leaves room for others to be seen beside it, where it does not. */
  readonly gentle?: string;
}

const URL = "file://SCENE/near";
const DATABASE = "--config c.yml app.db";
const OF_OLD = new RegExp(`${OLD}(/|$)`, "m");
const NO_SUCH = /^exit 2$[^]*does not list it/m;
const JSON_DOCUMENT = /"schema_version": 1/;

const row = (flag: string, without: string, shows: RegExp, more: Partial<FlagRow> = {}): FlagRow => ({
  flag,
  without,
  shows,
  ...more,
});
const gone = { isGone: true };

/** Of a command that names what it speaks of by one database. */
function ofDatabase(place = ""): FlagRow[] {
  return [
    row("--config c.yml", `${place} app.db`, /^exit 0$/m),
    row("--no-expand-env", `${place} ${DATABASE}`, NO_SUCH),
  ];
}

const listing = [...ofDatabase(), row("--replica far", DATABASE, /^near /m, gone), row("--json", URL, JSON_DOCUMENT)];
const generation = row(`--generation ${OLD}`, URL, new RegExp(NEW), gone);
const PLAN = `--dry-run -o out.db ${URL}`;
const REPORT = `--report seen.json ${URL}`;
const PROVEN_OLD = new RegExp(`"position": "${OLD}/`);

const TABLE: Readonly<Record<string, readonly FlagRow[]>> = {
  restore: [
    ...ofDatabase("--dry-run -o out.db"),
    row("--output out.db", `--dry-run ${DATABASE}`, /Plan for \S+out\.db /),
    row("--replica far", `--dry-run -o out.db ${DATABASE}`, /replica far/),
    row(`--generation ${OLD}`, PLAN, OF_OLD),
    row("--at 2025-06-01T12:00:02Z", PLAN, OF_OLD, { gentle: "--at 2025-06-01T12:05:00Z" }),
    row("--index 2", PLAN, /\/0{15}2:/),
    row(`--position ${OLD}/1:0`, PLAN, new RegExp(`${OLD}/0{15}1:0,`)),
    row("--if-db-not-exists", `-o there.db ${URL}`, /^exit 0$/m),
    row("--if-replica-exists", "-o out.db file://SCENE/empty", /^exit 0$/m),
    row("--dry-run", `-o out.db ${URL}`, /^made out\.db /m, gone),
    row("--force", `-o there.db ${URL}`, /^made there\.db\.before-restore-/m),
    row("--force", `--dry-run -o there.db ${URL}`, /would be kept under another name/),
    row("--force", `--dry-run --json -o there.db ${URL}`, /"keeps": true/),
    row("--parallelism 1", `-o out.db ${URL}`, /^open at once 1$/m),
    row("--json", `-o out.db ${URL}`, JSON_DOCUMENT),
  ],
  databases: [
    row("--config c.yml", "", /^exit 0$/m),
    row("--no-expand-env", "--config c.yml", /\$\{SCENE\}/),
    row("--json", "--config c.yml", JSON_DOCUMENT),
  ],
  generations: listing,
  snapshots: [...listing, generation],
  wal: [...listing, generation, row("--records", URL, /^replica .* kind /m)],
  points: [...listing, generation, row("--at 2025-06-01T12:00:02Z", URL, / before /)],
  status: [
    row("--config c.yml", "app.db", /NOT SAFE/),
    row("--no-expand-env", DATABASE, NO_SUCH),
    row("--long", DATABASE, /^database .* position /m),
    row("--long", `--json ${DATABASE}`, /^exit 2$/m),
    row("--json", DATABASE, JSON_DOCUMENT),
  ],
  verify: [
    ...ofDatabase(),
    row("--replica far", DATABASE, /replica near /, gone),
    row(`--generation ${OLD}`, REPORT, PROVEN_OLD),
    row("--level reach", REPORT, /"rung": "equal"/, gone),
    row("--at 2025-06-01T12:00:02Z", REPORT, PROVEN_OLD),
    row("--index 2", REPORT, /"index": 2,/),
    row(`--position ${OLD}/1:0`, REPORT, new RegExp(`"position": "${OLD}/0{15}1:0"`)),
    row("--sample 2", REPORT, /"why": "sample"/),
    row("--seed 9", DATABASE, /^exit 2$/m),
    row("--seed 9", "near", /^exit 2$/m),
    row("--seed 9", `--sample 2 ${REPORT}`, /"seed": 9,/),
    row("--slice 1/2", REPORT, /part 1 of 2/),
    row("--limit-rate 1KB", REPORT, /^waited$/m),
    row("--against-live", DATABASE, /no daemon captures it/),
    row("--max-age 1h", REPORT, /^exit 5$/m),
    row("--timeout 1s", REPORT, /^exit 75$/m, { gentle: "--timeout 2h" }),
    row("--jitter 9s", REPORT, /^waited$/m),
    row("--quiet", URL, /PROVEN/, gone),
    row("--format nagios", URL, /^VERIFY OK - 1 replica proven \(equal\) \| '\S+ duration'=\S+s '/m),
    row("--format junit", URL, /^ {4}<testcase classname="\S+ file" name="equal" time="\S+"\/>$/m),
    row("--format json", URL, JSON_DOCUMENT),
    row("--report out.json", URL, /^made out\.json .*\n\{\n {2}"schema_version": 1/m),
    row("--metrics-textfile out.prom", URL, /^made out\.prom [^]*^tailrace_verify_rung\{[^}]*rung="equal"\} 1$/m),
    row("--ping http://monitor.test/x", URL, /^ping http:\/\/monitor\.test\/x\/start\nping http:\S+x$/m),
    row("--scratch scratch", REPORT, /^made scratch\/tailrace-verify-\d+\/[0-9a-f]{8}\.lock /m),
    row("--keep", URL, /^made tmp\/tailrace-verify-\d+\/[0-9a-f]{8}-[0-9a-f]{16}\/restored\.db of 8192 /m),
  ],
  prune: [
    ...ofDatabase("--dry-run"),
    row("--replica far", `--dry-run ${DATABASE}`, /near/, gone),
    row("--dry-run", URL, new RegExp(`^removed near/generations/${OLD}/`, "m"), gone),
    row("--retention 999999h", `--dry-run ${URL}`, /nothing to remove/),
    row("--json", `--dry-run ${URL}`, JSON_DOCUMENT),
  ],
  snapshot: [
    row("--config c.yml", "app.db", /^exit 0$/m),
    row("--no-expand-env", DATABASE, NO_SUCH),
    row("--replica far", DATABASE, /on replica near/, gone),
    row("--json", DATABASE, JSON_DOCUMENT),
  ],
  replicate: [
    row("--config c.yml", "--once", /^exit 0$/m),
    row("--no-expand-env", "--once --config c.yml", /\$\{SCENE\}/),
    row("--exec touch+ran", "--once app.db file://SCENE/new", /^made ran /m, {
      with: "--exec touch+ran app.db file://SCENE/new",
    }),
    row("--once", "app.db file://SCENE/new", /Stopping/, gone),
    row("--shutdown-timeout 9s", "--once app.db file://SCENE/new", /^exit 2$/m),
    row("--shutdown-timeout 5s", "--exec true --shutdown-timeout 0 app.db file://SCENE/there.db/x", /waited_s=/, {
      with: "--exec true --shutdown-timeout 5s app.db file://SCENE/there.db/x",
    }),
    row("--log-level error", "--once app.db file://SCENE/new", / info |INFO/, gone),
    row("--log-format json", "--once app.db file://SCENE/new", /^\{".*\}$/m),
  ],
  version: [row("--json", "", JSON_DOCUMENT)],
  help: [],
  inspect: [],
};

/** Commands that follow a database: with locks, connections and threads that only the end of a process lets go. */
const OF_THE_PROGRAM = ["replicate", "snapshot"];

/** Each run of these gets a scene of its own. */
const WRITERS = [...OF_THE_PROGRAM, "restore", "verify", "prune"];

class Stage {
  readonly #folder: string;
  readonly #seen = new Map<string, Promise<string>>();
  #runs = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Everything that can be seen of a run; the same words are run once. */
  run(command: string, words: string): Promise<string> {
    const typed = `${command} ${words.replaceAll(/ +/g, " ").trim()}`;
    const seen = this.#seen.get(typed) ?? this.#run(typed);
    this.#seen.set(typed, seen);
    return seen;
  }

  async #run(typed: string): Promise<string> {
    const mayWrite = WRITERS.includes(typed.split(" ")[0] ?? "");
    const scene = `${this.#folder}/${mayWrite ? `run-${this.#runs++}` : "scene"}`;
    const words = typed.split(" ").filter((word) => word !== "")
      .map((word) => word.replaceAll("SCENE", scene).replace("+", " "));
    const isProgram = OF_THE_PROGRAM.includes(words[0] ?? "");
    if (mayWrite) copyFlagScene(`${this.#folder}/scene`, scene, !isProgram);
    const environment = { SCENE: scene, TMPDIR: `${scene}/tmp` };
    const lines = isProgram ? await runProgram(words, scene, environment) : await runHere(words, scene, environment);
    if (!mayWrite) return lines.join("\n").replaceAll(scene, "/scene");
    const [before, after] = [filesBelow(`${this.#folder}/scene`), filesBelow(scene)];
    const made = after.filter((file) => !before.includes(file)).map((file) => `made ${file}${contentOf(scene, file)}`);
    const removed = before.filter((file) => !after.includes(file)).map((file) => `removed ${file}`);
    const seen = [...lines, ...made, ...removed].join("\n").replaceAll(scene, "/scene");
    Deno.removeSync(scene, { recursive: true });
    return seen;
  }
}

type Environment = Readonly<Record<string, string>>;

async function runHere(words: readonly string[], scene: string, environment: Environment): Promise<string[]> {
  const { code, stdout, stderr, pings, hasWaited, openAtOnce } = await runInProcess(words, scene, environment);
  const world = [...pings.map((address) => `ping ${address}`), ...(hasWaited ? ["waited"] : [])];
  const isNarrow = openAtOnce === 1 ? ["open at once 1"] : []; // Of more, it is by chance how many are seen.
  return [`exit ${code}`, stdout, stderr, ...world, ...isNarrow];
}

/** What a report says, and of a database which it is. */
function contentOf(scene: string, made: string): string {
  const path = `${scene}/${made.split(" of ")[0]}`;
  if (/\.(json|prom)$/.test(path)) return `\n${Deno.readTextFileSync(path)}`;
  return ` ${crc32c(Deno.readFileSync(path)).toString(16)}`;
}

/** Where nothing ends it, it is asked to stop when everything is replicated. */
async function runProgram(words: readonly string[], scene: string, environment: Environment): Promise<string[]> {
  const child = tailraceCommand(words, { folder: scene, environment }).spawn();
  const stdout = new Response(child.stdout).text();
  let stderr = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += text;
    if (stderr.includes("Snapshot done") && !words.includes("--once") && !words.includes("--exec")) child.kill();
  }
  return [`exit ${(await child.status).code}`, await stdout, stderr];
}

function nameOf(typed: string): string {
  return /^--([^ ]+)/.exec(typed)?.[1] ?? "";
}

function isAmong(words: string, flag: string): boolean {
  return ` ${words.replace(/(^| )-o /, " --output ")} `.includes(` --${flag} `);
}

/** The scene, with a real database for the commands that follow one. */
function tableTest(name: string, commands: readonly string[], work: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      Deno.mkdirSync(`${folder}/scene`);
      await buildFlagScene(`${folder}/scene`, commands.some((command) => OF_THE_PROGRAM.includes(command)));
      await work(new Stage(folder));
    });
  Deno.test({ name, timeout: 600_000, fn }); // Some start a hundred processes.
}

Deno.test("every flag of every command has a row in the table", () => {
  for (const { name, flags } of COMMANDS) {
    const rows = (TABLE[name] ?? []).map(({ flag }) => nameOf(flag));
    assertEquals([...new Set(rows)].toSorted(), flags.map((flag) => flag.name).toSorted(), name);
  }
});

for (const command of COMMANDS.filter(({ flags }) => flags.length > 0).map(({ name }) => name)) {
  tableTest(`each flag of ${command} acts or is refused`, [command], async (stage) => {
    for (const { flag, without, with: both = `${flag} ${without}`, shows, isGone = false } of TABLE[command] ?? []) {
      const [seenWith, seenWithout] = [await stage.run(command, both), await stage.run(command, without)];
      const [here, away] = isGone ? [seenWithout, seenWith] : [seenWith, seenWithout];
      const said = `${command} ${flag} beside ${without}: ${shows}`;
      assert(shows.test(here), `${said} not in:\n${here}`);
      assert(!shows.test(away), `${said} in both:\n${away}`);
      assert(!seenWith.includes("exit 70"), seenWith);
    }
  });
}

/** What is wrong is said although `--quiet` asks for silence about what is well. */
const NOT_QUIET = ["max-age", "timeout"];

/** Of the others it is decided below which are refused: each of their runs is a process, and takes a second. */
const PAIRED = COMMANDS.filter(({ name, flags }) => flags.length > 1 && !OF_THE_PROGRAM.includes(name));

/** And not what a plugin of Nagios says of a replica. */
function isRefused(seen: string): boolean {
  return /^exit 2$/m.test(seen) && !/^VERIFY /m.test(seen);
}

function actingRows(command: string): readonly FlagRow[] {
  return (TABLE[command] ?? []).filter(({ shows }) => !shows.source.startsWith("^exit 2"));
}

for (const { name: command } of PAIRED) {
  tableTest(`each flag of ${command} acts or is refused beside each other one`, [command], async (stage) => {
    const silent: string[] = [];
    for (const { flag, without, shows, isGone = false } of actingRows(command)) {
      for (const company of actingRows(command)) {
        const other = company.gentle ?? company.flag;
        const [own, name] = [nameOf(flag), nameOf(other)];
        if (name === own || isAmong(without, name) || (own === "quiet" && NOT_QUIET.includes(name))) continue;
        const [seenWith, seenWithout] = [
          await stage.run(command, `${flag} ${other} ${without}`),
          await stage.run(command, `${other} ${without}`),
        ];
        assert(!/^exit 70$/m.test(seenWith), seenWith);
        if (isRefused(seenWithout)) continue; // Without the flag, too.
        const [here, away] = isGone ? [seenWithout, seenWith] : [seenWith, seenWithout];
        if (shows.test(here) && !shows.test(away)) continue;
        const isSaid = isRefused(seenWith)
          ? new RegExp(`^Cannot use --(${own}|${name}) `, "m").test(seenWith)
          : seenWith !== seenWithout;
        if (!isSaid) silent.push(`${command} ${flag} beside ${other} and ${without}`);
      }
    }
    assertEquals(silent, []);
  });
}

tableTest("each flag of verify acts or is refused at each level", ["verify"], async (stage) => {
  const silent: string[] = [];
  for (const level of RUNGS) {
    for (const { flag, without } of actingRows("verify").filter(({ flag }) => nameOf(flag) !== "level")) {
      const seenWith = await stage.run("verify", `--level ${level} ${flag} ${without}`);
      const isSaid = isRefused(seenWith)
        ? /^Cannot use --\S+ beside --level \w+: it does nothing below /m.test(seenWith)
        : seenWith !== await stage.run("verify", `--level ${level} ${without}`);
      if (!isSaid) silent.push(`verify --level ${level} ${flag} beside ${without}`);
    }
  }
  assertEquals(silent, []);
});

/** Which pairs of flags the parser lets through, of commands that follow a database. Each acts whatever the other does. */
const INDEPENDENT: Readonly<Record<string, readonly string[]>> = {
  replicate: [
    "config exec",
    "config log-format",
    "config log-level",
    "config no-expand-env",
    "config once",
    "config shutdown-timeout",
    "exec log-format",
    "exec log-level",
    "exec no-expand-env",
    "exec shutdown-timeout",
    "log-format log-level",
    "log-format no-expand-env",
    "log-format once",
    "log-format shutdown-timeout",
    "log-level no-expand-env",
    "log-level once",
    "log-level shutdown-timeout",
    "no-expand-env once",
    "no-expand-env shutdown-timeout",
  ],
  snapshot: [
    "config json",
    "config no-expand-env",
    "config replica",
    "json no-expand-env",
    "json replica",
    "no-expand-env replica",
  ],
};

Deno.test("of replicate and snapshot it is decided which pairs of flags are refused", () => {
  for (const command of COMMANDS.filter(({ name }) => OF_THE_PROGRAM.includes(name))) {
    const typed = new Map((TABLE[command.name] ?? []).map(({ flag }) => [nameOf(flag), flag.split(" ")]));
    const isRefused = (one: string, other: string) => {
      try {
        parseArguments(command, [...typed.get(one) ?? [], ...typed.get(other) ?? []]);
        return false;
      } catch {
        return true;
      }
    };
    const names = [...typed.keys()].toSorted();
    const pairs = names.flatMap((one) => names.filter((other) => one < other).map((other) => [one, other] as const));
    const welcome = pairs.filter(([one, other]) => !isRefused(one, other)).map((pair) => pair.join(" "));
    assertEquals(welcome, INDEPENDENT[command.name], command.name);
  }
});

/** The ways of saying which replicas are meant: words of the config, and what is named. */
const WAYS: readonly (readonly [config: string, named: string])[] = [
  ["--config c.yml", ""],
  ["--config c.yml", "app.db"],
  ["", URL],
  ["", "near"],
  ["", `app.db ${URL}`],
];

/** What each selecting flag takes away, or shows; all of it is looked for in the documents of `--json`. */
const SELECTIONS: readonly (readonly [flag: string, shows: RegExp, isGone: boolean])[] = [
  ["--replica far", /"replica": "near"/, true],
  [`--generation ${OLD}`, new RegExp(NEW), true],
  ["--at 2025-06-01T12:00:02Z", /"captured_at": "2025-06-01T12:00:02\.000Z"/, false],
  ["--index 2", /"position": "\w+\/0{15}2:/, false],
  [`--position ${OLD}/1:0`, new RegExp(NEW), true],
  ["--config c.yml", /^exit [014]$/m, false],
  ["--no-expand-env", /does not list it|\$\{SCENE\}/, false],
];

/** So that what is selected is told as a document, and nothing is done. */
const TELLS: Readonly<Record<string, string>> = {
  replicate: "--once",
  restore: "--dry-run --json -o out.db",
  verify: "--format json",
  prune: "--dry-run --json",
  version: "--json",
  help: "",
  inspect: "",
};

for (const command of COMMANDS.filter(({ isInternal, flags }) => isInternal !== true && flags.length > 1)) {
  const { name, flags } = command;
  tableTest(`${name} passes over no selecting flag, however it is told what is meant`, [name], async (stage) => {
    const tells = TELLS[name] ?? "--json";
    for (const [config, named] of WAYS) {
      for (const [flag, shows, isGone] of SELECTIONS) {
        const isDeclared = flags.some((known) => known.name === nameOf(flag));
        const around = nameOf(flag) === "config" ? named : `${config} ${named}`;
        const seenWith = await stage.run(name, `${tells} ${flag} ${around}`);
        const said = `${name} ${flag} beside ${around}: ${shows}`;
        if (/^exit 2$/m.test(seenWith)) {
          assert(/^Cannot /m.test(seenWith), seenWith);
          assertEquals(!seenWith.includes("there is no such flag"), isDeclared, said);
          continue;
        }
        const seenWithout = await stage.run(name, `${tells} ${around}`);
        assert(isDeclared, `${said} is no flag of it:\n${seenWith}`);
        const [here, away] = isGone ? [seenWithout, seenWith] : [seenWith, seenWithout];
        assert(shows.test(here), `${said} not in:\n${here}`);
        assert(!shows.test(away), `${said} in both:\n${away}`);
      }
    }
  });
}
