/** Objects looked at side by side: a listing of many is bound by waiting, not by work. */
export const READS_AT_ONCE = 8;

/**
 * What `look` makes of each, so many at once, in order. When one fails, the others that are under way are waited for before
 * its error goes on: nobody reads from a place that is believed to be left.
 */
export async function inBatches<From, To>(
  from: readonly From[],
  atOnce: number,
  look: (one: From) => Promise<To>,
): Promise<To[]> {
  const to: To[] = [];
  for (let at = 0; at < from.length; at += atOnce) {
    for (const looked of await Promise.allSettled(from.slice(at, at + atOnce).map(look))) {
      if (looked.status === "rejected") throw looked.reason;
      to.push(looked.value);
    }
  }
  return to;
}
