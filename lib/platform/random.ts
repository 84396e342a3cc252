export interface Random {
  bytes(length: number): Uint8Array;
}

export class SystemRandom implements Random {
  bytes(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length));
  }
}
