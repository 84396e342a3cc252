/** The two random-looking numbers that every frame of one WAL life carries. */
export interface Salt {
  readonly salt1: number;
  readonly salt2: number;
}

export function equalSalts(a: Salt, b: Salt): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2;
}

/** What one restart of the WAL does to the salts: the first is increased by one, the second is drawn anew. */
export function mayFollow(next: Salt, previous: Salt): boolean {
  return next.salt1 === (previous.salt1 + 1) >>> 0;
}
