/** The text format of Prometheus, version 0.0.4: families of samples, each with its help and type before it. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  /** A family without samples is left out. */
  readonly samples: readonly Sample[];
}

/** None for a value that is not known. */
export function sample(labels: Sample["labels"], value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}

/** With its media type, for those who serve it. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function formatExposition(families: readonly Family[]): string {
  return families.map(formatFamily).join("");
}

function formatFamily({ name, help, type, samples }: Family): string {
  if (samples.length === 0) return "";
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  for (const { labels, value } of samples) lines.push(`${formatSeries(name, labels)} ${value}`);
  return `${lines.join("\n")}\n`;
}

/** The name with its labels, as a line of it begins. */
export function formatSeries(name: string, labels: Sample["labels"]): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
