/**
 * Which slot of the wal-index a connection that begins to read would share, as SQLite chooses it (`walTryBeginRead()`): the
 * last of those with the highest mark that is not beyond the committed frames. PURE.
 */
export function slotOfReader(marks: readonly number[], mxFrame: number): number {
  let [slot, highest] = [0, 0];
  for (const [place, mark] of marks.entries()) {
    if (place > 0 && mark >= highest && mark <= mxFrame) [slot, highest] = [place, mark];
  }
  return slot;
}
