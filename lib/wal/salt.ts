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

/**
 * Whether the life with these salts came before the other one of the same file. Restarts count up; what was drawn at random in
 * between may look later than it is, and the zeros of a place that nobody wrote are no life at all.
 */
export function isEarlier(salt: Salt, than: Salt): boolean {
  if (salt.salt1 === 0 && salt.salt2 === 0) return false;
  const lives = (than.salt1 - salt.salt1) >>> 0;
  return lives > 0 && lives < LIVES_AT_MOST;
}

/** No file was restarted more often: what is farther away was drawn at random. */
const LIVES_AT_MOST = 0x1000_0000;
