import { findTrials, formatTrials, parseTrialRequest, verdictOf } from "../../scripts/trials.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const SCRIPT = new URL("../../scripts/trials.ts", import.meta.url).pathname;

Deno.test("parseTrialRequest() wants one folder, and knows which program and which trials", () => {
  assertEquals(parseTrialRequest(["--built", "trials", "--only", "t01"]), {
    folder: "trials",
    isBuilt: true,
    only: "t01",
  });
  assertEquals(parseTrialRequest(["trials"]), { folder: "trials", isBuilt: false, only: "" });
  assertEquals(typeof parseTrialRequest([]), "string");
  assertEquals(typeof parseTrialRequest(["a", "b"]), "string");
  assertEquals(typeof parseTrialRequest(["--bulit", "a"]), "string");
});

Deno.test("findTrials() takes what ends with a verdict, in each layout that it knows", () => {
  const paths = [
    "./t01_a.py",
    "./t5b_b.py",
    "./torture/common.py",
    "./torture/x.py",
    "./proof/t0_y.py",
    "./peers/z.py",
  ];
  const textOf = (path: string) => path.includes("torture/x") ? "x.py REPO [raw|litestream]" : "";
  assertEquals(findTrials([...paths, "./helper.py"], textOf), [
    { path: "./t01_a.py", words: [] },
    { path: "./t5b_b.py", words: [] },
    { path: "./torture/x.py", words: ["raw"] },
    { path: "./torture/x.py", words: ["litestream"] },
  ]);
});

Deno.test("formatTrials() has a line for each trial with its verdict", () => {
  const trial = { words: [], output: "" };
  assertEquals(
    formatTrials([
      { ...trial, path: "t1_a.py", code: 0, seconds: 1.4 },
      { ...trial, path: "t2.py", words: ["raw"], code: 77, seconds: 0 },
      { ...trial, path: "t3_c.py", code: -9, seconds: 100 },
    ]),
    "ok         t1_a.py    exit 0, 1 s\nnot tried  t2.py raw  exit 77, 0 s\nFAILED     t3_c.py    exit -9, 100 s",
  );
  assertEquals([0, 77, 1, 137].map(verdictOf), ["ok", "not tried", "FAILED", "FAILED"]);
});

Deno.test({
  name: "deno task trials ends with 1 when a trial found the product other than expected, and shows what it said",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const trial = (code: number) =>
        `import subprocess, os, sys
r = subprocess.run([os.environ["DENO"], "run", "-A", sys.argv[1] + "/main.ts", "version"], capture_output=True, text=True)
print("it said", r.stdout); sys.exit(${code} if r.returncode == 0 else 9)`;
      const expect = async (code: number, pattern: RegExp) => {
        const ended = await new Deno.Command(Deno.execPath(), {
          args: ["run", "--allow-all", SCRIPT, folder, "--built"],
          env: { FAKETIME_LIB: "none" },
        }).output();
        const text = new TextDecoder().decode(ended.stdout);
        assertEquals(ended.code, code, text);
        assertMatch(text, pattern);
      };
      Deno.writeTextFileSync(`${folder}/t02_odd.py`, trial(77));
      await expect(1, /\n0 as expected, 0 not, 1 cannot be tried here\n$/);
      Deno.writeTextFileSync(`${folder}/t01_good.py`, trial(0));
      await expect(0, /\n1 as expected, 0 not, 1 cannot be tried here\n$/);
      Deno.writeTextFileSync(`${folder}/t03_bad.py`, trial(1));
      await expect(1, /FAILED +\.\/t03_bad\.py +exit 1.*\nit said tailrace [^]*\n1 as expected, 1 not, 1 cannot/);
    }),
});
