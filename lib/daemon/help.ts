/** What to do about something that is not safe: whoever says that it is not says this, too. */

export type Help =
  | { readonly kind: "replicate" }
  | { readonly kind: "verify" }
  /** Nothing but to ask again: it is on its way. */
  | { readonly kind: "status" }
  /** Of that replica. */
  | { readonly kind: "snapshot"; readonly replica: string }
  | { readonly kind: "process"; readonly pid: number }
  /** A command or a sentence. */
  | { readonly kind: "advice"; readonly text: string };

/** What was advised where it was found out, else what is given. */
export function adviceOr(text: string | undefined, otherwise: Help): Help {
  return text === undefined ? otherwise : { kind: "advice", text };
}

/** Of a path that may well be another one than was meant. */
export const SEE_PATH = "see that the path is the right one";
export const LOOK_AT_PATH: Help = { kind: "advice", text: SEE_PATH };

export const BE_ALLOWED_TO_ASK: Help = {
  kind: "advice",
  text: "ask as the daemon's user or as root, where the state folder has room for a question",
};

export const REACH_IT: Help = {
  kind: "advice",
  text: "mount it, or see what stands in its place, and that this user may read it; a daemon then goes on by itself",
};

export const SET_CLOCK: Help = {
  kind: "advice",
  text: "set the clock of the machine that wrote it; the next commit then has the right time",
};

export function lookAtProcess(pid: number | undefined): Help {
  if (pid !== undefined) return { kind: "process", pid };
  return { kind: "advice", text: "find the process that replicates it, and see its log" };
}

export function readLog(pid: number | undefined): Help {
  return { kind: "advice", text: `see the log of ${named(pid)}, which goes on trying` };
}

export function startAgain(pid: number | undefined): Help {
  return { kind: "advice", text: `stop ${named(pid)}, and start it with this config` };
}

function named(pid: number | undefined): string {
  return pid === undefined ? "its daemon" : `process ${pid}`;
}
