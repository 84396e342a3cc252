// xxHash, 32 bits, seed 0: the checksum of the LZ4 frame format, over bytes that arrive in pieces of any size.
//
// State, 48 bytes: four sums at 0, the count of all bytes (modulo 2^32) at 16, the count of bytes that wait at 20, a flag
// "16 bytes or more were seen" at 24, the waiting bytes (fewer than 16) at 32.

const PRIME_1: u32 = 2654435761;
const PRIME_2: u32 = 2246822519;
const PRIME_3: u32 = 3266489917;
const PRIME_4: u32 = 668265263;
const PRIME_5: u32 = 374761393;

// @ts-ignore: decorator
@inline
function round(sum: u32, word: u32): u32 {
  return rotl<u32>(sum + word * PRIME_2, 13) * PRIME_1;
}

export function beginHash(state: usize): void {
  store<u32>(state, PRIME_1 + PRIME_2);
  store<u32>(state, PRIME_2, 4);
  store<u32>(state, 0, 8);
  store<u32>(state, 0 - PRIME_1, 12);
  memory.fill(state + 16, 0, 32);
}

/** Takes whole stripes of 16 bytes in. */
function addStripes(state: usize, at: usize, end: usize): void {
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  while (at < end) {
    a = round(a, load<u32>(at));
    b = round(b, load<u32>(at, 4));
    c = round(c, load<u32>(at, 8));
    d = round(d, load<u32>(at, 12));
    at += 16;
  }
  store<u32>(state, a);
  store<u32>(state, b, 4);
  store<u32>(state, c, 8);
  store<u32>(state, d, 12);
  store<u32>(state, 1, 24);
}

export function addToHash(state: usize, at: usize, length: usize): void {
  store<u32>(state, load<u32>(state, 16) + <u32>length, 16);
  let waiting = load<u32>(state, 20);
  const end = at + length;
  if (waiting > 0) {
    const taken = min<usize>(16 - waiting, length);
    memory.copy(state + 32 + waiting, at, taken);
    at += taken;
    waiting += <u32>taken;
    if (waiting < 16) {
      store<u32>(state, waiting, 20);
      return;
    }
    addStripes(state, state + 32, state + 48);
  }
  const whole = at + ((end - at) & ~15);
  if (whole > at) addStripes(state, at, whole);
  memory.copy(state + 32, whole, end - whole);
  store<u32>(state, <u32>(end - whole), 20);
}

/** The sum of what was added until now; more may be added afterwards. */
export function hashOf(state: usize): u32 {
  let sum: u32 = PRIME_5;
  if (load<u32>(state, 24)) {
    sum = rotl<u32>(load<u32>(state), 1) + rotl<u32>(load<u32>(state, 4), 7) +
      rotl<u32>(load<u32>(state, 8), 12) + rotl<u32>(load<u32>(state, 12), 18);
  }
  sum += load<u32>(state, 16);
  let at = state + 32;
  const end = at + load<u32>(state, 20);
  while (at + 4 <= end) {
    sum = rotl<u32>(sum + load<u32>(at) * PRIME_3, 17) * PRIME_4;
    at += 4;
  }
  while (at < end) {
    sum = rotl<u32>(sum + <u32>load<u8>(at) * PRIME_5, 11) * PRIME_1;
    at += 1;
  }
  sum = (sum ^ (sum >> 15)) * PRIME_2;
  sum = (sum ^ (sum >> 13)) * PRIME_3;
  return sum ^ (sum >> 16);
}
