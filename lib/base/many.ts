/** Of lists of any length: as parameters of one call (`push(...list)`, `Math.max(...list)`) some 100,000 are too many. */

/** -Infinity of none. */
export function largestOf(numbers: Iterable<number>): number {
  let largest = -Infinity;
  for (const number of numbers) largest = Math.max(largest, number);
  return largest;
}

/** Infinity of none. */
export function smallestOf(numbers: Iterable<number>): number {
  let smallest = Infinity;
  for (const number of numbers) smallest = Math.min(smallest, number);
  return smallest;
}

export function addAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
